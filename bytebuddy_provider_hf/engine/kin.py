"""What the Hub tells of a model that neither its id nor its server explains."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from attrs import define

from bytebuddy_provider_hf.catalogue.facts import family_of
from bytebuddy_provider_hf.catalogue.hub import repository
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.runtime import LoopState
from bytebuddy_provider_hf.prompts.family import Family
from bytebuddy_provider_hf.wire.amend import Amendments
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.target import Place

_log: Final = logging.getLogger("bytebuddy.huggingface")

# The call itself gets the rest of its time.
_SHARE: Final = 0.25


@define  # made once a call of a model that nobody here knows
class Met:
    """A model met at a server, by a call that has so many seconds left."""

    way: Route
    server: Server
    made: Amendments
    left: float

    async def family(
        self, worth: Callable[[Server, bool], float], state: LoopState
    ) -> Family | None:
        """Return the family that the Hub tells, where that is worth its time.

        Only models that Hugging Face serves are asked about, without a token, and
        once: a private server works where the Hub is not reached. No failure of the
        Hub's leaves here.
        """
        seconds = worth(self.made.narrowed(self.server), self.made.untemplated)
        if not seconds:
            return None
        hub, model = self.way.hub, self._hub_id
        if hub is None or model is None:
            return None
        limit = min(seconds, self.left * _SHARE)
        facts = await state.catalogue.facts(model, state.channel(hub), limit=limit)
        found = None if facts is None else family_of(facts)
        if found is not None:
            _log.debug("%s is of the family %s, by the Hub", model, found.name)
        return found

    @property
    def _hub_id(self) -> str | None:
        """The id of the model on the Hub: of what the server loaded, if it tells.

        What a routed provider calls a model is no id of the Hub.
        """
        asked = self.way.target.model
        if self.way.target.place is not Place.ENDPOINT:
            return repository(asked)
        said = (self.server.weights or "", self.server.name_for(asked), asked)
        return next(filter(None, map(repository, said)), None)
