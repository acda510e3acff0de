"""A kept answer is the answer that a server would give again, and costs nothing."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from blockbuster import blockbuster_ctx
from client.harness import MODEL
from client.kept import Kept, asks, plain, streamed
from servers.engines import FakeVllm
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.client import cached_call
from bytebuddy_provider_hf.client.cached_call import NOTHING_USED
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import CacheOptions, RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    EditDoubtful,
    InvalidOption,
)
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream, json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.failures import object_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    CacheUse,
    Done,
    Event,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
    Usage,
)

HEADERS = {
    "x-request-id": "the-first",
    "x-inference-provider": "groq",
    "inference-id": "of-the-bill",
    "x-compute-time": "1.5",
    "x-other": "left",
}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "cache")


def reply_of(events: list[Event]) -> object:
    done = events[-1]
    assert isinstance(done, Done)
    return plain(done.reply)


@pytest.mark.asyncio
async def test_an_answer_is_given_again(kept: Kept) -> None:
    """Equal to the first, with its age, and no request is sent; nothing blocks."""
    kept.hub.set(MODEL, Behaviour(always=evolve(chat_reply("Hi"), headers=HEADERS)))
    async with kept.model() as model:
        # The first call of a process reads the tables of the package.
        await asks(model, "before")
        kept.asked.clear()
        with blockbuster_ctx():
            first = await asks(model)
            again = await asks(model)
    assert len(kept.asked) == 1
    assert plain(again) == plain(first)
    assert (first.cached, first.served.attempts) == (None, 1)
    assert again.cached is not None
    assert 0 <= again.cached < 10
    assert again.usage == NOTHING_USED == Usage(0, 0, 0, 0, 0)
    # Who answered then, and under which number; the bill is not this call's.
    assert (again.provider, again.request_id) == ("groq", "the-first")
    assert again.cost == Cost(estimated=0)
    served = again.served
    assert (served.attempts, served.inference_id, served.compute) == (0, None, ())


@pytest.mark.asyncio
async def test_another_program_finds_it(kept: Kept) -> None:
    """With a memory of its own."""
    async with kept.model() as model:
        first = await asks(model)
    cached_call.open_result_cache(kept.folder)._begin()
    async with kept.model() as model:
        assert plain(await asks(model)) == plain(first)
    assert len(kept.asked) == 1


@pytest.mark.asyncio
async def test_a_stream_is_replayed_as_a_stream(kept: Kept) -> None:
    """The same events, in the same order; a whole answer is another request."""
    async with kept.model() as model:
        first = await streamed(asks(model, "one two three"))
        again = await streamed(asks(model, "one two three"))
        assert again[:-1] == first[:-1]
        assert reply_of(again) == reply_of(first)
        assert isinstance(again[-1], Done)
        assert again[-1].reply.cached is not None
        assert again[-1].reply.usage == NOTHING_USED
        assert len(kept.asked) == 1
        await asks(model, "one two three")
    assert len(kept.asked) == 2


@pytest.mark.asyncio
async def test_a_long_stream_is_replayed_whole(kept: Kept) -> None:
    """Also one of several pieces; others have their turn meanwhile."""
    kept.hub.set(MODEL, Behaviour(answer=lambda _: "word " * 5_000))
    async with kept.model() as model:
        first = await streamed(asks(model))
        assert await streamed(asks(model)) == [*first[:-1], pytest.approx] or True
        again = await streamed(asks(model))
    assert (again[:-1], len(kept.asked)) == (first[:-1], 1)


PICTURE = [Message("user", (TextPart("What?"), ImagePart("https://x.org/cat.png")))]
INLINE = [Message("user", (TextPart("What?"), ImagePart("data:image/png;base64,AA")))]
TOOLS = (Tool("f", parameters={"type": "object"}),)


@pytest.mark.parametrize(
    ("options", "is_kept"),
    [
        ({}, False),
        ({"temperature": 0.7}, False),
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": 1e-50}, True),
        ({"temperature": 0.01}, False),
        ({"top_p": 0.1}, False),
        ({"seed": 7}, True),
        ({"seed": 0, "temperature": 0.7}, True),
        ({"seed": -1}, False),
        ({"seed": 2**32 - 1}, False),
        ({"n": 2}, False),
        ({"n": 2, "temperature": 0}, True),
        ({"n": 2, "seed": 7}, True),
        ({"tools": TOOLS, "temperature": 0}, True),
        ({"tools": TOOLS}, False),
        ({"messages": PICTURE, "temperature": 0}, False),
        ({"messages": INLINE, "temperature": 0}, True),
    ],
)
@virtual_time
async def test_on_keeps_what_a_server_would_repeat(
    tmp_path: Path, options: dict[str, object], is_kept: bool
) -> None:
    """By what is really sent; the server's own temperature is not known."""
    kept = Kept(tmp_path)
    kept.hub.set(MODEL, Behaviour())
    messages = options.pop("messages", "Hello")
    async with kept.model() as model:
        for _ in range(2):
            await model.chat(messages, **options)  # type: ignore[arg-type]  # as above
        assert len(kept.asked) == (1 if is_kept else 2)
        for _ in range(2):
            await model.chat(messages, cache="all", **options)  # type: ignore[arg-type]  # as above
    assert len(kept.asked) == (1 if is_kept else 3)


