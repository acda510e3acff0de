"""What the Hub says of a model, and the family that this makes it one of."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind

_SOURCE: Final = "the model's task on the Hub"
_FILLS_MASKS: Final = Family("a model that fills masks", ModelKind.MASK, source=_SOURCE)
_MAKES_VECTORS: Final = Family(
    "a model that makes vectors", ModelKind.EMBEDDING, source=_SOURCE
)
_REWRITES: Final = Family("a text-to-text model", ModelKind.SEQ2SEQ, source=_SOURCE)

_TEXTLESS: Final = {
    "fill-mask": _FILLS_MASKS,
    "feature-extraction": _MAKES_VECTORS,
    "sentence-similarity": _MAKES_VECTORS,
}
_SEQ2SEQ: Final = "AutoModelForSeq2SeqLM"


@frozen
class ModelFacts:
    """What the Hub says of a model; ``None`` means: it does not say.

    ``id`` is the present one, which differs from the one asked for after a renaming.
    ``base_models`` are ids, the nearest first, and ``relation`` is what was made of
    them: finetune, adapter, merge or quantized. ``chat_template`` is Jinja.
    ``auto_model`` is the class of transformers that loads it. ``window`` counts tokens
    of prompt and answer together. ``gated``: its files need a licence accepted.
    """

    id: str
    pipeline_tag: str | None = None
    library: str | None = None
    base_models: tuple[str, ...] = ()
    relation: str | None = None
    chat_template: str | None = None
    model_type: str | None = None
    auto_model: str | None = None
    window: int | None = None
    gated: bool = False


def family_of(facts: ModelFacts) -> Family | None:
    """Return the family a model belongs to, or ``None``; its name tells nothing.

    A task without text goes first, because embedding models carry the chat template
    of the model they were made from. Then the model's own template: what it was tuned
    from is often a base model, or one that was spoken to otherwise. The parent still
    tells the infilling tokens, and everything of a quantized copy.
    """
    if (known := families.family_by_id(facts.id)) is not None:
        return known
    if facts.pipeline_tag in _TEXTLESS:
        return _TEXTLESS[facts.pipeline_tag]
    parent = _parent(facts)
    if parent is not None and (facts.relation == "quantized" or _same(parent, facts)):
        return _widened(parent, facts)
    if facts.chat_template is not None:
        return _spoken(facts.chat_template, parent, facts)
    if parent is not None:
        return _widened(parent, facts)
    rewrites = facts.pipeline_tag == "text2text-generation"
    return _REWRITES if rewrites or facts.auto_model == _SEQ2SEQ else None


def _parent(facts: ModelFacts) -> Family | None:
    """Return the family of the nearest base model that is known and writes text.

    What was made of an encoder is most often a classifier: its parent tells nothing.
    """
    for model_id in facts.base_models:
        found = families.family_by_id(model_id)
        if found is not None and found.kind not in (
            ModelKind.MASK,
            ModelKind.EMBEDDING,
        ):
            return found
    return None


def _same(parent: Family, facts: ModelFacts) -> bool:
    """Whether the model is spoken to as its parent is, by the marks of a template."""
    if parent.chat is None or facts.chat_template is None:
        return False
    spoken = families.family_by_template(facts.chat_template)
    return spoken is not None and spoken.chat == parent.chat


def _spoken(template: str, parent: Family | None, facts: ModelFacts) -> Family | None:
    spoken = families.family_by_template(template)
    if spoken is None:
        return None
    gap = None if parent is None else parent.fim
    window = None if parent is None else parent.window
    return _widened(evolve(spoken, fim=gap, window=window), facts)


def _widened(family: Family, facts: ModelFacts) -> Family:
    return family if facts.window is None else evolve(family, window=facts.window)
