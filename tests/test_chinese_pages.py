"""Every page of ``docs`` has a Chinese page that says the same."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf.texts import in_file, rows_of

DOCS = Path(__file__).parents[1] / "docs"
NAMES = sorted(page.stem for page in DOCS.glob("*.md"))
FENCE = re.compile(r"^```\w*\n.*?^```$", re.DOTALL | re.MULTILINE)
# With two signs round a span that has one of its own in it.
CODE = re.compile(r"``.+?``|`[^`]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"https?://[^\s`)<>\u3000-\uffef]*[^\s`)<>\u3000-\uffef.,;:]")
# A Chinese letter, or a sign of Chinese text, and what may not stand beside it.
LETTER = "[\u4e00-\u9fff]"
UNSPACED = re.compile(rf"{LETTER}[A-Za-z0-9`]|[A-Za-z0-9`]{LETTER}")
HALF_WIDTH = re.compile(rf"{LETTER}\s?[,;:?!()]|[(,;:]{LETTER}")
FULL_WIDTH_SPACED = re.compile(r" [，。；：、！？）]|[，。；：、！？（] (?!\n|$)")


class Section(NamedTuple):
    """A heading and what stands under it, without the blocks of code."""

    heading: str
    text: str

    @property
    def prose(self) -> str:
        """The words in one line, without code and the targets of links."""
        bare = ADDRESS.sub("", LINK.sub("]", CODE.sub("", self.text)))
        return f"{self.heading} {' '.join(bare.split())}"

    def count(self, start: str) -> int:
        """Return how many lines begin so."""
        return len(re.findall(rf"^{start}", self.text, re.MULTILINE))


@functools.cache
def page(folder: Path, name: str) -> str:
    """Return the text of a page; asked in a test, for each process imports them all."""
    return (folder / f"{name}.md").read_text("utf-8")


@functools.cache
def sections(folder: Path, name: str) -> list[Section]:
    """Return the sections of a page in their order, the first with its title."""
    bare = FENCE.sub("", page(folder, name))
    _, *parts = re.split(r"^(?=#)", bare, flags=re.MULTILINE)
    return [Section(*part.split("\n", 1)) for part in parts]


def both(name: str) -> list[tuple[Section, Section]]:
    """Return the sections of both languages side by side."""
    return list(zip(sections(DOCS, name), sections(DOCS / "zh", name), strict=True))


def anchors(folder: Path, name: str) -> list[str]:
    """Return what a link writes behind ``#`` for each heading, as GitHub does."""
    titles = [each.heading.lstrip("# ").lower() for each in sections(folder, name)]
    return [re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles]


