"""Take the text out of a fence that may hold other fences."""

from __future__ import annotations

from bytebuddy_provider_hf.edits.formats.fences import Fence, fence_in


class FencedText:
    """Pass on the lines of a block up to the last fence that closes it.

    ``fence`` opened it. An inner fence that tells its language opens a block of its
    own; what closes the outer one does so only if no other fence follows.
    """

    def __init__(self, fence: Fence) -> None:
        self._depth = [fence]
        self._line = ""
        self._first = True
        # From the fence on that closed the block, if no other follows.
        self._held: list[str] = []
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        *whole, self._line = (self._line + text).split("\n")
        return "".join([self._take(line) for line in whole])

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        if self.done:
            return ""
        self.done = True
        line, self._line = self._line, ""
        return self._take(line) if line else ""

    def _take(self, line: str) -> str:
        fence = fence_in(line.rstrip("\r"))
        if fence is None:
            if not self._held:
                return self._show(line)
            self._held.append(line)
            return ""
        inner = self._depth[-1]
        if not inner.closed_by(fence):
            opens = fence.info and len(fence.mark) >= len(inner.mark)
            if opens and fence.mark[0] == inner.mark[0]:
                self._depth.append(fence)
        elif len(self._depth) > 1:
            self._depth.pop()
        else:
            shown = self._release()
            self._held = [line]
            return shown
        return self._release() + self._show(line)

    def _release(self) -> str:
        held, self._held = self._held, []
        return "".join([self._show(line) for line in held])

    def _show(self, line: str) -> str:
        # The line end before the closing fence is the fence's own.
        shown = line if self._first else f"\n{line}"
        self._first = False
        return shown
