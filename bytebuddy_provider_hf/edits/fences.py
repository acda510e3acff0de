"""Fences round code, as CommonMark writes them (section 4.5)."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_FENCE: Final = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)", re.DOTALL)
_TICKS: Final = re.compile("`{3,}")


@frozen
class Fence:
    """A line that opens or closes a block; ``info`` tells what is in the block."""

    indent: int
    mark: str
    info: str

    def closed_by(self, other: Fence) -> bool:
        """Whether ``other`` ends the block that this opens."""
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
    """Whether a line of ``text`` is a fence, as in a Markdown file."""
    if "```" not in text and "~~~" not in text:
        return False
    return any(fence_in(line.rstrip("\r")) for line in text.split("\n"))


def fence_for(*texts: str) -> str:
    """Return a fence that none of ``texts`` can close: longer than any within."""
    runs = (len(run) for text in texts for run in _TICKS.findall(text))
    return "`" * max(3, max(runs, default=0) + 1)
