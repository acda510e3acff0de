"""Write answers that are no code of the file: talk, tool calls, errors, other code."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Final

from attrs import frozen

from benchmarks.edits.cases import Edit
from benchmarks.edits.changes import altered
from benchmarks.edits.styles import INFO, comment
from bytebuddy_provider_hf.edits.formats.fences import fence_for

_Make = Callable[[Edit, random.Random], str | None]


@frozen
class NonCode:
    """A kind of answer that must not become the file.

    One that is ``alike`` holds lines of the file, so that only what is missing tells.
    """

    name: str
    make: _Make
    alike: bool = False


# What models say in place of code, and what servers and proxies answer for them.
TALK: Final = {
    "refusal": "I'm sorry, but I can't help with that.",
    "refusal, polite": "Unfortunately, I am unable to make this change, because it "
    "would alter the public interface of the module.",
    "refusal, as a model": "As an AI language model, I cannot modify files directly.",
    "question": "Could you please provide more context about what the function "
    "should do?",
    "two questions": "Which of the two functions do you mean? Should the old name "
    "stay as an alias?",
    "plan": "I will first read the file, then rename the function and update its "
    "callers. Let me know if I should go on.",
    "steps": "To make this change:\n\n1. Open the file.\n2. Find the function.\n"
    "3. Add the parameter to its signature.\n",
    "nothing to do": "No changes needed.",
    "already done": "The code already does what you asked for, so no changes are "
    "necessary.",
    "done": "Done! I have updated the file as requested.",
    "looks good": "The code looks good to me. I would not change anything.",
    "summary": "**Summary of changes**\n\n- Added the parameter `timeout`\n"
    "- Renamed the helper\n- Updated the docstring\n",
    "refusal 中文": "抱歉，我无法完成这个请求。",
    "question 中文": "请问您希望修改哪个函数？能否提供更多上下文？",
    "nothing to do 中文": "代码已经符合要求，无需修改。",
    "done 中文": "好的，我已经按照您的要求修改了文件。",
    "explanation 中文": "这段代码的作用是读取配置文件，并返回其中的设置。",
    "short yes": "Sure, I can do that.",
    "context missing": "The file you mentioned does not seem to be part of our "
    "conversation. Please paste its contents.",
    "policy": "I cannot assist with that request as it may violate the usage policy.",
    "thinking": "Okay, let's see. The user wants the function to take another "
    "parameter. First I need to find where it is defined. Hmm, it is called in two "
    "places, so both have to change.",
}
# What may be part of a page of prose.
LIKE_PROSE: Final = ("summary", "steps", "explanation 中文")
ERRORS: Final = {
    "error JSON": '{"error": {"message": "The model is overloaded", "type": '
    '"server_error", "code": 503}}',
    "error JSON, short": '{"error":"Model is too busy, please try again later"}',
    "error JSON, detail": '{"detail": "Not authenticated"}',
    "error HTML": "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n"
    "<center><h1>502 Bad Gateway</h1></center>\n<hr><center>nginx</center>\n"
    "</body>\n</html>",
    "error HTML, doctype": '<!DOCTYPE html>\n<html lang="en">\n<head>\n'
    "<title>Attention Required! | Cloudflare</title>\n</head>\n<body>\n"
    "<h1>Sorry, you have been blocked</h1>\n</body>\n</html>",
    "proxy": "upstream connect error or disconnect/reset before headers. reset "
    "reason: connection termination",
    "bad gateway": "502 Bad Gateway",
    "unavailable": "503 Service Temporarily Unavailable",
    "too many": "Too Many Requests",
    "timeout": "upstream request timeout",
    "server error": "Internal Server Error",
    "quota": "You have exceeded your monthly included credits for Inference Providers.",
    "out of memory": "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 23.69 GiB "
    "total capacity; 21.11 GiB already allocated)",
    "traceback": "Traceback (most recent call last):\n"
    '  File "/app/server.py", line 81, in generate\n'
    "    out = model(ids)\nRuntimeError: probability tensor contains nan",
}
_CALLS: Final = {
    "call JSON": lambda path: json.dumps(
        {"name": "edit_file", "arguments": {"path": path, "instructions": "rename"}}
    ),
    "call JSON, list": lambda path: json.dumps(
        [{"type": "function", "function": {"name": "read", "arguments": path}}]
    ),
    "call, tool_calls": lambda path: json.dumps(
        {"tool_calls": [{"function": {"name": "read", "arguments": {"path": path}}}]}
    ),
    "call, Hermes": lambda path: (
        '<tool_call>\n{"name": "write_file", "arguments": {"path": "' + path + '"}}\n'
        "</tool_call>"
    ),
    "call, Llama": lambda path: f'<|python_tag|>read_file.call(path="{path}")',
    "call, function tag": lambda path: (
        f'<function=read_file>{{"path": "{path}"}}</function>'
    ),
    "call, invoke": lambda path: (
        '<function_calls>\n<invoke name="read_file">\n'
        f'<parameter name="path">{path}</parameter>\n</invoke>\n</function_calls>'
    ),
    "call, Mistral": lambda path: (
        f'[TOOL_CALLS][{{"name": "read_file", "arguments": {{"path": "{path}"}}}}]'
    ),
    "call, Cline": lambda path: f"<read_file>\n<path>{path}</path>\n</read_file>",
    "call, ReAct": lambda path: (
        f"Action: read_file\nAction Input: {path}\nObservation:"
    ),
    "call, DeepSeek": lambda path: (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read_file\n"
        f'```json\n{{"path": "{path}"}}\n```<｜tool▁call▁end｜>'
        "<｜tool▁calls▁end｜>"
    ),
}
_FOREIGN: Final = {
    "python": ("javascript", "function add(a, b) {\n  return a + b;\n}\n"),
    "": ("python", "def add(a, b):\n    return a + b\n"),
}


def _said(text: str) -> _Make:
    return lambda _edit, _rng: text


def _fenced(text: str, info: str = "") -> str:
    fence = fence_for(text)
    return (
        f"{fence}{info}\n{text if text.endswith(chr(10)) else text + chr(10)}{fence}\n"
    )


def _said_fenced(text: str) -> _Make:
    return lambda edit, _rng: _fenced(text, edit.file.language)


def _call(make: Callable[[str], str]) -> _Make:
    return lambda edit, _rng: make(edit.file.path)


def _repeated(edit: Edit, rng: random.Random) -> str:
    del rng
    return instruction_of(edit)


def instruction_of(edit: Edit) -> str:
    """Return what a person asked for who wanted this change."""
    return f"{_ASKED[edit.kind]} in {edit.file.path}."


_ASKED: Final = {
    "insert": "Add the missing lines",
    "delete": "Remove the line that nobody needs",
    "replace": "Fix the two bugs",
    "move": "Move the statement to its place",
    "rename": "Rename the identifier everywhere",
    "several": "Add logging and fix the bugs",
    "signature": "Add the parameter to the function",
    "import": "Add the import",
    "function": "Add the new function",
}


def _install(edit: Edit, rng: random.Random) -> str | None:
    if edit.file.language in ("bash", "text", "markdown", "", "makefile"):
        return None
    return _fenced(f"pip install {rng.choice(('rich', 'attrs', 'pluggy'))}", "bash")


def _example(edit: Edit, rng: random.Random) -> str | None:
    del rng
    if edit.file.language != "python":
        return None
    module = edit.file.path.rpartition("/")[2].removesuffix(".py")
    said = f"from {module} import make\n\nthing = make(3)\nprint(thing.name)\n"
    return f"You can use it like this:\n\n{_fenced(said, 'python')}"


def _foreign(edit: Edit, rng: random.Random) -> str:
    del rng
    info, said = _FOREIGN.get(edit.file.language, _FOREIGN[""])
    return _fenced(said, info)


def _empty_fence(edit: Edit, rng: random.Random) -> str:
    del rng
    return f"```{edit.file.language}\n```\n"


def _other_lines(edit: Edit, rng: random.Random) -> list[str]:
    """Return lines that look like the file's and are not there."""
    lines = [line for line in edit.file.lines if len(line.strip()) > 8] or ["alpha()"]  # noqa: PLR2004
    return [altered(altered(rng.choice(lines), rng), rng) for _ in range(4)]


