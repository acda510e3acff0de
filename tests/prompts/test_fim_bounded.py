"""A gap cut to what a model may be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.fill_context import FillContext, fit_context


def words(text: str) -> int:
    return len(text.split())


def total(context: FillContext) -> int:
    files = [text for file in context.files for text in file]
    return sum(map(len, [context.prefix, context.suffix, *files]))


code = st.text(alphabet="ab \n", max_size=120)
files = st.lists(st.tuples(st.text(alphabet="ab", max_size=4), code), max_size=3)


@given(code, code, files, st.integers(0, 80))
def test_no_more_than_allowed(
    prefix: str, suffix: str, others: list[tuple[str, str]], tokens: int
) -> None:
    """The text of a bounded gap has no more tokens than was said."""
    context = fit_context(
        FillContext(prefix, suffix, files=tuple(others)), tokens=tokens, count=len
    )
    assert total(context) <= tokens


@given(code, code, st.integers(0, 80))
def test_what_is_nearest_is_kept(prefix: str, suffix: str, tokens: int) -> None:
    """The prefix loses its beginning, the suffix its end."""
    context = fit_context(FillContext(prefix, suffix), tokens=tokens, count=len)
    assert prefix.endswith(context.prefix)
    assert suffix.startswith(context.suffix)


def test_what_fits_is_unchanged() -> None:
    """Nothing is cut where all of it fits."""
    context = FillContext("a\nb\n", "c\n", path="p", files=(("q", "d\n"),))
    assert fit_context(context, tokens=1024, count=words) == context


def test_cuts_are_at_line_borders() -> None:
    """Whole lines are kept, whatever the share of tokens."""
    context = FillContext(
        "a a a\n" * 10, "b b b\n" * 10, files=(("f", "c c c\n" * 10),)
    )
    assert fit_context(context, tokens=20, count=words) == FillContext(
        "a a a\n" * 2, "b b b\n", files=(("f", "c c c\n" * 3),)
    )


def test_shares_are_kept_where_files_need_the_rest() -> None:
    """Three tenths are the prefix's, two the suffix's, the rest the files'."""
    context = FillContext("a\n" * 500, "b\n" * 500, files=(("f", "c\n" * 500),))
    cut = fit_context(context, tokens=100, count=words)
    assert (words(cut.prefix), words(cut.suffix)) == (30, 20)
    assert words(cut.files[0][1]) == 49


def test_what_files_do_not_need_is_the_prefixs() -> None:
    """Without other files the prefix gets all that the suffix leaves."""
    cut = fit_context(FillContext("a\n" * 500, "b\n" * 500), tokens=100, count=words)
    assert (words(cut.prefix), words(cut.suffix)) == (80, 20)


def test_the_last_file_is_the_most_useful() -> None:
    """Files go from the first on, and one is cut to its beginning."""
    context = FillContext("", files=(("a", "1\n"), ("b", "2\n" * 9), ("c", "3\n")))
    assert fit_context(context, tokens=5, count=words).files == (
        ("b", "2\n" * 2),
        ("c", "3\n"),
    )


def test_a_line_too_long_is_cut_inside() -> None:
    """Of one endless line what is nearest to the cursor stays."""
    context = FillContext("a" * 9_000 + "b", "c" + "d" * 9_000)
    cut = fit_context(context, tokens=10, count=len)
    assert (cut.prefix, cut.suffix) == ("aaaaaaab", "cd")


def test_little_is_counted() -> None:
    """A huge file costs no more counting than what is kept of it."""
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text)

    context = FillContext("a" * 50 + "\n" + "x = 1\n" * 100_000, "b" * 5_000_000)
    fit_context(context, tokens=1024, count=count)
    assert counted < 60_000


def test_short_lines_count() -> None:
    """A counter that rounds down cannot let a text without end through."""
    assert (
        fit_context(FillContext("\n" * 500), tokens=10, count=lambda _: 0).prefix
        == "\n" * 10
    )
