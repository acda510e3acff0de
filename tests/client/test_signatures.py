"""The model's methods take what the contract says, and keywords of their own."""

from __future__ import annotations

import inspect

import pytest
from attrs import fields

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.plugins import protocols
from bytebuddy_provider_hf.types import CompletionOptions

METHODS = {
    protocols.Chat: "chat",
    protocols.Complete: "complete",
    protocols.Fill: "fill",
    protocols.Edit: "edit",
    protocols.Apply: "apply",
    protocols.Embed: "embed",
    protocols.Rerank: "rerank",
    protocols.Tasks: "task",
}

COMMON = {"timeout", "wait", "on_event"}


@pytest.mark.parametrize(("protocol", "name"), METHODS.items(), ids=METHODS.values())
def test_a_method_takes_what_its_protocol_says(protocol: type, name: str) -> None:
    """The same names, kinds, defaults and types; what is added may be left out."""
    promised = inspect.signature(getattr(protocol, name)).parameters
    given = inspect.signature(getattr(HuggingFaceModel, name)).parameters
    assert {key: given[key] for key in promised} == promised
    added = [given[key] for key in given.keys() - promised]
    assert all(it.kind is it.KEYWORD_ONLY and it.default is None for it in added)


@pytest.mark.parametrize(("protocol", "name"), METHODS.items(), ids=METHODS.values())
def test_a_provider_implements_few_parameters(protocol: type, name: str) -> None:
    """How to generate goes into ``options``: a new option changes no protocol."""
    promised = inspect.signature(getattr(protocol, name)).parameters
    own = promised.keys() - {*COMMON, "self", "options", "session"}
    assert not own & {each.name for each in fields(CompletionOptions)}
    assert len(own) <= 7
    assert promised.keys() >= COMMON
    writes = name not in {"embed", "rerank", "task"}
    assert ("session" in promised) is writes


def test_no_method_of_the_contract_is_left_out() -> None:
    """A new protocol is compared too."""
    asked = {
        value
        for value in vars(protocols).values()
        if getattr(value, "__module__", "") == protocols.__name__
        and getattr(value, "_is_protocol", False)
    }
    others = {
        protocols.Model,
        protocols.Noticing,
        protocols.Metered,
        protocols.Windowed,
    }
    assert asked - METHODS.keys() == others
