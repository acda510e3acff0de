"""The kit for authors: calls of events, messages in any form, a check of the whole."""

# ruff: noqa: ANN401, ARG002 - models of a test take whatever a host gives, and use little
from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli.process import serving

from bytebuddy_provider_hf import plugin as our_plugin
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    InvalidOption,
    StreamInterrupted,
    UnsupportedRole,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Scores
from bytebuddy_provider_hf.plugins import conformance
from bytebuddy_provider_hf.plugins.conformance import Conformance, answer, read_events
from bytebuddy_provider_hf.plugins.foreign_model import AWAITED, CALLS
from bytebuddy_provider_hf.plugins.kit import (
    check_provider,
    inspect_provider,
    message_text,
    read_messages,
    reply_call,
    unified_diff,
)
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.types import (
    Done,
    Event,
    ImagePart,
    Message,
    Reply,
    Role,
    Text,
    TextPart,
)

# Calls.


async def slow() -> AsyncGenerator[Event, None]:
    yield Text("a")
    await asyncio.sleep(5)
    yield Done(Reply("a"))


@virtual_time
async def test_a_call_of_events_can_be_awaited_and_entered() -> None:
    """One generator function is both; ``on_event`` is told while it is awaited."""
    told: list[Event] = []
    how = {"timeout": 6, "on_event": told.append, "session": "s"}
    assert await reply_call(slow, how) == Reply("a")
    assert told == [Text("a"), Done(Reply("a"))]
    async with reply_call(slow) as events:
        assert [it async for it in events] == told
    assert len(told) == 2


@virtual_time
async def test_a_call_of_events_keeps_to_its_timeout() -> None:
    """Awaited and streamed; a limit of the provider's own is no such end."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    for way in (answer, read_events):
        with pytest.raises(DeadlineExceeded, match="within its timeout of 2 s"):
            await way(lambda: reply_call(slow, {"timeout": 2}))
    assert loop.time() - before == 4

    async def own_limit() -> AsyncGenerator[Event, None]:
        async with asyncio.timeout(1):
            await asyncio.sleep(2)
        yield Done(Reply("a"))

    with pytest.raises(TimeoutError):
        await reply_call(own_limit, {"timeout": 9})


@virtual_time
async def test_what_the_reader_does_is_not_cut_off() -> None:
    """A limit that passes between two events ends the call, not its reader."""
    loop = asyncio.get_running_loop()
    before = loop.time()

    async def read() -> None:
        async with reply_call(slow, {"timeout": 2}) as events:
            async for _ in events:
                await asyncio.sleep(3)

    with pytest.raises(DeadlineExceeded):
        await read()
    assert loop.time() - before == 3


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("inf")])
def test_what_is_no_timeout_is_refused(timeout: object) -> None:
    """At once, as by every model of ours."""
    with pytest.raises(InvalidOption, match="is no timeout"):
        reply_call(slow, {"timeout": timeout})


@virtual_time
async def test_events_without_done_are_no_reply() -> None:
    """Unknown is never success."""

    async def cut() -> AsyncGenerator[Event, None]:
        yield Text("a")

    with pytest.raises(StreamInterrupted):
        await reply_call(cut)


# Messages.


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("a", "a"),
        (Message("user", "a"), "a"),
        ([Message("system", "s"), Message("user", "a")], "a"),
        (({"role": "user", "content": "a"},), "a"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], "a"),
        ([Message("user", (TextPart("a"), TextPart("b")))], "a\nb"),
    ],
)
def test_messages_are_read_in_any_form(given: Any, text: str) -> None:
    """What comes out is always messages."""
    *_, last = read_messages(given)
    assert (last.role, message_text(last)) == ("user", text)


def test_what_is_no_conversation_is_an_error_of_ours() -> None:
    """Nothing, something else, or an image where text is wanted."""
    for wrong in ([], {}, 5, b"a", [{"role": "user", "contents": "a"}]):
        with pytest.raises(InvalidOption):
            read_messages(wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UnsupportedRole):
        message_text(Message("user", (ImagePart("https://a/b.png"),)))


# The check.


def said_again(said: str, how: Any) -> ReplyCall:
    async def events() -> AsyncGenerator[Event, None]:
        await asyncio.sleep(0)
        for piece in (said[:2], said[2:]):
            yield Text(piece)
        yield Done(Reply(said, finish_reason="stop"))

    return reply_call(events, how)


class Good:
    """A model without a fault; each case below changes one thing of it."""

    capabilities: frozenset[str] = frozenset()

    def __init__(self, entry: ModelEntry, context: Any = None) -> None:
        self.name, self.model, self.roles = entry.name, entry.model, entry.roles
        self.key = entry.api_key.reveal() if entry.api_key else ""
        self.context = context

    def chat(self, messages: Any, **how: Any) -> Any:
        return said_again(message_text(read_messages(messages)[-1]), how)

    def edit(self, code: str, instruction: str, **how: Any) -> Any:
        return said_again(code, how)

    async def embed(self, texts: Any, **how: Any) -> Any:
        await asyncio.sleep(0)
        return Embeddings(((0.5, 1.0),) * (1 if isinstance(texts, str) else len(texts)))

    async def rerank(self, query: str, documents: Any, **how: Any) -> Any:
        await asyncio.sleep(0)
        return Scores((0.5,) * len(documents))

    async def aclose(self) -> None:
        await asyncio.sleep(0)


ROLES = frozenset({"chat", "edit", "embed", "rerank"})
TARGET = "planted_target"


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Make a plugin whose provider opens what a test says."""

    def make(
        factory: Callable[..., object], roles: frozenset[str] = ROLES
    ) -> ModuleType:
        target = ModuleType(TARGET)
        target.factory = factory  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, TARGET, target)
        plugin = ModuleType("planted")
        specs = (ProviderSpec("planted", f"{TARGET}:factory", roles=roles),)
        plugin.bytebuddy_providers = hookimpl(lambda: specs)  # type: ignore[attr-defined]
        return plugin

    return make


