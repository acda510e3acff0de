"""Filter what a model answers, down to the text that belongs at the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.prompts.fill_answer import FillAnswerFilter
from bytebuddy_provider_hf.prompts.fill_by_chat import choose_markers
from bytebuddy_provider_hf.prompts.fill_context import FillContext, lines
from bytebuddy_provider_hf.prompts.fill_place import place_of
from bytebuddy_provider_hf.prompts.overlap import Overlap
from bytebuddy_provider_hf.prompts.repetition import RepeatedPrefix
from bytebuddy_provider_hf.prompts.special_tokens import Unescape
from bytebuddy_provider_hf.prompts.talk_filter import TalkFilter

# Equal lines in a row that may be meant; a model that has lost its way writes more.
_EQUAL: Final = 10
# Characters of the longest line that is compared with the one before it.
_COMPARED: Final = 1_000
_BARE_LINE_FEED: Final = re.compile(r"(?<!\r)\n")


def has_crlf(text: str) -> bool:
    """Whether most lines of a text end with a carriage return and a line feed."""
    return text.count("\r\n") * 2 > text.count("\n")


class FillFilter:
    """Leave of an answer what belongs at the cursor, while it streams.

    1. Escaped spellings of ``specials`` are unescaped.
    2. With ``by_chat``: markers, fences and preamble around the text go; see
       :class:`~bytebuddy_provider_hf.prompts.fill_answer.FillAnswerFilter`.
    3. Talk is no text, of a model that was not asked by chat only where nobody can
       mistake it; see :class:`~bytebuddy_provider_hf.prompts.talk_filter.TalkFilter`.
    4. What repeats the prefix is cut; see
       :class:`~bytebuddy_provider_hf.prompts.repetition.RepeatedPrefix`.
    5. Without ``multiline`` the text ends before the first line end that has something
       other than blanks before it: line ends at its beginning do not count, and stay.
    6. The eleventh equal line in a row ends the text.
    7. What repeats the suffix is cut; see
       :class:`~bytebuddy_provider_hf.prompts.overlap.Overlap`.

    With ``by_chat`` the context must be the very one that was asked about, since it
    decides the marks; ``whole`` is what it was cut from. ``talked`` tells that a model
    answered in words.
    """

    def __init__(
        self,
        context: FillContext,
        *,
        multiline: bool,
        by_chat: bool = False,
        specials: Iterable[str] = (),
        whole: FillContext | None = None,
    ) -> None:
        place = place_of(whole or context)
        self._talk = TalkFilter(place, strict=not by_chat)
        self._answer = (
            FillAnswerFilter(context, choose_markers(context), place)
            if by_chat
            else None
        )
        # No filter looks at indentation: closing brackets, labels and a second function
        # stand below the cursor's as often as not.
        self._filters: tuple[TextFilter, ...] = (
            Unescape(specials),
            *([self._answer] if self._answer else []),
            self._talk,
            RepeatedPrefix((whole or context).prefix, by_chat=by_chat),
            LineLimit(multiline=multiline),
            Overlap(context),
        )
        self.done = False

    @property
    def talked(self) -> bool:
        """Whether the answer was talk."""
        return self._talk.talked or bool(self._answer and self._answer.talked)

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


def has_talked(through: TextFilter) -> bool:
    """Whether the answer that went through a filter was talk."""
    while isinstance(through, CrLf | DropPrefix):
        through = through.inner
    return isinstance(through, FillFilter) and through.talked


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
            whole = piece.endswith("\n")
            said = piece[:-1] if whole else piece
            # One character more than is compared tells that a line is too long for it.
            self._line += said[: max(0, _COMPARED + 1 - len(self._line))]
            self._blank = self._blank and not said.strip()
            held, self._held = self._held + piece, ""
            last = self._last
            if whole:
                line, self._line = self._line, ""
                blank, self._blank = self._blank, True
                # Line ends at the beginning are layout: the first line has text.
                if not self._multiline and not blank:
                    self.done = True
                    shown.append(held[:-1].removesuffix("\r"))
                    break
                same = line == last and len(line) <= _COMPARED
                self._last, self._equal = line, self._equal + 1 if same else 1
                self.done = self._equal > _EQUAL
                shown.append("" if self.done else held)
            elif self._equal >= _EQUAL and last and last.startswith(self._line):
                # It may become the one equal line too many.
                self._held = held
            elif not self._multiline and held.endswith("\r"):
                # It may be the first half of the line end, which does not count.
                shown.append(held[:-1])
                self._held = "\r"
            else:
                shown.append(held)
        return "".join(shown)

    def close(self) -> str:
        """Return what was held back, the text having ended."""
        again = self._equal >= _EQUAL and self._line == self._last
        held, self._held = self._held, ""
        return "" if self.done or again else held


class CrLf:
    """Change a text by another filter, then end its lines as Windows does."""

    def __init__(self, inner: TextFilter) -> None:
        self.inner = inner
        self._last = ""

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        return self.inner.done

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return self._ended(self.inner.feed(text))

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return self._ended(self.inner.close())

    def _ended(self, text: str) -> str:
        if not text:
            return text
        # The half of a line end that came before is part of this one.
        joined = self._last + text
        kept, self._last = len(self._last), text[-1] if text[-1] == "\r" else ""
        return _BARE_LINE_FEED.sub("\r\n", joined)[kept:]


class DropPrefix:
    """Drop the beginning that an answer shares with ``start``, then filter the rest."""

    def __init__(self, start: str, inner: TextFilter) -> None:
        self._start = start
        self.inner = inner

    @property
    def done(self) -> bool:
        """Whether the rest of the answer is not wanted."""
        return self.inner.done

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        shared = 0
        for ours, theirs in zip(self._start, text, strict=False):
            if ours != theirs:
                break
            shared += 1
        # Whatever is left of a text that was not used up ends the comparison.
        self._start = self._start[shared:] if shared == len(text) else ""
        return self.inner.feed(text[shared:])

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return self.inner.close()
