"""The family of a model that no table has, by what the Hub says of it."""

from __future__ import annotations

import pytest
from attrs import evolve

from bytebuddy_provider_hf.hub.model_facts import ModelFacts, family_of
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>"
LLAMA_3 = "<|start_header_id|>{{ role }}<|end_header_id|>\n\n{{ text }}<|eot_id|>"
STRANGE = "{% for m in messages %}((({{ m.content }})))"
NEW = "somebody/a-model-that-no-table-has"


def found(name: str) -> Family:
    family = families.family_by_id(name)
    assert family is not None
    return family


def told(facts: ModelFacts) -> Family:
    family = family_of(facts)
    assert family is not None
    return family


def test_a_renamed_model_is_told_by_its_present_id() -> None:
    """The Hub answers with the id of today, and the table may have that one."""
    assert family_of(ModelFacts("meta-llama/Llama-3.1-8B-Instruct")) == found(
        "meta-llama/Llama-3.1-8B-Instruct"
    )


def test_a_model_without_a_template_is_as_the_one_it_was_made_of() -> None:
    """Weights tuned further, no template of their own: the parent's family."""
    parent = "codellama/CodeLlama-7b-Instruct-hf"
    assert family_of(ModelFacts(NEW, base_models=(parent,))) == found(parent)


def test_the_nearest_base_model_that_is_known_counts() -> None:
    """An unknown step between is passed over."""
    parents = ("somebody/else", "bigcode/starcoder2-7b", "gpt2")
    assert family_of(ModelFacts(NEW, base_models=parents)) == found(parents[1])


def test_a_models_own_template_goes_before_its_parents() -> None:
    """Tuned from Llama 3 to speak ChatML, it must be spoken to in ChatML."""
    facts = ModelFacts(
        NEW, base_models=("meta-llama/Meta-Llama-3-8B",), chat_template=CHATML
    )
    assert told(facts).chat == found_by(CHATML).chat
    assert told(facts).kind is ModelKind.CHAT


def test_a_base_model_as_parent_does_not_make_a_base_model() -> None:
    """Nearly every chat model was tuned from a base model."""
    facts = ModelFacts(
        NEW, base_models=("meta-llama/Meta-Llama-3-8B",), chat_template=LLAMA_3
    )
    assert told(facts).name == "llama-3"


def test_the_parents_infilling_tokens_stay() -> None:
    """A template tells nothing of infilling: the tokens are those of the weights."""
    parent = "Qwen/Qwen2.5-Coder-7B"
    facts = ModelFacts(NEW, base_models=(parent,), chat_template=CHATML)
    assert told(facts).fim == found(parent).fim is not None
    assert told(facts).chat == found_by(CHATML).chat
    assert told(facts).window == found(parent).window


def test_a_quantized_copy_is_its_original() -> None:
    """Base models carry templates too; a copy of one is a base model all the same."""
    parent = "Qwen/Qwen2.5-Coder-7B"
    facts = ModelFacts(
        NEW, base_models=(parent,), relation="quantized", chat_template=CHATML
    )
    assert family_of(facts) == found(parent)
    assert told(facts).kind is ModelKind.BASE


def test_a_template_that_nobody_knows_makes_no_family() -> None:
    """To guess the parent's form would be to speak in a form that was given up."""
    parents = ("meta-llama/Meta-Llama-3-8B-Instruct",)
    facts = ModelFacts(NEW, base_models=parents, chat_template=STRANGE)
    assert family_of(facts) is None


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("fill-mask", ModelKind.MASK),
        ("feature-extraction", ModelKind.EMBEDDING),
        ("sentence-similarity", ModelKind.EMBEDDING),
        ("text2text-generation", ModelKind.SEQ2SEQ),
    ],
)
def test_the_task_tells_what_a_model_is_for(task: str, kind: ModelKind) -> None:
    """A task without free text tells the kind, if nothing else does."""
    assert told(ModelFacts(NEW, pipeline_tag=task)).kind is kind


def test_an_embedding_model_is_none_that_chats() -> None:
    """It carries the template of the chat model it was made from."""
    facts = ModelFacts(
        NEW,
        pipeline_tag="sentence-similarity",
        base_models=("Qwen/Qwen2.5-7B-Instruct",),
        chat_template=CHATML,
    )
    assert told(facts).kind is ModelKind.EMBEDDING


def test_a_classifier_is_not_the_mask_filler_it_was_made_of() -> None:
    """What was made of an encoder does something else."""
    facts = ModelFacts(
        NEW,
        pipeline_tag="text-classification",
        base_models=("google-bert/bert-base-multilingual-cased",),
    )
    assert family_of(facts) is None


def test_the_class_that_loads_it_tells_a_text_to_text_model() -> None:
    """The Hub calls T5 by what it was tuned for: translation, summarization."""
    facts = ModelFacts(
        NEW, pipeline_tag="translation", auto_model="AutoModelForSeq2SeqLM"
    )
    assert told(facts).kind is ModelKind.SEQ2SEQ


@pytest.mark.parametrize(
    "name", ["somebody/llama-3-chat", "somebody/starcoder2", "x/bert-embedding-gpt2"]
)
def test_a_name_tells_nothing(name: str) -> None:
    """Whatever words are in it."""
    facts = ModelFacts(name, pipeline_tag="text-generation", model_type="llama")
    assert family_of(facts) is None


def test_the_window_that_the_hub_tells_counts() -> None:
    """The copy's own window, not the parent's."""
    facts = ModelFacts(NEW, base_models=("bigcode/starcoder2-7b",), window=2_048)
    parent = found("bigcode/starcoder2-7b")
    assert family_of(facts) == evolve(parent, window=2_048)


def found_by(template: str) -> Family:
    family = families.family_by_template(template)
    assert family is not None
    return family
