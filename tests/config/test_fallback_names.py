"""Which entries may answer for which: what a file says, and what it may not."""

from __future__ import annotations

import time

import pytest
from config_world import World

from bytebuddy_provider_hf.config.fallback_names import (
    MOST_FALLBACKS,
    circles,
    same_model,
    with_fallbacks,
)
from bytebuddy_provider_hf.config.values import Config, ModelEntry

PROVIDER = "huggingfaceinferenceapi"


def file(*entries: str) -> str:
    """Return a file of entries, each as ``name: more keys``."""
    lines = ["models:"]
    for entry in entries:
        name, _, more = entry.partition(": ")
        keys = f", {more}" if more else ""
        given = more if "provider:" in more else f"provider: {PROVIDER}{keys}"
        lines.append(f"  - {{name: {name}, model: o/{name}, {given}}}")
    return "\n".join([*lines, ""])


def fallbacks(config: Config) -> dict[str, tuple[str, ...]]:
    return {entry.name: entry.fallbacks for entry in config.entries}


def told(config: Config) -> list[str]:
    return [each.message for each in config.warnings]


def test_names_are_kept_in_their_order(world: World) -> None:
    """A lone name is a list of one; one that stands twice is asked once."""
    config = world.read(file("a: fallbacks: [c, b, c]", "b: fallbacks: c", "c"))
    assert fallbacks(config) == {"a": ("c", "b"), "b": ("c",), "c": ()}
    assert config.warnings == ()


def test_an_unknown_name_is_a_warning_with_the_nearest_spelling(world: World) -> None:
    """The entry opens all the same; a check fails."""
    config = world.read(file("a: fallbacks: [bakcup, zzz]", "backup"))
    assert fallbacks(config)["a"] == ()
    near, far = config.warnings
    assert near.message == (
        "'a' names 'bakcup' as a fallback, which is ignored: no entry has this name; "
        "do you mean 'backup'?"
    )
    assert far.message.endswith(
        "'zzz' as a fallback, which is ignored: no entry has this name"
    )
    assert near.is_problem
    assert near.place.endswith("chosen.yaml:2:5")


def test_an_entry_is_no_fallback_of_itself(world: World) -> None:
    """The others that it names are."""
    config = world.read(file("a: fallbacks: [a, b]", "b"))
    assert fallbacks(config)["a"] == ("b",)
    (warning,) = config.warnings
    assert "no entry is a fallback of itself" in warning.message
    assert warning.is_problem


@pytest.mark.parametrize(
    ("mine", "theirs", "missing"),
    [
        ("roles: [chat, edit]", "roles: [chat]", "edit"),
        ("roles: [embed]", "", "embed"),
        ("", "roles: [rerank]", "chat, edit, apply"),
        # The default roles are nobody's wish.
        ("", "roles: [chat]", None),
        ("roles: [chat]", "roles: [chat, edit]", None),
    ],
)
def test_a_role_that_is_missing_is_told(
    world: World, mine: str, theirs: str, missing: str | None
) -> None:
    """The name stays: it may answer in the other roles."""
    keys = ", ".join(filter(None, [mine, "fallbacks: [b]"]))
    config = world.read(file(f"a: {keys}", f"b: {theirs}" if theirs else "b"))
    assert fallbacks(config)["a"] == ("b",)
    if missing is None:
        assert config.warnings == ()
        return
    (warning,) = config.warnings
    assert (
        f"'b', a fallback of 'a', never answers for it as {missing}" in warning.message
    )
    assert warning.is_problem


@pytest.mark.parametrize(
    ("theirs", "compare"),
    [
        ("model: o/n", True),
        ("model: 'o/n:groq'", True),
        ("model: o/m", False),
        ("model: o/n, embedOptions: {embeddingPrefixes: {query: 'q: '}}", False),
    ],
)
def test_vectors_of_another_model_are_told(
    world: World, theirs: str, compare: bool
) -> None:
    """Before an index is half of one and half of the other."""
    text = (
        f"models:\n  - {{name: a, provider: p, model: o/n, roles: [embed],"
        f" fallbacks: [b]}}\n  - {{name: b, provider: p, {theirs}, roles: [embed]}}\n"
    )
    config = world.read(text)
    assert fallbacks(config)["a"] == ("b",)
    assert bool(config.warnings) is not compare
    assert all("never gives vectors" in each for each in told(config))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("o/n", "o/n", True),
        ("o/n:groq", "o/n:fastest", True),
        ("o/n", "o/m", False),
        # A tag of a local server is a part of the name.
        ("qwen:7b", "qwen:14b", False),
        ("/models/a.gguf", "/models/a.gguf", True),
        ("o/n", "n", False),
    ],
)
def test_one_model_may_have_several_providers(one: str, other: str, same: bool) -> None:
    """What stands behind the colon of the router's names is no other model."""
    assert same_model(one, other) is same


