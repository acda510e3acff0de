"""A name that only its server knows works wherever a model may be named."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cli.process import CANARY
from client.engines import Asking, at
from names import NAMES
from servers.engines import FakeVllm

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.errors import APIError, ContextTooLong, WrongServedModel
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions

each_name = pytest.mark.parametrize("name", NAMES)
OPTIONS = CompletionOptions(max_tokens=50)


@each_name
@pytest.mark.parametrize("base", ["", "/v1"])
@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_model_is_asked_by_the_name_that_its_server_lists(
    name: str, base: str, streamed: bool
) -> None:
    """As it is written, probed or not, and the reply says whose it is."""
    stand = at(FakeVllm(model=name), name=name, base=f"https://h.example{base}")
    reply = await Asking("chat", streamed, options=OPTIONS)(stand.model)
    assert (stand.sent["model"], reply.model) == (name, name)


@each_name
@virtual_time
async def test_an_error_and_the_log_say_the_name_in_one_line(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, but for a key that somebody put there; no part is taken for a format."""
    caplog.set_level(logging.DEBUG)
    stand = at(FakeVllm(model="other"), name=name, base="https://h.example/v1")
    with pytest.raises(WrongServedModel) as caught:
        await Asking(options=OPTIONS)(stand.model)
    assert name in caught.value.message
    assert "\n" not in str(caught.value)
    assert any(name in record.getMessage() for record in caplog.records)
    secret = f"{name} {CANARY}"
    stand = at(FakeVllm(model="other"), name=secret, base="https://h.example/v1")
    with pytest.raises(APIError) as again:
        await Asking(options=OPTIONS)(stand.model)
    assert CANARY not in str(again.value)


@each_name
@virtual_time
async def test_what_a_server_told_of_a_model_is_kept_under_its_name(
    name: str, tmp_path: Path
) -> None:
    """For the next process, and for no other name at the same address."""
    file = tmp_path / "servers.json"
    vllm = FakeVllm(model=name, window=20)

    async def too_long(model: str) -> None:
        runtime = Runtime(connect=MemoryConnect(vllm), server_cache=ServerCache(file))
        async with open_model(
            model,
            api_base="https://h.example/v1",
            api_key="k",
            runtime=runtime,
            env={},
            state_dir=tmp_path,
        ) as opened:
            await opened.chat("word " * 30)

    with pytest.raises(ContextTooLong):
        await too_long(name)
    url = "https://h.example/v1/chat/completions"
    kept = ServerCache(file).get_tokens(url, name)
    assert kept is not None
    assert kept[0].window == 20
    assert ServerCache(file).get_tokens(url, f"{name}x") is None
