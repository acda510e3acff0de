"""A provider's own code, run to open one entry."""

from __future__ import annotations

import importlib
import inspect
from asyncio import Future
from collections.abc import Awaitable, Iterator, Mapping
from functools import reduce
from typing import Final, TypeAlias, cast

from attrs import frozen

from bytebuddy_provider_hf.config.model import ModelEntry
from bytebuddy_provider_hf.contract.failure import unredacted
from bytebuddy_provider_hf.contract.lookup import shown
from bytebuddy_provider_hf.contract.protocols import Factory, Model, OpenContext
from bytebuddy_provider_hf.contract.spec import ProviderSpec
from bytebuddy_provider_hf.errors import ByteBuddyError, ProviderFailed
from bytebuddy_provider_hf.secret import MASK

# What a provider's code may raise and a host should outlive; a cancellation and
# Ctrl-C are the caller's and pass.
FOREIGN: Final = (Exception, SystemExit)

# A shorter text is no secret, and masking it would tear other words apart.
_SHORTEST_SECRET: Final = 8

_Opened: TypeAlias = Model | Awaitable[Model]


@frozen
class Opening:
    """One entry about to be opened by its provider."""

    entry: ModelEntry
    provider: ProviderSpec
    context: OpenContext

    def now(self) -> Model:
        """Open without waiting.

        Raises:
            ProviderFailed: The provider's code failed, gave no model, or has to
                be awaited.
        """
        factory = self._factory()
        if inspect.iscoroutinefunction(factory):
            raise self.asynchronous()
        opened = self._called(factory)
        if inspect.isawaitable(opened):
            _dropped(opened)
            raise self.asynchronous()
        return self._model(opened)

    async def awaited(self) -> Model:
        """Open, waiting where the provider's factory is asynchronous.

        Raises:
            ProviderFailed: The provider's code failed or gave no model.
        """
        opened = self._called(self._factory())
        if not inspect.isawaitable(opened):
            return self._model(opened)
        try:
            return self._model(await opened)
        except ByteBuddyError:
            raise
        except FOREIGN as error:  # foreign code runs here
            failure = self._concealed(error)
        # Outside the handler: the foreign error may hold a secret and is not chained.
        raise self._failed(failure)

    def _factory(self) -> Factory:
        try:
            return _imported(self.provider.target)
        except ByteBuddyError:
            raise
        except FOREIGN as error:  # a foreign module is imported here
            failure = self._concealed(error)
        raise self._failed(f"its code cannot be loaded: {failure}")

    def _called(self, factory: Factory) -> _Opened:
        try:
            return factory(self.entry, self.context)
        except ByteBuddyError:
            raise
        except FOREIGN as error:  # foreign code runs here
            failure = self._concealed(error)
        raise self._failed(failure)

    def _model(self, opened: object) -> Model:
        try:
            # The check looks at properties, and those may be foreign code too.
            if isinstance(opened, Model):
                return opened
            failure = f"it gave a {type(opened).__name__}, which is not a model"
        except FOREIGN as error:  # foreign properties run here
            failure = self._concealed(error)
        raise self._failed(failure)

    def _failed(self, why: str, hint: str | None = None) -> ProviderFailed:
        return ProviderFailed(
            f"The provider {self.provider.name} could not open "
            f"{shown(self.entry.name)} ({self.entry.source}): {why.rstrip('.')}.",
            hint=hint
            or "Update the provider's package, or report this to its authors.",
        )

    def asynchronous(self) -> ProviderFailed:
        """Return the error that names the way to open this entry: awaiting it."""
        name = shown(self.entry.name)
        return self._failed(
            "it opens asynchronously.", f"Use: await registry.open({name!r})"
        )

    def _concealed(self, error: BaseException) -> str:
        text = unredacted(error)
        for secret in _secrets(self.entry):
            text = text.replace(secret, MASK)
        return text


def _imported(target: str) -> Factory:
    module, _, path = target.partition(":")
    found: object = importlib.import_module(module)
    found = reduce(getattr, path.split("."), found)
    return cast("Factory", found)


def _dropped(opened: Awaitable[object]) -> None:
    if inspect.iscoroutine(opened):
        opened.close()
    elif isinstance(opened, Future):
        opened.cancel()


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
