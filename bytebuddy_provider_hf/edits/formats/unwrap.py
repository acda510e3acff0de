"""Take fences and preamble off an answer that is code, without touching the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bytebuddy_provider_hf.edits.formats.fences import (
    Fence,
    fence_for,
    fence_in,
    has_fences,
    is_preamble,
)
from bytebuddy_provider_hf.edits.formats.file_names import named_file
from bytebuddy_provider_hf.edits.lines import lines_of

# Signs of code at the end and at the beginning of a line that is not known.
_CODE_END: Final = (";", "{", "}", "[", "(", "\\", "=>", "/>", "-->")
_CODE_START: Final = re.compile(
    r"(?:import|from|def|class|async|await|const|let|var|func|fn|function|package|use"
    r"|using|public|private|static|return|if|for|while|struct|enum|type|impl|module"
    r"|require|export|int|void|include)\b"
    r"|[\w.]+(?:\[[^\]]*\])? ?[-+*/|&:]?=|\"{3}|'{3}"
    r"|//|/\*|#!|#include|#define|#\[|<[!?/a-z]|@\w|[{}()\[\];\"'$%]"
)

_MARKDOWN: Final = frozenset({"markdown", "md", "mdx"})


class Unwrapper:
    """Take the code out of an answer, line by line as it streams.

    Where only a preamble comes before the first fenced block, that block is the code.
    Else the whole answer is, minus a first line that is preamble beyond doubt. A block
    may hold shorter fences; where ``original`` itself has lines that are fences, a
    block may hold equal ones as well, and ends at the last that closes it.

    The code gets the line ends of most lines of ``original``, and a line end at its
    end where ``original`` has one. With ``prefilled`` the answer begins inside a block
    that ``fence`` opened, by default the one that suits ``original``.

    When closed, ``complete`` tells whether the block had its end, ``fenced`` whether
    there was one, and ``followed`` that other fences came after it in a text of which
    the original is ``nested``, has fences itself.
    """

    def __init__(
        self, original: str, *, prefilled: bool = False, fence: str = ""
    ) -> None:
        lines = lines_of(original)
        self._end = lines.usual
        self._ended = lines.ended
        self._fixed = bool(original)
        self.nested = has_fences(original)
        self._known = {text.strip() for text in lines.texts} - {""}
        self._first = next((t.strip() for t in lines.texts if t.strip()), "")
        self._parts: list[str] = []
        self._held: list[str] = []
        self._any = False
        self._depth: list[Fence] = []
        self._outer: Fence | None = None
        self._unsure = prefilled
        self._state: Callable[[str], str] = self._preamble
        self.complete = True
        self.fenced = prefilled
        self.followed = False
        if prefilled:
            self._open(Fence(0, fence or fence_for(original), ""))

    @property
    def done(self) -> bool:
        """Whether the block of code has ended, so that nothing more can matter."""
        return self._state == self._after

    @property
    def info(self) -> str:
        """What the fence said of the block: its language, as a rule."""
        return self._outer.info if self._outer else ""

    def feed(self, text: str) -> str:
        """Return the lines of code that are certain now."""
        if self.done:
            return ""
        # Joined at a line end only: long lines come in many small pieces.
        self._parts.append(text)
        if "\n" not in text:
            return ""
        *lines, rest = "".join(self._parts).split("\n")
        self._parts = [rest] if rest else []
        return "".join([self._state(line.removesuffix("\r")) for line in lines])

    def close(self) -> str:
        """Return the last of the code; sets ``complete``, false in an open block."""
        rest, self._parts = "".join(self._parts), []
        line, outer = rest.removesuffix("\r"), self._outer
        said = line.rstrip()
        shown = ""
        if (
            outer
            and not self.nested
            and fence_in(line) is None
            and said.endswith(outer.mark)
            and said.strip(outer.mark[0])
        ):
            # Models close a block in the line of the code, too.
            shown = self._state(said.removesuffix(outer.mark))
            self._close_block()
        elif rest:
            shown = self._state(line)
        if self._state == self._preamble:
            shown += self._bare()
        ended = self._ended
        if not self._fixed and not self.fenced:
            ended = not rest
        if self._held:
            # The last fence that could close the block did close it.
            self.followed = any(fence_in(line) for line in self._held[1:])
            self._close_block()
        return shown + (self._end if self._any and ended else "")

    def _preamble(self, line: str) -> str:
        fence = fence_in(line)
        if fence:
            said = [line for line in self._held if line.strip()]
            # A Markdown file may begin with a block of its own, or its first heading.
            wraps = line.strip() != self._first
            if said:
                wraps = is_preamble(said[0]) or bool(named_file(said[-1]))
            if wraps or not self.nested:
                self._held.clear()
                self._open(fence)
                return ""
        text = line.strip()
        is_code = text in self._known or text.endswith(_CODE_END)
        is_code = is_code and not named_file(text)
        # Below a first line of text only these two signs are certain.
        if not is_code and text and not any(held.strip() for held in self._held):
            is_code = not named_file(text) and (
                line[0].isspace() or _CODE_START.match(text) is not None
            )
        self._held.append(line)
        return self._bare() if fence or is_code else ""

    def _bare(self) -> str:
        """Take the whole answer for the code."""
        held, self._held = self._held, []
        self._state = self._plain
        said = next((at for at, line in enumerate(held) if line.strip()), None)
        if (
            said is not None
            and is_preamble(held[said])
            and held[said].strip() not in self._known
        ):
            rest = held[said + 1 :]
            begins = (at for at, line in enumerate(rest) if line.strip())
            held = rest[next(begins, len(rest)) :]
        return "".join([self._plain(line) for line in held])

    def _plain(self, line: str) -> str:
        shown = self._end + line if self._any else line
        self._any = True
        return shown

    def _open(self, fence: Fence) -> None:
        self._outer = fence
        # What is written as Markdown may have fences that its original had not.
        self.nested = self.nested or fence.info.lower() in _MARKDOWN
        self._depth = [fence]
        self._state = self._block
        self.fenced = True
        self.complete = False

    def _block(self, line: str) -> str:
        fence = fence_in(line)
        if self._unsure:
            # Some servers start the answer anew after a prefill, with its fence.
            self._unsure = False
            if fence and line.strip() not in self._known:
                self._open(fence)
                return ""
        inner = self._depth[-1]
        if fence is None or fence.mark[0] != inner.mark[0]:
            return self._content(line)
        if not inner.closed_by(fence):
            if fence.info and len(fence.mark) >= len(inner.mark):
                self._depth.append(fence)
            return self._content(line)
        if len(self._depth) > 1:
            self._depth.pop()
            return self._content(line)
        if not self.nested:
            self._close_block()
            return ""
        # An inner fence may still follow: this one closed the block only if none does.
        held, self._held = self._held, [line]
        return "".join([self._plain(self._outdented(line)) for line in held])

    def _content(self, line: str) -> str:
        if self._held:
            self._held.append(line)
            return ""
        return self._plain(self._outdented(line))

    def _outdented(self, line: str) -> str:
        """Return a line without the indentation of the fence (CommonMark 4.5)."""
        indent = self._outer.indent if self._outer else 0
        space = len(line) - len(line.lstrip(" "))
        return line[min(indent, space) :]

    def _close_block(self) -> None:
        self._held.clear()
        self._state = self._after
        self.complete = True

    def _after(self, _line: str) -> str:
        return ""
