"""What of an answer is put at the cursor, and with which line ends."""

from __future__ import annotations

from itertools import pairwise, takewhile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.filters import CrLf, DropPrefix, FillFilter, has_crlf
from bytebuddy_provider_hf.prompts.special_tokens import escape, unescape

TOKENS = ("<fim_suffix>", "<|endoftext|>")
NAMES = ("a", "total", "value", "foo", "bar", "items")


def expressions() -> st.SearchStrategy[str]:
    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{}({})".format, st.sampled_from(NAMES), inner),
            st.builds("{}[{}, {}]".format, st.sampled_from(NAMES), inner, inner),
            st.builds("{{{}: {}}}".format, inner, inner),
            st.builds("{} + {}".format, inner, inner),
        )

    return st.recursive(st.sampled_from([*NAMES, "0", "1", "()"]), extend, max_leaves=6)


lines = st.one_of(
    st.builds("{} = {}".format, st.sampled_from(NAMES), expressions()),
    st.builds("return {}".format, expressions()),
    st.builds("if {}:".format, expressions()),
    st.just(""),
)
programs = st.lists(st.tuples(st.integers(0, 2), lines), min_size=1, max_size=8).map(
    lambda made: "".join(
        f"{'    ' * depth if line else ''}{line}\n" for depth, line in made
    )
)
pieces = st.lists(st.integers(0, 9), max_size=20)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, str, str]:
    """Cut a program in three."""
    program = draw(programs)
    first, second = sorted(draw(st.tuples(*[st.integers(0, len(program))] * 2)))
    return program[:first], program[first:second], program[second:]


def overlaps(middle: str, suffix: str) -> bool:
    """Whether the middle ends with a beginning of the suffix."""
    sizes = range(1, min(len(middle), len(suffix)) + 1)
    return any(middle.endswith(suffix[:size]) for size in sizes)


def repeats_lines(before: str, answer: str, suffix: str) -> bool:
    """Whether the answer has the first full line of the suffix in it, as a line."""
    following = [line for line in suffix.split("\n")[1:] if line.strip()]
    return bool(following) and following[0] in f"{before}{answer}".split("\n")[:-1]


def filled(
    context: FillContext, answer: str, *, multiline: bool = True, hole: bool = False
) -> str:
    return filtered(answer, FillFilter(context, multiline=multiline, by_chat=hole))


@given(cuts())
def test_an_exact_middle_stays(parts: tuple[str, str, str]) -> None:
    """What a model answers is not changed where it repeats nothing."""
    prefix, middle, suffix = parts
    before = prefix.rpartition("\n")[2]
    assume(not overlaps(middle, suffix))
    assume(not repeats_lines(before, middle, suffix))
    assert filled(FillContext(prefix, suffix), middle) == middle


@given(cuts(), st.integers(1, 200))
def test_a_middle_with_the_suffixs_beginning_gives_the_program_back(
    parts: tuple[str, str, str], more: int
) -> None:
    """However much of the suffix a model goes on with, the program is right.

    Where the lines after the cursor are equal, the answer cannot be told from one that
    has fewer of them.
    """
    prefix, middle, suffix = parts
    before = prefix.rpartition("\n")[2]
    following = [line.strip() for line in suffix.split("\n")]
    assume(all(one != two for one, two in pairwise(following) if one))
    assume(not overlaps(middle, suffix))
    assume(not repeats_lines(before, middle, suffix))
    assert filled(FillContext(prefix, suffix), middle + suffix[:more]) == middle


@given(cuts(), st.text(alphabet="\r\n (){}ab", max_size=40), pieces, st.booleans())
def test_pieces_do_not_matter(
    parts: tuple[str, str, str], noise: str, sizes: list[int], multiline: bool
) -> None:
    """An answer cut anywhere gives what the whole answer gives."""
    prefix, middle, suffix = parts
    context = FillContext(
        prefix, suffix.replace("\n", "\r\n") if len(noise) % 2 else suffix
    )
    answer = noise + middle + suffix[:50] + noise
    whole = FillFilter(context, multiline=multiline, specials=TOKENS)
    cut = FillFilter(context, multiline=multiline, specials=TOKENS)
    expected = filtered(answer, whole)
    shown = []
    for size in sizes:
        shown.append(cut.feed(answer[:size]))
        answer = answer[size:]
    shown.extend(map(cut.feed, answer))
    assert "".join([*shown, cut.close()]) == expected


