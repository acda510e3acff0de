"""The answer of a model that was to change code: the new code, or why there is none."""

from __future__ import annotations

import time
from textwrap import dedent, indent

import pytest

from bytebuddy_provider_hf.edits.answers.answer import Changed, Refused, read_answer
from bytebuddy_provider_hf.edits.udiff import unified

FILE = """\
import os
import sys


class Box:
    def area(self):
        width = self.w
        return width * self.h

    def name(self):
        return "box"


def first(a):
    total = a + 1
    return total


def second(b):
    return os.path.join(b, "x")


def main():
    print(Box().area())


if __name__ == "__main__":
    main()
"""
NEW = FILE.replace("total = a + 1", "total = a + 2")
SELECTED = (
    "    def area(self):\n        width = self.w\n        return width * self.h\n"
)
CHANGED = SELECTED.replace("def area(self):", "def area(self) -> float:")
START = FILE.index(SELECTED)
PREFIX, SUFFIX = FILE[:START], FILE[START + len(SELECTED) :]
WHOLE = PREFIX + CHANGED + SUFFIX


def changed(answer: str, code: str = FILE, **facts: str) -> Changed:
    """Return what an answer makes of a file; it has to make something of it."""
    read = read_answer(code, answer, path=facts.pop("path", "box.py"), **facts)
    assert isinstance(read, Changed), read
    return read


def refused(answer: str, code: str = FILE, **facts: str) -> Refused:
    """Return why an answer makes nothing of a file."""
    read = read_answer(code, answer, path=facts.pop("path", "box.py"), **facts)
    assert isinstance(read, Refused), read
    return read


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "```python\n{}```",
        "```\n{}```\n",
        "~~~py\n{}~~~",
        "````python\n{}````",
        "```python\n{}",
        "box.py\n```python\n{}```",
        "```python box.py\n{}```",
        "Here is the updated code:\n\n```python\n{}```\n\nHope this helps!",
        "Sure!\n\n{}",
        "{}\nI changed one line.\n",
        "<think>\n```python\nx\n```\n</think>\n```python\n{}```",
        "First:\n\n```bash\npip install x\n```\n\nThen:\n\n```python\n{}```",
        "```python\n{}```\n\nUse it so:\n\n```python\nfirst(1)\n```",
    ],
)
def test_the_whole_code_is_taken_out_of_what_is_round_it(wrapped: str) -> None:
    """Fences, talk, thoughts, commands and examples are none of it."""
    read = changed(wrapped.format(NEW), instruction="add two")
    assert (read.text, read.how, read.doubts) == (NEW, "whole", ())


@pytest.mark.parametrize(
    "answer",
    [
        unified(FILE, NEW, path="box.py"),
        f"```diff\n{unified(FILE, NEW)}```",
        (
            "<<<<<<< SEARCH\n    total = a + 1\n=======\n    total = a + 2\n"
            ">>>>>>> REPLACE"
        ),
        (
            "*** Begin Patch\n*** Update File: box.py\n@@\n def first(a):\n"
            "-    total = a + 1\n+    total = a + 2\n*** End Patch"
        ),
        FILE.replace(
            "    total = a + 1\n",
            "<<<<<<< HEAD\n    total = a + 1\n=======\n    total = a + 2\n"
            ">>>>>>> new\n",
        ),
        "```python\ndef first(a):\n    total = a + 2\n    return total\n```",
        (
            "```python\n# ... existing code ...\n\n\ndef first(a):\n    total = a + 2\n"
            "    return total\n\n\ndef second(b):\n# ... existing code ...\n```"
        ),
    ],
    ids=["diff", "fenced diff", "search", "codex", "conflict", "function", "markers"],
)
def test_a_part_is_merged_into_the_rest(answer: str) -> None:
    """Nothing of its own marks comes into the file, and nothing is lost."""
    read = changed(answer, instruction="add two")
    assert (read.text, read.doubts) == (NEW, ())
    assert read.how != "whole"
    assert read.notes


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", "no_code"),
        ("```python\n```", "no_code"),
        ("I cannot do that.", "no_code"),
        ("```\nNo changes needed.\n```", "no_code"),
        ("add two", "no_code"),
        ('{"name": "edit", "arguments": {}}', "no_code"),
        ("502 Bad Gateway", "no_code"),
        ("```javascript\nfunction add(a, b) {\n  return a + b;\n}\n```", "no_code"),
        ("```bash\npip install x\n```", "no_code"),
        ("@@ -1,2 +1,2 @@\n x = 1\n-y = 2\n+y = 3\n", "unplaced"),
        ("<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE", "unplaced"),
        ("```python\n# ... existing code ...\nx = 1\n# ... more ...\n```", "unplaced"),
        ("```python\nimport os\nimport sys\nimport re\n...\n```", "shortened"),
        (FILE[: FILE.index("    return os.path") - 5], "shortened"),
    ],
)
def test_an_answer_without_the_code_is_refused(answer: str, kind: str) -> None:
    """It says why in words, and what to do."""
    refusal = refused(answer, instruction="add two")
    assert refusal.kind == kind
    assert refusal.message
    assert refusal.hint


