from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.formats.unwrap import Unwrapper
from bytebuddy_provider_hf.edits.text_filter import filtered

CODE = "x = 1\ny = 2\n"
MARKDOWN = "# Title\n\n```sh\nls\n```\n\nMore.\n"

PIECES = (
    *("```", "~~~", "`", "py", "\n", "\r", "\r\n", " ", "x = 1", "Sure!", "\t"),
    *("Here is", " the code:", "````", "```\n", "# Title\n"),
)
BLOCKS = {
    "a fence": "```\nx = 2\n```",
    "an info string": "```python title=x.py\nx = 2\n```\n",
    "tildes": "~~~py\nx = 2\n~~~\n",
    "a longer fence": "`````\nx = 2\n`````\n",
    "a longer closing fence": "```\nx = 2\n`````\n",
    "an opener": "Here is the updated code:\n\n```python\nx = 2\n```",
    "an explanation": "I changed x.\nIt is two now\n```\nx = 2\n```\nThat is all.",
    "a second block": "```\nx = 2\n```\nRun it:\n```sh\npython x.py\n```\n",
    "no fence": "x = 2\n",
    "no fence, no last end": "x = 2",
    "no fence, an opener": "Sure! Here's the updated code:\n\nx = 2\n",
    "an indented fence": "  ```\n  x = 2\n  ```",
    "a fence that closes in the line": "```python\nx = 2```",
    "CR LF in the answer": "```\r\nx = 2\r\n```\r\n",
}


@pytest.mark.parametrize("name", BLOCKS)
def test_only_the_code_is_left(name: str) -> None:
    """Fences, what follows them on their line, and what is said round them go."""
    unwrapper = Unwrapper(CODE)
    assert filtered(BLOCKS[name], unwrapper) == "x = 2\n"
    assert unwrapper.complete


def test_an_open_block_is_reported() -> None:
    """The answer was cut: what came is there, and ``complete`` says no."""
    unwrapper = Unwrapper(CODE)
    assert filtered("```python\nx = 2\ny =", unwrapper) == "x = 2\ny =\n"
    assert not unwrapper.complete


def test_nothing_after_the_block_is_waited_for() -> None:
    """The filter is done with the closing fence."""
    unwrapper = Unwrapper(CODE)
    assert unwrapper.feed("```\nx = 2\n") == "x = 2"
    assert not unwrapper.done
    unwrapper.feed("```\n")
    assert unwrapper.done
    assert unwrapper.feed("more\n") == ""


