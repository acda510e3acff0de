"""The decoder against a second reading of the WHATWG text, written for itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf.wire.sse import STRAY, SseDecoder

BOM = b"\xef\xbb\xbf"


def lines_of(stream: bytes) -> list[bytes]:
    """Cut at CR LF, LF and CR, and nowhere else; byte by byte, nothing clever."""
    lines, line, at = [], bytearray(), 0
    while at < len(stream):
        byte = stream[at : at + 1]
        if byte in (b"\r", b"\n"):
            lines.append(bytes(line))
            line.clear()
            if stream[at : at + 2] == b"\r\n":
                at += 1
        else:
            line += byte
        at += 1
    # The specification forgets an unfinished event; here it is delivered.
    return [*lines, bytes(line), b""]


def events_of(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and data of every event, the empty ones included."""
    events: list[tuple[bytes, bytes]] = []
    data, name = b"", b""
    for given_line in lines_of(stream):
        if not given_line:
            if data:
                events.append((name, data[:-1]))
            data = name = b""
            continue
        # Ours: the specification allows one mark, at the very start.
        line = given_line.lstrip(BOM + b"\0 \t")
        if line[:1] != b":":
            at = line.find(b":")
            field, value = (line, b"") if at < 0 else (line[:at], line[at + 1 :])
            value = value[1:] if value[:1] == b" " else value
            if field == b"data":
                data += value + b"\n"
            elif field == b"event":
                name = value
    return events


def useful(events: list[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """Leave out what carries nothing: empty data, and keep-alives written as data."""
    return [
        ("" if name == "message" else name, data)
        for name, data in (
            (raw.decode("utf-8", "replace").strip().lower(), data)
            for raw, data in events
        )
        if data and data[:1] != b":"
    ]


PIECES = st.sampled_from(
    [
        *(b"data: x", b"data:y", b"data", b"data:", b"data: ", b"data:  z"),
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"data: q\n\n", b"data: q\n\n"),
        *(b"data: p\ndata: q\n\n", b"event: n\ndata: q\n\n"),
        *(b":c\n\n", b": ping", b"data: : k\n\n", b"data: :k"),
        *(b"event: e", b"event:message", b"event: \xff", b"event"),
        *(b"id: 1\0", b"id", b"retry: 10", b"retry: x", b"foo:bar", b"datax: 1"),
        *(BOM, b"\xef", b"\0", b"\xff\xfe", b"\xe2\x80\xa8", b"\xc2\x85", b" data: 1"),
        *(b" ", b"data : 1", b"data: " + b"L" * 70),
    ]
)
# Servers write events, sometimes lines; the network cuts anywhere.
EVENT, LINE = b"\n\n", b"\n"
CUTS = st.lists(st.sampled_from([1, 2, 3, 5, 13, LINE, LINE, EVENT, EVENT]), min_size=1)


def decoded(stream: bytes, cuts: list[int | bytes]) -> list[tuple[str, bytes]]:
    """Feed the stream cut after so many bytes, or after these, over and over."""
    decoder = SseDecoder()
    events, at, turn = [], 0, 0
    while at < len(stream):
        cut = cuts[turn % len(cuts)]
        if isinstance(cut, bytes):
            found = stream.find(cut, at)
            until = len(stream) if found < 0 else found + len(cut)
        else:
            until = at + cut
        events += decoder.feed(stream[at:until])
        at, turn = until, turn + 1
    events += decoder.flush()
    return [(event.name, event.data) for event in events if event.name != STRAY]


@settings(max_examples=rounds(600, long=20_000), deadline=None)
@given(st.lists(PIECES, max_size=25), CUTS)
def test_the_decoder_reads_as_the_specification_does(
    pieces: list[bytes], cuts: list[int | bytes]
) -> None:
    """BOM, all line ends, comments, every field, NUL, no UTF-8; however cut."""
    stream = b"".join(pieces)
    assert decoded(stream, cuts) == useful(events_of(stream))


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_are_read_alike(stream: bytes, cuts: list[int | bytes]) -> None:
    """What no server would send gives the same events in both."""
    # A field of our own, and lines of JSON without one.
    if b"error" not in stream.lower() and b"{" not in stream:
        assert decoded(stream, cuts) == useful(events_of(stream))
