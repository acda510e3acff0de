"""One table names the commands of reliability; page and run are made from it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from benchmarks.reliability import __main__ as program
from benchmarks.reliability.commands import COMMANDS, Command, Promise, Wording

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
PAGES = {"en": PAGE, "zh": PAGE.parent / "zh" / PAGE.name}
MODULES = sorted({command.module for command in COMMANDS})


@pytest.mark.parametrize("module", MODULES)
def test_each_row_has_its_module(module: str) -> None:
    """A command of the table can be typed."""
    assert (ROOT / "benchmarks" / "reliability" / f"{module}.py").is_file()


def test_each_module_that_prints_a_figure_has_a_row() -> None:
    """Nobody has to know of a command to find it."""
    folder = ROOT / "benchmarks" / "reliability"
    prints = {
        path.stem
        for path in folder.glob("[!_]*.py")
        if '\nif __name__ == "__main__":' in path.read_text("utf-8")
    }
    assert prints <= set(MODULES)


@pytest.mark.parametrize("language", PAGES)
def test_the_page_names_every_figure_and_command(language: str) -> None:
    """With its promise and its bound."""
    page = PAGES[language].read_text("utf-8")
    for command in COMMANDS:
        assert f"`{command.written(command.arguments)}`" in page
        for figure, promise in command.promises.items():
            said: Wording = getattr(promise, language)
            assert f"| {figure} | {said.sentence} | {said.bound} |" in page


@pytest.mark.parametrize("language", PAGES)
def test_the_page_is_what_the_table_makes_of_it(language: str) -> None:
    """Write it anew after a change: ``--none --write docs/reliability.md``."""
    made = program.page(program.kept_on(PAGE), language)
    assert made == PAGES[language].read_text("utf-8")


@pytest.mark.parametrize("language", PAGES)
def test_the_page_tells_no_host_and_no_folder(language: str) -> None:
    """It is about any machine of this kind."""
    page = PAGES[language].read_text("utf-8")
    assert str(ROOT) not in page
    assert socket.gethostname() not in page


def test_two_commands_run_and_are_written(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is run now replaces what was there; what is not run stays."""
    stays = Promise(Wording("It stays.", "0"), Wording("它不变。", "0"))
    lacks = Promise(Wording("It is not there.", "0"), Wording("它不在。", "0"))
    good = Command("urls", {"R29": stays}, short="--n 50")
    bad = Command("nothing", {"R0": lacks}, seeded=True)
    monkeypatch.setattr(program, "COMMANDS", (good, bad))
    page = tmp_path / "page.md"
    assert program.main(["--short", "--only", "R29", "--write", str(page)]) == 0
    out = capfd.readouterr().out
    assert json.loads(out.splitlines()[0])["figure"] == "R29"
    first = page.read_text("utf-8")
    assert "| R29 | It stays. | 0 | kept, smaller run |" in first
    assert "| R0 | It is not there. | 0 | not run yet |" in first
    chinese = (tmp_path / "zh" / "page.md").read_text("utf-8")
    assert "| R29 | 它不变。 | 0 | 符合，规模较小 |" in chinese
    assert "| R0 | 它不在。 | 0 | 尚未运行 |" in chinese
    # What was printed is on both; where nothing is run, all of it stays.
    blocks = [re.findall(r"```json\n.*\n```", each) for each in (first, chinese)]
    assert len(blocks[0]) == 1
    assert blocks[0] == blocks[1]
    assert program.main(["--none", "--write", str(page)]) == 0
    assert page.read_text("utf-8") == first
    # It breaks before it has something to tell: no bound is kept by that.
    assert program.main(["--only", "R0", "--seed", "7", "--write", str(page)]) == 1
    second = page.read_text("utf-8")
    chinese = (tmp_path / "zh" / "page.md").read_text("utf-8")
    assert "| R0 | 它不在。 | 0 | **不符合** |" in chinese
    assert "| R0 | It is not there. | 0 | **missed** |" in second
    assert "nothing --seed 7" in second
    assert "| R29 | It stays. | 0 | kept, smaller run |" in second


def test_a_figure_that_nobody_measures_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rather than nothing run, and all of it kept."""
    with pytest.raises(SystemExit) as caught:
        program.main(["--only", "R20,R999"])
    assert caught.value.code == 2
    assert "R999" in capsys.readouterr().err
