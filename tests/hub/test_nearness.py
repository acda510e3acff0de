"""A model that nobody serves leads to living ones that are near, with reasons."""

from __future__ import annotations

import pytest
from client.page import MODELS
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.hub.nearness import (
    CHAT,
    CODE,
    Profile,
    living_profiles,
    profile_of,
    said_size,
    snapshot,
    suggest,
)
from bytebuddy_provider_hf.hub.router_models import Offer, ServedModel
from bytebuddy_provider_hf.money import Price

# The page's model -> whom a person would take in its place.
BEST = {
    "meta-llama/Llama-2-70b-chat-hf": "meta-llama/Llama-3.3-70B-Instruct",
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "Qwen/Qwen3-32B",
    "microsoft/DialoGPT-large": "Qwen/Qwen3-4B-Instruct-2507",
    "bigcode/starcoder": "Qwen/Qwen2.5-Coder-7B-Instruct",
    "Salesforce/codegen-16B-multi": "Qwen/Qwen3-Coder-30B-A3B-Instruct",
    "microsoft/CodeGPT-small-py": "Qwen/Qwen2.5-Coder-3B-Instruct",
    "bigscience/bloom": "Qwen/Qwen3-235B-A22B-Instruct-2507",
    "EleutherAI/gpt-neox-20b": "openai/gpt-oss-20b",
    "facebook/opt-30b": "google/gemma-4-31B-it",
    "google/flan-t5-xxl": "google-t5/t5-base",
    "bert-base-multilingual-cased": "FacebookAI/xlm-roberta-base",
}


@pytest.mark.parametrize("model", MODELS)
def test_each_model_of_the_page_has_a_good_neighbour(model: str) -> None:
    """By the package's own list, with at least one reason for each suggestion."""
    found = suggest(profile_of(model), snapshot().living)
    assert found[0].profile.id == BEST[model]
    assert len(found) >= 2
    assert all(each.reasons for each in found)


def test_the_snapshot_has_a_day_and_no_model_twice() -> None:
    """None of it is a model that is gone."""
    kept = snapshot()
    ids = [each.id.lower() for each in kept.living]
    assert kept.day.year >= 2026
    assert len(set(ids)) == len(ids)
    assert kept.gone.keys().isdisjoint(ids)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("a/Mixtral-8x7B", 56_000_000_000),
        ("a/Qwen3-235B-A22B-Instruct", 235_000_000_000),
        ("a/gemma-3-270m-it", 270_000_000),
        ("a/Qwen2.5-0.5B", 500_000_000),
        ("a/Llama-4-Scout-17B-16E", 17_000_000_000),
        ("a/DeepSeek-V3.2", None),
        ("a/phi-4", None),
        ("a/model-8bit", None),
        ("a/x7b", None),
    ],
)
def test_a_name_tells_the_size(name: str, size: int | None) -> None:
    """The largest number of parameters in it; bits and versions are none."""
    assert profile_of(name).parameters == size


def test_the_hub_tells_more_than_a_name() -> None:
    """The weights' own count, languages, and what it was made from."""
    facts = ModelFacts(
        "a/tuned-7b",
        pipeline_tag="text-generation",
        base_models=("meta-llama/Llama-2-7b-hf",),
        parameters=6_738_415_616,
        languages=("zh",),
        tags=("code",),
    )
    found = profile_of("a/tuned-7b", facts)
    assert (found.kind, found.lineage, found.parameters) == (
        CODE,
        "llama",
        6_738_415_616,
    )
    assert found.languages == {"zh"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bigcode/starcoder2-7b", CODE),
        ("Qwen/Qwen2.5-Coder-7B", CODE),
        ("mistralai/Codestral-22B-v0.1", CODE),
        ("a/encoder-decoder-chat", CHAT),
        ("a/my-codename", CHAT),
    ],
)
def test_code_is_known_by_whole_words(name: str, kind: str) -> None:
    """A part of another word is none."""
    assert profile_of(name).kind == kind


def test_a_gpt_is_not_a_family() -> None:
    """DialoGPT, GPT-NeoX and gpt-oss share three letters."""
    names = (
        "microsoft/DialoGPT-small",
        "EleutherAI/gpt-neox-20b",
        "openai/gpt-oss-20b",
    )
    assert len({profile_of(name).lineage for name in names}) == 3


def test_other_tasks_are_not_suggested() -> None:
    """A mask is not filled by a model that chats."""
    living = [Profile("a/chat", CHAT), Profile("a/mask", "fill-mask")]
    found = suggest(Profile("a/x", "fill-mask"), living)
    assert [each.profile.id for each in found] == ["a/mask"]


def test_the_cheapest_says_so() -> None:
    """An unknown price is never the cheapest."""
    living = [
        Profile("a/dear", CHAT, price=Price(9, 9)),
        Profile("a/cheap", CHAT, price=Price(1, 1)),
        Profile("a/unknown", CHAT),
    ]
    found = suggest(Profile("a/x", CHAT), living)
    assert [each.profile.id for each in found] == ["a/cheap", "a/dear", "a/unknown"]
    cheapest = [each for each in found if "cheapest of these" in each.reasons]
    assert [each.profile.id for each in cheapest] == ["a/cheap"]


def test_only_served_models_live() -> None:
    """With the cheapest provider and the longest window of theirs."""
    served = [
        ServedModel("a/none", (Offer("x", status="error"),)),
        ServedModel(
            "a/b",
            (
                Offer("dear", True, True, Price(5, 5), 10),
                Offer("cheap", True, True, Price(5, 4), 5),
            ),
        ),
    ]
    (found,) = living_profiles(served, {})
    assert (found.id, found.provider, found.price) == ("a/b", "cheap", Price(5, 4))
    assert found.context_length == 10


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3))
def test_any_name_is_a_profile(name: str, tags: list[str]) -> None:
    """Whatever a stranger calls a model."""
    facts = ModelFacts(name, tags=tuple(tags), languages=tuple(tags))
    suggest(profile_of(name, facts), snapshot().living)


def test_sizes_are_said_as_names_say_them() -> None:
    """Three digits, billions and millions."""
    sizes = (278_295_186, 8_030_261_248, 70_553_706_496, 671_000_000_000)
    assert [said_size(each) for each in sizes] == ["278M", "8.03B", "70.6B", "671B"]
