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
    "<read_file>",
    "<write_to_file>",
    "<replace_in_file>",
    "<apply_diff>",
    "<execute_command>",
    "<search_files>",
    "<list_files>",
    "<attempt_completion>",
    "<ask_followup_question>",
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
_REACT: Final = re.compile(r"action: ?[^\n]{1,80}\n+action input:")
_REACT_BEGUN: Final = "action:"
# A page that an error is shown on, by its title.
_ERROR_PAGE: Final = re.compile(
    r"<(?:title|h1)[^>]{0,80}>\s*[^<]{0,60}?(?:\b[45]\d\d\b|error|bad gateway"
    r"|unavailable|forbidden|not found|attention required|just a moment)"
)
_ERROR_LINE: Final = re.compile(
    r"(?:(?:http )?(?:error )?(?:code:? )?[45]\d\d[ :-]+)?(?:internal server error"
    r"|bad gateway|bad request|unauthorized|forbidden|service (?:temporarily )?"
    r"unavailable|gateway time-?out|too many requests|rate limit(?:ed)?\b"
    r"|payload too large|upstream (?:connect|request)|no healthy upstream)"
    r"|(?:error: )?(?:you (?:have )?exceeded|quota exceeded|request timed? ?out"
    r"|connection (?:refused|reset|timed out|error)|cuda (?:error|out of memory)"
    r"|out of memory|an error (?:has )?occurred|stream error|invalid (?:api key|token)"
    r"|(?:the )?(?:model|server|engine)(?: \S{1,120})? is (?:currently |still )?"
    r"(?:loading|overloaded|busy))"
    r"|error(?: code)?: [45]\d\d\b|traceback \(most recent call last\)"
    r"|服务器?(?:暂时)?不可用|请求过于频繁|服务器(?:内部)?错误|请求超时|系统繁忙"
)
# How such a line begins.
_ERROR_BEGINS: Final = (
    "internal server error",
    "bad gateway",
    "bad request",
    "service ",
    "gateway time",
    "too many requests",
    "rate limit",
    "upstream ",
    "no healthy",
    "you exceeded",
    "you have exceeded",
    "quota exceeded",
    "request time",
    "connection ",
    "cuda ",
    "out of memory",
    "an error ",
    "stream error",
    "invalid api",
    "the model ",
    "model ",
    "the server ",
    "error: ",
    "error code: ",
    "http ",
    "traceback (",
)
_STATUS: Final = re.compile(r"[45]\d{0,2}(?: [a-z -]*)?")


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
    low = said.lower()
    line, broken, _ = said.partition("\n")
    found = [
        _judge_signs(low, objects=objects, tags=tags or prose),
        # In the middle of a line of prose the name of an error may be meant.
        "content" if prose and objects else _judge_error(low, ended=last, prose=prose),
        _judge_line(line, whole=bool(broken) or last, prose=prose),
    ]
    told = [each for each in found if each not in ("content", "unsure")]
    if told:
        return told[0]
    return "unsure" if "unsure" in found and not last else "content"


def is_talk(
    text: str, *, prose: bool, objects: bool = False, tags: bool = False
) -> bool:
    """Whether a whole answer begins as words, a tool call or an error's text do."""
    found = judge_beginning(text, ended=True, prose=prose, objects=objects, tags=tags)
    return found in ("words", "tool call", "error body")


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


def _judge_signs(low: str, *, objects: bool, tags: bool) -> Verdict:
    """Judge what begins with a sign: tool calls, and pages and objects of errors."""
    if low.startswith(_TOOL_SIGNS) or _REACT.match(low):
        return "tool call"
    if low.startswith(_PAGE_SIGNS):
        return "error body" if not tags or _ERROR_PAGE.search(low) else "unsure"
    object_like = not objects and low[0] in "{["
    if object_like and _TOOL_OBJECT.match(low):
        return "tool call"
    if object_like and _ERROR_OBJECT.match(low):
        return "error body"
    signs = (*_TOOL_SIGNS, *_PAGE_SIGNS, _REACT_BEGUN)
    begun = (
        any(sign.startswith(low) for sign in signs)
        or (low.startswith(_REACT_BEGUN) and low.count("\n") < _FEWEST_WORDS)
        or (object_like and _OBJECT.match(low))
    )
    return "unsure" if begun else "content"


def _judge_error(low: str, *, ended: bool, prose: bool) -> Verdict:
    """Judge a line as the text of an error; in prose one that is all of the answer."""
    line, _, more = low.partition("\n")
    if prose and more.strip():
        return "content"
    if _ERROR_LINE.match(line):
        return "error body" if ended or not prose else "unsure"
    if "\n" in low:
        return "content"
    begun = line.startswith(_ERROR_BEGINS) or _STATUS.fullmatch(line)
    known = any(each.startswith(line) for each in _ERROR_BEGINS)
    return "unsure" if begun or known else "content"


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
