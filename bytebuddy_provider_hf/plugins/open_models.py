"""Open entries by their provider's code: each once, and all closed together."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial, reduce
from typing import Final, TypeVar, cast

from attrs import define, field, frozen

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ByteBuddyError, Closed, ProviderFailed
from bytebuddy_provider_hf.plugins.foreign_code import (
    ForeignCode,
    is_our_code,
    must_propagate,
    safe_name,
)
from bytebuddy_provider_hf.plugins.foreign_model import guard_of, watched
from bytebuddy_provider_hf.plugins.protocols import Factory, Model, OpenContext
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import both, described
from bytebuddy_provider_hf.plugins.watched_import import (
    DEFAULT_TIMEOUT,
    ImportWatch,
    import_target,
    is_imported,
)
from bytebuddy_provider_hf.texts import text

# Seconds that one model may take to close before the next one's turn comes.
_PATIENCE: Final = 30.0
# Seconds after which people are told that a model is still closing.
_TOLD_AFTER: Final = 3.0
# What every model has, for the message to one that is none.
_PARTS: Final = ("name", "model", "roles", "capabilities", "aclose")

_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)


@frozen
class Opening:
    """One entry about to be opened by its provider."""

    entry: ModelEntry
    provider: ProviderSpec
    context: OpenContext
    distribution: str | None = None
    import_timeout: float = DEFAULT_TIMEOUT

    @property
    def code(self) -> ForeignCode:
        """The provider's code, for this entry."""
        return ForeignCode(
            self.entry, self.provider.name, self.distribution, self.context.log
        )

    def open_sync(self) -> Model:
        """Open without waiting.

        Raises:
            ProviderFailed: The provider's code failed, gave no model, or has to
                be awaited.
        """
        target = self.provider.target
        load = partial(import_target, target)
        if not is_imported(target) and not is_our_code(target):
            load = partial(self._watch.run, load)
        factory = cast("Factory", self.code.run(load, self._not_loaded))
        if self._run(lambda: inspect.iscoroutinefunction(factory)):
            raise self.needs_await_error()
        opened = self._run(lambda: factory(self.entry, self.context))
        if self._run(lambda: _dropped(opened)):
            raise self.needs_await_error()
        return self._model(opened)

    async def open_async(self) -> Model:
        """Open, waiting where the provider's factory is asynchronous.

        Raises:
            ProviderFailed: The provider's code failed or gave no model.
        """
        target = self.provider.target
        load = partial(import_target, target)
        if is_imported(target) or is_our_code(target):
            found = self.code.run(load, self._not_loaded)
        else:
            found = await self.code.wait(self._watch.wait(load), self._not_loaded)
        factory = cast("Factory", found)
        opened = self._run(lambda: factory(self.entry, self.context))
        if not self._run(lambda: inspect.isawaitable(opened)):
            return self._model(opened)
        waiting = cast("Awaitable[object]", opened)
        return self._model(await self.code.wait(waiting, self.code.opening_failed))

    @property
    def _watch(self) -> ImportWatch:
        return ImportWatch(lambda: self.code.title, self.import_timeout)

    def _not_loaded(self, why: str) -> ProviderFailed:
        return self.code.opening_failed(text("plugins.cannot_load", error=why))

    def _run(self, step: Callable[[], _T]) -> _T:
        """Run a step of foreign code; what it raises becomes ``ProviderFailed``."""
        return self.code.run(step, self.code.opening_failed)

    def _model(self, opened: object) -> Model:
        # The check looks at properties, and those may be foreign code too.
        if self._run(lambda: isinstance(opened, Model)):
            return watched(cast("Model", opened), self.code)
        lacking = self._run(lambda: [it for it in _PARTS if not hasattr(opened, it)])
        kind = type(opened).__name__
        if lacking:
            parts = ", ".join(lacking)
            raise self.code.opening_failed(
                text("plugins.lacks", kind=kind, parts=parts)
            )
        raise self.code.opening_failed(text("plugins.no_model", kind=kind))

    def needs_await_error(self) -> ProviderFailed:
        """Return the error that names the way to open this entry: awaiting it."""
        name = repr(safe_name(self.entry.name))
        return self.code.opening_failed(
            text("plugins.opens_async"), text("plugins.use_await", name=name)
        )


