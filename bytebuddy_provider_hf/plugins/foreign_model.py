"""Stand before a model of another package's: check what its calls give and raise.

A host that asks it gets a value as the protocols declare it, or an error of ours that
names the provider. Our own models are not wrapped: they keep to the protocols.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import sys
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from functools import partial, wraps
from typing import Any, Final, TypeVar, cast, get_args

from attrs import define, field

from bytebuddy_provider_hf.errors import ByteBuddyError, DeadlineExceeded
from bytebuddy_provider_hf.outcomes import (
    Consumption,
    Embeddings,
    Scores,
    TaskReply,
)
from bytebuddy_provider_hf.plugins import protocols
from bytebuddy_provider_hf.plugins.foreign_code import (
    ForeignCode,
    is_our_code,
    safe_name,
)
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply, ReaderTask
from bytebuddy_provider_hf.plugins.protocols import Model
from bytebuddy_provider_hf.plugins.value_check import wrong_part
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.tools import as_tools
from bytebuddy_provider_hf.types import Done, Event, Reply, ToolLike

# Seconds that a call may take to end, after its block was left.
_LEAVING: Final = 5.0
# What `await` and `async with` look for, on the class.
_CALL_PARTS: Final = ("__await__", "__aenter__", "__aexit__")

# A method that returns a ReplyCall -> its protocol.
CALLS: Final[Mapping[str, type]] = {
    "chat": protocols.Chat,
    "complete": protocols.Complete,
    "fill": protocols.Fill,
    "edit": protocols.Edit,
    "apply": protocols.Apply,
}
# A method that is awaited -> its protocol, what it gives, and its first arguments.
AWAITED: Final[Mapping[str, tuple[type, type, tuple[str, ...]]]] = {
    "embed": (protocols.Embed, Embeddings, ("texts",)),
    "rerank": (protocols.Rerank, Scores, ("query", "documents")),
    "task": (protocols.Tasks, TaskReply, ("name", "inputs", "parameters")),
    "usage": (protocols.Metered, Consumption, ()),
}
# What a model tells of itself, beyond what every model has.
_EXTRAS: Final[Mapping[str, tuple[type, object]]] = {
    "notices": (protocols.Noticing, tuple[str, ...]),
    "context_length": (protocols.Windowed, int | None),
}

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)


class ForeignModel:
    """A model of another package's, and the methods that it has of the protocols.

    What else it has is reached through it, as it is: for ``isinstance`` it is the
    model itself.
    """

    def __init__(self, model: Model, code: ForeignCode) -> None:
        self.watched = model
        self.code = code
        for name, protocol in CALLS.items():
            if isinstance(model, protocol):
                self._add(name, self._call)
        for name, (protocol, *_) in AWAITED.items():
            if isinstance(model, protocol):
                self._add(name, self._ask)

    @property
    def name(self) -> str:
        """The name of the entry."""
        return cast("str", self._read("name", str))

    @property
    def model(self) -> str:
        """The id of the model."""
        return cast("str", self._read("model", str))

    @property
    def roles(self) -> tuple[str, ...]:
        """What the model may be used for."""
        return cast("tuple[str, ...]", self._read("roles", tuple[str, ...]))

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model can do."""
        return cast("frozenset[str]", self._read("capabilities", frozenset[str]))

    async def aclose(self) -> None:
        """Close the model."""
        await Watch(self.code, "aclose").ask(self.watched.aclose)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is
        # Before __init__, as copy asks: there is nothing to look at yet.
        if name == "watched":
            raise AttributeError(name)
        return getattr(self.watched, name)

    def __repr__(self) -> str:
        return f"<a model of {self.code.title}>"

    def _add(self, name: str, watch: Callable[..., object]) -> None:
        """Add a watched method; its signature is that of the model's own."""
        fail = partial(self.code.call_failed, name)
        method = self.code.run(lambda: getattr(self.watched, name), fail)

        def call(*args: object, **kwargs: object) -> object:
            return watch(name, method, args, kwargs)

        # Its attributes are read, and those may be foreign code too.
        setattr(self, name, self.code.run(lambda: wraps(method)(call), fail))

    def _read(self, name: str, kind: object) -> object:
        fail = partial(self.code.call_failed, name)
        value = self.code.run(lambda: getattr(self.watched, name), fail)
        watch = Watch(self.code, name)
        return watch.checked(value, kind, name)

    def _call(
        self,
        name: str,
        method: Callable[..., object],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> protocols.ReplyCall:
        watch = Watch(self.code, name)
        kwargs = watch.begin(kwargs)
        made = self.code.run(lambda: method(*args, **kwargs), watch.fail)
        return WatchedCall(watch, made)

    async def _ask(
        self,
        name: str,
        method: Callable[..., object],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        _, kind, names = AWAITED[name]
        watch = Watch(self.code, name)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        kwargs = watch.begin(kwargs)
        answer = await watch.ask(lambda: method(*args, **kwargs))
        answer = watch.checked(answer, kind, kind.__name__)
        if isinstance(answer, Embeddings | Scores):
            watch.check_numbers(answer, given)
        return answer


def watched(model: Model, code: ForeignCode) -> Model:
    """Return ``model`` so that its calls are watched; our own as it is.

    Raises ``ProviderFailed`` where what it tells of itself is of a wrong kind.
    """
    if is_our_code(str(type(model).__module__)):
        return model

    def told(name: str, kind: object) -> property:
        return property(lambda self: self._read(name, kind))

    # On the class: there, isinstance looks for a protocol's properties.
    members: dict[str, object] = {
        name: told(name, kind)
        for name, (protocol, kind) in _EXTRAS.items()
        if isinstance(model, protocol)
    }
    # Whoever asks for the class of the model that was opened gets it.
    members["__class__"] = property(lambda self: type(self.watched))
    made = type(ForeignModel.__name__, (ForeignModel,), members)(model, code)
    for each in ("name", "model", "roles", "capabilities"):
        getattr(made, each)
    return cast("Model", made)


def guard_of(model: Model) -> ForeignModel | None:
    """Return ``model`` as what watches it, if it is watched."""
    # For isinstance it is the model that was opened.
    guarded = issubclass(type(model), ForeignModel)
    return cast("ForeignModel", model) if guarded else None


@define(eq=False)
class Watch:
    """One call of foreign code: how long it may take, and whose errors are whose."""

    code: ForeignCode
    method: str
    timeout: float | None = None
    until: float | None = None
    # Of the host's own callback, which the provider calls.
    not_theirs: list[BaseException] = field(factory=list)

    def fail(self, why: str) -> ByteBuddyError:
        """Return the error of this call."""
        return self.code.call_failed(self.method, why)

    def begin(self, kwargs: Mapping[str, object]) -> dict[str, object]:
        """Take the time limit and the callback out of a call's arguments."""
        given = dict(kwargs)
        timeout = given.get("timeout")
        if isinstance(timeout, int | float) and 0 < timeout < math.inf:
            self.timeout = timeout
        on_event = given.get("on_event")
        if callable(on_event):
            given["on_event"] = partial(self._tell, on_event)
        if given.get("tools"):
            # So that a provider knows one kind of tool, whatever the host has.
            given["tools"] = as_tools(cast("Sequence[ToolLike]", given["tools"]))
        return given

    def start(self) -> None:
        """Start the clock, if there is a limit and it does not run yet."""
        if self.timeout is not None and self.until is None:
            now = asyncio.get_running_loop().time()
            self.until = now + self.timeout + self.code.grace

    def _tell(self, on_event: Callable[..., object], event: object) -> None:
        self.check_event(event)
        try:
            on_event(event)
        except BaseException as error:
            self.not_theirs.append(error)
            raise

    async def ask(self, step: Callable[[], object]) -> object:
        """Return what a step of foreign code gives when it is awaited."""
        self.start()
        found = self.code.run(step, self.fail)
        if not self.code.run(lambda: inspect.isawaitable(found), self.fail):
            kind = type(found).__name__
            raise self.fail(text("plugins.not_awaitable", kind=kind))
        return await self.wait(cast("Awaitable[object]", found))

    async def wait(self, waiting: Awaitable[T], *, within: float | None = None) -> T:
        """Await foreign code until its time is over, or for ``within`` seconds."""
        limit = (
            asyncio.timeout_at(self.until)
            if within is None
            else asyncio.timeout(within)
        )

        async def limited() -> T:
            async with limit:
                return await waiting

        try:
            return await self.code.wait(
                limited(), self.fail, not_theirs=self.not_theirs
            )
        except ByteBuddyError:
            if not limit.expired():
                raise
        seconds = self.timeout if within is None else within
        raise DeadlineExceeded(
            text(
                "plugins.no_answer",
                provider=self.code.title,
                method=self.method,
                model=safe_name(self.code.entry.name),
                seconds=f"{seconds:,g}",
            ),
            hint=text("plugins.more_time"),
        )

    def checked(self, value: T, kind: object, name: str) -> T:
        """Return a value of the kind that is declared; else raise."""
        wrong = self.code.run(lambda: wrong_part(value, kind, name), self.fail)
        if wrong is None:
            return value
        part, found = wrong
        if part == name and isinstance(kind, type):
            raise self.fail(
                text("plugins.wrong_value", kind=found, wanted=kind.__name__)
            )
        raise self.fail(text("plugins.wrong_part", part=part, kind=found))

    def check_event(self, event: object) -> None:
        """Raise unless ``event`` is one of ours, whole."""
        kind = type(event)
        if kind in _EVENTS:
            self.checked(event, kind, kind.__name__)
        else:
            self.checked(event, Event, "Event")

    def check_numbers(
        self, answer: Embeddings | Scores, given: Mapping[str, object]
    ) -> None:
        """Raise unless there is a number or a vector for each input, all finite."""
        if isinstance(answer, Scores):
            inputs, found = given.get("documents"), len(answer.scores)
            rows: Sequence[Sequence[float]] = (answer.scores,)
        else:
            inputs, found = given.get("texts"), len(answer.vectors)
            rows = answer.vectors
            wanted = given.get("dimensions") or (len(rows[0]) if rows else 0)
            odd = next((len(it) for it in rows if len(it) != wanted or not it), None)
            if odd is not None:
                raise self.fail(text("plugins.wrong_length", length=odd, wanted=wanted))
        if isinstance(inputs, str):
            inputs = (inputs,)
        if isinstance(inputs, Sequence) and len(inputs) != found:
            raise self.fail(
                text("plugins.wrong_count", found=found, wanted=len(inputs))
            )
        # JSON has no word for what is no finite number.
        if not all(all(map(math.isfinite, row)) for row in rows):
            raise self.fail(text("plugins.not_finite"))


_EVENTS: Final = frozenset(get_args(Event))
_END: Final = object()


class WatchedCall(PendingReply):
    """A call of a foreign model, checked as its answer comes."""

    __slots__ = ("_made",)

    def __init__(self, watch: Watch, made: object) -> None:
        self._made = made
        lacking = watch.code.run(
            lambda: [each for each in _CALL_PARTS if not hasattr(type(made), each)],
            watch.fail,
        )
        reading = ReaderTask()
        super().__init__(
            partial(_answered, watch, made),
            partial(_streamed, watch, made, reading),
            reading,
        )
        if lacking:
            self.close()
            parts, kind = ", ".join(lacking), type(made).__name__
            raise watch.fail(text("plugins.no_call", kind=kind, parts=parts))

    def close(self) -> None:
        """End the call, and what the model made for it."""
        super().close()
        # Or Python complains that nobody awaited it.
        if isinstance(self._made, Coroutine):
            self._made.close()


async def _answered(watch: Watch, made: Any) -> Reply:  # noqa: ANN401 - foreign
    """Return the reply of a call that is awaited."""
    watch.start()
    reply = watch.checked(await watch.wait(made), Reply, Reply.__name__)
    return cast("Reply", reply)


async def _streamed(
    watch: Watch,
    made: Any,  # noqa: ANN401 - foreign
    reading: ReaderTask,
) -> AsyncGenerator[Event, None]:
    """Yield the events of a call, and leave its block whatever happens."""
    watch.start()
    run, whole = watch.code.run, False

    async def leave(*error: object) -> None:
        end = run(lambda: made.__aexit__(*error), watch.fail)
        await watch.wait(end, within=_LEAVING)

    with reading:
        entered = run(made.__aenter__, watch.fail)
        came = await watch.wait(entered)
        try:
            events = run(lambda: aiter(came), watch.fail)
            while True:
                step = run(lambda: anext(events, _END), watch.fail)
                if (event := await watch.wait(step)) is _END:
                    break
                watch.check_event(event)
                whole = whole or isinstance(event, Done)
                yield cast("Event", event)
                reading.enter_wait()
        except BaseException:
            try:
                await leave(*sys.exc_info())
            except ByteBuddyError as error:
                # The error above is the one to report.
                _log.warning("%s", error.message)
            raise
        await leave(None, None, None)
        if not whole:
            # Unknown is never success: an answer without its end may be cut.
            raise watch.fail(text("plugins.no_done"))
