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
from bytebuddy_provider_hf.edits.code_check import Kind, not_code
from bytebuddy_provider_hf.edits.definitions import gone
from bytebuddy_provider_hf.edits.elision_markers import ElisionKind, classify_line
from bytebuddy_provider_hf.edits.fences import fence_in, is_prose
from bytebuddy_provider_hf.edits.languages import Language, language_of
from bytebuddy_provider_hf.edits.lines import Lines, assemble, is_distinctive, lines_of
from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.edits.selection import (
    Cut,
    Selection,
    cut_down,
    fitted,
    selection_of,
)
from bytebuddy_provider_hf.edits.spoken import is_talk_line
from bytebuddy_provider_hf.edits.suggestion import read_suggestion
from bytebuddy_provider_hf.edits.wellformed import breaks_form, is_parsed
from bytebuddy_provider_hf.errors import Doubt
from bytebuddy_provider_hf.texts import LocalizedText, text

RefusalKind: TypeAlias = Literal[
    "no_code", "shortened", "unplaced", "marker", "unchanged"
]

# From so many lines on, fewer than this share of the telling ones kept is a doubt.
_FEWEST_LINES: Final = 20
_FEWEST_KEPT: Final = 0.1
# Lines that go without any in their place: at the end, at the start, in between.
_MOST_TAIL: Final = 1
_MOST_HEAD: Final = 3
_MOST_BETWEEN: Final = 12
_SHOWN_NAMES: Final = 6

