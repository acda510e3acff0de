"""Ask other entries where one fails: in turn, with its arguments, in the time it has.

Only before the first piece of an answer reached the caller, and only after what
``data/failures.toml`` calls worth it: a fallback that hides a wrong key or a wrong
request makes many failures of one (routatic/proxy#108). All who are asked share one
deadline and one number of retries: where each begins anew, three entries become
thirty requests (BerriAI/litellm#19985).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections import OrderedDict, deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from copy import copy
from enum import Enum
from functools import partial, wraps
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Self,
    TypeVar,
    cast,
)

from attrs import define, evolve, field, fields_dict, frozen

from bytebuddy_provider_hf.client import call_log
from bytebuddy_provider_hf.client.endpoint import Endpoint, MeterOptions
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.plan import AnyReply
from bytebuddy_provider_hf.client.request import merge_options
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.fallback_names import same_model, vectors_compare
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    ContextTooLong,
    InvalidOption,
    ProviderFailed,
    RateLimited,
    ResponseError,
    UnsupportedRole,
)
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.outcomes import Scores
from bytebuddy_provider_hf.plugins import protocols
from bytebuddy_provider_hf.plugins.foreign_code import ForeignCode, safe_name
from bytebuddy_provider_hf.plugins.foreign_model import guard_of, watched
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply, ReaderTask
from bytebuddy_provider_hf.plugins.protocols import Model, OnEvent, Windowed
from bytebuddy_provider_hf.plugins.validation import described
from bytebuddy_provider_hf.scheduling.limiter import REFUSAL_MEMORY
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.tools import as_tools
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    CompletionOptions,
    Done,
    Event,
    Loading,
    Reply,
    Role,
)

# How long a model that is not ready, or a limit, is waited for where others are left.
FALLBACK_AFTER: Final = 30.0

_log: Final = logging.getLogger(__name__)

P = ParamSpec("P")
A = TypeVar("A", bound=AnyReply)


class FallbackTo(Enum):
    """Name which fallbacks may answer after a failure."""

    NONE = "nobody: the caller, or a token, has to mend it"
    ANY = "every one"
    OTHER_WAY = "one with another address, proxy or certificate"
    LONGER_CONTEXT = "one that is known to read more"


@define
class Retries:
    """The retries that are left to all who are asked for one answer, in turn."""

    left: int


@frozen
class CallLimits:
    """What bounds a call whose failure another entry may make good.

    After ``patience`` seconds of a cold start or of a rest it gives way; without,
    nobody is left to be asked. ``retries`` is shared by all who are asked. ``absorbs``
    tells whether another may be asked after a failure, which is not the caller's then.
    """

    absorbs: Callable[[ByteBuddyError], bool]
    patience: float | None = None
    retries: Retries | None = None


@frozen
class Fallback:
    """An entry that may answer, by its name; it is opened when it is asked."""

    name: str
    open: Callable[[], Awaitable[Model]]

    @classmethod
    def of(cls, model: object) -> Self:
        """Return one that is open already; raises ``InvalidOption`` for no model."""
        if not isinstance(model, Model):
            kind = type(model).__name__
            raise InvalidOption(text("fallbacks.no_model", kind=kind))
        # A registry watches the models that it opens; nobody has watched this one.
        provider = str(type(model).__module__).partition(".")[0]
        entry = ModelEntry(name=model.name, provider=provider, model=model.model)
        code = ForeignCode(entry, provider, None, _log)
        given = model if guard_of(model) else watched(model, code)

        async def opened() -> Model:
            return given

        return cls(given.name, opened)


@frozen
class RoleMethod:
    """What a fallback needs to be asked by a method: a role and a protocol."""

    role: Role | None
    protocol: type


_METHODS: Final[Mapping[str, RoleMethod]] = {
    "chat": RoleMethod(Role.CHAT, protocols.Chat),
    "complete": RoleMethod(None, protocols.Complete),
    "fill": RoleMethod(Role.AUTOCOMPLETE, protocols.Fill),
    "edit": RoleMethod(Role.EDIT, protocols.Edit),
    "apply": RoleMethod(Role.APPLY, protocols.Apply),
    "embed": RoleMethod(Role.EMBED, protocols.Embed),
    "rerank": RoleMethod(Role.RERANK, protocols.Rerank),
    "task": RoleMethod(None, protocols.Tasks),
}


def fallback_to(failure: ByteBuddyError) -> FallbackTo:
    """Return which fallbacks may answer after ``failure``."""
    # What a server said became an error of ours where it meant: the wrong server.
    meant = failure.__cause__ if isinstance(failure, UnsupportedRole) else None
    told = meant if isinstance(meant, APIError) else failure
    return FallbackTo[row_of(type(told)).fallback]


@define(eq=False)
class Relay(Generic[A]):
    """One call: the entry that was asked, who failed, and who is left to be asked.

    ``args`` and ``kwargs`` are those of the caller. ``retries`` is ``None`` for a call
    in several requests, each of which has its own, as it has its own time.
    """

    asked: ModelWithFallbacks
    method: str
    args: tuple[object, ...]
    kwargs: Mapping[str, Any]
    left: deque[Fallback]
    retries: Retries | None
    since: float = 0.0
    until: float | None = None
    failures: list[tuple[Model, ByteBuddyError]] = field(factory=list)
    told: list[str] = field(factory=list)

    async def run(self, first: Callable[[], Awaitable[A]]) -> A:
        """Return the answer of the first who has one."""
        who, call = await self._begin(first)
        while True:
            try:
                return self._signed(await call, who)
            except ByteBuddyError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - a foreign model's own fault
                failure = _fault_of(who, error)
            who, call = await self._after(who, failure)

    async def stream(
        self, first: Callable[[], PendingReply], reading: ReaderTask
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of the first who has an answer, and all waiting before."""
        delivered = False
        with reading:
            who, call = await self._begin(first)
            while True:
                try:
                    async with call as events:
                        async for event in events:
                            if not isinstance(event, Loading | BudgetAlert):
                                delivered = True
                            yield self._named(event, who)
                            reading.enter_wait()
                except ByteBuddyError as error:
                    failure = error
                except Exception as error:  # noqa: BLE001 - as above
                    failure = _fault_of(who, error)
                else:
                    return
                # Asked again, the answer would begin anew behind what was seen.
                if delivered:
                    raise self._ended(who, failure)
                who, call = await self._after(who, failure)

    def limits(self, who: Model) -> CallLimits:
        """Return what bounds the call of ``who``, by whether others are left."""
        if not self.left:
            return CallLimits(lambda _failure: False, None, self.retries)
        gives_way = partial(self._gives_way, who)
        return CallLimits(gives_way, self.asked.fallback_after, self.retries)

    async def _begin(self, first: Callable[[], Any]) -> tuple[Model, Any]:
        """Start the clock; return who is asked first, and the call."""
        timeout = self.kwargs.get("timeout")
        if timeout is None and self.retries is not None:
            timeout = self.asked.timeout
        self.since = _now()
        if timeout is not None:
            self.until = self.since + timeout
        resting = self.asked.resting(self.since)
        if resting is None:
            return self.asked, first()
        return await self._after(self.asked, resting)

    def _gives_way(self, who: Model, failure: ByteBuddyError) -> bool:
        """Return whether another may be asked after what ``who`` met."""
        if fallback_to(failure) is not FallbackTo.NONE:
            return True
        # A fallback that cannot answer is passed over. One that did, though its answer
        # was judged useless, has the last word: the error holds its text.
        return who is not self.asked and not isinstance(failure, ResponseError)

    async def _after(self, who: Model, failure: ByteBuddyError) -> tuple[Model, Any]:
        """Return who is asked after ``who`` failed, and the call; else raise."""
        if not self._gives_way(who, failure):
            raise self._ended(who, failure)
        self.failures.append((who, failure))
        if who is not self.asked:
            name = safe_name(who.name)
            why = failure.message
            self.told.append(text("fallbacks.failed_too", entry=name, why=why))
        elif isinstance(failure, RateLimited):
            self.asked.rest(failure, _now())
        while self.left:
            fallback = self.left.popleft()
            name = safe_name(fallback.name)
            found: Model | str
            try:
                async with asyncio.timeout_at(self.until):
                    found = await fallback.open()
                found = self._unfit(found) or found
                if not isinstance(found, str):
                    call = self._call(found)
                    call_log.log_fallback(safe_name(who.name), name, failure)
                    return found, call
            except TimeoutError:
                found = text("fallbacks.no_time_left")
            except ByteBuddyError as error:
                found = error.message
            self.told.append(text("fallbacks.not_asked", entry=name, why=found))
        raise self._ended(*self.failures[0])

    def _unfit(self, model: Model) -> str:
        """Return why ``model`` cannot answer where the others failed, if so."""
        needs = _METHODS[self.method]
        if self.until is not None and _now() >= self.until:
            return text("fallbacks.no_time_left")
        if not isinstance(model, needs.protocol):
            return text("fallbacks.lacks_method", method=self.method)
        # Where the entry that was asked is not for it either, its caller does not mind.
        if needs.role in self.asked.roles and needs.role not in model.roles:
            return text("fallbacks.lacks_role", role=needs.role)
        if needs.role is Role.EMBED and not self.asked.embeds_as(model):
            return text("fallbacks.other_vectors", model=self.asked.model)
        for failed, failure in self.failures:
            name = safe_name(failed.name)
            if fallback_to(failure) is FallbackTo.OTHER_WAY and (
                isinstance(model, HuggingFaceModel)
                and isinstance(failed, HuggingFaceModel)
                and model.way == failed.way
            ):
                return text("fallbacks.same_way", failed=name)
            if isinstance(failure, ContextTooLong) and not reads_more(
                model, failed, failure
            ):
                return text("fallbacks.reads_no_more", failed=name)
        return ""

    def _call(self, model: Model) -> Any:  # noqa: ANN401 - a ReplyCall, or a coroutine
        """Return the call of a fallback, for the time that is left."""
        kwargs = dict(self.kwargs)
        if self.until is not None:
            kwargs["timeout"] = self.until - _now()
        on_event: OnEvent | None = kwargs.get("on_event")
        if on_event is not None:
            kwargs["on_event"] = lambda event: on_event(self._named(event, model))
        if isinstance(model, HuggingFaceModel):
            if self.until is not None:
                kwargs["timeout"] = min(kwargs["timeout"], model.timeout)
            # The base's method: the fallbacks of a fallback are not asked.
            ask = getattr(HuggingFaceModel, self.method)
            return ask(model.limited(self.limits(model)), *self.args, **kwargs)
        given = ProtocolArguments.of(self.method, self.args, kwargs)
        if given.left_out:
            names = ", ".join(given.left_out)
            name = safe_name(model.name)
            self.told.append(text("fallbacks.not_passed_on", entry=name, names=names))
        try:
            return getattr(model, self.method)(*given.args, **given.kwargs)
        except ByteBuddyError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            failure = _fault_of(model, error)
        raise failure

    def _named(self, event: Event, who: Model) -> Event:
        """Return an event with the name of the fallback that it comes from."""
        if who is self.asked:
            return event
        if isinstance(event, Loading):
            return evolve(event, entry=who.name)
        if not isinstance(event, Done):
            return event
        # Only calls of a Reply have events.
        signed = self._signed(cast("A", event.reply), who)
        return Done(cast("Reply", signed))

    def _signed(self, answer: A, who: Model) -> A:
        """Return an answer with the name of who gave it, if it is a fallback."""
        if who is self.asked:
            return answer
        notes = [self._instead(who)]
        if isinstance(answer, Scores) and not same_model(who.model, self.asked.model):
            notes.append(text("fallbacks.other_scores", model=who.model))
        served = evolve(answer.served, entry=who.name)
        if served.attempts:
            # Counted from when the caller asked, not from when this one was.
            before = _now() - self.since - served.elapsed
            waited, elapsed = served.waited + before, served.elapsed + before
            served = evolve(served, waited=waited, elapsed=elapsed)
        notes += [*self.told, *answer.notes]
        return evolve(answer, served=served, notes=tuple(notes))

    def _instead(self, who: Model) -> str:
        """Return the sentence that ``who`` answered, and why."""
        asked, failure = self.failures[0]
        return text(
            "fallbacks.answered",
            entry=safe_name(who.name),
            asked=safe_name(asked.name),
            why=failure.message,
        )

    def _ended(self, who: Model, failure: ByteBuddyError) -> ByteBuddyError:
        """Return the error that the call ends with, and log it."""
        if who is not self.asked:
            failure.add_note(self._instead(who))
        for note in self.told:
            failure.add_note(note)
        self.asked.log_error(failure)
        return failure


