"""The rules of proxies: what goes through one, and what it may see."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from servers.http_proxy import HttpProxy
from servers.proxies import closing
from servers.tls import Authority
from transport.proxying import (
    BASIC,
    HTTP,
    HTTPS,
    KEY,
    PASSWORD,
    PLAIN,
    asked,
    model_at,
    plain_server,
    refused,
    secure_server,
)

from bytebuddy_provider_hf.errors import (
    UnknownAuthority,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply
from bytebuddy_provider_hf.testing.hub import FakeHub

pytestmark = pytest.mark.asyncio


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