_THOUGHTS: Final = re.compile(
    r"\s*<(think|thinking|thought|reasoning)>[\s\S]*?</\1>\s*"
)
# What may not come into a file that has it not: the frame of a change.
_MARKS: Final = re.compile(
    r"\s*(?:<{5,9}\s*\S|>{5,9}\s*\S|={7}\s*$|-{5,9}\s*SEARCH|\+{5,9}\s*REPLACE"
    r"|\*\*\* (?:Begin|End) Patch|\*\*\* (?:Update|Add|Delete) File:"
    r"|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|</?(?:search|replace|diff|edit)>\s*$)",
    re.IGNORECASE,
)
# Words by which an instruction wants something to go from where it is.
_REMOVES: Final = re.compile(
    r"\b(?:remov|delet|drop|get(?:ting)? rid|strip|eras|cut|renam|mov|inlin|merg"
    r"|combin|replac|fold|extract|split|convert|turn|rewrit|refactor|simplif|clean"
    r"|unused|dedup|short|reduc|collaps|without|only|swap|chang|empty|clear|minif)"
    r"|删|去掉|去除|移除|移动|移到|重命名|改名|内联|合并|替换|拆分|重写|重构|清理|清空|简化"
    r"|精简|只保留|改成|换成|改为|提取",
    re.IGNORECASE,
)
# An instruction that wants most of a file to go.
_ONLY: Final = re.compile(
    r"\b(?:everything|all|rest|others?|only|except|but|unused)\b|其他|其它|其余|所有|全部"
    r"|只|除了",
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
    "malformed": partial(text, "answer.is_malformed"),
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


@frozen
class _Task:
    """What was asked for: the code in its file, in its language, by an instruction."""

    code: str
    selection: Selection
    prefix: str
    suffix: str
    path: str
    language: Language | None
    instruction: str

    @property
    def file(self) -> str:
        """The code with what stands round it, as far as that counts."""
        whole = self.selection.whole
        return f"{self.prefix}{self.code}{self.suffix}" if whole else self.code

    def wants_to_go(self, name: str) -> bool:
        """Whether the instruction names something, and has a word for going."""
        if _REMOVES.search(self.instruction) is None:
            return False
        edge = r"[A-Za-z0-9_]" if name.isascii() else "(?!)"
        found = rf"(?<!{edge}){re.escape(name)}(?!{edge})"
        return re.search(found, self.instruction, re.IGNORECASE) is not None


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
    task = _Task(
        code,
        selection_of(code, prefix, suffix),
        prefix,
        suffix,
        path,
        language_of(path, language),
        instruction,
    )
    if bare:
        found = not_code(answer, code, language=task.language)
        return _whole(task, answer, answer) if found is None else _no_code(found.kind)
    thought = _THOUGHTS.match(answer)
    if thought is not None and f"<{thought[1]}>" not in code:
        answer = answer[thought.end() :]
    # Before a fence is looked for: these come bare, or in one of their own.
    found = not_code(answer, task.file, language=task.language)
    if found is not None and found.kind in ("empty", "tool_call", "error"):
        return _no_code(found.kind)
    answer = _begun_by_fence(answer, task)
    parts = read_suggestion(task.file, answer, language=task.language, path=path)
    if any(part.patch for part in parts):
        return _merged(task, answer)
    # By number they say their place, and that the file goes on.
    if any(part.open_start or part.open_end or part.gaps for part in parts):
        return _merged(task, answer)
    texts = [
        _without_talk(part.code, task) if len(parts) == 1 else part.code
        for part in parts
    ]
    problems = [not_code(each, code, language=task.language) for each in texts]
    kept = [each for each, why in zip(texts, problems, strict=True) if why is None]
    if not kept:
        why = next((each for each in (*problems, found) if each is not None), None)
        return _no_code("language" if why is None else why.kind)
    return _whole(task, answer, kept[0]) if len(kept) == 1 else _merged(task, answer)


def _begun_by_fence(answer: str, task: _Task) -> str:
    """Return an answer from its first fence on, where only talk stands before that."""
    known = {line.strip() for line in lines_of(task.code).texts}
    lines = answer.split("\n")
    for at, line in enumerate(lines):
        if at and fence_in(line.rstrip("\r")):
            return "\n".join(lines[at:])
        said = line.strip()
        if said and (said in known or not is_talk_line(said, prose=True)):
            break
    return answer


def _is_text(task: _Task) -> bool:
    """Whether sentences may be what the file holds."""
    return task.language is None or task.language.prose


def _without_talk(said: str, task: _Task) -> str:
    """Return a text without the sentences of an assistant before and after it."""
    known = {line.strip() for line in lines_of(task.code).texts}
    lines = list(lines_of(said).texts)
    prose = _is_text(task)

    def spoken(line: str) -> bool:
        if line.strip() in known or line.lstrip().startswith(
            () if task.language is None else task.language.comments
        ):
            return False
        return is_talk_line(line, prose=prose) or (not prose and is_prose(line))

    start, end = 0, len(lines)
    while start < end and (not lines[start].strip() or spoken(lines[start])):
        start += 1
    while start < end and (not lines[end - 1].strip() or spoken(lines[end - 1])):
        end -= 1
    # All of it is said by somebody: that is for the check to tell.
    if start == end or is_parsed(said, task.language):
        return said
    return "\n".join(lines[start:end]) + "\n"


def _whole(task: _Task, answer: str, said: str) -> Changed | Refused:
    """Return the code as one text says it, or as a part of it that is merged."""
    lines = lines_of(said).texts
    markers = _new_lines(lines, task.file, (ElisionKind.MARKER,))
    unsure = _new_lines(lines, task.file, (ElisionKind.UNSURE,))
    if markers:
        return _merged(task, answer)
    cut = fitted(lines, task.selection)
    if cut is None:
        return _unplaced()
    made = _made(task, cut)
    missing = _gone(task, made)
    if missing and not (
        _REMOVES.search(task.instruction) and _ONLY.search(task.instruction)
    ):
        merged = merge(task.file, answer, path=task.path, language=_name(task))
        if merged.text is not None and merged.how != "whole":
            return _merged(task, answer)
        if unsure:
            return _shortened(unsure[0])
    if cut.repeats and made == task.code:
        return _unchanged(task)
    notes = _outside(cut)
    return _judged(task, Changed(made, "whole", (), notes), missing)


def _merged(task: _Task, answer: str) -> Changed | Refused:
    """Return the code with a diff, or with parts of it, merged into its file."""
    selection = task.selection
    name = _name(task)
    merged = merge(task.file, answer, path=task.path, language=name)
    if merged.text is None and not selection.is_file:
        # In the file it may fit more than one place, and among the lines only one.
        merged = merge(task.code, answer, path=task.path, language=name)
        selection = selection_of(task.code, "", "")
    if merged.text is None:
        return _unplaced(merged.unplaced)
    notes: tuple[str, ...] = ()
    if selection.is_file:
        made = merged.text
    else:
        cut = cut_down(lines_of(merged.text).texts, selection)
        if cut is None:
            return _unplaced()
        made, notes = _made(task, cut), _outside(cut)
        if made == task.code:
            return _unchanged(task)
    notes = (*notes, text("answer.merged"))
    return _judged(task, Changed(made, merged.how or "", merged.doubts, notes), ())


def _judged(task: _Task, changed: Changed, missing: Sequence[str]) -> Changed | Refused:
    """Return new code with what is doubtful in it; refused where code is lost."""
    before, after = lines_of(task.code), lines_of(changed.text)
    marks = [line for line in after.texts if _MARKS.match(line)]
    known = {line.strip() for line in before.texts}
    marks = [line for line in marks if line.strip() not in known]
    left = _new_lines(after.texts, task.code, (ElisionKind.MARKER,))
    if marks or left:
        shown = (*marks, *left)[0].strip()
        return Refused(
            "marker", text("answer.marker", line=shown), text("answer.whole_hint")
        )
    doubts = list(changed.doubts)
    whole = changed.how == "whole"
    lost = _lost(before.texts, after.texts, task) if whole else ()
    if missing:
        names = ", ".join(missing[:_SHOWN_NAMES])
        if len(missing) > _SHOWN_NAMES:
            names += ", …"
        doubts.append(Doubt("gone", text("answer.gone", names=names), tuple(missing)))
    elif lost:
        count = len(lost)
        doubts.append(Doubt("gone", text("answer.lines_gone", count=count), lost))
    kept = {line for line in known if is_distinctive(line)}
    if whole and len(before.texts) >= _FEWEST_LINES and kept:
        same = kept.intersection(line.strip() for line in after.texts)
        if len(same) < _FEWEST_KEPT * len(kept):
            doubts.append(Doubt("rewritten", text("answer.rewritten")))
    now = task.file
    if task.selection.whole:
        now = f"{task.prefix}{changed.text}{task.suffix}"
    elif not task.selection.is_file:
        now = changed.text
    if breaks_form(now, task.file, task.language):
        if whole and (missing or lost) and _is_cut(before.texts, after.texts):
            return _shortened(before.texts[-1])
        doubts.append(Doubt("unparsable", text("answer.unparsable")))
    return evolve(changed, doubts=tuple(doubts))


def _gone(task: _Task, made: str) -> list[str]:
    """Return the names that the new code lacks and the instruction does not name."""
    before, after = lines_of(task.code).texts, lines_of(made).texts
    missing = gone(before, after, aligned(before, after), task.language)
    return [name for name in missing if not task.wants_to_go(name)]


def _lost(before: Sequence[str], after: Sequence[str], task: _Task) -> tuple[str, ...]:
    """Return lines that went and have nothing in their place, if they are many."""
    there = {line.strip() for line in after}
    wanted = _REMOVES.search(task.instruction) is not None
    a = b = 0
    for i, j in [*aligned(before, after), (len(before), len(after))]:
        went = [
            line
            for line in before[a:i]
            if is_distinctive(line) and line.strip() not in there
        ]
        if a == 0 and i < len(before):
            most = _MOST_HEAD
        else:
            most = _MOST_TAIL if i == len(before) else _MOST_BETWEEN
        # Who wants something to go may mean these lines, but hardly half of all.
        most = max(most, len(before) // 2) if wanted else most
        if len(went) >= most and sum(map(is_distinctive, after[b:j])) * 2 < len(went):
            return tuple(went)
        a, b = i + 1, j + 1
    return ()


def _is_cut(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether the end of the code is missing, where nothing else came."""
    last = next((line.strip() for line in reversed(before) if line.strip()), "")
    end = next((line.strip() for line in reversed(after) if line.strip()), "")
    return last != end


def _made(task: _Task, cut: Cut) -> str:
    """Return the new lines of the code as a text, with the line ends that it had."""
    before = lines_of(task.code)
    same = {new: old for old, new in aligned(before.texts, cut.lines)}
    pieces = [same.get(at, line) for at, line in enumerate(cut.lines)]
    return assemble(before if task.code else _line_feeds(task), pieces)


def _line_feeds(task: _Task) -> Lines:
    """Return no lines, with the line ends of what stands round them."""
    return Lines((), lines_of(task.prefix + task.suffix).ends[:0])


def _new_lines(
    lines: Sequence[str], original: str, kinds: Sequence[ElisionKind]
) -> list[str]:
    """Return lines that the original has not and that are markers of these kinds."""
    known = {line.strip() for line in lines_of(original).texts}
    return [
        line
        for line in lines
        if line.strip() not in known and classify_line(line) in kinds
    ]


def _name(task: _Task) -> str:
    return "" if task.language is None else task.language.name


def _outside(cut: Cut) -> tuple[str, ...]:
    """Return the note of changes outside of the selection."""
    if not cut.left_out:
        return ()
    return (text("answer.left_out", count=cut.left_out),)


def _no_code(kind: Kind) -> Refused:
    what = _WHAT[kind]()
    return Refused("no_code", text("answer.no_code", what=what), text("answer.hint"))


def _shortened(line: str) -> Refused:
    message = text("answer.shortened", line=line.strip())
    return Refused("shortened", message, text("answer.whole_hint"))


def _unplaced(parts: Sequence[str] = ()) -> Refused:
    shown = next(
        (line.strip() for part in parts for line in part.split("\n") if line.strip()),
        "",
    )
    message = text("answer.unplaced", line=shown) if shown else text("answer.no_place")
    return Refused("unplaced", message, text("answer.whole_hint"))


def _unchanged(task: _Task) -> Refused:
    first, last = task.selection.start + 1, task.selection.end
    message = text("answer.unchanged", first=first, last=last)
    return Refused("unchanged", message, text("answer.hint"))
