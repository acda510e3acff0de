"""Split reasoning from the answer where a server leaves its marks in the text.

Reasoning is looked for at the beginning of an answer only, after white space: a text
that merely speaks of such a mark later is a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import Reasoning, Text

# The marks as the models' chat templates have them: <think> DeepSeek-R1, Qwen 3, QwQ
# and most others; [THINK] Magistral; <seed:think> Seed-OSS; <thought> EXAONE Deep;
# ◁think▷ Kimi-VL; <|START_THINKING|> Command A Reasoning.
MARKS: Final[Mapping[str, str]] = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
    "◁think▷": "◁/think▷",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
# How an answer of gpt-oss begins: the prompt ends after "<|start|>assistant", or before
# it. https://cookbook.openai.com/articles/openai-harmony
HARMONY: Final = ("<|channel|>", "<|start|>assistant<|channel|>")

_TOKENS: Final = (
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
)
_TOKEN: Final = re.compile("|".join(map(re.escape, _TOKENS)))
# A header is a role and a channel; what is longer was none.
_LONGEST_HEADER: Final = 256
# After so many marks the rest is text: an answer has a handful, and each costs 1 µs.
_MOST_TOKENS: Final = 4_096

# A closing mark as a template has it: at the end of its line, and not quoted.
_CLOSED: Final = re.compile(r"""(?<![`'"])</think>[ \t]*(?=\n|\Z)""")

_OPENINGS: Final = (*MARKS, *HARMONY)
# What an answer that begins with a mark begins with, after white space.
FIRST: Final = frozenset(opening[0] for opening in _OPENINGS)


class ThinkSplitter:
    """Split an answer that comes in pieces into reasoning and text.

    ``opened`` is the mark with which the prompt ended, when the template opens the
    reasoning itself: then everything up to the closing mark is reasoning. White space
    round the reasoning is dropped. Time is linear; what is held back is white space
    and what may be a mark. ``settled`` tells that all that follows is text,
    ``unclosed`` that the mark which closes ``opened`` never came.
    Raises ``InvalidOption`` for an ``opened`` that is no such mark.
    """

    def __init__(self, *, opened: str = "", choice: int = 0) -> None:
        if opened and opened not in MARKS:
            raise InvalidOption(
                texts.text("wire.not_opening", opened=f"{opened!r}"),
                hint=texts.text("wire.not_opening_hint", marks=", ".join(MARKS)),
            )
        self._choice = choice
        self._opened = opened
        self._closing = ""
        self._harmony: HarmonySplitter | None = None
        self._blank: list[str] = []
        # What may yet turn out to be a mark.
        self._tail = ""
        self._begun = False
        self._ended = False
        self.settled = False
        self.unclosed = False

    def feed(self, text: str) -> list[Text | Reasoning]:
        """Return what of the answer so far can be told apart now."""
        if self.settled:
            return [Text(text, self._choice)] if text else []
        if self._harmony is not None:
            return self._harmony.feed(text)
        if self._ended:
            return self._after(text)
        return self._think(text) if self._closing else self._begin(text)

    def held(self) -> int:
        """Return how many characters are held back, in one piece from now."""
        self._blank = ["".join(self._blank)]
        return len(self._blank[0]) + len(self._tail)

    def close(self) -> list[Text | Reasoning]:
        """Return what was held back, the answer having ended."""
        if self._harmony is not None:
            return self._harmony.close()
        held = "".join(self._blank) + self._tail
        thinking = bool(self._closing or self._opened) and not self._ended
        self.unclosed = thinking and bool(self._opened)
        self.settled, self._blank, self._tail = True, [], ""
        if self._ended or (thinking and not held.strip()):
            return []
        if thinking:
            return [
                Reasoning(held.rstrip() if self._begun else held.strip(), self._choice)
            ]
        return [Text(held, self._choice)] if held else []

    def disable(self) -> list[Text | Reasoning]:
        """Take all that follows for text: the server splits the answer itself."""
        held = "".join(self._blank) + self._tail
        self.settled, self._blank, self._tail = True, [], ""
        undecided = not self._closing and self._harmony is None
        return [Text(held, self._choice)] if held and undecided else []

    def _begin(self, text: str) -> list[Text | Reasoning]:
        if not self._tail:
            rest = text.lstrip()
            if len(rest) < len(text):
                self._blank.append(text[: len(text) - len(rest)])
            text = rest
        start = self._tail = self._tail + text
        if not start:
            return []
        if start[0] in FIRST:
            for opening in _OPENINGS:
                if opening.startswith(start) and opening != start:
                    return []
                if not start.startswith(opening):
                    continue
                self._tail, self._blank = "", []
                if opening in HARMONY:
                    self._harmony = HarmonySplitter(self._choice)
                    return self._harmony.feed(start)
                self._closing, self._opened = MARKS[opening], ""
                return self._think(start[len(opening) :])
        self._tail = ""
        # The template wrote the opening mark into the prompt: the answer has none.
        if self._opened:
            self._blank = []
            self._closing = MARKS[self._opened]
            return self._think(start)
        self.settled = True
        before, self._blank = "".join(self._blank), []
        return [Text(before + start, self._choice)]

    def _think(self, text: str) -> list[Text | Reasoning]:
        text = self._tail + text
        at = text.find(self._closing)
        if at >= 0:
            self._tail = ""
            found = self._reasoning(text[:at])
            self._ended = True
            return found + self._after(text[at + len(self._closing) :])
        kept = len(text) - _begun_mark(text, (self._closing,))
        self._tail = text[kept:]
        return self._reasoning(text[:kept])

    def _reasoning(self, text: str) -> list[Text | Reasoning]:
        if not self._begun:
            text = text.lstrip()
        # White space at the end waits: before the closing mark it is dropped.
        solid = text.rstrip()
        if not solid:
            if text:
                self._blank.append(text)
            return []
        before, self._blank = "".join(self._blank), [text[len(solid) :]]
        self._begun = True
        return [Reasoning(before + solid, self._choice)]

    def _after(self, text: str) -> list[Text | Reasoning]:
        # Templates put blank lines between the reasoning and the answer.
        text = text.lstrip()
        self.settled = bool(text)
        return [Text(text, self._choice)] if text else []


def split_closed(text: str) -> tuple[str, str] | None:
    """Return reasoning and text of a whole answer that closes what it never opened.

    ``None`` where it does not: vllm#31045, vllm#17144, cerebras-cloud-sdk-python#10.
    """
    # Asked first, for hardly any answer has it.
    found = _CLOSED.search(text) if "</think>" in text else None
    if found is None or "<think>" in text[: found.start()]:
        return None
    return text[: found.start()].strip(), text[found.end() :].lstrip()


class HarmonySplitter:
    """Split an answer in gpt-oss's own format into reasoning and text.

    Its messages are ``<|start|>assistant<|channel|>analysis<|message|>…<|end|>``; the
    channel ``final`` is for the user, ``analysis`` and ``commentary`` are not.
    What stands where the format has no place for it is text, never lost.
    """

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._tail = ""
        self._marks = 0
        # The header so far, or None in the body of a message and outside of one.
        self._header: str | None = None
        self._thought = False

    def feed(self, text: str) -> list[Text | Reasoning]:
        """Return the pieces that can be told now."""
        text = self._tail + text
        kept = len(text) - _begun_mark(text, _TOKENS)
        self._tail = text[kept:]
        pieces: list[Text | Reasoning] = []
        at = 0
        for match in _TOKEN.finditer(text, 0, kept):
            self._marks += 1
            if self._marks > _MOST_TOKENS:
                break
            self._say(text[at : match.start()], pieces)
            mark, at = match.group(), match.end()
            if mark == "<|message|>":
                channel = (self._header or "final").split()[:1]
                self._header, self._thought = None, channel != ["final"]
            elif mark in ("<|start|>", "<|channel|>"):
                self._header = ""
            else:
                self._header, self._thought = None, False
        self._say(text[at:kept], pieces)
        return pieces

    def close(self) -> list[Text | Reasoning]:
        """Return what was held back, the answer having ended."""
        pieces: list[Text | Reasoning] = []
        self._say(self._tail, pieces)
        self._tail, self._header = "", None
        return pieces

    def _say(self, text: str, pieces: list[Text | Reasoning]) -> None:
        if self._header is not None:
            self._header += text
            if len(self._header) <= _LONGEST_HEADER:
                return
            text, self._header, self._thought = self._header, None, False
        if text:
            kind = Reasoning if self._thought else Text
            pieces.append(kind(text, self._choice))


def _begun_mark(text: str, marks: tuple[str, ...]) -> int:
    """Return how many characters at the end begin a mark; all marks begin alike."""
    start = max(0, len(text) - max(map(len, marks)))
    while (start := text.find(marks[0][0], start)) >= 0:
        rest = text[start:]
        if any(mark.startswith(rest) and mark != rest for mark in marks):
            return len(rest)
        start += 1
    return 0
