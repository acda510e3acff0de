"""Recognise what a model writes around code: fences and preamble.

Fences are those of CommonMark (section 4.5). A preamble is a line by which assistants
open an answer ("Here is the code:").
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

# An info string after backticks holds none, so that inline code is no fence.
_FENCE: Final = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)", re.DOTALL)
_TICKS: Final = re.compile("`{3,}")
# Longer lines are not looked at: what opens an answer is short.
_LONGEST: Final = 400

_OPENERS: Final = re.compile(
    r"(?:sure|certainly|of course|absolutely|okay|ok|got it|no problem|great"
    r"|here(?:'s|’s| is| are| you go)|below is|the following|this is|i(?:'ve|’ve| have)"
    r"|好的|当然|没问题|以下|下面|这是|这里是)(?!\w*\()",
    re.IGNORECASE,
)
_THINGS: Final = re.compile(
    r"\b(?:code|file|version|function|class|method|snippet|script|implementation"
    r"|module|program|solution|edit|change|changes|result|component)s?\b"
    r"|代码|文件|版本|函数|结果|修改|实现",
    re.IGNORECASE,
)
_SHORT: Final = re.compile(
    r"(?:sure|certainly|of course|absolutely|got it|no problem"
    r"|here you go|好的|当然|没问题)(?: thing)?[!.。！:：]",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"[^\W\d_]['’\w]*(?:[ ,][^\n]*)[.:!?](?:\*\*)?")
_CJK_SENTENCE: Final = re.compile(r"[\u4e00-\u9fff][^\n]{3,}[。：！？:]")
_MARKUP: Final = re.compile(r"(?:[*>]|-|\d+\.|#{1,6})\s*\*{0,2}")
_FEWEST_WORDS: Final = 3


@frozen
class Fence:
    """A line that opens or closes a block; ``info`` tells what is in the block."""

    indent: int
    mark: str
    info: str

    def closed_by(self, other: Fence) -> bool:
        """Return whether ``other`` ends the block that this opens."""
        return (
            not other.info
            and other.mark[0] == self.mark[0]
            and len(other.mark) >= len(self.mark)
        )


def fence_in(line: str) -> Fence | None:
    """Return the fence that a line is, if it is one."""
    match = _FENCE.fullmatch(line)
    if match is None:
        return None
    return Fence(len(match[1]), match[2], match[3].strip())


def has_fences(text: str) -> bool:
    """Return whether a line of ``text`` is a fence, as in a Markdown file."""
    # Most code has neither, and splitting a file costs more than looking.
    if "```" not in text and "~~~" not in text:
        return False
    return any(fence_in(line.rstrip("\r")) for line in text.split("\n"))


def fence_for(*texts: str) -> str:
    """Return a fence that none of ``texts`` can close: longer than any within."""
    runs = (len(run) for text in texts for run in _TICKS.findall(text))
    return "`" * max(3, max(runs, default=0) + 1)


def is_preamble(line: str) -> bool:
    """Whether a line is an opener of assistants beyond doubt: "Here is the code:"."""
    text = line.strip().strip("*").strip()
    if not text or len(line) > _LONGEST or line[0].isspace():
        return False
    if _SHORT.fullmatch(text):
        return True
    # Without its colon or stop a line could be code or a comment that begins alike.
    if _OPENERS.match(text) is None or text[-1] not in ":：.。!！":
        return False
    return _THINGS.search(text) is not None


def is_prose(line: str) -> bool:
    """Return whether a line reads like a sentence that somebody says, not like code."""
    text = line.strip()
    if not text or len(line) > _LONGEST or line[0].isspace():
        return False
    if is_preamble(line):
        return True
    text = text[match.end() :] if (match := _MARKUP.match(text)) else text
    if _CJK_SENTENCE.fullmatch(text):
        return True
    # Code has few lines that begin with a capital and end as a sentence does.
    if not text[:1].isupper() or _SENTENCE.fullmatch(text) is None:
        return False
    return len(text.split()) >= _FEWEST_WORDS
