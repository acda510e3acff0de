"""The rules of proxies: which one, what it may see, and how its failures are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from security.sinks import shown
from servers.http_proxy import HttpProxy
from servers.proxies import closing
from servers.tls import Authority, chat_server

from bytebuddy_provider_hf.config.model import RequestOptions
from bytebuddy_provider_hf.engine.model import HuggingFaceModel, open_model
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    ConnectTimeout,
    InsecureEndpoint,
    InvalidOption,
    ProxyAuthenticationFailed,
    ProxyFailed,
    Redirected,
    UnknownAuthority,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.hub import FakeHub

pytestmark = pytest.mark.asyncio

KEY = "Canary4711OfTheKey"
PASSWORD = "Canary0815%40OfTheProxy"  # %40 is an @
PLAIN = "Canary0815@OfTheProxy"
ENCODED = "dXNlcjpDYW5hcnkwODE1QE9mVGhlUHJveHk="
SECRETS = (KEY, PASSWORD, PLAIN, ENCODED)
BASIC = f"Proxy-Authorization: Basic {ENCODED}"


def model_at(
    url: str,
    *,
    key: str | None = KEY,
    env: Mapping[str, str] | None = None,
    **options: object,
) -> HuggingFaceModel:
    request_options = RequestOptions(max_attempts=1, **options)  # type: ignore[arg-type]  # tests pass what they mean
    return open_model(
        "m",
        api_key=key,
        api_base=f"{url}/v1",
        env=env or {},
        request_options=request_options,
    )


async def asked(url: str, **more: object) -> str:
    """Ask once and return the text."""
    async with model_at(url, **more) as model:  # type: ignore[arg-type]  # as above
        return (await model.chat("a")).text


async def refused(
    url: str, kind: type[ByteBuddyError], **more: object
) -> ByteBuddyError:
    """Ask, and return the error, which shows neither key nor password."""
    with pytest.raises(ByteBuddyError) as caught:
        await asked(url, **more)
    assert type(caught.value) is kind
    assert caught.value.hint or kind is Redirected
    assert leaks(caught.value) == []
    return caught.value


def leaks(error: BaseException) -> list[str]:
    """Return the sinks that show a secret, the tests' own frames left out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sinks = shown(error.with_traceback(trace))
    return [sink for sink, text in sinks if any(secret in text for secret in SECRETS)]


@asynccontextmanager
async def secure_server(
    folder: Path, *, raw: bytes = b"", heads: list[str] | None = None, **more: object
) -> AsyncIterator[tuple[HttpProxy, str]]:
    """Serve https://model.test, which only the proxy can find."""
    authority = Authority(folder)
    with chat_server(authority.server("model.test"), raw=raw, heads=heads) as port:
        proxy = HttpProxy(names={"model.test:443": port}, **more)  # type: ignore[arg-type]  # as above
        async with proxy.serve():
            yield proxy, authority.bundle


@asynccontextmanager
async def plain_server(**more: object) -> AsyncIterator[tuple[HttpProxy, FakeHub]]:
    """Serve http://model.test, which only the proxy can find."""
    hub = FakeHub()
    async with hub.serve() as url:
        port = int(url.rpartition(":")[2])
        proxy = HttpProxy(names={"model.test": port}, **more)  # type: ignore[arg-type]  # as above
        async with proxy.serve():
            yield proxy, hub


HTTPS, HTTP = "https://model.test", "http://model.test"


async def test_https_goes_through_a_tunnel(tmp_path: Path) -> None:
    """The proxy sees a CONNECT and nothing of key, headers and prompt."""
    heads: list[str] = []
    async with secure_server(tmp_path, heads=heads) as (proxy, bundle):
        text = await asked(
            HTTPS,
            proxy=proxy.url,
            ca_bundle_path=(bundle,),
            headers={"X-Team": Secret("blue")},
        )
    assert text == "fine"
    (head,) = proxy.heads
    assert head.startswith("CONNECT model.test:443 HTTP/1.1\r\n")
    for word in (KEY, "authorization", "x-team", "blue"):
        assert word.lower() not in head.lower()
    assert f"Authorization: Bearer {KEY}" in heads[0]
    assert "X-Team: blue" in heads[0]
    assert "proxy-authorization" not in heads[0].lower()


async def test_http_goes_in_absolute_form() -> None:
    """A plain server is asked through the proxy, by its whole URL."""
    async with plain_server() as (proxy, hub):
        assert await asked(HTTP, key=None, proxy=proxy.url)
    assert proxy.heads[0].startswith("POST http://model.test/v1/chat/completions ")
    assert len(hub.requests) == 1


@pytest.mark.parametrize("url", [HTTPS, HTTP])
async def test_a_proxy_gets_its_user(tmp_path: Path, url: str) -> None:
    """User and password of its address, decoded, and only to the proxy."""
    heads: list[str] = []
    guarded = {"user": "user", "password": PLAIN}
    if url == HTTPS:
        async with secure_server(tmp_path, heads=heads, **guarded) as (proxy, bundle):
            address = proxy.url_for("user", PASSWORD)
            text = await asked(url, proxy=address, ca_bundle_path=(bundle,))
    else:
        async with plain_server(**guarded) as (proxy, hub):
            address = proxy.url_for("user", PASSWORD)
            text = await asked(url, key=None, proxy=address)
        heads.append(str(hub.requests[0].headers))
    assert text
    assert BASIC in proxy.seen
    assert "proxy-authorization" not in heads[0].lower()


