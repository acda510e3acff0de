"""Line ends of an answer made those of the file it goes into."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.edits.text_filter import TextFilter

_BARE: Final = re.compile(r"(?<!\r)\n")


def has_crlf(text: str) -> bool:
    """Whether most lines of a text end with a carriage return and a line feed."""
    return text.count("\r\n") * 2 > text.count("\n")


class CrLf:
    """Change a text by another filter, then end its lines as Windows does."""

    def __init__(self, inner: TextFilter) -> None:
        self._inner = inner
        self._last = ""

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        return self._inner.done

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return self._ended(self._inner.feed(text))

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return self._ended(self._inner.close())

    def _ended(self, text: str) -> str:
        if not text:
            return text
        # The half of a line end that came before is part of this one.
        joined = self._last + text
        kept, self._last = len(self._last), text[-1] if text[-1] == "\r" else ""
        return _BARE.sub("\r\n", joined)[kept:]
