"""Define what every filter of an answer offers: text in, the text to show out."""

from __future__ import annotations

from typing import Protocol


class TextFilter(Protocol):
    """Change a text while it streams, the same whatever its pieces.

    ``done`` tells that nothing after this can matter, so that the stream may be closed.
    """

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        ...

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        ...

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        ...


class Unfiltered:
    """Pass a text on as it is, for an answer that is judged when it is whole."""

    done = False

    def feed(self, text: str) -> str:
        """Return the text."""
        return text

    def close(self) -> str:
        """Return nothing: nothing was held back."""
        return ""


def filtered(text: str, through: TextFilter) -> str:
    """Return a whole text as the filter leaves it."""
    return through.feed(text) + through.close()