@pytest.mark.parametrize(
    "answer",
    [
        "To make this change:\n\n1. Open the file.\n2. Find the line.\n",
        "**Summary of changes**\n\n- Added the parameter\n",
        "The code looks good to me. I would not change anything.",
    ],
)
def test_talk_is_no_text_in_a_file_of_prose(answer: str) -> None:
    """Its sentences are told from those of the file by who speaks."""
    refusal = refused(answer, "`make layers` checks it.\n", path="a.md")
    assert refusal.kind == "no_code"


def test_what_is_gone_is_named() -> None:
    """Functions that nobody named are a doubt; in Chinese, too, a name is read."""
    less = NEW.replace('def second(b):\n    return os.path.join(b, "x")\n\n\n', "")
    read = changed(less, instruction="add two")
    assert [(doubt.kind, doubt.lines) for doubt in read.doubts] == [
        ("gone", ("second",))
    ]
    for wanted in ("remove second", "Delete `second()`.", "删除second函数"):
        assert changed(less, instruction=wanted).doubts == ()
    # Named, but not for going.
    assert changed(less, instruction="annotate second").doubts
    renamed = FILE.replace("second", "joined")
    assert changed(renamed, instruction="use a better name").doubts == ()


@pytest.mark.parametrize(
    ("path", "code", "answer", "names"),
    [
        ("a.yaml", "a: 1\nb: 2\nc: 3\n", "a: 1\nc: 4\n", ("b",)),
        ("a.md", "# A\n\nx\n\n## B\n\ny\n", "# A\n\nz\n", ("B",)),
        ("a.json", '{\n  "a": 1,\n  "b": 2\n}\n', '{\n  "a": 2\n}\n', ("b",)),
        ("a.toml", "[a]\nx = 1\n\n[b]\ny = 1\n", "[a]\nx = 2\n", ("b",)),
        ("a.css", "a {\n}\n\nb {\n}\n", "a {\n}\n", ("b",)),
        ("a.go", "func f() {\n}\n\nfunc g() {\n}\n", "func f() {\n}\n", ("g",)),
        ("a.ts", "class A {\n}\n\nconst f = () => 1\n", "class A {\n}\n", ("f",)),
        ("a.c", "int f(void) {\n}\n\nint g(void) {\n}\n", "int f(void) {\n}\n", ("g",)),
    ],
)
def test_what_a_file_of_another_kind_lacks_is_named(
    path: str, code: str, answer: str, names: tuple[str, ...]
) -> None:
    """Keys, headings, tables, selectors, functions."""
    read = changed(answer, code, path=path, instruction="make it better")
    assert [(doubt.kind, doubt.lines) for doubt in read.doubts] == [("gone", names)]


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (NEW[: NEW.index("if __name__")], 1),
        ("".join(f"x{n} = {n}\n" for n in range(60)), 60),
    ],
)
def test_an_end_that_is_missing_is_a_doubt(answer: str, lines: int) -> None:
    """Though what is left is well formed."""
    if lines == 60:
        code = "".join(f"x{n} = {n}\n" for n in range(120))
        read = changed(answer, code, instruction="rename x3")
    else:
        read = changed(answer, instruction="add two")
    assert [doubt.kind for doubt in read.doubts] == ["gone"]
    assert len(read.doubts[0].lines) >= lines


def test_a_rewrite_is_a_doubt_from_twenty_lines_on() -> None:
    """Little in common alone is never refused; below that it is no doubt either."""
    for count, kinds in ((19, []), (20, ["rewritten"])):
        code = "".join(f"old_{n} = {n}\n" for n in range(count))
        new = "".join(f"new_{n} = call({n}, 1)\n" for n in range(count))
        read = changed(new, code, instruction="call it")
        assert [doubt.kind for doubt in read.doubts] == kinds
        assert read.text == new


def test_code_that_no_longer_parses_is_a_doubt() -> None:
    """Where the old code did; of the old code nothing is asked."""
    broken = NEW.replace("total = a + 2", "total = (a + 2")
    assert [it.kind for it in changed(broken, instruction="x").doubts] == ["unparsable"]
    assert changed(NEW.replace("a + 2", "(a + 3"), broken, instruction="x").doubts == ()


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (FILE.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")),
        (FILE.rstrip("\n"), NEW.rstrip("\n")),
        (f"\n{FILE}\n\n", f"\n{NEW}\n\n"),
        (FILE.replace("    ", "\t"), NEW.replace("    ", "\t")),
    ],
    ids=["CR LF", "no last line end", "blank edges", "tabs"],
)
@pytest.mark.parametrize("answer", [NEW, NEW.replace("\n", "\r\n"), f"\n{NEW}\n"])
def test_the_layout_of_the_code_is_kept(code: str, wanted: str, answer: str) -> None:
    """Line ends, the last line's end, blank lines at the edges, tabs."""
    assert changed(f"```python\n{answer}```", code, instruction="x").text == wanted