def _dropped(opened: object) -> bool:
    """Give up what would have to be awaited; return whether it was that."""
    if not inspect.isawaitable(opened):
        return False
    if inspect.iscoroutine(opened):
        opened.close()
    elif isinstance(opened, asyncio.Future):
        opened.cancel()
    return True


@define(eq=False)
class _Attempt:
    """Callers that want the same entry: one opens it, the others wait.

    An attempt belongs to the event loop of its callers and ends with the last one.
    """

    lock: asyncio.Lock = field(factory=asyncio.Lock)
    callers: int = 0
    error: ByteBuddyError | None = None


@define(eq=False)
class OpenModels:
    """Hold opened models by the name of their entry."""

    closed: bool = False
    _models: dict[str, Model] = field(factory=dict)
    _attempts: dict[str, _Attempt] = field(factory=dict)

    def get(self, name: str) -> Model | None:
        """Return the model opened under that name, or ``None``.

        Raises:
            Closed: The registry was closed.
        """
        self.refuse_if_closed()
        return self._models.get(name)

    def open(self, opening: Opening) -> Model:
        """Open without waiting, and keep the model."""
        # Somebody awaits it already: opening again would make two models.
        name = opening.entry.name
        if name in self._attempts:
            raise opening.needs_await_error()
        return self._kept(name, opening.open_sync())

    async def open_once(self, opening: Opening) -> Model:
        """Open and keep the model; callers at the same time share the outcome."""
        name = opening.entry.name
        attempt = self._attempts.setdefault(name, _Attempt())
        attempt.callers += 1
        try:
            async with attempt.lock:
                if attempt.error is not None:
                    # A copy each: raising writes the traceback into the error.
                    raise copy(attempt.error)
                self.refuse_if_closed()
                if (model := self._models.get(name)) is not None:
                    return model
                try:
                    model = await opening.open_async()
                except ByteBuddyError as error:
                    # Those who waited share the failure; later ones try anew.
                    attempt.error = error
                    self._retire(name, attempt)
                    raise
                if self.closed:
                    await _closed(name, model)
                return self._kept(name, model)
        finally:
            attempt.callers -= 1
            if attempt.callers == 0:
                self._retire(name, attempt)

    async def aclose(self) -> None:
        """Close every model, the last opened first, even if one fails or hangs.

        Raises:
            ProviderFailed: Models failed to close; it names each of them.
        """
        self.closed = True
        failed: list[str] = []
        while self._models:
            name, model = self._models.popitem()
            try:
                failure = await _closed(name, model)
            except BaseException:
                # Cancelled: the next call closes it, after those not yet tried.
                self._models = {name: model, **self._models}
                raise
            failed += [failure] if failure else []
        if failed:
            # One text of all, so that each reason can be said in Chinese.
            told = reduce(both, failed)
            raise ProviderFailed(
                text("plugins.not_closed", count=len(failed), failures=told)
            )

    def _kept(self, name: str, model: Model) -> Model:
        self.refuse_if_closed()
        self._models[name] = model
        return model

    def _retire(self, name: str, attempt: _Attempt) -> None:
        if self._attempts.get(name) is attempt:
            del self._attempts[name]

    def refuse_if_closed(self) -> None:
        """Raise ``Closed`` once the registry was closed."""
        if self.closed:
            hint = text("plugins.load_another")
            raise Closed(text("plugins.closed"), hint=hint)


async def _closed(name: str, model: Model) -> str | None:
    guard = guard_of(model)
    patience = asyncio.timeout(_PATIENCE)
    shown = safe_name(name)
    told = asyncio.get_running_loop().call_later(
        _TOLD_AFTER, lambda: _log.warning("%s", text("plugins.closing", model=shown))
    )
    closing = model if guard is None else guard.watched
    try:
        async with patience:
            await closing.aclose()
    except BaseException as error:
        if must_propagate(error):
            raise
        # Foreign code has failed, and the rest must close.
        if patience.expired():
            why: str = text("plugins.no_end", seconds=f"{_PATIENCE:.0f}")
        else:
            why = described(error) if guard is None else guard.code.said(error)
        failure = text("plugins.close_failed", model=shown, why=why)
        if guard is not None:
            failure = text(
                "plugins.close_failed_of", said=failure, provider=guard.code.title
            )
    else:
        return None
    finally:
        told.cancel()
    _log.warning("%s", text("plugins.did_not_close", failure=failure))
    return failure
