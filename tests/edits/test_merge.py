from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf.edits.formats.blocks import blocks_of
from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.edits.udiff import unified

FILE = """\
import os


def first(a):
    x = a + 1
    y = x * 2
    return y


def second(b):
    return os.path.join(b, "x")


def count(values):
    total = 0
    for value in values:
        total += value
    return total


LAST = second("y")
"""
WHOLE = FILE.replace("x * 2", "x * 3")
SNIPPET = """\
def first(a):
    x = a + 1
    y = x * 3
    return y
"""
LAZY = """\
# ... existing code ...
    x = a + 1
    y = x * 3
    return y
# ... existing code ...
"""

WAYS = {
    "patch": unified(FILE, WHOLE),
    "lazy": LAZY,
    "whole": WHOLE,
    "snippet": SNIPPET,
}
HANDS = {
    "bare": "{}",
    "in a fence": "```python\n{}```\n",
    "with words": "Here is the change:\n\n```py\n{}```\n\nThe factor is three now.\n",
    "in a diff's fence": "```diff\n{}```",
}


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_suggestion_is_worked_in(way: str, hand: str) -> None:
    """However it is written and handed over; the way is told."""
    if hand == "in a diff's fence" and way != "patch":
        return
    merged = merge(FILE, HANDS[hand].format(WAYS[way]))
    assert (merged.text, merged.how, merged.unplaced) == (WHOLE, way, ())


@pytest.mark.parametrize("way", WAYS)
def test_line_ends_and_the_last_line_are_kept(way: str) -> None:
    """The suggestion has line feeds, the file CR LF and no end."""
    original = FILE.removesuffix("\n").replace("\n", "\r\n")
    wanted = WHOLE.removesuffix("\n").replace("\n", "\r\n")
    suggestion = LAZY if way == "lazy" else WAYS[way]
    assert merge(original, f"```\n{suggestion}```").text == wanted


def test_a_diff_without_headers_is_one_where_its_fence_says_so() -> None:
    """Elsewhere its signs are text."""
    body = "     x = a + 1\n-    y = x * 2\n+    y = x * 3\n     return y\n"
    assert merge(FILE, f"```diff\n{body}```").text == WHOLE
    assert merge(FILE, f"```\n{body}```").text is None


def test_several_blocks_are_worked_in_one_after_the_other() -> None:
    """All of them or none."""
    other = "# ...\ndef second(b):\n    return b\n\n\nLAST = second(1)\n"
    blocks = f"First:\n```py\n{SNIPPET}```\nThen:\n```py\n# ...\n{{}}# ...\n```\n"
    second = 'def second(b):\n    b = b.strip()\n    return os.path.join(b, "x")\n'
    merged = merge(FILE, blocks.format(second))
    assert merged.text == WHOLE.replace(
        "    return os", "    b = b.strip()\n    return os"
    )
    merged = merge(FILE, blocks.format(other))
    assert merged.text is None


def test_a_block_that_is_not_closed_is_placed_only_whole() -> None:
    """A fence that was forgotten is no harm, an end that is missing is."""
    assert merge(FILE, f"```py\n{WHOLE}").text == WHOLE
    half = "".join(WHOLE.splitlines(keepends=True)[:-3])
    assert merge(FILE, f"```py\n{half}").text is None
    cut = "```diff\n@@ -4,4 +4,5 @@\n def first(a):\n-    x = a + 1\n+    x = a + 2\n"
    assert merge(FILE, cut).text is None


def test_a_function_is_found_by_its_name() -> None:
    """Its head may be what changes."""
    said = SNIPPET.replace("(a)", "(a, b)")
    wanted = FILE.replace("first(a)", "first(a, b)").replace("* 2", "* 3")
    assert merge(FILE, said).text == wanted


def test_half_a_class_is_no_class() -> None:
    """It ends with a head whose body it does not show: the body is not meant to go."""
    head = "import codecs\n\nclass Codec(codecs.Codec):\n\n"
    old = "    def encode(self,input,errors='strict'):\n"
    new = "    def encode(self,input,errors='strict') -> None:\n"
    body = (
        "        return codecs.charmap_encode(input,errors,encoding_table)\n\n"
        "    def decode(self,input,errors='strict'):\n"
    )
    rest = (
        "        return codecs.charmap_decode(input,errors,decoding_table)\n\n"
        "class Encoder(codecs.IncrementalEncoder):\n"
        "    def encode(self, input, final=False):\n"
        "        return codecs.charmap_encode(input,self.errors,encoding_table)[0]\n"
    )
    shown = (head + new + body).splitlines()[2:]
    said = "".join(f"{at} | {line}\n" for at, line in enumerate(shown, 3))
    wanted = head + new + body + rest
    assert merge(head + old + body + rest, said, path="a.py").text == wanted


def test_a_command_beside_the_code_is_none_of_it() -> None:
    """Nobody wants it in the file."""
    beside = f"```py\n{WHOLE}```\n```sh\npip install x\n```\n"
    assert merge(FILE, beside, path="a.py").text == WHOLE


UNPLACED = {
    "a part of the file": "".join(WHOLE.splitlines(keepends=True)[2:]),
    "the beginning": "".join(WHOLE.splitlines(keepends=True)[:-3]),
    "another file": "print('hello')\nprint('world')\n",
    "a function without its body": "def first(a):\n    return a\n",
    "a function that is new": "def third(c):\n    return c\n",
    "words": "I would rather use pathlib here.\n",
    "words round the file": f"I changed the factor.\n\n{WHOLE}\nHope this helps!\n",
    "something that may be a marker": WHOLE.replace("    return y\n", "    ...\n"),
    "nothing": "",
    "an empty block": "```\n```\n",
}