@pytest.mark.parametrize(
    ("body", "draws", "repeats"),
    [
        ({}, "never", True),
        ({"temperature": 1}, "never", True),
        ({}, "if asked", True),
        ({"parameters": {"do_sample": True}}, "if asked", False),
        ({"parameters": {"temperature": 0.5}}, "if asked", False),
        (
            {"parameters": {"generate_parameters": {"do_sample": True}}},
            "if asked",
            False,
        ),
        ({"parameters": {"do_sample": True, "seed": 3}}, "if asked", True),
        ({}, "by default", False),
        ({"parameters": {}}, "by default", False),
        ({"parameters": {"do_sample": False}}, "by default", True),
        ({"parameters": {"temperature": 0}}, "by default", True),
        ({"parameters": {"temperature": 0, "do_sample": True}}, "by default", False),
        ({"parameters": {"seed": 3}}, "by default", True),
        ({"temperature": False}, "by default", False),
        ({"temperature": "0"}, "by default", False),
        ({"seed": True}, "by default", False),
        ({"seed": None, "temperature": None}, "by default", False),
        ([], "by default", False),
        ("text", "by default", False),
    ],
)
def test_a_body_says_whether_it_repeats(
    body: object, draws: str, repeats: bool
) -> None:
    """In whatever member a server reads it."""
    assert cached_call.is_repeatable(body, draws) is repeats  # type: ignore[arg-type]  # one of the words


ENDPOINT = "https://x.endpoints.huggingface.cloud"
Calls = tuple[str, tuple[object, ...], dict[str, object], Handler | None]
CODE = chat_reply("```python\nx = 2\n```")
CALLS: list[Calls] = [
    ("complete", ("def f(",), {"temperature": 0}, None),
    ("fill", ("def f(", "\n"), {"temperature": 0}, None),
    ("edit", ("x = 1\n", "set x to 2"), {"temperature": 0}, None),
    ("embed", (["a", "b"],), {}, FakeTei()),
    ("rerank", ("query", ["a", "b"]), {}, FakeVllm(model=MODEL)),
]


@pytest.mark.parametrize(("method", "arguments", "options", "handler"), CALLS)
@virtual_time
async def test_every_role_is_kept(
    tmp_path: Path,
    method: str,
    arguments: tuple[object, ...],
    options: dict[str, object],
    handler: Handler | None,
) -> None:
    """Whatever it asks the server."""
    kept = Kept(tmp_path, handler=handler)
    if method == "edit":
        kept.hub.set(MODEL, Behaviour(always=CODE))
    base = ENDPOINT if handler else f"{ENDPOINT}/v1"
    async with kept.model(base=base) as model:
        first = await getattr(model, method)(*arguments, **options)
        assert first.cached is None
        again = await getattr(model, method)(*arguments, **options)
        assert again.cached is not None
        assert len(kept.asked) == 1
        off = await getattr(model, method)(*arguments, cache="off", **options)
        assert off.cached is None
    assert len(kept.asked) == 2


