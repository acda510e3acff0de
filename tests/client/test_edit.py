"""Edit and apply through the engine: the new code, its diff, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from client.page import CODE, ENDPOINT, FIXED, TWICE, WANTED
from servers.engines import FakeVllm
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    ApplyFailed,
    EditDoubtful,
    InvalidOption,
    ResponseError,
    StreamInterrupted,
    TemplateMissing,
    UnsupportedRole,
)
from bytebuddy_provider_hf.testing.answers import chat_stream, json_reply
from bytebuddy_provider_hf.testing.failures import object_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import (
    FakeReply,
    FakeRequest,
    Handler,
    Recorded,
)
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, Progress, Reply, Text

DIFF = """\
--- a/add.py
+++ b/add.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a
+    return a + b
"""


def at(handler: Handler) -> HuggingFaceModel:
    return open_model(
        "org/name",
        api_key="hf_x",
        api_base=ENDPOINT,
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


def saying(text: str) -> Recorded:
    return Recorded(FakeVllm("org/name", answer=lambda _: text))


async def streamed(call: object) -> tuple[str, Reply]:
    async with call as events:  # type: ignore[attr-defined]  # a ReplyCall
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    return "".join(e.text for e in seen if isinstance(e, Text)), seen[-1].reply


@virtual_time
async def test_an_edit_is_the_code_without_what_was_said_around_it() -> None:
    """Whole and streamed alike, with the unified diff."""
    said = f"Sure!\n\n```python\n{FIXED}```\n\nIt returns the sum now."
    model = at(saying(said))
    reply = await model.edit(CODE, "return the sum", path="add.py")
    text, done = await streamed(model.edit(CODE, "return the sum", path="add.py"))
    assert reply.text == done.text == text == FIXED
    assert reply.diff == done.diff == DIFF


@virtual_time
async def test_an_edit_that_was_cut_has_no_diff_and_says_so() -> None:
    """A half of the code is nothing to write into a file."""
    reply = await at(saying(f"```\n{FIXED * 50}```")).edit(CODE, "more", max_tokens=5)
    assert reply.finish_reason == "length"
    assert reply.diff == ""
    assert "not the whole of the code" in " ".join(reply.notes)


@pytest.mark.parametrize("said", ["", "```\n```", "```python\n\n```"])
@virtual_time
async def test_an_answer_with_no_code_is_an_error(said: str) -> None:
    """Whole and streamed alike; what the model said is kept."""
    model = at(saying(said))
    for call in (
        lambda: model.edit(CODE, "return the sum", path="add.py"),
        lambda: streamed(model.edit(CODE, "return the sum", path="add.py")),
    ):
        with pytest.raises(ResponseError, match="no code in the answer") as caught:
            await call()
        assert caught.value.partial == said


@virtual_time
async def test_a_diff_is_merged_and_never_shown_as_code() -> None:
    """Whatever the server sends piece by piece, one text comes: the code."""
    model = at(saying(f"```diff\n{DIFF}```"))
    reply = await model.edit(CODE, "return the sum", path="add.py")
    async with model.edit(CODE, "return the sum", path="add.py") as events:
        seen = [event async for event in events]
    assert reply.text == FIXED
    assert [event.text for event in seen if isinstance(event, Text)] == [FIXED]
    counted = [event for event in seen if isinstance(event, Progress)]
    assert len(counted) > 1
    assert counted[-1].lines == DIFF.count("\n") + 1
    assert counted[-1].characters == len(f"```diff\n{DIFF}```")


@virtual_time
async def test_nothing_of_a_refusal_is_shown_as_code() -> None:
    """The pieces that came before the error were counted only."""
    seen: list[object] = []
    call = at(saying("I cannot do that.")).edit(CODE, "x", path="a.py")

    async def read() -> None:
        async with call as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401 - what came stays when it raises

    with pytest.raises(ResponseError, match="it is prose"):
        await read()
    assert seen
    assert not any(isinstance(event, Text) for event in seen)


@virtual_time
async def test_a_doubtful_edit_is_an_error_with_all_of_it() -> None:
    """Unless the call wants the doubts back."""
    code = f"{CODE}\n\ndef other():\n    return 1\n"
    model = at(saying(f"```python\n{FIXED}\n\nx = add(1, 2)\n```"))
    with pytest.raises(EditDoubtful, match="not named in the instruction: other") as it:
        await model.edit(code, "return the sum", path="add.py")
    assert it.value.original == code
    assert it.value.result.startswith(FIXED)
    assert it.value.diff.startswith("--- a/add.py")
    assert [(doubt.kind, doubt.lines) for doubt in it.value.doubts] == [
        ("gone", ("other",))
    ]
    reply = await model.edit(code, "return the sum", path="add.py", doubts="return")
    assert (reply.text, reply.diff) == (it.value.result, it.value.diff)
    assert reply.doubts == it.value.doubts


@virtual_time
async def test_lines_round_the_code_are_cut() -> None:
    """A model repeats them, whatever it is told."""
    said = f"```python\nimport os\n\n{FIXED}\n\nlast = 1\n```"
    reply = await at(saying(said)).edit(
        CODE, "return the sum", prefix="import os\n\n", suffix="\n\nlast = 1\n"
    )
    assert reply.text == FIXED


@virtual_time
async def test_what_becomes_of_doubts_is_checked_at_once() -> None:
    """Nothing is sent."""
    handler = saying("x")
    for call in (at(handler).edit, at(handler).apply):
        with pytest.raises(InvalidOption, match='"raise" or "return"'):
            call("x", "y", doubts="never")  # type: ignore[arg-type]  # it is wrong
    assert handler.requests == []


@virtual_time
async def test_an_answer_that_was_filtered_is_no_edit() -> None:
    """The service took a part of it away."""

    async def filtered(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return FakeReply(404)
        return chat_stream([f"```\n{FIXED}"], finish_reason="content_filter")

    _, reply = await streamed(at(filtered).edit(CODE, "return the sum"))
    assert reply.diff == ""
    assert "not whole" in " ".join(reply.notes)


@virtual_time
async def test_stops_made_for_chat_do_not_cut_code() -> None:
    """Those of the entry are left out, those of the call are not."""
    vllm = saying(FIXED)
    model = open_model(
        "org/name",
        api_key="hf_x",
        api_base=ENDPOINT,
        options=CompletionOptions(stop=("\n",)),
        runtime=Runtime(connect=MemoryConnect(vllm)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    assert (await model.edit(CODE, "return the sum")).text == FIXED
    assert vllm.requests[-1].value("stop") is None
    await model.edit(CODE, "return the sum", stop=["END"])
    assert vllm.requests[-1].value("stop") == ["END"]


@virtual_time
async def test_a_base_model_that_nobody_knew_is_no_editor() -> None:
    """Its server has no template for it: a talk written out is not code."""

    async def no_template(request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            listed = {"id": "org/name", "owned_by": "vllm", "max_model_len": 4_096}
            return json_reply({"object": "list", "data": [listed]})
        said = (
            "As of transformers v4.44, default chat template is no longer allowed, so "
            "you must provide a chat template if the tokenizer does not define one."
        )
        return object_error(400, said, kind="BadRequestError", code=400)

    with pytest.raises((UnsupportedRole, TemplateMissing)):
        await at(no_template).edit(CODE, "return the sum")


@virtual_time
async def test_a_block_of_code_that_was_not_closed_is_told() -> None:
    """A model that says it stopped forgot the fence; the reader is to look."""
    reply = await at(saying(f"```python\n{FIXED}")).edit(CODE, "return the sum")
    assert reply.text == FIXED
    assert "did not close its block of code" in " ".join(reply.notes)


@virtual_time
async def test_a_block_of_code_that_ends_for_no_reason_is_no_edit() -> None:
    """Where nobody says why the answer ended, its end may be missing."""

    async def endless(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return FakeReply(404)
        return chat_stream([f"```python\n{FIXED}"], finish_reason=None)

    with pytest.raises(StreamInterrupted, match="inside its block of code") as caught:
        await streamed(at(endless).edit(CODE, "return the sum"))
    assert caught.value.partial == FIXED


@virtual_time
async def test_room_is_asked_for_the_whole_of_the_code() -> None:
    """TGI would stop after 100 tokens where nobody says how many."""
    vllm = Recorded(FakeVllm("org/name", answer=lambda _: FIXED, window=100_000))
    with pytest.raises(EditDoubtful):
        await at(vllm).edit("x = 1\n" * 1_000, "y")
    asked = vllm.requests[-1].value("max_tokens")
    assert isinstance(asked, int)
    assert asked > 4_000


@virtual_time
async def test_an_edit_whose_stream_breaks_is_no_edit() -> None:
    """However much of the code had come."""

    async def broken(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return FakeReply(404)
        return chat_stream([FIXED], finish_reason=None, done=False)

    with pytest.raises(StreamInterrupted):
        await streamed(at(broken).edit(CODE, "y"))


@pytest.mark.parametrize(
    ("suggestion", "how"),
    [
        (
            "@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a\n+    return a + b\n",
            "patch",
        ),
        ("```python\ndef add(a, b):\n    return a + b\n```", ""),
    ],
)
@virtual_time
async def test_what_a_rule_can_place_asks_no_model(suggestion: str, how: str) -> None:
    """Neither whole nor streamed does anything leave."""
    handler = saying("never")
    model = at(handler)
    reply = await model.apply(CODE, suggestion, path="add.py")
    text, done = await streamed(model.apply(CODE, suggestion, path="add.py"))
    assert reply == done
    assert reply.text == text == FIXED
    assert reply.diff == DIFF
    assert f"Worked in by rule ({how}" in reply.notes[0]
    assert handler.requests == []


@virtual_time
async def test_what_no_rule_can_place_is_asked_and_checked() -> None:
    """The answer has every line of the suggestion, so it is taken."""
    model = at(saying(f"```\n{WANTED}```"))
    reply = await model.apply(TWICE, "x = 3", path="x.py")
    assert reply.text == WANTED
    assert reply.diff.startswith("--- a/x.py")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"```\n{TWICE}```", "changes nothing"),
        ("```\nx = 3\n```", "another place"),
        ("I cannot do that.", "does not have"),
    ],
)
@virtual_time
async def test_what_a_suggestion_does_not_explain_is_an_error_with_both_texts(
    said: str, words: str
) -> None:
    """Nothing done, lines lost, or words instead of code."""
    model = at(saying(said))
    for call in (
        lambda: model.apply(TWICE, "x = 3"),
        lambda: streamed(model.apply(TWICE, "x = 3")),
    ):
        with pytest.raises(ApplyFailed, match=words) as caught:
            await call()
        assert caught.value.original == TWICE
        assert caught.value.suggestion == "x = 3"
        assert caught.value.partial


@virtual_time
async def test_an_apply_that_was_cut_is_an_error() -> None:
    """What is missing at the end would be lost."""
    model = at(saying(f"```\n{WANTED * 90}```"))
    with pytest.raises(ApplyFailed, match="limit of tokens"):
        await model.apply(TWICE, "x = 3", max_tokens=4)


@pytest.mark.parametrize(
    "make",
    [
        lambda model: model.edit(1, "x"),
        lambda model: model.edit("x", None),
        lambda model: model.apply(b"x", "x"),
    ],
)
@virtual_time
async def test_a_text_that_is_none_is_refused_at_once(
    make: Callable[[HuggingFaceModel], object],
) -> None:
    """Nothing is sent."""
    handler = saying("x")
    with pytest.raises(InvalidOption, match="takes a text"):
        make(at(handler))
    assert handler.requests == []


@virtual_time
async def test_an_answer_is_begun_where_the_prompt_is_written_here() -> None:
    """With the fence, so that the model says nothing before the code."""
    tgi = FakeTgi("1.3.0", answer=lambda _: f"{FIXED}```\nDone.")
    model = open_model(
        "meta-llama/Llama-2-7b-chat-hf",
        api_key="hf_x",
        api_base=ENDPOINT,
        runtime=Runtime(connect=MemoryConnect(tgi.handle)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    reply = await model.edit(CODE, "return the sum", path="add.py")
    text, done = await streamed(model.edit(CODE, "return the sum", path="add.py"))
    sent = tgi.requests[-1].json
    assert isinstance(sent, dict)
    assert str(sent["inputs"]).endswith("[/INST] ```py\n")
    assert reply.text == done.text == text == FIXED
    assert reply.diff == DIFF
