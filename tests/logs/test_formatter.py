"""A record becomes one line that nothing in it can break, forge or leak into."""

from __future__ import annotations

import logging
import re
import sys

import pytest

from bytebuddy_provider_hf.logs.line_format import LineFormatter, printable

FORGED = "fine\n2026-01-01T00:00:00.000Z ERROR bank: all is lost"


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    return logging.LogRecord(
        "bytebuddy_provider_hf.x",
        logging.WARNING,
        __file__,
        1,
        message,
        arguments,
        sys.exc_info() if failed else None,
    )


def test_a_line_is_time_in_utc_level_logger_and_message() -> None:
    """In this order, the time with milliseconds."""
    made = record("%s is %d", "a", 1)
    made.created = 1_764_000_000.25
    line = LineFormatter().format(made)
    assert line == "2025-11-24T16:00:00.250Z WARNING bytebuddy_provider_hf.x: a is 1"


@pytest.mark.parametrize(
    "break_",
    ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2K"],
)
def test_no_text_begins_a_line_of_its_own(break_: str) -> None:
    """What a server says cannot look like a record, nor redraw a terminal."""
    line = LineFormatter().format(record("%s", FORGED.replace("\n", break_)))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert repr(break_)[1:-1] in line


def test_the_order_of_letters_cannot_be_turned_round() -> None:
    """Bidirectional controls are written as numbers."""
    assert printable("a\u202eb") == r"a\u202eb"


def test_a_traceback_stands_indented_below_its_line() -> None:
    """So a message with line feeds in an exception forges no record either."""
    try:
        int(FORGED)
    except ValueError:
        line = LineFormatter().format(record("it failed", failed=True))
    first, *rest = line.split("\n")
    assert first.endswith(": it failed")
    assert len(rest) > 2
    assert all(each.startswith("    ") for each in rest)


def test_what_looks_like_a_key_is_masked() -> None:
    """Also in what other packages' providers log, and at the cut of a long text."""
    assert "abcdefghij" not in printable("the token hf_abcdefghijklmnop is wrong")
    long = f"{'x' * 7_990} hf_abcdefghijklmnop"
    assert "abc" not in printable(long)
    assert len(printable("x" * 1_000_000)) == 8_000


def test_plain_text_stays() -> None:
    """Chinese and an ellipsis are no control characters."""
    assert printable("模型正在加载…") == "模型正在加载…"
    assert re.fullmatch(r"a b", printable("a b"))
