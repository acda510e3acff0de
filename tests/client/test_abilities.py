"""The roles that are told are those that the page and the planners know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from client.page import MODELS

from bytebuddy_provider_hf.client.abilities import Ability, abilities_of
from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.types import Role

PAGE = (Path(__file__).parents[2] / "docs" / "roles.md").read_text("utf-8")
ROLES = (Role.CHAT, Role.AUTOCOMPLETE, Role.EDIT, Role.APPLY)


@pytest.mark.parametrize("model", MODELS)
def test_the_models_of_the_page_are_told_as_the_page_has_them(model: str) -> None:
    """``docs/roles.md`` is tested against what is really sent."""
    (row,) = re.findall(rf"^\| {re.escape(model)} \|(.*)\|$", PAGE, re.MULTILINE)
    written = [cell.strip().replace("\\", "") for cell in row.split("|")]
    found: dict[Role, str] = {}
    for ability in abilities_of(model, None):
        place = "" if ability.at_router else " *"
        found.setdefault(ability.role, f"{ability.way}{place}")
    assert [found.get(role, "-") for role in ROLES] == written


def test_infilling_tokens_are_named() -> None:
    """Beside the way that the router has."""
    found = abilities_of("Qwen/Qwen2.5-Coder-7B-Instruct", None)
    fills = [each for each in found if each.role is Role.AUTOCOMPLETE]
    assert [(each.way, each.at_router) for each in fills] == [
        ("infill", False),
        ("instruction", True),
    ]
    assert fills[0].marks == "<|fim_prefix|> <|fim_suffix|> <|fim_middle|>"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("feature-extraction", (Ability(Role.EMBED, "vectors", at_router=True),)),
        ("sentence-similarity", (Ability(Role.EMBED, "vectors", at_router=True),)),
        ("text-ranking", (Ability(Role.RERANK, "pairs", at_router=True),)),
        ("text-to-image", ()),
        ("fill-mask", ()),
    ],
)
def test_models_of_other_kinds(task: str, expected: tuple[Ability, ...]) -> None:
    """Vectors and scores have a role; a task alone has none."""
    assert abilities_of("a/b", ModelFacts("a/b", pipeline_tag=task)) == expected


def test_who_is_served_for_chat_chats() -> None:
    """Also a model of which no family is known."""
    assert abilities_of("a/b", None, chats=True)[0].at_router
    assert not abilities_of("a/b", None)[0].at_router
