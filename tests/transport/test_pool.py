"""The rules of real connections."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from aioresponses import aioresponses

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ConnectionLost,
    ConnectTimeout,
    HostNotFound,
    InvalidOption,
    MalformedResponse,
    ResponseTooLarge,
    TlsFailed,
    UnexpectedStatus,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply
from bytebuddy_provider_hf.transport.http_client import Destination
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.types import Done
from bytebuddy_provider_hf.wire.http_request import HttpRequest

pytestmark = pytest.mark.asyncio

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = chat_reply("fine").content


@asynccontextmanager
async def raw_server(
    answer: Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve whatever bytes ``answer`` writes, and close the connection after it."""
    busy: set[asyncio.Task[None]] = set()

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        task.add_done_callback(busy.discard)
        try:
            await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return  # the client is gone, as some tests want
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()
        for task in tuple(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def says(raw: bytes) -> Answer:
    """Return a server that reads a request's head and says ``raw``."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return answer


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def local(url: str, **more: object) -> HuggingFaceModel:
    return open_model("m", api_base=f"{url}/v1", env={}, **more)  # type: ignore[arg-type]  # tests pass what they mean


async def test_a_redirect_is_not_followed() -> None:
    """Neither key nor prompt goes where a server points, not even to itself."""
    other = FakeHub()
    async with other.serve() as elsewhere:
        for status in ("301", "302", "303", "307", "308"):
            raw = http(f"{status} Moved", b"", f"location: {elsewhere}/v1/x")
            async with (
                raw_server(says(raw)) as url,
                local(url, api_key="hf_key") as model,
            ):
                with pytest.raises(UnexpectedStatus):
                    await model.chat("a")
    assert other.records == []


async def test_a_kept_connection_that_the_server_closed_is_not_an_error() -> None:
    """One free resend: the server hung up between two calls, unseen by us."""
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        served += 1
        writer.write(http("200 OK", OK, "content-type: application/json"))
        await writer.drain()
        # Keep it open until the next request's first bytes, then hang up on them.
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(once) as url, local(url) as model:
        for _ in range(4):
            assert (await model.chat("a")).text == "fine"
            await asyncio.sleep(0.01)
    assert served == 4


async def test_a_fresh_connection_that_breaks_gets_no_free_resend() -> None:
    """Hanging up on a new connection is a failure: one request for each attempt."""
    seen = 0

    async def hang_up(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1

    options = RequestOptions(max_attempts=1)
    async with (
        raw_server(hang_up) as url,
        local(url, request_options=options) as model,
    ):
        with pytest.raises(ConnectionLost):
            await model.chat("a")
    assert seen == 1


async def test_connections_are_kept_after_streams() -> None:
    """The end of a stream is read to its last byte, so the next call reuses it."""
    connections = 0
    hub = FakeHub()
    async with hub.serve() as url:

        async def count(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            nonlocal connections
            connections += 1
            host, port = url.removeprefix("http://").split(":")
            up_reader, up_writer = await asyncio.open_connection(host, int(port))

            async def pump(a: asyncio.StreamReader, b: asyncio.StreamWriter) -> None:
                while data := await a.read(65_536):
                    b.write(data)
                    await b.drain()
                b.close()

            try:
                await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
            finally:
                up_writer.close()

        async with raw_server(count) as proxy, local(proxy) as model:
            for _ in range(5):
                async with model.chat("a") as events:
                    async for _event in events:
                        pass
    assert connections == 1


async def test_a_large_prompt_is_sent_whole() -> None:
    """Three megabytes leave without a warning."""
    async with FakeHub().serve() as url, local(url) as model:
        assert (await model.chat("x" * 3_000_000)).text


async def test_an_answer_without_end_is_refused() -> None:
    """65 MiB of whole answer is a typed error, not memory."""

    async def endless(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        for _ in range(70):
            writer.write(b" " * 1_048_576)
            await writer.drain()

    async with raw_server(endless) as url, local(url) as model:
        with pytest.raises(ResponseTooLarge):
            await model.chat("a")


async def test_a_compressed_bomb_is_refused() -> None:
    """100 kB that unpack to 100 MB are counted unpacked."""
    bomb = gzip.compress(b" " * 100_000_000)
    raw = http(
        "200 OK", bomb, "content-type: application/json", "content-encoding: gzip"
    )
    async with raw_server(says(raw)) as url, local(url) as model:
        with pytest.raises(ResponseTooLarge):
            await model.chat("a")


async def _drained(model: HuggingFaceModel) -> None:
    async with model.chat("a") as events:
        _ = [event async for event in events]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
async def test_bytes_that_become_too_many_are_refused(
    status: str, *, streamed: bool
) -> None:
    """200 times their size, after the first MiB: no JSON is as dull."""
    said = b'{"choices":[{"message":{"content":"' + b"a" * 1_100_000
    body = gzip.compress(said + b'"}}]}')
    kind = "content-type: application/json"
    raw = http(status, body, kind, "content-encoding: gzip")
    wanted = ResponseTooLarge if status == "200 OK" else APIError
    async with raw_server(says(raw)) as url, local(url) as model:
        with pytest.raises(wanted) as caught:
            await (_drained(model) if streamed else model.chat("a"))
    if wanted is ResponseTooLarge:
        assert "200 times" in str(caught.value)


async def test_json_is_judged_while_it_comes() -> None:
    """What has too many elements is not waited for, nor kept."""
    sent = 0

    async def endless(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        writer.write(b'{"choices":[{"message":{"tool_calls":[{}')
        for _ in range(160):
            writer.write(b",{}" * 21_845)
            sent += 1
            await writer.drain()

    async with raw_server(endless) as url, local(url) as model:
        with pytest.raises(ResponseTooLarge, match="32,768 JSON elements"):
            await model.chat("a")
    # The rest stays with the server: some is in the sockets' buffers.
    assert sent < 150


@pytest.mark.measured
async def test_what_is_packed_gives_others_their_turn() -> None:
    """64 KiB become megabytes: they are not unpacked in one go."""
    said = " ".join(map(str, range(250_000)))
    answer = {"choices": [{"message": {"content": said}}]}
    body = gzip.compress(json.dumps(answer).encode())
    raw = http("200 OK", body, "content-encoding: gzip")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with raw_server(says(raw)) as url, local(url) as model:
        # The first call imports what calls need.
        await model.chat("a", max_tokens=100_000)
        counting = asyncio.create_task(count())
        before = turns
        await model.chat("a", max_tokens=100_000)
        counting.cancel()
    assert turns - before > 16


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", ConnectionLost),
        (b"HTTP/1.1 200 OK\r\n", ConnectionLost),
        (b"SSH-2.0-OpenSSH_9.2\r\n", MalformedResponse),
        (b"HTTP/1.1 abc\r\n\r\n", MalformedResponse),
        (http("200 OK", OK)[:-5], ConnectionLost),
        (http("200 OK", b"<html>"), MalformedResponse),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, MalformedResponse),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            MalformedResponse,
        ),
    ],
)
async def test_nonsense_is_a_typed_error(raw: bytes, kind: type[Exception]) -> None:
    """Whatever bytes come back, the error is one of ours."""
    async with raw_server(says(raw)) as url, local(url) as model:
        with pytest.raises((kind, ConnectionLost)):
            await model.chat("a")


def bare_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", ["200 OK", "201 Created", "203 Transformed"])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("identity", bytes),
        ("utf-8", bytes),
    ],
)
async def test_a_good_answer_is_read_however_it_is_packed(
    encoding: str, pack: Callable[[bytes], bytes], status: str, *, streamed: bool
) -> None:
    """In one member or several, with zlib's header or without, with any good status."""
    kind = "content-type: application/json"
    raw = http(status, pack(OK), kind, f"content-encoding: {encoding}")
    async with raw_server(says(raw)) as url, local(url) as model:
        if not streamed:
            assert (await model.chat("a")).text == "fine"
            return
        async with model.chat("a") as events:
            seen = [event async for event in events]
    assert isinstance(seen[-1], Done)
    assert seen[-1].reply.text == "fine"


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize(
    ("encoding", "body", "named"),
    [
        ("br", b"\x0b\x02\x80", "br"),
        ("zstd", b"\x28\xb5\x2f\xfd", "zstd"),
        ("gzip", OK, "gzip"),
        ("deflate", b"\xff" * 20, "deflate"),
        ("gzip", gzip.compress(OK, mtime=0)[:15], "gzip"),
    ],
)
async def test_an_encoding_that_cannot_be_read_is_named(
    status: int, encoding: str, body: bytes, named: str
) -> None:
    """With the status, which may say more, and what to do about it."""
    kind = "content-type: application/json"
    raw = http(f"{status} X", body, kind, f"content-encoding: {encoding}")
    once = RequestOptions(max_attempts=1)
    async with raw_server(says(raw)) as url, local(url, request_options=once) as model:
        with pytest.raises(ByteBuddyError) as caught:
            await model.chat("a")
    error = caught.value
    assert error.status == status
    assert isinstance(error, MalformedResponse if status == 200 else APIError)
    assert re.search(rf"\b{named}\b", str(error))
    assert "compress" in str(error) or "content-encoding" in str(error)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((f"content-security-policy: {'a' * 9_000}",), "header line"),
        (("content-length: 4",), "length of its answer"),
        (("transfer-encoding: chunked",), "length of its answer"),
    ],
)
async def test_a_head_that_cannot_be_read_is_named(
    headers: tuple[str, ...], said: str
) -> None:
    """Nobody is told to look at api_base for a header of a proxy."""
    raw = http("200 OK", OK, *headers)
    async with raw_server(says(raw)) as url, local(url) as model:
        with pytest.raises(MalformedResponse, match=said) as caught:
            await model.chat("a")
    assert "proxy" in (caught.value.hint or "")
    assert "api_base" not in str(caught.value)


