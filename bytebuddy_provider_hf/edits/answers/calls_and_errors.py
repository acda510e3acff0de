"""Recognise calls of tools and texts of errors that stand in place of an answer.

Whole answers are judged and such that stream: of those ``may_be`` tells that more may
make it one.
"""

from __future__ import annotations

import json
import re
from typing import Final

# Errors and calls are short; longer texts are not parsed.
_MOST_PARSED: Final = 20_000
_LONGEST_ERROR: Final = 4_000

_CALL_SIGNS: Final = (
    "<tool_call",
    "<toolcall",
    "<tool_code>",
    "<tool_use",
    "<function_call",
    "<function=",
    "<invoke name=",
    "<|tool",
    "<|python_tag|>",
    "<\uff5ctool",
    "[tool_calls]",
    "<read_file>",
    "<write_to_file>",
    "<edit_file>",
    "<replace_in_file>",
    "<str_replace_editor>",
    "<insert_content>",
    "<search_and_replace>",
    "<apply_diff>",
    "<execute_command>",
    "<search_files>",
    "<list_files>",
    "<attempt_completion>",
    "<ask_followup_question>",
)
_CALL_FORM: Final = re.compile(
    r"functions\.\w+\(\{|action: ?[^\n]{1,80}\n+action input:", re.IGNORECASE
)
_CALL_FORM_BEGUN: Final = "action:"
# Such a call has its input in the second line that is not blank.
_CALL_LINES: Final = 2
_CALL_NAMES: Final = ("name", "function", "tool", "tool_name", "action", "id", "type")
_CALL_KEYS: Final = ("arguments", "parameters", "args", "input", "tool_input")
# Either tells a call by itself.
_CALL_ALONE: Final = ("tool_calls", "function_call")
# Its beginning alone, since most often the code in it breaks the JSON.
_CALL_OBJECT: Final = re.compile(
    rf'[\[\s]*\{{\s*"(?:(?:{"|".join(_CALL_ALONE)})"\s*:'
    r'|type"\s*:\s*"function"'
    rf'|(?:{"|".join(_CALL_NAMES)})"\s*:\s*(?:"[\w. -]{{0,80}}"|\{{)[\s\S]{{0,200}}?'
    rf'"(?:{"|".join(_CALL_KEYS)}|action_input)"\s*:)',
    re.IGNORECASE,
)
_CALL_LIST: Final = re.compile(r"\[\w+\(\w+=[^\n]*\)\]\s*\Z")

_ERROR_KEYS: Final = ("error", "errors", "detail", "fault", "error_code", "error_msg")
# An object that has a message, and one of these, is an error too.
_MESSAGE_KEYS: Final = ("message", "msg")
_STATUS_KEYS: Final = ("code", "status", "statusCode", "type")
_ERROR_OBJECT: Final = re.compile(
    r"\{\s*\"(?:errors?|detail)\"\s*:\s*[{\"\[]"
    r"|\{\s*\"object\"\s*:\s*\"error\""
    r"|\{\s*\"(?:message|status|code|statuscode)\"\s*:\s*(?:\"[^\"]*\"|\d+)\s*,"
    r"\s*\"(?:type|code|error|message|status)\"\s*:",
    re.IGNORECASE,
)
_FIRST_KEYS: Final = "|".join(
    (*_CALL_NAMES, *_CALL_ALONE, *_ERROR_KEYS, *_MESSAGE_KEYS, *_STATUS_KEYS, "object")
)
_OBJECT_BEGUN: Final = re.compile(
    rf"\[?\s*(?:\{{\s*(?:\"(?:{_FIRST_KEYS})\"|\"\w*\Z|\"?\Z)|\Z)", re.IGNORECASE
)
_PAGES: Final = ("<!doctype html", "<html")
_LONGEST_SIGN: Final = max(map(len, (*_CALL_SIGNS, *_PAGES)))
# A page that an error is shown on, by its title.
_ERROR_PAGE: Final = re.compile(
    r"<(?:title|h1)[^>]{0,80}>\s*[^<]{0,60}?(?:\b[45]\d\d\b|error|bad gateway"
    r"|unavailable|forbidden|not found|attention required|just a moment)",
    re.IGNORECASE,
)
# How the line of an error begins, below what _ERROR_LEAD finds.
_ERRORS: Final = (
    "internal server error",
    "internal error",
    "bad gateway",
    "bad request",
    "unauthorized",
    "forbidden",
    "authentication failed",
    "authentication required",
    "service unavailable",
    "service temporarily unavailable",
    "gateway timeout",
    "gateway time-out",
    "too many requests",
    "rate limit",
    "rate limited",
    "rate limits",
    "payload too large",
    "upstream connect",
    "upstream request",
    "no healthy upstream",
    "you exceeded",
    "you have exceeded",
    "you've hit",
    "you've reached",
    "you have hit",
    "you have reached",
    "quota exceeded",
    "request timeout",
    "request time out",
    "request timed out",
    "request failed",
    "fetch failed",
    "connection refused",
    "connection reset",
    "connection timed out",
    "connection error",
    "cuda error",
    "cuda out of memory",
    "out of memory",
    "an error occurred",
    "an error has occurred",
    "stream error",
    "context length exceeded",
    "invalid api key",
    "invalid token",
    "invalid username or password",
    "invalid request",
    "traceback (most recent call last)",
)
_ERRORS_CJK: Final = (
    "服务不可用",
    "服务暂时不可用",
    "服务器不可用",
    "服务器暂时不可用",
    "服务器错误",
    "服务器内部错误",
    "请求过于频繁",
    "请求超时",
    "网关错误",
    "网关超时",
    "系统繁忙",
    "余额不足",
)
_LEADS: Final = ("error", "http error", "http", "exception", "fatal", "warning")
_ERROR_LEAD: Final = re.compile(
    r"(?:error|http error|http(?:/[\d.]+)?|exception|fatal|warning)?(?: code)?[:\s]*"
    r"(?:[45]\d\d\b[ :,-]{0,3})?",
    re.IGNORECASE,
)
# A name, a call or a value that begins as an error does is code.
_NO_NAME: Final = r"(?!\w|[(\[]|\.\w|\s*=)"
_ERROR: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, sorted(_ERRORS, reverse=True)))}){_NO_NAME}"
    rf"|{'|'.join(_ERRORS_CJK)}"
    r"|(?:the )?(?:model|server|engine)(?: \S{1,120})? is (?:currently |still )?"
    r"(?:loading|overloaded|busy|not found)\b",
    re.IGNORECASE,
)
_STATE_BEGUN: Final = re.compile(
    r"(?:the )?(?:model|server|engine)(?: (?!=)\S{0,120}(?: [a-z ]*)?)?\Z"
)
_STATUS: Final = re.compile(
    r"(?:error(?: code)?:? ?|http(?:/[\d.]+)?:? ?(?:error:? ?)?)[45]\d\d\b",
    re.IGNORECASE,
)
# A number alone is a value as well.
_BARE_STATUS: Final = re.compile(r"[45]\d\d\b[ :,-]{0,3}(?:[A-Z][a-z]|\{|\s*\Z)")
_STATUS_BEGUN: Final = re.compile(r"[45]\d{0,2}\Z")


