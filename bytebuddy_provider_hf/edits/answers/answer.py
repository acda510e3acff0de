"""Read the answer of a model that was to change code: the new code, or why none is.

Every answer of ``edit`` goes through here, whatever its form: the whole code, lines of
a selection with what is round them, one function, a diff, blocks to search and replace,
parts with markers. What is not code of the file is none of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.answers.answer_task import AnswerTask
from bytebuddy_provider_hf.edits.answers.code_check import Kind, not_code
from bytebuddy_provider_hf.edits.answers.losses import (
    Losses,
    doubts_of,
    is_malformed,
    losses,
)
from bytebuddy_provider_hf.edits.answers.selection import (
    CutAnswer,
    cut_down,
    fitted,
    selection_of,
)
from bytebuddy_provider_hf.edits.answers.sentences import is_talk_line, without_talk
from bytebuddy_provider_hf.edits.answers.wellformed import is_parsed
from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.formats.fences import fence_in, has_fences
from bytebuddy_provider_hf.edits.formats.file_names import named_file
from bytebuddy_provider_hf.edits.formats.suggestion import read_suggestion
from bytebuddy_provider_hf.edits.languages import language_of
from bytebuddy_provider_hf.edits.lines import assemble, lines_of
from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.errors import Doubt
from bytebuddy_provider_hf.texts import LocalizedText, text

RefusalKind: TypeAlias = Literal[
    "no_code", "shortened", "unplaced", "marker", "unchanged"
]

_THOUGHTS: Final = re.compile(
    r"\s*<(think|thinking|thought|reasoning)>[\s\S]*?</\1>\s*"
)
# Of a line that is quoted in a message, so many characters are enough.
_MOST_SHOWN: Final = 80
# What may not come into a file that has it not: the frame of a change.
_MARKS: Final = re.compile(
    r"\s*(?:<{5,9}\s*\S|>{5,9}\s*\S|={7}\s*$|-{5,9}\s*SEARCH|\+{5,9}\s*REPLACE"
    r"|\*\*\* (?:Begin|End) Patch|\*\*\* (?:Update|Add|Delete) File:"
    r"|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|</?(?:search|replace|diff|edit)>\s*$)",
    re.IGNORECASE,
)
_WHAT: Final[Mapping[Kind, Callable[[], LocalizedText]]] = {
    "empty": partial(text, "answer.is_empty"),
    "talk": partial(text, "answer.is_talk"),
    "tool_call": partial(text, "answer.is_tool_call"),
    "error": partial(text, "answer.is_error"),
    "language": partial(text, "answer.is_language"),
    "command": partial(text, "answer.is_command"),
    "example": partial(text, "answer.is_example"),
}


@frozen
class Changed:
    """The new code; ``how`` tells how the answer was read ("whole", "patch", …).

    ``doubts`` are reasons to look at it before it is written, ``notes`` what else a
    reader should know.
    """

    text: str
    how: str
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Refused:
    """An answer that gives no new code: ``kind`` names it for programs.

    ``message`` is what is wrong, ``hint`` what to do.
    """

    kind: RefusalKind
    message: LocalizedText
    hint: LocalizedText


def read_answer(
    code: str,
    answer: str,
    *,
    prefix: str = "",
    suffix: str = "",
    path: str = "",
    language: str = "",
    instruction: str = "",
    bare: bool = False,
) -> Changed | Refused:
    """Return ``code`` as a model's answer changes it, or why it gives no new code.

    ``prefix`` and ``suffix`` stand round the code in its file: what an answer changes
    there is left out. What the ``instruction`` names may go; anything else that is
    gone is a doubt. A ``bare`` answer is code and nothing round it. Line ends and the
    end of the last line are those of ``code``.
    """
    known = language_of(path, language)
    task = AnswerTask(code, prefix, suffix, path, known, instruction)
    if bare:
        found = not_code(answer, code, language=known)
        return _whole(task, answer, answer) if found is None else _no_code(found.kind)
    thought = _THOUGHTS.match(answer)
    if thought is not None and f"<{thought[1]}>" not in code:
        answer = answer[thought.end() :]
    # Before a fence is looked for: these come bare, or in one of their own.
    found = not_code(answer, task.file, language=known)
    if found is not None and found.kind in ("empty", "tool_call", "error"):
        return _no_code(found.kind)
    if answer.split() == instruction.split():
        return _no_code("talk")
    # It begins with its first fence, where only talk or the file's name is before that.
    lines = answer.split("\n")
    fences = (at for at, line in enumerate(lines) if at and fence_in(line.rstrip("\r")))
    first = next(fences, 0)
    said = {line.strip() for line in lines[:first]} - {""}
    if said.isdisjoint(line.strip() for line in lines_of(code).texts) and all(
        is_talk_line(line, prose=True) or named_file(line) for line in said
    ):
        answer = "\n".join(lines[first:])
    parts = read_suggestion(task.file, answer, language=known, path=path)
    # By number they say their place, and that the file goes on.
    if any(it.patch or it.open_start or it.open_end or it.gaps for it in parts):
        return _merged(task, answer)
    texts = [part.code for part in parts]
    # Sentences between fences are what the lines say: part of a text in quotes, say.
    filled = (line for each in texts for line in each.split("\n") if line.strip())
    begins = next(filled, "")
    fenced = bool(begins) and has_fences(answer.partition(begins)[0])
    if len(texts) == 1 and not fenced and not is_parsed(texts[0], known):
        texts = [without_talk(texts[0], code, known)]
    # What is of the file is code, though the lines to change have nothing like it.
    problems = [
        not_code(each, code, language=known)
        and not_code(each, task.file, language=known)
        for each in texts
    ]
    kept = [each for each, why in zip(texts, problems, strict=True) if why is None]
    if not kept:
        why = next((each for each in (*problems, found) if each is not None), None)
        return _no_code("language" if why is None else why.kind)
    return _whole(task, answer, kept[0]) if len(kept) == 1 else _merged(task, answer)


def _whole(task: AnswerTask, answer: str, said: str) -> Changed | Refused:
    """Return the code as one text says it, or as a part of it that is merged."""
    lines = lines_of(said).texts
    if _markers(lines, task.file):
        return _merged(task, answer)
    cut = fitted(lines, task.selection, as_is=task.is_about_layout)
    if cut is None:
        return _unplaced()
    made = _made(task, cut)
    lost = losses(task, made)
    if (lost.names or lost.stood_for) and not task.keeps_little:
        # What is missing may be missing because the answer is a part.
        merged = _merged(task, answer, how="a part")
        if isinstance(merged, Changed):
            return merged
    if lost.stood_for:
        return _shortened(lost.stood_for)
    if cut.repeats and made == task.code:
        first, last = task.selection.start + 1, task.selection.end
        message = text("answer.unchanged", first=first, last=last)
        return Refused("unchanged", message, text("answer.hint"))
    return _judged(task, Changed(made, "whole", (), _outside(cut)), lost)


def _merged(task: AnswerTask, answer: str, *, how: str = "") -> Changed | Refused:
    """Return the code with a diff, or with parts of it, merged into its file.

    As ``a part`` it is not placed where a rule takes it for the whole.
    """
    selection = task.selection
    name = "" if task.language is None else task.language.name
    merged = merge(task.file, answer, path=task.path, language=name)
    if merged.text is None and not selection.is_file:
        # In the file it may fit more than one place, and among the lines only one.
        merged = merge(task.code, answer, path=task.path, language=name)
        selection = selection_of(task.code, "", "")
    if merged.text is None or (how and merged.how == "whole"):
        return _unplaced(merged.unplaced)
    made = merged.text
    notes: tuple[str, ...] = (text("answer.merged"),)
    if not selection.is_file:
        cut = cut_down(lines_of(merged.text).texts, selection)
        if cut is None:
            return _unplaced()
        made, notes = _made(task, cut), (*_outside(cut), *notes)
        if made == task.code:
            first, last = selection.start + 1, selection.end
            message = text("answer.unchanged", first=first, last=last)
            return Refused("unchanged", message, text("answer.hint"))
    changed = Changed(made, merged.how or "", merged.doubts, notes)
    return _judged(task, changed, None)


def _judged(
    task: AnswerTask, changed: Changed, lost: Losses | None
) -> Changed | Refused:
    """Return new code with what is doubtful in it; refused where code is lost.

    What a diff takes away, it names: there nothing is ``lost``.
    """
    after = lines_of(changed.text).texts
    known = {line.strip() for line in lines_of(task.code).texts}
    marks = [x for x in after if _MARKS.match(x) and x.strip() not in known]
    left = marks or _markers(after, task.code)
    if left:
        message = text("answer.marker", line=_shown(left[0]))
        return Refused("marker", message, text("answer.whole_hint"))
    doubts = list(changed.doubts)
    if lost is not None:
        doubts += doubts_of(task, changed.text, lost)
    if is_malformed(task, changed.text):
        # A fence in code that no longer reads as code is one that was not taken off.
        fence = next((x for x in after if fence_in(x) and x.strip() not in known), None)
        if fence is not None and not task.is_text:
            message = text("answer.marker", line=_shown(fence))
            return Refused("marker", message, text("answer.whole_hint"))
        if lost and not lost.ended:
            return _shortened(after[-1] if after else "")
        doubts.append(Doubt("unparsable", text("answer.unparsable")))
    return evolve(changed, doubts=tuple(doubts))


def _made(task: AnswerTask, cut: CutAnswer) -> str:
    """Return the new lines of the code as a text, with the line ends that it had.

    Models drop and add trailing blanks: where a line differs in these alone, it stays.
    """
    before, new = lines_of(task.code), cut.lines
    old = before.texts
    if task.is_about_layout:
        same = {there: here for here, there in aligned(old, new)}
    else:
        pairs = aligned([x.rstrip() for x in old], [x.rstrip() for x in new])
        same = {there: here for here, there in pairs}
    pieces = [same.get(at, line) for at, line in enumerate(new)]
    return assemble(before, pieces)


def _markers(lines: Sequence[str], original: str) -> list[str]:
    """Return lines that stand for code left out, and that the original has not."""
    known = {line.strip() for line in lines_of(original).texts}
    return [
        line
        for line in lines
        if line.strip() not in known and classify_line(line) is ElisionKind.MARKER
    ]


def _shown(line: str) -> str:
    """Return a line as a message quotes it."""
    said = line.strip()
    return said if len(said) <= _MOST_SHOWN else f"{said[:_MOST_SHOWN]}…"


def _outside(cut: CutAnswer) -> tuple[LocalizedText, ...]:
    """Return the note of changes outside of the selection."""
    return (text("answer.left_out", count=cut.left_out),) if cut.left_out else ()


def _no_code(kind: Kind) -> Refused:
    message = text("answer.no_code", what=_WHAT[kind]())
    return Refused("no_code", message, text("answer.hint"))


def _shortened(line: str) -> Refused:
    message = text("answer.shortened", line=_shown(line))
    return Refused("shortened", message, text("answer.whole_hint"))


def _unplaced(parts: Sequence[str] = ()) -> Refused:
    lines = (line for part in parts for line in part.split("\n") if line.strip())
    shown = _shown(next(lines, ""))
    message = text("answer.unplaced", line=shown) if shown else text("answer.no_place")
    return Refused("unplaced", message, text("answer.whole_hint"))
