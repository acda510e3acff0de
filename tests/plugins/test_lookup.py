"""Asking the registry for what there is, and for what there is not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from bytebuddy_provider_hf.config.values import (
    Config,
    ModelEntry,
    Source,
    UnsetReference,
)
from bytebuddy_provider_hf.errors import (
    NoModelForRole,
    UnknownModel,
    UnknownProvider,
    UnsetVariable,
    UnsupportedRole,
    UntrustedProject,
)
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from conftest import Site

ONE = ModelEntry("hf-llama", "echo", "m")
TWO = ModelEntry("hf-starcoder", "parrot", "m", roles=(Role.EMBED, Role.RERANK))

Make = Callable[..., ModelRegistry]


def test_names_are_listed_in_the_order_of_the_configuration(registry_of: Make) -> None:
    """Iterating, ``in`` and ``len`` speak of entry names."""
    registry = registry_of(ONE, TWO)
    assert list(registry) == ["hf-llama", "hf-starcoder"]
    assert len(registry) == 2
    assert "hf-llama" in registry
    assert "hf-lama" not in registry
    assert registry.entries == (ONE, TWO)


def test_an_unknown_model_is_told_with_the_nearest_spelling(registry_of: Make) -> None:
    """The error lists what exists and says what was probably meant."""
    with pytest.raises(UnknownModel, match=r"hf-starcoder.*mean hf-llama\?") as caught:
        registry_of(ONE, TWO)["HF-lama"]
    assert caught.value.name == "HF-lama"
    assert caught.value.known == ("hf-llama", "hf-starcoder")


def test_an_unknown_model_of_an_empty_registry(registry_of: Make) -> None:
    """Where there is no entry at all, the error says so."""
    with pytest.raises(UnknownModel, match="There is none"):
        registry_of()["x"]


def test_the_list_of_names_is_bounded_and_redacted(registry_of: Make) -> None:
    """Names come from files: no token, no control character, no endless list."""
    names = ["hf_canarycanary", "a\x1b[31m\nb", *(f"m{n}" for n in range(1_000))]
    with pytest.raises(UnknownModel) as caught:
        registry_of(*(evolve(ONE, name=name) for name in names))["zzz"]
    told = str(caught.value) + repr(caught.value) + repr(pickle.dumps(caught.value))
    assert "canary" not in told
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert len(caught.value.known) <= 200


def test_an_unknown_provider_is_told_when_its_entry_opens(registry_of: Make) -> None:
    """Only who opens the entry hears of it; the place in the file is named."""
    source = Source("user", Path("config.yaml"), 3, 5)
    wrong = ModelEntry("x", "huggingfaceinferenceap", "m", source=source)
    registry = registry_of(ONE, wrong)
    assert registry["hf-llama"].name == "hf-llama"
    expected = r"config\.yaml:3:5.*mean huggingfaceinferenceapi\?"
    with pytest.raises(UnknownProvider, match=expected) as caught:
        registry["x"]
    assert "echo" in caught.value.known


@pytest.mark.parametrize(
    "name",
    [
        "huggingface",
        "HuggingFace",
        "Hugging Face",
        "hf",
        "HF",
        "hugging-face",
        "hugging_face",
        "huggingface_hub",
        "huggingface/hub",
        "huggingface-inference",
        "huggingface-tgi-server",
        "hf-inference",
        "hf_api",
        "HuggingFaceInferenceAPI",
    ],
)
def test_other_words_for_hugging_face_are_led_to_our_name(
    registry_of: Make, name: str
) -> None:
    """Each program calls it otherwise; an alias would teach another such word."""
    registry = registry_of(ModelEntry("x", name, "m"))
    with pytest.raises(UnknownProvider) as caught:
        registry["x"]
    assert caught.value.hint == "Did you mean huggingfaceinferenceapi?"


@pytest.mark.parametrize("name", ["novita", "half", "hub", "face"])
def test_other_names_are_not(registry_of: Make, name: str) -> None:
    """Only what begins with the name or its abbreviation is meant."""
    registry = registry_of(ModelEntry("x", name, "m"))
    with pytest.raises(UnknownProvider) as caught:
        registry["x"]
    assert "mean" not in (caught.value.hint or "")


@pytest.mark.usefixtures("site")
def test_an_unknown_provider_names_the_plugins_left_out() -> None:
    """A provider whose plugin is blocked or broken is easy to miss otherwise."""
    registry = ModelRegistry(
        Config((ONE,)), discover(env={"BYTEBUDDY_BLOCK": "echo"}), env={}
    )
    with pytest.raises(UnknownProvider, match=r"Kept out.*BYTEBUDDY_BLOCK.*: echo\."):
        registry["hf-llama"]


def test_an_unknown_provider_names_the_plugins_that_failed(site: Site) -> None:
    """One that could not be imported is told apart from one that a list kept out."""
    site.install("x-dist", {"x": "x_module"}, {"x_module": "raise OSError"})
    entry = ModelEntry("mine", "x", "m")
    registry = ModelRegistry(Config((entry,)), discover(env={}), env={})
    with pytest.raises(UnknownProvider, match=r"Left out.*registry\.failures\): x\."):
        registry["mine"]


def test_a_provider_answers_to_its_aliases(registry_of: Make) -> None:
    """An entry may write any spelling; ``providers`` lists names only."""
    registry = registry_of(ONE, TWO)
    assert registry["hf-starcoder"].name == "hf-starcoder"
    assert registry.provider("parrot") is registry.providers["echo"]
    assert "parrot" not in registry.providers


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("chat", "hf-llama"),
        (Role.CHAT, "hf-llama"),
        ("embed", "hf-starcoder"),
        ("embeddings", "hf-starcoder"),
        ("rerank", "hf-starcoder"),
        ("reranking", "hf-starcoder"),
    ],
)
def test_the_first_entry_with_a_role_serves_it(
    registry_of: Make, role: str, name: str
) -> None:
    """A role is a Role or a text, in both spellings that pages use."""
    assert registry_of(ONE, TWO).for_role(role).name == name


def test_a_model_is_handed_out_as_what_it_can(registry_of: Make) -> None:
    """By name, or the first with the role; one that cannot is refused by name."""
    registry = registry_of(ONE, TWO)
    assert registry.chat() is registry.chat("hf-llama") is registry["hf-llama"]
    with pytest.raises(UnsupportedRole, match=r"hf-starcoder gives it no rerank"):
        registry.rerank()
    with pytest.raises(UnsupportedRole, match=r"hf-llama gives it no tasks"):
        registry.tasks("hf-llama")


def test_our_model_is_handed_out_as_everything(registry_of: Make) -> None:
    """It has every method of the contract."""
    ours = evolve(ONE, provider="huggingface-tgi", model="a/b", roles=tuple(Role))
    registry = registry_of(ours, env={"HF_TOKEN": "hf_x"})
    by_role = (
        registry.chat,
        registry.fill,
        registry.edit,
        registry.apply,
        registry.embed,
        registry.rerank,
    )
    by_name = (registry.complete, registry.tasks)
    found = [get() for get in by_role] + [get("hf-llama") for get in by_name]
    assert all(model is registry["hf-llama"] for model in found)


def test_a_role_nobody_has(registry_of: Make) -> None:
    """The error lists the roles that entries do carry."""
    with pytest.raises(NoModelForRole, match=r"autocomplete.*apply, chat, edit"):
        registry_of(ONE).for_role(Role.AUTOCOMPLETE)


def test_an_unset_variable_harms_only_its_own_entry(registry_of: Make) -> None:
    """The error names the variable and the place; other entries open."""
    unset = UnsetReference("HF_API_KEY", "models[0].apiKey", "config.yaml:4:13")
    registry = registry_of(evolve(ONE, name="x", unset=(unset,)), ONE)
    with pytest.raises(UnsetVariable, match=r"config\.yaml:4:13.*HF_API_KEY") as caught:
        registry["x"]
    assert caught.value.variable == "HF_API_KEY"
    assert registry["hf-llama"].name == "hf-llama"


def test_a_strange_origin_of_a_project_s_file_needs_the_user(
    registry_of: Make, tmp_path: Path
) -> None:
    """An entry of ./config.yaml does not get a key sent where nobody agreed to."""
    source = Source("project", tmp_path / "config.yaml", 1, 1)
    entry = evolve(ONE, api_base="https://strange.example", source=source)
    with pytest.raises(UntrustedProject):
        registry_of(entry)["hf-llama"]


def test_check_tells_without_opening(registry_of: Make) -> None:
    """``check`` raises what opening would, and opens nothing."""
    registry = registry_of(ONE, ModelEntry("x", "nobody", "m"))
    registry.check("hf-llama")
    with pytest.raises(UnknownProvider):
        registry.check("x")


def test_a_role_the_provider_does_not_serve_is_a_warning(tmp_path: Path) -> None:
    """The entry is kept; the default roles, which nobody wrote, are not mentioned."""

    class Plugin:
        @hookimpl
        def bytebuddy_providers(self) -> tuple[ProviderSpec, ...]:
            return (ProviderSpec("talks", "m:f", roles=frozenset({Role.CHAT})),)

    entries = (
        evolve(ONE, provider="talks"),
        evolve(TWO, provider="talks", roles=(Role.CHAT, Role.EMBED)),
    )
    found = discover(plugins=[Plugin()], env={})
    registry = ModelRegistry(Config(entries=entries), found, home=tmp_path, env={})
    assert registry.entries == entries
    (warning,) = registry.warnings
    assert str(warning).endswith("the provider talks does not serve embed yet.")


def test_our_provider_serves_every_role(registry_of: Make) -> None:
    """No role of the schema earns a warning."""
    ours = evolve(ONE, provider="huggingface-tgi", roles=tuple(Role))
    assert registry_of(ours).warnings == ()
