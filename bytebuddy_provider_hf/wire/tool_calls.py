"""Put the pieces of tool calls together: which piece belongs to which call.

A piece is of the call at its index, then of the call of its id; a name begins a call.
Ids alone mean little: LM Studio sends a new one in every piece (hermes-agent#5254),
poolside one for the name and one for the arguments (pool#9), Ollama gives several calls
one index (ollama#15457), and others send neither (phoenix#11376, smolagents#1569).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import ToolCall, ToolCallDelta
from bytebuddy_provider_hf.wire.openai_json import (
    ToolPiece,
    arguments_of,
    function_of,
    named_call,
)
from bytebuddy_provider_hf.wire.surrogates import has_surrogates, join_surrogates

# To tell whether arguments are whole so many characters of a call are looked at: a
# server that ends each of a million pieces with a bracket must not cost their square.
_MOST_CHECKED: Final = 4 * 1024 * 1024
# OpenAI allows 64; a name that comes in pieces grows no further.
_LONGEST_NAME: Final = 256
# So many calls of one answer, each costs some µs a piece: no model makes as many.
MOST_CALLS: Final = 1_024
# A name is looked for in arguments of so many characters: old TGI's were shorter.
_MOST_UNWRAPPED: Final = 1024 * 1024

# Checks what is JSON, and makes nothing of it.
_check: Final = msgspec.json.Decoder(msgspec.Raw).decode


class ToolPieces:
    """Add pieces to their calls. ``offered`` are the names of the tools there are."""

    __slots__ = ("_at", "_calls", "_offered", "_whole", "_with")

    def __init__(self, offered: Iterable[str] = ()) -> None:
        self._offered = tuple(offered)
        self._calls: list[_OpenCall] = []
        # What was made of them; None where pieces came since.
        self._whole: tuple[ToolCall, ...] | None = None
        # Positions of the last call by index and by id.
        self._at: dict[int, int] = {}
        self._with: dict[str, int] = {}

    def add(self, piece: ToolPiece, choice: int) -> ToolCallDelta:
        """Return the event of a piece; its name is what it adds to the call's."""
        given = "" if piece.id is None else str(piece.id)
        function = function_of(piece)
        name, arguments = function.name or "", arguments_of(function)
        position = self._position(piece.index, given)
        if position is None or self._begins(
            self._calls[position], piece.index, given, name, arguments
        ):
            # Its name came before, as if the last call's were repeated.
            name = name or ("" if position is None else self._calls[position].again)
            position = len(self._calls)
            self._open()
        call, self._whole = self._calls[position], None
        call.again = name if name and not arguments and call.is_whole() else ""
        if piece.index is not None:
            self._at[piece.index] = position
            # Indexes that are ever new would be kept without end.
            if len(self._at) > MOST_CALLS:
                raise self._too_many()
        if given:
            self._with[given] = position
            # Of ids that are ever new the last ones tell as much.
            if len(self._with) > MOST_CALLS:
                del self._with[next(iter(self._with))]
        first = given if given and not call.id else ""
        call.id = call.id or given
        added = self._add_name(call, name)
        if call.half or has_surrogates(arguments):
            arguments, call.half = join_surrogates(call.half + arguments)
        if arguments:
            call.arguments.append(arguments)
        return ToolCallDelta(position, first or None, added or None, arguments, choice)

    def add_whole(self, piece: ToolPiece, choice: int) -> ToolCallDelta:
        """Return the event of a whole call, whatever index or id the server gave it."""
        function = function_of(piece)
        call = self._open()
        call.id = "" if piece.id is None else str(piece.id)
        call.name = function.name or ""
        arguments, _ = join_surrogates(arguments_of(function))
        if arguments:
            call.arguments.append(arguments)
        place = len(self._calls) - 1
        return ToolCallDelta(place, call.id, call.name, arguments, choice)

    def take_notices(self, name: str) -> list[str]:
        """Return what the calls of ``name`` say in ``error``; they are none of ours."""
        told: list[str] = []
        kept: list[_OpenCall] = []
        for call, found in zip(self._calls, self.whole(), strict=True):
            if found.name == name:
                value = loads(found.arguments.encode("utf-8", "replace"))
                said = value.get("error") if isinstance(value, dict) else None
                told.append(said if isinstance(said, str) else found.arguments)
            else:
                kept.append(call)
        self._calls, self._whole = kept, None
        return told

    def __bool__(self) -> bool:
        return bool(self._calls)

    def whole(self) -> tuple[ToolCall, ...]:
        """Return the calls as far as they have come."""
        if self._whole is None:
            short = self.size() <= _MOST_UNWRAPPED
            made = named_call if short else ToolCall
            self._whole = tuple(
                made(call.id, call.name, "".join(call.arguments))
                for call in self._calls
            )
        return self._whole

    def size(self) -> int:
        """Return the characters of all arguments, which are one text each from now."""
        size = 0
        for call in self._calls:
            if len(call.arguments) > 1:
                call.arguments = ["".join(call.arguments)]
            size += len(call.name) + sum(map(len, call.arguments))
        return size

    def _open(self) -> _OpenCall:
        """Return a new call, the last one; raises ``ResponseTooLarge``."""
        if len(self._calls) >= MOST_CALLS:
            raise self._too_many()
        self._calls.append(_OpenCall())
        self._whole = None
        return self._calls[-1]

    @staticmethod
    def _too_many() -> ResponseTooLarge:
        return ResponseTooLarge(text("wire.too_many_calls", most=f"{MOST_CALLS:,}"))

    def _position(self, index: int | None, given: str) -> int | None:
        """Return where the call is that a piece may belong to."""
        last = len(self._calls) - 1 if self._calls else None
        if index is not None:
            return self._at.get(index, last)
        return self._with.get(given, last) if given else last

    def _begins(
        self, call: _OpenCall, index: int | None, given: str, name: str, arguments: str
    ) -> bool:
        """Whether a piece begins a call, and is none of ``call``."""
        new_index = index is not None and index not in self._at
        if not name:
            # What has no name goes on with a call, whatever its id.
            begun = bool(call.again and arguments)
            return begun or (new_index and call.is_whole())
        if new_index and self._at:
            return True
        if not call.name:
            # A nameless call that has its arguments is not named afterwards.
            return call.is_whole() and bool(arguments)
        other_id = bool(given and call.id and given != call.id)
        if call.arguments:
            if not call.is_whole():
                return name != call.name
            same = given and given == call.id
            more = arguments.strip() if same else arguments
            return bool(more) or other_id or name != call.name
        if name == call.name:
            return other_id
        if self._goes_on(call.name, name):
            return False
        return other_id or name in self._offered

    def _goes_on(self, name: str, piece: str) -> bool:
        """Whether a piece may go on with a name, by the tools that were offered."""
        if name in self._offered:
            return False
        again = piece.startswith(name)
        return self._joined(name, piece) or (again and self._joined("", piece))

    def _add_name(self, call: _OpenCall, name: str) -> str:
        """Return what a name adds to the call's: it may come in pieces, or again."""
        if not name or call.arguments or len(call.name) > _LONGEST_NAME:
            added = name if not call.name else ""
        elif name == call.name and not self._goes_on(call.name, name):
            added = ""
        elif name.startswith(call.name) and not self._joined(call.name, name):
            # As much of the name as there is so far, once more from its beginning.
            added = name[len(call.name) :]
        else:
            added = name
        call.name += added
        return added

    def _joined(self, name: str, piece: str) -> bool:
        """Whether a tool was offered whose name begins with both together."""
        return any(each.startswith(name + piece) for each in self._offered)


class _OpenCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("again", "arguments", "checked", "half", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        # Half a character, at the end of the last piece.
        self.half = ""
        # Characters looked at to tell whether the arguments are whole.
        self.checked = 0
        # Its name, where that came once more behind whole arguments: it may begin
        # another call of the same tool.
        self.again = ""

    def is_whole(self) -> bool:
        """Whether the arguments so far are JSON."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        if self.checked >= _MOST_CHECKED:
            return False
        said = "".join(self.arguments)
        self.checked += len(said)
        return is_json(said)


def is_json(said: str) -> bool:
    """Whether a text is JSON; as servers and models write it, and no deeper."""
    try:
        _check(said)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
