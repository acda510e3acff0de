"""No secret comes out of any error, by any way an error is shown."""

from __future__ import annotations

import ast
import importlib
import logging
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from package_sources import Sources
from security.echoing import CANARY, FORMS, shows_key
from security.provoking import World
from security.sinks import shown
from security.triggers import FOREIGN, MISPLACED, TRIGGERS

import bytebuddy_provider_hf as PACKAGE  # noqa: N812 - a constant here
from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.scheduling import retry
from bytebuddy_provider_hf.secret import Environment, Secret, one_line, redact

# Names for groups; nothing raises them as they are.
GROUPS = {
    errors.RegistryError,
    errors.UnknownName,
    errors.RequestError,
    errors.APIError,
    errors.CallTimeout,
}


def every_class(
    kind: type[errors.ByteBuddyError] = errors.ByteBuddyError,
) -> Iterator[type[errors.ByteBuddyError]]:
    if kind.__module__.startswith(PACKAGE.__name__):
        yield kind
    for below in kind.__subclasses__():
        yield from every_class(below)


def modules() -> Iterator[ModuleType]:
    """Import what is otherwise imported when it is needed, and yield all of it."""
    for found in pkgutil.walk_packages(PACKAGE.__path__, f"{PACKAGE.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def test_every_concrete_class_has_a_trigger() -> None:
    """A class that nothing here can raise is not known to be safe, wherever it is."""
    assert len(list(modules())) > len(TRIGGERS)
    assert set(every_class()) - GROUPS == set(TRIGGERS)


def test_nothing_raises_the_name_of_a_group(sources: Sources) -> None:
    """What is made somewhere needs a trigger, be it meant as a base or not."""
    groups = {kind.__name__ for kind in GROUPS}
    made = {
        (path, name)
        for path, nodes in sources.items()
        for node in nodes
        if isinstance(node, ast.Call | ast.Raise)
        for name in [_name(node.func if isinstance(node, ast.Call) else node.exc)]
        if name in groups
    }
    assert made == set()


def _name(node: ast.expr | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@pytest.mark.parametrize("kind", TRIGGERS, ids=lambda kind: kind.__name__)
@pytest.mark.asyncio
async def test_no_sink_shows_the_key(
    kind: type[errors.ByteBuddyError],
    tmp_path: Path,
    unused_tcp_port: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """str, repr, args, chain, traceback with locals, pickle, log at DEBUG."""
    monkeypatch.setattr(retry, "backoff", lambda *_, **__: 0.0)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.ByteBuddyError) as caught:
        await TRIGGERS[kind](World(tmp_path, unused_tcp_port))
    error = caught.value
    assert type(error) is kind
    leaks = [sink for sink, text in shown(error) if shows_key(text)]
    assert leaks == []
    assert not shows_key(caplog.text)
    # What an error says is one line, and pickling keeps it.
    assert "\n" not in str(error)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    assert (type(again), str(again)) == (kind, str(error))


@pytest.mark.parametrize("name", [*MISPLACED, *FOREIGN], ids=repr)
@pytest.mark.asyncio
async def test_no_sink_shows_a_key_from_a_wrong_place(
    name: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    """In the block that is printed as it should be, or by another's provider."""
    with pytest.raises(errors.ByteBuddyError) as caught:
        await {**MISPLACED, **FOREIGN}[name](World(tmp_path, unused_tcp_port))
    assert [sink for sink, text in shown(caught.value) if shows_key(text)] == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.asyncio
async def test_no_sink_of_an_answer_that_failed_shows_the_key(
    form: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    """In whatever form it came back within a stream, read piece by piece."""
    world = World(tmp_path, unused_tcp_port, form)
    with pytest.raises(errors.StreamFailed) as caught:
        await TRIGGERS[errors.StreamFailed](world)
    assert [sink for sink, text in shown(caught.value) if shows_key(text)] == []


@pytest.mark.parametrize("kind", TRIGGERS, ids=lambda kind: kind.__name__)
def test_every_class_says_what_it_is(kind: type[errors.ByteBuddyError]) -> None:
    """Each has a sentence of documentation of its own."""
    assert kind.__doc__
    assert kind.__doc__ != kind.__mro__[1].__doc__


def test_the_sinks_find_what_is_there() -> None:
    """The search itself can fail: a careless error shows in every sink."""

    def careless() -> None:
        key = CANARY  # the local variable a traceback shows
        error = errors.ByteBuddyError(key)
        error.add_note(key)
        raise error

    with pytest.raises(errors.ByteBuddyError) as caught:
        careless()
    leaks = {
        sink.split(" of ")[0] for sink, text in shown(caught.value) if shows_key(text)
    }
    assert leaks == {
        *("str", "repr", "args", "traceback", "expanded locals", "pickle", "log"),
        *("attributes", "notes", "command line"),
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_search_knows_every_form(form: str) -> None:
    """Escaped, cut or in base64: what somebody could read is found."""
    assert shows_key(f"no such key: {FORMS[form](CANARY)} at all")
    assert not shows_key("no such key: ********** at all")


def test_the_locals_of_every_frame_are_searched() -> None:
    """Also of a frame above the one that raises."""

    def deep() -> None:
        raise errors.ByteBuddyError("x")

    def outer() -> None:
        held = [CANARY]
        deep()
        del held

    with pytest.raises(errors.ByteBuddyError) as caught:
        outer()
    leaks = {s.split(" of ")[0] for s, it in shown(caught.value) if shows_key(it)}
    assert leaks == {"traceback", "expanded locals"}


def test_a_secret_cannot_be_shown_or_kept() -> None:
    """repr, str, format and containers are masked; pickling is refused."""
    secret = Secret(CANARY)
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret])]
    assert not any(CANARY in text for text in texts)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert len({secret, Secret(CANARY)}) == 1
    assert CANARY not in repr(Environment({"HF_TOKEN": CANARY}))


@pytest.mark.parametrize(
    "text",
    [
        "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
        "Authorization: Bearer sk-1234567890",
        "api_org_abcdefghijklmnop",
        "https://user:secretpw@host/x",
        "BEARER abc.def-ghi",
        "https://s3.example/w?X-Amz-Signature=abcdefghijklmnop",
    ],
)
def test_what_looks_like_a_token_is_masked(text: str) -> None:
    """Also where nobody knew that it was one."""
    shown_text = redact(f"before {text} after")
    for part in ("abcdefghijklmnop", "sk-1234567890", "secretpw", "abc.def-ghi"):
        assert part not in shown_text
    assert shown_text.startswith("before ")
    assert shown_text.endswith(" after")


def test_a_line_is_one_line_and_bounded() -> None:
    """Control characters become spaces; a megabyte becomes a thousand characters."""
    assert one_line("a\r\n\x1b[31mb\u2028c\x85d") == "a [31mb c d"
    assert len(one_line("x" * 1_000_000)) == 1_000


def test_a_secret_at_the_cut_is_masked_too() -> None:
    """A password is known by what follows it, which the cut must not hide."""
    for size in range(960, 1_001):
        line = one_line("x" * size + " https://user:secretpw@h.example/x")
        assert len(line) <= 1_000
        assert "user" not in line
        assert "secretpw"[:2] not in line
