"""Search, show and suggest models: what the router and the Hub tell, put together.

Nothing is asked where every address in use is private, or where the environment says
offline; then only what was kept counts. No token is sent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.address import HUB, ROUTER, HostKind, parse, resolve
from bytebuddy_provider_hf.client.abilities import Ability, abilities_of
from bytebuddy_provider_hf.client.endpoint import anonymous_way, endpoint_for
from bytebuddy_provider_hf.client.runtime import Runtime, defaults
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import user_folder
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConnectionFailed,
    InvalidOption,
    ModelNotFound,
)
from bytebuddy_provider_hf.hub import nearness
from bytebuddy_provider_hf.hub.model_card import ModelCard
from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.hub.models_api import ModelQuery
from bytebuddy_provider_hf.hub.router_models import Offer, ServedModel
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import (
    Credential,
    credential_for,
    refuse_placeholder,
)

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.runtime import LoopState
    from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient

SortKey: TypeAlias = Literal["price", "speed", "context", "likes"]

# Seconds. Somebody asked for the answer and waits for it.
LIMIT: Final = 15.0
LIVE_LIMIT: Final = 2.0
# What a question and an answer are reckoned to have where nobody says.
PROMPT_TOKENS: Final = 1_000
ANSWER_TOKENS: Final = 500

_CHAT_TASKS: Final = frozenset({"", "text-generation", "conversational"})
_MOST_LISTED: Final = 200
_MILLI: Final = 1_000


@frozen
class ModelFilter:
    """What a model must have to be found.

    One provider alone must fit all that is said of price, context and abilities.

    Args:
        task: The task, as the Hub calls it: text-generation, feature-extraction, …
        provider: The provider that serves it.
        licence: Its licence, as the Hub calls it, such as apache-2.0.
        max_price: The most that a million written tokens may cost, in 10⁻⁹ USD.
        min_context: The least tokens that it reads.
        with_tools: Only where tools are taken.
        with_structured_output: Only where answers can be held to a JSON schema.
        is_warm: Only what is served now.
        is_gated: Only what is gated, or with ``False`` only what is not.
    """

    task: str = ""
    provider: str = ""
    licence: str = ""
    max_price: int | None = None
    min_context: int | None = None
    with_tools: bool = False
    with_structured_output: bool = False
    is_warm: bool = False
    is_gated: bool | None = None

    @property
    def is_about_offers(self) -> bool:
        """Whether only a model that somebody serves can fit."""
        return bool(
            self.provider
            or self.max_price is not None
            or self.min_context is not None
            or self.with_tools
            or self.with_structured_output
            or self.is_warm
        )

    def admits(self, facts: ModelFacts | None) -> bool:
        """Return whether the Hub says of a model that licence and gate are as asked.

        Args:
            facts: What the Hub tells of the model; ``None`` if it does not.
        """
        if facts is None:
            return not self.licence and self.is_gated is None
        marks = (facts.licence or "", *facts.tags)
        free = not self.licence or {self.licence, f"license:{self.licence}"} & {*marks}
        return bool(free) and self.is_gated in (None, facts.gated)

    def fits(self, offer: Offer) -> bool:
        """Return whether the catalogue says that an offer is as asked for.

        Args:
            offer: What a provider offers of the model.
        """
        if not offer.is_listed or (self.provider and offer.provider != self.provider):
            return False
        dear = self.max_price is not None and (
            offer.price is None or offer.price.output > self.max_price
        )
        short = self.min_context is not None and (
            offer.context_length is None or offer.context_length < self.min_context
        )
        return not (
            dear
            or short
            or (self.with_tools and not offer.supports_tools)
            or (self.with_structured_output and not offer.supports_structured_output)
        )


@frozen
class FoundModel:
    """A model of a search, with the offers that fit; ``facts`` are the Hub's."""

    id: str
    offers: tuple[Offer, ...] = ()
    facts: ModelFacts | None = None

    @property
    def cheapest(self) -> Offer | None:
        """The offer with the lowest price of a written token."""
        return nearness.cheapest(self.offers)

    @property
    def context_length(self) -> int | None:
        """The longest context that one of them offers."""
        return max(filter(None, (o.context_length for o in self.offers)), default=None)

    @property
    def throughput(self) -> float | None:
        """Tokens a second of the fastest one."""
        return max(filter(None, (o.throughput for o in self.offers)), default=None)

    @property
    def first_token_ms(self) -> float | None:
        """Milliseconds to the first token of the one that begins soonest."""
        return min(filter(None, (o.first_token_ms for o in self.offers)), default=None)

    @property
    def likes(self) -> int | None:
        """How many people like it on the Hub."""
        return None if self.facts is None else self.facts.likes

    @property
    def parameters(self) -> int | None:
        """How many parameters it has, by its weights or its name."""
        return nearness.profile_of(self.id, self.facts).parameters


