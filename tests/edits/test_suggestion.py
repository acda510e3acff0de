from __future__ import annotations

import time

import pytest
from edits.placing import placed
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf.edits.formats.conflicts import left_markers
from bytebuddy_provider_hf.edits.formats.suggestion import Part, read_suggestion
from bytebuddy_provider_hf.edits.languages import language_of

FILE = "import os\n\n\ndef area(w, h):\n    return w * h\n\n\ndef main():\n"
FILE += "    size = area(2, 3)\n    print(size)\n    return size\n"
WANTED = FILE.replace("2, 3", "20, 30")
OLD, NEW = "    size = area(2, 3)\n", "    size = area(20, 30)\n"
WHOLE = f"```python\n{WANTED}```\n"
SEARCH = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"
DIFF = "@@ -9,2 +9,2 @@ def main():\n-    size = area(2, 3)\n+    size = area(20, 30)\n"
DIFF += "     print(size)\n"
NAMED = f"--- a/src/a.py\n+++ b/src/a.py\n{DIFF}"
OTHER = "--- a/src/b.py\n+++ b/src/b.py\n@@ -1 +1 @@\n-x\n+y\n"


def read(
    suggestion: str, path: str = "src/a.py", original: str = FILE
) -> tuple[Part, ...]:
    return read_suggestion(original, suggestion, language=language_of(path), path=path)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("search_replace", f"a.py\n```python\n{SEARCH}```\n"),
        ("codex", f"*** Begin Patch\n*** Update File: a.py\n{DIFF}*** End Patch\n"),
        ("conflict", FILE.replace(OLD, f"<<<<<<< a\n{OLD}=======\n{NEW}>>>>>>> b\n")),
        ("before_after", f"Before:\n```py\n{OLD}```\nAfter:\n```py\n{NEW}```\n"),
        ("before_after", f"```py\n# Before\n{OLD}\n# After\n{NEW}```\n"),
        ("patch", NAMED),
        ("patch", f"Here it is:\n\n```diff\n{NAMED}```\n\nDone.\n"),
        ("patch", f"```diff\n-{OLD}+{NEW}```\n"),
        ("patch", f"Change this:\n{DIFF}"),
        ("patch", NAMED + OTHER),
        ("patch", f"```diff\n{NAMED}```\nand\n```diff\n{OTHER}```\n"),
        ("search_replace", f"src/a.py\n{SEARCH}\nsrc/b.py\n{SEARCH}"),
    ],
)
def test_a_change_is_read_in_its_format(how: str, text: str) -> None:
    """One part, whose hunks make the change; those of other files are left out."""
    (part,) = read(text)
    assert part.how == how
    assert part.patch is not None
    assert placed(FILE, part.patch) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        WANTED,
        WHOLE,
        f"Sure! Here is the updated code:\n\n{WHOLE}\nHope this helps!\n",
        f"src/a.py\n{WHOLE}",
        f"First:\n```bash\npip install x\n```\nThen:\n{WHOLE}",
        f"First:\n```\n$ pip install x\n```\nThen:\n{WHOLE}",
        f"{WHOLE}\nExample:\n\n```python\nmain()\n```\n",
        f"{WHOLE}\n## Usage\n```python\nimport a\n\nprint(a.main())\n```\n",
        f"{WHOLE}\n用法:\n```python\nmain()\n```\n",
        f"{WHOLE}\nIts settings:\n```json\n{{}}\n```\n",
        f"{WHOLE}\n`src/b.py`:\n```python\nx = 1\n```\n",
        f"{WHOLE}\nAgain, all of it:\n{WHOLE}",
        f'<file path="src/a.py">\n{WANTED}</file>\n',
        f"<code>\n{WHOLE}</code>",
        f"<answer><file>\n{WANTED}</file></answer>",
        "".join(f"{at}: {x}\n" for at, x in enumerate(WANTED.splitlines(), 1)),
    ],
)
def test_only_code_of_the_file_is_left(text: str) -> None:
    """Prose, commands, examples, other languages and files, and what repeats go."""
    (part,) = read(text)
    assert (part.how, part.code) == ("code", WANTED)


@pytest.mark.parametrize(
    "text",
    [
        "```bash\npip install x\n```\n",
        "```js\nlet x = 1\n```\n",
        "Usage:\n```python\nimport a\na.main()\n```\n",
        OTHER + NAMED.replace("src/a.py", "src/c.py"),
        "```python\nx = 1\n\nThen:\n\n```python\ny = 2\n```\n",
        "",
    ],
)
def test_where_nothing_is_of_the_file_there_is_no_part(text: str) -> None:
    """Not even the only block is taken for what it is not."""
    assert read(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        f"```typescript\n{FILE}```\n",
        "Add a function, for example:\n```python\ndef third():\n    return 3\n```\n",
        "```\nx = 1\n```\n",
        "In `src/a.py`:\n```py\nx = 1\n```\n",
    ],
)
def test_what_may_be_of_the_file_stays(text: str) -> None:
    """Its own lines under a wrong name, and what is new in it."""
    assert [part.how for part in read(text)] == ["code"]


@pytest.mark.parametrize(
    ("path", "info"),
    [
        ("a.ts", "js"),
        ("a.jsx", "tsx"),
        ("a.h", "cpp"),
        ("a.md", "text"),
        ("a.vue", "ts"),
        ("a.xyz", "python"),
        ("a.py", "unheard-of"),
    ],
)
def test_languages_of_one_family_are_one(path: str, info: str) -> None:
    """Models mix their names up."""
    assert len(read(f"```{info}\nx = 1\n```\n", path)) == 1


