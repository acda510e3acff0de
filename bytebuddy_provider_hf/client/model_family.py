"""Find the family of a model: by entry, by id, by what a server loaded, by the Hub."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import InvalidOption, UnsupportedRole
from bytebuddy_provider_hf.hub.model_facts import family_of
from bytebuddy_provider_hf.hub.models_api import repository
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.server import Server

_log: Final = logging.getLogger(__name__)

# A model of which only this is known: its server has no chat template for it.
UNKNOWN_BASE: Final = Family("a base model", ModelKind.BASE)

# Seconds that asking the Hub may take: for an answer that cannot be given otherwise,
# and for a better guess at a cursor.
_FOR_CHAT: Final = 10.0
_FOR_FILL: Final = 2.0

_TASKS: Final[Mapping[ModelKind, Callable[[str], str]]] = {
    ModelKind.MASK: lambda model: text("roles.use_fill_mask", model=model),
    ModelKind.EMBEDDING: lambda model: text("roles.use_embed", model=model),
}
# What a role does, as a refusal says it. Names until then: each call is checked, and
# few are refused.
DOING: Final = {
    "chat": partial(text, "roles.chat"),
    "edit": partial(text, "roles.edit"),
    "edit code": partial(text, "roles.edit_code"),
    "apply a change": partial(text, "roles.apply_change"),
    "fill": partial(text, "roles.fill"),
    "fill a gap": partial(text, "roles.fill_gap"),
}


def family_of_entry(entry: ModelEntry) -> Family | None:
    """Return the family an entry names, or that of its model's exact id.

    Raises ``InvalidOption`` for a family that does not exist.
    """
    templates = entry.prompt_templates
    if named := entry.family or (templates.chat if templates else None):
        found = families.family_by_name(named)
        if found is None:
            known = ", ".join(families.load_families().by_name)
            raise InvalidOption(
                text("roles.no_family", named=named),
                hint=text("wire.one_of", names=known),
            )
    else:
        found = families.family_by_id(entry.model)
    if found is not None and entry.context_length is not None:
        return evolve(found, window=entry.context_length)
    return found


def family_for(family: Family | None, server: Server) -> Family | None:
    """Return the family if known, else that of the model that the server loaded."""
    if family is not None:
        return family
    # llama.cpp and TGI name the weights they loaded, whatever the entry calls them.
    loaded = server.loaded_model or server.model
    return families.family_by_id(loaded) if loaded else None


def hub_seconds_for_chat(
    family: Family | None, server: Server, *, no_template: bool
) -> float:
    """Return how many seconds a conversation may ask the Hub, at a server.

    The Hub is asked where the template is ours to write: the model is in no table here,
    and the server applies none.
    """
    templated = "chat" in server.routes and not no_template
    return 0.0 if templated or family_for(family, server) is not None else _FOR_CHAT


def hub_seconds_for_fill(
    family: Family | None, server: Server, target: Target
) -> float:
    """Return how many seconds filling a gap may ask the Hub, at a server.

    The Hub is asked where the infilling tokens are ours to write.
    """
    ours = accepts_raw_prompt(server, target) and "infill" not in server.routes
    return _FOR_FILL if ours and family_for(family, server) is None else 0.0


async def hub_family(
    endpoint: Endpoint, server: Server, state: LoopState, *, limit: float
) -> Family | None:
    """Return the family that the Hub tells within ``limit`` seconds, or ``None``.

    Only models that Hugging Face serves are asked about, without a token, and once: a
    private server works where the Hub is not reached. No failure of the Hub's leaves
    here.
    """
    asked = endpoint.target.model
    if endpoint.target.runs_own_container:
        # Such a server may call a model anything; the weights tell which it is.
        names = (server.loaded_model or "", server.name_for(asked), asked)
        model = next(filter(None, map(repository, names)), None)
    else:
        # What a routed provider calls a model is no id of the Hub.
        model = repository(asked)
    if not limit or endpoint.hub is None or model is None:
        return None
    with state.clients.lend(endpoint.hub) as channel:
        facts = await state.hub.facts(model, channel, limit=limit)
    found = None if facts is None else family_of(facts)
    if found is not None:
        _log.debug("%s is of the family %s, by the Hub", model, found.name)
    return found


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
            text("roles.no_text", model=model, role=DOING[role]()),
            hint=_TASKS[family.kind](model),
        )


def refuse_dialog_only(family: Family | None, model: str, role: str) -> None:
    """Raise ``UnsupportedRole`` for a model that was trained on dialogues alone."""
    if family is not None and family.kind is ModelKind.DIALOG:
        raise UnsupportedRole(
            text("roles.only_talk", model=model, role=DOING[role]()),
            hint=text("roles.model_for_code"),
        )


def refuse_seq2seq(family: Family | None, model: str, role: str) -> None:
    """Raise ``UnsupportedRole`` for a model that answers instead of continuing."""
    if family is not None and family.kind is ModelKind.SEQ2SEQ:
        raise UnsupportedRole(
            text("roles.only_answers", model=model, role=DOING[role]()),
            hint=text("roles.model_for_code"),
        )


def no_template_error(model: str) -> UnsupportedRole:
    """Return the refusal of a model without a template behind a server that chats."""
    return UnsupportedRole(
        text("roles.no_template", model=model),
        hint=text("roles.no_template_hint"),
    )
