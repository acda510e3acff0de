"""From what a model answers to the text that belongs at the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.prompts.fill_by_chat import FillAnswerFilter
from bytebuddy_provider_hf.prompts.fill_context import FillContext, lines
from bytebuddy_provider_hf.prompts.overlap import Overlap
from bytebuddy_provider_hf.prompts.special_tokens import Unescape

# Equal lines in a row that may be meant; a model that has lost its way writes more.
_EQUAL: Final = 10
# Characters of the longest line that is compared with the one before it.
_COMPARED: Final = 1_000


class FillFilter:
    """Leave of an answer what belongs at the cursor, while it streams.

    1. Escaped spellings of ``specials`` are unescaped.
    2. With ``by_chat``: markers, fences and preamble around the text go, and a repeated
       end of the prefix; see
       :class:`~bytebuddy_provider_hf.prompts.fill_by_chat.FillAnswerFilter`.
    3. Without ``multiline`` the text ends before the first line end that has something
       other than blanks before it: line ends at its beginning do not count, and stay.
    4. The eleventh equal line in a row ends the text.
    5. What repeats the suffix is cut; see
       :class:`~bytebuddy_provider_hf.prompts.overlap.Overlap`.

    With ``by_chat`` the context must be the very one that was asked about, since it
    decides the marks. Without, the whole context tells more than one cut to the model's
    window.

    Falling below the cursor's indentation does not end the text: closing brackets,
    labels and a second function are right there as often as not.
    """

    def __init__(
        self,
        context: FillContext,
        *,
        multiline: bool,
        by_chat: bool = False,
        specials: Iterable[str] = (),
    ) -> None:
        self._filters: tuple[TextFilter, ...] = (
            Unescape(specials),
            *([FillAnswerFilter(context)] if by_chat else []),
            LineLimit(multiline=multiline),
            Overlap(context),
        )
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        if self.done:
            return ""
        for at, each in enumerate(self._filters):
            text = each.feed(text)
            if each.done:
                self.done = True
                return self._rest(text, at)
        return text

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        if self.done:
            return ""
        self.done = True
        return self._rest("", -1)

    def _rest(self, text: str, ended: int) -> str:
        """Return what the filters after the one that ended still let through."""
        for each in self._filters[ended + 1 :]:
            text = each.feed(text) + each.close()
        return text


class LineLimit:
    """End a text after its first line, or where it repeats a line without end."""

    def __init__(self, *, multiline: bool) -> None:
        self._multiline = multiline
        # The line that is being read, whether it has text, and what of it is held back.
        self._line = ""
        self._blank = True
        self._held = ""
        # The line before it, and how many equal ones stood there.
        self._last: str | None = None
        self._equal = 0
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        shown: list[str] = []
        for piece in lines(text):
            if self.done:
                break
            shown.append(self._take(piece))
        return "".join(shown)

    def close(self) -> str:
        """Return what was held back, the text having ended."""
        again = self._equal >= _EQUAL and self._line == self._last
        held, self._held = self._held, ""
        return "" if self.done or again else held

    def _take(self, piece: str) -> str:
        whole = piece.endswith("\n")
        text = piece[:-1] if whole else piece
        room = _COMPARED + 1 - len(self._line)
        self._line += text[: max(0, room)]
        self._blank = self._blank and not text.strip()
        held, self._held = self._held + piece, ""
        return self._whole(held) if whole else self._part(held)

    def _whole(self, held: str) -> str:
        line, self._line = self._line, ""
        blank, self._blank = self._blank, True
        if not self._multiline and not blank:
            self.done = True
            return held[:-1].removesuffix("\r")
        if line != self._last or len(line) > _COMPARED:
            self._last, self._equal = line, 1
            return held
        self._equal += 1
        self.done = self._equal > _EQUAL
        return "" if self.done else held

    def _part(self, held: str) -> str:
        """Return what of an unfinished line can be shown whatever comes."""
        last = self._last
        if self._equal >= _EQUAL and last is not None and last.startswith(self._line):
            self._held = held
            return ""
        if not self._multiline and held.endswith("\r"):
            self._held = "\r"
            return held[:-1]
        return held
