"""Ask a model to apply a suggestion that no rule could place, and check its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.elision_markers import ElisionKind, classify_line
from bytebuddy_provider_hf.edits.fences import fence_for
from bytebuddy_provider_hf.edits.hunks import is_patch, read_patch
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of
from bytebuddy_provider_hf.edits.merge import blocks_of
from bytebuddy_provider_hf.prompts.edit import EditPrompt, info_of
from bytebuddy_provider_hf.prompts.template import render
from bytebuddy_provider_hf.types import Message

# New lines may take the place of so many times as many old ones. A change may shorten
# code; where more is gone, the model most likely skipped lines.
_GENEROUS: Final = 2

_MARKERS: Final = (
    "A comment with dots in the suggestion, such as `... existing code ...`, stands "
    "for lines of the file that stay: write those lines out, never the comment."
)
_ALL: Final = (
    "all of the new file, from its first line to its last, and nothing else. Every "
    "line of the suggestion has to be in it, and every line of the file that the "
    "suggestion does not change, with its indentation."
)


def apply_messages(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> EditPrompt:
    """Return the question for the whole new text, in one turn of the user."""
    fence = fence_for(original, suggestion)
    info = info_of(language, path)
    named = f" {' '.join(path.split())}" if path else ""
    parts = (
        f"Work the suggested change into the file{named}.",
        f"The file as it is:\n{fence}{info}\n{_closed(original)}{fence}",
        f"The suggested change:\n{fence}\n{_closed(suggestion)}{fence}",
        _MARKERS,
        f"Answer with one block between {fence} lines that has {_ALL}",
    )
    text = "\n\n".join(parts)
    return EditPrompt((Message("user", text),), f"{fence}{info}\n", fence)


def render_apply_template(template: str, original: str, suggestion: str) -> str:
    """Return the entry's own template for applying, with both texts put in.

    It may name ``original_code`` and ``new_code``; raises ``InvalidOption`` for any
    other name or form.
    """
    return render(template, {"original_code": original, "new_code": suggestion})


@frozen
class _Expected:
    """What a suggestion says: lines to be there, lines to go, neighbours.

    It is ``exact`` where it is a diff, which names every line that goes. ``pairs`` are
    lines that it writes one after the other, with "" before its first and after its
    last where these are the edges of the text.
    """

    lines: Counter[str]
    gone: Counter[str]
    pairs: frozenset[tuple[str, str]]
    exact: bool


def checked(original: str, suggestion: str, answer: str) -> tuple[str, ...]:
    """Return the lines that a model's answer lost; none means that it is good.

    They are lines of the suggestion, markers aside, that are not in the answer, and
    lines of the original that are not although nothing in the suggestion touches them:
    no diff takes them away, no line of the suggestion stands in their place, and the
    suggestion does not join the lines round them. A marker left in the answer counts
    as lost. Blank lines and bare brackets are not looked at, nor is indentation: models
    move both, and neither can lose code.
    """
    expected = _expected(original, suggestion)
    old = _distinctive(lines_of(original).texts)
    new = _distinctive(lines_of(answer).texts)
    missing = (expected.lines - Counter(new)).elements()
    known = {line.strip() for line in lines_of(original).texts}
    marks = (
        line.strip()
        for line in lines_of(answer).texts
        if classify_line(line) is ElisionKind.MARKER and line.strip() not in known
    )
    return (*missing, *marks, *_lost(old, new, expected))


def _expected(original: str, suggestion: str) -> _Expected:
    lines: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    old = _distinctive(lines_of(original).texts)
    exact = True
    blocks = blocks_of(original, suggestion)
    for text in [block.text for block in blocks] or [suggestion]:
        if is_patch(text):
            for hunk in read_patch(text).hunks:
                lines |= Counter(_distinctive(x.text for x in hunk.lines if x.new))
                gone.update(_distinctive(x.text for x in hunk.lines if not x.new))
            continue
        exact = False
        # What stands between markers, each a run of the text as it shall be.
        runs: list[list[str]] = [[]]
        for line in lines_of(text).texts:
            if classify_line(line) is ElisionKind.CODE:
                runs[-1] += _distinctive([line])
            else:
                runs.append([])
        lines |= Counter(line for run in runs for line in run)
        for run in runs:
            pairs.update(pairwise(run))
        first = set(runs[0])
        shared = sum(line in first for line in old)
        if len(runs) > 1 or 2 * shared >= len(old):
            # It is of the whole text, so that its edges are those of the text.
            pairs.update(("", line) for line in runs[0][:1])
            pairs.update((line, "") for line in runs[-1][-1:])
    return _Expected(lines, gone, frozenset(pairs), exact)


def _lost(old: list[str], new: list[str], expected: _Expected) -> Iterator[str]:
    """Yield the lines of the original that went although nothing touches them."""
    pairs = aligned(old, new)
    # A line that stands elsewhere in the answer was moved, not lost.
    moved = Counter(new)
    moved.subtract(old[i] for i, _ in pairs)
    gone = Counter(expected.gone)
    i = j = 0
    for i_end, j_end in [*pairs, (len(old), len(new))]:
        out = []
        for line in old[i:i_end]:
            if moved[line] > 0:
                moved[line] -= 1
            elif gone[line] > 0:
                gone[line] -= 1
            else:
                out.append(line)
        said = sum(line in expected.lines for line in new[j:j_end])
        before = new[j - 1] if j else ""
        after = new[j_end] if j_end < len(new) else ""
        joined = zip([before, *new[j:j_end]], [*new[j:j_end], after], strict=True)
        # The suggestion itself writes these neighbours, so nothing belongs between.
        meant = all(pair in expected.pairs for pair in joined)
        if expected.exact or (not meant and len(out) > _GENEROUS * said):
            yield from out
        i, j = i_end + 1, j_end + 1


def _distinctive(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if is_distinctive(line)]


def _closed(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
