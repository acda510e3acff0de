"""``docs/configuration.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from config_world import World

from bytebuddy_provider_hf.config.document import MAX_BYTES, MAX_DEPTH, MAX_NODES
from bytebuddy_provider_hf.config.schema import KEYS

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_table_of_keys_is_that_of_the_code() -> None:
    """Every key with its section, place, range, unit and default, and no other."""
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in PAGE.read_text("utf-8").partition("## Every key")[2].splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == (
        "Section",
        "Key",
        "Where it may stand",
        "Value",
        "Unit",
        "Default",
    )
    code = [
        (
            key.section,
            f"`{key.name}`",
            key.where,
            key.kind.expected,
            key.unit or "-",
            key.default or "-",
        )
        for key in KEYS
    ]
    assert rows[2:] == code


def test_the_example_of_the_page_loads(world: World) -> None:
    """It can be copied."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        config = world.read(block)
        assert config.entries
        assert config.warnings == ()


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    """Size, depth and number."""
    text = PAGE.read_text("utf-8")
    said = f"{MAX_BYTES // 1024} KiB, {MAX_DEPTH} levels and {MAX_NODES:,} values"
    assert said in text