@frozen
class Search:
    """What a search found. ``age`` is that of the oldest answer, in seconds.

    ``is_whole``: router and Hub both told, now or earlier.
    """

    models: tuple[FoundModel, ...]
    age: float
    is_whole: bool


@frozen
class Estimate:
    """What a call of a certain size costs at a provider, and how long it takes.

    ``cost`` is in 10⁻⁹ USD, ``seconds`` to the last token; ``None`` is unknown.
    """

    provider: str
    cost: int | None = None
    seconds: float | None = None


@frozen
class ModelPage:
    """All that is known of a model, for people who choose one.

    ``id`` is its present one, ``asked`` the one that was asked for. ``cheapest`` and
    ``fastest`` are for a call of ``prompt_tokens`` and ``answer_tokens``. Unless
    ``router_told``, who serves it is known by the Hub's word alone.
    """

    id: str
    asked: str
    offers: tuple[Offer, ...]
    facts: ModelFacts | None
    card: ModelCard
    abilities: tuple[Ability, ...]
    age: float
    prompt_tokens: int = PROMPT_TOKENS
    answer_tokens: int = ANSWER_TOKENS
    cheapest: Estimate | None = None
    fastest: Estimate | None = None
    router_told: bool = True

    @property
    def is_served(self) -> bool:
        """Whether some provider behind the router serves it now."""
        return any(each.is_listed for each in self.offers)


@frozen
class Neighbours:
    """Living models near one. ``age`` is that of the list of living models, in seconds.

    Where nobody could be asked, ``snapshot`` is the day of the package's own list.
    """

    wanted: nearness.Profile
    suggestions: tuple[nearness.Suggestion, ...]
    is_served: bool = False
    age: float | None = None
    snapshot: date | None = None


@frozen
class ServedAt:
    """What a server tells of itself; ``None``: it does not say."""

    base: str
    server: str
    models: tuple[str, ...] = ()
    loaded_model: str | None = None
    context_length: int | None = None
    max_input: int | None = None
    routes: tuple[str, ...] = ()
    abilities: Mapping[str, tuple[str, ...]] = field(factory=dict)


def all_private(bases: Iterable[str | None]) -> bool:
    """Return whether there are addresses in use, and none is Hugging Face's."""
    found = []
    for base in bases:
        try:
            found.append(resolve("owner/name", base).is_hugging_face)
        except ByteBuddyError:
            # What cannot be sent to tells nothing of where models are.
            continue
    return bool(found) and not any(found)