async def test_a_host_that_does_not_exist_is_told() -> None:
    """DNS has a class of its own."""
    model = open_model("a/b", api_base="https://no-such-host.invalid", env={})
    async with model:
        with pytest.raises(HostNotFound, match=r"no-such-host\.invalid"):
            await model.chat("a")


async def test_a_host_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ConnectTimeout bounds the connecting, not the call."""

    async def never(*_args: object, **_more: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    options = RequestOptions(connect_timeout=0.1)
    async with local("http://127.0.0.1:9", request_options=options) as model:
        with pytest.raises(ConnectTimeout):
            await model.chat("a")


async def test_a_private_authority_is_trusted_when_named(tmp_path: object) -> None:
    """An unknown authority is refused; ca_bundle_path makes it known."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    bundle = f"{tmp_path}/ca.pem"
    authority.cert_pem.write_to_path(bundle)
    raw = http("200 OK", OK, "content-type: application/json")
    async with raw_server(says(raw), tls) as url:
        async with local(url) as model:
            with pytest.raises(TlsFailed):
                await model.chat("a")
        options = RequestOptions(ca_bundle_path=(bundle,))
        async with local(url, request_options=options) as model:
            assert (await model.chat("a")).text == "fine"


async def test_a_bundle_that_cannot_be_read_is_named(tmp_path: object) -> None:
    """The error names the file and the key."""
    options = RequestOptions(ca_bundle_path=(f"{tmp_path}/none.pem",))
    async with local("https://127.0.0.1:9", request_options=options) as model:
        with pytest.raises(InvalidOption, match=r"ca_bundle_path .*none\.pem"):
            await model.chat("a")


