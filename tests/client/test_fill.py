"""Autocomplete: asked in the way the model was trained on, and cut to what fits."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from client.page import ENDPOINT
from servers.engines import FakeVllm
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import (
    AutocompleteOptions,
    ModelEntry,
    PromptTemplates,
    RequestOptions,
    Source,
)
from bytebuddy_provider_hf.errors import ApplyFailed, InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.gemma import find_gemma, gemma_installed
from bytebuddy_provider_hf.testing.llama_server import LocalServer
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import Handler, Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.texts import render
from bytebuddy_provider_hf.types import CompletionOptions, Done, Text

PREFIX = "def add(a, b):\n"
SUFFIX = "\nprint(add(1, 2))"


def at(
    handler: Handler, model: str = "bigcode/starcoder", **more: object
) -> HuggingFaceModel:
    entry = ModelEntry(
        name="x",
        provider=PROVIDER,
        model=model,
        api_base=ENDPOINT,
        api_key=Secret("hf_x"),
        **more,  # type: ignore[arg-type]  # tests pass what they mean
    )
    context = OpenContext(
        source=Source(),
        trusted=True,
        state_dir=Path("/nonexistent"),
        cache_dir=Path("/nonexistent"),
        log=logging.getLogger("test"),
        clock=time.monotonic,
        runtime=Runtime(connect=MemoryConnect(handler)),
        env={},
    )
    return open_entry(entry, context)


@pytest.mark.asyncio
@pytest.mark.parametrize("model", ["tiny-chat", "Qwen/Qwen2.5-Coder-7B"])
async def test_llama_cpp_fills_by_its_own_route(llama: str, model: str) -> None:
    """It knows the model's tokens; ours are not needed, and code cannot spell them."""
    async with open_model(model, api_base=llama, env={}) as opened:
        reply = await opened.fill(PREFIX, SUFFIX, max_tokens=20)
        async with opened.fill(PREFIX, SUFFIX, max_tokens=20) as events:
            seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    assert reply.text == seen[-1].reply.text == "    return a + b"
    assert reply.text == "".join(e.text for e in seen if isinstance(e, Text))
    assert reply.notes == ()


@pytest.mark.asyncio
async def test_a_server_of_unknown_make_fills_by_the_familys_prompt(llama: str) -> None:
    """The same model asked with Qwen's tokens, over /v1/completions."""
    async with open_model(
        "Qwen/Qwen2.5-Coder-7B", api_base=f"{llama}/v1", env={}
    ) as opened:
        reply = await opened.fill(PREFIX, SUFFIX, max_tokens=20)
    assert reply.text == "    return a + b"


@pytest.mark.asyncio
async def test_one_line_is_one_line(llama: str) -> None:
    """The stream is left as soon as the line is whole."""
    async with open_model("tiny-chat", api_base=llama, env={}) as opened:
        reply = await opened.fill("def add(a, b):", SUFFIX, multiline=False)
    assert "\n" not in reply.text.lstrip("\n")


@pytest.mark.asyncio
async def test_gemma_fills_by_going_on(xllamacpp: None, tmp_path: Path) -> None:
    """A base model without infilling continues the prefix, and says so."""
    if not gemma_installed():
        pytest.skip("the Gemma packages are not installed")
    async with LocalServer(find_gemma(tmp_path)) as server:
        await server.wait_ready()
        async with open_model(
            "google/gemma-3-270m", api_base=server.url, env={}
        ) as opened:
            reply = await opened.fill(
                "# The first ten numbers, each on a line of its own:\n1\n2\n3\n",
                "\nprint('done')\n",
                max_tokens=12,
            )
    assert reply.text.lstrip().startswith("4")
    assert "continues the code before the cursor" in " ".join(reply.notes)