def found_in(plugin: object, **more: Any) -> Conformance:
    """Check in virtual time: what hangs costs nothing."""
    found: list[Conformance] = []

    async def check() -> None:
        found.append(await inspect_provider(plugin, **more))

    run(check())
    return found[0]


def test_a_good_provider_passes(planted: Callable[..., object]) -> None:
    """Every method that it has was called, and nothing is left to say."""
    found = check_provider(planted(Good))
    assert found.findings == found.unchecked == ()
    methods = ("chat", "edit", "embed", "rerank")
    assert found.checked == tuple(f"planted.{each}" for each in methods)


def test_a_diff_that_leads_to_the_text_passes(planted: Callable[..., object]) -> None:
    """As that of ``unified_diff``."""
    assert check_provider(planted(GoodDiff)).findings == ()


def test_the_providers_of_the_tests_and_of_this_package_pass(site: object) -> None:
    """The echo opens in both ways; ours is asked at a simulated hub."""
    echo = importlib.import_module("echo_provider")
    assert check_provider(echo).checked == ("echo.chat", "echo-later.chat")
    # In a thread: the tasks of a server in this loop would be taken for ours.
    with serving(FakeHub().handle) as url:
        entry = {"model": "example/model", "apiBase": url}
        found = check_provider(our_plugin, entry=entry)
    assert found.findings == ()
    assert "huggingfaceinferenceapi.chat" in found.checked


def test_every_method_of_the_protocols_is_asked_for() -> None:
    """A new protocol is checked, or this test fails."""
    assert set(conformance._ARGUMENTS) == {*CALLS, *AWAITED}
    assert set().union(*conformance._ROLES.values()) == set(Role)


class Coroutine(Good):
    async def chat(self, messages: Any, **how: Any) -> Any:  # type: ignore[override]
        return Reply("x")