@pytest.mark.parametrize("url", [HTTPS, HTTP])
@pytest.mark.parametrize("user", ["", "user:wrong"])
async def test_a_proxy_that_wants_another_user_is_told(url: str, user: str) -> None:
    """407 has a class of its own, and tells none from wrong."""
    async with HttpProxy(user="user", password=PLAIN).serve() as proxy:
        address = proxy.url.replace("://", f"://{user}@" if user else "://")
        key = KEY if url == HTTPS else None
        error = await refused(url, ProxyAuthenticationFailed, key=key, proxy=address)
    assert proxy.url.removeprefix("http://") in str(error)
    assert ("refused the user" if user else "wants a user") in str(error)
    assert error.status == 407
    assert "wrong" not in str(error)


@pytest.mark.parametrize("url", [HTTPS, HTTP])
async def test_a_proxy_that_is_down_is_told(url: str, unused_tcp_port: int) -> None:
    """It is the proxy where nothing listens, not the server."""
    key = KEY if url == HTTPS else None
    place = f"127.0.0.1:{unused_tcp_port}"
    proxy = f"http://user:{PASSWORD}@{place}"
    error = await refused(url, ProxyFailed, key=key, proxy=proxy)
    assert f"No connection to the proxy {place}: nothing listens there." in str(error)
    assert "requestOptions.proxy" in str(error)


async def test_a_proxy_without_a_name_is_told() -> None:
    """The name that does not exist is the proxy's."""
    proxy = f"http://user:{PASSWORD}@no-such-proxy.invalid:3128"
    error = await refused(HTTPS, ProxyFailed, proxy=proxy)
    assert "name of the proxy no-such-proxy.invalid:3128" in str(error)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "noProxy"),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "does not reach"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\n\r\n", "302"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
    ],
)
async def test_a_proxy_that_gives_no_tunnel_is_told(answer: bytes, said: str) -> None:
    """Forbidden, unreachable, pointing elsewhere, or no proxy at all."""
    async with HttpProxy(refusal=answer).serve() as proxy:
        error = await refused(HTTPS, ProxyFailed, proxy=proxy.url_for("user", PASSWORD))
    assert said in str(error)
    assert len(proxy.heads) == 1


async def test_a_proxy_that_does_not_find_the_server_is_told() -> None:
    """The name is looked up by the proxy; its 502 names both."""
    async with HttpProxy().serve() as proxy:
        error = await refused(
            "https://no-such-host.invalid", ProxyFailed, proxy=proxy.url
        )
    assert "no-such-host.invalid" in str(error)
    assert error.status == 502


async def test_a_proxy_that_hangs_up_is_told() -> None:
    """The lost connection names the proxy it went through."""
    async with HttpProxy(refusal=b"").serve() as proxy:
        error = await refused(HTTPS, ConnectionLost, proxy=proxy.url)
    assert f"through the proxy 127.0.0.1:{proxy.port}" in str(error)


async def test_a_silent_proxy_is_given_up() -> None:
    """The wait for the tunnel is part of connectTimeout."""

    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with closing(writer):
            await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(
            HTTPS,
            ConnectTimeout,
            proxy=f"http://127.0.0.1:{port}",
            connect_timeout=0.1,
        )
    assert f"through the proxy 127.0.0.1:{port}" in str(error)


@pytest.mark.parametrize("url", [HTTPS, HTTP])
async def test_no_redirect_is_followed_through_a_proxy(
    tmp_path: Path, url: str
) -> None:
    """One request, whatever the server points at."""
    moved = b"HTTP/1.1 307 Moved\r\nlocation: https://model.test/x\r\n\r\n"
    if url == HTTPS:
        async with secure_server(tmp_path, raw=moved) as (proxy, bundle):
            await refused(url, Redirected, proxy=proxy.url, ca_bundle_path=(bundle,))
    else:
        async with HttpProxy(refusal=moved).serve() as proxy:
            await refused(url, Redirected, key=None, proxy=proxy.url)
    assert len(proxy.heads) == 1


async def test_a_proxy_may_speak_tls(tmp_path: Path) -> None:
    """A tunnel within TLS; the proxy's certificate is checked as any other."""
    proxy_authority = Authority(tmp_path, "proxy")
    async with secure_server(tmp_path, tls=proxy_authority.server()) as (proxy, bundle):
        both = (bundle, proxy_authority.bundle)
        assert await asked(HTTPS, proxy=proxy.url, ca_bundle_path=both) == "fine"
        error = await refused(
            HTTPS, UnknownAuthority, proxy=proxy.url, ca_bundle_path=(bundle,)
        )
    assert f"vouches for the proxy 127.0.0.1:{proxy.port}" in str(error)
    assert proxy.seen.count("CONNECT") == 1