@virtual_time
async def test_tokens_in_the_users_code_do_not_act() -> None:
    """Spelled in the code, they are sent broken and come back whole."""
    code = 'TOKEN = "<fim_suffix>"\n'
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: code))
    reply = await at(vllm).fill(code, SUFFIX)
    prompt = str(vllm.requests[-1].value("prompt"))
    assert prompt.count("<fim_suffix>") == 1
    assert "<fim_suffix>" in " ".join(reply.notes)
    assert "\u2060" not in reply.text


@virtual_time
async def test_an_entrys_own_template_comes_first() -> None:
    """With the variables of the prompt; a model without infilling may be taught so."""
    vllm = Recorded(FakeVllm("bigscience/bloom", answer=lambda _: "x"))
    model = at(
        vllm,
        "bigscience/bloom",
        prompt_templates=PromptTemplates(
            autocomplete="<A>{{{prefix}}}<B>{{suffix}}<C>"
        ),
    )
    await model.fill("one", "two", path="f.py")
    assert vllm.requests[-1].value("prompt") == "<A>one<B>two<C>"


@virtual_time
async def test_a_family_named_in_the_entry_is_believed() -> None:
    """For a model that no table knows; a family that does not exist is refused."""
    vllm = Recorded(FakeVllm("me/mine", answer=lambda _: "x"))
    model = at(vllm, "me/mine", family="starcoder")
    await model.fill("one", "two")
    assert str(vllm.requests[-1].value("prompt")).startswith("<fim_prefix>")
    with pytest.raises(InvalidOption, match="no family 'starcodre'"):
        at(vllm, "me/mine", family="starcodre")


@virtual_time
async def test_what_a_server_loaded_tells_the_family() -> None:
    """An entry may call the model as it likes: TGI says what it loaded."""
    tgi = FakeTgi("2.0.4", model="bigcode/starcoder", answer=lambda _: "x")
    await at(tgi.handle, "my-endpoint").fill("one", "two")
    sent = tgi.requests[-1].json
    assert isinstance(sent, dict)
    assert sent["inputs"] == "<fim_prefix>one<fim_suffix>two<fim_middle>"


@virtual_time
async def test_the_prompt_is_bounded_as_configured() -> None:
    """What is nearest to the cursor stays."""
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: "x"))
    model = at(vllm, autocomplete_options=AutocompleteOptions(max_prompt_tokens=100))
    lines = [f"line{n} = {n}\n" for n in range(1_000)]
    await model.fill("".join(lines), "".join(reversed(lines)))
    prompt = str(vllm.requests[-1].value("prompt"))
    assert "line999 = 999\n<fim_suffix>line999" in prompt
    assert len(prompt) < 1_500


@virtual_time
async def test_defaults_of_a_cursor_yield_to_the_entry() -> None:
    """The likeliest text and few tokens, unless somebody said otherwise."""
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: "x"))
    await at(vllm).fill("a", "b")
    assert vllm.requests[-1].value("temperature") == 0.01
    assert vllm.requests[-1].value("max_tokens") == 256
    chosen = CompletionOptions(temperature=0.7, max_tokens=7)
    await at(vllm, default_completion_options=chosen).fill("a", "b")
    assert vllm.requests[-1].value("temperature") == 0.7
    assert vllm.requests[-1].value("max_tokens") == 7


@virtual_time
async def test_a_text_that_is_none_is_refused_at_once() -> None:
    """Nothing is sent."""
    vllm = Recorded(FakeVllm("bigcode/starcoder"))
    with pytest.raises(InvalidOption, match="fill takes a text as prefix"):
        at(vllm).fill(None)  # type: ignore[arg-type]  # that is the point
    assert vllm.requests == []


@virtual_time
async def test_a_model_of_another_kind_is_refused_with_the_way_out() -> None:
    """BERT fills masks, and the message names the method that asks it to."""
    vllm = Recorded(FakeVllm("google-bert/bert-base-uncased"))
    with pytest.raises(UnsupportedRole, match="fill-mask") as caught:
        await at(vllm, "google-bert/bert-base-uncased").fill("a", "b")
    error = caught.value
    assert error.message == (
        "google-bert/bert-base-uncased cannot fill a gap: it generates no text."
    )
    assert render(error.message, "zh") == (
        "google-bert/bert-base-uncased 无法补全空缺：它不生成文本。"
    )
    assert "task('fill-mask', …)" in render(error.hint or "", "zh")