@pytest.mark.parametrize(
    "answer",
    [
        'def f():\n    """Run.\n\n    ```\n    x\n    ```\n    """\n',
        'a = """\n```\nx\n```\n"""\n',
        "const a = `\n```js\nx\n```\n`;\n",
    ],
)
def test_fences_inside_bare_code_are_code(answer: str) -> None:
    """An answer that begins with code has no wrapper, whatever is in its strings."""
    assert filtered(answer, Unwrapper("def f():\n    pass\n")) == answer


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("````markdown\n", "````\n"),
        ("~~~\n", "~~~\n"),
        ("```markdown\n", "```\n"),
        ("Here is the file:\n```md\n", "```\nI changed the command.\n"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("inner", ["sh", ""])
def test_a_markdown_file_keeps_its_own_fences(
    opening: str, closing: str, inner: str
) -> None:
    """Under a longer fence, under another kind, under an equal one, under none."""
    wanted = f"# Title two\n\n```{inner}\nls -l\n```\n\nMore.\n"
    assert filtered(f"{opening}{wanted}{closing}", Unwrapper(MARKDOWN)) == wanted


def test_a_markdown_file_that_is_cut_is_reported() -> None:
    """The fence that closes an inner block does not close the outer one."""
    unwrapper = Unwrapper(MARKDOWN)
    answer = "```md\n# Title two\n\n```sh\nls\n```\n\nMo"
    assert filtered(answer, unwrapper) == "# Title two\n\n```sh\nls\n```\n\nMo\n"
    assert not unwrapper.complete


def test_a_line_of_the_original_begins_bare_code() -> None:
    """However little it looks like code, what follows is no wrapper."""
    answer = "Alpha beta\nnew words\n```\nx\n```\n"
    assert filtered(answer, Unwrapper("Alpha beta\ngamma\n")) == answer


def test_a_markdown_file_may_begin_with_a_block() -> None:
    """The file's own first line opens no wrapper."""
    code = "```sh\nls\n```\ntext\n"
    answer = "```sh\nls -l\n```\ntext\n"
    assert filtered(answer, Unwrapper(code)) == answer


def test_chatter_that_was_in_the_code_stays() -> None:
    """A line of the original is no chatter."""
    code = "Here is the code:\nx = 1\n"
    assert filtered("Here is the code:\nx = 2\n", Unwrapper(code)) == (
        "Here is the code:\nx = 2\n"
    )


@pytest.mark.parametrize(
    ("original", "wanted"),
    [
        ("a\nb\n", "x\ny\n"),
        ("a\nb", "x\ny"),
        ("a\r\nb\r\n", "x\r\ny\r\n"),
        ("a\r\nb", "x\r\ny"),
    ],
)
@pytest.mark.parametrize("answer", ["```\nx\ny\n```", "x\ny", "x\ny\n", "x\r\ny\r\n"])
def test_line_ends_are_those_of_the_original(
    original: str, wanted: str, answer: str
) -> None:
    """CR LF where it has that, and a last line end only where it has one."""
    assert filtered(answer, Unwrapper(original)) == wanted


def test_an_answer_begun_for_the_model_has_no_opening_fence() -> None:
    """After a prefill the first line is code; some servers open the block again."""
    for answer in ("x = 2\n```\n", "```python\nx = 2\n```\n"):
        unwrapper = Unwrapper(CODE, prefilled=True)
        assert filtered(answer, unwrapper) == "x = 2\n"
        assert unwrapper.complete
    assert filtered("\n    x = 2\n```", Unwrapper("a", prefilled=True)) == "\n    x = 2"


def test_an_empty_block_is_no_code() -> None:
    """All of the code was taken away."""
    unwrapper = Unwrapper(CODE)
    assert filtered("```\n```\n", unwrapper) == ""
    assert unwrapper.complete


@given(
    original=st.sampled_from([CODE, MARKDOWN, "", "a\r\nb"]),
    pieces=st.lists(
        st.sampled_from(PIECES),
        max_size=30,
    ),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    prefilled=st.booleans(),
)
def test_the_pieces_do_not_matter(
    original: str, pieces: list[str], cuts: list[int], prefilled: bool
) -> None:
    """An answer cut anywhere gives the same code."""
    answer = "".join(pieces)
    whole = Unwrapper(original, prefilled=prefilled)
    wanted = filtered(answer, whole)
    cut = Unwrapper(original, prefilled=prefilled)
    edges = [0, *sorted(min(at, len(answer)) for at in cuts), len(answer)]
    shown = [cut.feed(answer[start:end]) for start, end in pairwise(edges)]
    assert "".join(shown) + cut.close() == wanted
    assert (cut.complete, cut.fenced) == (whole.complete, whole.fenced)


@pytest.mark.measured
def test_long_answers_take_linear_time() -> None:
    """A megabyte of one line, a character at a time; fences without end."""
    started = time.process_time()
    for answer in ("x" * 300_000, "```\n" * 60_000, "`" * 300_000, "Sure " * 60_000):
        unwrapper = Unwrapper(MARKDOWN)
        for char in answer:
            unwrapper.feed(char)
        unwrapper.close()
    assert time.process_time() - started < 20


@pytest.mark.parametrize("info", ["markdown", "md", "python"])
def test_fences_inside_the_answer_do_not_end_it(info: str) -> None:
    """Also where the text that is changed had none: an example may be new."""
    inner = "# Use\n\n```python\nadd(1, 2)\n```\n\n## Licence\n\nMIT\n"
    answer = f"Here it is:\n\n```{info}\n{inner}```\n"
    through = Unwrapper("# Use\n\n## Licence\n\nMIT\n")
    assert filtered(answer, through) == inner
    assert through.complete