def is_tool_call(text: str, *, known: str = "", objects: bool = False) -> bool:
    """Return whether a text begins as the call of a tool.

    What the file has that is ``known`` is code. With ``objects`` an object of JSON is
    none, since one may be meant.
    """
    said = text.lstrip()
    low = said[:_LONGEST_SIGN].lower()
    sign = next((each for each in _CALL_SIGNS if low.startswith(each)), "")
    if (sign and sign not in known.lower()) or _CALL_FORM.match(said):
        return True
    if objects or not said.startswith(("{", "[")):
        return False
    before = known.lstrip()
    if _CALL_LIST.match(said) and not _CALL_LIST.match(before):
        return True
    if _CALL_OBJECT.match(said) and not _CALL_OBJECT.match(before):
        return True
    value = json_in(said)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict) or isinstance(json_in(known), dict):
        return False
    return not value.keys().isdisjoint(_CALL_ALONE) or not (
        value.keys().isdisjoint(_CALL_KEYS) or value.keys().isdisjoint(_CALL_NAMES)
    )


def is_error_body(text: str, *, known: str = "", objects: bool = False) -> bool:
    """Return whether a text is what a server sends with an error.

    ``known`` and ``objects`` are as for calls of tools.
    """
    said = text.removeprefix("data:").lstrip()
    if said.startswith("<"):
        return _ERROR_PAGE.search(said) is not None
    if len(said) > _LONGEST_ERROR:
        return False
    if not said.startswith(("{", "[")):
        return _is_error_line(said, numbers=objects) and not _is_error_line(
            known.lstrip(), numbers=objects
        )
    value, before = json_in(said), json_in(known)
    had = before if isinstance(before, dict) else {}
    if objects or (not had and _ERROR_OBJECT.match(said)):
        return not objects
    if not isinstance(value, dict):
        return False
    if any(key in value and key not in had for key in _ERROR_KEYS):
        return True
    told = (value.keys() & set(keys) for keys in (_MESSAGE_KEYS, _STATUS_KEYS))
    return not had and all(told)


def is_page(text: str) -> bool:
    """Return whether a text begins as a page of HTML."""
    return text[:_LONGEST_SIGN].lower().startswith(_PAGES)


def may_be_call(text: str, *, objects: bool) -> bool:
    """Return whether more may make a text a call, or an error other than a line."""
    low = text.lower()
    signs = (*_CALL_SIGNS, *_PAGES, _CALL_FORM_BEGUN)
    return (
        is_page(low)
        or any(sign.startswith(low) for sign in signs)
        or (low.startswith(_CALL_FORM_BEGUN) and low.count("\n") <= _CALL_LINES)
        or (not objects and low[:1] in "{[" and _OBJECT_BEGUN.match(low) is not None)
    )


def may_be_error(line: str) -> bool:
    """Return whether more may make an unfinished line that of an error."""
    low = line.lower()
    lead = _ERROR_LEAD.match(low)
    rest = low[lead.end() :] if lead else low
    return (
        any(each.startswith(rest) for each in (*_ERRORS, *_ERRORS_CJK))
        or any(each.startswith(low) for each in _LEADS)
        or _STATUS_BEGUN.match(rest) is not None
        or _STATE_BEGUN.match(rest) is not None
    )


def json_in(text: str) -> object:
    """Return the value of a short JSON text; ``None`` where it is none."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > _MOST_PARSED:
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _is_error_line(text: str, *, numbers: bool) -> bool:
    """Whether a text begins with an error; where ``numbers`` may stand, not by one."""
    lead = _ERROR_LEAD.match(text)
    if _STATUS.match(text) or _ERROR.match(text, lead.end() if lead else 0):
        return True
    return not numbers and _BARE_STATUS.match(text) is not None
