"""What a model or a server says in place of code is told from code, in every file."""

from __future__ import annotations

import sysconfig
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bytebuddy_provider_hf.edits.answers.code_check import not_code
from bytebuddy_provider_hf.edits.answers.wellformed import breaks_form
from bytebuddy_provider_hf.edits.languages import language_of

FILES = {
    "a.py": (
        "import os\n\n\ndef f(a):\n    return a\n\n\ndef main():\n    print(f(1))\n\n\n"
        "def last():\n    return os.sep\n\n\nx = f(2)\ny = f(3)\n"
    ),
    "a.js": (
        "function f(a) {\n  return a;\n}\n\n"
        "function main() {\n  console.log(f(1));\n}\n"
    ),
    "a.go": "package main\n\nfunc f(a int) int {\n\treturn a\n}\n",
    "a.rs": "fn f<'a>(x: &'a str) -> &'a str {\n    x\n}\n",
    "a.yaml": "a: 1\nb:\n  - x\n  - y\nc: 2\n",
    "a.toml": "[a]\nb = 1\nc = [1, 2]\n",
    "a.json": '{"a": 1, "b": [2]}\n',
    "a.sh": "#!/bin/bash\nset -e\nf() {\n  echo hi\n}\nf\n",
    "a.html": "<html>\n<body>\n<p>hi</p>\n</body>\n</html>\n",
    "a.css": "a {\n  color: red;\n}\n",
    "README.md": "# Tool\n\nInstall it.\n\n## Use\n\nRun it.\n\n## End\n\nThe end.\n",
}
TALK = (
    "I cannot do that.",
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot edit files.",
    "No changes needed.",
    "The code already does this.",
    "Could you provide the file?",
    "I'm sorry, but I cannot do that. " + "It is not possible. " * 50,
    "Done! I have updated the file.",
    "抱歉，我无法完成这个请求。",
    "代码已经符合要求，无需修改。",
    "好的，请提供更多信息。",
)
CALLS = (
    '<tool_call>\n{"name": "edit", "arguments": {}}\n</tool_call>',
    '{"name": "edit_file", "arguments": {"path": "a"}}',
    '[{"type": "function", "function": {"name": "edit", "arguments": "{}"}}]',
    "<function=edit>\n<parameter=path>a</parameter>",
    '[TOOL_CALLS][{"name": "edit"}]',
    "Action: edit\nAction Input: a",
)
ERRORS = (
    '{"error": {"message": "overloaded", "code": 503}}',
    '{"error": "Model is too busy"}',
    "<html><head><title>502 Bad Gateway</title></head></html>",
    "upstream connect error or disconnect/reset before headers",
    "502 Bad Gateway",
    "Error: 500 Internal Server Error",
    "Too Many Requests",
    "Rate limit reached for this model.",
    "You have exceeded your monthly included credits.",
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        *((said, {"talk"}) for said in TALK),
        *((said, {"tool_call"}) for said in CALLS),
        *((said, {"error"}) for said in ERRORS),
        (" \n", {"empty"}),
    ],
)
def test_what_is_said_in_place_of_code_is_none(
    name: str, said: str, kinds: set[str]
) -> None:
    """Talk, tool calls and errors, whatever the file."""
    problem = not_code(said, FILES[name], language=language_of(name))
    # A file of tags or keys is told by its lack of any before the words are read.
    assert problem is not None
    assert problem.kind in kinds | {"language"}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pip install attrs", "command"),
        ("$ npm install foo --save\n$ node a.js", "command"),
        ("f(2)", "example"),
        ("from a import f\n\nresult = f(2)\nprint(result)", "example"),
        ('{"a": 1}', "language"),
        ("#!/bin/bash\necho hi", "language"),
        ("<!DOCTYPE html>\n<html><body>hi</body></html>", "language"),
        ("You should change `return a` to `return a + 1`.", "talk"),
        ("1. Open the file\n2. Change it", "talk"),
    ],
)
def test_other_code_is_none_of_a_python_file(said: str, kind: str) -> None:
    """Commands, examples of use, other languages, and steps."""
    problem = not_code(said, FILES["a.py"], language=language_of("a.py"))
    assert problem is not None
    assert problem.kind == kind


def test_code_that_does_not_parse_breaks_its_file() -> None:
    """The file did, before."""
    made = "def f(a):\n    return (a\n"
    assert breaks_form(made, FILES["a.py"], language_of("a.py"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_its_own_code(name: str) -> None:
    """And so is what was made of half of it."""
    text = FILES[name]
    language = language_of(name)
    assert not_code(text, text, language=language) is None
    assert not breaks_form(text, text, language)
    half = text[: text.index("\n", len(text) // 2) + 1]
    assert not_code(half, text, language=language) is None


@pytest.mark.parametrize(
    ("said", "original", "name"),
    [
        ("pass", "    return a\n", "a.py"),
        ("done\n", "fi\n", "a.sh"),
        ('"""I am a docstring. You can read it."""\nx = 1\n', "x = 1\n", "a.py"),
        ("// This function is not used.\nvar x = 1;\n", "var y = 1;\n", "a.js"),
        ("/*\nYou can use it so.\n*/\nint x;\n", "int y;\n", "a.c"),
        (
            "You need a key.\nI pay for it.\n",
            "You need a token.\nIt is free.\n",
            "a.md",
        ),
        ("pip install attrs\n", "pip install cattrs\n", "setup.sh"),
        ("int f(void) { return 404; }\n", "int g(void) { return 1; }\n", "a.c"),
        ("- Added the parameter\n", "- Added the option\n", "a.yaml"),
        ("[1, 2, 3]", "x = 1\n", "a.py"),
    ],
)
def test_code_that_looks_like_something_else_is_code(
    said: str, original: str, name: str
) -> None:
    """Words in comments and texts, keywords alone, a script's own commands."""
    assert not_code(said, original, language=language_of(name)) is None
    assert not breaks_form(said, original, language_of(name))


def test_functions_of_real_files_are_code_of_each_other() -> None:
    """Nothing in the standard library is taken for talk or a command."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    python = language_of("a.py")
    for name in (
        "argparse",
        "ast",
        "bisect",
        "cgi",
        "email/message",
        "heapq",
        "typing",
    ):
        path = folder / f"{name}.py"
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        blocks = [block for block in text.split("\n\n\n") if block.startswith("def ")]
        for one, other in pairwise(blocks):
            assert not_code(one, other, language=python) is None


@pytest.mark.measured
def test_a_megabyte_is_checked_in_a_second() -> None:
    """In a language that is parsed, and in one whose brackets are looked at."""
    for line, name in (
        ("value = call(1, [2])  # x\n", "a.py"),
        ("f(a, [b]);\n", "a.c"),
    ):
        text = line * (1_000_000 // len(line))
        began = time.process_time()
        assert not_code(text + line, text, language=language_of(name)) is None
        assert not breaks_form(text + line, text, language_of(name))
        assert not_code("no code at all", text, language=language_of(name))
        assert time.process_time() - began < 2
