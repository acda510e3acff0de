"""A provider's own code, run to open one entry."""

from __future__ import annotations

import importlib
import inspect
from asyncio import CancelledError, Future, current_task
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import reduce
from typing import Final, TypeVar, cast

from attrs import frozen

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ByteBuddyError, ProviderFailed
from bytebuddy_provider_hf.plugins.failure import unredacted
from bytebuddy_provider_hf.plugins.lookup import safe_name
from bytebuddy_provider_hf.plugins.protocols import Factory, Model, OpenContext
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.secret import MASK

# A shorter text is no secret, and masking it would tear other words apart.
_SHORTEST_SECRET: Final = 8

# What every model has, for the message to one that is none.
_PARTS: Final = ("name", "model", "roles", "capabilities", "aclose")

_T = TypeVar("_T")


def must_propagate(error: BaseException) -> bool:
    """Tell whether what a provider's coroutine raised is its caller's affair.

    Ctrl-C is, and a cancellation that somebody asked for. One that the provider's code
    came upon by itself (a task of its own was cancelled) would end its caller in
    silence, so it is a failure like another.
    """
    if isinstance(error, CancelledError):
        task = current_task()
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
            if must_propagate(error):
                raise
            failure = self._redacted(error)
        # Outside the handler: the foreign error may hold a secret and is not chained.
        raise self._failed(failure)

    def _factory(self) -> Factory:
        target = self.provider.target
        return self._run(lambda: _imported(target), "its code cannot be loaded: ")

    def _run(self, step: Callable[[], _T], sorry: str = "") -> _T:
        """Run a step of foreign code; what it raises becomes ``ProviderFailed``."""
        try:
            return step()
        except (ByteBuddyError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # foreign code runs here
            failure = self._redacted(error)
        # Outside the handler, as above.
        raise self._failed(f"{sorry}{failure}")

    def _model(self, opened: object) -> Model:
        # The check looks at properties, and those may be foreign code too.
        if self._run(lambda: isinstance(opened, Model)):
            return cast("Model", opened)
        lacking = self._run(lambda: [it for it in _PARTS if not hasattr(opened, it)])
        raise self._failed(
            f"it gave a {type(opened).__name__}, which is not a model"
            + (f": it lacks {', '.join(lacking)}" if lacking else "")
        )

    def _failed(self, why: str, hint: str | None = None) -> ProviderFailed:
        return ProviderFailed(
            f"The provider {self.provider.name} could not open "
            f"{safe_name(self.entry.name)} ({self.entry.source}): {why.rstrip('.')}.",
            hint=hint
            or "Update the provider's package, or report this to its authors.",
        )

    def needs_await_error(self) -> ProviderFailed:
        """Return the error that names the way to open this entry: awaiting it."""
        name = safe_name(self.entry.name)
        return self._failed(
            "it opens asynchronously.", f"Use: await registry.open({name!r})"
        )

    def _redacted(self, error: BaseException) -> str:
        text = unredacted(error)
        for secret in _secrets(self.entry):
            text = text.replace(secret, MASK)
        return text


def _imported(target: str) -> Factory:
    module, _, path = target.partition(":")
    found: object = importlib.import_module(module)
    found = reduce(getattr, path.split("."), found)
    return cast("Factory", found)


def _dropped(opened: object) -> bool:
    """Give up what would have to be awaited; return whether it was that."""
    if not inspect.isawaitable(opened):
        return False
    if inspect.iscoroutine(opened):
        opened.close()
    elif isinstance(opened, Future):
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
    for text in _texts([entry.env, entry.extra, body, options.proxy]):
        if len(text) >= _SHORTEST_SECRET:
            yield text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
