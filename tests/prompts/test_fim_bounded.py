"""A gap cut to what a model may be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.gap import Gap, bounded


def words(text: str) -> int:
    return len(text.split())


def total(gap: Gap) -> int:
    files = [text for file in gap.files for text in file]
    return sum(map(len, [gap.prefix, gap.suffix, *files]))


code = st.text(alphabet="ab \n", max_size=120)
files = st.lists(st.tuples(st.text(alphabet="ab", max_size=4), code), max_size=3)


@given(code, code, files, st.integers(0, 80))
def test_no_more_than_allowed(
    prefix: str, suffix: str, others: list[tuple[str, str]], tokens: int
) -> None:
    """The text of a bounded gap has no more tokens than was said."""
    gap = bounded(Gap(prefix, suffix, files=tuple(others)), tokens=tokens, count=len)
    assert total(gap) <= tokens


@given(code, code, st.integers(0, 80))
def test_what_is_nearest_is_kept(prefix: str, suffix: str, tokens: int) -> None:
    """The prefix loses its beginning, the suffix its end."""
    gap = bounded(Gap(prefix, suffix), tokens=tokens, count=len)
    assert prefix.endswith(gap.prefix)
    assert suffix.startswith(gap.suffix)


def test_what_fits_is_unchanged() -> None:
    """Nothing is cut where all of it fits."""
    gap = Gap("a\nb\n", "c\n", path="p", files=(("q", "d\n"),))
    assert bounded(gap, tokens=1024, count=words) == gap


def test_cuts_are_at_line_borders() -> None:
    """Whole lines are kept, whatever the share of tokens."""
    gap = Gap("a a a\n" * 10, "b b b\n" * 10, files=(("f", "c c c\n" * 10),))
    assert bounded(gap, tokens=20, count=words) == Gap(
        "a a a\n" * 2, "b b b\n", files=(("f", "c c c\n" * 3),)
    )


def test_shares_are_kept_where_files_need_the_rest() -> None:
    """Three tenths are the prefix's, two the suffix's, the rest the files'."""
    gap = Gap("a\n" * 500, "b\n" * 500, files=(("f", "c\n" * 500),))
    cut = bounded(gap, tokens=100, count=words)
    assert (words(cut.prefix), words(cut.suffix)) == (30, 20)
    assert words(cut.files[0][1]) == 49


def test_what_files_do_not_need_is_the_prefixs() -> None:
    """Without other files the prefix gets all that the suffix leaves."""
    cut = bounded(Gap("a\n" * 500, "b\n" * 500), tokens=100, count=words)
    assert (words(cut.prefix), words(cut.suffix)) == (80, 20)


def test_the_last_file_is_the_most_useful() -> None:
    """Files go from the first on, and one is cut to its beginning."""
    gap = Gap("", files=(("a", "1\n"), ("b", "2\n" * 9), ("c", "3\n")))
    assert bounded(gap, tokens=5, count=words).files == (("b", "2\n" * 2), ("c", "3\n"))


def test_a_line_too_long_is_cut_inside() -> None:
    """Of one endless line what is nearest to the cursor stays."""
    gap = Gap("a" * 9_000 + "b", "c" + "d" * 9_000)
    cut = bounded(gap, tokens=10, count=len)
    assert (cut.prefix, cut.suffix) == ("aaaaaaab", "cd")


def test_little_is_counted() -> None:
    """A huge file costs no more counting than what is kept of it."""
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text)

    gap = Gap("a" * 50 + "\n" + "x = 1\n" * 100_000, "b" * 5_000_000)
    bounded(gap, tokens=1024, count=count)
    assert counted < 60_000


def test_short_lines_count() -> None:
    """A counter that rounds down cannot let a text without end through."""
    assert bounded(Gap("\n" * 500), tokens=10, count=lambda _: 0).prefix == "\n" * 10
