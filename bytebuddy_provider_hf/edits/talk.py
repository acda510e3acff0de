"""Recognise an answer in words: an assistant that speaks instead of writing the text.

Nothing here looks at more than the beginning of an answer, so that one that streams
can be judged before it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from bytebuddy_provider_hf.edits.assistant import (
    CJK,
    LONGEST,
    is_assistant,
    may_be_assistant,
    plain_words,
)
from bytebuddy_provider_hf.edits.fences import is_preamble

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
_THANKS: Final = re.compile(
    r"(?:sure|certainly|of course|absolutely|got it|no problem|understood|sorry"
    r"|i'm sorry|thank you|hello|hi)\b[ ,]*[.!,]\s*$"
)
_OFFER: Final = re.compile(
    r"(?:sure|certainly|of course|here(?:'s| is| are| you)|below is|the following"
    r"|好的|当然|以下|下面|这是|这里是)"
)
_OFFERED: Final = re.compile(
    r"\b(?:missing|completed?|completion|continuation|requested|updated|filled"
    r"|code|text|content|section|paragraph|line|it is|you (?:go|are)|answer)\b"
    r"|缺失|补全|补充|续写|内容|文本|段落|代码"
)

_TOOL_SIGNS: Final = (
    "<tool_call",
    "<tool_code>",
    "<function_call",
    "<function=",
    "<invoke name=",
    "<|tool",
    "<|python_tag|>",
    "<｜tool",
    "[tool_calls]",
)
_PAGE_SIGNS: Final = ("<!doctype html", "<html")
_TOOL_OBJECT: Final = re.compile(
    r"\[?\s*\{\s*\"(?:tool_calls|function_call)\"\s*:"
    r"|\[?\s*\{\s*\"(?:name|tool|tool_name|function)\"\s*:\s*\"[^\"]*\"\s*,"
    r"\s*\"(?:arguments|parameters|args|input|tool_input)\"\s*:"
    r"|\[?\s*\{\s*\"action\"\s*:\s*\"[^\"]*\"\s*,\s*\"action_input\"\s*:"
    r"|\[?\s*\{\s*\"(?:id\"\s*:\s*\"[^\"]*\"\s*,\s*\")?type\"\s*:\s*\"function\""
)
_ERROR_OBJECT: Final = re.compile(
    r"\{\s*\"(?:error|errors)\"\s*:\s*[{\"\[]"
    r"|\{\s*\"object\"\s*:\s*\"error\""
    r"|\{\s*\"detail\"\s*:\s*[{\"\[]"
    r"|\{\s*\"(?:message|status|code|statuscode)\"\s*:\s*(?:\"[^\"]*\"|\d+)\s*,"
    r"\s*\"(?:type|code|error|message|status)\"\s*:"
)
_OBJECT: Final = re.compile(
    r"\[?\s*(?:\{\s*(?:\"(?:tool_calls|function_call|name|tool|tool_name|function"
    r"|action|id|type|errors?|object|detail|message|status|code|statuscode)\"|\"\w*\Z"
    r"|\"?\Z)|\Z)"
)
_ERROR_LINE: Final = re.compile(
    r"(?:(?:http )?(?:error )?(?:code:? )?[45]\d\d[ :-]+)?(?:internal server error"
    r"|bad gateway|bad request|unauthorized|forbidden|service (?:temporarily )?"
    r"unavailable|gateway time-?out|too many requests|rate limit (?:exceeded|reached)"
    r"|payload too large|upstream (?:connect|request) error)"
    r"|error code: \d|error: [45]\d\d\b|model \S+ is (?:currently loading|overloaded)"
    r"|traceback \(most recent call last\)"
)
_ERROR_WORDS: Final = ("upstream ", "error: ", "error code: ", "http ", "traceback (")


def judge_beginning(
    text: str, *, ended: bool, prose: bool, objects: bool = False
) -> Verdict:
    """Return what an answer is that begins with ``text``, as far as that tells.

    In ``prose`` sentences are the content: there only what is clearly an assistant
    speaking about its task is words. ``objects`` says that an object of JSON or a tag
    may be the content. ``unsure`` is returned only as long as more may tell: never of
    400 characters or an answer that has ``ended``.
    """
    text = text[:LONGEST]
    last = ended or len(text) == LONGEST
    said = text.lstrip()
    if not said:
        return "content" if last else "unsure"
    line, broken, _ = said.partition("\n")
    whole = bool(broken) or last
    verdict = _judge_signs(said, prose=prose, objects=objects)
    if verdict == "content":
        verdict = _judge_line(line, whole=whole, prose=prose)
    return "content" if verdict == "unsure" and last else verdict


def is_talk(text: str, *, prose: bool, objects: bool = False) -> bool:
    """Whether a whole answer begins as words, a tool call or an error's text do."""
    return judge_beginning(text, ended=True, prose=prose, objects=objects) in (
        "words",
        "tool call",
        "error body",
    )


def is_speech(line: str) -> bool:
    """Whether a line is a sentence that nobody would write as code.

    Comments and strings are none: they begin with a sign of their own.
    """
    line = line[:LONGEST]
    plain = plain_words(line)
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
    plain = plain_words(line)
    if is_preamble(line.strip()):
        return True
    if not plain or plain[-1] not in ":：" or _OFFER.match(plain) is None:
        return False
    return not prose or _OFFERED.search(plain) is not None


def _judge_signs(said: str, *, prose: bool, objects: bool) -> Verdict:
    """Judge what begins with a sign: tool calls, and pages and objects of errors."""
    low = said.lower()
    for signs, verdict in _signs(objects=objects):
        if low.startswith(signs):
            return verdict
        if any(sign.startswith(low) for sign in signs):
            return "unsure"
    if not objects and low[0] in "{[":
        if _TOOL_OBJECT.match(low):
            return "tool call"
        if _ERROR_OBJECT.match(low):
            return "error body"
        if _OBJECT.match(low):
            return "unsure"
    if not prose:
        if _ERROR_LINE.match(low):
            return "error body"
        first = low.partition("\n")[0]
        begun = any(word.startswith(first) for word in _ERROR_WORDS if first)
        if first == low and (
            begun
            or first.startswith(_ERROR_WORDS)
            or re.fullmatch(r"[45]\d{0,2}(?: [a-z ]*)?", first)
        ):
            return "unsure"
    return "content"


def _signs(*, objects: bool) -> Iterator[tuple[tuple[str, ...], Verdict]]:
    yield _TOOL_SIGNS, "tool call"
    if not objects:
        yield _PAGE_SIGNS, "error body"


def _judge_line(line: str, *, whole: bool, prose: bool) -> Verdict:
    """Judge an answer by its first line, which may not be whole yet."""
    if whole:
        if is_offer(line, prose=prose):
            return "preamble" if not prose else "content"
        spoken = is_assistant(line) if prose else is_speech(line)
        return "words" if spoken else "content"
    opening = may_be_assistant(line)
    if prose:
        return "unsure" if opening else "content"
    bare = _bare(line)
    before = _before_code(bare)
    if len(before) < len(bare) and not (
        len(before.split()) >= _FEWEST_WORDS and _FUNCTION_WORDS.search(before)
    ):
        return "content"
    begins = not bare or bare[0].isupper() or CJK.match(bare)
    return "unsure" if begins or opening or _may_offer(line) else "content"


def _may_offer(line: str) -> bool:
    plain = plain_words(line)
    words = ("sure", "certainly", "of course", "here", "below", "no", "nothing", "none")
    return plain.startswith(words) or any(word.startswith(plain) for word in words)


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
