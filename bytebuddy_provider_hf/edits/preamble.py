"""What assistants say round the code they were asked for."""

from __future__ import annotations

import re
from typing import Final

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


def is_preamble(line: str) -> bool:
    """Whether a line is an opener of assistants beyond doubt: "Here is the code:"."""
    text = line.strip().strip("*").strip()
    if not text or len(line) > _LONGEST or line[0].isspace():
        return False
    if _SHORT.fullmatch(text):
        return True
    if _OPENERS.match(text) is None or text[-1] not in ":：.。!！":
        return False
    return _THINGS.search(text) is not None


def is_prose(line: str) -> bool:
    """Whether a line reads like a sentence that somebody says, not like code."""
    text = line.strip()
    if not text or len(line) > _LONGEST or line[0].isspace():
        return False
    if is_preamble(line):
        return True
    text = text[match.end() :] if (match := _MARKUP.match(text)) else text
    if _CJK_SENTENCE.fullmatch(text):
        return True
    if not text[:1].isupper() or _SENTENCE.fullmatch(text) is None:
        return False
    return len(text.split()) >= _FEWEST_WORDS
