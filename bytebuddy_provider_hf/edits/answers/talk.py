"""Recognise an answer in words: an assistant that speaks instead of writing the text.

Nothing here looks at more than the beginning of an answer, so that one that streams
can be judged before it is shown.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from bytebuddy_provider_hf.edits.answers.assistant import (
    LONGEST,
    is_assistant,
    may_be_assistant,
)
from bytebuddy_provider_hf.edits.answers.calls_and_errors import (
    is_error_body,
    is_page,
    is_tool_call,
    may_be_call,
    may_be_error,
)
from bytebuddy_provider_hf.edits.answers.sentences import (
    is_offer,
    is_speech,
    may_be_speech,
)

Verdict: TypeAlias = Literal[
    "unsure", "content", "words", "preamble", "tool call", "error body"
]


def judge_beginning(
    text: str, *, ended: bool, prose: bool, objects: bool = False, tags: bool = False
) -> Verdict:
    """Return what an answer is that begins with ``text``, as far as that tells.

    In ``prose`` sentences are the content: there only what is clearly an assistant
    speaking about its task is words. ``objects`` says that an object of JSON may be the
    content, ``tags`` that a page of HTML may, if it is not one that tells an error.
    ``unsure`` is returned only as long as more may tell: never of 400 characters or an
    answer that has ``ended``.
    """
    text = text[:LONGEST]
    last = ended or len(text) == LONGEST
    said = text.lstrip()
    if not said:
        return "content" if last else "unsure"
    line, broken, more = said.partition("\n")
    if is_tool_call(said, objects=objects):
        return "tool call"
    # A page or an object is told by itself; of prose no line is that has more below.
    alike = said[0] in "<{[" or not (prose and (objects or more.strip()))
    if is_page(said) and not (tags or prose):
        return "error body"
    if alike and is_error_body(said, objects=objects):
        # In prose it may be the beginning of a sentence.
        return "error body" if last or not prose or said[0] in "<{[" else "unsure"
    whole = bool(broken) or last
    if whole and is_offer(line, prose=prose):
        return "preamble"
    if whole and (is_assistant(line) if prose else is_speech(line)):
        return "words"
    begun = (
        may_be_call(said, objects=objects)
        or (alike and not broken and may_be_error(line))
        or (not whole and (may_be_assistant if prose else may_be_speech)(line))
    )
    return "unsure" if begun and not last else "content"