async def test_a_plain_server_behind_a_proxy_that_speaks_tls(tmp_path: Path) -> None:
    """The way to the proxy is encrypted, and its certificate checked."""
    authority = Authority(tmp_path, "proxy")
    async with plain_server(tls=authority.server()) as (proxy, hub):
        bundles = (authority.bundle,)
        assert await asked(HTTP, key=None, proxy=proxy.url, ca_bundle_path=bundles)
        await refused(HTTP, UnknownAuthority, key=None, proxy=proxy.url)
    assert len(hub.requests) == 1


async def test_the_certificate_of_the_server_is_checked_in_a_tunnel(
    tmp_path: Path,
) -> None:
    """A proxy that pretends to be the server is found out."""
    async with secure_server(tmp_path) as (proxy, _bundle):
        error = await refused(HTTPS, UnknownAuthority, proxy=proxy.url)
    assert "vouches for model.test" in str(error)


async def test_a_tunnel_is_kept(tmp_path: Path) -> None:
    """A second call takes the connection of the first."""
    authority = Authority(tmp_path)
    body = chat_reply("fine").content

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            await reader.readexactly(size)
            kind = "content-type: application/json\r\n"
            head = f"HTTP/1.1 200 OK\r\n{kind}content-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closing(writer):
            with suppress(OSError, asyncio.IncompleteReadError):
                await keep(reader, writer)

    tls = authority.server("model.test")
    server = await asyncio.start_server(kept, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server, HttpProxy(names={"model.test:443": port}).serve() as proxy:
        address = proxy.url_for("user", PASSWORD)
        async with model_at(
            HTTPS, proxy=address, ca_bundle_path=(authority.bundle,)
        ) as model:
            for _ in range(3):
                assert (await model.chat("a")).text == "fine"
    assert len(proxy.heads) == 1


async def test_the_environment_names_proxy_and_authority(tmp_path: Path) -> None:
    """As most programs of a company's machine find them."""
    async with secure_server(tmp_path, user="user", password=PLAIN) as (proxy, bundle):
        address = proxy.url_for("user", PASSWORD)
        env = {"HTTPS_PROXY": address, "SSL_CERT_FILE": bundle}
        assert await asked(HTTPS, env=env) == "fine"
    assert len(proxy.heads) == 1


async def test_this_machine_is_asked_directly(unused_tcp_port: int) -> None:
    """A proxy of the environment is not for llama.cpp on the next port."""
    proxy = f"http://127.0.0.1:{unused_tcp_port}"
    env = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy}
    async with FakeHub().serve() as url:
        assert await asked(url, env=env)


async def test_no_netrc_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither server nor proxy gets what stands there, nor the process's proxy."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with plain_server() as (proxy, hub):
        await asked(HTTP, key=None, proxy=proxy.url)
    assert "authorization" not in hub.requests[0].headers
    assert "authorization" not in proxy.seen.lower()


async def test_no_token_goes_unencrypted_past_a_proxy() -> None:
    """A plain server elsewhere gets none; nor does one here, through a proxy there."""
    await refused(HTTP, InsecureEndpoint, proxy="http://127.0.0.1:3128")
    far = f"http://user:{PASSWORD}@proxy.test:3128"
    error = await refused("http://127.0.0.1:8080", InsecureEndpoint, proxy=far)
    assert "proxy.test:3128" in str(error)
    headers = {"X-Key": Secret(KEY)}
    here = "http://localhost:8080"
    await refused(here, InsecureEndpoint, key=None, proxy=far, headers=headers)


async def test_a_proxy_that_echoes_its_password_is_masked() -> None:
    """What it says in a plain error is shown without it."""
    body = f"go away, {PLAIN} {BASIC}".encode()
    head = f"HTTP/1.1 403 No\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    async with HttpProxy(refusal=head + body).serve() as proxy:
        address = proxy.url_for("user", PASSWORD)
        with pytest.raises(ByteBuddyError) as caught:
            await asked(HTTP, key=None, proxy=address)
    assert leaks(caught.value) == []


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{KEY}/@proxy.test:1",
        f"http://user:{KEY}#@proxy.test:1",
        f"http://user:{KEY}@proxy.test:port",
        f"http://user:{KEY}@proxy.test:0",
        f"http://user:{KEY}@",
        f"http://user:{KEY}@[::1",
        f"http://user:{KEY}@pro xy:1",
        f"http://user:{KEY}@proxy.test/path",
        f"socks5h://user:{KEY}@proxy.test:1080",
        f"ftp://user:{KEY}@proxy.test",
        f"http://user:{KEY}@proxy\u00e9.test:1",
    ],
)
async def test_a_proxy_that_cannot_be_used_is_told(text: str) -> None:
    """The error names where it stands, and shows nothing of it."""
    for name, more in (
        ("requestOptions.proxy", {"proxy": text}),
        ("HTTPS_PROXY", {"env": {"HTTPS_PROXY": text}}),
    ):
        error = await refused(HTTPS, InvalidOption, **more)
        assert name in str(error)
        assert ("SOCKS" in str(error)) == text.startswith("socks")
