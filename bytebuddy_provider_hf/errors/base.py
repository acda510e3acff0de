"""Define the base of every error: one redacted line, a next step, no secret."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import LocalizedText

# After these no full stop is missing before the hint.
_STOPS: Final = (".", "!", "?", "…", "")


class ByteBuddyError(Exception):
    """Base of every error of this package."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = _shown(message)
        self.status = status
        self.retry_after = retry_after
        self.hint = None if hint is None else _shown(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        stop = "" if self.message[-1:] in _STOPS else "."
        return f"{self.message}{stop} {self.hint}"

    # Exception's own would call the class with ``args``, and lose what was set later.
    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _shown(said: str) -> str:
    """Return a printable, redacted line, in a form that can still be translated."""
    line = one_line(said)
    if line == said or not isinstance(said, LocalizedText):
        return line
    facts = {name: one_line(fact) for name, fact in said.facts.items()}
    again = LocalizedText(said.id, facts, said.row)
    # What is hidden may begin in one fact and end in another.
    return again if one_line(again) == again else line


def _rebuild(kind: type[ByteBuddyError], state: dict[str, object]) -> ByteBuddyError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error
