"""The model's methods are those of the contract, keyword for keyword."""

from __future__ import annotations

import inspect

import pytest

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.plugins import protocols

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


@pytest.mark.parametrize(("protocol", "name"), METHODS.items(), ids=METHODS.values())
def test_a_method_takes_what_its_protocol_says(protocol: type, name: str) -> None:
    """The same names, kinds, defaults and types: both are written out for readers."""
    promised = inspect.signature(getattr(protocol, name)).parameters
    given = inspect.signature(getattr(HuggingFaceModel, name)).parameters
    assert list(given.values()) == list(promised.values())


def test_no_method_of_the_contract_is_left_out() -> None:
    """A new protocol is compared too."""
    asked = {
        value
        for value in vars(protocols).values()
        if getattr(value, "__module__", "") == protocols.__name__
        and getattr(value, "_is_protocol", False)
    }
    others = {protocols.Model, protocols.ChatModel, protocols.Noticing}
    assert asked - METHODS.keys() == others
