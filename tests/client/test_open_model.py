"""``open_model`` takes what an entry of the file has, and checks it at once."""

from __future__ import annotations

import inspect

import pytest
from attrs import fields_dict
from client.test_capabilities import PICTURE

from bytebuddy_provider_hf import (
    AutocompleteOptions,
    EmbeddingPrefixes,
    EmbedOptions,
    InvalidOption,
    PromptTemplates,
    UnsupportedRole,
    open_model,
)
from bytebuddy_provider_hf.config.values import ModelEntry

# By another name, for there the values are whole objects.
RENAMED = {"default_completion_options": "options", "budget": "budgets"}
# What a file tells a host, and no call of this package reads.
FOR_HOSTS = {"chat_options", "cache_behavior", "source_file", "extra"}
# Read only to say that nothing is done with them.
UNUSED = {"max_stop_words", "use_legacy_completions_endpoint", "use_responses_api"}
# Where a file said something, or what the registry made of it.
OF_FILES = {"source", "unset", "api_key_origin", "api_key_place", "written"}


def test_every_key_of_an_entry_is_a_parameter() -> None:
    """A new field of the entry is offered here, or named above with its reason."""
    given = inspect.signature(open_model).parameters
    wanted = {RENAMED.get(name, name) for name in fields_dict(ModelEntry)}
    assert wanted - given.keys() == {*FOR_HOSTS, *UNUSED, *OF_FILES, "provider"}


def test_what_is_given_is_in_the_entry() -> None:
    """Nothing of it is lost on the way."""
    given = {
        "capabilities": ("tool_use",),
        "context_length": 4096,
        "family": "qwen2.5-coder",
        "embed_options": EmbedOptions(8, 2, EmbeddingPrefixes("a", "b")),
        "prompt_templates": PromptTemplates(edit="{{{ codeToEdit }}}"),
        "autocomplete_options": AutocompleteOptions(max_prompt_tokens=10),
        "bill_to": "org",
    }
    model = open_model("org/name", api_key="hf_test_key", env={}, **given)  # type: ignore[arg-type]
    assert {name: getattr(model._entry, name) for name in given} == given
    assert model.context_length == 4096
    with pytest.raises(UnsupportedRole, match="image_input"):
        model.chat(PICTURE)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"context_length": "8k"}, "context_length cannot be str"),
        ({"context_length": True}, "context_length cannot be bool"),
        ({"context_length": 0}, "1 token or more, not 0"),
        ({"capabilities": "tool_use"}, "capabilities cannot be str"),
        ({"capabilities": [1]}, r"capabilities\[0\] cannot be int"),
        ({"family": 3}, "family cannot be int"),
        ({"family": "no-such-family"}, "no-such-family"),
        ({"prompt_templates": {"chat": "llama3"}}, "prompt_templates cannot be dict"),
        (
            {"prompt_templates": PromptTemplates(edit=3)},  # type: ignore[arg-type]
            "prompt_templates.edit cannot be int",
        ),
        ({"bill_to": 3}, "bill_to cannot be int"),
    ],
)
def test_a_wrong_parameter_is_named(given: dict[str, object], why: str) -> None:
    """When the model is opened, not in its first call; by the parameter's name."""
    with pytest.raises(InvalidOption, match=why):
        open_model("org/name", api_key="hf_test_key", env={}, **given)  # type: ignore[arg-type]