class Catalogue:
    """Ask the router and the Hub about models, in an ``async with`` block.

    What was told is kept on disk with its age, and counts then.

    Args:
        bases: The ``api_base`` of the models in use, ``None`` for the default one:
            where all are private nothing is asked, as with ``HF_HUB_OFFLINE``.
        runtime: Whose connections to use; by default those that all models share.
        env: The variables to use in place of the process's.
        options: How to connect.
        limit: Seconds that a question may take.
    """

    def __init__(
        self,
        *,
        bases: Iterable[str | None] = (),
        runtime: Runtime | None = None,
        env: Mapping[str, str] | None = None,
        options: RequestOptions | None = None,
        limit: float = LIMIT,
    ) -> None:
        variables = Environment(os.environ if env is None else env)
        options = options or RequestOptions(connect_timeout=min(limit, 5.0))
        self._env = variables
        self._options = options
        self._limit = limit
        self.is_private = all_private(bases)
        self._router: Destination | None = None
        self._hub: Destination | None = None
        if not self.is_private:
            self._router = anonymous_way(ROUTER, options, variables)
            self._hub = anonymous_way(HUB, options, variables)
        self._lease = (runtime or defaults.runtime).lease()

    @property
    def may_ask(self) -> bool:
        """Whether anybody is asked; else only what was kept counts."""
        return self._router is not None

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._lease.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def search(
        self,
        said: str = "",
        *,
        wanted: ModelFilter | None = None,
        sort: SortKey | None = None,
        limit: int = 20,
    ) -> Search:
        """Return the models whose id has every word of ``said``, and that fit.

        Args:
            said: Words that the id has; none finds every model.
            wanted: What the model must have.
            sort: price, speed, context or likes: the best first, unknown last.
                Without it those that are served come first, then by likes.
            limit: The most models to return.

        Raises:
            ConnectionFailed: Nobody told anything, now or earlier.
        """
        wanted = wanted or ModelFilter()
        words = said.lower().split()
        served = wanted.is_about_offers or sort in ("price", "speed", "context")
        query = ModelQuery(
            said.strip(),
            task=wanted.task if wanted.task != "conversational" else "text-generation",
            provider=wanted.provider or ("all" if served else ""),
            licence=wanted.licence,
            is_gated=wanted.is_gated,
        )
        state = self._lease.state()
        with _clients(state, self._router, self._hub) as (router, hub):
            listed, told = await asyncio.gather(
                state.router.models(router, limit=self._limit),
                state.hub.models(query, hub, limit=self._limit),
            )
        if listed is None and told is None:
            raise self._silence(text("models.nothing_listed"))
        models = {} if listed is None else {m.id.lower(): m for m in listed[0]}
        facts = {} if told is None else {f.id.lower(): f for f in told[0]}
        ids = dict.fromkeys(facts)
        if wanted.task in _CHAT_TASKS:
            ids |= dict.fromkeys(models)
        found = []
        for key in ids:
            known = facts.get(key)
            # Asked of the Hub in words of its own: what it answers is looked at, too.
            if not all(word in key for word in words) or not wanted.admits(known):
                continue
            offers = _offers(models.get(key), known)
            fitting = tuple(each for each in offers if wanted.fits(each))
            if served and not fitting:
                continue
            model = models.get(key)
            name = known.id if known else model.id if model else key
            found.append(FoundModel(name, fitting, known))
        found.sort(key=_order(sort))
        ages = [each[1] for each in (listed, told) if each is not None]
        both = listed is not None and told is not None
        return Search(tuple(found[:limit]), max(ages), is_whole=both)

    async def show(
        self,
        model: str,
        *,
        prompt_tokens: int = PROMPT_TOKENS,
        answer_tokens: int = ANSWER_TOKENS,
    ) -> ModelPage:
        """Return all that is known of a model.

        Args:
            model: The id of the model.
            prompt_tokens: The tokens of a question, for the costs.
            answer_tokens: The tokens of an answer, for the costs.

        Raises:
            InvalidModelId: ``model`` is no id.
            ModelNotFound: Neither the router nor the Hub has it.
            ConnectionFailed: Nobody told anything, now or earlier.
        """
        resolve(model)
        # The provider behind an id is no part of what the Hub knows.
        model = model.partition(":")[0]
        state = self._lease.state()
        with _clients(state, self._router, self._hub) as (router, hub):
            served, told = await asyncio.gather(
                state.router.model(model, router, limit=self._limit),
                state.hub.model(model, hub, limit=self._limit),
            )
            facts = None if told is None else told[0]
            name = model if facts is None else facts.id
            if name.lower() != model.lower():
                served = await state.router.model(name, router, limit=self._limit)
            card = None
            if facts is not None:
                card = await state.hub.card(name, hub, limit=self._limit)
        listed = None if served is None else served[0]
        if facts is None and (listed is None or not listed.offers):
            if served is None:
                raise self._silence(text("models.nobody_told", model=model))
            raise ModelNotFound(
                text("models.not_found", model=model),
                hint=text("models.not_found_hint"),
            )
        if listed is not None and facts is None:
            name = listed.id
        offers = _offers(listed, facts)
        ages = [each[1] for each in (served, told, card) if each is not None]
        live = [each for each in offers if each.is_listed]
        return ModelPage(
            id=name,
            asked=model,
            offers=offers,
            facts=facts,
            card=ModelCard() if card is None else card[0],
            abilities=abilities_of(name, facts, chats=bool(listed and live)),
            age=max(ages, default=0.0),
            prompt_tokens=prompt_tokens,
            answer_tokens=answer_tokens,
            cheapest=_best(live, prompt_tokens, answer_tokens, by_cost=True),
            fastest=_best(live, prompt_tokens, answer_tokens, by_cost=False),
            router_told=served is not None,
        )

    async def suggest(self, model: str, *, most: int = nearness.MOST) -> Neighbours:
        """Return living models near one, by the package's own list where none told.

        Args:
            model: The id of the model.
            most: The most models to return.

        Raises:
            InvalidModelId: ``model`` is no id.
        """
        resolve(model)
        # The provider behind an id is no part of what the Hub knows.
        model = model.partition(":")[0]
        state = self._lease.state()
        with _clients(state, self._router, self._hub) as (router, hub):
            listed, told = await asyncio.gather(
                state.router.models(router, limit=self._limit),
                state.hub.model(model, hub, limit=self._limit),
            )
            facts = None if told is None else told[0]
            wanted = nearness.profile_of(model if facts is None else facts.id, facts)
            task = "text-generation"
            if wanted.kind not in (nearness.CHAT, nearness.CODE):
                task = wanted.kind
            query = ModelQuery(task=task, provider="all", limit=_MOST_LISTED)
            near = await state.hub.models(query, hub, limit=self._limit)
        known = {} if near is None else {each.id.lower(): each for each in near[0]}
        living = list(
            nearness.living_profiles(() if listed is None else listed[0], known)
        )
        seen = {each.id.lower() for each in living}
        for key, each in known.items():
            if key not in seen and (offers := _offers(None, each)):
                profile = nearness.profile_of(each.id, each)
                living.append(evolve(profile, id=each.id, provider=offers[0].provider))
        found = nearness.suggest(wanted, living, most=most)
        ages = [each[1] for each in (listed, near) if each is not None]
        age, day = max(ages, default=None), None
        if not found and (listed is None or near is None):
            kept = nearness.snapshot()
            age, day = None, kept.day
            found = nearness.suggest(wanted, kept.living, most=most)
        is_served = any(each.id.lower() == wanted.id.lower() for each in living)
        return Neighbours(wanted, found, is_served, age, day)

    async def live_models(self) -> tuple[FoundModel, ...]:
        """Return models that chat and are served by most providers, the cheapest first.

        None where nobody is asked, or the router does not tell in two seconds.
        """
        if self._router is None:
            return ()
        state = self._lease.state()
        limit = min(self._limit, LIVE_LIMIT)
        with state.clients.lend(self._router) as router:
            listed = await state.router.models(router, limit=limit)
        if listed is None:
            return ()
        found = [
            FoundModel(each.id, tuple(o for o in each.offers if o.is_live and o.price))
            for each in listed[0]
        ]
        return tuple(
            sorted(
                (each for each in found if each.offers),
                key=lambda it: (-len(it.offers), _order("price")(it)),
            )
        )

    async def served_at(
        self, base: str, *, api_key: Secret | None = None, state_dir: Path | None = None
    ) -> ServedAt:
        """Return what a server of one's own serves.

        Args:
            base: The address of the server.
            api_key: Its key; by default the one that a call to that address would send.
            state_dir: Where a login is found; by default ``~/.bytebuddy``.

        Raises:
            InvalidOption: It is the router, which is searched instead.
            ByteBuddyError: What any call would meet there.
        """
        from bytebuddy_provider_hf.client.server_info import probe

        address = parse(base)
        if address.host_kind in (HostKind.ROUTER, HostKind.HUB):
            raise InvalidOption(
                text("models.base_is_router"), hint=text("models.use_search")
            )
        # The list and /info are asked for below whatever route the address names.
        path = address.path.rstrip("/")
        for route in ("/chat/completions", "/completions", "/v1"):
            path = path.removesuffix(route)
        query = f"?{address.query}" if address.query else ""
        target = resolve("any", f"{address.origin}{path}{query}")
        explicit = None if api_key is None else Credential(api_key, "api_key")
        credential = credential_for(
            target,
            explicit=explicit,
            env=self._env,
            state_dir=state_dir or user_folder(home_folder()),
        )
        refuse_placeholder(target, credential)
        endpoint = endpoint_for(target, credential, self._options, env=self._env)
        state = self._lease.state()
        with state.clients.lend(endpoint.destination) as client:
            try:
                async with asyncio.timeout(self._limit):
                    server = await probe(endpoint, client)
            except TimeoutError as error:
                seconds = f"{self._limit:g}"
                raise ConnectionFailed(
                    text("models.no_answer", base=address.origin, seconds=seconds)
                ) from error
        return ServedAt(
            f"{address.origin}{path}",
            str(server.label),
            server.model_names,
            server.loaded_model,
            server.context_length,
            server.max_input,
            tuple(sorted(server.routes)),
            dict(server.abilities),
        )

    def _silence(self, said: str) -> ConnectionFailed:
        if self.is_private:
            hint = text("models.all_private")
        elif not self.may_ask:
            hint = text("models.offline")
        else:
            hint = text("models.check_network")
        return ConnectionFailed(said, hint=hint)