@pytest.mark.parametrize("name", UNPLACED)
def test_what_is_not_certain_is_not_placed(name: str) -> None:
    """No text, and what has no place."""
    merged = merge(FILE, UNPLACED[name])
    assert (merged.text, merged.how) == (None, None)
    assert merged.unplaced


def test_the_same_text_is_the_whole_text() -> None:
    """A suggestion to change nothing changes nothing."""
    assert merge(FILE, FILE).text == FILE


def test_most_of_a_file_is_never_dropped() -> None:
    """Both edges are there, and hardly half of what is between."""
    lines = [f"line {n}\n" for n in range(30)]
    kept = [*lines[:7], *lines[-7:]]
    assert merge("".join(lines), "".join(kept)).text is None
    kept = [*lines[:8], *lines[-8:]]
    assert merge("".join(lines), "".join(kept)).text == "".join(kept)


@pytest.mark.parametrize(
    ("first", "placed"),
    [("from os import path", False), ("import os, sys", True), ("x = 1", False)],
)
def test_a_changed_first_line_has_to_be_like_it(first: str, placed: bool) -> None:
    """Else the text may begin somewhere else."""
    changed = WHOLE.replace("import os\n", f"{first}\n", 1)
    assert merge(FILE, changed).text == (changed if placed else None)


def test_a_blank_file_takes_any_code() -> None:
    """There is nothing to lose; words are no code."""
    assert merge("", "```\nx = 1\n```").text == "x = 1\n"
    assert merge("\n", "x = 1\n").text == "x = 1\n"
    assert merge("", "I cannot write this file.\n").text is None


def test_a_block_inside_another_is_told_by_its_indentation() -> None:
    """Its first line has to be the very line; what follows the block stays."""
    original = "class A:\n    def f(self):\n        a\n        b\n\n    def g(self):\n"
    original += "        c\n        d\n\n    def h(self):\n        e\n        f\n"
    block = "    def f(self):\n        a\n        b2\n        b\n"
    assert merge(original, block).text == original.replace(
        "        b\n", "        b2\n        b\n"
    )
    assert merge(original, block.replace("    ", "  ")).text is None


def test_a_name_that_begins_like_a_closing_word_closes_nothing() -> None:
    """``endpoint`` is no ``end``: it stays behind the block."""
    original = "".join(
        f"if {n}:\n    a{n}()\n    b{n}()\nendpoint{n} = 1\n" for n in "xyz"
    )
    changed = "if y:\n    ay()\n    by()\n    cy()\n"
    wanted = original.replace("    by()\n", "    by()\n    cy()\n")
    assert merge(original, changed).text == wanted


def test_a_markdown_file_keeps_its_fences() -> None:
    """A diff in a fence and the whole text in a longer one."""
    original = "# Title\n\nText\n\n```sh\nls\n```\n\nMore\n"
    changed = original.replace("ls\n", "ls -l\n")
    assert merge(original, unified(original, changed)).text == changed
    assert merge(original, f"````\n{changed}````\n").text == changed
    assert merge(original, f"```md\n{changed}```\n").text == changed


def test_of_two_blocks_for_a_markdown_file_none_is_lost() -> None:
    """Which fences are the file's own cannot be told, so nothing is placed."""
    original = "# Title\n\nText\n\n```sh\nls\n```\n\nMore\n"
    suggestion = (
        "```md\n# Title\nnew\n\nText\n<!-- ... -->\n```\n"
        "and\n```md\n<!-- ... -->\n\nMore\nstill\n```\n"
    )
    assert merge(original, suggestion).text is None


def test_the_blocks_of_an_answer_have_their_info() -> None:
    """What is said round them is left out."""
    found = blocks_of(FILE, "A\n```py\nx\n```\nB\n~~~diff\ny\n~~~\n")
    assert [(block.text, block.info) for block in found] == [
        ("x\n", "py"),
        ("y\n", "diff"),
    ]


@settings(max_examples=rounds(100, long=3_000))
@given(
    original=st.text("ab\n", max_size=30),
    suggestion=st.text("ab\n`~@+- #.…", max_size=60),
)
def test_any_texts_at_all_give_a_result(original: str, suggestion: str) -> None:
    """A text, or pieces without a place; no exception."""
    merged = merge(original, suggestion)
    assert (merged.text is None) == bool(merged.unplaced)
    assert (merged.text is None) == (merged.how is None)


@pytest.mark.measured
def test_large_texts_take_linear_time() -> None:
    """Equal lines, markers, fences, hunks and dots by the thousand."""
    lines = "x = 1\n" * 10_000
    started = time.process_time()
    for suggestion in (
        lines + "y\n",
        "# ...\nx = 1\n" * 5_000,
        "```\nx\n```\n" * 5_000,
        "@@ -1,3 +1,3 @@\n x = 1\n-x = 1\n+y\n" * 2_500,
        "." * 50_000 + "\n//" + "…." * 10_000,
        "# " + " " * 50_000 + ".\nSure" + " a" * 25_000,
    ):
        merge(lines, suggestion)
    assert time.process_time() - started < 15