@given(
    st.text(alphabet="ab\n\r )(", max_size=60),
    st.text(alphabet="ab\n )(", max_size=30),
    st.text(alphabet="ab\n )(", max_size=30),
    st.booleans(),
)
def test_nothing_is_invented(
    answer: str, prefix: str, suffix: str, multiline: bool
) -> None:
    """What is shown is one stretch of the answer, from its beginning."""
    shown = filled(FillContext(prefix, suffix), answer, multiline=multiline)
    assert answer.startswith(shown)


@given(st.lists(st.sampled_from([*TOKENS, "<", "x", "\n", "y"]), max_size=12))
def test_broken_spellings_are_mended(parts: list[str]) -> None:
    """A token of the user's code comes back as the user wrote it."""
    code = "".join(parts)
    through = FillFilter(FillContext("", ""), multiline=True, specials=TOKENS)
    assert filtered(escape(code, TOKENS)[0], through) == code
    assert unescape(code, TOKENS) == code


@pytest.mark.parametrize(
    ("prefix", "suffix", "answer", "expected"),
    [
        ("foo(", ")", "bar(x)", "bar(x)"),
        ("foo(", ")", "bar(x))", "bar(x)"),
        ("foo(bar(", "))", "x)", "x"),
        ("print(foo(", ")", "x)", "x)"),
        ("foo(", ")\n", "g(x, y)", "g(x, y)"),
        ("if (", ") {\n}\n", "a) {\n}", "a"),
        ("x = [", "]\n", "1, 2]", "1, 2"),
        ("x = [", "]\n", "y[0]", "y[0]"),
    ],
)
def test_brackets_tell_a_repetition_from_code(
    prefix: str, suffix: str, answer: str, expected: str
) -> None:
    """A closing bracket that an editor put after the cursor is not the answer's."""
    assert filled(FillContext(prefix, suffix), answer) == expected


def test_brackets_of_the_whole_text_count_too() -> None:
    """A line that is closed further down does not make a repetition code."""
    assert filled(FillContext("x = foo(", "),\n    b)\n"), "bar(a)") == "bar(a"


def test_the_lines_that_follow_end_the_answer() -> None:
    """An answer that runs into the code after the cursor ends there, and is done."""
    context = FillContext(
        "def f():\n    ", "\n\n    return value\n\ndef g():\n    pass\n"
    )
    through = FillFilter(context, multiline=True)
    shown = through.feed("value = 1\n    return value\n\ndef g():\n    x()\n    more")
    assert shown == "value = 1"
    assert through.done
    assert through.close() == ""


def test_one_line_of_the_suffix_does_not_end_the_answer() -> None:
    """One equal line may be meant; two with text in them are not."""
    context = FillContext("if a:\n    ", "\n    return value\nreturn other\n")
    answer = "b()\n    return value\nelse:\n    c()\n"
    assert filled(context, answer) == answer.removesuffix("\n")


def test_short_lines_do_not_end_the_answer() -> None:
    """Closing brackets alone are no sign of a repetition."""
    context = FillContext("if (a) {\n  ", "\n  }\n}\n}\n")
    answer = "if (b) {\n  }\n}\n}\nelse { c() }"
    assert filled(context, answer) == answer


def test_an_answer_that_is_only_the_suffix_is_empty() -> None:
    """On a blank line the indentation before the cursor belongs to the line."""
    context = FillContext("def f():\n    ", "\n    return value\n    # the end of it\n")
    assert filled(context, "return value\n    # the end of it\n") == ""


def test_other_line_ends_are_cut_as_well() -> None:
    """A file with CRLF and a model that writes LF, and the other way round."""
    assert filled(FillContext("a", "\r\nb\r\n"), "x\nb\n") == "x"
    assert filled(FillContext("a", "\nb\n"), "x\r\nb\r\n") == "x"


def test_a_carriage_return_alone_is_a_character() -> None:
    """Only before a line feed it belongs to the line end."""
    assert filled(FillContext("a", "\rb"), "x\rb") == "x"
    assert filled(FillContext("a", "b"), "x\r") == "x\r"


