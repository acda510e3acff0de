"""What a server said of its window lowers maxTokens before the next call is sent."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from attrs import define, field
from servers.asking import ask
from servers.engines import FakeVllm
from servers.fake_tgi import FakeTgi
from servers.tgi_checks import Limits

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.failures import empty_error, object_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import (
    FakeReply,
    FakeRequest,
    Handler,
    Recorded,
)
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import CompletionOptions, Done, Message, Reply, Usage
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.tokenize import read_token_count, tokenize_request

ENDPOINT = "https://x.endpoints.huggingface.cloud"
NAMED = f"{ENDPOINT}/v1"
LOCAL = "http://127.0.0.1:8000"
ASKED = 4_096
WINDOW = 2_048
HOUR = 3_600.0

_TOKEN = re.compile("[\u4e00-\u9fff]{1,2}|[^\u4e00-\u9fff]{1,4}")


def tokens(text: str) -> list[str]:
    """Cut a text as today's tokenizers do: two Chinese letters, four of others."""
    return _TOKEN.findall(text)


CHINESE = "请解释一下这段代码为什么会在空列表上失败" * 60
assert len(CHINESE) == 1_200
assert len(tokens(CHINESE)) == 600


@define
class Refusing:
    """An OpenAI-style server that tells its window by refusing, and nowhere else."""

    window: int = WINDOW
    overhead: int = 20
    letters: int = 4
    name: str = "org/name"
    finish: str = "stop"
    sent: list[int | None] = field(factory=list)
    probed: int = 0

    async def __call__(self, request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            self.probed += 1
            return json_reply({"data": [{"id": self.name, "object": "model"}]})
        if request.method == "GET":
            return empty_error(404)
        messages, asked = request.value("messages"), request.value("max_tokens")
        assert isinstance(messages, list)
        text = "".join(message["content"] for message in messages)
        prompt = self.overhead + self.count(text)
        answer = asked if isinstance(asked, int) else 16
        self.sent.append(answer)
        if prompt + answer > self.window:
            return object_error(
                400,
                f"This model's maximum context length is {self.window} tokens. "
                f"However, you requested {prompt + answer} tokens ({prompt} in the "
                "messages, "
                f"{answer} in the completion).",
                kind="BadRequestError",
                code=400,
            )
        usage = Usage(prompt, 1, prompt + 1)
        return chat_reply("fine", usage=usage, finish_reason=self.finish)

    def count(self, text: str) -> int:
        return len(re.findall(f"[\u4e00-\u9fff]{{1,2}}|.{{1,{self.letters}}}", text))


def at(
    handler: Handler, base: str, path: Path | None = None, **more: object
) -> HuggingFaceModel:
    """Return a model of a process of its own, which keeps servers in a file."""
    clock = asyncio.get_running_loop().time
    server_cache = None if path is None else ServerCache(path, clock=clock)
    runtime = Runtime(connect=MemoryConnect(handler), server_cache=server_cache)
    return open_model(
        "org/name",
        api_key="hf_x",
        api_base=base,
        runtime=runtime,
        env={"HF_HUB_OFFLINE": "1"},
        state_dir=Path("/nonexistent/.bytebuddy"),
        **more,  # type: ignore[arg-type]  # tests pass what they mean
    )


async def by(role: str, model: HuggingFaceModel) -> Reply:
    """Ask by a role, whole or streamed, for more than the window holds."""
    call = {
        "chat": lambda: model.chat("What is it?", max_tokens=ASKED),
        "complete": lambda: model.complete("It is", max_tokens=ASKED),
        "fill": lambda: model.fill("def a():\n", "\n", max_tokens=ASKED),
        "edit": lambda: model.edit("x = 1\n", "Rename x.", max_tokens=ASKED),
    }[role.removesuffix(", streamed")]()
    if not role.endswith("streamed"):
        return await call
    async with call as events:
        seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    return seen[-1].reply


def posts(tgi: FakeTgi) -> list[str]:
    return [request.path for request in tgi.requests if request.method == "POST"]


ROLES = (
    "chat",
    "chat, streamed",
    "complete",
    "complete, streamed",
    "fill",
    "fill, streamed",
    "edit",
)
# The oldest only continues a text.
SERVED = [("1.1.0", "complete"), ("1.1.0", "complete, streamed")] + [
    (version, role) for version in ("2.1.0", "3.2.0") for role in ROLES
]


@pytest.mark.parametrize(("version", "role"), SERVED)
@virtual_time
async def test_a_server_that_tells_its_window_refuses_nothing(
    version: str, role: str, tmp_path: Path
) -> None:
    """Every role: one request a call after the probe; one in the next process."""
    tgi = FakeTgi(version, answer=lambda _request: "fine")
    path = tmp_path / "servers.json"
    model = at(tgi.handle, ENDPOINT, path)
    for number in range(1, 4):
        reply = await by(role, model)
        assert len(posts(tgi)) == number
        assert any("max_tokens was lowered" in note for note in reply.notes)
    before = len(tgi.requests)
    await by(role, at(tgi.handle, ENDPOINT, path))
    assert len(tgi.requests) - before == 1


@virtual_time
async def test_a_local_server_is_asked_by_each_process(tmp_path: Path) -> None:
    """Its port is another server's tomorrow: a probe, then one request."""
    path = tmp_path / "servers.json"
    for _process in range(2):
        tgi = FakeTgi("3.2.0", answer=lambda _request: "fine")
        await by("chat", at(tgi.handle, LOCAL, path))
        assert len(posts(tgi)) == 1
        assert any(request.method == "GET" for request in tgi.requests)
    assert not path.exists()


@pytest.mark.parametrize("base", [ENDPOINT, NAMED])
@virtual_time
async def test_a_window_told_by_refusing_is_known_from_then_on(
    base: str, tmp_path: Path
) -> None:
    """Two requests, then one, also in the next process; the answer loses no room."""
    server, path = Refusing(), tmp_path / "servers.json"
    model = at(server, base, path)
    counts = []
    for _call in range(3):
        server.sent.clear()
        await by("chat", model)
        counts.append(len(server.sent))
    assert counts == [2, 1, 1]
    server.sent.clear()
    probed = server.probed
    await by("chat", at(server, base, path))
    assert len(server.sent) == 1
    assert server.probed == probed
    assert server.sent[0] is not None
    assert server.sent[0] > WINDOW - 64


@virtual_time
async def test_a_local_window_is_not_kept_on_disk(tmp_path: Path) -> None:
    """What a refusal told on loopback is this process's alone."""
    server, path = Refusing(), tmp_path / "servers.json"
    model = at(server, f"{LOCAL}/v1", path)
    await by("chat", model)
    await by("chat", model)
    assert len(server.sent) == 3
    assert not path.exists()


@pytest.mark.parametrize("kept", [False, True])
@virtual_time
async def test_a_window_is_asked_for_again_after_an_hour(
    kept: bool, tmp_path: Path
) -> None:
    """The server may have been started again with another one."""
    tgi = FakeTgi("3.2.0", answer=lambda _request: "fine")
    path = tmp_path / "servers.json"
    model = at(tgi.handle, ENDPOINT, path)
    await by("chat", model)
    tgi.limits = Limits(input_tokens=512, total_tokens=1_024)
    await asyncio.sleep(HOUR + 1)
    model = at(tgi.handle, ENDPOINT, path) if kept else model
    await by("chat", model)
    assert len(posts(tgi)) == 2
    asked = tgi.requests[-1].value("max_tokens")
    assert isinstance(asked, int)
    assert 900 < asked < 1_024


@virtual_time
async def test_a_refused_window_holds_for_an_hour() -> None:
    """Then the whole of maxTokens is asked for again: it may fit by now."""
    server = Refusing()
    model = at(server, NAMED)
    await by("chat", model)
    server.window = 100_000
    await asyncio.sleep(HOUR + 1)
    await by("chat", model)
    assert server.sent[-1] == ASKED
    assert len(server.sent) == 3


@virtual_time
async def test_what_another_model_told_is_forgotten(tmp_path: Path) -> None:
    """A model swapped behind the address has a window of its own."""
    server, path = Refusing(), tmp_path / "servers.json"
    await by("chat", at(server, ENDPOINT, path))
    server.name, server.window = "org/other", 100_000
    ServerCache(path).delete(f"{ENDPOINT}/v1/chat/completions")
    await by("chat", at(server, ENDPOINT, path))
    assert server.sent[-1] == ASKED


@virtual_time
async def test_a_chinese_answer_loses_no_room_to_the_estimate() -> None:
    """The first refusal counts; from then on the estimate is that server's own."""
    server = Refusing()
    model = at(server, NAMED)
    room = WINDOW - server.overhead - 600
    for number in range(4):
        await model.chat(CHINESE, max_tokens=ASKED)
        assert len(server.sent) == 2 + number
        assert server.sent[-1] is not None
        assert 0.85 * room < server.sent[-1] <= room


@pytest.mark.parametrize(
    ("version", "counted"),
    [("3.2.0", "/chat_tokenize"), ("2.1.0", None)],
)
@virtual_time
async def test_an_estimate_that_would_halve_the_answer_is_counted_first(
    version: str, counted: str | None
) -> None:
    """By the server's tokenizer, once; where it has none, its refusal counts."""
    tgi = FakeTgi(version, answer=lambda _request: "fine", tokens=tokens)
    model = at(tgi.handle, ENDPOINT)
    for _call in range(2):
        reply = await model.chat(CHINESE, max_tokens=ASKED)
        assert reply.text == "fine"
        asked = tgi.requests[-1].value("max_tokens")
        assert isinstance(asked, int)
        assert 0.85 * (WINDOW - 600) < asked <= WINDOW - 600
    chat = "/v1/chat/completions"
    assert posts(tgi) == [counted or chat, chat, chat]


@virtual_time
async def test_a_prompt_is_counted_by_vllm_too() -> None:
    """The route of vLLM takes messages; afterwards its counts are known."""
    vllm = Recorded(FakeVllm("org/name", window=1_000))
    model = at(vllm, ENDPOINT)
    for _call in range(2):
        await model.chat("word " * 699 + "word", max_tokens=ASKED)
    paths = [request.path for request in vllm.requests if request.method == "POST"]
    assert paths == ["/tokenize", "/v1/chat/completions", "/v1/chat/completions"]
    assert vllm.requests[-2].value("max_tokens") == 300


@virtual_time
async def test_a_server_that_cannot_count_is_asked_to_once() -> None:
    """Its 404 is remembered, and fails no call."""
    tgi = FakeTgi("3.2.0", answer=lambda _request: "fine", tokens=tokens)

    async def without(request: FakeRequest) -> FakeReply:
        paths.append(request.path)
        counts = "tokenize" in request.path
        return empty_error(404) if counts else await tgi.handle(request)

    paths: list[str] = []
    model = at(without, ENDPOINT)
    for letter in "甲乙丙":
        assert (await model.chat(letter * 1_200, max_tokens=ASKED)).text == "fine"
    assert paths.count("/chat_tokenize") == 1


@virtual_time
async def test_an_estimate_that_was_too_low_is_cured_by_one_refusal() -> None:
    """Text of more tokens than bytes allow for: refused once, then known."""
    server = Refusing(letters=1)
    model = at(server, NAMED)
    await model.chat("hi", max_tokens=ASKED)
    server.sent.clear()
    for _call in range(2):
        reply = await model.chat("x" * 1_200, max_tokens=ASKED)
        assert reply.text == "fine"
    room = WINDOW - server.overhead - 1_200
    assert len(server.sent) == 3
    assert server.sent[1] == room
    assert server.sent[2] is not None
    assert 0.9 * room < server.sent[2] <= room


@virtual_time
async def test_the_counts_of_answers_correct_the_estimate() -> None:
    """Usage says how long a prompt was: answers get the room back that it left."""
    vllm = Recorded(FakeVllm("org/name", window=WINDOW))
    model = at(vllm, ENDPOINT)
    asked = []
    for _call in range(6):
        await model.chat("word " * 400, max_tokens=ASKED)
        asked.append(vllm.requests[-1].value("max_tokens"))
    assert asked == sorted(asked)  # type: ignore[type-var]  # numbers
    assert asked[-1] > asked[0] + 200  # type: ignore[operator]  # as above
    assert asked[-1] <= WINDOW - 400  # type: ignore[operator]  # as above


@pytest.mark.parametrize("base", [ENDPOINT, NAMED])
@virtual_time
async def test_an_answer_cut_at_a_lowered_figure_says_so_each_time(base: str) -> None:
    """Lowered by the refusal's numbers, or before sending: the note is there."""
    server = Refusing(finish="length")
    model = at(server, base)
    for _call in range(3):
        reply = await by("chat", model)
        assert any("The answer was cut at" in note for note in reply.notes)
    server.finish = "stop"
    reply = await by("chat", model)
    assert not any("The answer was cut at" in note for note in reply.notes)


@virtual_time
async def test_what_fits_is_sent_as_it_was_asked() -> None:
    """Nothing is lowered, or told, where prompt and answer fit the window."""
    tgi = FakeTgi("3.2.0", answer=lambda _request: "fine")
    model = at(tgi.handle, ENDPOINT)
    reply = await model.chat("What is it?", max_tokens=1_900)
    assert tgi.requests[-1].value("max_tokens") == 1_900
    assert reply.notes == ()


@virtual_time
async def test_a_configured_window_is_believed() -> None:
    """ContextLength of the entry lowers where the server says nothing."""
    server = Refusing(window=100_000)
    options = CompletionOptions(context_length=WINDOW)
    model = at(server, NAMED, options=options)
    reply = await by("chat", model)
    assert server.sent[0] is not None
    assert WINDOW - 64 < server.sent[0] < WINDOW
    assert any("max_tokens was lowered" in note for note in reply.notes)


@virtual_time
async def test_what_one_provider_told_does_not_hold_for_the_routers_next() -> None:
    """The router chooses for each call: maxTokens goes out as it was asked."""
    server = Refusing()
    model = open_model(
        "org/name",
        api_key="hf_x",
        runtime=Runtime(connect=MemoryConnect(server)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    await by("chat", model)
    await by("chat", model)
    assert [sent == ASKED for sent in server.sent] == [True, False, True, False]


@virtual_time
async def test_an_answer_that_extra_properties_bound_is_left_alone() -> None:
    """They replace max_tokens in the body: a note that it was lowered would lie."""
    tgi = FakeTgi("3.2.0", answer=lambda _request: "fine")
    options = RequestOptions(extra_body_properties={"max_tokens": 100})
    reply = await by("chat", at(tgi.handle, ENDPOINT, request_options=options))
    assert tgi.requests[-1].value("max_tokens") == 100
    assert reply.notes == ()


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        {"window": "2048"},
        {"window": -1, "ratio": 1.0, "overhead": 3},
        {"window": True, "ratio": "NaN", "overhead": None},
        {"ratio": 1e300, "overhead": 10**30, "longest": -5},
    ],
)
@virtual_time
async def test_a_kept_window_of_another_form_is_as_none(
    tokens: object, tmp_path: Path
) -> None:
    """A file of another version, or of nobody's: the server is asked."""
    server, path = Refusing(), tmp_path / "servers.json"
    loop = asyncio.get_running_loop()
    url = f"{NAMED}/chat/completions"
    kept = {f"{url} org/name": {"at": loop.time(), "tokens": tokens}, url: 7}
    path.write_text(json.dumps({"version": 2, "servers": kept}))
    model = at(server, NAMED, path)
    await by("chat", model)
    assert len(server.sent) == 2
    await by("chat", model)
    assert len(server.sent) == 3


@pytest.mark.parametrize("text", ["word " * 450, CHINESE[:200]])
@pytest.mark.asyncio
async def test_llama_cpp_counts_as_it_reads(llama: str, text: str) -> None:
    """A real server's count of a prompt is the one that its answer tells."""
    request = CompletionRequest(text)
    async with open_model("any/name", api_base=llama, env={}) as model:
        reply = await model.complete(text, max_tokens=1, temperature=0)
        talk = await model.chat(text, max_tokens=1, temperature=0)
    call = tokenize_request(request, model._endpoint.target, LlamaCpp())
    assert call is not None
    status, body = await ask(call)
    count = read_token_count(body, request)
    assert status == 200
    assert reply.usage is not None
    assert count == reply.usage.prompt_tokens
    chat = ChatRequest((Message("user", text),))
    in_talk = read_token_count(body, chat)
    assert talk.usage is not None
    assert in_talk is not None
    assert abs(in_talk - talk.usage.prompt_tokens) < 16
