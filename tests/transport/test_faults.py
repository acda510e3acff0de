"""What kept a request from its server: each cause has a class and a next step."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

import pytest
from aiohttp import ConnectionTimeoutError
from servers.http_proxy import HttpProxy
from servers.proxies import closing

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionFailed,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    HostLookupFailed,
    HostNotFound,
    HostUnreachable,
    InvalidOption,
    ProxyAuthenticationFailed,
    ProxyFailed,
)
from bytebuddy_provider_hf.secret import MASK
from bytebuddy_provider_hf.texts import render
from bytebuddy_provider_hf.transport.faults import Hop, translate
from bytebuddy_provider_hf.transport.pool import NameLookups
from bytebuddy_provider_hf.transport.proxies import Proxy

pytestmark = pytest.mark.asyncio

SERVER = "https://model.test"
PROXY = "http://proxy.test:3128"


async def refused(base: str, *, attempts: int = 1, **options: object) -> ByteBuddyError:
    """Ask, and return the error; what it says next can be read."""
    request_options = RequestOptions(max_attempts=attempts, **options)  # type: ignore[arg-type]  # tests pass what they mean
    with pytest.raises(ByteBuddyError) as caught:
        async with open_model(
            "m", api_base=base, env={}, request_options=request_options
        ) as model:
            await model.chat("a")
    assert caught.value.hint
    assert MASK not in str(caught.value), "what masks secrets made it unreadable"
    return caught.value


def never(code: int, calls: list[int]) -> Callable[..., object]:
    async def connect(*_args: object) -> None:
        calls.append(code)
        raise OSError(code, os.strerror(code))

    return connect


# What the system says, our class, and how often it is tried within three attempts.
CONNECTING = [
    (errno.ECONNREFUSED, ConnectionRefused, 3),
    (errno.ENETUNREACH, HostUnreachable, 3),
    (errno.EHOSTUNREACH, HostUnreachable, 3),
    (errno.ENETDOWN, HostUnreachable, 3),
    (errno.ETIMEDOUT, ConnectTimeout, 3),
    (errno.EACCES, ConnectionFailed, 1),
]


@pytest.mark.parametrize(("code", "kind", "tries"), CONNECTING)
async def test_why_there_is_no_connection(
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[ByteBuddyError],
    tries: int,
) -> None:
    """Refused, unreachable and silent are told apart; what may pass is tried again."""
    calls: list[int] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "sock_connect", never(code, calls))
    monkeypatch.setattr("bytebuddy_provider_hf.scheduling.retry._TRANSIENT_BASE", 0.001)
    error = await refused("https://192.0.2.1", attempts=3)
    assert type(error) is kind
    assert "192.0.2.1" in str(error)
    assert len(calls) == tries


async def test_a_failure_can_be_said_in_chinese(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the system says, an address and an option's name stay as they are."""
    calls: list[int] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "sock_connect", never(errno.ENETUNREACH, calls))
    error = await refused("https://192.0.2.1")
    reason = os.strerror(errno.ENETUNREACH)
    assert error.message == f"There is no way to 192.0.2.1: {reason}."
    assert render(error.message, "zh") == f"无法到达 192.0.2.1：{reason}。"
    assert "request_options.proxy" in render(error.hint or "", "zh")
    assert render(error.hint or "", "zh") != error.hint


