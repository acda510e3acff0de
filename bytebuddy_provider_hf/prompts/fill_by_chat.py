"""Fill in by a conversation, for instruct models whose server has no other way."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.prompts.fill_context import FillContext, lines
from bytebuddy_provider_hf.types import Message

# Characters of an answer that are searched for where the code begins.
_HEAD: Final = 400
# Characters at the end of the prefix that an answer may repeat before it goes on.
_REPEATED: Final = 2_000
# Lines of the prefix at which a repetition may begin.
_LINES: Final = 40
# Letters and digits that make repeated code more than a coincidence.
_TELLING: Final = 3
_FENCE: Final = "```"

_SYSTEM: Final = (
    "You complete code at the cursor of an editor. The user shows a file in which "
    "{hole} stands at the cursor. Write the text that belongs in its place, so that "
    "the file reads well from beginning to end.\n"
    "Rules:\n"
    "- Put that text between {begin} and {end}, and write nothing outside them.\n"
    "- Begin right at the cursor: do not repeat what stands before it, nor what "
    "follows it.\n"
    "- Keep to the file's indentation and style. Line ends and spaces count.\n"
    "- No explanations, no Markdown.\n"
    "- Where nothing is missing, write {begin}{end}."
)


@frozen
class FillMarkers:
    """What stands at the cursor, and around the answer; none is in the code."""

    placeholder: str
    begin: str
    end: str


def choose_markers(context: FillContext) -> FillMarkers:
    """Return the markers for this context: the first that its code does not hold."""
    number = 0
    while True:
        name = f"FILL{number or ''}"
        made = FillMarkers(f"<{name}_HERE>", f"<{name}>", f"</{name}>")
        marks = (made.placeholder, made.begin, made.end)
        if not any(mark in context.prefix or mark in context.suffix for mark in marks):
            return made
        number += 1


def fill_messages(context: FillContext) -> tuple[Message, ...]:
    """Return the conversation that asks for the missing text alone.

    Other files come first, then the file with a marker at the cursor. Read the answer
    with ``FillFilter(context, by_chat=True, ...)``.
    """
    marks = choose_markers(context)
    system = _SYSTEM.format(hole=marks.placeholder, begin=marks.begin, end=marks.end)
    shown = [
        f"For reference, {path}:\n{text.rstrip()}\n" for path, text in context.files
    ]
    named = f"The file {context.path}" if context.path else "The file"
    kind = f" ({context.language})" if context.language else ""
    shown.append(f"{named}{kind}:\n{context.prefix}{marks.placeholder}{context.suffix}")
    return (
        Message(role="system", content=system),
        Message(role="user", content="\n".join(shown)),
    )


class FillAnswerFilter:
    """Take off what a chat model writes around the missing text.

    1. The text begins after the first begin marker in the first 400 characters, or
       after the line of the first code fence there, or where the answer begins.
    2. Where the cursor's line is blank before it, or not blank after it, one line end
       right after the marker is layout and goes; a fence's own line ends always go.
    3. The cursor's line, or the last lines of the prefix, repeated at the beginning go:
       the cursor's indentation, and code that has three letters or digits.
    4. The text ends before the end marker, or before the line of the closing fence.

    Code that holds a fence itself is not searched for fences.
    """

    def __init__(self, context: FillContext) -> None:
        self._marks = choose_markers(context)
        line = context.prefix.rpartition("\n")[2]
        self._blank = not line.strip()
        self._inline = bool(context.suffix.partition("\n")[0].strip())
        self._fences = _FENCE not in context.prefix and _FENCE not in context.suffix
        self._repeats = _repeats(context.prefix)
        self._step = self._search
        self._fenced = False
        self._shown = False
        self._text = ""
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return "" if self.done else self._take(text, ended=False)

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        return "" if self.done else self._take("", ended=True)

    def _take(self, text: str, *, ended: bool) -> str:
        self._text += text
        # A step that has decided hands over to the next, with the text after it.
        while True:
            step = self._step
            shown = step(ended)
            if step == self._step:
                return shown

    def _search(self, ended: bool) -> str:  # noqa: FBT001 - one of the steps
        head = self._text[:_HEAD]
        end = head.find(self._marks.end)
        begin = head.find(self._marks.begin, 0, end if end >= 0 else _HEAD)
        if begin >= 0:
            self._text = self._text[begin + len(self._marks.begin) :]
            self._step = self._layout
            return ""
        if len(head) < _HEAD and end < 0 and not ended:
            return ""
        self._step = self._repeated
        at = 0
        for line in lines(head[:end] if end >= 0 else head) if self._fences else ():
            at += len(line)
            if line.startswith(_FENCE) and line.endswith("\n"):
                self._fenced = True
                self._text = self._text[at:]
                break
        return ""

    def _layout(self, ended: bool) -> str:  # noqa: FBT001 - as above
        """Take off what stands between the begin marker and the text."""
        text = self._text[:_HEAD]
        # Some models put a fence inside the markers, against the rules they were given.
        head = text.lstrip(" \t\r\n") if self._fences else ""
        fence = bool(head) and _FENCE.startswith(head[: len(_FENCE)])
        open_line = fence and "\n" not in head
        unsure = open_line or (not head and (self._fences or text in ("", "\r")))
        if unsure and len(text) < _HEAD and not ended:
            return ""
        self._step = self._repeated
        if head.startswith(_FENCE) and "\n" in head:
            self._fenced = True
            skipped = len(text) - len(head.partition("\n")[2])
            self._text = self._text[skipped:]
        elif self._blank or self._inline:
            for end in ("\r\n", "\n"):
                if text.startswith(end):
                    self._text = self._text[len(end) :]
                    break
        return ""

    def _repeated(self, ended: bool) -> str:  # noqa: FBT001 - as above
        text = self._text
        # More of the answer may make it a longer repetition.
        if not ended and any(
            len(known) > len(text) and known.startswith(text) for known in self._repeats
        ):
            return ""
        whole = [known for known in self._repeats if text.startswith(known)]
        self._text = text[len(max(whole, key=len, default="")) :]
        self._step = self._body
        return ""

    def _body(self, ended: bool) -> str:  # noqa: FBT001 - as above
        # The text stands at the beginning of a line until some of it was shown.
        before = "\n" if self._fenced and not self._shown else ""
        text = before + self._text
        ends = (self._marks.end, *((f"\n{_FENCE}",) if self._fenced else ()))
        found = [at for at in map(text.find, ends) if at >= 0]
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
        until = len(text) if ended else len(text) - undecided
        if until < len(before):
            return ""
        self._shown = self._shown or until > len(before)
        self._text = text[until:] if until else self._text
        return text[len(before) : until]


def _repeats(prefix: str) -> tuple[str, ...]:
    """Return the ends of the prefix that an answer may begin with again."""
    line = prefix.rpartition("\n")[2]
    tail = prefix[-_REPEATED:]
    starts = [0] if len(prefix) <= _REPEATED else []
    starts += [at + 1 for at, char in enumerate(tail) if char == "\n"][-_LINES:]
    return tuple(
        end
        for end in (tail[start:] for start in starts)
        if (end and end == line and not line.strip())
        or sum(map(str.isalnum, end)) >= _TELLING
    )
