"""Decode the event streams of the specification, however they are cut (R16).

    python -m benchmarks.reliability.sse_matrix

Each case is a stream and the events that it stands for: those of the WHATWG text, those
that servers write in its place (no blank line at the end, JSON without a field), and
marks and comments between them. It is fed in pieces of 1, 2, 3 and 7 bytes and whole.
Prints one line of JSON; exit code 1: a case differs, which ``failed`` names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks.reliability.figures import at_least, at_most, judge
from bytebuddy_provider_hf.wire.sse import STRAY, SseDecoder, SseEvent

FIGURE: Final = "R16"
LEAST: Final = 20
SIZES: Final = (1, 2, 3, 7, None)


def decode(stream: bytes, size: int | None = None) -> list[SseEvent]:
    """Feed ``stream`` in pieces of ``size`` bytes and return every event."""
    decoder = SseDecoder()
    step = size or max(1, len(stream))
    events = []
    for start in range(0, len(stream), step):
        events += decoder.feed(stream[start : start + step])
    return events + decoder.flush()


def data(*values: bytes) -> list[SseEvent]:
    """Return default events with these data."""
    return [SseEvent("", value) for value in values]


CASES: Final[dict[str, tuple[bytes, list[SseEvent]]]] = {
    "the common form": (b"data: a\n\ndata: b\n\n", data(b"a", b"b")),
    "no space after the colon": (b"data:a\n\n", data(b"a")),
    "only one space is taken": (b"data:  a\n\n", data(b" a")),
    "carriage return line feed": (b"data: a\r\n\r\ndata: b\r\n\r\n", data(b"a", b"b")),
    "carriage return": (b"data: a\r\rdata: b\r\r", data(b"a", b"b")),
    "mixed line ends": (
        b"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r",
        data(b"a", b"b", b"c"),
    ),
    "several data lines": (b"data: a\ndata: b\n\n", data(b"a\nb")),
    "a comment": (b": ping\n\ndata: a\n\n", data(b"a")),
    "a comment between data": (b"data: a\n: ping\ndata: b\n\n", data(b"a\nb")),
    "an event name": (b"event: error\ndata: a\n\n", [SseEvent("error", b"a")]),
    "the name message": (b"event: message\ndata: a\n\n", data(b"a")),
    "a name ends with its event": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [SseEvent("x", b"a"), SseEvent("", b"b")],
    ),
    "an error field": (b'error: {"a":1}\n\n', [SseEvent("error", b'{"a":1}')]),
    "retry only": (b"retry: 10\n\ndata: a\n\n", data(b"a")),
    "id only": (b"id: 1\n\ndata: a\n\n", data(b"a")),
    "event only": (b"event: x\n\ndata: a\n\n", data(b"a")),
    "empty data": (b"data:\n\ndata: \n\ndata: a\n\n", data(b"a")),
    "data that is a keep-alive": (b"data: : keepalive\n\ndata: a\n\n", data(b"a")),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", data(b"a")),
    "a mark later is data": (b"data: \xef\xbb\xbf\n\n", data(b"\xef\xbb\xbf")),
    "characters other splitters cut at": (
        "data: \u2028\u0085\x0b\x0c\x1c\n\n".encode(),
        data("\u2028\u0085\x0b\x0c\x1c".encode()),
    ),
    "a payload that begins like the field": (b"data:attention\n\n", data(b"attention")),
    "no blank line at the end": (b"data: a\n\ndata: b\n", data(b"a", b"b")),
    "no line end at the end": (b"data: a\n\ndata: b", data(b"a", b"b")),
    "a field without a colon": (b"data\n\ndata: a\n\n", data(b"a")),
    "a line of its own is told": (
        b"foo: bar\ndata: a\n\nstream timeout\n",
        [SseEvent(STRAY, b"foo: bar"), *data(b"a"), SseEvent(STRAY, b"stream timeout")],
    ),
    "blanks, NUL and marks before a line": (
        b" data: a\n\n\0data: b\n\n\xef\xbb\xbf\tdata: c\n\n",
        data(b"a", b"b", b"c"),
    ),
    "a line of blanks ends nothing": (b"data: a\n \ndata: b\n\n", data(b"a\nb")),
    "JSON without a field": (
        b'data: a\n\n{"error":"x"}\n\ndata: b\n\n',
        data(b"a", b'{"error":"x"}', b"b"),
    ),
    "one line feed between events": (
        b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n',
        data(b'{"a":1}', b'{"b":2}', b"[DONE]"),
    ),
    "one line feed before a mark and one after": (
        b'data: {"a":1}\n\ndata: {"b":2}\ndata: [DONE]\n\ndata: {"c":3}\n\n',
        data(b'{"a":1}', b'{"b":2}', b"[DONE]", b'{"c":3}'),
    ),
    "JSON on several lines is one event": (
        b'data: {"a":\ndata: [{}]\ndata: }\n\n',
        data(b'{"a":\n[{}]\n}'),
    ),
    "an error's data in the next block": (
        b"event: error\n\ndata: a\n\ndata: b\n\n",
        [SseEvent("error", b"a"), *data(b"b")],
    ),
    "an error without data": (
        b"data: a\n\nevent: Error\n\n",
        [*data(b"a"), SseEvent("error", b"")],
    ),
    "a block of comments in the fast form": (
        b"data: a\n\n: ping\n\ndata: b\n\n: ping\ndata: c\n\n",
        data(b"a", b"b", b"c"),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    failed = [
        f"{name}, {'whole' if size is None else f'cut after {size}'}"
        for name, (stream, expected) in CASES.items()
        for size in SIZES
        if decode(stream, size) != expected
    ]
    sizes = [size or "all" for size in SIZES]
    facts = {"sizes": sizes, "decoded": len(CASES) * len(SIZES), "failed": failed}
    return judge(
        FIGURE,
        {"cases": at_least(len(CASES), LEAST), "wrong": at_most(len(failed), 0)},
        facts,
    )


if __name__ == "__main__":
    sys.exit(main())
