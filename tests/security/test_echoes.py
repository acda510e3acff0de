"""A server that repeats the key it was sent gets it into no text of ours."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from security.echoing import FORMS, shows_key
from security.provoking import CANARY, KEY, model_at
from security.sinks import shown

from bytebuddy_provider_hf.client import plan
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError, Redirected
from bytebuddy_provider_hf.secret import MASK, Secret, one_line
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream, json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.types import Done

JSON = {"content-type": "application/json"}
ECHO = f'{{"choices": "{CANARY}'.encode()

# Every header that is read of an answer.
READ = (
    *("x-request-id", "location", "retry-after", "retry-after-ms", "ratelimit"),
    *("ratelimit-reset", "x-should-retry", "x-error-code", "x-error-message", "date"),
)


def leaks(error: BaseException) -> list[str]:
    return [sink for sink, text in shown(error) if shows_key(text)]


@pytest.mark.parametrize("code", [302, 400, 401, 404, 500])
@pytest.mark.parametrize("bare", [False, True], ids=["a call", "a probe"])
@pytest.mark.asyncio
async def test_a_key_in_a_header_of_a_failure_is_masked(code: int, bare: bool) -> None:
    """A request's number or a new address may repeat the key as well as a body."""

    async def handler(_request: FakeRequest) -> FakeReply:
        told = f"https://h.example/{CANARY}"
        return FakeReply(code, dict.fromkeys(READ, told), b"{}")

    options = RequestOptions(max_attempts=1)
    async with (
        serve(handler) as url,
        open_model(
            "m",
            api_key=KEY,
            api_base=url if bare else f"{url}/v1",
            request_options=options,
        ) as model,
    ):
        with pytest.raises(APIError) as caught:
            await model.chat("a")
    assert leaks(caught.value) == []
    assert MASK in str(caught.value.request_id)
    if isinstance(caught.value, Redirected):
        assert caught.value.location == f"https://h.example/{MASK}"


@pytest.mark.asyncio
async def test_a_key_in_the_number_of_a_good_answer_is_masked() -> None:
    """Whole and streamed."""

    async def handler(request: FakeRequest) -> FakeReply:
        reply = chat_stream(["a"]) if request.value("stream") else chat_reply("a")
        told = {"x-request-id": f"{CANARY}-1"}
        return FakeReply(200, {**reply.headers, **told}, reply.body)

    async with model_at(handler) as model:
        assert (await model.chat("a")).request_id == f"{MASK}-1"
        async with model.chat("a") as events:
            done = [event async for event in events][-1]
    assert isinstance(done, Done)
    assert done.reply.request_id == f"{MASK}-1"


@pytest.mark.parametrize(
    ("key", "echo"),
    [
        ("Canary/4711/Key", r"Canary\/4711\/Key"),
        ("Canary+4711=Key", "Canary%2B4711%3DKey"),
        ("Canary4711Key", r"\u0043anary4711\u004Bey"),
    ],
)
@pytest.mark.asyncio
async def test_a_key_that_came_back_in_escapes_is_masked(key: str, echo: str) -> None:
    """As PHP writes a slash, as a URL writes a plus sign, as any JSON may."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply(400, {}, f'{{"error":"no such key: {echo}"}}'.encode())

    async with (
        serve(handler) as url,
        open_model("m", api_key=key, api_base=f"{url}/v1") as model,
    ):
        with pytest.raises(APIError) as caught:
            await model.chat("a")
    said = f"{caught.value} {caught.value.body}"
    assert key not in said
    assert echo not in said
    assert f"no such key: {MASK}" in said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "body",
    [
        '{{"error":"no such key: {echo} at all"}}',
        "<html><title>no such key: {echo} at all</title></html>",
        "<html><body>no such <b>key</b>: {echo} at all</body></html>",
        "no such key: {echo} at all",
        '{{"error":{{"message":"no such key: {echo} at all"}}}}',
    ],
    ids=["JSON", "title", "HTML", "text", "nested"],
)
@pytest.mark.asyncio
async def test_a_key_is_masked_in_whatever_form_it_comes_back(
    form: str, body: str
) -> None:
    """Escaped once or twice, cut, or in base64: masked before it is read, and after."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply(400, {}, body.format(echo=FORMS[form](CANARY)).encode())

    async with model_at(handler) as model:
        with pytest.raises(APIError) as caught:
            await model.chat("a")
    said = f"{caught.value} {caught.value.body}"
    assert MASK in said
    assert not shows_key(said)
    assert leaks(caught.value) == []
    assert FORMS[form](CANARY) not in said
    # What stands around it stays.
    assert "no such" in said