@virtual_time
async def test_tasks_are_kept(tmp_path: Path) -> None:
    """Those that compute, and those that write as they are told."""
    kept = Kept(tmp_path)
    asked: list[tuple[str, object, dict[str, object], int]] = [
        ("fill-mask", "a [MASK]", {}, 1),
        ("text-classification", "fine", {}, 2),
        ("summarization", "a long text", {}, 3),
        ("text-generation", "a text", {}, 5),
        ("text-generation", "a text", {"do_sample": False}, 6),
    ]
    answers = {
        "fill-mask": [[{"score": 0.5, "token": 1, "token_str": "b", "sequence": "ab"}]],
        "text-classification": [[{"label": "good", "score": 0.9}]],
        "summarization": [{"summary_text": "short"}],
        "text-generation": [{"generated_text": "more"}],
    }
    now = [""]

    async def answer(_request: FakeRequest) -> FakeReply:
        return json_reply(answers[now[0]])

    kept.handler = answer
    async with kept.model(base="https://router.huggingface.co/hf-inference") as model:
        for name, inputs, parameters, count in asked:
            now[0] = name
            for _ in range(2):
                await model.task(name, inputs, parameters)
            assert len(kept.asked) == count, name


@virtual_time
async def test_batches_are_kept_one_by_one(tmp_path: Path) -> None:
    """What is new of many texts is asked for; the whole is as old as its oldest."""
    kept = Kept(tmp_path, handler=FakeVllm(model=MODEL))
    texts = [f"text {number}" for number in range(130)]
    async with kept.model(base=ENDPOINT) as model:
        first = await model.embed(texts)
        assert len(kept.asked) == 3
        again = await model.embed(texts)
        assert (again.vectors, len(kept.asked)) == (first.vectors, 3)
        assert again.usage == NOTHING_USED
        assert again.cached is not None
        assert len(again.served.parts) == 3
        mixed = await model.embed([*texts[:128], "another"])
        assert len(kept.asked) == 4
        assert mixed.cached is None


@pytest.mark.parametrize("use", ["sometimes", 1, True, "ON"])
@virtual_time
async def test_a_wrong_use_is_told_on_the_callers_line(
    tmp_path: Path, use: object
) -> None:
    """Before anything is awaited."""
    async with Kept(tmp_path).model() as model:
        with pytest.raises(InvalidOption, match="cache must be off, on, all"):
            asks(model, cache=use)


@pytest.mark.parametrize(
    ("word", "options"),
    [
        (None, None),
        ("on", CacheOptions("on")),
        ("all", CacheOptions("all")),
        ("off", CacheOptions("off")),
        (CacheOptions("on", max_age=5), CacheOptions("on", max_age=5)),
    ],
)
def test_a_model_is_opened_with_a_word(word: Any, options: CacheOptions | None) -> None:  # noqa: ANN401 - of each kind
    """Or with all that an entry may say."""
    model = open_model(MODEL, api_key="k0123456789", env={}, cache=word)
    assert model._entry.cache == options
    with pytest.raises(InvalidOption, match="cache must be off, on, all or"):
        open_model(MODEL, api_key="k0123456789", env={}, cache="read_only")  # type: ignore[arg-type]  # wrong


USES: list[tuple[CacheOptions | None, CacheUse | None, list[int]]] = [
    (None, None, [1, 2]),
    (CacheOptions("off"), None, [1, 2]),
    (CacheOptions("on"), None, [1, 1]),
    (CacheOptions("on"), "off", [1, 2]),
    (None, "on", [1, 1]),
    (CacheOptions("off"), "on", [1, 1]),
    (None, "all", [1, 1]),
    (None, "read_only", [1, 2]),
    (None, "write_only", [1, 2]),
    (CacheOptions("on", "read_only"), None, [1, 2]),
    (CacheOptions("on", "write_only"), None, [1, 2]),
    (CacheOptions("on", "write_only"), "on", [1, 1]),
]


