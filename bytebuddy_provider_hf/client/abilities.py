"""Tell which roles a model can take here, and how it is asked in each.

The rules are those of the planners in ``roles``; docs/roles.md shows them as a table.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.hub.model_facts import ModelFacts, family_of
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.types import Role

# As docs/roles.md and docs/other-roles.md call what is sent.
Way: TypeAlias = Literal[
    "turns",
    "transcript",
    "text",
    "instruction",
    "infill",
    "prefix",
    "commit",
    "vectors",
    "pairs",
]

_VECTORS: Final = frozenset({"feature-extraction", "sentence-similarity"})
_PAIRS: Final = frozenset({"text-ranking", "text-classification"})
_WRITES: Final = frozenset(
    {"", "text-generation", "image-text-to-text", "text2text-generation", "any-to-any"}
)


@frozen
class Ability:
    """One role of a model, and how it is asked in it.

    ``marks`` are its infilling tokens, where it is asked by them. ``at_router``: also
    behind Hugging Face's router, which has chat and tasks only; else a dedicated
    endpoint or a server of one's own is needed.
    """

    role: Role
    way: Way
    at_router: bool
    marks: str = ""


def abilities_of(
    model_id: str, facts: ModelFacts | None, *, chats: bool = False
) -> tuple[Ability, ...]:
    """Return the roles of a model; none for one that is only there for its task.

    ``chats``: somebody serves it for conversations.
    """
    family = families.family_by_id(model_id) or (
        None if facts is None else family_of(facts)
    )
    task = "" if facts is None or facts.pipeline_tag is None else facts.pipeline_tag
    kind = None if family is None else family.kind
    if kind is ModelKind.EMBEDDING or (kind is None and task in _VECTORS):
        return (Ability(Role.EMBED, "vectors", at_router=True),)
    if kind is None and task in _PAIRS:
        return (Ability(Role.RERANK, "pairs", at_router=True),)
    if kind is ModelKind.MASK or (kind is None and task not in _WRITES):
        return ()
    if kind is ModelKind.DIALOG:
        return (Ability(Role.CHAT, "turns", at_router=True),)
    if kind is ModelKind.SEQ2SEQ:
        return (
            Ability(Role.CHAT, "text", at_router=False),
            Ability(Role.EDIT, "instruction", at_router=False),
            Ability(Role.APPLY, "instruction", at_router=False),
        )
    tagged = facts is not None and (
        "conversational" in facts.tags or facts.chat_template is not None
    )
    if kind is ModelKind.CHAT or chats or tagged:
        return (
            Ability(Role.CHAT, "turns", at_router=True),
            *_infilling(family),
            Ability(Role.AUTOCOMPLETE, "instruction", at_router=True),
            Ability(Role.EDIT, "instruction", at_router=True),
            Ability(Role.APPLY, "instruction", at_router=True),
        )
    edits = family is not None and family.edit is not None
    commits = (
        Ability(Role.EDIT, "commit", at_router=False),
        Ability(Role.APPLY, "commit", at_router=False),
    )
    prefix = (Ability(Role.AUTOCOMPLETE, "prefix", at_router=False),)
    return (
        Ability(Role.CHAT, "transcript", at_router=False),
        *(_infilling(family) or prefix),
        *(commits if edits else ()),
    )


def _infilling(family: Family | None) -> tuple[Ability, ...]:
    if family is None or family.fim is None:
        return ()
    fim = family.fim
    tokens = (fim.prefix, fim.suffix, fim.middle)
    if fim.suffix_first:
        tokens = (fim.suffix, fim.prefix, fim.middle)
    marks = " ".join(each for each in tokens if each)
    return (Ability(Role.AUTOCOMPLETE, "infill", at_router=False, marks=marks),)