async def test_several_addresses_that_nothing_leads_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of IPv6 and one of IPv4, each with words of its own."""
    codes = {socket.AF_INET6: errno.ENETUNREACH, socket.AF_INET: errno.EHOSTUNREACH}

    async def both(*_args: object, **_more: object) -> list[object]:
        kind, protocol = socket.SOCK_STREAM, socket.IPPROTO_TCP
        return [
            (socket.AF_INET6, kind, protocol, "", ("2001:db8::1", 443, 0, 0)),
            (socket.AF_INET, kind, protocol, "", ("192.0.2.1", 443)),
        ]

    async def connect(sock: socket.socket, _address: object) -> None:
        code = codes[sock.family]
        raise OSError(code, os.strerror(code))

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(NameLookups, "getaddrinfo", both)
    monkeypatch.setattr(loop, "sock_connect", connect)
    assert type(await refused(SERVER)) is HostUnreachable
    codes[socket.AF_INET] = errno.ECONNREFUSED
    assert type(await refused(SERVER)) is ConnectionRefused


LOOKUPS = [
    (socket.EAI_NONAME, HostNotFound),
    (socket.EAI_NODATA, HostNotFound),
    (socket.EAI_AGAIN, HostLookupFailed),
    (socket.EAI_FAIL, HostLookupFailed),
    (socket.EAI_MEMORY, HostLookupFailed),
    (socket.EAI_SYSTEM, HostLookupFailed),
]


async def test_the_way_through_a_proxy_is_said_in_chinese() -> None:
    """It stands elsewhere in the sentence, and not at all where there is no proxy."""
    through = Hop(SERVER, Proxy("http", "proxy.test", 3128))
    told = [
        render(translate(ConnectionTimeoutError(), hop).message, "zh")
        for hop in (through, Hop(SERVER))
    ]
    assert told == [
        "未能及时通过代理 proxy.test:3128 连接到 model.test。",
        "未能及时连接到 model.test。",
    ]


@pytest.mark.parametrize(("code", "kind"), LOOKUPS)
async def test_why_a_name_was_not_found(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[ByteBuddyError]
) -> None:
    """A name that is not there, and a name service that is not."""

    async def fail(*_args: object, **_more: object) -> None:
        raise socket.gaierror(code, "as the system says it")

    monkeypatch.setattr(NameLookups, "getaddrinfo", fail)
    error = await refused(SERVER)
    assert type(error) is kind
    assert "model.test" in str(error)
    error = await refused(SERVER, proxy=PROXY)
    assert type(error) is ProxyFailed
    assert "proxy.test:3128" in str(error)


async def test_a_text_that_no_name_can_be() -> None:
    """A part of more than 63 characters: no such host, and no second attempt."""
    assert type(await refused(f"https://{'a' * 70}.test")) is HostNotFound


async def test_a_proxy_that_nothing_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the proxy's address that has no way."""
    connect = never(errno.ENETUNREACH, [])
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    error = await refused(SERVER, proxy="http://192.0.2.2:3128")
    assert type(error) is ProxyFailed
    assert "192.0.2.2:3128" in str(error)


async def test_a_time_to_connect_names_its_key() -> None:
    """A port that accepts and says nothing: connect_timeout, by name."""

    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with closing(writer):
            await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        error = await refused(f"https://127.0.0.1:{port}", connect_timeout=0.1)
    assert type(error) is ConnectTimeout
    assert "connect_timeout" in str(error)


async def test_what_a_proxy_wants_can_be_read() -> None:
    """The form of an address with a user is shown, not masked."""
    async with HttpProxy(user="user", password="right").serve() as proxy:
        none = await refused(SERVER, proxy=proxy.url)
        wrong = await refused(SERVER, proxy=proxy.url_for("user", "wrong"))
    assert type(none) is type(wrong) is ProxyAuthenticationFailed
    assert "USER:PASSWORD@" in str(none)
    assert "`Basic`" in str(wrong)
    bad = await refused(SERVER, proxy="socks5://proxy.test")
    assert type(bad) is InvalidOption
    assert "USER:PASSWORD@" in str(bad)


async def test_a_proxy_spoken_to_in_clear_that_speaks_tls() -> None:
    """It hangs up; the hint names its address."""
    async with HttpProxy(refusal=b"").serve() as proxy:
        error = await refused(SERVER, proxy=proxy.url)
    assert type(error) is ConnectionLost
    assert "https:// in its address" in str(error)
