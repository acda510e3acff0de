"""Answer requests in memory: without a socket, virtual time can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import final

from bytebuddy_provider_hf.errors import Closed, ConnectionLost, ResponseTooLarge
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import (
    Cut,
    FakeReply,
    FakeRequest,
    Handler,
    Send,
    Step,
    Wait,
    request_to,
    steps,
)
from bytebuddy_provider_hf.transport.http_client import Destination, OnResend
from bytebuddy_provider_hf.wire.http_request import HttpRequest


@final
class MemoryConnect:
    """Connect to a :class:`FakeHub`, or any handler, without a socket.

    Pass it wherever a ``HttpClientFactory`` is wanted. An error the handler raises
    reaches the caller as it stands: raise ``ConnectionRefused`` to play a server that
    is not up. ``sent`` counts requests, ``open`` answers neither read to their end nor
    closed.
    """

    def __init__(self, hub: FakeHub | Handler) -> None:
        self._handler: Handler = hub.handle if isinstance(hub, FakeHub) else hub
        self.sent = 0
        self.open = 0

    def __call__(self, destination: Destination) -> MemoryClient:
        """Return a client; nothing is sent yet."""
        return MemoryClient(self, destination)

    async def answer(self, request: FakeRequest) -> FakeReply:
        """Hand ``request`` to the handler."""
        self.sent += 1
        # A real send always lets others run.
        await asyncio.sleep(0)
        return await self._handler(request)


@final
class MemoryClient:
    """The connections of :class:`MemoryConnect` to one destination."""

    def __init__(self, connect: MemoryConnect, destination: Destination) -> None:
        self._connect = connect
        self._destination = destination
        self._responses: set[MemoryResponse] = set()
        self._closed = False

    @property
    def origin(self) -> str:
        """Scheme, host and port that requests go to."""
        return self._destination.origin

    async def send(
        self,
        call: HttpRequest,
        *,
        on_resend: OnResend | None = None,  # noqa: ARG002 - no connection goes stale
    ) -> MemoryResponse:
        """Send ``call`` and wait for the headers of its answer."""
        self._check()
        reply = await self._connect.answer(self._request(call))
        self._connect.open += 1
        response = MemoryResponse(self, reply)
        self._responses.add(response)
        try:
            # A real answer always lets others run before it.
            await (response.wait(reply.delay) if reply.delay else asyncio.sleep(0))
            self._check()
        except BaseException:
            response.close()
            raise
        if reply.dropped:
            response.close()
            raise _lost("before any answer")
        return response

    async def aclose(self) -> None:
        """Close every connection; what is under way ends with ``Closed``."""
        self._closed = True
        # A copy: an answer that is aborted takes itself out.
        for response in tuple(self._responses):
            response.abort(_was_closed())

    def _check(self) -> None:
        if self._closed:
            raise _was_closed()

    def ended(self, response: MemoryResponse) -> None:
        """Forget an answer that is over."""
        self._responses.discard(response)
        self._connect.open -= 1

    def _request(self, call: HttpRequest) -> FakeRequest:
        """Return what a server would see.

        On its own, so that no frame which an error passes holds the token.
        """
        headers = {"accept": call.accept}
        if call.body:
            headers["content-type"] = "application/json"
            # What aiohttp adds by itself, so that tests see the same on both carriers.
            headers["content-length"] = str(len(call.body))
        options = self._destination.options.headers
        headers |= {name: value.reveal() for name, value in options.items()}
        # As on a socket: of two headers of one name the later counts.
        names = {name.lower() for name, _ in self._destination.told}
        headers = {k: v for k, v in headers.items() if k.lower() not in names}
        headers |= dict(self._destination.told)
        own = {name.lower() for name, _ in call.headers}
        headers = {k: v for k, v in headers.items() if k.lower() not in own}
        headers |= dict(call.headers)
        if self._destination.credential is not None:
            token = self._destination.credential.reveal()
            headers["authorization"] = f"Bearer {token}"
        return request_to(call.url, method=call.method, headers=headers, body=call.body)


@final
class MemoryResponse:
    """The answer of a :class:`MemoryClient`."""

    def __init__(self, client: MemoryClient, reply: FakeReply) -> None:
        self.status: int = reply.status
        headers = {name.lower(): value for name, value in reply.headers.items()}
        if reply.ending == "length":
            headers["content-length"] = str(len(reply.content))
        elif reply.ending == "chunked":
            headers["transfer-encoding"] = "chunked"
        self.headers: Mapping[str, str] = headers
        self._client = client
        self._reply = reply
        self._steps: Iterator[Step] = steps(reply)
        self._over = False
        self._ended = False
        self._error: Exception | None = None
        self._paused: asyncio.Future[None] | None = None

    def chunks(self) -> MemoryResponse:
        """Return the body, piece by piece; raises ``ConnectionLost`` as a socket would.

        Not a generator: one that is left in the middle is closed by a task of its own.
        """
        return self

    def __aiter__(self) -> MemoryResponse:
        return self

    async def __anext__(self) -> bytes:
        for step in self._steps:
            if isinstance(step, Send):
                await asyncio.sleep(0)
                self._check()
                return step.data
            if isinstance(step, Wait):
                await self.wait(step.seconds)
            elif isinstance(step, Cut):
                self._end(whole=False)
                # A body that ends with its connection cannot be seen to be cut;
                # aiohttp takes even a reset for its end.
                if self._reply.ending == "close":
                    self._ended = True
                    raise StopAsyncIteration
                raise _lost("before the answer was whole")
            else:
                await self.wait(None)
        if not self._ended:
            self._check()
            self._ended = True
            self._end(whole=True)
        raise StopAsyncIteration

    async def read(self, limit: int, bound: JsonBound = USUAL) -> bytes:
        """Return the whole body; raise ``ResponseTooLarge`` above ``limit`` bytes.

        So it does above the ``bound`` of its JSON.
        """
        body, cost = bytearray(), bound.begin()
        async for piece in self.chunks():
            body += piece
            cost.feed(piece)
            if len(body) > limit:
                self.close()
                message = f"The answer is larger than {limit} bytes."
                raise ResponseTooLarge(message, status=self.status)
        return bytes(body)

    def abort(self, error: Exception) -> None:
        """Make the read under way, or the next one, raise ``error``; then close."""
        self._error = error
        # Whoever reads now is woken, to raise it.
        if self._paused is not None and not self._paused.done():
            self._paused.set_result(None)
        self._end(whole=False)

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self._end(whole=False)

    async def wait(self, seconds: float | None) -> None:
        """Wait, for ever without ``seconds``, unless the answer is aborted."""
        self._paused = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._paused
        if self._error is not None:
            raise self._error

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._over:
            raise _lost("because it was closed here")

    def _end(self, *, whole: bool) -> None:
        if self._over:
            return
        self._over = True
        self._client.ended(self)
        self._reply.ended(whole=whole)


def _was_closed() -> Closed:
    return Closed("The connections were closed here.", hint="Open the model again.")


def _lost(when: str) -> ConnectionLost:
    return ConnectionLost(
        f"The connection was closed {when}.",
        hint="Try again; the request may have been carried out.",
    )