def _relayed(
    method: Callable[Concatenate[HuggingFaceModel, P], PendingReply],
) -> Callable[Concatenate[ModelWithFallbacks, P], PendingReply]:
    """Return a method whose failures others make good, with its signature."""

    @wraps(method)
    def ask(
        self: ModelWithFallbacks, /, *args: P.args, **kwargs: P.kwargs
    ) -> PendingReply:
        relay: Relay[Reply] = self.relay(method.__name__, args, kwargs)
        # Made at once: a mistake of the caller's is told on the caller's line.
        first = method(self.limited(relay.limits(self)), *args, **kwargs).unbegun()
        reading = ReaderTask()
        return PendingReply(
            lambda: relay.run(first), lambda: relay.stream(first, reading), reading
        )

    return ask


def _relayed_scores(
    method: Callable[Concatenate[HuggingFaceModel, P], Coroutine[Any, Any, A]],
    *,
    in_batches: bool,
) -> Callable[Concatenate[ModelWithFallbacks, P], Coroutine[Any, Any, A]]:
    """Return the same of a method that is awaited only."""

    @wraps(method)
    async def ask(self: ModelWithFallbacks, /, *args: P.args, **kwargs: P.kwargs) -> A:
        name = method.__name__
        relay: Relay[A] = self.relay(name, args, kwargs, in_batches=in_batches)
        twin = self.limited(relay.limits(self))
        return await relay.run(lambda: method(twin, *args, **kwargs))

    return ask