@pytest.mark.parametrize("size", [*range(470, 500), *range(960, 1_000)])
def test_a_key_at_a_limit_is_masked(size: int) -> None:
    """Masked first and cut afterwards, also where only a part was left."""
    shown = KEY.scrub(
        one_line("x" * size + f" key {CANARY}.", limit=500 + size // 900 * 500)
    )
    assert CANARY[:8] not in shown
    assert CANARY[:8] not in KEY.scrub(("y" * size + CANARY)[:500])


def test_the_beginning_of_every_key_is_no_secret() -> None:
    """Only what follows it is: an error may name it."""
    said = "keys begin with api_org_ or sk-or-v1-, or hf_"
    for key in (
        "api_org_Canary4711Canary",
        "sk-or-v1-Canary4711Canary",
        "hf_Canary4711",
    ):
        assert Secret(key).scrub(said) == said
        assert Secret(key).scrub(f"{key[:14]}…") == f"{MASK}…"


def test_what_stands_around_stays_as_it_was_written() -> None:
    """JSON stays JSON: only the key's own characters are replaced."""
    told = {"a": f'"{CANARY}" \\ / é \n & &amp; 100 %41', "b": [1, None]}
    for text in (json.dumps(told), json.dumps(told, ensure_ascii=False)):
        masked = json.loads(KEY.scrub(text))
        assert masked == {"a": told["a"].replace(CANARY, MASK), "b": [1, None]}  # type: ignore[attr-defined]  # a text


def test_the_password_of_a_header_is_masked() -> None:
    """A server tells what it read in ``Basic``."""
    pair = base64.b64encode(b"user:Canary/4711").decode()
    assert (
        Secret(f"Basic {pair}").scrub("who is user, Canary/4711?")
        == f"who is user, {MASK}?"
    )


@pytest.mark.asyncio
async def test_the_key_alone_of_a_configured_header_is_masked() -> None:
    """A server repeats what stood after ``Bearer``."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply(401, {}, f"unknown: {CANARY}".encode())

    options = RequestOptions(headers={"Authorization": Secret(f"Bearer {CANARY}")})
    async with (
        serve(handler) as url,
        open_model("m", api_base=f"{url}/v1", request_options=options) as model,
    ):
        with pytest.raises(APIError) as caught:
            await model.chat("a")
    assert leaks(caught.value) == []


@pytest.mark.parametrize("key", ["ollama", "none", "id", "data", "m", "1"])
@pytest.mark.asyncio
async def test_a_placeholder_for_a_key_tears_nothing_apart(key: str) -> None:
    """Local servers are asked with any key: their answers are read as they came."""
    asked: list[object] = []

    async def handler(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            listed = {"id": "tiny-ollama-model", "owned_by": "llamacpp"}
            return json_reply({"object": "list", "data": [listed]})
        asked.append(request.value("model"))
        return chat_reply("a")

    async with serve(handler) as url, open_model("m", api_key=key, api_base=url) as it:
        await it.chat("a")
    assert asked == ["tiny-ollama-model"]


BROKEN = {
    "cut": FakeReply(200, JSON, [ECHO, b"x" * 900], cut=500),
    "too large": FakeReply(200, JSON, [ECHO, b"x" * 9_000], gap=0.01),
    "silent": FakeReply(200, JSON, [ECHO, b"x" * 900], gap=2),
    "costly": FakeReply(200, JSON, [ECHO, b",[" * 20_000, b",[" * 40_000], gap=0.01),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.asyncio
async def test_the_bytes_of_a_broken_answer_stay_out_of_the_frames(
    name: str, monkeypatch: pytest.MonkeyPatch, *, streamed: bool
) -> None:
    """Neither the piece that was read last nor those before are local variables."""
    monkeypatch.setattr(plan, "MAX_REPLY", 2_000 if name == "too large" else 400_000)

    async def handler(_request: FakeRequest) -> FakeReply:
        return BROKEN[name]

    async def ask(model: HuggingFaceModel) -> None:
        if not streamed:
            await model.chat("a")
            return
        async with model.chat("a") as events:
            assert [event async for event in events]

    options = RequestOptions(max_attempts=1, timeout=0.5)
    async with model_at(handler, options) as model:
        with pytest.raises(ByteBuddyError) as caught:
            await ask(model)
    assert leaks(caught.value) == []


@pytest.mark.parametrize("code", [200, 400])
@pytest.mark.asyncio
async def test_so_do_those_of_a_call_that_is_cancelled(code: int) -> None:
    """Its traceback passes the frames that were reading."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply(code, JSON, [ECHO, b"x" * 900], gap=5)

    async with model_at(handler) as model:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.2):
                await model.chat("a")
    assert leaks(caught.value) == []
