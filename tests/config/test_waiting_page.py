"""``docs/waiting.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from config_world import World

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.client import endpoint
from bytebuddy_provider_hf.config.schema import SECTIONS
from bytebuddy_provider_hf.scheduling import coordinator, limiter, retry
from bytebuddy_provider_hf.types import WaitReason

PAGE = Path(__file__).parents[2] / "docs" / "waiting.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
WAITED = (
    r"loading for 0 s, 20\.0 s left\n(loading for \d+ s, .* s left\n)+"
    r"\(simulated\) .*\n\(simulated\) .* after \d requests for two answers\n"
)
PRINTED = (WAITED, r"ready in about 20 s\n")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under ``heading``, without its head."""
    part = TEXT.partition(heading)[2]
    lines = [line for line in part.split("\n## ")[0].splitlines() if line[:1] == "|"]
    return [[c.strip(" `") for c in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_a_block_of_the_page_runs(number: int, tmp_path: Path) -> None:
    """Each block is a program of its own that ends well and prints what it should."""
    script = tmp_path / "block.py"
    script.write_text(BLOCKS[number], "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(PRINTED[number], ran.stdout), ran.stdout


def test_the_page_has_its_blocks() -> None:
    """The pattern finds the blocks; an empty list would pass everything."""
    assert len(BLOCKS) == len(PRINTED)


def test_the_file_of_the_page_loads(world: World) -> None:
    """It can be copied."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = world.read(block)
    assert config.warnings == ()
    options = config.entries[0].request_options
    assert (options.timeout, options.wait_for_server) == (120, True)


def test_the_kinds_of_waiting_are_those_of_the_code() -> None:
    """Every reason, and no other."""
    reasons = [row[1] for row in rows("# Waiting")]
    assert sorted(reasons) == sorted(get_args(WaitReason))


def test_the_times_are_those_of_the_code() -> None:
    """Keys and defaults as in the schema; the errors exist."""
    keys = SECTIONS["requestOptions"]
    table = rows("## One deadline")
    assert {row[0] for row in table} == {
        key.name for key in keys.values() if key.unit == "seconds"
    }
    for name, seconds, _, error in table:
        assert keys[name].default == seconds
        assert issubclass(getattr(errors, error), errors.ByteBuddyError)


def test_the_figures_are_those_of_the_code() -> None:
    """Defaults of the engine, the schema and the page are one."""
    keys = SECTIONS["requestOptions"]
    for name, value in (
        ("timeout", endpoint.TIMEOUT),
        ("coldStartTimeout", endpoint.COLD_START_TIMEOUT),
        ("idleTimeout", endpoint.IDLE_TIMEOUT),
        ("noDataTimeout", endpoint.NO_DATA_TIMEOUT),
        ("maxAttempts", endpoint.MAX_ATTEMPTS),
        ("maxConcurrency", coordinator.MAX_CONCURRENCY),
        ("maxQueue", coordinator.MAX_QUEUE),
    ):
        assert float(keys[name].default) == value, name
    for said in (
        f"{limiter.FIRST_LIMIT} requests in flight at first",
        f"at most `maxConcurrency` ({coordinator.MAX_CONCURRENCY})",
        f"`maxQueue` of them ({coordinator.MAX_QUEUE:,})",
        f"Above {retry.LONGEST_HINT:.0f} s it is not waited out",
        f"at once (exit code {ExitCode.NOT_READY})",
        f"`RateLimited` ({ExitCode.BUSY})",
        f"Ctrl-C ({ExitCode.STOPPED})",
    ):
        assert said in " ".join(TEXT.split()), said


def test_every_error_of_the_page_exists() -> None:
    """A name that looks like a class of this package is one."""
    known = {"Loading", "RateLimit"}
    for name in set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", TEXT)) - known:
        assert hasattr(errors, name), name


@pytest.mark.parametrize(
    ("readme", "folder"), [("README.md", "docs"), ("README.zh.md", "docs/zh")]
)
def test_the_readme_names_the_page(readme: str, folder: str) -> None:
    """It can be found."""
    assert f"({folder}/waiting.md)" in (PAGE.parents[1] / readme).read_text("utf-8")