async def test_what_travels_with_a_request(aiomock: aioresponses) -> None:
    """One POST to the router, bearer key, JSON, identity encoding for streams."""
    aiomock.post(
        "https://router.huggingface.co/v1/chat/completions",
        body=OK,
        content_type="application/json",
        repeat=True,
    )
    options = RequestOptions(headers={"X-HF-Bill-To": Secret("my-org")})
    async with open_model(
        "org/name:fastest",
        api_key="hf_key",
        api_base="https://api-inference.huggingface.co",
        request_options=options,
    ) as model:
        reply = await model.chat("a")
        async with model.chat("a") as events:
            async for _ in events:
                pass
    assert "shut down" in reply.notes[0]
    (first, second) = next(iter(aiomock.requests.values()))
    assert first.kwargs["allow_redirects"] is False
    assert first.kwargs["data"].startswith(b'{"model":"org/name:fastest"')
    assert second.kwargs["headers"]["Accept-Encoding"] == "identity"
    assert first.kwargs["headers"]["Accept-Encoding"] == "gzip, deflate"


async def test_the_headers_that_arrive() -> None:
    """The key, the agent and configured headers are there; no cookie ever is."""
    hub = FakeHub(
        {"m": Behaviour(always=FakeReply(headers={"set-cookie": "a=b"}, body=OK))}
    )
    options = RequestOptions(headers={"X-Team": Secret("blue")})
    async with (
        hub.serve() as url,
        local(url, api_key="hf_key", request_options=options) as model,
    ):
        await model.chat("a")
        await model.chat("a")
    headers = hub.requests[1].headers
    assert headers["authorization"] == "Bearer hf_key"
    assert headers["x-team"] == "blue"
    assert headers["content-type"] == "application/json"
    assert "bytebuddy-provider-hf" in headers["user-agent"]
    assert "cookie" not in headers


async def test_what_is_told_of_all_calls_a_call_may_tell_anew() -> None:
    """One header of a name arrives: the call's, else that of the way there."""
    hub = FakeHub({"m": Behaviour(always=FakeReply(body=OK))})
    told = (("X-HF-Session-id", "job"), ("X-HF-Bill-To", "my-org"))
    async with hub.serve() as url:
        client = AiohttpClient(Destination(url, told=told))
        for headers in ((), (("X-HF-Session-id", "a talk"),)):
            path = f"{url}/v1/chat/completions"
            body = b'{"model":"m","messages":[]}'
            (await client.send(HttpRequest(path, body, headers=headers))).close()
        await client.aclose()
    sessions = [request.headers["x-hf-session-id"] for request in hub.requests]
    assert sessions == ["job", "a talk"]
    assert {request.headers["x-hf-bill-to"] for request in hub.requests} == {"my-org"}


async def test_everything_sent_is_counted() -> None:
    """A channel counts the requests that left."""
    async with FakeHub().serve() as url:
        client = AiohttpClient(Destination(url))
        response = await client.send(HttpRequest(f"{url}/v1/models", method="GET"))
        assert response.status == 200
        await response.read(10_000)
        response.close()
        assert (client.sent, client.connections) == (1, 0)
        await client.aclose()
