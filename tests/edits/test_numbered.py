from __future__ import annotations

import pytest

from bytebuddy_provider_hf.edits.formats.numbered import numbered_text

FILE = "import os\n\n\ndef main():\n    size = area(2, 3)\n\n    print(size)\n"
LINES = tuple(FILE.split("\n")[:-1])
KNOWN = frozenset(LINES)


@pytest.mark.parametrize(
    "form",
    [
        "{}: {}",
        "{} | {}",
        "{:4} | {}",
        "{}|{}",
        "{:6}\t{}",
        "L{}: {}",
        "{:6}→{}",
        "{}:{}",
    ],
)
@pytest.mark.parametrize("first", [1, 98])
def test_line_numbers_are_taken_off(form: str, first: int) -> None:
    """Indentation stays as it is behind them."""
    text = "".join(f"{form.format(at, x)}\n" for at, x in enumerate(LINES, first))
    found = numbered_text(text, KNOWN)
    assert found is not None
    assert found.lines == LINES
    assert (found.first, found.last, found.gaps) == (first, first + 6, False)


def test_a_blank_line_need_have_no_number() -> None:
    """Nor need one new line in ten; they are no gap."""
    text = "".join(f"{at}: {x}\n" if x else "\n" for at, x in enumerate(LINES, 1))
    found = numbered_text(text, KNOWN)
    assert found is not None
    assert (found.lines, found.gaps) == (LINES, False)


def test_a_gap_is_told() -> None:
    """Whether the lines between shall go, nobody knows."""
    found = numbered_text("4: def main():\n7:     print(size)\n", KNOWN)
    assert found is not None
    assert (found.lines, found.gaps) == (("def main():", "    print(size)"), True)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("1: one\n2: two\n3: three\n", "1: one\n2: two\n"),
        ("1 | a\n2 | b\n", "1 | a\n"),
        ("1: one\n2: two\n3: three\n", "x\n"),
        ("{\n1: 'a',\n2: 'b',\n}\n", "'a',\n"),
        ("5: def main():\n4: import os\n", FILE),
        ("4: def main():\nx\ny\nz\n", FILE),
        ("", FILE),
    ],
    ids=["mapping", "table", "unknown", "brackets", "falling", "mostly bare", "none"],
)
def test_what_only_looks_numbered_is_code(text: str, known: str) -> None:
    """What stands behind the numbers has to be of the file."""
    assert numbered_text(text, frozenset(known.split("\n"))) is None
