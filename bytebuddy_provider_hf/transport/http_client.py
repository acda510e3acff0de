"""What the engine needs of an HTTP stack; sockets and memory implement it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from attrs import field, frozen

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.transport.proxies import Proxy
from bytebuddy_provider_hf.transport.tls import CaBundle
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# A header that says who asks, or who pays, such as X-Api-Key and X-HF-Bill-To.
_WHO: Final = re.compile(r"auth|key|token|secret|bill", re.IGNORECASE)


@frozen
class Destination:
    """One origin with the credential tied to it and the way requests travel there.

    Those with one ``account`` share permits and limits, those with one ``key``
    connections too; ``options_key`` stands for options, proxy and authorities. Both are
    texts, because looking up an object by its fields costs 0.5 µs a call.
    """

    origin: str
    credential: Secret | None = None
    options: RequestOptions = field(factory=RequestOptions, eq=False, repr=False)
    options_key: str = ""
    proxy: Proxy | None = field(default=None, eq=False)
    authorities: CaBundle = field(factory=CaBundle, eq=False)
    account: str = field(init=False, eq=False, repr=False)
    key: str = field(init=False, eq=False, repr=False)

    @account.default
    def _account(self) -> str:
        holder = "" if self.credential is None else self.credential.fingerprint
        told = {
            name.lower(): value.fingerprint
            for name, value in self.options.headers.items()
            if _WHO.search(name)
        }
        return " ".join((self.origin, holder, *(told[name] for name in sorted(told))))

    @key.default
    def _key(self) -> str:
        return f"{self.account} {self.options_key}"

    def scrub(self, text: str) -> str:
        """Return ``text`` without the secrets sent here, should a server echo one."""
        if self.credential is not None:
            text = self.credential.scrub(text)
        for value in self.options.headers.values():
            text = value.scrub(text)
        return text if self.proxy is None else self.proxy.scrub(text)


class Response(Protocol):
    """An answer whose headers have arrived. Header names are lower case."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raise a ``ByteBuddyError`` where it breaks."""
        ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ``ResponseTooLarge`` above ``limit`` bytes."""
        ...

    def abort(self, error: Exception) -> None:
        """Make the read under way, or the next one, raise ``error``; then close."""
        ...

    def close(self) -> None:
        """Give the connection back if the body was read, close it otherwise."""
        ...


class HttpClient(Protocol):
    """Connections to one destination."""

    async def send(self, call: HttpRequest) -> Response:
        """Send ``call`` once; no redirect is followed and nothing is sent again."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class HttpClientFactory(Protocol):
    """Open a channel to a destination; nothing is sent yet."""

    def __call__(self, destination: Destination) -> HttpClient:
        """Return a channel to ``destination``."""
        ...
