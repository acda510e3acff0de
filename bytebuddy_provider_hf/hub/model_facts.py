"""Tell a model's family from what the Hub says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind

_SOURCE: Final = "the model's task on the Hub"
_FILLS_MASKS: Final = Family("a model that fills masks", ModelKind.MASK, source=_SOURCE)
_MAKES_VECTORS: Final = Family(
    "a model that makes vectors", ModelKind.EMBEDDING, source=_SOURCE
)
_REWRITES: Final = Family("a text-to-text model", ModelKind.SEQ2SEQ, source=_SOURCE)

# Tasks of models that write no text; a chat template of theirs means nothing.
_TEXTLESS: Final = {
    "fill-mask": _FILLS_MASKS,
    "feature-extraction": _MAKES_VECTORS,
    "sentence-similarity": _MAKES_VECTORS,
}
# transformers' class for encoder-decoders, which take no chat.
_SEQ2SEQ: Final = "AutoModelForSeq2SeqLM"


@frozen
class ServedBy:
    """Tell that a provider behind the router has a model, under which name for what.

    ``status`` is live, staging or error, empty where the Hub does not say; ``task`` is
    conversational for models that chat.
    """

    provider: str
    provider_id: str
    status: str = ""
    task: str = ""
    is_model_author: bool = False


@frozen
class ModelFacts:
    """Hold what the Hub says of a model; ``None`` means: it does not say.

    ``id`` is the present one, which differs from the one asked for after a renaming.
    ``base_models`` are ids, the nearest first, and ``relation`` is what was made of
    them: finetune, adapter, merge or quantized. ``chat_template`` is Jinja.
    ``auto_model`` is the class of transformers that loads it. ``window`` counts tokens
    of prompt and answer together. ``gated``: its files need a licence accepted.
    ``provider_ids`` is what each provider behind the router calls it, ``served_by``
    all that the Hub tells of them. ``gate`` is how a licence is accepted: "auto" at
    once, "manual" by the authors. ``is_warm``: some provider serves it now.
    ``parameters`` are counted, of the weights; ``modified`` is a day, ``YYYY-MM-DD``.
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
    provider_ids: Mapping[str, str] = field(factory=dict)
    served_by: tuple[ServedBy, ...] = ()
    gate: str = ""
    is_warm: bool = False
    likes: int | None = None
    downloads: int | None = None
    parameters: int | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    modified: str = ""


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
    # The nearest base model that writes text. What was made of an encoder is most
    # often a classifier: its parent tells nothing.
    textless = (ModelKind.MASK, ModelKind.EMBEDDING)
    near = (families.family_by_id(each) for each in facts.base_models)
    parent = next((each for each in near if each and each.kind not in textless), None)
    template = facts.chat_template
    spoken = None if template is None else families.family_by_template(template)
    if parent is not None and (
        template is None
        or facts.relation == "quantized"
        or (spoken is not None and spoken.chat and spoken.chat == parent.chat)
    ):
        found = parent
    elif spoken is not None:
        # The marks of a template say nothing of infilling; what the model was made
        # from does.
        fim = None if parent is None else parent.fim
        window = None if parent is None else parent.window
        found = evolve(spoken, fim=fim, window=window)
    elif template is not None:
        return None
    else:
        rewrites = facts.pipeline_tag == "text2text-generation"
        return _REWRITES if rewrites or facts.auto_model == _SEQ2SEQ else None
    return found if facts.window is None else evolve(found, window=facts.window)
