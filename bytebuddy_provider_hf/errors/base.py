"""The base of every error: one redacted line, a next step, no secret."""

from __future__ import annotations

from typing import ClassVar, Final

from bytebuddy_provider_hf.secret import one_line

_STOPS: Final = (".", "!", "?", "…", "")


class ByteBuddyError(Exception):
    """Base of every error of this package."""

    hint_default: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = one_line(message)
        self.status = status
        self.retry_after = retry_after
        chosen = hint if hint is not None else self.hint_default
        self.hint = None if chosen is None else one_line(chosen)
        super().__init__(self.message)

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        stop = "" if self.message[-1:] in _STOPS else "."
        return f"{self.message}{stop} {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[ByteBuddyError], state: dict[str, object]) -> ByteBuddyError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error