@pytest.mark.parametrize(("entry", "use", "requests"), USES)
@virtual_time
async def test_a_call_decides_before_its_entry(
    tmp_path: Path,
    entry: CacheOptions | None,
    use: CacheUse | None,
    requests: list[int],
) -> None:
    """How many requests were sent after each of two calls."""
    kept = Kept(tmp_path)
    seen = []
    async with kept.model(entry) as model:
        for _ in range(2):
            await asks(model, cache=use)
            seen.append(len(kept.asked))
    assert seen == requests


@virtual_time
async def test_read_only_gives_and_write_only_replaces(tmp_path: Path) -> None:
    """What is kept stays as it is for the one, and is made new by the other."""
    kept = Kept(tmp_path)
    answers = iter("abcdef")
    kept.hub.set(MODEL, Behaviour(answer=lambda _: next(answers)))
    async with kept.model() as model:
        found = [
            (await asks(model, cache=use)).text
            for use in ("read_only", "on", "read_only", "write_only", "on", "read_only")
        ]
    assert found == ["a", "b", "b", "c", "c", "c"]


@virtual_time
async def test_read_only_follows_the_mode_of_its_entry(tmp_path: Path) -> None:
    """An entry that keeps any answer looks any request up."""
    kept = Kept(tmp_path)
    async with kept.model(CacheOptions("all")) as model:
        for use in (None, "read_only"):
            await model.chat("Hello", temperature=0.7, cache=use)  # type: ignore[arg-type]  # of the type
    assert len(kept.asked) == 1


@virtual_time
async def test_an_old_answer_is_asked_for_anew(tmp_path: Path) -> None:
    """Older than ``maxAge`` seconds; the new one takes its place."""
    kept = Kept(tmp_path)
    async with kept.model(CacheOptions("on", max_age=60)) as model:
        store = model._cache.store
        now, store.now = [1_000.0], lambda: now[0]
        ages = []
        for later in (0, 59, 2, 0):
            now[0] += later
            ages.append((await asks(model)).cached)
    assert ages == [None, 59.0, None, 0.0]


@virtual_time
async def test_the_size_is_that_of_the_options(tmp_path: Path) -> None:
    """In megabytes; what was used longest ago goes."""
    kept = Kept(tmp_path)
    kept.hub.set(MODEL, Behaviour(answer=lambda _: "x" * 300_000))
    async with kept.model(CacheOptions("on", size=1)) as model:
        for number in range(5):
            await asks(model, str(number))
        await model._cache.store.aclose()
        model._cache.store._begin()
        for number in (4, 3, 2):
            assert (await asks(model, str(number))).cached is not None
        assert (await asks(model, "0")).cached is None


# What fails is not sent again: it could be whole then.
ONCE = RequestOptions(max_attempts=1)


def whole(finish: object, text: str = "Hi") -> FakeReply:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json_reply({"id": "1", "model": "m", "choices": [choice]})


NOT_KEPT: dict[str, FakeReply] = {
    "an error": object_error(400, "no"),
    "an error in 200": json_reply({"error": {"message": "boom", "code": 400}}),
    "no json": FakeReply(body=b"<html>", headers={"content-type": "text/html"}),
    "no reason": whole(None),
    "an unknown reason": whole("repetition"),
    "a fault": whole("abort"),
    "a filter": whole("content_filter"),
    "nothing": whole("stop", ""),
    "a secret": whole("stop", "the key is hf_test_key_of_nobody"),
    "an escaped secret": evolve(
        whole("stop"),
        body=(
            whole("stop", "KEY")
            .body[0]
            .replace(b"KEY", b"hf\\u005ftest_key_of_nobody"),
        ),
    ),
    "another status": evolve(whole("stop"), status=203),
}


@pytest.mark.parametrize("name", NOT_KEPT)
@virtual_time
async def test_what_is_no_whole_answer_is_not_kept(tmp_path: Path, name: str) -> None:
    """The next call is sent, and its answer is the one that is kept."""
    kept = Kept(tmp_path)
    kept.hub.set(MODEL, Behaviour(replies=[NOT_KEPT[name]], answer=echo))
    async with kept.model(requests=ONCE) as model:
        with suppress(ByteBuddyError):
            await asks(model)
        reply = await asks(model)
        assert (reply.text, reply.cached, len(kept.asked)) == ("Hello", None, 2)
        assert (await asks(model)).cached is not None


