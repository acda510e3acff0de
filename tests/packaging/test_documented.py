"""Whoever asks an editor, or help(), what a call takes is told of every parameter."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator

import attrs
import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import errors, sync
from bytebuddy_provider_hf.client.catalogue import Catalogue, ModelFilter
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.plugins import kit, protocols
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.types import CompletionOptions, ImagePart, Message, Tool

# Calls whose two parameters of the same name are not the same thing.
SEVERAL_MEANINGS = {
    *("name", "model", "query", "prefix", "suffix", "options", "cache", "runtime"),
    *("limit", "wanted", "env", "timeout", "path", "plugins", "api_key", "state_dir"),
    *("context_length", "data", "reasoning_effort"),
}


def public_classes() -> Iterator[type]:
    """Yield the classes that a program gets or makes, errors left out."""
    yield HuggingFaceModel
    yield from (getattr(sync, name) for name in sync.__all__ if name != "open_model")
    for name in bytebuddy_provider_hf.__all__:
        value = getattr(bytebuddy_provider_hf, name)
        if isinstance(value, type) and not issubclass(value, errors.ByteBuddyError):
            yield value


def public_calls() -> dict[str, Callable[..., object]]:
    """Return every function and method that a program calls, by its name."""
    found: dict[str, Callable[..., object]] = {
        name: value
        for name in bytebuddy_provider_hf.__all__
        if inspect.isfunction(value := getattr(bytebuddy_provider_hf, name))
    }
    found["sync.open_model"] = sync.open_model
    for name in kit.__all__:
        if inspect.isfunction(value := getattr(kit, name)):
            found[f"kit.{name}"] = value
    for kind in public_classes():
        for name, member in inspect.getmembers(kind):
            plain = inspect.unwrap(getattr(member, "__func__", member))
            ours = getattr(plain, "__module__", "") or ""
            if (
                not name.startswith("_")
                and inspect.isfunction(plain)
                and ours.startswith("bytebuddy_provider_hf.")
            ):
                found[f"{kind.__name__}.{name}"] = plain
    return found


def explained(call: object) -> dict[str, str]:
    """Return what a docstring says of each parameter, in its section ``Args:``."""
    docstring = inspect.getdoc(call) or ""
    _, _, section = docstring.partition("Args:\n")
    section = re.split(r"^\S", section, maxsplit=1, flags=re.MULTILINE)[0]
    pairs = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in pairs}


def parameters(call: Callable[..., object]) -> list[str]:
    """Return the names of the parameters that a caller gives."""
    return [
        name
        for name in inspect.signature(call).parameters
        if name not in {"self", "cls"}
    ]


CALLS = public_calls()


def test_the_calls_are_found() -> None:
    """Those that programs make every day are among them."""
    assert {
        "open_model",
        "as_tool",
        "HuggingFaceModel.chat",
        "HuggingFaceModel.embed",
        "HuggingFaceModel.usage",
        "HuggingFaceModel.aclose",
        "Chat.chat",
        "ModelRegistry.load",
        "ModelRegistry.for_role",
        "Catalogue.search",
        "Reply.from_dict",
        "ImagePart.from_file",
        "Message.from_dict",
        "sync.open_model",
        "SyncModel.chat_events",
        "SyncRegistry.load",
        "SyncRegistry.chat",
        "SyncRegistry.usage",
        "SyncCatalogue.search",
        "kit.check_provider",
        "kit.unified_diff",
    } <= CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_every_parameter_is_explained(name: str) -> None:
    """In the order of the signature, none left out and none made up."""
    # The coroutine's own protocol, which Python documents.
    if name.startswith("ReplyCall.") and name != "ReplyCall.of":
        return
    assert inspect.getdoc(CALLS[name])
    assert [*explained(CALLS[name])] == parameters(CALLS[name])


def test_a_parameter_is_explained_in_one_way() -> None:
    """The same parameter of two calls has the same words."""
    words = defaultdict(set)
    for name, call in CALLS.items():
        for parameter, said in explained(call).items():
            if parameter not in SEVERAL_MEANINGS:
                words[parameter].add(said)
                assert len(words[parameter]) == 1, (name, parameter, words[parameter])


def test_a_call_that_waits_is_explained_as_the_other() -> None:
    """In a form of its own only where it says that it waits."""
    for kind, waiting in (
        (HuggingFaceModel, sync.SyncModel),
        (ModelRegistry, sync.SyncRegistry),
        (Catalogue, sync.SyncCatalogue),
    ):
        for name in vars(kind).keys() & vars(waiting).keys():
            told = explained(getattr(waiting, name))
            assert told == explained(getattr(kind, name)), (waiting, name)
    assert explained(sync.SyncCatalogue) == explained(Catalogue)


@pytest.mark.parametrize(
    "kind", [CompletionOptions, RequestOptions, ImagePart, Tool, Message, ModelFilter]
)
def test_every_field_of_what_a_program_builds_is_explained(kind: type) -> None:
    """As the parameters of a call, for that is what they are."""
    assert [*explained(kind)] == [each.name for each in attrs.fields(kind)]


def test_options_of_a_call_are_explained_as_those_of_the_object() -> None:
    """``max_tokens=`` and ``CompletionOptions(max_tokens=)`` have one text."""
    fields = explained(CompletionOptions)
    assert [*fields] == [each.name for each in attrs.fields(CompletionOptions)]
    chat = explained(HuggingFaceModel.chat)
    for name in fields.keys() & chat.keys() - {"temperature"}:
        assert fields[name] == chat[name], name


def test_the_protocols_and_the_model_have_one_text() -> None:
    """Only the time limit differs: another provider has its own."""
    for kind, name in (
        (protocols.Chat, "chat"),
        (protocols.Fill, "fill"),
        (protocols.Edit, "edit"),
        (protocols.Apply, "apply"),
        (protocols.Embed, "embed"),
        (protocols.Tasks, "task"),
    ):
        promised = explained(getattr(kind, name))
        given = explained(getattr(HuggingFaceModel, name))
        for each in promised.keys() - {"timeout"}:
            assert promised[each] == given[each], (name, each)
