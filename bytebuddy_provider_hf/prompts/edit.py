"""Ask for a change of code: base models by a commit, instruct models in words."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.edits.formats.fences import fence_for
from bytebuddy_provider_hf.edits.lines import lines_of
from bytebuddy_provider_hf.prompts.family import EditFormat, Rendered
from bytebuddy_provider_hf.prompts.special_tokens import Escaper, Unescape
from bytebuddy_provider_hf.prompts.template import render
from bytebuddy_provider_hf.types import Message

# Characters of what surrounds the code that a model is shown: what stands before
# matters more (imports, the head of the class), and small models read little.
_MOST_BEFORE: Final = 8_000
_MOST_AFTER: Final = 4_000
# CommonMark allows no backtick in an info string; a language's name needs no more.
_NOT_INFO: Final = re.compile(r"[^\w+#.-]", re.ASCII)

# What a model is told that applies a suggestion no rule could place.
_MARKERS_STAND: Final = (
    "A comment with dots in the suggestion, such as `... existing code ...`, stands "
    "for lines of the file that stay: write those lines out, never the comment."
)
_ALL_LINES: Final = (
    "all of the new file, from its first line to its last, and nothing else. Every "
    "line of the suggestion has to be in it, and every line of the file that the "
    "suggestion does not change, with its indentation."
)


@frozen
class EditTask:
    """Code, and what is to be changed in it.

    ``prefix`` and ``suffix`` surround it in its file; a model sees them only.
    """

    code: str
    instruction: str
    prefix: str = ""
    suffix: str = ""
    path: str = ""
    language: str = ""


@frozen
class EditPrompt:
    """A question in turns, and how its answer may be begun.

    ``prefill`` opens the block of code with ``fence``. It is for servers that continue
    the turn of an assistant, as its content; others are not sent it.
    """

    messages: tuple[Message, ...]
    prefill: str
    fence: str


def render_commit(form: EditFormat, task: EditTask) -> Rendered:
    """Return the start of a commit: the code, the instruction, and the model's part.

    Tokens of the model inside either are escaped, so that they do not act;
    :class:`CommitFilter` restores them in the answer.
    """
    escaper = Escaper(form.specials)
    code = escaper.escape(task.code)
    message = escaper.escape(task.instruction.strip())
    prompt = f"{form.before}{code}{form.message}{message}{form.after}"
    notes: tuple[str, ...] = ()
    if escaper.found:
        names = ", ".join(escaper.found)
        notes = (texts.text("prompts.commit_marks", names=names),)
    if task.prefix.strip() or task.suffix.strip():
        notes = (*notes, texts.text("prompts.surroundings_left_out"))
    return Rendered(prompt, form.stops, notes)


class CommitFilter:
    """Take the code out of a commit's answer: unescaped, its last line as it was.

    The line ends are those of most lines of the code.
    """

    def __init__(self, form: EditFormat, task: EditTask) -> None:
        lines = lines_of(task.code)
        self._unescape = Unescape(form.specials)
        self._end = lines.usual
        # Nothing tells how code that did not exist should end.
        self._ended = lines.ended if task.code else None
        # Line ends that may be the last, and a carriage return that may begin one.
        self._held = ""
        self._any = False

    @property
    def done(self) -> bool:
        """Whether the rest is not wanted: it always is, up to a stop."""
        return False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        return self._passed(self._unescape.feed(text))

    def close(self) -> str:
        """Return what was held back; adds or drops one line end at the end."""
        shown = self._passed(self._unescape.close())
        rest, self._held = self._held, ""
        if self._ended is None:
            return shown + rest
        has = rest.endswith("\n")
        rest = rest.removesuffix("\n").removesuffix("\r") if has else rest
        wanted = self._ended and (has or self._any)
        return shown + rest + (self._end if wanted else "")

    def _passed(self, text: str) -> str:
        text = self._held + text
        self._held = ""
        for end in ("\r\n", "\n", "\r"):
            if text.endswith(end):
                text, self._held = text.removesuffix(end), end
                break
        self._any = self._any or bool(text)
        return text.replace("\r\n", "\n").replace("\n", self._end)


def edit_messages(task: EditTask) -> EditPrompt:
    """Return the question for an instruct model, all in one turn of the user.

    One turn, because not every template has a place for a system message. At most
    8,000 characters before the code and 4,000 after it are shown, whole lines.
    """
    fence = fence_for(task.code, task.prefix, task.suffix)
    info = info_of(task.language, task.path)
    before = _tail(task.prefix)
    after = _head(task.suffix)
    parts = [f"Change the code as told.\n\nWhat to change: {task.instruction.strip()}"]
    if task.path:
        parts.append(f"The code is from the file {' '.join(task.path.split())}.")
    if before.strip():
        parts.append(
            "Before it stands (not yours to change):\n" + fenced(before, fence)
        )
    parts.append("The code to change:\n" + fenced(task.code, fence, info))
    if after.strip():
        parts.append("After it stands (not yours to change):\n" + fenced(after, fence))
    parts.append(
        f"Answer with one block between {fence} lines that has all of the code to "
        "change, changed, and nothing else: no explanation, nothing left out, nothing "
        "of what stands before or after. Keep every other line as it is, with its "
        "indentation."
    )
    message = Message("user", "\n\n".join(parts))
    return EditPrompt((message,), f"{fence}{info}\n", fence)


def render_edit_template(template: str, task: EditTask) -> str:
    """Return the entry's own template for edits with the task put in.

    It may name ``userInput``, ``prefix``, ``codeToEdit``, ``suffix`` and ``language``;
    raises ``InvalidOption`` for any other name or form.
    """
    values = {
        "userInput": task.instruction,
        "prefix": _tail(task.prefix),
        "codeToEdit": task.code,
        "suffix": _head(task.suffix),
        "language": task.language or info_of("", task.path),
    }
    return render(template, values)


def apply_messages(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> EditPrompt:
    """Return the question for the whole new text, in one turn of the user."""
    fence = fence_for(original, suggestion)
    info = info_of(language, path)
    named = f" {' '.join(path.split())}" if path else ""
    parts = (
        f"Work the suggested change into the file{named}.",
        "The file as it is:\n" + fenced(original, fence, info),
        "The suggested change:\n" + fenced(suggestion, fence),
        _MARKERS_STAND,
        f"Answer with one block between {fence} lines that has {_ALL_LINES}",
    )
    text = "\n\n".join(parts)
    return EditPrompt((Message("user", text),), f"{fence}{info}\n", fence)


def render_apply_template(template: str, original: str, suggestion: str) -> str:
    """Return the entry's own template for applying, with both texts put in.

    It may name ``original_code`` and ``new_code``; raises ``InvalidOption`` for any
    other name or form.
    """
    return render(template, {"original_code": original, "new_code": suggestion})


def info_of(language: str, path: str) -> str:
    """Return what follows an opening fence: the language, or the file's extension."""
    name = path.replace("\\", "/").rpartition("/")[2]
    # A name that begins with its only dot (.gitignore) has no extension.
    stem, _, extension = name.rpartition(".")
    return _NOT_INFO.sub("", language or (extension if stem else ""))[:32]


def fenced(text: str, fence: str, info: str = "") -> str:
    """Return ``text`` as a block of code, which ends with a line of its own."""
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{fence}{info}\n{text}{end}{fence}"


def _tail(text: str) -> str:
    if len(text) <= _MOST_BEFORE:
        return text
    kept = text[-_MOST_BEFORE:]
    # Half a line would read as if the file began there.
    return kept.partition("\n")[2] or kept


def _head(text: str) -> str:
    if len(text) <= _MOST_AFTER:
        return text
    kept = text[:_MOST_AFTER]
    return kept.rpartition("\n")[0] or kept