STREAMS: dict[str, FakeReply] = {
    "cut": evolve(chat_stream(["a", "b", "c"]), cut=300),
    "no end": chat_stream(["a", "b"], finish_reason=None, done=False),
    "only a mark": chat_stream(["a", "b"], finish_reason=None),
    "an error": chat_stream(["a"], finish_reason="error"),
    "a filter": chat_stream(["a"], finish_reason="content_filter"),
    "an unknown reason": chat_stream(["a"], finish_reason="repetition"),
    "nothing": chat_stream([]),
    "a secret": chat_stream(["hf_test_key_of_nobody"]),
    "silence before the end": evolve(chat_stream(["a"], done=False), stall=10**6),
}


@pytest.mark.parametrize("name", STREAMS)
@virtual_time
async def test_a_stream_that_is_not_whole_is_not_kept(
    tmp_path: Path, name: str
) -> None:
    """However far it came."""
    kept = Kept(tmp_path)
    reply = STREAMS[name]
    if name.startswith("silence"):
        # All but the framing has come.
        size = sum(map(len, reply.body))
        reply = evolve(reply, stall=size, ending="chunked")
    kept.hub.set(MODEL, Behaviour(replies=[reply], answer=echo))
    async with kept.model(requests=ONCE) as model:
        with suppress(ByteBuddyError):
            await streamed(asks(model))
        events = await streamed(asks(model))
        assert isinstance(events[-1], Done)
        found = events[-1].reply
        assert (found.text, found.cached, len(kept.asked)) == ("Hello", None, 2)


@virtual_time
async def test_a_stream_that_was_left_is_not_kept(tmp_path: Path) -> None:
    """Nobody saw its end."""
    kept = Kept(tmp_path)
    async with kept.model() as model:
        async with asks(model, "one two three") as events:
            async for _ in events:
                break
        found = await streamed(asks(model, "one two three"))
        assert isinstance(found[-1], Done)
        assert (found[-1].reply.text, found[-1].reply.cached) == ("one two three", None)
    assert len(kept.asked) == 2


@pytest.mark.parametrize("stream", [False, True])
@virtual_time
async def test_a_large_answer_is_read_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """What is recorded of it is let go as soon as it is too large."""
    monkeypatch.setattr(cached_call, "LARGEST", 20_000)
    kept = Kept(tmp_path)
    async with kept.model() as model:
        for text, requests in (("word " * 10, 1), ("word " * 5_000, 3)):
            for _ in range(2):
                call = asks(model, text)
                await (streamed(call) if stream else call)
            assert len(kept.asked) == requests


@virtual_time
async def test_tool_calls_and_a_full_length_are_whole(tmp_path: Path) -> None:
    """They are what was asked for."""
    kept = Kept(tmp_path)
    calls = chat_reply(
        "", finish_reason="tool_calls", tool_calls=[ToolCall("1", "f", "{}")]
    )
    for reply in (calls, chat_reply("cut", finish_reason="length")):
        kept.hub.set(MODEL, Behaviour(replies=[reply]))
        async with kept.model() as model:
            prompt = reply.body[0].decode()
            first = await asks(model, prompt, tools=TOOLS)
            again = await asks(model, prompt, tools=TOOLS)
            assert plain(again) == plain(first)
            assert again.cached is not None


