"""The names that users may import from the package."""

from __future__ import annotations

import ast
from importlib import metadata
from pathlib import Path

import attrs
import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import errors, types

# Adding a name is a new promise, taking one away breaks somebody: both are decisions.
PUBLIC = [
    "APIError",
    "AlertOptions",
    "Apply",
    "ApplyFailed",
    "AuthenticationFailed",
    "AutocompleteOptions",
    "Budget",
    "BudgetAlert",
    "BudgetExceeded",
    "BudgetOptions",
    "ByteBuddyError",
    "CacheOptions",
    "CallTimeout",
    "Catalogue",
    "Chat",
    "Choice",
    "Closed",
    "ColdStartTimeout",
    "Complete",
    "CompletionOptions",
    "ConfigError",
    "ConnectionFailed",
    "ContextTooLong",
    "Conversation",
    "Cost",
    "Done",
    "Doubt",
    "Edit",
    "EditDoubtful",
    "Embed",
    "EmbedOptions",
    "EmbeddingPrefixes",
    "Embeddings",
    "EndpointPaused",
    "Event",
    "Fill",
    "GatedModel",
    "ImagePart",
    "InvalidOption",
    "Loading",
    "Message",
    "MissingToken",
    "Model",
    "ModelEntry",
    "ModelFilter",
    "ModelLoading",
    "ModelNotFound",
    "ModelNotSupported",
    "ModelRegistry",
    "NotAwaited",
    "OpenContext",
    "PermissionDenied",
    "PluginFailure",
    "Progress",
    "PromptTemplates",
    "ProviderSpec",
    "QuotaExhausted",
    "RateLimited",
    "Reasoning",
    "RegistryError",
    "Reply",
    "ReplyCall",
    "RequestError",
    "RequestOptions",
    "Rerank",
    "ResponseError",
    "Role",
    "SPEC_VERSION",
    "Scores",
    "Secret",
    "Served",
    "ServerError",
    "Source",
    "StreamInterrupted",
    "TaskReply",
    "Tasks",
    "Text",
    "TextPart",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolLike",
    "UnknownModel",
    "UnsupportedRole",
    "Usage",
    "as_tool",
    "event_from_dict",
    "hookimpl",
    "open_model",
]


def test_exported_names() -> None:
    """The public names are exactly these, in order."""
    assert bytebuddy_provider_hf.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_can_be_used(name: str) -> None:
    """Each public name leads to a value."""
    assert getattr(bytebuddy_provider_hf, name) is not None


def test_type_checkers_are_told_the_same() -> None:
    """The stub imports each name from where it is found when the program runs."""
    stub = Path(bytebuddy_provider_hf.__file__).with_suffix(".pyi")
    told = {
        (name.asname, f"{statement.module}.{name.name}")
        for statement in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.ImportFrom)
        for name in statement.names
    }
    homes = bytebuddy_provider_hf._HOMES
    assert told == {
        (name, f"bytebuddy_provider_hf.{home}.{name}") for name, home in homes.items()
    }


def test_every_family_of_errors_can_be_caught() -> None:
    """Whatever is raised has a base, beside the root, among the public names."""
    public = {getattr(bytebuddy_provider_hf, name) for name in PUBLIC}
    public -= {errors.ByteBuddyError}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ByteBuddyError):
            assert kind is errors.ByteBuddyError or public & set(kind.__mro__)


def test_every_value_that_travels_is_public() -> None:
    """Messages, options, events and replies are made and matched by public names."""
    defined = {
        name
        for name, value in vars(types).items()
        if isinstance(value, type) and attrs.has(value)
    }
    assert defined
    assert defined <= set(PUBLIC)


def test_a_name_is_looked_up_once() -> None:
    """The second look at a name finds it in the module, with no import machinery."""
    first = bytebuddy_provider_hf.Reply
    assert vars(bytebuddy_provider_hf)["Reply"] is first


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module, naming module and name."""
    with pytest.raises(AttributeError, match=r"'bytebuddy_provider_hf'.*'Replay'"):
        _ = bytebuddy_provider_hf.Replay


def test_dir_lists_the_public_names() -> None:
    """Completion in a shell offers every public name."""
    assert set(PUBLIC) | {"__version__"} <= set(dir(bytebuddy_provider_hf))


def test_the_version_is_the_installed_one() -> None:
    """``__version__`` is what the installed metadata says; it is written once."""
    installed = metadata.version("bytebuddy-provider-hf")
    assert bytebuddy_provider_hf.__version__ == installed
