"""The router's catalogue: who serves a model now, and what is served near it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.catalogue.hub import repository
from bytebuddy_provider_hf.catalogue.kept import KeptAnswers, answer
from bytebuddy_provider_hf.transport.port import Channel
from bytebuddy_provider_hf.wire.call import Call
from bytebuddy_provider_hf.wire.decode.lenient import loads, text
from bytebuddy_provider_hf.wire.target import ROUTER

# Seconds. A failure waits no longer for what would explain it.
LIMIT: Final = 3.0

# Providers come and go within the day, and fail within the hour.
_FRESH: Final = 300.0
_OK: Final = 200
_NOT_FOUND: Final = 404
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_MOST_MODELS: Final = 1_000
_MOST_PROVIDERS: Final = 8
_MOST_NEIGHBOURS: Final = 3
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][\w.\-]{0,63}", re.ASCII)
_MODELS: Final = "/v1/models"


@frozen
class Serving:
    """The providers that serve a model now; where none does, what is served near it."""

    providers: tuple[str, ...]
    neighbours: tuple[str, ...] = ()


@frozen
class Listed:
    """A model that the router lists, with the providers that serve it now."""

    id: str
    providers: tuple[str, ...]


class RouterCatalogue:
    """Ask the router who serves a model, once in five minutes; it wants no token.

    ``clock`` tells seconds.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        source = "The router"
        self._providers = KeptAnswers[tuple[str, ...]](source, age=_FRESH, clock=clock)
        self._near = KeptAnswers[tuple[str, ...]](source, age=_FRESH, clock=clock)
        self._served = KeptAnswers[tuple[Listed, ...]](source, age=_FRESH, clock=clock)

    async def serving(
        self, model: str, channel: Channel, *, limit: float = LIMIT
    ) -> Serving | None:
        """Return who serves ``model``; ``None`` where ``limit`` seconds do not tell.

        ``channel`` leads to the router.
        """
        name = repository(model)
        if name is None:
            return None
        key, until = name.lower(), self._clock() + limit
        providers = await self._providers.find(
            key, lambda: _providers_of(name, channel), limit=limit
        )
        if providers is None or providers:
            return None if providers is None else Serving(providers)
        near = await self._near.find(
            key, lambda: self._nearest(name, channel), limit=until - self._clock()
        )
        return Serving((), near or ())

    async def _nearest(self, name: str, channel: Channel) -> tuple[str, ...] | None:
        served = await self._served.find(
            _MODELS, lambda: _all_served(channel), limit=LIMIT
        )
        return None if served is None else neighbours(name, served)


def read(data: bytes) -> tuple[Listed, ...] | None:
    """Return the models in an answer of the catalogue, or ``None``; total.

    A model's object comes alone, or as ``data``; the list of all has it as its items
    (docs/inference-providers/hub-api.md of Hugging Face's documentation).
    """
    value = loads(data)
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return None
    return tuple(_listed(items[:_MOST_MODELS]))


def neighbours(model: str, served: Iterable[Listed]) -> tuple[str, ...]:
    """Return the ids spelt most like ``model`` of those that somebody serves."""
    ids = {each.id.casefold(): each.id for each in served if each.providers}
    ids.pop(model.casefold(), None)
    close = difflib.get_close_matches(model.casefold(), ids, n=_MOST_NEIGHBOURS)
    return tuple(ids[each] for each in close)


async def _providers_of(name: str, channel: Channel) -> tuple[str, ...] | None:
    question = Call(f"{ROUTER}{_MODELS}/{name}", method="GET")
    status, _, body = await answer(question, channel, most=_LARGEST_ANSWER)
    if status == _NOT_FOUND:
        return ()
    found = read(body) if status == _OK else None
    return found[0].providers if found else None


async def _all_served(channel: Channel) -> tuple[Listed, ...] | None:
    question = Call(f"{ROUTER}{_MODELS}", method="GET")
    status, _, body = await answer(question, channel, most=_LARGEST_ANSWER)
    return read(body) if status == _OK else None


def _listed(items: Iterable[object]) -> Iterator[Listed]:
    for item in items:
        if not isinstance(item, dict):
            continue
        model, providers = text(item.get("id")), item.get("providers")
        if model and repository(model) == model and isinstance(providers, list):
            yield Listed(model, tuple(_live(providers))[:_MOST_PROVIDERS])


def _live(providers: Iterable[object]) -> Iterator[str]:
    for item in providers:
        if not isinstance(item, dict) or item.get("status", "live") != "live":
            continue
        name = text(item.get("provider"))
        if name and _PROVIDER.fullmatch(name):
            yield name
