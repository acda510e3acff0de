"""Take off what a chat model writes around the text for a cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from bytebuddy_provider_hf.edits.formats.fences import Fence, fence_in
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
_CLOSES: Final = re.compile(r"\n[ \t]*```")
_CLOSES_OUTSIDE: Final = re.compile(r"\n {0,3}```")
_MAY_CLOSE: Final = re.compile(r"\r?\n[ \t]*`{0,2}\Z|\r\Z")
_AND: Final = (" and ", " or ", "和", " 和 ")
# Thoughts of one answer that are taken off.
_MOST_THOUGHTS: Final = 8

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
        known = any(_CLOSED.search(text) for text in place.around)
        self._thoughts = 0 if known else _MOST_THOUGHTS
        self._closes = _CLOSES_OUTSIDE if place.ticks else _CLOSES
        self._step: _Step = self._search
        # Whether a thought is being passed over, and whether one stood before the text.
        self._tagged = False
        self._below = False
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
        if self._thoughts and _THOUGHT.match(head.lstrip()):
            self._tagged = True
            self._step = self._talk
            return None
        near = self._text[: 2 * _HEAD]
        unnamed = self._unnamed(near, ended=ended or len(near) == 2 * _HEAD)
        if unnamed is None:
            return ""
        if unnamed != near:
            self._text = unnamed + self._text[len(near) :]
            return None
        head = self._text[:_HEAD]
        end = head.find(self._marks.end)
        begin = head.find(self._marks.begin, 0, end if end >= 0 else _HEAD)
        closed = _CLOSED.search(head) if self._thoughts else None
        limit = min((at for at in (begin, end) if at >= 0), default=_HEAD)
        if closed is not None and closed.start() < limit:
            self._text = self._text[closed.end() :]
            self._thoughts -= 1
            self._below = True
            return None
        if begin >= 0:
            self._fenced = not self._place.fences and any(_fences(head, 0, begin))
            self._text = self._text[begin + len(self._marks.begin) :]
            self._step = self._layout
            return None
        if len(head) < _HEAD and end < 0 and not ended:
            return ""
        self._open(head[:end] if end >= 0 else head)
        return None

    def _unnamed(self, text: str, *, ended: bool) -> str | None:
        """Return the text without both markers where a sentence only names them.

        ``None`` is returned while more may tell.
        """
        marks = self._marks
        while 0 <= (at := text.find(marks.begin)) < _HEAD:
            said = text[:at].rpartition("\n")[2]
            rest = text[at + len(marks.begin) :]
            named = [
                f"{tick}{word}{tick}{marks.end}" for tick in ("", "`") for word in _AND
            ]
            if not said.strip(" \t`"):
                break
            length = next((len(each) for each in named if rest.startswith(each)), 0)
            if not length:
                unsure = any(each.startswith(rest) for each in named)
                return None if unsure and not ended else text
            text = text[:at] + rest[length:]
        return text

    def _open(self, window: str) -> None:
        """Decide where the text begins that no marker opens."""
        self._step = self._body
        if self._below:
            # Blank lines below a thought are layout; indentation is not.
            lead = window.rfind("\n", 0, len(window) - len(window.lstrip())) + 1
            window, self._text = window[lead:], self._text[lead:]
        at = 0
        announced = False
        while window[at:].strip():
            verdict = self._place.judge(window[at:], ended=True)
            if verdict in ("tool call", "error body"):
                self.talked = self.done = True
                self._text = ""
                return
            announces = verdict == "preamble" and not self._place.fences
            fences = list(_fences(window, at, len(window)))
            if verdict == "words" or (announces and fences):
                self.talked = True
                self._step = self._talk
                return
            if fences:
                start, end, fence = fences[0]
                said = window[at:start].strip()
                told = announced or bool(said)
                if (
                    not self._place.fences
                    and said
                    and not fence.info
                    and not fences[1:]
                ):
                    # Below code that no fence opened, this one closes.
                    self._fenced = True
                    return
                # Where fences may stand, the text may have it below a line of its own.
                below = said and self._place.fences
                if not (
                    below and self._place.judge(said, ended=True) != "preamble"
                ) and self._place.is_wrapped_by(fence, announced=told):
                    self._enter(fence, end)
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

    def _enter(self, fence: Fence, end: int) -> None:
        self._text = self._text[end:]
        self.talked = False
        self._step = self._body
        if self._place.fences:
            self._wrapped = FencedText(fence)
        else:
            self._fenced = True

    def _talk(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        """Pass over talk up to a marker, a fence, or the end of a thought.

        In a tag only its end counts.
        """
        start = 0
        while True:
            end = self._text.find("\n", start)
            line = self._text[start:end] if end >= 0 else self._text[start:]
            if not self._tagged and len(line) <= 2 * _HEAD:
                unnamed = self._unnamed(line, ended=ended or end >= 0)
                if unnamed is None:
                    self._text = line
                    return ""
                line = unnamed
            rest = end if end >= 0 else len(self._text)
            begin = -1 if self._tagged else line.find(self._marks.begin)
            closed = _CLOSED.search(line) if self._thoughts else None
            if closed is not None and not 0 <= begin < closed.start():
                self.talked = self._tagged = False
                self._text = line[closed.end() :] + self._text[rest:]
                self._thoughts -= 1
                self._below = True
                self._step = self._search
                return None
            if begin >= 0:
                self.talked = False
                self._text = line[begin + len(self._marks.begin) :] + self._text[rest:]
                self._step = self._layout
                return None
            if end < 0:
                # The end of a line that is no fence, and may have a marker in it.
                self._text = line if len(line) <= 2 * _HEAD else "." + line[-_HEAD:]
                self.talked = True
                return ""
            seen = not self._tagged and len(line) <= _HEAD
            fence = _ticks_in(line) if seen else None
            if self._commands is not None:
                if fence is not None and self._commands.closed_by(fence):
                    self._commands = None
            elif fence is not None and self._place.is_command(fence):
                self._commands = fence
            elif fence is not None and self._place.is_wrapped_by(fence, announced=True):
                self._enter(fence, end + 1)
                return None
            start = end + 1

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

    def _body(self, ended: bool) -> str | None:  # noqa: FBT001 - as above
        if self._wrapped is not None:
            text, self._text = self._text, ""
            shown = self._wrapped.feed(text)
            return shown + self._wrapped.close() if ended else shown
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
        longest = min(max(map(len, waits)), len(text))
        may_wait = any(sign in text[len(text) - longest :] for sign in "<\r\n")
        sizes = range(longest if may_wait else 0, 0, -1)
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


def _ticks_in(line: str) -> Fence | None:
    """Return the fence that a line is, indented or not; models write no tildes."""
    text = line.strip()
    return fence_in(text) if text.startswith(_TICKS) else None


def _fences(text: str, start: int, end: int) -> Iterator[tuple[int, int, Fence]]:
    """Yield where the lines begin and end that are fences, and the fences."""
    at = start
    for line in lines(text[start:end]):
        fence = _ticks_in(line)
        if fence is not None and line.endswith("\n"):
            yield at, at + len(line), fence
        at += len(line)
