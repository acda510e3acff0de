"""What a foreign model does in a call is its provider's failure, and told as that."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from scripted_provider import ScriptedModel

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    DeadlineExceeded,
    InvalidOption,
    ProviderFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Label, Scores, TaskReply
from bytebuddy_provider_hf.plugins.protocols import (
    Chat,
    Edit,
    Metered,
    Noticing,
    ReplyCall,
    Windowed,
)
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import Done, Event, Reply, Text, Tool

if TYPE_CHECKING:
    from conftest import Site

Make = Callable[..., ModelRegistry]
CANARY = "canary-0123456789"


class Panic(BaseException):
    pass


class Typed(KeyboardInterrupt):  # no Ctrl-C: Python raises the class itself
    pass


def registry_with(make: Make, chat: object, **more: object) -> ModelRegistry:
    """Return a registry whose model has this ``chat`` and these other members."""

    def factory(entry: ModelEntry, context: object) -> ScriptedModel:
        model = ScriptedModel(entry.name)
        for name, member in {"chat": chat, **more}.items():
            setattr(model, name, member)
        return model

    return make(factory, api_key=Secret(CANARY))


def call_of(*events: object) -> Callable[..., ReplyCall]:
    """Return a ``chat`` whose call gives these events, or raises them."""

    async def give() -> AsyncGenerator[Event, None]:
        for event in events:
            await asyncio.sleep(0)
            if isinstance(event, BaseException):
                raise event
            yield event  # type: ignore[misc]  # what a test wants

    return lambda *_, **__: ReplyCall.of(give)


def plainly(value: object) -> Callable[..., object]:
    def chat(*_: object, **__: object) -> object:
        if isinstance(value, BaseException):
            raise value
        return value

    return chat


async def as_coroutine(*_: object, **__: object) -> Reply:
    return Reply("x")


async def as_generator(*_: object, **__: object) -> AsyncIterator[Event]:
    yield Done(Reply("x"))


class OnlyAwaited:
    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[object, object, object]:
        return asyncio.sleep(0, self.value).__await__()


class Odd(OnlyAwaited):
    """A call whose reply and events are what a test wants."""

    async def __aenter__(self) -> object:
        return self.value

    async def __aexit__(self, *_: object) -> None:
        return None


def lacking(messages: object) -> ReplyCall:
    return call_of(Done(Reply("x")))()


async def used(model: Chat, *, streamed: bool, **how: Any) -> None:  # noqa: ANN401  # a call's own
    """Read a call to its end, by its events or awaited."""
    if not streamed:
        await model.chat("hi", **how)
        return
    async with model.chat("hi", **how) as events:
        async for _ in events:
            pass


BAD_CALLS = {
    "raises": (plainly(OSError("gone")), "OSError: gone"),
    "exits": (plainly(SystemExit(3)), "SystemExit: 3"),
    "panics": (plainly(Panic("!")), "Panic: !"),
    "raises what is like Ctrl-C": (plainly(Typed()), "Typed"),
    "is a coroutine": (as_coroutine, "a coroutine where a ReplyCall belongs"),
    "is a generator": (as_generator, "an? async_generator where a ReplyCall"),
    "gives text": (plainly("hello"), "a str where a ReplyCall belongs"),
    "gives nothing": (plainly(None), "a NoneType where a ReplyCall belongs"),
    "cannot be entered": (plainly(OnlyAwaited(Reply("x"))), "it lacks __aenter__"),
    "lacks a keyword": (lacking, "unexpected keyword argument 'options'"),
    "raises later": (call_of(Text("a"), OSError("gone")), "OSError: gone"),
    "exits later": (call_of(SystemExit(3)), "SystemExit: 3"),
    "panics later": (call_of(Panic("!")), "Panic: !"),
    "is cancelled by itself": (call_of(asyncio.CancelledError()), "CancelledError"),
    "replies with text": (call_of(Done("hello")), "str"),  # type: ignore[arg-type]  # wrong on purpose
    "replies without text": (call_of(Done(Reply(None))), "[Rr]eply.text .*NoneType"),  # type: ignore[arg-type]  # wrong on purpose
    "ends in a word of its own": (
        call_of(Done(Reply("x", finish_reason="eos"))),  # type: ignore[arg-type]  # wrong on purpose
        "[Rr]eply.finish_reason .*'eos'",
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("chat", "words"), BAD_CALLS.values(), ids=BAD_CALLS)
async def test_whatever_a_call_does_is_its_provider_s_failure(
    scripted: Make, chat: object, words: str, streamed: bool
) -> None:
    """Each is a ``ProviderFailed`` that names provider, method and model."""
    model = registry_with(scripted, chat).chat("x")
    with pytest.raises(ProviderFailed, match=words) as caught:
        await used(model, streamed=streamed, options=None, wait=True)
    assert "provider scripted failed in chat of x" in str(caught.value)
    assert caught.value.provider == "scripted"
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hello", "str"),
        (None, "NoneType"),
        (SimpleNamespace(text="x"), "SimpleNamespace"),
        (object.__new__(Reply), "Reply.text .*Nothing"),
    ],
)
async def test_only_a_whole_reply_is_a_reply(
    scripted: Make, value: object, words: str
) -> None:
    """What is awaited has to be a ``Reply`` with everything that it declares."""
    model = registry_with(scripted, lambda *_: Odd(value)).chat("x")
    with pytest.raises(ProviderFailed, match=words):
        await model.chat("hi")
    # The same value is no iterator of events.
    with pytest.raises(ProviderFailed, match="TypeError"):
        async with model.chat("hi") as events:
            await anext(events)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("text", "a str|Event .*str"),
        (Text(7), "Text.text .*int|text .*int"),  # type: ignore[arg-type]  # wrong on purpose
        (Text("x", choice=True), "choice .*bool"),
    ],
)
async def test_an_event_is_looked_at(scripted: Make, event: object, words: str) -> None:
    """Streamed, or told to a callback: an event that is none stops the call."""
    model = registry_with(scripted, call_of(event)).chat("x")
    with pytest.raises(ProviderFailed, match=words):
        async with model.chat("hi") as events:
            await anext(events)

    def telling(_: str, *, on_event: Callable[[object], None]) -> ReplyCall:
        on_event(event)
        return call_of(Done(Reply("x")))()

    seen: list[object] = []
    model = registry_with(scripted, telling).chat("x")
    with pytest.raises(ProviderFailed, match=words):
        await model.chat("hi", on_event=seen.append)
    assert not seen


@pytest.mark.asyncio
async def test_events_without_an_end_are_no_answer(scripted: Make) -> None:
    """Unknown is never success: without ``Done`` the answer may have been cut."""
    model = registry_with(scripted, call_of(Text("half"))).chat("x")
    with pytest.raises(ProviderFailed, match="without Done"):
        async with model.chat("hi") as events:
            assert [it async for it in events] == [Text("half")]
    with pytest.raises(StreamInterrupted, match="without Done"):
        await model.chat("hi")


@pytest.mark.asyncio
async def test_the_host_s_own_callback_is_the_host_s(scripted: Make) -> None:
    """What it raises reaches the host as it is, through the provider's code."""

    async def answer(told: Callable[[Event], None]) -> AsyncGenerator[Event, None]:
        told(Text("x"))
        yield Done(Reply("x"))

    def chat(_: str, *, on_event: Callable[[Event], None]) -> ReplyCall:
        return ReplyCall.of(lambda: answer(on_event))

    def refuse(_: Event) -> None:
        message = "the host's"
        raise ZeroDivisionError(message)

    model = registry_with(scripted, chat).chat("x")
    with pytest.raises(ZeroDivisionError):
        await model.chat("hi", on_event=refuse)


