"""Writing: comments stay, nobody sees half, and nobody else can read it."""

from __future__ import annotations

import os
import stat
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.config.dotenv import read_env
from bytebuddy_provider_hf.config.files import write_atomic
from bytebuddy_provider_hf.config.write import (
    add_entry,
    init,
    set_value,
    write_secret,
)
from bytebuddy_provider_hf.errors import ConfigError, ConfigInvalid, ConfigNotFound
from bytebuddy_provider_hf.secret import Secret

FILE = """\
# at the top
name: mine   # beside
models:
  # the first
  - name: "a"
    provider: p      # a provider
    model: 'org/name'
    defaultCompletionOptions:
      temperature: 0.70
      stop: ["a", 'b']
  # the second

  - name: b
    provider: p
    model: 010
    apiKey: ${KEY}   # never literal
# at the end
"""
ENTRY = {"name": "new", "provider": "p", "model": "org/new", "roles": ["chat"]}


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    """Modes must not depend on the umask."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_starter_loads_and_is_private(world: World) -> None:
    """``config init`` writes a file that works as it stands, with mode 0600."""
    init(world.user_file)
    assert (mode(world.user_file), mode(world.user_file.parent)) == (0o600, 0o700)
    config = world.load()
    assert [e.name for e in config.entries] == ["hf-llama"]
    assert config.warnings == ()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_the_starter_never_overwrites(world: World, kind: str) -> None:
    """Not a file, not the file behind a link, nor one that does not exist yet."""
    path = world.machine / "c.yaml"
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(world.machine / "elsewhere")
    else:
        path.mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        init(path)
    assert not (world.machine / "elsewhere").exists()


def test_an_exclusive_write_loses_to_one_that_came_first(world: World) -> None:
    """Two programs that start at once do not overwrite each other."""
    path = world.write(world.machine / "c.yaml", "first")
    with pytest.raises(ConfigError, match="exists already"):
        write_atomic(path, Secret("second"), exclusive=True)
    assert path.read_text() == "first"
    assert [p.name for p in world.machine.iterdir()] == ["c.yaml"]


def test_an_added_entry_leaves_the_rest_as_it_was(world: World) -> None:
    """Comments, quotes, blank lines and the order of keys stay."""
    path = world.write(world.machine / "c.yaml", FILE)
    add_entry(path, ENTRY)
    text = path.read_text()
    for line in FILE.splitlines():
        assert line in text.splitlines()
    assert [e.name for e in world.load(path).entries] == ["a", "b", "new"]
    assert mode(path) == 0o600


def test_a_set_value_changes_its_line_only(world: World) -> None:
    """Everything else is the same, byte for byte."""
    path = world.write(world.machine / "c.yaml", FILE)
    set_value(path, entry="a", key="defaultCompletionOptions.temperature", value=0.2)
    assert path.read_text() == FILE.replace("0.70", "0.2")


def test_a_value_can_be_added_below_and_taken_away(world: World) -> None:
    """A section that is missing is made; ``None`` takes a key away."""
    path = world.write(world.machine / "c.yaml", FILE)
    set_value(path, entry="b", key="requestOptions.timeout", value=5)
    assert world.load(path).entries[1].request_options.timeout == 5
    set_value(path, entry="b", key="apiKey", value=None)
    assert world.load(path).entries[1].unset == ()


def test_the_line_ends_of_windows_stay(world: World) -> None:
    """A file written there is changed in one line too."""
    path = world.write(world.machine / "c.yaml", FILE.replace("\n", "\r\n"))
    set_value(path, entry="a", key="defaultCompletionOptions.temperature", value=0.2)
    assert path.read_bytes().decode() == FILE.replace("\n", "\r\n").replace(
        "0.70", "0.2"
    )


def test_a_value_that_yaml_cannot_hold_is_an_error_without_the_file(
    world: World,
) -> None:
    """The writer's own error would show what the file holds."""
    path = world.write(world.machine / "c.yaml", FILE.replace("${KEY}", "sk-canary"))
    with pytest.raises(ConfigError, match="cannot be edited") as caught:
        set_value(path, entry="a", key="model", value=object())
    trace = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    ours = [f for f in trace.stack if "/bytebuddy_provider_hf/" in f.filename]
    assert "canary" not in str([f.locals for f in ours])


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_the_indentation_of_a_file_is_kept(world: World, indent: str) -> None:
    """Lists may stand at the margin or two or four in."""
    text = f"models:\n{indent}- name: a\n{indent}  provider: p\n{indent}  model: m\n"
    path = world.write(world.machine / "c.yaml", text)
    add_entry(path, ENTRY)
    assert path.read_text().startswith(text)


