"""Tables fit the terminal: no id is cut, no word is broken."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from bytebuddy_provider_hf.cli.tables import Column, fact_lines, table_lines
from bytebuddy_provider_hf.cli.wrapping import wrap

HEAD = (Column("id"), Column("providers"), Column("price", is_number=True))
ROWS = (
    ("meta-llama/Llama-3.1-8B-Instruct", "cerebras, nebius, novita", "$0.05"),
    ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "together", "$12.50"),
)
CHINESE = (
    Column("模型"),
    Column("说明"),
)
CHINESE_ROWS = (
    ("zai-org/GLM-4.6", "许可证需要先接受，然后才能下载权重；调用路由器不需要。"),
    ("Qwen/Qwen3-8B", "小模型，适合“快速”回答。"),
)


def test_a_table_that_fits_is_aligned() -> None:
    """Columns are as wide as their widest cell; numbers end at the right."""
    assert table_lines(HEAD, ROWS, width=80) == [
        "id                                   providers                  price",
        "meta-llama/Llama-3.1-8B-Instruct     cerebras, nebius, novita   $0.05",
        "Qwen/Qwen3-Coder-480B-A35B-Instruct  together                  $12.50",
    ]


def test_cells_wrap_at_the_ends_of_words() -> None:
    """A narrower terminal makes more lines of a cell."""
    assert table_lines(HEAD, ROWS, width=62) == [
        "id                                   providers           price",
        "meta-llama/Llama-3.1-8B-Instruct     cerebras, nebius,   $0.05",
        "                                     novita",
        "Qwen/Qwen3-Coder-480B-A35B-Instruct  together           $12.50",
    ]


def test_rows_that_do_not_fit_become_blocks() -> None:
    """Then each cell has its title; an empty one has no line."""
    rows = (*ROWS, ("a/b", "", "$1.00"))
    assert table_lines(HEAD, rows, width=40) == [
        "id: meta-llama/Llama-3.1-8B-Instruct",
        "providers: cerebras, nebius, novita",
        "price: $0.05",
        "",
        "id: Qwen/Qwen3-Coder-480B-A35B-Instruct",
        "providers: together",
        "price: $12.50",
        "",
        "id: a/b",
        "price: $1.00",
    ]


def test_a_row_of_many_lines_becomes_a_block() -> None:
    """Four lines and more of one row would be hard to read beside the others."""
    rows = (("a/b", "word " * 40, "$1.00"),)
    lines = table_lines(HEAD, rows, width=60)
    assert lines[0] == "id: a/b"
    assert lines[2] == "  word word word word word word word word word word word"


def test_a_pipe_gets_tabs_and_no_padding() -> None:
    """A program that reads it splits at tabs."""
    assert table_lines(HEAD, ROWS, width=None)[1] == "\t".join(ROWS[0])


@pytest.mark.parametrize("width", range(24, 160))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Wide letters count twice; every word of every cell is whole in some line."""
    for head, rows in ((HEAD, ROWS), (CHINESE, CHINESE_ROWS)):
        longest = max(len(row[0]) for row in rows)
        lines = table_lines(head, rows, width=width)
        assert max(map(cell_len, lines)) <= max(width, longest)
        for row in rows:
            for word in " ".join(row).split():
                if word.isascii():
                    assert any(word in line for line in lines)


def test_a_longer_word_has_a_line_of_its_own() -> None:
    """It is copied whole; the terminal wraps it."""
    name = "owner/" + "n" * 60
    assert fact_lines([("id", name)], width=40) == ["id:", name]


def test_chinese_wraps_between_letters_and_before_no_comma() -> None:
    """A mark that ends a phrase stays behind it, one that begins it before it."""
    said = "小模型，适合“快速”回答。"
    assert wrap(said, 8) == ["小模型，", "适合“快", "速”回", "答。"]
    assert wrap("don’t stop", 5) == ["don’t", "stop"]


def test_what_rewrites_a_screen_is_taken_out() -> None:
    """A stranger's model card stands in a cell."""
    assert table_lines([Column("x")], [["a\x1b[2Jb\nc"]], width=40) == ["x", "ab c"]
