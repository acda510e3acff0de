"""Recognise an answer in words: an assistant that speaks instead of writing the text.

Nothing here looks at more than the beginning of an answer, so that one that streams
can be judged before it is shown.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from bytebuddy_provider_hf.edits.answers.assistant import (
    CJK,
    LONGEST,
    is_assistant,
    may_be_assistant,
    plain_words,
)
from bytebuddy_provider_hf.edits.answers.calls_and_errors import (
    is_error_body,
    is_page,
    is_tool_call,
    may_be_call,
    may_be_error,
)
from bytebuddy_provider_hf.edits.formats.fences import is_preamble

Verdict: TypeAlias = Literal[
    "unsure", "content", "words", "preamble", "tool call", "error body"
]

# Words of sentences that are seldom a name in code.
_FUNCTION_WORDS: Final = re.compile(
    r"\b(?:the|you|your|that|it|are|we|would|should|could|please|there|be|to|an|of"
    r"|here|have|has|can|cannot|me|my|i'm|i'll|i've|let's|it's|thanks?)\b",
    re.IGNORECASE,
)
_CODE_SIGN: Final = re.compile(r"[={}\[\]<>_;|\\@$%^&~]|\w\(|::|->|^\W|^\w+[.:(]\w")
_QUOTED: Final = re.compile(r"`[^`\n]*`?")
_SPEAKER: Final = re.compile(r"(?:The|This|Your?|I|It|We|To|There|Here|Please)[ ']")
_FEWEST_WORDS: Final = 3
_UNENDED_WORDS: Final = 5
# "No code needed", in a file of code: three bare words that are no statement.
_NONE_NEEDED: Final = re.compile(
    r"(?:no|nothing|none)\b[^=(){}\[\];]*\b(?:needed|required|necessary|missing|added"
    r"|changes?|add|insert|code|here)\b"
)
# "**Summary of changes**"; arguments by name are small, or go on.
_TITLE: Final = re.compile(r"\*\*[A-Z][a-z]+ [^*\n]{2,80}\*\*:?")
_TITLE_BEGUN: Final = re.compile(r"\*(?:\*(?:[A-Z][^*\n]{0,80}\*{0,2}:?)?)?")
_THANKS: Final = re.compile(
    r"(?:sure|certainly|of course|absolutely|got it|no problem|understood|sorry"
    r"|i'm sorry|thank you|hello|hi)\b[ ,]*[.!,]\s*$"
)
# How a line begins, in small letters too, that announces a text or says there is none.
_OFFERS: Final = (
    "sure",
    "certainly",
    "of course",
    "here",
    "below",
    "no",
    "nothing",
    "none",
)
_OFFER: Final = re.compile(
    r"(?:sure|certainly|of course|here(?:'s| is| are| you)|below is|the following"
    r"|好的|当然|以下|下面|这是|这里是)"
)
_OFFER_OF_PROSE: Final = re.compile(
    r"sure|certainly|of course|here(?:'s| is| are| you)|好的|当然|以下是|下面是"
)
_OFFERED: Final = re.compile(
    r"\b(?:missing|completed?|completion|continuation|requested|updated|filled"
    r"|code|text|content|section|paragraph|line|it is|you (?:go|are)|answer)\b"
    r"|缺失|补全|补充|续写|内容|文本|段落|代码"
)


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
    found = _judge_line(line, whole=bool(broken) or last, prose=prose)
    begun = may_be_call(said, objects=objects) or (
        alike and not broken and may_be_error(line)
    )
    if found in ("content", "unsure") and not last:
        return "unsure" if begun else found
    return "content" if found == "unsure" else found


def is_speech(line: str) -> bool:
    """Whether a line is a sentence that nobody would write as code.

    Comments and strings are none: they begin with a sign of their own.
    """
    line = line[:LONGEST]
    plain = plain_words(line)
    if _TITLE.fullmatch(line.strip()):
        return True
    if is_assistant(line) or _NONE_NEEDED.match(plain) or _THANKS.match(plain):
        return True
    bare = _bare(line)
    before = _before_code(bare)
    if CJK.match(bare):
        return len(CJK.findall(before)) > _FEWEST_WORDS
    words = bare.split()
    if not bare[:1].isupper() or (len(words[0]) > 1 and words[0].isupper()):
        return False
    telling = sum(1 for _ in _FUNCTION_WORDS.finditer(before))
    if len(before.split()) < _FEWEST_WORDS or not telling:
        return False
    ends = bare.rstrip(" *_\"')]")[-1:]
    if ends and ends in ".:!?。！？：":
        return True
    return len(words) >= _UNENDED_WORDS and telling > 1


def is_offer(line: str, *, prose: bool) -> bool:
    """Whether a line only announces the answer: "Here is the missing part:"."""
    plain = plain_words(line[:LONGEST])
    if not prose and is_preamble(line.strip()):
        return True
    if not plain or plain[-1] not in ":：":
        return False
    if not prose:
        return _OFFER.match(plain) is not None
    return _OFFER_OF_PROSE.match(plain) is not None and bool(_OFFERED.search(plain))


def _judge_line(line: str, *, whole: bool, prose: bool) -> Verdict:
    """Judge an answer by its first line, which may not be whole yet."""
    if whole:
        if is_offer(line, prose=prose):
            return "preamble"
        spoken = is_assistant(line) if prose else is_speech(line)
        return "words" if spoken else "content"
    opening = may_be_assistant(line)
    if not prose and _TITLE_BEGUN.fullmatch(line):
        return "unsure"
    if prose:
        return "unsure" if opening else "content"
    bare = _bare(line)
    before = _before_code(bare)
    if len(before) < len(bare) and not (
        len(before.split()) >= _FEWEST_WORDS and _FUNCTION_WORDS.search(before)
    ):
        return "content"
    plain = plain_words(line)
    begun = (
        not bare
        or bare[0].isupper()
        or CJK.match(bare)
        or plain.startswith(_OFFERS)
        or any(word.startswith(plain) for word in _OFFERS)
    )
    return "unsure" if begun or opening else "content"


def _bare(line: str) -> str:
    """Return a line without its emphasis, what it quotes as code replaced."""
    text = line.strip().removeprefix("**").replace("’", "'")
    return _QUOTED.sub("code", text)


def _before_code(bare: str) -> str:
    """Return what stands before the first sign of code.

    In a line that begins as sentences do, names with such signs are only quoted.
    """
    if _SPEAKER.match(bare):
        return bare
    sign = _CODE_SIGN.search(bare)
    return bare[: sign.start()] if sign else bare