def test_an_entry_makes_the_file_that_is_missing(world: World) -> None:
    """The first entry may be written before any file exists."""
    add_entry(world.user_file, ENTRY)
    assert [e.name for e in world.load().entries] == ["new"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (FILE.replace('"a"', '"new"'), "there already"),
        ("models: {a: 1}\n", "models is no list"),
        ("- a\n", "it is no mapping"),
        ("# only words\n", "nothing but comments"),
    ],
)
def test_an_entry_that_cannot_be_added_changes_nothing(
    world: World, text: str, error: str
) -> None:
    """The file stays as it was, and the reason is told."""
    path = world.write(world.machine / "c.yaml", text)
    with pytest.raises(ConfigError, match=error):
        add_entry(path, ENTRY)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text", ["models: [", "a: 1\na: 2\n", "a: &a 1\n", "a: !!python/name:x y\n"]
)
def test_a_broken_file_is_not_edited(world: World, text: str) -> None:
    """What cannot be read safely is not written either."""
    path = world.write(world.machine / "c.yaml", text)
    with pytest.raises(ConfigInvalid):
        add_entry(path, ENTRY)
    assert path.read_text() == text


def test_a_value_of_nobody_is_an_error(world: World) -> None:
    """No entry, no section, no file: three messages, no change."""
    path = world.write(world.machine / "c.yaml", FILE)
    with pytest.raises(ConfigError, match="no entry is named 'z'"):
        set_value(path, entry="z", key="model", value="m")
    with pytest.raises(ConfigError, match="model of 'a' is no mapping"):
        set_value(path, entry="a", key="model.x", value=1)
    with pytest.raises(ConfigNotFound):
        set_value(world.machine / "none.yaml", entry="a", key="model", value="m")
    assert path.read_text() == FILE


def test_a_secret_goes_into_the_env_file_where_loading_finds_it(world: World) -> None:
    """``bytebuddy-hf login`` and ``${HF_API_KEY}`` meet there."""
    path = world.home / ".bytebuddy/.env"
    write_secret(path, "HF_API_KEY", Secret("hf_x"))
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert world.entry("apiKey: ${HF_API_KEY}").api_key.reveal() == "hf_x"


def test_other_lines_of_an_env_file_stay(world: World) -> None:
    """The old value goes, the comment and the neighbours do not."""
    raw = b"# mine\nexport K=old\nOTHER=1\n\xc3\xa9 odd\nKK=2"
    path = world.write(world.machine / ".env", raw)
    path.chmod(0o644)
    write_secret(path, "K", Secret("new"))
    assert path.read_bytes() == b"# mine\nOTHER=1\n\xc3\xa9 odd\nKK=2\nK=new\n"
    assert mode(path) == 0o600


@pytest.mark.parametrize("raw", [b"A=1\n\xff odd\n", "A=1\n".encode("utf-16")])
def test_a_secret_that_would_not_be_found_is_not_written(
    world: World, raw: bytes
) -> None:
    """A file that loading cannot read is left as it is, and the next step told."""
    path = world.write(world.machine / ".env", raw)
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        write_secret(path, "K", Secret("sk-canary"))
    assert path.read_bytes() == raw
    assert "Save it as UTF-8" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["plain", "a b", 'a"b\\c', "a#b", "#x", "a'b", "$x${Y}", "é"]
)
def test_a_secret_is_read_as_it_was_written(world: World, value: str) -> None:
    """Quotes, blanks and signs survive the way through the file."""
    path = world.machine / ".env"
    write_secret(path, "K", Secret(value))
    assert read_env(path).values["K"].reveal() == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("K", ""), ("K", "a\nB=1"), ("K", "a\0"), ("a b", "x"), ("", "x"), ("K\n", "x")],
)
def test_a_secret_of_several_lines_is_refused(
    world: World, name: str, value: str
) -> None:
    """Nothing can slip a second variable in; the value is not shown."""
    path = world.machine / ".env"
    with pytest.raises(ConfigError):
        write_secret(path, name, Secret(value))
    assert not path.exists()


def test_a_link_stays_a_link(world: World) -> None:
    """Files kept in a repository of dotfiles are written where they really are."""
    real = world.write(world.machine / "real.yaml", FILE)
    link = world.machine / "link.yaml"
    link.symlink_to(real)
    set_value(link, entry="b", key="model", value="x")
    assert link.is_symlink()
    assert world.load(real).entries[1].model == "x"


def test_a_write_that_fails_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs neither the old file nor a stray one."""
    path = world.write(world.machine / "c.yaml", FILE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        add_entry(path, ENTRY)
    assert path.read_text() == FILE
    assert [p.name for p in world.machine.iterdir()] == ["c.yaml"]


def test_a_reader_sees_only_whole_files(world: World) -> None:
    """A thousand writes, and a reader that never meets a half."""
    path = world.user_file
    texts = [
        "models:\n"
        + "".join(f"  - {{name: m{i}, provider: p, model: v{v}}}\n" for i in range(4))
        for v in (1, 2)
    ]
    write_atomic(path, Secret(texts[0]))
    done = threading.Event()

    def write() -> None:
        for turn in range(1_000):
            write_atomic(path, Secret(texts[turn % 2]))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or reads == 0:
        assert len({e.model for e in world.load().entries}) == 1
        reads += 1
    writer.join()
    assert reads > 0