def test_entries_in_a_circle_are_told_once(world: World) -> None:
    """They stay fallbacks of each other: nobody goes further than one step."""
    config = world.read(
        file("a: fallbacks: [b]", "b: fallbacks: [c]", "c: fallbacks: [b]", "d")
    )
    assert fallbacks(config) == {"a": ("b",), "b": ("c",), "c": ("b",), "d": ()}
    (warning,) = config.warnings
    assert "in a circle: a, b, c;" in warning.message or "b, c" in warning.message
    assert not warning.is_problem
    assert (
        world.read(file("a: fallbacks: [b, c]", "b: fallbacks: [c]", "c")).warnings
        == ()
    )


def test_no_more_are_looked_at_than_would_be_asked(world: World) -> None:
    """A stranger's file may name any number, and makes nobody wait."""
    names = [f"m{n}" for n in range(MOST_FALLBACKS + 5)]
    config = world.read(file(f"a: fallbacks: [{', '.join(names)}]", *names))
    assert fallbacks(config)["a"] == tuple(names[:MOST_FALLBACKS])
    (warning,) = config.warnings
    assert "more than 10 fallbacks" in warning.message
    many = {
        f"e{n}": ModelEntry(
            f"e{n}", "p", "o/m", fallbacks=tuple(f"x{n}-{m}" for m in range(50))
        )
        for n in range(1_000)
    }
    began = time.thread_time()
    with_fallbacks(many)
    ring = {
        f"e{n}": ModelEntry(f"e{n}", "p", "o/m", fallbacks=(f"e{(n + 1) % 1_000}",))
        for n in range(1_000)
    }
    assert len(list(circles(ring))) == 1
    assert time.thread_time() - began < 2


# What a project's file may not do, whoever trusts it.


def project(world: World, text: str, *, trusted: bool = False) -> Config:
    if trusted:
        for origin in ("https://router.huggingface.co", "https://x.example"):
            world.store.add(world.project, origin)
    world.write(world.project_file, text)
    return world.load()


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("mine", "theirs", "stays"),
    [
        ("", "", True),
        ("apiBase: 'https://x.example/v1'", "apiBase: 'https://x.example/other'", True),
        ("", "apiBase: 'https://evil.example'", False),
        ("apiBase: 'https://x.example/v1'", "", False),
        ("apiBase: 'https://x.example'", "apiBase: 'http://x.example'", False),
        ("apiBase: 'https://x.example'", "apiBase: 'https://x.example:444'", False),
        ("apiBase: 'http://localhost:1'", "apiBase: 'http://localhost:2'", False),
        # Only its provider knows where an entry without an address goes.
        ("", "provider: openai", False),
        ("apiBase: 'https://router.huggingface.co/v1'", "provider: openai", False),
    ],
)
def test_a_projects_entry_stays_at_its_origin(
    world: World, mine: str, theirs: str, stays: bool, trusted: bool
) -> None:
    """Trust is of an origin, not of a way from one to another."""
    keys = ", ".join(filter(None, [mine, "fallbacks: [b]"]))
    config = project(world, file(f"a: {keys}", f"b: {theirs}"), trusted=trusted)
    assert fallbacks(config)["a"] == (("b",) if stays else ())
    ignored = [
        each for each in config.warnings if "lead from the origin" in each.message
    ]
    assert len(ignored) == (not stays)
    assert not any(each.is_problem for each in ignored)


@pytest.mark.parametrize(
    "theirs",
    [
        "apiBase: 'https://mine.example/v1'",
        "provider: openai",
        "billTo: my-org",
        "requestOptions: {headers: {X-HF-Bill-To: my-org}}",
    ],
)
def test_a_projects_entry_does_not_lead_into_the_users(
    world: World, theirs: str
) -> None:
    """Neither to another address of the user's, nor to who pays there."""
    world.write(world.user_file, file(f"mine: {theirs}"))
    config = project(world, file("theirs: fallbacks: [mine]"), trusted=True)
    assert fallbacks(config)["theirs"] == ()
    assert any(
        "which is ignored: a project's file does not" in each for each in told(config)
    )


def test_a_project_does_not_take_the_name_of_a_users_fallback(world: World) -> None:
    """An entry that the user named and did not write is not a stranger's to write."""
    world.write(world.user_file, file("mine: fallbacks: [backup]"))
    config = project(world, file("backup: apiBase: 'http://localhost:9'"), trusted=True)
    assert fallbacks(config)["mine"] == ()
    assert any("it stands in a project's file" in each for each in told(config))


def test_nor_that_of_the_machines_fallback(world: World) -> None:
    """Where both write the name, the project's would count before the machine's."""
    machine = file("mine: fallbacks: [backup]", "backup")
    world.write(world.machine / "config.yaml", machine)
    config = project(world, file("backup: contextLength: 5"))
    assert fallbacks(config)["mine"] == ()
    assert any("it stands in a project's file" in each for each in told(config))


def test_files_that_the_user_chose_may_lead_anywhere(world: World) -> None:
    """Theirs and the machine's, one to the other."""
    world.write(
        world.user_file, file("mine: fallbacks: [far, theirs]", "far: provider: x")
    )
    world.write(world.machine / "config.yaml", file("theirs: billTo: them"))
    config = world.load()
    assert fallbacks(config)["mine"] == ("far", "theirs")
    assert config.warnings == ()
