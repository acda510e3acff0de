"""The start of an answer that stands in front of it already."""

from __future__ import annotations

from bytebuddy_provider_hf.edits.text_filter import TextFilter


class DropPrefix:
    """Drop the beginning that an answer shares with ``start``, then filter the rest."""

    def __init__(self, start: str, inner: TextFilter) -> None:
        self._start = start
        self._inner = inner

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        return self._inner.done

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        shared = 0
        for ours, theirs in zip(self._start, text, strict=False):
            if ours != theirs:
                break
            shared += 1
        # Whatever is left of a text that was not used up ends the comparison.
        self._start = self._start[shared:] if shared == len(text) else ""
        return self._inner.feed(text[shared:])

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return self._inner.close()
