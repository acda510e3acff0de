"""Ask through a proxy, and see that no error shows what was secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from security.sinks import shown
from servers.http_proxy import HttpProxy
from servers.tls import Authority, chat_server

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    Redirected,
)
from bytebuddy_provider_hf.testing.hub import FakeHub

KEY = "Canary4711OfTheKey"
PASSWORD = "Canary0815%40OfTheProxy"  # %40 is an @
PLAIN = "Canary0815@OfTheProxy"
ENCODED = "dXNlcjpDYW5hcnkwODE1QE9mVGhlUHJveHk="
SECRETS = (KEY, PASSWORD, PLAIN, ENCODED)
BASIC = f"Proxy-Authorization: Basic {ENCODED}"
_OURS = str(Path(__file__).parent)
HTTPS, HTTP = "https://model.test", "http://model.test"


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
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
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