def test_several_blocks_are_several_parts() -> None:
    """In their order."""
    parts = read(f"```py\nx = 1\n```\n\n```diff\n{DIFF}```\n\n```py\ny = 2\n```\n")
    assert [part.how for part in parts] == ["code", "patch", "code"]


def test_an_unclosed_block_is_told() -> None:
    """The text ends with it; whether all came, nobody knows."""
    (part,) = read(WHOLE.removesuffix("```\n"))
    assert (part.code, part.unclosed) == (WANTED, True)
    (part,) = read(WHOLE.replace("\n```", "```"))
    assert (part.code, part.unclosed) == (WANTED, False)


def test_numbers_tell_where_code_is_from() -> None:
    """And whether the file goes on round it."""
    lines = list(enumerate(FILE.splitlines(), 1))
    (part,) = read("".join(f"{at:4}\t{x}\n" for at, x in lines[3:5]))
    assert part.code == "def area(w, h):\n    return w * h\n"
    assert (part.first, part.gaps, part.open_start, part.open_end) == (
        4,
        False,
        True,
        True,
    )


def test_context_that_is_left_out_splits_a_hunk() -> None:
    """A marker stands for lines of the original; new code may not hold one."""
    text = (
        "@@ @@\n import os\n+import re\n # ...\n def main():\n-    size = area(2, 3)\n"
    )
    (part,) = read(text)
    assert part.patch is not None
    assert len(part.patch.hunks) == 2
    assert placed(FILE, part.patch) == FILE.replace("os\n", "os\nimport re\n").replace(
        OLD, ""
    )
    (part,) = read(text.replace("+import re", "+# ... existing code ..."))
    assert part.patch is not None
    assert part.patch.hunks == ()


MARKDOWN = f"# Diffs\n\nWrite them so:\n\n```diff\n{DIFF}```\n\nOr so:\n\n{SEARCH}\n"


@pytest.mark.parametrize(
    ("original", "wanted", "path"),
    [
        (MARKDOWN, MARKDOWN.replace("Write", "You write"), "a.md"),
        (FILE, f'{FILE}\n\nTEXT = """\n{SEARCH}"""\n', "a.py"),
        (FILE, f'"""Diffs.\n\n{DIFF}"""\n{FILE}', "a.py"),
        ("Title\n=======\n\nold\n", "Title\n=======\n\nnew\n", "a.rst"),
        ("-- a\nselect 1;\n-- b\n", "-- a\nselect 2;\n-- b\n", "a.sql"),
    ],
)
def test_a_file_that_quotes_markers_is_code(
    original: str, wanted: str, path: str
) -> None:
    """Nothing in it is a suggestion, or it is none that changes anything."""
    for text in (wanted, f"````\n{wanted}````\n"):
        parts = read(text, path, original)
        assert all(
            part.code == wanted if part.patch is None else not part.patch.hunks
            for part in parts
        )


@settings(max_examples=rounds(200, long=5_000))
@given(
    original=st.sampled_from([FILE, MARKDOWN, "", "a\r\nb"]),
    pieces=st.lists(
        st.sampled_from(
            [
                *("<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "||||||| x\n"),
                *(
                    "```\n",
                    "```py\n",
                    "```diff\n",
                    "@@ -1,2 +1,2 @@ f\n",
                    "+x\n",
                    "-y\n",
                ),
                *("*** Begin Patch\n", "*** Update File: a.py\n", "*** End Patch\n"),
                *("Before:\n", "# After\n", "1: a\n", "2 | b\n", " \n", "import os\n"),
                *("# ...\n", "--- a/x\n", "+++ b/x\n", "<file>\n", "</file>", "\r\n"),
                *(":start_line:3\n", "-------\n", "Example:\n", "main()\n", "a.py\n"),
            ]
        ),
        max_size=16,
    ),
    path=st.sampled_from(["a.py", "a.md", "", "x"]),
)
def test_any_text_at_all_is_read(original: str, pieces: list[str], path: str) -> None:
    """In parts that are patches or code; no exception."""
    for part in read("".join(pieces), path, original):
        assert (part.patch is None) == (part.how == "code")
        assert part.text


@pytest.mark.measured
def test_large_suggestions_take_linear_time() -> None:
    """A megabyte of each format, of markers alone, and of one line."""
    lines = "".join(f"line {at}\n" for at in range(20_000))
    many = 4_000
    started = time.process_time()
    for text in (
        "".join(
            f"<<<<<<< SEARCH\nline {n}\n=======\nx\n>>>>>>> R\n" for n in range(many)
        ),
        "<<<<<<< SEARCH\n" * 70_000,
        "<<<<<<< SEARCH\n" + "=======\n" * 120_000 + ">>>>>>> REPLACE\n",
        "*** Update File: x\n@@\n-line 1\n+y\n" * 25_000,
        "<<<<<<< a\nb\n=======\nc\n>>>>>>> d\n" * 30_000,
        "".join(f"{n}: line {n}\n" for n in range(50_000)),
        "Before:\n```\nline 1\n```\nAfter:\n```\nx\n```\n" * 20_000,
        "".join(f"Example:\n```py\nf({n})\n```\n" for n in range(20_000)),
        "@@ -1,3 +1,3 @@\n line 1\n" * 40_000,
        "```\n" * 200_000,
        "`a.py` " * 150_000,
        "x" * 1_000_000,
        " " * 1_000_000 + "def",
        "<" * 1_000_000,
        lines * 5,
    ):
        read(text, "a.py", lines)
        left_markers(lines, text)
    assert time.process_time() - started < 40