@pytest.mark.asyncio
async def test_no_failure_of_a_call_shows_a_secret(
    scripted: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does an error of ours that it raises, nor what the log tells of it."""
    caplog.set_level(logging.DEBUG)
    for error in (OSError(CANARY), InvalidOption(f"no {CANARY}", hint=CANARY)):
        model = registry_with(scripted, call_of(error)).chat("x")
        with pytest.raises((ProviderFailed, InvalidOption)) as caught:
            await model.chat("hi")
        shown = "".join(traceback.format_exception(caught.value))
        assert CANARY not in shown + str(caught.value) + repr(caught.value.args)
    assert CANARY not in caplog.text
    # For its authors: where in their code it was.
    assert "in give" in caplog.text


@pytest.mark.asyncio
async def test_what_is_right_passes_as_it_is(scripted: Make) -> None:
    """Reply, events, signature, protocols and whatever else the model has."""
    reply = Reply("hello", finish_reason="stop", notes=("n",))

    def chat(messages: str, *, doubts: str = "raise", **how: object) -> ReplyCall:
        return call_of(Text("hello"), Done(reply))()

    registry = registry_with(scripted, chat, own=7, notices=("a",))
    model = registry["x"]
    assert isinstance(model, Chat)
    assert await model.chat("hi") is reply
    assert await asyncio.create_task(model.chat("hi", timeout=5)) is reply
    async with model.chat("hi") as events:
        assert [it async for it in events] == [Text("hello"), Done(reply)]
    assert "doubts" in inspect.signature(model.chat).parameters
    assert isinstance(model, ScriptedModel)
    assert isinstance(model, Noticing)
    assert model.notices == ("a",)
    assert not isinstance(model, Edit | Metered | Windowed)
    assert model.own == 7  # type: ignore[unreachable]  # mypy takes it for nobody
    model.chat("hi").close()
    await registry.aclose()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"model": None}, "in model of x: it gave a NoneType where a str belongs"),
        ({"roles": "chat"}, "roles is of a wrong kind: str"),
        ({"capabilities": [1]}, "capabilities is of a wrong kind: list"),
    ],
)
def test_what_a_model_tells_of_itself_is_looked_at(
    scripted: Make, members: dict[str, object], words: str
) -> None:
    """A host shows and compares it, so it is checked when the entry opens."""
    with pytest.raises(ProviderFailed, match=words):
        registry_with(scripted, as_coroutine, **members)["x"]


VECTORS = {
    "one vector too few": (Embeddings(((1.0,),)), "1 parts for 2 inputs"),
    "lengths differ": (Embeddings(((1.0,), (1.0, 2.0))), "2 numbers and not 1"),
    "empty": (Embeddings(((), ())), "0 numbers"),
    "not a number": (Embeddings(((1.0,), (float("nan"),))), "not finite"),
    "text": (Embeddings((("a",), ("b",))), r"vectors\[0\]\[0\] .*str"),  # type: ignore[arg-type]  # wrong on purpose
    "bare lists": ([[1.0], [2.0]], "a list where a Embeddings belongs"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize(("answer", "words"), VECTORS.values(), ids=VECTORS)
async def test_vectors_are_one_for_each_text(
    scripted: Make, answer: object, words: str
) -> None:
    """As many as texts, equally long, of finite numbers."""

    async def embed(texts: object, **_: object) -> object:
        await asyncio.sleep(0)
        return answer

    registry = registry_with(scripted, None, embed=embed)
    with pytest.raises(ProviderFailed, match=words):
        await registry.embed("x").embed(["a", "b"])


@pytest.mark.asyncio
async def test_the_other_methods_are_looked_at_too(scripted: Make) -> None:
    """Scores, tasks and usage: a wrong value, or none to await, names the provider."""

    async def rerank(query: str, documents: object, **_: object) -> Scores:
        await asyncio.sleep(0)
        return Scores((1.0,))

    async def task(*_: object, **__: object) -> object:
        await asyncio.sleep(0)
        return TaskReply((("no outcome",),))  # type: ignore[arg-type]  # wrong on purpose

    registry = registry_with(
        scripted, None, rerank=rerank, task=task, usage=lambda **_: {}
    )
    model: Any = registry["x"]
    with pytest.raises(ProviderFailed, match=r"in rerank of x.*1 parts for 2"):
        await model.rerank("q", documents=("a", "b"))
    with pytest.raises(ProviderFailed, match=r"in task of x.*groups\[0\]\[0\]"):
        await model.task("fill-mask", "x")
    with pytest.raises(ProviderFailed, match=r"in usage of x.*dict, which cannot"):
        await registry.usage()


@pytest.mark.asyncio
async def test_lists_and_whole_numbers_are_taken(scripted: Make) -> None:
    """JSON knows no tuple and no difference of 1 and 1.0: neither is refused."""

    async def embed(texts: object, **_: object) -> Embeddings:
        await asyncio.sleep(0)
        return Embeddings([[1, 0.5]])  # type: ignore[arg-type]  # as JSON gives it

    async def task(*_: object, **__: object) -> TaskReply:
        await asyncio.sleep(0)
        return TaskReply([[Label("a", 1)]])  # type: ignore[arg-type]  # as JSON gives it

    model: Any = registry_with(scripted, None, embed=embed, task=task)["x"]
    assert (await model.embed("one")).vectors == [[1, 0.5]]
    assert (await model.task("text-classification", "x")).first == Label("a", 1)


@virtual_time
async def test_a_call_that_never_answers_ends_with_its_timeout(scripted: Make) -> None:
    """The limit holds for a provider that does not look at it."""

    async def never() -> AsyncGenerator[Event, None]:
        yield Text("a")
        await asyncio.Event().wait()

    registry = registry_with(scripted, lambda *_, **__: ReplyCall.of(never))
    model = registry.chat("x")
    loop = asyncio.get_running_loop()
    for streamed in (False, True):
        before = loop.time()
        with pytest.raises(DeadlineExceeded, match="scripted did not end chat of x"):
            await used(model, streamed=streamed, timeout=7)
        assert 7 <= loop.time() - before < 7.5


@virtual_time
async def test_leaving_a_call_that_hangs_is_bounded(
    scripted: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A block whose end hangs is left all the same, and that is told."""

    class Sticky(Odd):
        async def __aenter__(self) -> object:
            return as_generator()

        async def __aexit__(self, *_: object) -> None:
            await asyncio.Event().wait()

    model = registry_with(scripted, lambda *_: Sticky(None)).chat("x")
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with model.chat("hi") as events:
        await anext(events)
    assert loop.time() - before == pytest.approx(5.0)
    assert "did not end chat of x within 5 s" in caplog.text


@virtual_time
async def test_a_model_that_is_slow_to_close_is_named_meanwhile(
    scripted: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """After some seconds a person learns what the program waits for."""

    async def aclose() -> None:
        await asyncio.sleep(4)
        assert "x is still being closed" in caplog.text

    registry = registry_with(scripted, as_coroutine, aclose=aclose)
    assert registry["x"].name == "x"
    await registry.aclose()


@pytest.mark.asyncio
async def test_a_model_that_fails_to_close_shows_no_secret(
    scripted: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Its provider is named, and the entry's key masked, in error and log."""

    async def aclose() -> None:
        raise OSError(CANARY)

    registry = registry_with(scripted, as_coroutine, aclose=aclose)
    assert registry["x"].name == "x"
    with pytest.raises(
        ProviderFailed, match=r"x: OSError.*provider scripted"
    ) as caught:
        await registry.aclose()
    assert CANARY not in str(caught.value) + caplog.text


@pytest.mark.asyncio
async def test_the_package_is_named(site: Site, registry_of: Make) -> None:
    """A failure of an installed plugin's code tells which distribution brought it."""
    registry = registry_of(ModelEntry("x", "parrot", "m"))
    with pytest.raises(
        ProviderFailed, match="echo of distribution echo-dist"
    ) as caught:
        await registry.chat("x").chat()  # type: ignore[call-arg]  # its code raises
    assert caught.value.distribution == "echo-dist"
    assert json.dumps(caught.value.message)


@pytest.mark.asyncio
async def test_our_own_models_are_not_wrapped(registry_of: Make) -> None:
    """The hot path costs what it did: they keep to the protocols by themselves."""
    registry = registry_of(
        ModelEntry("x", "huggingfaceinferenceapi", "a/b", api_base="http://127.0.0.1:1")
    )
    assert type(registry["x"]).__name__ == "HuggingFaceModel"
    await registry.aclose()


HANGS = "import time\ntime.sleep(60)\n"
SLOW_TARGET = """
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl

@hookimpl
def bytebuddy_providers():
    return (ProviderSpec("slow", "slow_target:open_entry"),)
"""


def test_a_plugin_that_hangs_at_import_is_left_out(
    site: Site, found: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is named while it is waited for and afterwards; the others are found."""
    site.install("hang-dist", {"hang": "hanging_module"}, {"hanging_module": HANGS})
    before = time.monotonic()
    discovery = found(import_timeout=0.2)
    assert time.monotonic() - before < 30
    (failure,) = discovery.failures
    assert (failure.plugin, failure.distribution) == ("hang", "hang-dist")
    assert "did not end within 0.2 s" in str(failure)
    assert {"huggingfaceinferenceapi", "echo"} <= set(discovery.providers)
    first, second = (record.getMessage() for record in caplog.records)
    assert "plugin hang of distribution hang-dist is still being imported" in first
    assert "going on without it" in second


@pytest.mark.parametrize(("value", "seconds"), [("0.2", 0.2), ("x", 10), ("-1", 10)])
def test_a_variable_sets_the_bound(
    site: Site, found: Callable[..., Any], value: str, seconds: float
) -> None:
    """``BYTEBUDDY_PLUGIN_TIMEOUT`` is seconds; what is none is told, and not used."""
    discovery = found(env={"BYTEBUDDY_PLUGIN_TIMEOUT": value})
    assert discovery.import_timeout == seconds
    assert len(discovery.warnings) == (seconds == 10)


@pytest.mark.asyncio
async def test_a_target_that_hangs_at_import_harms_its_own_entry(
    site: Site, registry_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening the entry fails after the bound, twice; the event loop runs meanwhile."""
    site.install(
        "slow-dist",
        {"slow": "slow_plugin"},
        {"slow_plugin": SLOW_TARGET, "slow_target": HANGS},
    )
    registry = registry_of(
        ModelEntry("bad", "slow", "m"), ModelEntry("ok", "echo", "m"), bound=0.2
    )
    steps = 0

    async def tick() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    with pytest.raises(ProviderFailed, match=r"slow-dist could not open bad.*0.2 s"):
        await registry.open("bad")
    ticking.cancel()
    assert steps > 3
    with pytest.raises(ProviderFailed, match="did not end within"):
        registry["bad"]
    assert registry["ok"].name == "ok"


@virtual_time
async def test_a_provider_is_given_tools_of_one_kind(scripted: Make) -> None:
    """Whatever form the host's tools have, a foreign model sees ``Tool``s."""
    given: list[object] = []

    def add(a: int) -> int:
        """Add."""
        return a

    def chat(*_: object, **kwargs: object) -> ReplyCall:
        given.append(kwargs["tools"])
        return call_of(Done(Reply("ok")))()

    mapping = {"type": "function", "function": {"name": "f"}}
    model = registry_with(scripted, chat).chat()
    await model.chat("hi", tools=[Tool("t"), mapping, add])
    properties = {"a": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["a"]}
    assert given == [(Tool("t"), Tool("f"), Tool("add", "Add.", schema))]