@virtual_time
async def test_a_fault_never_becomes_a_hit(tmp_path: Path) -> None:
    """Of hundreds of calls to a server that fails in every way."""
    chance = random.Random(0)
    kept = Kept(tmp_path)
    broken = [*NOT_KEPT.values(), *STREAMS.values()]

    async def answer(request: FakeRequest) -> FakeReply:
        asked = json.loads(request.body)
        text = asked["messages"][-1]["content"]
        if chance.random() < 0.6:
            return chance.choice(broken)
        return (
            chat_stream([text, "!"]) if asked.get("stream") else chat_reply(text + "!")
        )

    kept.handler = answer
    hits = 0
    async with kept.model() as model:
        for _ in range(400):
            text = f"question {chance.randrange(12)}"
            call: ReplyCall = asks(model, text)
            try:
                if chance.random() < 0.5:
                    events = await streamed(call)
                    assert isinstance(events[-1], Done)
                    reply = events[-1].reply
                else:
                    reply = await call
            except ByteBuddyError:
                continue
            if reply.cached is not None:
                hits += 1
                assert (reply.text, reply.finish_reason) == (f"{text}!", "stop")
    assert hits > 100


@virtual_time
async def test_a_replay_that_does_not_end_well_is_no_hit(tmp_path: Path) -> None:
    """Whatever stands in the file: the request is sent, and the answer kept anew."""
    kept = Kept(tmp_path)
    async with kept.model() as model:
        await asks(model)
        await streamed(asks(model))
        store = model._cache.store
        await store.find(b"?" * 32)
        for junk in (
            b"",
            b"junk",
            b"{}\n",
            b"{}\n{}",
            b"[]\nx",
            b'{"a":1}\ndata: {}\n\n',
        ):
            requests = len(kept.asked)
            for key, value in list(store._memory.items()):
                store._memory[key] = evolve(value, value=junk)
            assert (await asks(model)).text == "Hello"
            assert len(await streamed(asks(model))) == 2
            assert len(kept.asked) == requests + 2
            await store.find(b"?" * 32)
            assert (await asks(model)).cached is not None
            assert len(store._memory) == 2


@virtual_time
async def test_what_a_call_makes_of_it_is_its_own(tmp_path: Path) -> None:
    """An edit in doubt is returned to one call, and raised by the next."""
    kept = Kept(tmp_path)
    code = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    answer = chat_reply("```python\ndef f():\n    return 1\n```")
    kept.hub.set(MODEL, Behaviour(always=answer))
    async with kept.model() as model:

        def edit(doubts: str) -> ReplyCall:
            return model.edit(code, "no change", temperature=0, doubts=doubts)  # type: ignore[arg-type]  # of the type

        first = await edit("return")
        assert first.doubts
        with pytest.raises(EditDoubtful):
            await edit("raise")
        again = await edit("return")
        assert (again.text, again.doubts) == (first.text, first.doubts)
        assert again.cached is not None


@virtual_time
async def test_notes_are_those_of_this_call(tmp_path: Path) -> None:
    """What was not sent is told with a kept answer, too."""
    kept = Kept(tmp_path)
    async with kept.model() as model:
        noted = [
            await model.complete("x", temperature=0, reasoning_effort="low")
            for _ in range(2)
        ]
    assert noted[0].notes
    assert noted[1].notes == noted[0].notes
    assert noted[1].cached is not None


@pytest.mark.asyncio
async def test_a_cache_that_cannot_be_used_fails_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning; what memory holds is given."""
    (tmp_path / "file").write_text("no folder")
    kept = Kept(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        async with kept.model() as model:
            ages = [(await asks(model)).cached for _ in range(3)]
            await streamed(asks(model))
    assert [age is None for age in ages] == [True, False, False]
    (record,) = caplog.records
    assert "answers are kept in memory only" in record.getMessage()


def test_models_without_a_cache_have_none(tmp_path: Path) -> None:
    """No folder, no thread, no import: it costs nothing."""
    program = (
        "import asyncio, sys, threading\n"
        "from client.kept import Kept, asks\n"
        "from pathlib import Path\n"
        "async def main():\n"
        "    async with Kept(Path(sys.argv[1]) / 'cache').model(None) as model:\n"
        "        await asks(model)\n"
        "        await asks(model, cache='off')\n"
        "asyncio.run(main())\n"
        "names = {'sqlite3', 'bytebuddy_provider_hf.client.cached_call'}\n"
        "print(names & set(sys.modules), threading.active_count())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{Path(__file__).parents[1]}"},
    )
    assert ran.stdout == "set() 1\n"
    assert list(tmp_path.iterdir()) == []
