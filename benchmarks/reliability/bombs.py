"""Answer with bombs, in bytes and in elements: each ends as one typed error (R32).

    python -m benchmarks.reliability.bombs [--megabytes N] [--only PART]

A raw server answers every kind of call with what is small on the wire and huge once it
is decoded: lists of nothing, indexes that are ever new, texts without end, compressed
by gzip, deflate, br and zstd or not at all. A client in a process of its own asks it.
Honest answers that are large, and look a little like bombs, must come whole.

- A bomb ends as an error of this package; what a stream had told before is exactly
  the error's ``partial``. What the Hub is asked beside a call fails nothing.
- The process grows by less than 64 MiB.
- No callback of the loop takes more than 100 ms of the thread's own time.

Prints one line of JSON; exit code 1: a case did not keep one of these.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import re
import struct
import sys
import threading
import time
import zlib
from asyncio import events
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from benchmarks.reliability import figures
from benchmarks.reliability.attempts import worker
from benchmarks.reliability.figures import Bound, judged
from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import ByteBuddyError, ResponseError
from bytebuddy_provider_hf.hub.billing import read_sessions, read_whoami
from bytebuddy_provider_hf.hub.models_api import HubCatalogue, ModelQuery
from bytebuddy_provider_hf.transport.http_client import (
    OnResend,
    Response,
    destination_for,
)
from bytebuddy_provider_hf.transport.pool import AiohttpClient
from bytebuddy_provider_hf.types import Text
from bytebuddy_provider_hf.wire.http_request import HttpRequest

MEBIBYTE: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
_PATIENT: Final = RequestOptions(timeout=300, max_attempts=1)
_MESSAGES: Final = [{"role": "user", "content": "hi"}]
_TEXTS: Final = ["one", "two", "three", "four"]
_MANY: Final = [f"text {at}" for at in range(64)]
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TGI: Final = b'{"model_id":"m","version":"3.0.0","max_total_tokens":4096}'
_TEI: Final = b'{"model_id":"m","version":"1.8.0","model_type":{"embedding":{}}}'


def _counted(pattern: bytes) -> Callable[[int], Iterator[bytes]]:
    """Return pieces of a pattern with a number in it that is ever new."""

    def pieces(size: int) -> Iterator[bytes]:
        at = sent = 0
        while sent < size:
            piece = b"".join(pattern % n for n in range(at, at + 1_000))
            at, sent = at + 1_000, sent + len(piece)
            yield piece

    return pieces


def _repeated(
    before: bytes, unit: bytes, after: bytes = b""
) -> Callable[[int], Iterator[bytes]]:
    """Return pieces of one value that repeats a unit."""
    block = unit * (_PIECE // len(unit))

    def pieces(size: int) -> Iterator[bytes]:
        yield before
        for _ in range(size // len(block)):
            yield block
        yield after

    return pieces


@frozen
class Case:
    """What is asked, and what it is answered with; ``bomb`` false: it must be read.

    ``routes`` are the answers to what a bare address is asked before.
    """

    name: str
    ask: str
    pieces: Callable[[int], Iterator[bytes]]
    encoding: str = ""
    status: int = 200
    bomb: bool = True
    routes: Mapping[bytes, bytes] = field(factory=dict)


_EVENT: Final = b'data: {"choices":[{"index":0,"delta":%b}]}\n\n'
_WHOLE: Final = {
    "tool calls": _repeated(b'{"choices":[{"message":{"tool_calls":[{}', b",{}"),
    "content parts": _repeated(b'{"choices":[{"message":{"content":[""', b',""'),
    "choices": _repeated(b'{"choices":[{}', b",{}"),
    "logprobs": _repeated(b'{"choices":[{"logprobs":{"content":[{}', b",{}"),
    "errors": _repeated(b'{"error":[{}', b",{}"),
    "text": _repeated(b'{"choices":[{"message":{"content":"', b"aaaa"),
    "escapes": _repeated(b'{"choices":[{"message":{"content":"', b"\\u4e2d"),
    "quotes": _repeated(b'{"choices":[', b'"'),
    "depth": _repeated(b"", b"["),
    "lenient": _repeated(b'{"choices":[{"message":{"content":NaN,"a":[{}', b",{}"),
}
_STREAMED: Final = {
    "new indexes": _counted(_EVENT % b'{"tool_calls":[{"index":%d}]}'),
    "new ids": _counted(_EVENT % b'{"tool_calls":[{"id":"%d"}]}'),
    "new calls": _counted(
        _EVENT % b'{"tool_calls":[{"function":{"name":"f%d","arguments":"{}"}}]}'
    ),
    "new choices": _counted(
        b'data: {"choices":[{"index":%d,"delta":{"content":"a"}}]}\n\n'
    ),
    "calls of one event": _repeated(
        b'data: {"choices":[{"delta":{"tool_calls":[{}', b",{}", b"]}}]}\n\n"
    ),
    # What has to be fitted by hand takes a second a megabyte.
    "parts of many events": lambda size: _repeated(
        b"", _EVENT % b'{"content":["a","b",{"type":"x"}]}'
    )(size // 16),
    "letters": _repeated(b"", _EVENT % b'{"content":"a"}'),
    "blanks": _repeated(b"", _EVENT % b'{"content":" "}'),
    "thoughts": _repeated(b"", _EVENT % b'{"reasoning":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}'),
    "probabilities": _repeated(
        b"",
        b'data: {"choices":[{"delta":{},"logprobs":{"content":['
        b'{"token":"a","logprob":-1}]}}]}\n\n',
    ),
    "errors": _repeated(b'data: {"error":[{}', b",{}", b"]}\n\n"),
    "comments": _repeated(b"", b":\n"),
    "lines": _repeated(b"", b"\n"),
    "fields": _repeated(b"", b"data:\n"),
    "words": _repeated(b"", b"a\n"),
    "one line": _repeated(b"data: ", b"aaaa"),
    "one piece": _repeated(b'{"choices":[{"message":{"tool_calls":[{}', b",{}"),
}
_OTHERS: Final = (
    ("embed", "objects", _repeated(b'{"data":[{}', b",{}"), None),
    ("embed", "numbers", _repeated(b'{"data":[{"embedding":[0', b",0"), None),
    ("embed", "base64", _repeated(b'{"data":[{"embedding":"', b"AAAA"), None),
    ("rerank", "results", _repeated(b'{"results":[{}', b",{}"), None),
    ("embed", "tei numbers", _repeated(b"[[0", b",0"), _TEI),
    ("embed", "tei lists", _repeated(b"[[]", b",[]"), _TEI),
    ("rerank", "tei scores", _repeated(b"[{}", b",{}"), _TEI),
    ("complete", "tgi tokens", _repeated(b'{"details":{"tokens":[{}', b",{}"), _TGI),
    ("generate", "tgi events", _repeated(b"", b'data: {"token":{}}\n\n'), _TGI),
    (
        "generate",
        "tgi texts",
        _repeated(b"", b'data: {"token":{"text":"aaaaaaaaaaaaaaaaaaa"}}\n\n'),
        _TGI,
    ),
    ("task", "labels", _repeated(b"[[{}", b",{}"), b""),
    ("features", "numbers", _repeated(b"[[0", b",0"), b""),
    ("features", "lists", _repeated(b"[[[]", b",[]"), b""),
    ("hub", "facts", _repeated(b'{"id":"org/name","tags":[{}', b",{}"), None),
    ("hub list", "models", _repeated(b"[{}", b",{}"), None),
    ("whoami", "orgs", _repeated(b'{"name":"n","orgs":[{}', b",{}"), None),
    ("sessions", "periods", _repeated(b'{"periods":[{}', b",{}"), None),
)


def _honest() -> Iterator[Case]:
    """Yield answers that are large because so much was asked for."""
    choice: dict[str, object] = {"message": {"content": '[{",}' * 150_000}}
    yield _said("1 MiB of commas in a text", "chat", {"choices": [choice]})
    tops = [{"token": "abcd", "logprob": -1.5, "bytes": [1, 2]}] * 20
    tokens = [{"token": "a", "logprob": -0.5, "top_logprobs": tops}] * 3_000
    choice = {"message": {"content": "a" * 3_000}, "logprobs": {"content": tokens}}
    yield _said("3,000 tokens with probabilities", "logprobs", {"choices": [choice]})
    row = [0.123456789012345 + at for at in range(4_096)]
    listed = [{"index": at, "embedding": row} for at in range(len(_MANY))]
    yield _said("64 vectors of 4,096", "embed many", {"data": listed})
    packed = base64.b64encode(struct.pack("<4096f", *row)).decode()
    listed = [{"index": at, "embedding": packed} for at in range(len(_MANY))]
    yield _said("64 vectors of 4,096 in base64", "embed many", {"data": listed})
    many = [[row[:1_024]] * 256] * len(_TEXTS)
    yield _said("1,024 vectors of tokens", "features", many, routes=_routes(b""))
    block = (_EVENT % b'{"content":"word "}') * 20_000 + b"data: [DONE]\n\n"
    yield Case("20,000 events", "stream", lambda _: iter((block,)), bomb=False)


def _said(
    name: str, ask: str, value: object, routes: Mapping[bytes, bytes] | None = None
) -> Case:
    # Written when it is asked for: some are long.
    return Case(
        name,
        ask,
        lambda _: iter((json.dumps(value).encode(),)),
        bomb=False,
        routes=routes or {},
    )


def _routes(info: bytes) -> dict[bytes, bytes]:
    """Return what a bare address answers before it is asked for work."""
    return {b"/v1/models": b"", b"/info": info, b"/models": b"", b"/health": b""}


def cases() -> Iterator[Case]:
    """Yield every bomb in plain bytes and by gzip, and some by the other encodings."""
    plain = [Case(name, "chat", pieces) for name, pieces in _WHOLE.items()]
    plain += [Case(name, "stream", pieces) for name, pieces in _STREAMED.items()]
    for ask, name, pieces, info in _OTHERS:
        routes = {} if info is None else _routes(info)
        plain.append(Case(name, ask, pieces, routes=routes))
    refusal = _repeated(b'{"error":[{"message":"no"}', b",{}")
    plain += [Case(f"status {n}", "chat", refusal, status=n) for n in (400, 500)]
    models = _repeated(b'{"data":[{}', b",{}")
    plain.append(Case("list of models", "probe", models))
    for each in plain:
        yield each
        yield evolve(each, encoding="gzip")
    for encoding in ("deflate", "br", "zstd"):
        yield evolve(plain[0], encoding=encoding)
    yield from _honest()


class Server:
    """Answer each request with what the present case says; in a thread of its own."""

    def __init__(self, megabytes: int) -> None:
        self.size = megabytes * MEBIBYTE
        self.case: Case | None = None
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _serve(self) -> None:
        async def main() -> None:
            server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._ready.set()
            await asyncio.Event().wait()

        asyncio.run(main())

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            case = self.case
            if case is None or not (case.routes and path in case.routes):
                await self._explode(writer, case)
            elif said := case.routes[path]:
                writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + said)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return  # the client has seen enough
        finally:
            writer.close()

    async def _explode(self, writer: asyncio.StreamWriter, case: Case | None) -> None:
        pieces = b'{"choices":[{"message":{"content":"a"}}]}'
        if case is None:
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + pieces)
            return
        streams = case.ask in ("stream", "generate") and case.name != "one piece"
        label = b"text/event-stream" if streams else b"application/json"
        head = b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-type: %b\r\n"
        writer.write(head % (case.status, label))
        if case.encoding:
            writer.write(b"content-encoding: %b\r\n" % case.encoding.encode())
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for piece in self._pieces(case):
            if piece:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
        writer.write(b"0\r\n\r\n")

    def _pieces(self, case: Case) -> Iterator[bytes]:
        """Yield the body as it travels."""
        if case.encoding not in ("gzip", "deflate"):
            # No decoder of br or zstd is asked for one: any bytes will do.
            yield from case.pieces(self.size if not case.encoding else _PIECE)
            return
        wbits = 31 if case.encoding == "gzip" else 15
        deflater = zlib.compressobj(9, zlib.DEFLATED, wbits)
        body = b"".join(map(deflater.compress, case.pieces(self.size)))
        body += deflater.flush()
        for at in range(0, len(body), _PIECE):
            yield body[at : at + _PIECE]


class Reached:
    """Send to the raw server what is meant for Hugging Face's own."""

    def __init__(self, base: str) -> None:
        way = destination_for(base, None, RequestOptions(), env={})
        self._client, self._base = AiohttpClient(way), base

    @property
    def origin(self) -> str:
        """The origin that questions are written for."""
        return HUB

    async def send(
        self, call: HttpRequest, *, on_resend: OnResend | None = None
    ) -> Response:
        del on_resend  # no connection is kept
        path = re.sub(r"^https://[^/]*", "", call.url)
        return await self._client.send(evolve(call, url=f"{self._base}{path}"))

    async def aclose(self) -> None:
        await self._client.aclose()