@pytest.mark.parametrize("multiline", [True, False])
def test_a_line_end_in_two_pieces_is_one(multiline: bool) -> None:
    """A carriage return waits for the line feed that may follow."""
    through = FillFilter(FillContext("x = ", "\n"), multiline=multiline)
    shown = [through.feed(piece) for piece in ("1", "\r", "\n")]
    assert "".join([*shown, through.close()]) == "1"


def test_one_line_ends_at_the_line_end() -> None:
    """In one-line mode the first line is all, and the rest is not waited for."""
    through = FillFilter(FillContext("x = "), multiline=False)
    assert through.feed("1\r\ny = 2") == "1"
    assert through.done


def test_leading_line_ends_stay_in_one_line_mode() -> None:
    """A line begins where something other than blanks stands."""
    assert filled(FillContext("def f():"), "\n\n    pass\n    x", multiline=False) == (
        "\n\n    pass"
    )


def test_one_line_is_cut_where_it_runs_into_the_suffix() -> None:
    """The rest of the cursor's line is not repeated in one-line mode either."""
    context = FillContext("foo(", ", b):\n    return\n")
    assert filled(context, "a, b):\n    return\n", multiline=False) == "a"


def test_the_eleventh_equal_line_ends_the_answer() -> None:
    """Ten equal lines may be meant; the answer ends before the next, and is done."""
    through = FillFilter(FillContext("", ""), multiline=True)
    assert through.feed("go\n" * 500) == "go\n" * 10
    assert through.done


def test_ten_equal_lines_stay() -> None:
    """A line that begins like the ten before it is another."""
    answer = "go\n" * 10 + "gone\n"
    assert filled(FillContext("", ""), answer) == answer


def test_blank_lines_without_end_are_ended() -> None:
    """A model that writes line ends only is stopped in one-line mode too."""
    through = FillFilter(FillContext("x"), multiline=False)
    through.feed("\n" * 100)
    assert through.done


def test_little_is_held_back() -> None:
    """Never more than the 2,000 characters of the suffix that are compared."""
    suffix = "ab" * 5_000
    through = FillFilter(FillContext("", suffix), multiline=True)
    fed = shown = 0
    for _ in range(200):
        fed += 50
        shown += len(through.feed("ab" * 25))
        assert fed - shown <= 2_000


def test_falling_indentation_does_not_end_the_answer() -> None:
    """A second function may be what is missing."""
    answer = "return 1\n\ndef g():\n    return 2\n"
    assert filled(FillContext("def f():\n    ", ""), answer) == answer


class Same:
    """A filter that changes nothing but the end."""

    done = False

    def __init__(self, end: str = "") -> None:
        self._end = end

    def feed(self, text: str) -> str:
        return text

    def close(self) -> str:
        return self._end


@given(st.text("ab\r\n", max_size=20), st.integers(1, 4))
def test_every_line_ends_as_windows_does_however_it_is_cut(
    text: str, size: int
) -> None:
    """One carriage return before each line feed, none added, none lost."""
    through = CrLf(Same("\n"))
    shown = ""
    for start in range(0, len(text), size):
        shown += through.feed(text[start : start + size])
    shown += through.close()
    expected = f"{text}\n".replace("\r\n", "\n").replace("\n", "\r\n")
    assert shown == expected


def test_most_lines_decide() -> None:
    """A file without a line end is none of Windows."""
    assert has_crlf("a\r\nb\r\nc\n")
    assert not has_crlf("a\r\nb\nc\n")
    assert not has_crlf("a")


@given(st.text(" \tab", max_size=6), st.text(" \tab", max_size=9), st.integers(1, 3))
def test_a_shared_beginning_goes_however_it_is_cut(
    start: str, text: str, size: int
) -> None:
    """As much of the start as the answer repeats, and nothing else."""
    through = DropPrefix(start, Same())
    shown = ""
    for at in range(0, len(text), size):
        shown += through.feed(text[at : at + size])
    shown += through.close()
    same = takewhile(lambda both: both[0] == both[1], zip(start, text, strict=False))
    assert shown == text[len(list(same)) :]
