"""The base of an opened model: its entry, its endpoint, and how a call is made."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from copy import copy
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar, get_args

from attrs import evolve

from bytebuddy_provider_hf.client.endpoint import (
    CallSpec,
    Endpoint,
    MeterOptions,
    check_session,
)
from bytebuddy_provider_hf.client.request import check_option
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.unsent import unsent_options, unused_keys
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import cache_folder
from bytebuddy_provider_hf.config.values import (
    CacheOptions,
    ModelEntry,
    PromptTemplates,
)
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.outcomes import Consumption
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    CacheUse,
    CompletionOptions,
    DoubtMode,
    Event,
    Reply,
    Role,
)

# Opening a model imports what opening needs; a call imports what it is made of, where
# it is made. A program that opens ten models and asks one starts in half the time.
if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.cached_call import ModelCache
    from bytebuddy_provider_hf.client.fallbacks import CallLimits
    from bytebuddy_provider_hf.client.metering import Meter
    from bytebuddy_provider_hf.client.plan import Planner
    from bytebuddy_provider_hf.client.roles.chat import ModelInfo
    from bytebuddy_provider_hf.client.runtime import LoopState
    from bytebuddy_provider_hf.wire.tasks import Task

L = TypeVar("L")

_NO_TEMPLATES: Final = PromptTemplates()


class LearnedFacts:
    """What calls found out of a model, for the calls that come after them.

    ``batch_size`` is what its server once said it takes together, where it does not
    list it; ``refused_parameters`` are those that it once refused, by task. ``meter``
    counts them all.
    """

    # No attrs class: making one takes half a millisecond, at every start.
    def __init__(self) -> None:
        self.info: ModelInfo | None = None
        self.batch_size: int | None = None
        self.refused_parameters: Mapping[Task, frozenset[str]] = {}
        self.meter: Meter | None = None


class ModelBase:
    """An entry, opened: what it is, and the connections it holds a lease on."""

    # Of one that is asked in a chain of fallbacks, for the one call.
    _limits: CallLimits | None = None

    def __init__(
        self,
        entry: ModelEntry,
        endpoint: Endpoint,
        runtime: Runtime,
        *,
        metering: MeterOptions | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self._metering = metering
        self._entry = entry
        self._cache_dir = cache_dir
        self._endpoint = endpoint
        self._lease = runtime.lease()
        self._learned = LearnedFacts()
        target = endpoint.target
        self._notes = (*target.notices, *unused_keys(entry, target))
        self._window = (
            entry.context_length or entry.default_completion_options.context_length
        )
        templates = entry.prompt_templates
        if entry.family or (templates is not None and templates.chat):
            # A wrong name is told at opening; the table is read when a call needs it.
            from bytebuddy_provider_hf.client.model_family import family_of_entry

            family_of_entry(entry)

    def limited(self, limits: CallLimits) -> Self:
        """Return this model with bounds for one call; what that learns, this knows.

        Args:
            limits: What ends the call in a chain of fallbacks.
        """
        twin = copy(self)
        twin._limits = limits  # noqa: SLF001 - its own class
        return twin

    @property
    def _model_info(self) -> ModelInfo:
        found = self._learned.info
        if found is not None:
            return found
        # Embedding and ranking do without, so they never load the table of families.
        from bytebuddy_provider_hf.client.model_family import family_of_entry
        from bytebuddy_provider_hf.client.roles.chat import ModelInfo
        from bytebuddy_provider_hf.prompts.families import opens_reasoning

        found = self._learned.info = ModelInfo(
            self._endpoint.target,
            family=family_of_entry(self._entry),
            window=self._window,
            opens_reasoning=opens_reasoning(self._entry.model),
        )
        return found

    @property
    def _meter(self) -> Meter | None:
        options = self._metering
        if options is None:
            return None
        found = self._learned.meter
        if found is None:
            # A model that is opened and never asked counts nothing, loads no ledger.
            from bytebuddy_provider_hf.client.metering import Meter
            from bytebuddy_provider_hf.storage.ledger import open_ledger

            ledger = open_ledger(options.folder)
            found = Meter(self._endpoint, ledger, options.budgets, options.alerts)
            self._learned.meter = found
        return found

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self._entry.name

    @property
    def model(self) -> str:
        """The id of the model."""
        return self._entry.model

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the entry says the model is for."""
        return self._entry.roles

    @property
    def timeout(self) -> float:
        """The seconds that a call may take, unless it says otherwise."""
        return self._endpoint.timeout

    @property
    def way(self) -> tuple[str, str]:
        """What requests travel by: the origin, and a key of proxy and certificates."""
        destination = self._endpoint.destination
        return destination.origin, destination.options_key

    @property
    def context_length(self) -> int | None:
        """The tokens that the entry says the model reads, if it does."""
        return self._window

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the entry is not done as it says, as far as is known now."""
        verdict = self.cache_verdict
        idle = () if verdict is None or verdict[0] else (verdict[1],)
        unsent = unsent_options(self._entry, self._endpoint.target)
        return (*self._notes, *unsent, *idle)

    @property
    def cache_verdict(self) -> tuple[bool, str] | None:
        """Whether its cache keeps anything, in a sentence; ``None`` without one."""
        if self._entry.cache is None:
            return None
        from bytebuddy_provider_hf.client.cached_call import cache_verdict

        return cache_verdict(self._entry, self._endpoint.target)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the entry says the model can do beyond text."""
        return frozenset(self._entry.capabilities or ())

    # Names only: what else an entry holds may be a key.
    def __repr__(self) -> str:
        return f"<HuggingFaceModel {self.name!r}: {self.model}>"

    async def usage(
        self, *, since: date | None = None, until: date | None = None
    ) -> Consumption:
        """Return what this model's calls used up, by default since the month began.

        Args:
            since: The first day (UTC); by default the first of this month.
            until: The last day (UTC), included; by default today.

        Raises:
            InvalidOption: Its calls are not counted.
        """
        meter = self._meter
        if meter is None:
            raise InvalidOption(
                text("calls.not_counted", model=self.name),
                hint=text("calls.not_counted_hint"),
            )
        today = datetime.now(UTC).date()
        return await meter.consumption(since or today.replace(day=1), until or today)

    async def aclose(self) -> None:
        """Give the connections back; the last model to do so closes them."""
        await self._lease.aclose()
        if "_cache" in vars(self):
            await self._cache.store.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def _call(
        self,
        planner: Planner,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        from bytebuddy_provider_hf.client import call_loop

        spec = self._call_spec(
            timeout, wait=wait, on_event=on_event, session=session, cache=cache
        )
        return self._pending(planner, spec, call_loop.run, call_loop.stream)

    def _pending(
        self,
        planner: L,
        spec: CallSpec,
        run: Callable[[L, CallSpec, LoopState], Coroutine[object, object, Reply]],
        stream: Callable[[L, CallSpec, LoopState], AsyncGenerator[Event, None]],
    ) -> PendingReply:
        """Return a call: awaited it is made by ``run``, entered by ``stream``."""

        def begin() -> Coroutine[object, object, Reply]:
            answer = run(planner, spec, self._lease.state())
            if spec.on_event is None:
                # One coroutine more is 2 µs, which who is told nothing does not pay.
                return answer
            from bytebuddy_provider_hf.client import call_loop

            return call_loop.with_events(answer, spec)

        return PendingReply(
            begin, lambda: stream(planner, spec, self._lease.state()), spec.reader_task
        )

    def _call_spec(
        self,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
        part: bool = False,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> CallSpec:
        # At once, not when the call is awaited: the mistake is on the caller's line.
        if timeout is not None:
            check_option("timeout", timeout)
        if session is not None:
            check_session(session)
        kept = None
        if cache is not None or self._entry.cache is not None:
            kept = self._cache_for(cache)
        return CallSpec(
            endpoint=self._endpoint,
            timeout=timeout or self._endpoint.timeout,
            notes=self._notes,
            on_event=on_event,
            wait=wait,
            window=self._window,
            part=part,
            session=session,
            meter=self._meter,
            cache=kept,
            limits=self._limits,
        )

    def _cache_for(self, asked: CacheUse | None) -> ModelCache | None:
        """Return what a call does with kept answers: as it says, or as its entry."""
        if asked is not None and asked not in get_args(CacheUse):
            raise InvalidOption(text("cache.use_wrong", value=f"{asked!r:.60}"))
        options = self._entry.cache
        mode = asked or (options.mode if options is not None else "off")
        if mode == "off":
            return None
        return self._cache.used_as(asked)

    @cached_property
    def _cache(self) -> ModelCache:
        from bytebuddy_provider_hf.client.cached_call import ModelCache

        folder = self._cache_dir or cache_folder(os.environ, home_folder())
        options = self._entry.cache or CacheOptions()
        return ModelCache.of(self._endpoint, options, folder)

    def _model_info_for(self, options: CompletionOptions | None) -> ModelInfo:
        """Return the model, with the context length that a call names, if it does."""
        window = None if options is None else options.context_length
        info = self._model_info
        return info if window is None else evolve(info, window=window)

    @property
    def _templates(self) -> PromptTemplates:
        return self._entry.prompt_templates or _NO_TEMPLATES


def check_doubts(mode: object) -> None:
    """Raise ``InvalidOption`` unless ``mode`` says what becomes of a doubtful edit."""
    if mode not in get_args(DoubtMode):
        raise InvalidOption(text("calls.doubts_wrong", value=f"{mode!r:.60}"))


def check_texts(method: str, **texts: object) -> None:
    """Raise ``InvalidOption`` unless each is a text."""
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InvalidOption(
                text(
                    "calls.takes_a_text_as_not",
                    method=method,
                    name=name,
                    kind=type(value).__name__,
                )
            )