class Keywords(Good):
    def chat(self, messages: Any, *, options: Any = None, timeout: Any = None) -> Any:  # type: ignore[override]
        return super().chat(messages, timeout=timeout)


class OtherNames(Good):
    async def rerank(self, question: str, texts: Any, **how: Any) -> Any:  # type: ignore[override]
        return Scores((0.5,) * len(texts))


class NoMessages(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        last = messages if isinstance(messages, str) else messages[-1].content
        return super().chat(last, **how)


class Raises(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        raise OSError("gone")


class Unanswered(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        raise AuthenticationFailed("no such key")


class Bare:
    capabilities: frozenset[str] = frozenset()
    __init__ = Good.__init__
    aclose = Good.aclose


class Refuses(Bare):
    def chat(self, messages: Any, **how: Any) -> Any:
        raise UnsupportedRole("cannot chat")


class OneCall(Good):
    """A model whose chat is of events, which a case writes itself."""

    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        yield Done(Reply(said))

    def chat(self, messages: Any, **how: Any) -> Any:
        said = message_text(read_messages(messages)[-1])
        return reply_call(lambda: self.events(said), how)


class NoDone(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        yield Text(said)


class GoesOn(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        yield Done(Reply(said))
        yield Text(said)


class Endless(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        while said:
            await asyncio.sleep(0.01)
            yield Text("a")
        yield Done(Reply(said))


class OtherText(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        yield Text(said[1:])
        yield Done(Reply(said))


class OtherReply(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        yield Text(said)
        yield Done(Reply(said))

    def chat(self, messages: Any, **how: Any) -> Any:
        async def other() -> Reply:
            for event in (Text("other"), Done(reply := Reply("other"))):
                how["on_event"](event)
            return reply

        call = super().chat(messages, **how)
        call._begin = other
        return call


class Swallows(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
        yield Text(said)
        yield Done(Reply(said))


class Stubborn(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        pause = 0.02
        for _ in range(100):
            try:
                await asyncio.sleep(pause)
                break
            except asyncio.CancelledError:
                pause = 3600
        yield Text(said)
        yield Done(Reply(said))


class Late(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        said = message_text(read_messages(messages)[-1])

        async def events() -> AsyncGenerator[Event, None]:
            await asyncio.sleep(0.5)
            yield Text(said)
            yield Done(Reply(said))

        return reply_call(events, {**how, "timeout": None})


class RawTimeout(Late):
    async def embed(self, texts: Any, **how: Any) -> Any:
        async with asyncio.timeout(how.get("timeout")):
            await asyncio.sleep(0.5)
        return await super().embed(texts)

    chat = Good.chat


class LeavesTask(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        pump = asyncio.create_task(asyncio.sleep(3600))
        yield Text(said)
        pump.cancel()
        yield Done(Reply(said))


class LeavesTaskAtTheEnd(Good):
    def __init__(self, entry: ModelEntry, context: Any) -> None:
        super().__init__(entry, context)
        self.worker = asyncio.create_task(asyncio.sleep(3600))


class StuckCall(ReplyCall):
    def __init__(self, call: Any) -> None:
        self.call = call

    def __await__(self) -> Generator[object, object, Reply]:
        return self.call.__await__()  # type: ignore[no-any-return]

    def send(self, value: object) -> object:
        return self.call.send(value)

    def throw(self, *error: Any) -> object:
        return self.call.throw(*error)

    def close(self) -> None:
        self.call.close()

    async def __aenter__(self) -> AsyncIterator[Event]:
        return await self.call.__aenter__()  # type: ignore[no-any-return]

    async def __aexit__(self, kind: object, *_: object) -> None:
        await self.call.__aexit__(None, None, None)
        if kind is not None:
            await asyncio.sleep(3600)


class LeavesBadly(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        return StuckCall(super().chat(messages, **how))


class Hangs(OneCall):
    async def events(self, said: str) -> AsyncGenerator[Event, None]:
        await asyncio.sleep(3600)
        yield Done(Reply(said))


class Closes(Good):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class NeverCloses(Good):
    async def aclose(self) -> None:
        raise OSError("no end")


class OtherName(Good):
    def __init__(self, entry: ModelEntry, context: Any) -> None:
        super().__init__(entry, context)
        self.name = "mine"


class NoId(Good):
    def __init__(self, entry: ModelEntry, context: Any) -> None:
        super().__init__(entry, context)
        self.model = ""


class MoreRoles(Good):
    def __init__(self, entry: ModelEntry, context: Any) -> None:
        super().__init__(entry, context)
        self.roles = (*entry.roles, "apply")  # type: ignore[assignment]


class InRepr(Good):
    def __repr__(self) -> str:
        return f"InRepr({self.key})"


class InError(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        if not messages:
            raise InvalidOption(f"401 for {self.key}")
        return super().chat(messages, **how)


class InLog(Good):
    async def embed(self, texts: Any, **how: Any) -> Any:
        self.context.log.debug("sending %s", self.key)
        return await super().embed(texts)


class Prints(Good):
    async def embed(self, texts: Any, **how: Any) -> Any:
        print("embedding")  # noqa: T201 - the fault
        return await super().embed(texts)


class Writes(Good):
    async def embed(self, texts: Any, **how: Any) -> Any:
        os.write(1, b"by number")
        return await super().embed(texts)


class Short(Good):
    async def embed(self, texts: Any, **how: Any) -> Any:
        return Embeddings(((1.0,),))


class TellsNothing(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        return super().chat(messages, **{**how, "on_event": None})


class TellsDoneOnly(Good):
    def chat(self, messages: Any, **how: Any) -> Any:
        told = how["on_event"]
        ends = lambda it: told(it) if isinstance(it, Done) else None  # noqa: E731 - short
        return super().chat(messages, **{**how, "on_event": ends})


def changed(code: str, how: Any, diff: str) -> ReplyCall:
    """Return the call of an edit that sets x to 2."""

    async def events() -> AsyncGenerator[Event, None]:
        made = code.replace("1", "2")
        yield Text(made)
        yield Done(Reply(made, finish_reason="stop", diff=diff))

    return reply_call(events, how)


class NoDiff(Good):
    def edit(self, code: str, instruction: str, **how: Any) -> Any:
        return changed(code, how, "")


class OtherDiff(Good):
    def edit(self, code: str, instruction: str, **how: Any) -> Any:
        return changed(code, how, unified_diff(code, f"{code}y = 3\n"))


class GoodDiff(Good):
    def edit(self, code: str, instruction: str, **how: Any) -> Any:
        diff = unified_diff(code, code.replace("1", "2"), path="x.py")
        return changed(code, how, diff)


class ReturnsText(Good):
    def edit(self, code: str, instruction: str, **how: Any) -> Any:
        return code


def no_model(entry: ModelEntry, context: object) -> str:
    return "model"


def fails_to_open(entry: ModelEntry, context: object) -> Good:
    raise KeyError("host")


async def never_opens(entry: ModelEntry, context: object) -> Good:
    await asyncio.sleep(3600)
    return Good(entry)


# The fault -> the only finding: its place, what is wrong, and what to change.
FAULTS: dict[Callable[..., object], tuple[str, str, str]] = {
    Coroutine: ("chat", "a coroutine where a ReplyCall belongs", "protocol"),
    Keywords: ("chat", "no argument named tools, tool_choice", "**how"),
    OtherNames: ("rerank", "no argument named query, documents", "**how"),
    Raises: ("chat", "OSError: gone", "errors"),
    Unanswered: ("chat", "raised AuthenticationFailed: no such key", "entry="),
    NoDone: ("chat", "without Done", "last event"),
    GoesOn: ("chat", "go on after Done", "last event"),
    Endless: ("chat", "raised DeadlineExceeded", "patience"),
    OtherText: ("chat", "Text events together", "once"),
    OtherReply: ("chat", "not the one of the same call, awaited", "reply_call"),
    Swallows: ("chat", "cancelled and went on", "CancelledError"),
    Stubborn: ("chat", "cancelled and went on", "CancelledError"),
    Late: ("chat", "With timeout=0.05", "reply_call(events, how)"),
    RawTimeout: ("embed", "With timeout=0.05", "DeadlineExceeded"),
    LeavesTask: ("chat", "A task was left behind: sleep", "finally"),
    LeavesTaskAtTheEnd: ("aclose", "A task was left behind: sleep", "aclose"),
    LeavesBadly: ("chat", "left early", "finally"),
    Hangs: ("chat", "raised DeadlineExceeded", "patience"),
    Closes: ("aclose", "RuntimeError: closed already", "second aclose do nothing"),
    NeverCloses: ("aclose", "OSError: no end", "give back"),
    OtherName: ("name", "'mine', not that of its entry", "entry.name"),
    NoId: ("model", "no id", "entry.model"),
    MoreRoles: ("roles", "its entry has not: apply", "entry.roles"),
    InRepr: ("repr", "shows a secret", "Secret"),
    InError: ("chat", "shows a secret of the entry: 401 for ****", "Secret"),
    InLog: ("embed", "shows a secret of the entry: sending ****", "Secret"),
    Short: ("embed", "1 parts for 2 inputs", "protocol"),
    TellsNothing: ("chat", "tell on_event what it gives: Text, Done", "reply_call"),
    TellsDoneOnly: ("chat", "tell on_event what it gives: Text", "reply_call"),
    NoDiff: ("edit", "reply.diff does not lead", "unified_diff(original, changed)"),
    OtherDiff: ("edit", "reply.diff does not lead", "unified_diff"),
    ReturnsText: ("edit", "a str where a ReplyCall belongs", "protocol"),
    no_model: ("open", "a str, which is not a model", "protocol"),
    fails_to_open: ("open", "KeyError: 'host'", "errors"),
    never_opens: ("open", "did not end within 10 s", "cancellation"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda it: it.__name__)
def test_a_fault_is_one_finding(
    planted: Callable[..., object], fault: Callable[..., object]
) -> None:
    """It names the place and what to change, in one line."""
    place, words, advice = FAULTS[fault]
    found = found_in(planted(fault))
    assert len(found.findings) == 1, str(found)
    (finding,) = found.findings
    assert finding.place == f"planted.{place}"
    assert words in finding.what
    assert advice in finding.advice
    assert "\n" not in str(finding)
    assert "canary" not in str(found)
    assert found.unchecked == ()


@pytest.mark.parametrize(
    ("fault", "words"), [(Prints, "'embedding"), (Writes, "'by number")]
)
def test_what_is_printed_is_a_finding(
    planted: Callable[..., object],
    fault: Callable[..., object],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """By ``print`` or by descriptor; afterwards stdout is what it was."""
    (finding,) = found_in(planted(fault)).findings
    assert words in finding.what
    assert "stderr" in finding.advice
    print("after")  # noqa: T201 - looked at below
    os.write(1, b"wards\n")
    assert sorted(capfd.readouterr().out.split()) == ["after", "wards"]


def test_a_form_of_messages_that_is_not_read_is_a_finding(
    planted: Callable[..., object],
) -> None:
    """Mappings, parts and nothing: each is told, with the function that reads all."""
    found = found_in(planted(NoMessages))
    assert len(found.findings) == 3, str(found)
    faults = ("'dict'", "InvalidOption", "IndexError")
    for finding, words in zip(found.findings, faults, strict=True):
        assert words in finding.what
        assert "read_messages" in finding.advice


def test_roles_and_methods_belong_together(planted: Callable[..., object]) -> None:
    """A role without its method, a method without its role, and nothing at all."""
    roles = (ROLES | {"autocomplete"}) - {"edit"}
    alone, silent = found_in(planted(Good, roles=roles)).findings
    assert "has autocomplete, and the model has no method fill" in alone.what
    assert (silent.place, "edit" in silent.what) == ("planted.edit", True)
    (nothing,) = found_in(planted(Bare, roles=frozenset())).findings
    assert "no method that a host can call" in nothing.what
    (nothing,) = found_in(planted(Refuses, roles=frozenset())).findings
    assert "refused every call" in nothing.what
    # What is not declared is not missed.
    assert not found_in(planted(Good, roles=frozenset())).findings


HOOKS: dict[str, tuple[Callable[..., object], str, str]] = {
    "takes arguments": (lambda config: (config,), "config", "without arguments"),
    "raises": (lambda: 1 / 0, "ZeroDivisionError", "raise nothing"),
    "gives nothing": (lambda: (), "offers no provider", "one ProviderSpec"),
    "gives text": (lambda: ("shout",), "'shout' where a ProviderSpec", "fields"),
}


@pytest.mark.parametrize(("hook", "words", "advice"), HOOKS.values(), ids=HOOKS)
def test_a_hook_that_fails_is_a_finding(
    hook: Callable[..., object], words: str, advice: str
) -> None:
    """Whatever it is that keeps the plugin out."""
    plugin = ModuleType("planted")
    plugin.bytebuddy_providers = hookimpl(hook)  # type: ignore[attr-defined]
    (finding,) = found_in(plugin).findings
    assert words in finding.what
    assert advice in finding.advice


def test_what_cannot_be_compared_is_told(planted: Callable[..., object]) -> None:
    """A model that never says the same passes, but not in silence."""
    numbers = itertools.count()

    class Samples(OneCall):
        async def events(self, said: str) -> AsyncGenerator[Event, None]:
            said = f"{next(numbers)}"
            yield Text(said)
            yield Done(Reply(said))

        async def rerank(self, query: str, documents: Any, **how: Any) -> Any:
            raise UnsupportedRole("no scores")

    found = found_in(planted(Samples))
    assert found.findings == ()
    assert ["two different answers" in found.unchecked[0], len(found.unchecked)] == [
        True,
        2,
    ]
    assert "no scores" in found.unchecked[1]
    assert "Not checked: planted.chat" in str(found)


def test_the_check_is_an_assertion(planted: Callable[..., object]) -> None:
    """Plain Python or pytest: what is wrong is raised, a line each."""
    with pytest.raises(AssertionError) as caught:
        check_provider(planted(Raises))
    lines = str(caught.value).splitlines()
    assert lines[0] == "What to change in this provider: 1"
    assert lines[1].startswith("planted.chat: ")
    assert len(lines) == 2


def test_a_task_that_cannot_be_ended_holds_up_nobody(
    planted: Callable[..., object],
) -> None:
    """The check comes to its end, and says what did not."""
    with pytest.raises(AssertionError, match="cancelled and went on"):
        check_provider(planted(Stubborn), patience=0.3)


@pytest.mark.asyncio
async def test_where_a_loop_runs_the_check_is_awaited(
    planted: Callable[..., object],
) -> None:
    """The plain form says so, and leaves no coroutine behind."""
    with pytest.raises(RuntimeError, match="loop"):
        check_provider(planted(Good))
    assert not (await inspect_provider(planted(Good))).findings


def test_an_entry_is_the_author_s(
    planted: Callable[..., object], tmp_path: Path
) -> None:
    """Its keys are those of config.yaml; a file of the user's is not looked at."""
    opened: list[ModelEntry] = []

    def factory(entry: ModelEntry, context: object) -> Good:
        opened.append(entry)
        return Good(entry)

    entry = {"model": "a/b", "apiBase": "http://127.0.0.1:1", "roles": ["chat"]}
    assert not found_in(planted(factory), entry=entry).findings
    assert (opened[0].model, opened[0].roles) == ("a/b", ("chat",))
    assert not list(tmp_path.iterdir())
