"""Where files are looked for, which wins, and what a foreign file does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.errors import ConfigInvalid, ConfigNotFound


def models(*pairs: tuple[str, str], top: str = "") -> str:
    entries = "".join(
        f"  - {{name: {name}, provider: p, model: {model}}}\n" for name, model in pairs
    )
    return f"{top}models:\n{entries}"


def test_no_file_at_all_is_no_error(world: World) -> None:
    """A configuration without entries says where it looked."""
    config = world.load()
    assert config.entries == ()
    assert config.files == ()
    assert config.searched == (
        world.user_file,
        world.project_file,
        world.machine / "config.yaml",
    )


def test_the_user_wins_over_the_project_and_the_project_over_the_machine(
    world: World,
) -> None:
    """Entries are merged by name, the strongest file's first, in its order."""
    world.write(world.user_file, models(("u", "1"), ("all", "user")))
    world.write(
        world.project_file, models(("all", "x"), ("p", "2"), ("two", "project"))
    )
    world.write(
        world.machine / "config.yaml", models(("two", "y"), ("all", "z"), ("g", "3"))
    )
    config = world.load()
    assert [(e.name, e.model, e.source.kind) for e in config.entries] == [
        ("u", "1", "user"),
        ("all", "user", "user"),
        ("p", "2", "project"),
        ("two", "project", "project"),
        ("g", "3", "global"),
    ]
    assert config.files == config.searched


def test_the_stronger_entry_counts_whole(world: World) -> None:
    """Nothing of the weaker entry is mixed in, nor its file's request options."""
    world.write(world.user_file, models(("a", "m")))
    weaker = models(("a", "m"), top="requestOptions: {timeout: 7}\n")
    weaker = weaker.replace("model: m", "model: m, roles: [embed], apiKey: k")
    world.write(world.machine / "config.yaml", weaker)
    (entry,) = world.load().entries
    assert entry.api_key is None
    assert entry.request_options.timeout is None
    assert "embed" not in entry.roles


def test_a_named_file_is_read_alone(world: World) -> None:
    """``--config`` leaves the others out, errors and all."""
    world.write(world.user_file, "models: [")
    config = world.read(models(("a", "m")))
    assert [e.source.kind for e in config.entries] == ["explicit"]
    assert config.searched == (world.machine / "chosen.yaml",)


def test_a_named_file_is_found_from_the_folder_one_is_in(world: World) -> None:
    """A relative path counts from ``cwd``."""
    world.write(world.project / "sub/my.yaml", models(("a", "m")))
    assert len(world.load(Path("sub/my.yaml")).entries) == 1


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_named_file_that_is_not_there_is_an_error(world: World, kind: str) -> None:
    """The message names it."""
    path = world.machine / "none.yaml"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(ConfigNotFound, match=r"none\.yaml"):
        world.load(path)


def test_one_file_under_two_names_is_read_once(world: World) -> None:
    """Someone who stands in ``~/.bytebuddy``, or links to it, has one file."""
    world.write(world.user_file, models(("a", "m")))
    world.project_file.symlink_to(world.user_file)
    config = world.load()
    assert [e.source.kind for e in config.entries] == ["user"]
    assert len(config.searched) == 2


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "name: other\nversion: 2\n",
        "models:\n  resnet: {layers: 50}\n",
        "models: [a, b]\n",
        "models:\n  - path: x.onnx\n",
        "- a\n- b\n",
        "{{ helm }}\n",
        "a: &x 1\nb: *x\n",
        "a: !Ref x\n",
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 2\n",
        b"\xff\xfe\x00",
        b"\x00binary",
        "x" * 300_000,
        "provider:\n  name: aws\nmodel: x\n",
    ],
    ids=range(15),
)
def test_another_programs_file_is_skipped_with_a_warning(
    world: World, foreign: str | bytes
) -> None:
    """Plenty of programs have a ``config.yaml`` in their folder."""
    world.write(world.user_file, models(("a", "m")))
    world.write(world.project_file, foreign)
    config = world.load()
    assert [e.name for e in config.entries] == ["a"]
    assert config.files == (world.user_file,)
    (warning,) = config.warnings
    assert warning.place == str(world.project_file)
    assert "skipped" in warning.message


@pytest.mark.parametrize("what", ["folder", "fifo", "loop"])
def test_a_project_file_that_is_no_file_does_not_hang(world: World, what: str) -> None:
    """It is skipped with a warning."""
    if what == "folder":
        world.project_file.mkdir()
    elif what == "fifo":
        os.mkfifo(world.project_file)
    else:
        world.project_file.symlink_to(world.project_file)
    (warning,) = world.load().warnings
    assert "skipped" in warning.message


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  - name: a\n    provider: p\n    model: [\n",
        "models:\n  - name: a\n    provider: p\n",
        "models:\n- name: a\nprovider: p\nmodel: m\n",
        "models:\n- name: a\nprovider: p\nmodel: m\n- name: b\nprovider: p\n",
    ],
)
def test_a_broken_file_of_ours_is_an_error_in_a_project_too(
    world: World, text: str
) -> None:
    """Half a file of ours is not taken for somebody else's."""
    world.write(world.project_file, text)
    with pytest.raises(ConfigInvalid):
        world.load()


def test_errors_of_all_files_are_told_at_once(world: World) -> None:
    """One look is enough to mend them all."""
    world.write(world.user_file, models(("a", "[]")))
    world.write(world.machine / "config.yaml", "models: 3\n")
    with pytest.raises(ConfigInvalid) as caught:
        world.load()
    assert len(caught.value.problems) == 2
    assert caught.value.message.startswith("2 problems in ")


def test_a_users_file_without_models_is_a_warning(world: World) -> None:
    """An empty file waits for its first entry."""
    world.write(world.user_file, "# nothing yet\n")
    config = world.load()
    assert [w.message for w in config.warnings] == ["the file names no models"]


def test_request_options_of_the_file_lie_under_the_entrys(world: World) -> None:
    """Each value of the entry wins; only headers are merged one by one."""
    text = """\
requestOptions:
  timeout: 1
  connectTimeout: 2
  verifySsl: false
  noProxy: [a]
  extraBodyProperties: {a: 1}
  headers: {x-a: top, X-B: top}
models:
  - name: a
    provider: p
    model: m
    requestOptions:
      timeout: 9
      verifySsl: true
      extraBodyProperties: {b: 2}
      headers: {X-A: entry, X-C: entry}
  - name: b
    provider: p
    model: m
"""
    first, second = (e.request_options for e in world.read(text).entries)
    assert (first.timeout, first.connect_timeout, first.verify_ssl) == (9, 2, True)
    assert first.no_proxy == ("a",)
    assert first.extra_body_properties == {"b": 2}
    headers = {name: value.reveal() for name, value in first.headers.items()}
    assert headers == {"X-B": "top", "X-A": "entry", "X-C": "entry"}
    assert (second.timeout, second.verify_ssl) == (1, False)
    assert second.extra_body_properties == {"a": 1}


def test_loading_changes_nothing_on_disk(world: World) -> None:
    """No folder, no trust file, no cache is made by reading."""
    load(
        None,
        cwd=world.project,
        home=world.home,
        env={},
        global_path=world.machine / "x",
    )
    assert list(world.home.iterdir()) == []
