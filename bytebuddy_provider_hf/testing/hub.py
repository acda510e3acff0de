"""A scripted Hugging Face: many simulated models behind the router's routes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
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
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.types import Usage

_CHAT: Final = "/v1/chat/completions"
_COMPLETIONS: Final = "/v1/completions"
_TASK: Final = "/hf-inference/models/"
_PIPELINE: Final = "/pipeline/"
_INFO: Final = "/api/models/"

FRIENDLY: Final = Behaviour()


@define(eq=False)
class Record:
    """One request that arrived. Times are of the hub's clock.

    ``status`` is ``None`` until the reply is decided, ``ended`` until it is over;
    ``closed_early`` says that the caller left before the whole body was sent.
    """

    request: FakeRequest
    started: float
    model: str = ""
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
    of one. With ``api_key`` every request must carry it.
    ``clock`` is the running loop's own by default, so virtual time is obeyed.
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
    ) -> None:
        self._models = dict(models or {})
        self._default = default
        self._mappings = dict(mappings or {})
        self._facts = dict(facts or {})
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
            name = asked.partition(":")[0] if isinstance(asked, str) else ""
        record.model = name
        # Made at the first request: that is what wakes a cold model.
        state = self._states.get(name)
        if state is None:
            behaviour = self._models.get(name, self._default)
            if behaviour is None:
                return None
            state = self._states[name] = _ModelState(behaviour)
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
        if state is None:
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
            return _answer(record, behaviour)
        if isinstance(scripted, FakeReply):
            return scripted
        return await scripted(request)

    def _get(self, request: FakeRequest) -> FakeReply:
        """Tell of models and tokens, as the router and the Hub do."""
        if request.path == "/v1/models":
            return models_reply(self._models)
        if request.path == "/api/whoami-v2":
            if "authorization" not in request.headers:
                return unauthorized()
            token = {"displayName": "simulated", "role": "fineGrained"}
            auth = {"type": "access_token", "accessToken": token}
            return json_reply({"type": "user", "name": "simulated", "auth": auth})
        if not request.path.startswith(_INFO):
            return not_found()
        # The Hub wants no token for what a model is and how it is served.
        model = request.path.removeprefix(_INFO)
        found = {
            provider: {"status": "live", "providerId": name, "task": "conversational"}
            for provider, name in self._mappings.get(model, {}).items()
        }
        facts = self._facts.get(model, {})
        return json_reply({"id": model, "inferenceProviderMapping": found, **facts})


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


def _answer(record: Record, behaviour: Behaviour) -> FakeReply:
    request, model = record.request, record.model
    text = behaviour.answer(request)
    pieces, asked = words(text), len(words(last_words(request)))
    usage = Usage(asked, len(pieces), asked + len(pieces))
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
        reply = whole(text, model=model, usage=usage)
    else:
        options = request.value("stream_options")
        counted = isinstance(options, dict) and options.get("include_usage") is True
        streamed = chat_stream if chat else completion_stream
        reply = streamed(
            pieces,
            model=model,
            usage=usage if counted else None,
            done=behaviour.done_mark,
        )
    return evolve(
        reply if behaviour.split is None else reply.split(behaviour.split),
        delay=behaviour.delay,
        gap=behaviour.gap,
        cut=behaviour.cut,
        stall=behaviour.stall,
    )
