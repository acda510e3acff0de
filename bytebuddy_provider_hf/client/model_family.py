"""Find the family of a model: by the entry, by its id, by what a server loaded."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.wire.server import Server

# A model of which only this is known: its server has no chat template for it.
UNKNOWN_BASE: Final = Family("a base model", ModelKind.BASE)

# Seconds that asking the Hub may take: for an answer that cannot be given otherwise,
# and for a better guess at a cursor.
_FOR_CHAT: Final = 10.0
_FOR_FILL: Final = 2.0

_TASKS: Final = {
    ModelKind.MASK: "It fills masks: use task('fill-mask', …).",
    ModelKind.EMBEDDING: "It makes vectors: use embed().",
}
_FOR_CODE: Final = (
    "Give the role to a model of code (StarCoder, Qwen2.5-Coder, …) or to one tuned to "
    "follow instructions."
)


def family_of_entry(entry: ModelEntry) -> Family | None:
    """Return the family an entry names, or that of its model's exact id.

    Raises ``InvalidOption`` for a family that does not exist.
    """
    templates = entry.prompt_templates
    named = entry.family or (templates and templates.chat)
    found = (
        families.family_by_id(entry.model)
        if not named
        else families.family_by_name(named)
    )
    if named and found is None:
        raise InvalidOption(
            f"There is no family '{named}'.",
            hint=f"One of: {', '.join(families.FAMILIES)}.",
        )
    if found is not None and entry.context_length is not None:
        return evolve(found, window=entry.context_length)
    return found


def family_for(family: Family | None, server: Server) -> Family | None:
    """Return the family, told by the model that the server loaded if need be."""
    if family is not None:
        return family
    loaded = server.loaded_model or server.model
    return families.family_by_id(loaded) if loaded else None


def hub_seconds_for_chat(
    family: Family | None, server: Server, *, no_template: bool
) -> float:
    """Return how many seconds a conversation may ask the Hub, at a server.

    It wants the Hub's word where the template is ours to write: nobody here knows the
    model, and the server has none.
    """
    templated = "chat" in server.routes and not no_template
    return 0.0 if templated or family_for(family, server) is not None else _FOR_CHAT


def hub_seconds_for_fill(
    family: Family | None, server: Server, target: Target
) -> float:
    """Return how many seconds filling a gap may ask the Hub, at a server.

    It wants the Hub's word where the infilling tokens are ours to write.
    """
    ours = accepts_raw_prompt(server, target) and "infill" not in server.routes
    return _FOR_FILL if ours and family_for(family, server) is None else 0.0


def accepts_raw_prompt(server: Server, target: Target) -> bool:
    """Whether a server takes a raw prompt, so that its template is ours to write."""
    routes = server.routes
    if "completions" in routes and not target.router_picks_provider:
        return True
    return "generate" in routes or ("tasks" in routes and "completions" not in routes)


def refuse_non_generative(family: Family | None, model: str, role: str) -> None:
    """Raise ``UnsupportedRole`` for a model that generates no text."""
    if family is not None and family.kind in _TASKS:
        raise UnsupportedRole(
            f"{model} cannot {role}: it generates no text.", hint=_TASKS[family.kind]
        )


def refuse_dialog_only(family: Family | None, model: str, role: str) -> None:
    """Raise ``UnsupportedRole`` for a model that was trained on talk alone."""
    if family is not None and family.kind is ModelKind.DIALOG:
        raise UnsupportedRole(
            f"{model} was trained on talk alone: it cannot {role}.", hint=_FOR_CODE
        )


def refuse_seq2seq(family: Family | None, model: str, role: str) -> None:
    """Raise ``UnsupportedRole`` for a model that answers and does not continue."""
    if family is not None and family.kind is ModelKind.SEQ2SEQ:
        raise UnsupportedRole(
            f"{model} answers a text and does not continue one: it cannot {role}.",
            hint=_FOR_CODE,
        )


def no_template_error(model: str) -> UnsupportedRole:
    """Return the refusal of a model without a template behind a server that chats."""
    return UnsupportedRole(
        f"{model} has no chat template, and this server only has a chat route.",
        hint="Serve it from a dedicated endpoint (TGI, vLLM) or llama.cpp and write "
        "its address as apiBase, or use a model tuned to follow instructions.",
    )