def led_to(folder: Path, name: str) -> Counter[tuple[str, int]]:
    """Return where the relative links of a page lead: a file, and which heading."""
    found: Counter[tuple[str, int]] = Counter()
    for target in LINK.findall(FENCE.sub("", page(folder, name))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        to = (folder / path).resolve() if path else folder / f"{name}.md"
        assert to.exists(), target
        # To the page beside it, to another one, or out of the documentation.
        near = to.stem if to.parent == folder else str(to.relative_to(DOCS.parent))
        number = 0
        if anchor:
            number = anchors(to.parent, to.stem).index(anchor)
        found[near, number] += 1
    return found


def test_every_page_has_a_chinese_page() -> None:
    """And no other."""
    assert {each.stem for each in (DOCS / "zh").glob("*.md")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_language_links_to_the_other(name: str) -> None:
    """In the line under the title."""
    assert page(DOCS, name).split("\n")[1:4] == ["", f"[中文](zh/{name}.md)", ""]
    chinese = page(DOCS / "zh", name).split("\n")
    assert chinese[1:4] == ["", f"[English](../{name}.md)", ""]


@pytest.mark.parametrize("name", NAMES)
def test_the_blocks_of_code_are_the_same(name: str) -> None:
    """To the byte and in their order, so that testing one tests both."""
    blocks = [FENCE.findall(page(each, name)) for each in (DOCS, DOCS / "zh")]
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_are_the_same(name: str) -> None:
    """Headings of each level, rows of tables, items of lists, words in bold."""
    for english, chinese in both(name):
        level = english.heading.partition(" ")[0]
        assert chinese.heading.startswith(f"{level} "), chinese.heading
        for start in (r"\|", r" *- ", r" *\d+\. "):
            assert english.count(start) == chinese.count(start), chinese.heading
        assert english.text.count("**") == chinese.text.count("**"), chinese.heading


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_of_tables_have_the_same_cells(name: str) -> None:
    """As many in each row, and the same code in each cell."""
    for english, chinese in both(name):
        rows = [
            [[sorted(CODE.findall(cell)) for cell in row.split(" |")] for row in found]
            for found in (
                re.findall(r"^\|.*", each.text, re.MULTILINE)
                for each in (english, chinese)
            )
        ]
        for first, second in zip(*rows, strict=True):
            assert first == second, chinese.heading


@pytest.mark.parametrize("name", NAMES)
def test_the_code_in_the_text_is_the_same(name: str) -> None:
    """Every span of every section, as often."""
    for english, chinese in both(name):
        spans = [
            Counter(" ".join(span.split()) for span in CODE.findall(each.text))
            for each in (english, chinese)
        ]
        assert spans[0] == spans[1], chinese.heading


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_the_same(name: str) -> None:
    """Every figure of every section, as often."""
    for english, chinese in both(name):
        figures = [
            Counter(re.findall(r"\d+(?:[.,:]\d+)*", each.prose))
            for each in (english, chinese)
        ]
        assert figures[0] == figures[1], chinese.heading


@pytest.mark.parametrize("name", NAMES)
def test_the_addresses_are_the_same(name: str) -> None:
    """Every link that leaves the repository."""
    for english, chinese in both(name):
        found = [Counter(ADDRESS.findall(each.text)) for each in (english, chinese)]
        assert found[0] == found[1], chinese.heading


@pytest.mark.parametrize("name", NAMES)
def test_the_links_lead_to_the_same_places(name: str) -> None:
    """Each to a page in its own language, and there to the same heading."""
    english, chinese = led_to(DOCS, name), led_to(DOCS / "zh", name)
    english.subtract({(f"docs/zh/{name}.md", 0): 1})
    chinese.subtract({(f"docs/{name}.md", 0): 1})
    assert +english == +chinese
    assert min([*english.values(), *chinese.values()]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_chinese_page_is_set_as_chinese(name: str) -> None:
    """Full-width signs, and a space between Chinese letters and Latin ones."""
    for english, section in both(name):
        # The name of a command stays what it is, and that of what it measures; so does
        # a name of the package.
        if not re.fullmatch(
            r"#+ (?:(?:\w+(?:, R\d+)*: )?[a-z_0-9]+|`[\w.]+`)", english.heading
        ):
            assert re.search(LETTER, section.heading), section.heading
        for line in (section.heading, *section.text.split("\n")):
            # A span of code, or the text of a link, stands for its Latin letters.
            bare = LINK.sub("", CODE.sub("``", line)).replace("[", "").replace("]", "")
            for wrong in (UNSPACED, HALF_WIDTH, FULL_WIDTH_SPACED):
                found = wrong.search(bare.replace("**", "").replace("|", "\n"))
                assert found is None, (line, found)


def said_in(cell: str, sentence: str) -> bool:
    """Return whether a sentence holds what a cell shows of it, with "…" for gaps."""
    shown = cell.removeprefix("it ").removeprefix("它")
    # The page is for the readers of a file.
    sentence = re.sub(r"\{option:([\w.]+)\}", lambda it: in_file(it[1]), sentence)
    pattern = ".*".join(re.escape(part.strip()) for part in shown.split("…"))
    return re.search(pattern, sentence) is not None


@pytest.mark.parametrize(("heading", "column"), [("附注的含义", 0), ("会拒绝什么", 1)])
def test_a_sentence_of_the_package_is_its_own_in_both(
    heading: str, column: int
) -> None:
    """The notes and reasons of ``roles.md`` are of one row of the package's texts."""
    texts = Path(bytebuddy_provider_hf.__file__).parent / "data" / "texts"
    known = [
        row for table in texts.glob("*.toml") for row in rows_of(table.stem).values()
    ]
    (pair,) = (each for each in both("roles") if each[1].heading == f"## {heading}")
    rows = [re.findall(r"^\|.*", each.text, re.MULTILINE)[2:] for each in pair]
    for both_rows in zip(*rows, strict=True):
        english, chinese = (row.split(" | ")[column].strip("| ") for row in both_rows)
        assert any(
            said_in(english, row["en"]) and said_in(chinese, row["zh"]) for row in known
        ), chinese
