"""The family that the Hub tells of a model that id and server leave unexplained."""

from __future__ import annotations

import logging
from typing import Final

from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.hub.model_facts import family_of
from bytebuddy_provider_hf.hub.models_api import repository
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.wire.server import Server

_log: Final = logging.getLogger(__name__)


async def hub_family(
    endpoint: Endpoint, server: Server, state: LoopState, *, limit: float
) -> Family | None:
    """Return the family that the Hub tells within ``limit`` seconds, or ``None``.

    Only models that Hugging Face serves are asked about, without a token, and once: a
    private server works where the Hub is not reached. No failure of the Hub's leaves
    here.
    """
    model = _hub_id(endpoint, server)
    if not limit or endpoint.hub is None or model is None:
        return None
    with state.clients.lend(endpoint.hub) as channel:
        facts = await state.hub.facts(model, channel, limit=limit)
    found = None if facts is None else family_of(facts)
    if found is not None:
        _log.debug("%s is of the family %s, by the Hub", model, found.name)
    return found


def _hub_id(endpoint: Endpoint, server: Server) -> str | None:
    """Return the id of the model on the Hub: of what the server loaded, if it tells.

    What a routed provider calls a model is no id of the Hub.
    """
    asked = endpoint.target.model
    if endpoint.target.host_kind is not HostKind.ENDPOINT:
        return repository(asked)
    said = (server.loaded_model or "", server.name_for(asked), asked)
    return next(filter(None, map(repository, said)), None)
