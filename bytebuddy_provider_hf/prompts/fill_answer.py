"""Take off what a chat model writes around the text for a cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from bytebuddy_provider_hf.edits.fences import Fence, fence_in
from bytebuddy_provider_hf.prompts.fenced_text import FencedText
from bytebuddy_provider_hf.prompts.fill_by_chat import FillMarkers
from bytebuddy_provider_hf.prompts.fill_context import FillContext, lines
from bytebuddy_provider_hf.prompts.fill_place import Place

# Characters of an answer that are searched for where the text begins.
_HEAD: Final = 400
_TICKS: Final = "```"
# Tags round what a model thinks before it answers.
_THOUGHTS: Final = ("think", "thinking", "thought", "reasoning")
_THOUGHT: Final = re.compile(rf"<({'|'.join(_THOUGHTS)})>")
_CLOSED: Final = re.compile(rf"</(?:{'|'.join(_THOUGHTS)})>")
# Models indent the fence that closes a block as they do its code.
_CLOSES: Final = re.compile(r"\n[ \t]*(?:```|~~~)")
_CLOSES_OUTSIDE: Final = re.compile(r"\n {0,3}(?:```|~~~)")
_MAY_CLOSE: Final = re.compile(r"\r?\n[ \t]*(?:`{0,2}|~{0,2})\Z|\r\Z")
_CLOSE_LENGTH: Final = max(map(len, _THOUGHTS)) + 3

# A step returns what may be shown now, or nothing where the next step is to go on.
_Step: TypeAlias = Callable[[bool], str | None]


class FillAnswerFilter:
    """Take off what a chat model writes around the text for a cursor.

    1. What it thinks in tags goes.
    2. The text begins after the first begin marker in the first 400 characters, or
       after the line of the first code fence there, or where the answer begins. An
       answer that begins as talk is searched for both to its end, and is none if it
       has neither.
    3. Where the cursor's line is blank before it, or not blank after it, one line end
       right after the marker is layout and goes; a fence's own line ends always go.
    4. The text ends before the end marker, or before the line of the closing fence.

    Where fences may belong to the text, only one round the whole answer is taken off.
    ``talked`` tells that the answer was talk.
    """

    def __init__(self, context: FillContext, marks: FillMarkers, place: Place) -> None:
        self._marks = marks
        self._place = place
        line = context.prefix.rpartition("\n")[2]
        self._blank = not line.strip()
        self._inline = bool(context.suffix.partition("\n")[0].strip())
        # What is said of them in a file that has such tags itself may be meant.
        self._thinks = not any(_CLOSED.search(text) for text in place.around)
        self._closes = _CLOSES_OUTSIDE if place.ticks else _CLOSES
        self._step: _Step = self._search
        self._fenced = False
        self._shown = False
        self._wrapped: FencedText | None = None
        # The block of commands in talk that is being passed over.
        self._commands: Fence | None = None
        self._text = ""
        self.talked = False
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return "" if self.done else self._take(text, ended=False)

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return "" if self.done else self._take("", ended=True)

    def _take(self, text: str, *, ended: bool) -> str:
        self._text += text
        while (shown := self._step(ended)) is None:
            pass
        return shown

    def _search(self, ended: bool) -> str | None:  # noqa: FBT001 - one of the steps
        head = self._text[:_HEAD]
        if self._thinks and _THOUGHT.match(head.lstrip()):
            self._step = self._think
            return None
        end = head.find(self._marks.end)
        begin = self._begin(head, ended=ended)
        if begin is not None and 0 <= end < begin:
            begin = -1
        closed = _CLOSED.search(head) if self._thinks else None
        limit = min(
            (at for at in (begin, end) if at is not None and at >= 0), default=_HEAD
        )
        if closed is not None and closed.start() < limit:
            self._text = self._text[closed.end() :]
            return None
        if begin is None:
            return ""
        if begin >= 0:
            self._fenced = self._has_fence(head[:begin])
            self._text = self._text[begin + len(self._marks.begin) :]
            self._step = self._layout
            return None
        if len(head) < _HEAD and end < 0 and not ended:
            return ""
        self._open(head[:end] if end >= 0 else head)
        return None

    def _begin(self, head: str, *, ended: bool) -> int | None:
        """Return where the begin marker is that opens the text; ``None``: unsure.

        A sentence that only names both markers does not open it.
        """
        marks = self._marks
        at = -1
        while (at := head.find(marks.begin, at + 1)) >= 0:
            rest = head[at + len(marks.begin) :]
            named = [
                f"{tick} {word} {tick}{marks.end}"
                for tick in ("", "`")
                for word in ("and", "or")
            ]
            if rest.startswith(tuple(named)) or head[at - 1 : at] == "`":
                continue
            if not ended and any(each.startswith(rest) for each in named):
                return None
            return at
        return -1

    def _has_fence(self, text: str) -> bool:
        if self._place.fences:
            return False
        return any(fence_in(line.strip()) for line in lines(text))

    def _open(self, window: str) -> None:
        """Decide where the text begins that no marker opens."""
        self._step = self._body
        at = 0
        announced = False
        while window[at:].strip():
            verdict = self._place.judge(window[at:], ended=True)
            if verdict in ("tool call", "error body"):
                self.talked = True
                self._text = ""
                self._step = self._nothing
                return
            if verdict == "words":
                self.talked = True
                self._step = self._talk
                return
            if self._open_fence(window, at, announced=announced):
                return
            if verdict != "preamble":
                break
            announced = True
            at += len(window[at:]) - len(window[at:].lstrip())
            at = window.find("\n", at) + 1 or len(window)
        self.talked = announced and not window[at:].strip()
        if announced:
            text = self._text[at:]
            # Blank lines below an announcement are layout; indentation is not.
            blank = len(text) - len(text.lstrip())
            self._text = text[text.rfind("\n", 0, blank) + 1 :]

    def _open_fence(self, window: str, at: int, *, announced: bool) -> bool:
        """Begin the text at a fence, if one opens it; return whether one does."""
        fences = list(_fences(window, at))
        if not fences:
            return False
        start, end, fence = fences[0]
        said = window[at:start].strip()
        if self._place.fences:
            if said and self._place.judge(said, ended=True) != "preamble":
                return False
            if not self._place.is_wrapped_by(fence, announced=announced or bool(said)):
                return False
        elif said and not fence.info and len(fences) == 1:
            # Below code that no fence opened, this one closes.
            spoken = self._place.judge(said, ended=True) == "preamble"
            self._fenced = not spoken
            if not spoken:
                return True
        self._enter(fence, end)
        return True

    def _enter(self, fence: Fence, end: int) -> None:
        self._text = self._text[end:]
        self.talked = False
        if self._place.fences:
            self._wrapped = FencedText(fence)
            self._step = self._block
        else:
            self._fenced = True
            self._step = self._body

    def _think(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        closed = _CLOSED.search(self._text)
        if closed is not None:
            self._text = self._text[closed.end() :]
            self._step = self._search
            return None
        self._text = self._text[-_CLOSE_LENGTH:]
        self.talked = ended
        return ""

    def _talk(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        """Pass over talk up to a marker, a fence, or the end of a thought."""
        while True:
            line, broken, after = self._text.partition("\n")
            begin = self._begin(line, ended=ended or bool(broken))
            closed = _CLOSED.search(line) if self._thinks else None
            if closed is not None and (
                begin is None or not 0 <= begin < closed.start()
            ):
                self.talked = False
                self._text = self._text[closed.end() :]
                self._step = self._search
                return None
            if begin is not None and begin >= 0:
                self.talked = False
                self._text = self._text[begin + len(self._marks.begin) :]
                self._step = self._layout
                return None
            if not broken:
                if len(line) > 2 * _HEAD:
                    self._text = "." + line[-_HEAD:]
                return ""
            fence = fence_in(line.strip())
            if self._commands is not None:
                if fence is not None and self._commands.closed_by(fence):
                    self._commands = None
            elif fence is not None and self._place.is_command(fence):
                self._commands = fence
            elif fence is not None and self._place.is_wrapped_by(fence, announced=True):
                self._enter(fence, len(line) + 1)
                return None
            self._text = after

    def _nothing(self, ended: bool) -> str | None:  # noqa: ARG002, FBT001 - as above
        self.done = True
        return ""

    def _layout(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        """Take off what stands between the begin marker and the text."""
        text = self._text[:_HEAD]
        # Some models put a fence inside the markers, against the rules they were given.
        head = text.lstrip(" \t\r\n")
        fence = bool(head) and _TICKS.startswith(head[: len(_TICKS)])
        unsure = (fence and "\n" not in head) or not head
        if unsure and len(text) < _HEAD and not ended:
            return ""
        self._step = self._body
        if head.startswith(_TICKS) and "\n" in head:
            opened = fence_in(head.partition("\n")[0].rstrip())
            if opened and self._place.is_wrapped_by(opened, announced=False):
                self._enter(opened, len(text) - len(head.partition("\n")[2]))
                return None
        if self._blank or self._inline:
            for end in ("\r\n", "\n"):
                if text.startswith(end):
                    self._text = self._text[len(end) :]
                    break
        return None

    def _block(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        """Pass on the text in a fence that holds others."""
        wrapped = self._wrapped
        if wrapped is None:
            return ""
        text, self._text = self._text, ""
        shown = wrapped.feed(text)
        return shown + wrapped.close() if ended else shown

    def _body(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        # The text stands at the beginning of a line until some of it was shown.
        before = "\n" if self._fenced and not self._shown else ""
        text = before + self._text
        ends = (self._marks.end, self._marks.placeholder)
        found = [at for at in map(text.find, ends) if at >= 0]
        if self._fenced and (closing := self._closes.search(text)):
            found.append(closing.start())
        if found:
            self.done = True
            kept, end = text[: min(found)], text[min(found) :]
            # The line end before an end goes where it is layout: always before a fence,
            # before a marker where the code goes on in the cursor's line.
            if end.startswith("\n"):
                kept = kept.removesuffix("\r")
            elif self._inline and not self._blank and kept.endswith("\n"):
                kept = kept[:-1].removesuffix("\r")
            return kept[len(before) :]
        # What may be the beginning of an end waits, with the line end before it.
        waits = [f"{lead}{end}" for end in ends for lead in ("", "\n", "\r", "\r\n")]
        sizes = range(min(max(map(len, waits)), len(text)), 0, -1)
        undecided = next(
            (size for size in sizes if any(w.startswith(text[-size:]) for w in waits)),
            0,
        )
        if self._fenced and (begun := _MAY_CLOSE.search(text)):
            undecided = max(undecided, len(text) - begun.start())
        until = len(text) if ended else len(text) - undecided
        if until < len(before):
            return ""
        self._shown = self._shown or until > len(before)
        self._text = text[until:] if until else self._text
        return text[len(before) : until]


def _fences(window: str, at: int) -> Iterator[tuple[int, int, Fence]]:
    """Yield where the lines begin and end that are fences, and the fences."""
    for line in lines(window[at:]):
        fence = fence_in(line.strip())
        if fence is not None and line.endswith("\n"):
            yield at, at + len(line), fence
        at += len(line)