async def ask(kind: str, base: str, *, bare: bool) -> object:
    """Make one call; return its answer, ``None`` where the Hub was not understood."""
    if kind in ("hub", "hub list", "whoami", "sessions"):
        client = Reached(base)
        try:
            if kind == "whoami":
                return await read_whoami(client)
            if kind == "sessions":
                return await read_sessions(client, since=1, until=2)
            hub = HubCatalogue(clock=time.monotonic)
            if kind == "hub":
                return await hub.facts("org/name", client, limit=60)
            return await hub.models(ModelQuery(), client, limit=60)
        finally:
            await client.aclose()
    where = base if bare or kind == "probe" else f"{base}/v1"
    async with open_model(
        "m", api_key="hf_x", api_base=where, request_options=_PATIENT
    ) as model:
        return await _ASKED[kind](model)


async def _streamed(events: Any) -> str:  # noqa: ANN401 - either kind of stream
    said = StringIO()
    try:
        async with events as told:
            async for event in told:
                if isinstance(event, Text) and not event.choice:
                    said.write(event.text)
    except ResponseError as error:
        if error.partial != said.getvalue():
            raise AssertionError("partial is not what was told") from error
        raise
    return said.getvalue()


_ASKED: Final[Mapping[str, Callable[[Any], Awaitable[Any]]]] = {
    "chat": lambda model: model.chat(_MESSAGES, max_tokens=1_000),
    "probe": lambda model: model.chat(_MESSAGES),
    "logprobs": lambda model: model.chat(_MESSAGES, logprobs=20, max_tokens=4_096),
    "stream": lambda model: _streamed(model.chat(_MESSAGES, max_tokens=1_000)),
    "complete": lambda model: model.complete("a", max_tokens=1_000),
    "generate": lambda model: _streamed(model.complete("a", max_tokens=1_000)),
    "embed": lambda model: model.embed(_TEXTS),
    "embed many": lambda model: model.embed(_MANY),
    "rerank": lambda model: model.rerank("q", _TEXTS),
    "task": lambda model: model.task("text-classification", _TEXTS),
    "features": lambda model: model.task("feature-extraction", _TEXTS),
}


