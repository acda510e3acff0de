"""Judge JSON before it is decoded: how many values it would become, and how deep.

A decoder makes an object of each element, and holds the interpreter until it is done:
57 MiB of ``{},{},…`` take it seconds and gigabytes, though they are 62 KiB on the wire.
Counting what stands between the values costs 1 ms a megabyte and no memory. Where it is
too much strings are left out, so that a text full of commas is one value.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.texts import text

# So many are decoded in under 50 ms: 10 as a rule, 50 where all are names of an object.
MOST_ELEMENTS: Final = 100_000
# Deeper than any answer; below the depth at which a decoder's recursion fails.
MOST_DEPTH: Final = 200

# Judged at a time: the worst that there is, quotes alone, takes 15 ms.
_STEP: Final = 256 * 1024
# A value has two quotes at most, and a name has two more.
_QUOTES: Final = 4
# Of more values in quotes the time alone would be too much: 50 ms.
_MOST_VALUES: Final = 262_144
_STEPS: Final = [
    1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)
]
_NO_MARKS: Final = bytes(byte for byte in range(256) if byte not in b",[{]}")
_NO_ELEMENTS: Final = bytes(byte for byte in range(256) if byte not in b",[{")


class JsonCost:
    """Count the elements of JSON that arrives in pieces, cut anywhere.

    Each ``,`` ``[`` and ``{`` outside strings is one. Of no more than ``most`` of them
    so many ``containers`` may be lists and objects, which cost more than numbers.
    ``unjudged`` bytes are not looked at: whoever reads them bounds them itself.
    """

    __slots__ = (
        "_containers",
        "_depth",
        "_escaped",
        "_held",
        "_is_exact",
        "_left",
        "_looked",
        "_marks",
        "_most",
        "_opened",
        "_openings",
        "_quoted",
        "_quotes",
        "_size",
        "_unjudged",
    )

    def __init__(
        self,
        most: int = MOST_ELEMENTS,
        *,
        containers: int | None = None,
        unjudged: int = 0,
    ) -> None:
        self._most = self._left = most
        self._containers = most if containers is None else containers
        self._unjudged = max(self._containers, unjudged)
        # No text has more elements than bytes: a short one is never looked at, and
        # what has few marks in all is not looked at again.
        self._held: list[bytes] = []
        self._size = 0
        self._looked = self._marks = self._openings = 0
        self._is_exact = False
        self._opened = self._quotes = 0
        self._depth = 0
        # Whether the last piece ended inside a string, and behind a backslash.
        self._quoted = self._escaped = False

    def feed(self, piece: bytes) -> None:
        """Count what ``piece`` adds; raises ``ResponseTooLarge`` beyond a bound."""
        self._held.append(piece)
        self._size += len(piece)
        if self._size <= self._unjudged:
            return
        if not self._is_exact and not self._may_exceed():
            return
        # From here on each piece is looked at once, and closely.
        self._is_exact = True
        held, self._held = self._held, []
        pieces = (
            each[at : at + _STEP] for each in held for at in range(0, len(each), _STEP)
        )
        failure = next(filter(None, map(self._count, pieces)), None)
        if failure is not None:
            # A server may echo the key: its bytes stay out of the traceback.
            del piece, pieces, held
            raise failure

    def _may_exceed(self) -> bool:
        """Whether there are too many marks, those in strings among them.

        Most answers have far fewer: strings are looked for in the others only, for
        they cost up to 60 ms a megabyte.
        """
        for piece in self._held[self._looked :]:
            for at in range(0, len(piece), _STEP):
                marks = piece[at : at + _STEP].translate(None, _NO_ELEMENTS)
                self._marks += len(marks)
                self._openings += len(marks.translate(None, b","))
                if self._marks > self._most or self._openings > self._containers:
                    return True
        self._looked = len(self._held)
        return False

    def is_too_deep(self, data: bytes) -> bool:
        """Whether what has come whole nests deeper than anybody follows."""
        if data.count(b"[") + data.count(b"{") <= MOST_DEPTH:
            return False
        for at in range(0, len(data), _STEP):
            if self._count(data[at : at + _STEP]) is not None:
                return True
        return False

    def _count(self, piece: bytes) -> ResponseTooLarge | None:
        """Count what a piece adds; return the error of what is too much."""
        if self._escaped:
            piece, self._escaped = piece[1:], False
        # What follows a backslash is no mark; it may stand in the next piece.
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece, self._escaped = piece[:-1], True
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        # Split at its quotes each second part is outside of strings, from here on.
        quotes = piece.count(b'"')
        self._quotes += quotes
        if self._quotes > _QUOTES * min(self._most + 1, _MOST_VALUES):
            return self._too_many()
        outside = b"".join(piece.split(b'"')[1 if self._quoted else 0 :: 2])
        self._quoted ^= quotes % 2 == 1
        marks = outside.translate(None, _NO_MARKS)
        brackets = marks.translate(None, b",")
        opened = len(brackets.translate(None, b"]}"))
        self._left -= len(marks) - len(brackets) + opened
        self._opened += opened
        if self._left < 0:
            return self._too_many()
        if self._opened > self._containers:
            most = f"{self._containers:,}"
            return ResponseTooLarge(text("wire.json_too_many_lists", most=most))
        if self._depth + opened > MOST_DEPTH:
            # 50 ms a megabyte of brackets, and few answers have more than a handful.
            depths = accumulate(map(_STEPS.__getitem__, brackets), initial=self._depth)
            if max(depths) > MOST_DEPTH:
                return ResponseTooLarge(text("wire.json_too_deep", most=MOST_DEPTH))
        self._depth += 2 * opened - len(brackets)
        return None

    def _too_many(self) -> ResponseTooLarge:
        return ResponseTooLarge(text("wire.json_too_many", most=f"{self._most:,}"))


def check_json_cost(
    data: bytes, most: int = MOST_ELEMENTS, *, containers: int | None = None
) -> None:
    """Raise ``ResponseTooLarge`` for JSON of more than ``most`` elements, or too deep.

    As :class:`JsonCost` for what has come whole.
    """
    if len(data) > (most if containers is None else containers):
        JsonCost(most, containers=containers).feed(data)


@frozen
class JsonBound:
    """How many elements an answer's JSON may have, and lists and objects among them.

    Of no more than ``unjudged`` bytes they are not counted.
    """

    elements: int = MOST_ELEMENTS
    containers: int | None = None
    unjudged: int = 0

    def check(self, data: bytes) -> None:
        """Raise ``ResponseTooLarge`` for what has come whole and is above a bound."""
        most = self.elements if self.containers is None else self.containers
        # No text has more elements than bytes: what judges is not even made.
        if len(data) > most and len(data) > self.unjudged:
            self.begin().feed(data)

    def begin(self) -> JsonCost:
        """Return what judges an answer while it comes."""
        return JsonCost(
            self.elements, containers=self.containers, unjudged=self.unjudged
        )


USUAL: Final = JsonBound()
