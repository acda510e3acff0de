"""What a file says of what is counted, what may be spent, and what is kept."""

from __future__ import annotations

import pytest
from config_world import ENTRY, World

from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    BudgetOptions,
    CacheOptions,
)

MODELS = f"models:\n{ENTRY}"


def test_calls_are_counted_unless_the_users_file_says_no(world: World) -> None:
    """``off`` and ``false``; what is neither is an error at its place."""
    assert world.read(MODELS).ledger
    assert not world.read(f"ledger: off\n{MODELS}").ledger
    assert not world.read(f"ledger: false\n{MODELS}").ledger
    (problem,) = world.problems(f"ledger: maybe\n{MODELS}")
    assert problem.startswith("chosen.yaml:1:9: ledger: expected one of on, off")


def test_a_projects_file_decides_neither_ledger_nor_command(world: World) -> None:
    """Trusted or not: each is named as ignored."""
    text = f"ledger: off\nalerts: {{command: [sh, -c, boom]}}\n{MODELS}"
    world.write(world.project_file, text)
    config = world.load()
    assert config.ledger
    assert config.alerts is None
    ignored = [each for each in config.warnings if "does not decide" in each.message]
    assert len(ignored) == 2


def test_an_alerts_command_is_a_list(world: World) -> None:
    """A shell line is refused: its quoting is where programs are broken into."""
    found = world.read(f"alerts: {{command: [notify-send, ByteBuddy]}}\n{MODELS}")
    assert found.alerts == AlertOptions(("notify-send", "ByteBuddy"))
    assert world.problems(f"alerts: {{command: notify-send x}}\n{MODELS}")


@pytest.mark.parametrize(
    ("written", "amount"),
    [("2.50", 2_500_000_000), ("$0.1", 100_000_000), ("1e-3", 1_000_000)],
)
def test_dollars_are_read_as_they_are_written(
    world: World, written: str, amount: int
) -> None:
    """No float stands between the file and the sum."""
    entry = world.entry(f"budget: {{dollars: {written}}}")
    assert entry.budgets == (Budget("m", BudgetOptions(dollars=amount)),)


@pytest.mark.parametrize("written", ["0", "-1", "much", "NaN", "1e30", "''"])
def test_what_is_no_amount_is_an_error(world: World, written: str) -> None:
    """It names the place and what may stand there."""
    text = f"{MODELS}    budget: {{dollars: {written}}}\n"
    (problem,) = world.problems(text)
    assert "models[0].budget.dollars: expected an amount in USD above 0" in problem


def test_the_users_budget_holds_for_every_entry(world: World) -> None:
    """Also for a project's; that of a project's file holds for its own entries."""
    world.write(world.user_file, f"budget: {{calls: 30000}}\n{MODELS}")
    theirs = ENTRY.replace("name: m", "name: theirs")
    world.write(world.project_file, f"budget: {{calls: 5}}\nmodels:\n{theirs}")
    mine, other = world.load().entries
    users = Budget(str(world.user_file), BudgetOptions(calls=30_000))
    projects = Budget(str(world.project_file), BudgetOptions(calls=5), True)
    assert mine.budgets == (users,)
    assert other.budgets == (users, projects)


def test_a_cache_is_a_word_or_a_mapping(world: World) -> None:
    """A file's holds for the entries that say nothing."""
    assert world.entry("cache: all").cache == CacheOptions("all")
    assert world.entry("cache: on").cache == CacheOptions("on")
    found = world.entry("cache: {access: read_only, maxAge: 60}").cache
    assert found == CacheOptions("on", "read_only", 60)
    file = world.read(
        f"cache: on\n{MODELS}  - {{name: n, provider: p, model: o/n, cache: off}}\n"
    )
    assert [each.cache and each.cache.mode for each in file.entries] == ["on", "off"]


def test_a_variable_that_is_not_set_leaves_a_setting_out(world: World) -> None:
    """A notice names it; the entries stand."""
    config = world.read(f"budget: {{calls: '${{MOST}}'}}\n{MODELS}")
    assert config.entries[0].budgets == ()
    assert "MOST" in config.warnings[0].message
