"""A scripted Hugging Face: many simulated models behind the router's routes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from fractions import Fraction
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import (
    chat_reply,
    chat_stream,
    completion_reply,
    completion_stream,
    json_reply,
    models_reply,
    task_reply,
)
from bytebuddy_provider_hf.testing.behaviour import Behaviour, last_words, words
from bytebuddy_provider_hf.testing.failures import (
    not_found,
    not_supported,
    unauthorized,
)
from bytebuddy_provider_hf.testing.hub_bill import ENDPOINTS, Account, FakeBill
from bytebuddy_provider_hf.testing.hub_catalogue import (
    Market,
    Provider,
    dollars_json,
    prompt_tokens,
    written_tokens,
)
from bytebuddy_provider_hf.testing.hub_endpoints import (
    ManagedEndpoint,
    management_reply,
    status_reply,
)
from bytebuddy_provider_hf.testing.hub_models import HubModels
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.types import Usage

_CHAT: Final = "/v1/chat/completions"
_COMPLETIONS: Final = "/v1/completions"
_TASK: Final = "/hf-inference/models/"
_PIPELINE: Final = "/pipeline/"
_CATALOGUE: Final = "/v1/models"
_MANAGEMENT: Final = "/v2/"
_REFUSED: Final = 400
# What hf-inference takes for a second, in 10⁻⁹ USD, and how many tokens it works off
# in one: it bills time, which nobody knows beforehand.
_SECOND: Final = 120_000
_TOKENS_A_SECOND: Final = 1_000

FRIENDLY: Final = Behaviour()


@define(eq=False)
class Record:
    """One request that arrived. Times are of the hub's clock.

    ``provider`` is who answers, of those of the catalogue. ``status`` is ``None`` until
    the reply is decided, ``ended`` until it is over; ``closed_early`` says that the
    caller left before the whole body was sent.
    """

    request: FakeRequest
    started: float
    model: str = ""
    provider: Provider | None = None
    status: int | None = None
    ended: float | None = None
    closed_early: bool = False

    @property
    def json(self) -> object:
        """The body of the request, parsed."""
        return self.request.json


@define(eq=False)
class _ModelState:
    """What a simulated model remembers."""

    behaviour: Behaviour
    woken: float | None = None
    seen: float = 0.0
    looks: int = 0
    taken: int = 0
    in_flight: int = 0
    recent: deque[float] = field(factory=deque)


class FakeHub:
    """Simulate Hugging Face in this process; nothing leaves the machine.

    ``models`` says how each model behaves; a model not named behaves as ``default``
    (``None``: it is not supported). ``mappings`` are the names that providers have for
    a model, by model and provider; ``facts`` is what else ``/api/models/{id}`` tells
    of one, ``cards`` its README, ``renamed`` the new ids of models that were renamed.
    With ``api_key`` every request must carry it.

    ``catalogue`` names the providers of models, with their prices: the router then
    takes one for each call (``market.moves`` makes it restless), and their ``bill`` is
    kept for ``accounts``, whose tokens are the only ones that are good. ``endpoints``
    is what the management API shows, ``status`` and ``affected`` the status page.

    ``clock`` is the running loop's own by default, so virtual time is obeyed; ``epoch``
    is the Unix time at which it was 0, by default so that the hub begins now.
    :meth:`handle` answers one request; :meth:`serve` does so on a real socket, and
    ``MemoryConnect`` without one.
    """

    def __init__(
        self,
        models: Mapping[str, Behaviour] | None = None,
        *,
        default: Behaviour | None = FRIENDLY,
        mappings: Mapping[str, Mapping[str, str]] | None = None,
        facts: Mapping[str, Mapping[str, object]] | None = None,
        api_key: str | Secret | None = None,
        clock: Callable[[], float] | None = None,
        catalogue: Mapping[str, Sequence[Provider]] | None = None,
        accounts: Sequence[Account] = (),
        endpoints: Sequence[ManagedEndpoint] = (),
        cards: Mapping[str, str] | None = None,
        renamed: Mapping[str, str] | None = None,
        epoch: float | None = None,
    ) -> None:
        self._models = dict(models or {})
        self._default = default
        self._mappings = dict(mappings or {})
        self.models = HubModels(
            facts=dict(facts or {}),
            cards=dict(cards or {}),
            renamed=dict(renamed or {}),
        )
        self._epoch = epoch
        self.market = Market(catalogue or {})
        self.bill = FakeBill(accounts)
        self.endpoints = list(endpoints)
        self.status = "operational"
        self.affected: dict[str, str] = {}
        self._key = Secret(api_key) if isinstance(api_key, str) else api_key
        self._clock = clock
        self._states: dict[str, _ModelState] = {}
        self.records: list[Record] = []
        self.in_flight = 0
        self.in_flight_max = 0

    @property
    def requests(self) -> tuple[FakeRequest, ...]:
        """Every request that arrived, oldest first."""
        return tuple(record.request for record in self.records)

    @property
    def closed_early(self) -> int:
        """How many callers left before the whole body was sent."""
        return sum(record.closed_early for record in self.records)

    def set(self, model: str, behaviour: Behaviour) -> None:
        """Give ``model`` a behaviour from now on; what it remembers is forgotten."""
        self._models[model] = behaviour
        self._states.pop(model, None)

    def unix(self) -> float:
        """Return the time by the Unix clock, as the bill has it."""
        now = self._now()
        if self._epoch is None:
            self._epoch = time.time() - now
        return self._epoch + now

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve on 127.0.0.1 at a free port; the value is the base URL."""
        from bytebuddy_provider_hf.testing.serve import serve

        return serve(self.handle)

    async def handle(self, request: FakeRequest) -> FakeReply:
        """Answer one request; its carrier must call the reply's ``ended`` once."""
        record = Record(request, self._now())
        self.records.append(record)
        self.in_flight += 1
        # Counted before the answer: a refused request was in flight too.
        self.in_flight_max = max(self.in_flight, self.in_flight_max)
        state = self._state(record)
        if state is not None:
            state.in_flight += 1
        try:
            reply = await self._route(record, state)
        # A handler's own error, and a caller that hung up while it waited.
        except BaseException:
            self._ended(record, state, whole=False)
            raise
        record.status = reply.status
        # A scripted reply may have an ``on_end`` of its own.
        inner = reply.on_end

        def on_end(whole: bool) -> None:  # noqa: FBT001  # the port's shape
            self._ended(record, state, whole=whole)
            if inner is not None:
                inner(whole)

        return evolve(reply, on_end=on_end)

    def _now(self) -> float:
        return (self._clock or asyncio.get_running_loop().time)()

    def _ended(self, record: Record, state: _ModelState | None, *, whole: bool) -> None:
        if record.ended is not None:
            return
        record.ended = self._now()
        record.closed_early = not whole
        self.in_flight -= 1
        if state is not None:
            state.in_flight -= 1

    def _state(self, record: Record) -> _ModelState | None:
        request = record.request
        if request.path.startswith(_TASK):
            rest = request.path.removeprefix(_TASK).partition(_PIPELINE)[0]
            # hf-inference serves the OpenAI routes below a model's own path.
            name = rest.removesuffix(_CHAT).removesuffix(_COMPLETIONS)
        else:
            asked = request.value("model")
            # ":fastest" and the like choose a provider; the model is the same.
            name, _, suffix = (asked if isinstance(asked, str) else "").partition(":")
            holder = self.bill.holder(request)
            preferred = () if holder is None else holder.preferred
            record.provider = self.market.pick(name, suffix, preferred=preferred)
        record.model = key = name
        behaviour = self._models.get(name, self._default)
        if record.provider is not None and record.provider.behaviour is not None:
            behaviour = record.provider.behaviour
            key = f"{name}:{record.provider.name}"
        # Made at the first request: that is what wakes a cold model.
        state = self._states.get(key)
        if state is None and behaviour is not None:
            state = self._states[key] = _ModelState(behaviour)
        return state

    async def _route(self, record: Record, state: _ModelState | None) -> FakeReply:
        request = record.request
        if self._key is not None:
            sent = Secret(request.headers.get("authorization", ""))
            if sent != Secret(f"Bearer {self._key.reveal()}"):
                return unauthorized()
        if request.method == "GET":
            return self._get(request)
        path = request.path
        providers = {name for found in self._mappings.values() for name in found}
        routed = path.split("/")[1] in providers and path.endswith(
            (_CHAT, _COMPLETIONS)
        )
        generates = path in {_CHAT, _COMPLETIONS} or path.startswith(_TASK) or routed
        if request.method != "POST" or not generates:
            return not_found()
        if (refused := self.bill.refusal(request, now=self.unix())) is not None:
            return refused
        offered = record.model in self.market.offers and not path.startswith(_TASK)
        if state is None or (offered and record.provider is None):
            return not_supported(record.model)
        refused = _refused(record, state, now=self._now())
        if refused is not None:
            return refused
        behaviour = state.behaviour
        # A cold or busy model uses up none of its scripted replies.
        scripted: FakeReply | Handler | None = behaviour.always
        if state.taken < len(behaviour.replies):
            scripted = behaviour.replies[state.taken]
        state.taken += 1
        if scripted is None:
            return self._answer(record, behaviour)
        return scripted if isinstance(scripted, FakeReply) else await scripted(request)

    def _answer(self, record: Record, behaviour: Behaviour) -> FakeReply:
        """Answer as the model does, and write down what that costs."""
        request, provider = record.request, record.provider
        text = behaviour.answer(request)
        written, cached = len(words(text)), None
        read = prompt_tokens(request)
        seconds = Fraction(len(read) + written, _TOKENS_A_SECOND)
        cache = None
        if provider is None:
            cost = int(_SECOND * seconds)
            # What a server without a catalogue counts: the last message.
            prompt = len(words(last_words(request)))
        else:
            if provider.cached_price is not None:
                cache = self.market.cache(record.model, provider.name)
                cached = cache.hits(read)
            prompt = len(read)
            counts = {"prompt": prompt, "cached": cached or 0, "completion": written}
            cost = provider.charge(**counts)
        reports = provider is not None and provider.reports_cost
        reply = _reply(
            record,
            behaviour,
            text,
            Usage(prompt, written, prompt + written, cached),
            reported=dollars_json(cost) if reports else None,
        )
        if behaviour.change is not None:
            reply = behaviour.change(request, reply)
        timed = provider is None and request.path.startswith(_TASK)
        if reply.status >= _REFUSED or not (timed or provider):
            return reply
        if cache is not None:
            cache.keep([*read, *written_tokens(text)])
        if timed and not self.bill.accounts:
            return reply
        name = "hf-inference" if provider is None else provider.name
        headers = {"x-inference-provider": name}
        if timed:
            taken = f"{float(seconds):.3f}"
            headers |= {"x-compute-type": "cpu", "x-compute-time": taken}
        headers["x-inference-id"] = f"simulated-{len(self.bill.calls) + 1:08d}"
        if self.bill.accounts:
            self.bill.book(
                request,
                at=self.unix(),
                model=record.model,
                provider=name,
                inference_id=headers["x-inference-id"],
                tokens=(len(read), cached or 0, written),
                cost=cost,
                told_after=60.0 if provider is None else provider.told_after,
            )
        return reply.with_headers(headers)

    def _get(self, request: FakeRequest) -> FakeReply:
        """Tell of models, tokens, bills and endpoints, as Hugging Face does."""
        path = request.path
        if (billed := self.bill.answer(request, now=self.unix())) is not None:
            return billed
        if path == "/index.json":
            return status_reply(self.status, self.affected)
        if path.startswith(_MANAGEMENT):
            holder = self.bill.holder(request)
            if holder is None and self.bill.accounts:
                return unauthorized()
            # Without accounts everybody may see everything.
            holder = holder or Account(path.split("/")[3], permissions={ENDPOINTS})
            return management_reply(request, self.endpoints, holder)
        if path == _CATALOGUE or path.startswith(f"{_CATALOGUE}/"):
            if not self.market.offers:
                listed = path == _CATALOGUE
                return models_reply(self._models) if listed else not_found()
            return self.market.reply(path.removeprefix(_CATALOGUE).removeprefix("/"))
        named = {name: self._mappings.get(name, {}) for name in self._models}
        return self.models.reply(request, self._mappings | named, self.market)