@contextmanager
def _clients(
    state: LoopState, *ways: Destination | None
) -> Iterator[tuple[HttpClient | None, ...]]:
    """Lend the clients of some ways for a block, ``None`` where there is no way."""
    with ExitStack() as stack:
        yield tuple(
            None if way is None else stack.enter_context(state.clients.lend(way))
            for way in ways
        )


def _offers(listed: ServedModel | None, facts: ModelFacts | None) -> tuple[Offer, ...]:
    """Return who serves a model: by the router, and whom the Hub knows besides."""
    offers = () if listed is None else listed.offers
    named = {each.provider for each in offers}
    more = () if facts is None else facts.served_by
    return (
        *offers,
        *(
            Offer(
                each.provider,
                is_live=each.status == "live",
                is_listed=each.status in ("", "live"),
                is_model_author=each.is_model_author,
                status=each.status,
            )
            for each in more
            if each.provider not in named
        ),
    )


def _best(
    offers: Sequence[Offer], prompt: int, answer: int, *, by_cost: bool
) -> Estimate | None:
    """Return the cheapest or the fastest offer for a call that its window holds."""
    found = []
    for each in offers:
        window = each.context_length
        if window is not None and window < prompt + answer:
            continue
        cost = None if each.price is None else each.price.of(prompt, answer)
        seconds = None
        if each.throughput is not None and each.first_token_ms is not None:
            seconds = each.first_token_ms / _MILLI + answer / each.throughput
        found.append(Estimate(each.provider, cost, seconds))
    ranked = [
        each for each in found if (each.cost if by_cost else each.seconds) is not None
    ]
    if not ranked:
        return None
    return min(ranked, key=lambda it: (it.cost if by_cost else it.seconds, it.provider))


def _order(sort: SortKey | None) -> Callable[[FoundModel], tuple[object, ...]]:
    def key(model: FoundModel) -> tuple[object, ...]:
        best = model.cheapest
        value: object = None
        match sort:
            case "price":
                price = None if best is None else best.price
                value = None if price is None else (price.output, price.input)
            case "speed":
                value = None if model.throughput is None else -model.throughput
            case "context":
                value = None if model.context_length is None else -model.context_length
            case "likes":
                value = None if model.likes is None else -model.likes
            case None:
                return not model.offers, -(model.likes or 0), model.id
        # What is not known stands last; beyond it, no value is compared with none.
        return value is None, value or 0, model.id

    return key