def _now() -> float:
    return asyncio.get_running_loop().time()


def _kept(value: object) -> object:
    """Return an argument that the caller may change before a fallback is asked."""
    return copy(value) if isinstance(value, list | dict) else value


def _fault_of(who: Model, error: Exception) -> ByteBuddyError:
    """Return a foreign model's error as one of ours; raise it where it is our fault."""
    if isinstance(who, HuggingFaceModel):
        raise error
    return ProviderFailed(described(error))


def reads_more(model: Model, failed: Model, failure: ContextTooLong) -> bool:
    """Return whether ``model`` is known to read what was too long for another.

    Nobody is asked on a guess: some servers cut what is too long, and say nothing.
    """
    mine = model.context_length if isinstance(model, Windowed) else None
    theirs = failed.context_length if isinstance(failed, Windowed) else None
    least = max(failure.limit or theirs or 0, failure.given or 0)
    return mine is not None and mine > least > 0


@frozen
class ProtocolArguments:
    """Arguments as a protocol has them; ``left_out`` names what it does not have."""

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    left_out: tuple[str, ...]

    @classmethod
    def of(
        cls, method: str, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Self:
        """Return the arguments of a call of ours for a model of another provider.

        Options that have a keyword of their own here go into ``options``.
        """
        own = inspect.signature(getattr(HuggingFaceModel, method))
        promised = inspect.signature(getattr(_METHODS[method].protocol, method))
        given = own.bind(None, *args, **kwargs).arguments
        known = {k: v for k, v in given.items() if k in promised.parameters}
        extra = {k: v for k, v in given.items() if k not in known and v is not None}
        names = fields_dict(CompletionOptions)
        options = {k: extra.pop(k) for k in names if k in extra}
        if options:
            asked = known.get("options")
            known["options"] = merge_options(CompletionOptions(), asked, options)
        if known.get("tools"):
            known["tools"] = as_tools(known["tools"])
        bound = inspect.BoundArguments(promised, OrderedDict(known))
        return cls(bound.args[1:], bound.kwargs, tuple(extra))


class ModelWithFallbacks(HuggingFaceModel):
    """A model that has others answer where it fails.

    They are not its own: whoever opened them closes them.
    """

    def __init__(
        self,
        entry: ModelEntry,
        endpoint: Endpoint,
        runtime: Runtime,
        fallbacks: Sequence[Fallback],
        *,
        metering: MeterOptions | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        super().__init__(
            entry, endpoint, runtime, metering=metering, cache_dir=cache_dir
        )
        self.fallbacks = tuple(fallbacks)
        after = entry.fallback_after
        self.fallback_after = FALLBACK_AFTER if after is None else after
        # A bool is an int to Python, and no number to anybody else.
        number = type(self.fallback_after) in (int, float)
        if not (number and 0 <= self.fallback_after < math.inf):
            raise InvalidOption(text("fallbacks.after_wrong", value=f"{after!r:.60}"))
        # What the server last wanted of us longer than that, and until when.
        self._refusal: tuple[RateLimited, float] | None = None

    def relay(
        self,
        method: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
        *,
        in_batches: bool = False,
    ) -> Relay[Any]:
        """Return one call, with the arguments as they are now."""
        return Relay(
            self,
            method,
            tuple(map(_kept, args)),
            {name: _kept(value) for name, value in kwargs.items()},
            deque(self.fallbacks),
            None if in_batches else Retries(self._endpoint.max_attempts - 1),
        )

    def embeds_as(self, model: Model) -> bool:
        """Return whether vectors of ``model`` compare with those of this one."""
        if isinstance(model, HuggingFaceModel):
            return vectors_compare(self._entry, model._entry)  # noqa: SLF001 - one class
        return same_model(self.model, model.model)

    def rest(self, failure: RateLimited, now: float) -> None:
        """Remember for how long the server wants no request, a minute at most."""
        if failure.retry_after:
            until = now + min(failure.retry_after, REFUSAL_MEMORY)
            self._refusal = copy(failure), until

    def resting(self, now: float) -> RateLimited | None:
        """Return the refusal that still holds: the server would only repeat it."""
        if self._refusal is None:
            return None
        failure, until = self._refusal
        # Another loop's clock may be another.
        if not 0 < until - now <= REFUSAL_MEMORY:
            self._refusal = None
            return None
        again = copy(failure)
        again.retry_after = until - now
        return again

    def log_error(self, error: ByteBuddyError) -> None:
        """Log the error that a call ends with."""
        call_log.log_call_error(self._endpoint.target, error)

    # To a type checker they are the methods of the base, whose signatures they keep.
    if not TYPE_CHECKING:
        chat = _relayed(HuggingFaceModel.chat)
        complete = _relayed(HuggingFaceModel.complete)
        fill = _relayed(HuggingFaceModel.fill)
        edit = _relayed(HuggingFaceModel.edit)
        apply = _relayed(HuggingFaceModel.apply)
        embed = _relayed_scores(HuggingFaceModel.embed, in_batches=True)
        rerank = _relayed_scores(HuggingFaceModel.rerank, in_batches=True)
        task = _relayed_scores(HuggingFaceModel.task, in_batches=False)
