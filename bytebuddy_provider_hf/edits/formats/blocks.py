"""Find the fenced blocks of a suggestion, and what is said before each."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.formats.before_after import Label, label_in, label_of
from bytebuddy_provider_hf.edits.formats.fences import Fence, fence_in, is_prose
from bytebuddy_provider_hf.edits.formats.file_names import named_file
from bytebuddy_provider_hf.edits.formats.hunks import is_patch
from bytebuddy_provider_hf.edits.formats.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.lines import any_known, lines_of
from bytebuddy_provider_hf.edits.text_filter import filtered

# What the fence of a diff says, and how the lines before its first hunk begin.
_DIFFS: Final = ("diff", "patch", "udiff")
_DIFF_STARTS: Final = ("diff --git ", "--- ", "@@")
# Tags that models put round a file; ``code`` and ``pre`` are HTML's own.
_TAG: Final = re.compile(
    r"<(file|code|answer|output|result|content|contents|edit|patch|diff|suggestion"
    r"|changes?|solution|response|(?:new|updated|modified|edited)[_-]?\w{0,20}"
    r"|file[_-]?\w{0,20})(?:\s[^<>]{0,200})?>",
    re.IGNORECASE,
)
_MOST_TAGS: Final = 3
_MARKDOWN: Final = ("markdown", "md", "mdx")
_USUAL: Final = 3


@frozen
class Block:
    """A fenced block of a suggestion, or all of it; ``info`` is what the fence said.

    ``lead`` are the lines between the block before and this one. An ``unclosed`` block
    has no end; the last of a suggestion may be one.
    """

    text: str
    info: str = ""
    lead: tuple[str, ...] = ()
    unclosed: bool = False

    @property
    def is_diff(self) -> bool:
        """Whether it is a diff: its fence says so, or its first line."""
        if self.info.lower().startswith(_DIFFS):
            return True
        lines = lines_of(self.text).texts
        begins = next((line for line in lines if line.strip()), "")
        return begins.startswith(_DIFF_STARTS) and is_patch(self.text)

    def label(self, known: Container[str]) -> Label | None:
        """Return whether the block is labelled, before it or in it, as old or new."""
        if self.is_diff:
            return None
        said = [line for line in self.lead if line.strip()]
        told = label_of(said[-1]) if said else None
        return told or label_in(lines_of(self.text).texts, known)


def blocks_of(original: str, suggestion: str) -> tuple[Block, ...]:
    """Return the code in a suggestion, block by block; none where that is uncertain.

    What is said round fenced blocks is left out. A text without a fence is one block,
    but for a line of preamble. In a text that has fences itself one block is told for
    sure, and nothing is returned where more seem to follow, unless all are diffs, or
    labelled as pairs of old and new.
    """
    said = lines_of(suggestion).texts
    known = frozenset(lines_of(original).texts)
    # A diff of a Markdown file may have lines that are fences: it stands in none if it
    # begins before the first. One below lines of the original is quoted.
    first = next((x for x in said if x.startswith(_DIFF_STARTS) or fence_in(x)), "")
    if (
        first.startswith(_DIFF_STARTS)
        and not any_known(said[: said.index(first)], known)
        and is_patch(suggestion)
    ):
        return (Block(suggestion, "diff"),)
    found, torn = _fenced(said)
    # A document quotes blocks between lines of its own.
    quoted = any(any_known(block.lead, known) for block in found)
    if found and not torn and not quoted:
        labels = [block.label(known) for block in found]
        paired = labels == ["before", "after"] * (len(found) // 2)
        if paired or all(block.is_diff for block in found):
            return tuple(block for block in found if block.text.strip())
    unwrapper = Unwrapper(original)
    text = filtered(_from_fence(suggestion, said, known), unwrapper)
    if not unwrapper.fenced:
        # Nothing is known of it: it is read as it is.
        return (Block(text),) if text.strip() else ()
    if unwrapper.followed if unwrapper.nested else torn:
        return ()
    if unwrapper.nested or len(found) == 1:
        # Read as one block it has the line ends of the original already.
        lead = found[0].lead if found else ()
        found = [Block(text, unwrapper.info, lead, not unwrapper.complete)]
    return tuple(block for block in found if block.text.strip())


def without_tags(original: str, suggestion: str) -> str:
    """Return what one tag wraps, where it wraps all: ``<file path="x.py">``."""
    text = suggestion
    for _ in range(_MOST_TAGS):
        inner = text.strip()
        match = _TAG.match(inner)
        # A file of HTML may begin so itself.
        if match is None or original.lstrip().lower().startswith(
            f"<{match[1].lower()}"
        ):
            return text
        ending = f"</{match[1]}>"
        if not inner.lower().endswith(ending.lower()):
            return text
        inner = inner[match.end() : -len(ending)]
        # The tag's own lines end here; indentation of the first line is code.
        text = inner.removeprefix("\r").removeprefix("\n")
        bare = text.strip()
        if bare.startswith("<![CDATA[") and bare.endswith("]]>"):
            text = bare[len("<![CDATA[") : -len("]]>")].removeprefix("\n")
    return text


def _from_fence(suggestion: str, said: Sequence[str], known: Container[str]) -> str:
    """Return a suggestion from the fence on that wraps all code.

    Before it stands the name of the file, or prose if the fence is one of Markdown or a
    longer one.
    """
    last = suggestion.rstrip()
    if last.endswith("```") and fence_in(last.rpartition("\n")[2]) is None:
        # Models close a block in the line of the code, too.
        suggestion = last
    at = next((at for at, line in enumerate(said) if fence_in(line)), None)
    lead = [line for line in said[:at] if line.strip()]
    fence = None if at is None else fence_in(said[at])
    if fence is None or not lead or said[at or 0] in known or any_known(lead, known):
        return suggestion
    named = len(lead) == 1 and bool(named_file(lead[0]))
    wraps = fence.info.lower() in _MARKDOWN or len(fence.mark) > _USUAL
    if not named and not (wraps and all(map(is_prose, lead))):
        return suggestion
    return suggestion.split("\n", at or 0)[-1]


def _fenced(said: Sequence[str]) -> tuple[list[Block], bool]:
    """Return every block that stands in a fence, the last with or without its end.

    It is torn, too, where a block is left open and others seem to follow in it.
    """
    found: list[Block] = []
    lead: list[str] = []
    opened: list[Fence] = []
    lines: list[str] = []
    inner = diff = False
    for line in said:
        fence = fence_in(line)
        if not opened:
            if fence:
                opened, lines, inner = [fence], [], False
                diff = fence.info.lower().startswith(_DIFFS)
            else:
                lead.append(line)
            continue
        outer = opened[0]
        if not lines and line.startswith(_DIFF_STARTS):
            diff = True
        # A line of context of a diff begins with a space: it closes nothing.
        if fence and not (diff and fence.indent > outer.indent):
            if opened[-1].closed_by(fence):
                opened.pop()
                if not opened:
                    text = "".join(f"{line}\n" for line in lines)
                    found.append(Block(text, outer.info, tuple(lead)))
                    lead = []
                    continue
            elif not diff and fence.info and len(fence.mark) >= len(opened[-1].mark):
                opened.append(fence)
                inner = True
        space = len(line) - len(line.lstrip(" "))
        lines.append(line[min(space, outer.indent) :])
    if not opened:
        return found, False
    outer = opened[0]
    unclosed = True
    if lines and (last := lines[-1].rstrip()).endswith(outer.mark):
        # Models close a block in the line of the code, too.
        lines[-1], unclosed = last.removesuffix(outer.mark), False
    text = "".join(f"{line}\n" for line in lines)
    return [*found, Block(text, outer.info, tuple(lead), unclosed)], inner
