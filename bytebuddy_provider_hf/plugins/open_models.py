"""Open entries by their provider's code: each once, and all closed together."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from copy import copy
from functools import reduce
from typing import Final, TypeVar, cast

from attrs import define, field, frozen

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ByteBuddyError, Closed, ProviderFailed
from bytebuddy_provider_hf.plugins.protocols import Factory, Model, OpenContext
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import both, described, unredacted
from bytebuddy_provider_hf.secret import MASK, one_line
from bytebuddy_provider_hf.texts import text

# Seconds that one model may take to close before the next one's turn comes.
_PATIENCE: Final = 30.0
_LONGEST_NAME: Final = 100
# A shorter text is no secret, and masking it would tear other words apart.
_SHORTEST_SECRET: Final = 8
# What every model has, for the message to one that is none.
_PARTS: Final = ("name", "model", "roles", "capabilities", "aclose")

_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)


def safe_name(name: str) -> str:
    """Return a name from a file or a caller as a message may show it."""
    return one_line(name, limit=_LONGEST_NAME)


def _must_propagate(error: BaseException) -> bool:
    """Tell whether what a provider's coroutine raised is its caller's affair.

    Ctrl-C is, and a cancellation that somebody asked for. One that the provider's code
    came upon by itself (a task of its own was cancelled) would end its caller in
    silence, so it is a failure like another.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


@frozen
class Opening:
    """One entry about to be opened by its provider."""

    entry: ModelEntry
    provider: ProviderSpec
    context: OpenContext

    def open_sync(self) -> Model:
        """Open without waiting.

        Raises:
            ProviderFailed: The provider's code failed, gave no model, or has to
                be awaited.
        """
        factory = self._factory()
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
        factory = self._factory()
        opened = self._run(lambda: factory(self.entry, self.context))
        if not self._run(lambda: inspect.isawaitable(opened)):
            return self._model(opened)
        try:
            return self._model(await cast("Awaitable[Model]", opened))
        except ByteBuddyError:
            raise
        except BaseException as error:
            if _must_propagate(error):
                raise
            failure = self._redacted(error)
        # Outside the handler: the foreign error may hold a secret and is not chained.
        raise self._failed(failure)

    def _factory(self) -> Factory:
        def imported() -> Factory:
            module, _, path = self.provider.target.partition(":")
            found: object = importlib.import_module(module)
            return cast("Factory", reduce(getattr, path.split("."), found))

        return self._run(imported, loading=True)

    def _run(self, step: Callable[[], _T], *, loading: bool = False) -> _T:
        """Run a step of foreign code; what it raises becomes ``ProviderFailed``."""
        try:
            return step()
        except (ByteBuddyError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # foreign code runs here
            failure = self._redacted(error)
        # Outside the handler, as above.
        raise self._failed(
            text("plugins.cannot_load", error=failure) if loading else failure
        )

    def _model(self, opened: object) -> Model:
        # The check looks at properties, and those may be foreign code too.
        if self._run(lambda: isinstance(opened, Model)):
            return cast("Model", opened)
        lacking = self._run(lambda: [it for it in _PARTS if not hasattr(opened, it)])
        kind = type(opened).__name__
        if lacking:
            parts = ", ".join(lacking)
            raise self._failed(text("plugins.lacks", kind=kind, parts=parts))
        raise self._failed(text("plugins.no_model", kind=kind))

    def _failed(self, why: str, hint: str | None = None) -> ProviderFailed:
        return ProviderFailed(
            text(
                "plugins.not_opened",
                provider=self.provider.name,
                model=safe_name(self.entry.name),
                place=self.entry.source,
                why=why,
            ),
            hint=hint or text("plugins.update_provider"),
        )

    def needs_await_error(self) -> ProviderFailed:
        """Return the error that names the way to open this entry: awaiting it."""
        name = repr(safe_name(self.entry.name))
        return self._failed(
            text("plugins.opens_async"), text("plugins.use_await", name=name)
        )

    def _redacted(self, error: BaseException) -> str:
        said = unredacted(error)
        for secret in _secrets(self.entry):
            said = said.replace(secret, MASK)
        # The sentence that quotes it has a full stop of its own.
        return said.rstrip(".")


def _dropped(opened: object) -> bool:
    """Give up what would have to be awaited; return whether it was that."""
    if not inspect.isawaitable(opened):
        return False
    if inspect.iscoroutine(opened):
        opened.close()
    elif isinstance(opened, asyncio.Future):
        opened.cancel()
    return True


def _secrets(entry: ModelEntry) -> Iterator[str]:
    """Yield every text of an entry that a message must not repeat."""
    options = entry.request_options
    held = [entry.api_key, *options.headers.values()]
    if options.client_certificate is not None:
        held.append(options.client_certificate.passphrase)
    for secret in held:
        if secret:
            yield secret.reveal()
    # Values that nobody typed as secret may be one all the same.
    body = options.extra_body_properties
    for value in _texts([entry.env, entry.extra, body, options.proxy]):
        if len(value) >= _SHORTEST_SECRET:
            yield value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


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
    patience = asyncio.timeout(_PATIENCE)
    try:
        async with patience:
            await model.aclose()
    except BaseException as error:
        if _must_propagate(error):
            raise
        # Foreign code has failed, and the rest must close.
        why = (
            text("plugins.no_end", seconds=f"{_PATIENCE:.0f}")
            if patience.expired()
            else described(error)
        )
        failure = text("plugins.close_failed", model=safe_name(name), why=why)
    else:
        return None
    _log.warning("a model did not close: %s", failure)
    return failure