def test_trailing_blanks_stay_unless_they_are_to_go() -> None:
    """Models cut them by the way; an instruction may mean them."""
    code = FILE.replace("import os\n", "import os  \n")
    assert "import os  \n" in changed(NEW, code, instruction="add two").text
    stripped = changed(FILE, code, instruction="strip trailing whitespace")
    assert stripped.text == FILE


def selected(answer: str, **facts: str) -> Changed | Refused:
    """Return what an answer makes of the selected lines."""
    return read_answer(
        facts.pop("code", SELECTED),
        answer,
        prefix=facts.pop("prefix", PREFIX),
        suffix=facts.pop("suffix", SUFFIX),
        path="box.py",
        instruction="annotate area",
    )


@pytest.mark.parametrize(
    "answer",
    [
        CHANGED,
        CHANGED.rstrip("\n"),
        CHANGED.lstrip(" "),
        dedent(CHANGED),
        indent(CHANGED, "    "),
        CHANGED.replace("    ", "\t"),
        CHANGED.replace("\n", "\r\n"),
        f"\n{CHANGED}\n",
        f"class Box:\n{CHANGED}",
        f'class Box:\n{CHANGED}\n    def name(self):\n        return "box"\n',
        dedent(f'{CHANGED}\n    def name(self):\n        return "box"\n'),
        WHOLE,
        unified(FILE, WHOLE),
        unified(SELECTED, CHANGED),
        (
            "<<<<<<< SEARCH\n    def area(self):\n=======\n"
            "    def area(self) -> float:\n>>>>>>> REPLACE\n"
        ),
    ],
    ids=range(15),
)
@pytest.mark.parametrize("wrapped", ["{}", "```python\n{}\n```\n", "Sure!\n\n{}"])
def test_an_answer_for_some_lines_is_cut_down_to_them(
    answer: str, wrapped: str
) -> None:
    """What repeats the text round them goes, and their indentation comes back."""
    read = selected(wrapped.format(answer))
    assert isinstance(read, Changed), read
    assert (read.text, read.doubts) == (CHANGED, ())


def test_changes_outside_of_the_lines_are_left_out_and_told() -> None:
    """A whole file came back for three lines of it."""
    read = selected(WHOLE.replace("a + 1", "a + 2").replace("import sys", "import re"))
    assert isinstance(read, Changed)
    assert read.text == CHANGED
    assert read.notes[0].endswith("left out: 2.")
    unchanged = selected(NEW)
    assert isinstance(unchanged, Refused)
    assert unchanged.kind == "unchanged"
    assert "lines 6–8" in unchanged.message


@pytest.mark.parametrize(
    ("code", "prefix", "suffix", "answer", "wanted"),
    [
        ("b\n", "a\na\n", "c\n", "a\nb2\n", "b2\n"),
        ("    x = 1\n", "if a:\n", "}\n", "    x = 2\n    y = 3\n", None),
        ("    f();\n", "if (a) {\n", "}\n", "    g();\n", None),
        ("x = 1\n", "x = 1\n", "x = 1\n", "x = 1\ny = 2\n", None),
        ("", "a = 1\n", "b = 2\n", "c = 3\n", None),
        ("1", "x = ", "\n", "2", None),
        ("x = 1", "y = 1\n", "\nz = 1\n", "x = 2\n", "x = 2"),
    ],
)
def test_edges_that_are_not_repeated_are_kept(
    code: str, prefix: str, suffix: str, answer: str, wanted: str | None
) -> None:
    """One line, equal neighbours, an empty selection, a part of a line."""
    read = read_answer(code, answer, prefix=prefix, suffix=suffix, instruction="x")
    assert isinstance(read, Changed), read
    assert read.text == (answer if wanted is None else wanted)


def test_one_line_may_become_anything() -> None:
    """It has little in common with what it becomes, and that is no doubt."""
    line = "        width = self.w\n"
    at = FILE.index(line)
    new = "        side = self.sides()\n        width = max(side)\n"
    read = selected(new, code=line, prefix=FILE[:at], suffix=FILE[at + len(line) :])
    assert isinstance(read, Changed)
    assert (read.text, read.doubts) == (new, ())


@pytest.mark.measured
def test_a_megabyte_is_read_in_seconds() -> None:
    """A whole file, and a whole file for one of its lines."""
    body = "    value = a.method(argument, option=a.option)\n"
    code = "".join(
        f"def f{n}(a):\n{body * 9}    return a + {n}\n\n\n" for n in range(2_000)
    )
    new = code.replace("return a + 9\n", "return a - 9\n")
    at = code.index("    return a + 9\n")
    end = at + len("    return a + 9\n")
    began = time.process_time()
    assert changed(new, code, instruction="subtract 9").text == new
    read = read_answer(
        code[at:end], new, prefix=code[:at], suffix=code[end:], path="a.py"
    )
    assert isinstance(read, Changed)
    assert read.text == "    return a - 9\n"
    assert time.process_time() - began < 5
