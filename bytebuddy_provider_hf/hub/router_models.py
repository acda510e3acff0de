"""Ask the router who serves a model now, at what price, and what is served near it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.address import ROUTER
from bytebuddy_provider_hf.hub.answer_cache import (
    AnswerCache,
    AnswerStore,
    fetch_answer,
)
from bytebuddy_provider_hf.hub.models_api import repository
from bytebuddy_provider_hf.lenient_json import lenient_integer, lenient_text, loads
from bytebuddy_provider_hf.money import Price, nano_usd
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.floats import number
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
# There are some twenty providers in all.
_MOST_OFFERS: Final = 64
# Any other text of a stranger would stand in an error's hint, too.
PROVIDER: Final = re.compile(r"[A-Za-z0-9][\w.\-]{0,63}", re.ASCII)
_MODELS: Final = "/v1/models"
# Tokens a second, and milliseconds: whoever tells more measured nothing.
_MOST_MEASURED: Final = 10**7


@frozen
class Offer:
    """What the catalogue tells of one provider of a model; ``None`` is unknown.

    ``is_live``, ``is_free``, ``is_model_author`` and the two abilities are true only
    where it says so; ``is_listed`` is true too where it names a provider without a
    status. ``throughput`` is in tokens a second, ``first_token_ms`` what the first one
    took, both of the router's latest probe.
    """

    provider: str
    is_live: bool = False
    is_listed: bool = False
    price: Price | None = None
    context_length: int | None = None
    supports_tools: bool = False
    supports_structured_output: bool = False
    throughput: float | None = None
    first_token_ms: float | None = None
    is_free: bool = False
    is_model_author: bool = False
    status: str = ""


@frozen
class Serving:
    """The providers that serve a model now; where none does, what is served near it."""

    providers: tuple[str, ...]
    neighbours: tuple[str, ...] = ()


@frozen
class ServedModel:
    """A model that the router lists, with what its providers offer.

    ``inputs`` and ``outputs`` are what it reads and writes: text, image, and others.
    """

    id: str
    offers: tuple[Offer, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that serve it now, as many as a hint has room for."""
        listed = [each.provider for each in self.offers if each.is_listed]
        return tuple(listed[:_MOST_PROVIDERS])