@contextmanager
def longest_callback() -> Iterator[list[float]]:
    """Note the thread time of the longest callback of a loop."""
    longest = [0.0]
    handled = events.Handle._run  # noqa: SLF001 - where a loop runs a callback

    def timed(handle: events.Handle) -> None:
        began = time.thread_time()
        handled(handle)
        longest[0] = max(longest[0], time.thread_time() - began)

    events.Handle._run = timed  # type: ignore[method-assign,assignment]  # noqa: SLF001 - as above
    try:
        yield longest
    finally:
        events.Handle._run = handled  # type: ignore[method-assign]  # noqa: SLF001 - as above


def memory(name: str) -> int:
    """Return a figure of this process in bytes, as Linux tells it."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB", told, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def work() -> None:
    """Make the calls that are asked for, one a line, and tell what came of each."""
    for line in sys.stdin:
        order = json.loads(line)
        gc.collect()
        # The highest memory is counted from here on.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, outcome = memory("VmRSS"), "read"
        with longest_callback() as longest:
            try:
                found = asyncio.run(ask(order["ask"], order["url"], bare=order["bare"]))
            except ByteBuddyError as error:
                outcome = type(error).__name__
            except Exception as error:  # noqa: BLE001 - any other is what is looked for
                outcome = f"! {error!r:.200}"
            else:
                outcome = "read" if found is not None else "nothing"
        grown = memory("VmHWM") - before
        print(json.dumps([outcome, grown, longest[0]]), flush=True)


def run(megabytes: int, only: str, most: tuple[float, float]) -> dict[str, Any]:
    """Return what became of each case; ``most`` are the bounds of memory and time."""
    server = Server(megabytes)
    client = worker("bombs", "--worker")
    if client.stdin is None or client.stdout is None:
        raise RuntimeError
    rows: dict[str, tuple[str, int, float]] = {}
    wrong: list[str] = []
    slow_or_large: list[str] = []
    # The first call imports what a call needs.
    warm = Case("warm", "chat", lambda _: iter(()), bomb=False)
    chosen = [each for each in cases() if only in f"{each.ask} {each.name}"]
    for case in (warm, *chosen):
        server.case = None if case is warm else case
        order = {"ask": case.ask, "url": server.url, "bare": bool(case.routes)}
        print(json.dumps(order), file=client.stdin, flush=True)
        outcome, grown, longest = json.loads(client.stdout.readline())
        if case is warm:
            continue
        name = f"{case.ask}: {case.name} {case.encoding}".strip()
        rows[name] = outcome, grown if case.bomb else 0, longest
        typed = outcome != "read" and not outcome.startswith("!")
        if typed != case.bomb:
            wrong.append(f"{name}: {outcome}")
        if longest * 1_000 >= most[1]:
            slow_or_large.append(f"{name}: {longest * 1_000:.0f} ms")
        # What was asked for may be large.
        if case.bomb and grown >= most[0] * MEBIBYTE:
            slow_or_large.append(f"{name}: {grown / MEBIBYTE:.0f} MiB")
    client.communicate()
    if not rows:
        message = f"no case has {only!r} in its name"
        raise SystemExit(message)
    bombs = [row for row in rows.values() if row[0] != "read"]
    growth = max((row[1] for row in bombs), default=0) / MEBIBYTE
    longest = max(row[2] for row in rows.values()) * 1_000
    return judged(
        "R32",
        Bound("wrong", len(wrong), "==", 0),
        Bound("most_growth_mib", round(growth, 1), "<", most[0]),
        Bound("longest_callback_ms", round(longest, 1), "<", most[1]),
        megabytes=megabytes,
        cases=len(rows),
        outcomes={
            kind: sum(row[0] == kind for row in rows.values())
            for kind in sorted({row[0] for row in rows.values()})
        },
        which=[*wrong, *slow_or_large],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = figures.parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=57, help="of each bomb")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--most-growth", type=float, default=64, help="MiB")
    parser.add_argument("--longest", type=float, default=100, help="ms")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work()
        return 0
    bounds = options.most_growth, options.longest
    return figures.tell(run(options.megabytes, options.only, bounds))


if __name__ == "__main__":
    sys.exit(main())