def _refused(record: Record, state: _ModelState, *, now: float) -> FakeReply | None:
    """Return why the model does not answer: it is cold, or was asked too often."""
    behaviour = state.behaviour
    idle, state.seen = now - state.seen, now
    if behaviour.sleeps_after is not None and idle > behaviour.sleeps_after:
        # Scaled to zero: this request is the one that wakes it.
        state.woken, state.looks = None, 0
    if state.woken is None:
        state.woken = now
    left = state.woken + behaviour.cold_for - now
    if left > 0 or state.looks < behaviour.cold_looks:
        state.looks += 1
        return behaviour.cold_reply(record.model, max(left, 0.0))
    if behaviour.rate is not None:
        # A sliding window: a bucket that is refilled would let bursts through.
        while state.recent and state.recent[0] <= now - behaviour.window:
            state.recent.popleft()
        if len(state.recent) >= behaviour.rate:
            oldest = state.recent[0] if state.recent else now
            return behaviour.rate_reply(oldest + behaviour.window - now)
        state.recent.append(now)
    # This request is counted already.
    if behaviour.capacity is not None and state.in_flight > behaviour.capacity:
        return behaviour.busy_reply
    return None


def _reply(
    record: Record,
    behaviour: Behaviour,
    text: str,
    usage: Usage,
    *,
    reported: float | None,
) -> FakeReply:
    """Return the answer in the shape that the route and the request want."""
    request, model = record.request, record.model
    chat = request.path.endswith(_CHAT)
    if not chat and not request.path.endswith(_COMPLETIONS):
        # A task that no path names: pairs of texts are classified.
        task = request.path.partition(_PIPELINE)[2]
        inputs = request.value("inputs")
        pairs = isinstance(inputs, list) and all(isinstance(i, dict) for i in inputs)
        if task or pairs:
            reply = task_reply(task or "text-classification", request, text)
        else:
            reply = json_reply([{"generated_text": text}])
    elif request.value("stream") is not True:
        whole = chat_reply if chat else completion_reply
        reply = whole(text, model=model, usage=usage, reported=reported)
    else:
        options = request.value("stream_options")
        counted = isinstance(options, dict) and options.get("include_usage") is True
        streamed = chat_stream if chat else completion_stream
        reply = streamed(
            words(text),
            model=model,
            usage=usage if counted else None,
            done=behaviour.done_mark,
            reported=reported,
        )
    return evolve(
        reply if behaviour.split is None else reply.split(behaviour.split),
        delay=behaviour.delay,
        gap=behaviour.gap,
        cut=behaviour.cut,
        stall=behaviour.stall,
    )
