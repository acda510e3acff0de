"""Call what the package does with a suggestion or an answer, without a network."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.answers.answer import Refused, read_answer
from bytebuddy_provider_hf.edits.formats.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.judging.judge import judge_answer
from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.filters import FillFilter

# Characters that a server sends at once, in the tests of streams.
_CHUNK: Final = 7


@frozen
class Written:
    """What would be written: no ``text`` where it was refused, ``why`` in a word."""

    text: str | None
    doubted: bool = False
    why: str = ""


def place(original: str, suggestion: str, path: str) -> Written:
    """Place a suggestion by rule."""
    merged = merge(original, suggestion, path=path)
    return Written(merged.text, bool(merged.doubts), merged.how or "")


def apply_answer(original: str, suggestion: str, answer: str, path: str) -> Written:
    """Read what a model answered that was asked to work a suggestion in."""
    unwrapper = Unwrapper(original)
    text = filtered(answer, unwrapper)
    if not unwrapper.complete:
        return Written(None, why="not complete")
    verdict = judge_answer(original, suggestion, text, path=path)
    return Written(verdict.text, bool(verdict.doubts), verdict.fault or "")


def edit_answer(
    code: str, answer: str, *, prefix: str, suffix: str, path: str, instruction: str
) -> Written:
    """Read what a model answered that was asked to change code."""
    read = read_answer(
        code, answer, prefix=prefix, suffix=suffix, path=path, instruction=instruction
    )
    if isinstance(read, Refused):
        return Written(None, why=f"{read.kind}: {read.message}")
    return Written(read.text, bool(read.doubts), read.how)


def fill_answer(prefix: str, suffix: str, answer: str, path: str) -> Written:
    """Read what a chat model answered that was asked for what stands at a cursor."""
    context = FillContext(prefix, suffix, path)
    through = FillFilter(context, multiline=True, by_chat=True)
    pieces = (answer[at : at + _CHUNK] for at in range(0, len(answer), _CHUNK))
    return Written("".join([*map(through.feed, pieces), through.close()]))