@virtual_time
async def test_one_gap_has_one_filling() -> None:
    """Also where the entry asks for several answers of everything."""
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: "x"))
    model = at(vllm, default_completion_options=CompletionOptions(n=3))
    await model.fill("a", "b")
    await model.edit("a = 1\n", "b")
    for request in vllm.requests:
        assert request.value("n") is None


@virtual_time
async def test_a_file_of_windows_gets_its_line_ends() -> None:
    """Models write line feeds alone."""
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: "x = 1\ny = 2\n"))
    reply = await at(vllm).fill("a = 1\r\n", "b = 2\r\n")
    assert reply.text == "x = 1\r\ny = 2\r\n"


@virtual_time
async def test_members_laid_over_the_body_reach_every_role() -> None:
    """ExtraBodyProperties is for all calls of an entry."""
    vllm = Recorded(FakeVllm("org/name", answer=lambda _: "```\nx = 1\n```"))
    extra = RequestOptions(extra_body_properties={"top_a": 0.2})
    model = at(vllm, "org/name", request_options=extra)
    await model.fill("a", "b")
    await model.edit("a = 1\n", "b")
    with pytest.raises(ApplyFailed):
        await model.apply("x = 2\ny = 2\nx = 2\n", "x = 1\ny = 2")
    posted = [request for request in vllm.requests if request.method == "POST"]
    assert [request.value("top_a") for request in posted] == [0.2] * 3


@virtual_time
async def test_a_small_window_bounds_the_prompt() -> None:
    """The one that the server tells, the answer's tokens kept free."""
    vllm = Recorded(FakeVllm("bigcode/starcoder", answer=lambda _: "x", window=300))
    reply = await at(vllm).fill("word = 1\n" * 500, "word = 1\n" * 500, max_tokens=20)
    assert reply.text == "x"
    assert len([r for r in vllm.requests if r.method == "POST"]) == 1


@virtual_time
@pytest.mark.parametrize("model", ["org/name", "bigcode/starcoder"])
async def test_an_answer_in_words_fills_nothing_and_is_told(model: str) -> None:
    """By chat and by infilling tokens, whole and in a stream."""
    said = "I'm sorry, but I can't help with that."
    vllm = Recorded(FakeVllm(model, answer=lambda _: said))
    opened = at(vllm, model)
    reply = await opened.fill(PREFIX, SUFFIX, path="a.py")
    async with opened.fill(PREFIX, SUFFIX, path="a.py") as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    assert not [event for event in seen if isinstance(event, Text)]
    for each in (reply, seen[-1].reply):
        assert each.text == ""
        assert [note for note in each.notes if "answered in words" in note]
        assert [note for note in each.notes if "用文字作答" in render(note, "zh")]


@virtual_time
async def test_an_empty_answer_is_no_talk() -> None:
    """A model that has nothing to add says so in the way it was asked."""
    vllm = Recorded(FakeVllm("org/name", answer=lambda _: "<FILL></FILL>"))
    reply = await at(vllm, "org/name").fill(PREFIX, SUFFIX, path="a.py")
    assert reply.text == ""
    assert not [note for note in reply.notes if "in words" in note]


@virtual_time
async def test_a_begun_line_that_comes_again_is_cut() -> None:
    """Without its indentation, too, and by infilling tokens as by chat."""
    for model in ("org/name", "bigcode/starcoder"):
        vllm = Recorded(FakeVllm(model, answer=lambda _: "return total"))
        reply = await at(vllm, model).fill(f"{PREFIX}    return to", SUFFIX)
        assert reply.text == "tal"
