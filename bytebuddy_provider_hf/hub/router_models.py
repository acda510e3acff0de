"""Ask the router who serves a model now, and what is served near it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.address import ROUTER
from bytebuddy_provider_hf.hub.cache import AnswerCache, fetch_answer
from bytebuddy_provider_hf.hub.models_api import repository
from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

# Seconds. A failure waits no longer for what would explain it.
LIMIT: Final = 3.0

# Providers come and go within the day, and fail within the hour.
_FRESH: Final = 300.0
_OK: Final = 200
_NOT_FOUND: Final = 404
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_MOST_MODELS: Final = 1_000
# They end in a hint, for people.
_MOST_PROVIDERS: Final = 8
_MOST_NEIGHBOURS: Final = 3
# Any other text of a stranger would stand in an error's hint, too.
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][\w.\-]{0,63}", re.ASCII)
_MODELS: Final = "/v1/models"


@frozen
class Serving:
    """The providers that serve a model now; where none does, what is served near it."""

    providers: tuple[str, ...]
    neighbours: tuple[str, ...] = ()


@frozen
class ServedModel:
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
        self._providers = AnswerCache[tuple[str, ...]](source, age=_FRESH, clock=clock)
        self._near = AnswerCache[tuple[str, ...]](source, age=_FRESH, clock=clock)
        self._served = AnswerCache[tuple[ServedModel, ...]](
            source, age=_FRESH, clock=clock
        )

    async def serving(
        self, model: str, client: HttpClient, *, limit: float = LIMIT
    ) -> Serving | None:
        """Return who serves ``model``; ``None`` where ``limit`` seconds do not tell.

        ``client`` leads to the router.
        """
        name = repository(model)
        if name is None:
            return None

        async def ask_providers() -> tuple[str, ...] | None:
            status, found = await _ask(f"{_MODELS}/{name}", client)
            if status == _NOT_FOUND:
                return ()  # an answer: nobody serves it
            return found[0].providers if found else None

        async def ask_all() -> tuple[ServedModel, ...] | None:
            return (await _ask(_MODELS, client))[1]

        async def ask_near() -> tuple[str, ...] | None:
            # One list for all models: kept by itself, it is asked for once.
            served = await self._served.get(_MODELS, ask_all, limit=LIMIT)
            return None if served is None else neighbours(name, served)

        key, until = name.lower(), self._clock() + limit
        providers = await self._providers.get(key, ask_providers, limit=limit)
        if providers is None or providers:
            return None if providers is None else Serving(providers)
        # Nobody serves it: the rest of the time goes to what is spelt like it.
        left = until - self._clock()
        return Serving((), await self._near.get(key, ask_near, limit=left) or ())


def read_models(data: bytes) -> tuple[ServedModel, ...] | None:
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
    found = []
    for item in items[:_MOST_MODELS]:
        if not isinstance(item, dict):
            continue
        model, providers = lenient_text(item.get("id")), item.get("providers")
        if model and repository(model) == model and isinstance(providers, list):
            names = [
                lenient_text(each.get("provider")) or ""
                for each in providers
                if isinstance(each, dict) and each.get("status", "live") == "live"
            ]
            live = tuple(name for name in names if _PROVIDER.fullmatch(name))
            found.append(ServedModel(model, live[:_MOST_PROVIDERS]))
    return tuple(found)


def neighbours(model: str, served: Iterable[ServedModel]) -> tuple[str, ...]:
    """Return the ids spelt most like ``model`` of those that somebody serves."""
    ids = {each.id.casefold(): each.id for each in served if each.providers}
    ids.pop(model.casefold(), None)
    import difflib  # for a failure only; it would take 6 ms of each start

    close = difflib.get_close_matches(model.casefold(), ids, n=_MOST_NEIGHBOURS)
    return tuple(ids[each] for each in close)


async def _ask(
    path: str, client: HttpClient
) -> tuple[int, tuple[ServedModel, ...] | None]:
    """Return the status of an answer of the router's, and its models if it is good."""
    question = HttpRequest(f"{ROUTER}{path}", method="GET")
    status, _, body = await fetch_answer(question, client, most=_LARGEST_ANSWER)
    return status, read_models(body) if status == _OK else None
