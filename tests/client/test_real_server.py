"""Against llama.cpp's own server: time, bytes and closing are real here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.llama import HELLO, HeldModel, KeyedServer
from servers.proxies import cutting_proxy, splitting_proxy

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    AuthenticationFailed,
    ByteBuddyError,
    ConnectionLost,
    ConnectionRefused,
    ModelNotFound,
    StreamFailed,
    StreamInterrupted,
)
from bytebuddy_provider_hf.testing.llama_server import LocalServer
from bytebuddy_provider_hf.types import Done, Loading, Text, Tool

FILL = "<|fim_prefix|>def add(a, b):\n<|fim_suffix|>\nprint(add(1, 2))<|fim_middle|>"
COUNT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."


def local(url: str, **more: object) -> HuggingFaceModel:
    return open_model("tiny-chat", api_base=url, env={}, **more)  # type: ignore[arg-type]  # tests pass what they mean


async def streamed(model: HuggingFaceModel, prompt: str) -> tuple[str, Done]:
    async with model.chat(prompt, temperature=0) as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    return "".join(e.text for e in seen if isinstance(e, Text)), seen[-1]


@pytest.mark.asyncio
async def test_a_chat_is_answered_whole_and_streamed(llama: str) -> None:
    """The same words both ways, with usage and finish reason."""
    async with local(llama) as model:
        reply = await model.chat("Say hello", temperature=0)
        text, done = await streamed(model, "Say hello")
    assert reply.text == text == HELLO
    assert reply.finish_reason == done.reply.finish_reason == "stop"
    assert reply.usage
    assert done.reply.usage
    assert reply.usage.completion_tokens == done.reply.usage.completion_tokens


@pytest.mark.asyncio
async def test_a_text_is_continued(llama: str) -> None:
    """complete() goes through no template."""
    async with local(llama) as model:
        reply = await model.complete(FILL, temperature=0, max_tokens=20)
    assert reply.text.strip() == "return a + b"


@pytest.mark.asyncio
async def test_a_first_request_that_comes_too_early_is_answered(
    llama_server: Callable[..., LocalServer], tmp_path: Path
) -> None:
    """Sent while the model still loads: the true 503, Loading events, the answer."""
    held = HeldModel(tmp_path)
    server = llama_server(held.path)
    try:
        await server.start()
        async with local(server.url) as model:
            seen: list[object] = []
            async with model.chat("Say hello", temperature=0) as events:
                async for event in events:
                    if isinstance(event, Loading) and not seen:
                        held.release()
                    seen.append(event)
    finally:
        held.release()
    assert isinstance(seen[0], Loading)
    assert isinstance(seen[-1], Done)
    assert seen[-1].reply.text == HELLO


@pytest.mark.asyncio
async def test_many_calls_share_a_server(llama: str) -> None:
    """40 at once, streamed and whole mixed: each its own answer, connections reused."""
    async with local(llama) as model:
        calls = [model.chat("Say hello", temperature=0) for _ in range(20)]
        streams = [streamed(model, "Count to ten") for _ in range(20)]
        replies, texts = await asyncio.gather(
            asyncio.gather(*calls), asyncio.gather(*streams)
        )
    assert {reply.text for reply in replies} == {HELLO}
    assert {text for text, _ in texts} == {COUNT}


@pytest.mark.asyncio
async def test_every_byte_split_gives_the_same_answer(llama: str) -> None:
    """A proxy that passes single bytes changes nothing."""
    async with splitting_proxy(llama) as url, local(url) as model:
        text, _ = await streamed(model, "Say hello")
        reply = await model.chat("Say hello", temperature=0)
    assert text == reply.text == HELLO


@pytest.mark.asyncio
async def test_a_cut_connection_is_never_a_finished_answer(llama: str) -> None:
    """Cut after n bytes, head included: a typed error with a prefix of the text."""
    cut = 0
    runtime = Runtime(jitter=lambda: 0.0)
    for after in [*range(1, 400, 37), *range(400, 9_000, 251)]:
        async with (
            cutting_proxy(llama, after=after) as url,
            local(url, runtime=runtime) as model,
        ):
            try:
                text, _ = await streamed(model, "Say hello")
            except (StreamInterrupted, ConnectionLost) as error:
                cut += 1
                partial = getattr(error, "partial", "")
                assert HELLO.startswith(partial)
            else:
                assert text == HELLO
    assert cut > 20
    await runtime.aclose()


@pytest.mark.asyncio
async def test_a_server_killed_in_a_stream_is_an_interruption(
    llama_server: Callable[..., LocalServer],
) -> None:
    """Kill -9 after the first words: StreamInterrupted with those words."""
    server = llama_server()
    await server.start()
    await server.wait_ready()
    got = ""

    async def read() -> None:
        nonlocal got
        async with model.complete("Once upon a time", max_tokens=3_000) as events:
            async for event in events:
                if isinstance(event, Text):
                    got += event.text
                    if len(got) > 20:
                        server.kill()

    async with with_body(server.url, {"ignore_eos": True}) as model:
        with pytest.raises(StreamInterrupted) as caught:
            await read()
    assert caught.value.partial == got


def with_body(url: str, body: dict[str, object]) -> HuggingFaceModel:
    from bytebuddy_provider_hf.config.values import RequestOptions

    return local(url, request_options=RequestOptions(extra_body_properties=body))


@pytest.mark.asyncio
async def test_leaving_early_is_seen_by_the_server(llama: str) -> None:
    """After leaving an endless answer the next one comes at once."""
    async with with_body(llama, {"ignore_eos": True}) as model:
        for _ in range(6):
            async with model.complete("Once", max_tokens=4_000) as events:
                async for _event in events:
                    break
        async with asyncio.timeout(5):
            assert await model.chat("Say hello", max_tokens=1)


@pytest.mark.asyncio
async def test_a_wrong_key_and_no_key_are_refused(llama_auth: KeyedServer) -> None:
    """401 is AuthenticationFailed; the right key is taken."""
    for key in (None, "hf_wrong"):
        async with local(llama_auth.url, api_key=key) as model:
            with pytest.raises(AuthenticationFailed):
                await model.chat("Say hello")
    async with local(llama_auth.url, api_key=llama_auth.key) as model:
        assert (await model.chat("Say hello", temperature=0)).text == HELLO


@pytest.mark.asyncio
async def test_a_wrong_path_is_not_found(llama: str) -> None:
    """A base that is no API gives the class for it."""
    async with local(f"{llama}/nowhere") as model:
        with pytest.raises(ModelNotFound):
            await model.chat("Say hello")


@pytest.mark.asyncio
async def test_nothing_listening_is_a_refused_connection(unused_tcp_port: int) -> None:
    """A port nobody listens on is told apart from a broken connection."""
    async with local(f"http://127.0.0.1:{unused_tcp_port}") as model:
        with pytest.raises(ConnectionRefused):
            await model.chat("Say hello")


@pytest.mark.asyncio
async def test_a_prompt_too_long_is_a_typed_error(llama: str) -> None:
    """The window's overflow is the server's own words in one of our classes."""
    async with local(llama) as model:
        with pytest.raises(ByteBuddyError, match="context"):
            await model.chat("word " * 6_000)


@pytest.mark.asyncio
async def test_an_error_inside_a_real_stream_is_told(llama: str) -> None:
    """llama.cpp finds its own tool call unreadable in the middle of a 200."""
    body = {
        "temperature": 3.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "seed": 23,
        "cache_prompt": False,
        # Pushes the model into a call it cannot finish.
        "logit_bias": [[770, 6]],
    }
    tool = Tool(
        "get_weather",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    )

    async def read() -> None:
        question = "What is the weather in Paris?"
        async with model.chat(question, tools=[tool], max_tokens=40) as events:
            async for _event in events:
                pass

    async with with_body(llama, body) as model:
        with pytest.raises(ByteBuddyError, match="does not match the expected") as told:
            await read()
    assert told.value.status == 500 or isinstance(told.value, StreamFailed)