class RouterCatalogue:
    """Ask the router who serves a model, once in five minutes; it wants no token.

    ``clock`` tells seconds; ``store`` keeps answers for later processes.
    """

    def __init__(
        self, *, clock: Callable[[], float], store: AnswerStore | None = None
    ) -> None:
        self._clock = clock
        self._store = store
        source = "The router"
        self._models = AnswerCache[ServedModel](
            source, age=_FRESH, clock=clock, store=store, read=_first_model
        )
        self._near = AnswerCache[tuple[str, ...]](source, age=_FRESH, clock=clock)
        self._served = AnswerCache[tuple[ServedModel, ...]](
            source, age=_FRESH, clock=clock, store=store, read=read_models
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

        async def ask_near() -> tuple[str, ...] | None:
            # One list for all models: kept by itself, it is asked for once.
            served = await self._ask_all(client, limit=LIMIT)
            return None if served is None else neighbours(name, served)

        until = self._clock() + limit
        served = await self._ask_model(name, client, limit=limit)
        if served is None or served.providers:
            return None if served is None else Serving(served.providers)
        # Nobody serves it: the rest of the time goes to what is spelt like it.
        left, key = until - self._clock(), name.lower()
        return Serving((), await self._near.get(key, ask_near, limit=left) or ())

    async def offers(
        self, model: str, client: HttpClient, *, limit: float = LIMIT
    ) -> tuple[Offer, ...]:
        """Return what providers offer ``model``; none where ``limit`` is too short."""
        name = repository(model)
        served = None
        if name is not None:
            served = await self._ask_model(name, client, limit=limit)
        return () if served is None else served.offers

    async def model(
        self, model: str, client: HttpClient | None, *, limit: float = LIMIT
    ) -> tuple[ServedModel, float] | None:
        """Return what the router told last of ``model``, and its age in seconds.

        Without ``client`` nobody is asked: only what is kept counts.
        """
        name = repository(model)
        if name is None:
            return None
        if client is not None:
            await self._ask_model(name, client, limit=limit)
        else:
            await self._models.restore(name.lower(), f"{ROUTER}{_MODELS}/{name}")
        return self._models.known(name.lower())

    async def models(
        self, client: HttpClient | None, *, limit: float = LIMIT
    ) -> tuple[tuple[ServedModel, ...], float] | None:
        """Return all models as the router listed them last, and their age in seconds.

        Without ``client`` nobody is asked: only what is kept counts.
        """
        if client is not None:
            await self._ask_all(client, limit=limit)
        else:
            await self._served.restore(_MODELS, f"{ROUTER}{_MODELS}")
        return self._served.known(_MODELS)

    def known_offers(self, model: str) -> tuple[tuple[Offer, ...], float] | None:
        """Return what was told last of a model's offers, and its age in seconds.

        Of memory only, which holds what was asked for or restored in this process: the
        model itself, or the list of all, whichever was told later.
        """
        name = repository(model)
        if name is None:
            return None
        found = self._models.known(name.lower())
        listed = self._served.known(_MODELS)
        if listed is not None and (found is None or listed[1] < found[1]):
            for each in listed[0]:
                if each.id.lower() == name.lower():
                    return each.offers, listed[1]
        return None if found is None else (found[0].offers, found[1])

    def price_of(self, model: str, provider: str) -> tuple[Price, float] | None:
        """Return what a provider takes for a model, and how old that figure is."""
        known = self.known_offers(model)
        if known is None:
            return None
        offers, age = known
        prices = (each.price for each in offers if each.provider == provider)
        price = next(prices, None)
        return None if price is None else (price, age)

    async def _ask_model(
        self, name: str, client: HttpClient, *, limit: float
    ) -> ServedModel | None:
        path = f"{_MODELS}/{name}"

        async def ask() -> ServedModel | None:
            status, body = await _ask(path, client)
            if status == _NOT_FOUND:
                # An answer: nobody serves it.
                body = json.dumps({"id": name, "providers": []}).encode()
            found = None if body is None else _first_model(body)
            if self._store is not None and body is not None and found is not None:
                self._store.put(f"{ROUTER}{path}", body)
            return found

        key = f"{ROUTER}{path}"
        return await self._models.get(name.lower(), ask, limit=limit, key=key)

    async def _ask_all(
        self, client: HttpClient, *, limit: float
    ) -> tuple[ServedModel, ...] | None:
        async def ask() -> tuple[ServedModel, ...] | None:
            _, body = await _ask(_MODELS, client)
            found = None if body is None else read_models(body)
            if self._store is not None and body is not None and found:
                self._store.put(f"{ROUTER}{_MODELS}", body)
            return found

        key = f"{ROUTER}{_MODELS}"
        return await self._served.get(_MODELS, ask, limit=limit, key=key)


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
            offers = (_offer(each) for each in providers if isinstance(each, dict))
            named = tuple(offer for offer in offers if offer is not None)
            told = item.get("architecture")
            made = told if isinstance(told, dict) else {}
            read, written = (
                _words(made.get(f"{way}_modalities")) for way in ("input", "output")
            )
            found.append(ServedModel(model, named[:_MOST_OFFERS], read, written))
    return tuple(found)


def _first_model(data: bytes) -> ServedModel | None:
    found = read_models(data)
    return found[0] if found else None


def _words(said: object) -> tuple[str, ...]:
    """Return short words out of a list of a stranger's."""
    listed = said if isinstance(said, list) else []
    return tuple(
        each
        for each in listed[:_MOST_PROVIDERS]
        if isinstance(each, str) and PROVIDER.fullmatch(each)
    )


def neighbours(model: str, served: Iterable[ServedModel]) -> tuple[str, ...]:
    """Return the ids spelt most like ``model`` of those that somebody serves."""
    ids = {each.id.casefold(): each.id for each in served if each.providers}
    ids.pop(model.casefold(), None)
    import difflib  # for a failure only; it would take 6 ms of each start

    close = difflib.get_close_matches(model.casefold(), ids, n=_MOST_NEIGHBOURS)
    return tuple(ids[each] for each in close)


def _offer(said: Mapping[str, object]) -> Offer | None:
    """Return what is told of a provider, ``None`` where its name is none."""
    name = lenient_text(said.get("provider")) or ""
    if not PROVIDER.fullmatch(name):
        return None
    status, pricing = said.get("status", ""), said.get("pricing")
    is_free = said.get("is_free") is True
    price = Price(0, 0) if is_free else None
    if price is None and isinstance(pricing, dict):
        read, written = (
            nano_usd(pricing.get("input")),
            nano_usd(pricing.get("output")),
        )
        if read is not None and written is not None:
            price = Price(read, written)
    window = lenient_integer(said.get("context_length"))
    return Offer(
        name,
        is_live=status == "live",
        is_listed=status in ("", "live"),
        price=price,
        context_length=window if window is not None and window > 0 else None,
        supports_tools=said.get("supports_tools") is True,
        supports_structured_output=said.get("supports_structured_output") is True,
        throughput=_positive(said.get("throughput")),
        first_token_ms=_positive(said.get("first_token_latency_ms")),
        is_free=is_free,
        is_model_author=said.get("is_model_author") is True,
        status=status if isinstance(status, str) and PROVIDER.fullmatch(status) else "",
    )


def _positive(said: object) -> float | None:
    found = number(said)
    return found if found is not None and 0 < found <= _MOST_MEASURED else None


async def _ask(path: str, client: HttpClient) -> tuple[int, bytes | None]:
    """Return the status of an answer of the router's, and its body if it is good."""
    question = HttpRequest(f"{ROUTER}{path}", method="GET")
    status, _, body = await fetch_answer(question, client, most=_LARGEST_ANSWER)
    return status, body if status == _OK else None
