"""Tool calls put together from the pieces of a stream."""

from __future__ import annotations

from bytebuddy_provider_hf.types import ToolCall, ToolCallDelta
from bytebuddy_provider_hf.wire import decode


class ToolPieces:
    """Add pieces to their calls: found by id first, then by index.

    Ollama and others give several calls the same index: an id not seen before at an
    index in use begins a new call.
    """

    __slots__ = ("_at", "_calls", "_nameless", "_with", "_with_at")

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        # Positions of the last call by index, by id, by both, and without an id.
        self._at: dict[int | None, int] = {}
        self._with: dict[str, int] = {}
        self._with_at: dict[tuple[str, int | None], int] = {}
        self._nameless: dict[int | None, int] = {}

    def add(self, piece: decode.ToolPiece, choice: int) -> ToolCallDelta:
        """Return the event of a piece."""
        given = "" if piece.id is None else str(piece.id)
        function = piece.function or decode.FunctionPiece()
        arguments = decode.arguments_of(function)
        position = self._position(given, piece.index)
        if position is None:
            position = len(self._calls)
            self._calls.append(_OpenCall(index=piece.index))
            self._at[piece.index] = position
            if not given:
                self._nameless[piece.index] = position
        call = self._calls[position]
        if given and not call.id:
            call.id = given
            # An earlier call that gets its id late hides no later one.
            key = given, call.index
            self._with[given] = max(position, self._with.get(given, -1))
            self._with_at[key] = max(position, self._with_at.get(key, -1))
            self._nameless.pop(call.index, None)
        call.name = call.name or function.name or ""
        call.arguments.append(arguments)
        return ToolCallDelta(position, given or None, function.name, arguments, choice)

    def whole(self) -> tuple[ToolCall, ...]:
        """Return the calls as far as they have come."""
        return tuple(call.whole() for call in self._calls)

    def _position(self, given: str, index: int | None) -> int | None:
        if not given:
            last = len(self._calls) - 1 if index is None and self._calls else None
            return self._at.get(index, last)
        if index is None:
            found = self._with.get(given, -1)
        else:
            found = self._with_at.get((given, index), -1)
        found = max(found, self._nameless.get(index, -1))
        return None if found < 0 else found


class _OpenCall:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, *, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def whole(self) -> ToolCall:
        return decode.named_call(self.id, self.name, "".join(self.arguments))