def _foreign_diff(edit: Edit, rng: random.Random) -> str:
    one, two, three, four = _other_lines(edit, rng)
    hunk = f"@@ -11,3 +11,3 @@\n {one}\n-{two}\n+{three}\n {four}\n"
    return _fenced(f"--- a/other.txt\n+++ b/other.txt\n{hunk}", "diff")


def _foreign_part(edit: Edit, rng: random.Random) -> str:
    marker = comment(edit.file, "... existing code ...")
    lines = "\n".join(_other_lines(edit, rng))
    return _fenced(f"{marker}\n{lines}\n{marker}\n", edit.file.language)


def _foreign_search(edit: Edit, rng: random.Random) -> str:
    one, two, three, four = _other_lines(edit, rng)
    return _fenced(
        f"<<<<<<< SEARCH\n{one}\n{two}\n=======\n{three}\n{four}\n>>>>>>> REPLACE\n"
    )


def _foreign_codex(edit: Edit, rng: random.Random) -> str:
    one, two, three, four = _other_lines(edit, rng)
    return (
        f"*** Begin Patch\n*** Update File: other\n@@\n {one}\n-{two}\n+{three}\n"
        f" {four}\n*** End Patch\n"
    )


def _code(edit: Edit, lines: list[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return _fenced(text, INFO.get(edit.file.language, edit.file.language))


def _rest_unchanged(edit: Edit, rng: random.Random) -> str:
    lines = edit.changed_lines
    end = rng.randrange(5, max(6, len(lines) // 2))
    said = comment(edit.file, "rest of the file unchanged")
    return _code(edit, [*lines[:end], "", said])


def _tail_cut(edit: Edit, rng: random.Random) -> str:
    lines = edit.changed_lines
    return _code(edit, list(lines[: rng.randrange(len(lines) // 3, len(lines) - 8)]))


def _tail_cut_open(edit: Edit, rng: random.Random) -> str:
    return _tail_cut(edit, rng).rpartition("\n`")[0]


def _head_cut(edit: Edit, rng: random.Random) -> str:
    lines = edit.changed_lines
    return _code(edit, list(lines[rng.randrange(8, 2 * len(lines) // 3) :]))


def _middle_dots(edit: Edit, rng: random.Random) -> str:
    lines = edit.changed_lines
    start = rng.randrange(3, len(lines) // 3)
    end = rng.randrange(2 * len(lines) // 3, len(lines) - 2)
    return _code(edit, [*lines[:start], "    ...", *lines[end:]])


KINDS: Final = (
    *(NonCode(name, _said(text)) for name, text in TALK.items()),
    *(
        NonCode(f"{name}, fenced", _said_fenced(TALK[name]))
        for name in ("refusal", "question", "nothing to do", "refusal 中文")
    ),
    *(NonCode(name, _said(text)) for name, text in ERRORS.items()),
    *(
        NonCode(f"{name}, fenced", _said_fenced(ERRORS[name]))
        for name in ("error JSON", "proxy")
    ),
    *(NonCode(name, _call(make)) for name, make in _CALLS.items()),
    NonCode("empty", _said("")),
    NonCode("blank lines", _said("\n\n")),
    NonCode("empty fence", _empty_fence),
    NonCode("instruction repeated", _repeated),
    NonCode("install command", _install),
    NonCode("example of use", _example),
    NonCode("block of another language", _foreign),
    NonCode("diff of another file", _foreign_diff),
    NonCode("part of another file", _foreign_part),
    NonCode("SEARCH/REPLACE of another file", _foreign_search),
    NonCode("codex patch of another file", _foreign_codex),
    NonCode("rest unchanged", _rest_unchanged, alike=True),
    NonCode("tail cut", _tail_cut, alike=True),
    NonCode("tail cut, fence open", _tail_cut_open, alike=True),
    NonCode("head cut", _head_cut, alike=True),
    NonCode("middle as dots", _middle_dots, alike=True),
)
