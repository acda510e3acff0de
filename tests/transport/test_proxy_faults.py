"""The rules of proxies that fail: each failure is told, and shows no secret."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from servers.http_proxy import HttpProxy
from servers.proxies import closing
from transport.proxying import (
    BASIC,
    HTTP,
    HTTPS,
    KEY,
    PASSWORD,
    PLAIN,
    asked,
    leaks,
    refused,
    secure_server,
)

from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionLost,
    ConnectTimeout,
    InsecureEndpoint,
    InvalidOption,
    ProxyAuthenticationFailed,
    ProxyFailed,
    Redirected,
)
from bytebuddy_provider_hf.secret import Secret

pytestmark = pytest.mark.asyncio


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
    assert "request_options.proxy" in str(error)


async def test_a_proxy_without_a_name_is_told() -> None:
    """The name that does not exist is the proxy's."""
    proxy = f"http://user:{PASSWORD}@no-such-proxy.invalid:3128"
    error = await refused(HTTPS, ProxyFailed, proxy=proxy)
    assert "name of the proxy no-such-proxy.invalid:3128" in str(error)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "no_proxy"),
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
        ("request_options.proxy", {"proxy": text}),
        ("HTTPS_PROXY", {"env": {"HTTPS_PROXY": text}}),
    ):
        error = await refused(HTTPS, InvalidOption, **more)
        assert name in str(error)
        assert ("SOCKS" in str(error)) == text.startswith("socks")
