"""Who pays is the user's word: no file of a project decides it, trusted or not."""

from __future__ import annotations

import pytest
from config_world import ENTRY, World

from bytebuddy_provider_hf.address import ROUTER

PAYERS = """\
requestOptions:
  headers: {X-HF-Bill-To: theirs, X-Team: t}
models:
  - name: m
    provider: huggingfaceinferenceapi
    model: org/name
    billTo: theirs
    requestOptions:
      headers: {x-hf-bill-to: theirs, X-Other: o}
"""


def trusted(world: World) -> World:
    world.store.add(world.project, ROUTER)
    return world


def test_the_users_file_says_who_pays(world: World) -> None:
    """As a text or by a variable."""
    assert world.entry("billTo: my-org").bill_to == "my-org"
    assert world.entry("billTo: ${WHO}", {"WHO": "other"}).bill_to == "other"
    assert world.entry().bill_to is None


def test_a_projects_file_does_not_even_if_trusted(world: World) -> None:
    """Neither by the key nor by its header; the rest counts, and each is named."""
    trusted(world).write(world.project_file, PAYERS)
    config = world.load()
    (entry,) = config.entries
    assert entry.bill_to is None
    assert set(entry.request_options.headers) == {"X-Team", "X-Other"}
    ignored = [each for each in config.warnings if "who pays" in each.message]
    assert {each.place.rpartition("/")[2] for each in ignored} == {
        "config.yaml:2:13",
        "config.yaml:7:5",
        "config.yaml:9:17",
    }


def test_a_strangers_file_does_not(world: World) -> None:
    """It is named as ignored for good, not until it is trusted."""
    world.write(world.project_file, f"models:\n{ENTRY}    billTo: theirs\n")
    config = world.load()
    assert config.entries[0].bill_to is None
    assert "does not say who pays" in config.warnings[0].message


@pytest.mark.parametrize(
    "key", ["billTo: ${WHO}", "requestOptions: {headers: {X-HF-Bill-To: '${WHO}'}}"]
)
def test_nor_does_a_variable_of_the_project(world: World, key: str) -> None:
    """A project that is trusted may set others; this one counts as not set."""
    world.write(world.project / ".env", "WHO=theirs\nOTHER=o\n")
    text = f"models:\n{ENTRY}    {key}\n    sourceFile: ${{OTHER}}\n"
    trusted(world).write(world.user_file, text)
    (entry,) = world.load().entries
    assert entry.bill_to is None
    assert not entry.request_options.headers
    assert [each.variable for each in entry.unset] == ["WHO"]
    assert entry.source_file == "o"
