"""``docs/models.md`` runs as it stands, and says what the code does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bytebuddy_provider_hf.cli.models import models
from bytebuddy_provider_hf.client import catalogue
from bytebuddy_provider_hf.hub import model_card, models_api, router_models
from bytebuddy_provider_hf.storage import kept_answers

TEXT = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
PLAIN = " ".join(TEXT.split())
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_of_the_page_prints_what_stands_below_it(
    program: str, printed: str, tmp_path: Path
) -> None:
    """Each is a program of its own; none reaches a network."""
    script = tmp_path / "program.py"
    script.write_text(program, "utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG"))}
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
        env={**kept, "HOME": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed


def test_the_page_has_its_programs() -> None:
    """The pattern finds them."""
    assert len(PROGRAMS) == 2


def test_the_commands_of_the_page_can_be_read() -> None:
    """Every subcommand and option exists; nothing is run."""
    (block,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    assert isinstance(models, click.Group)
    for line in block.strip().splitlines():
        _, _, name, *arguments = shlex.split(line)
        models.commands[name].make_context(name, arguments)
    told = set(re.findall(r"`(--[a-z-]+)", TEXT))
    options = {
        option
        for command in models.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert told <= options


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Ages, sizes and numbers."""
    assert f"fresh for {router_models._FRESH / 60:.0f} minutes" in PLAIN
    assert (models_api._HOUR, models_api._DAY) == (3_600.0, 86_400.0)
    assert f"at most {kept_answers._OLDEST / 86_400:.0f} days" in PLAIN
    pages, size = models_api.MOST_PAGES, models_api.PAGE_SIZE
    assert f"at most {pages} pages of {size} models" in PLAIN
    assert f"its first {model_card.CARD_BYTES // 1024} KiB" in PLAIN
    assert f"within {catalogue.LIVE_LIMIT:.0f} seconds" in PLAIN
    assert f"`--prompt-tokens` ({catalogue.PROMPT_TOKENS:,})" in PLAIN
    assert f"`--answer-tokens` ({catalogue.ANSWER_TOKENS:,})" in PLAIN
