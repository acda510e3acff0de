"""Models that were opened: each once, and all closed together."""

from __future__ import annotations

import asyncio
import logging
from copy import copy
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.errors import ByteBuddyError, Closed, ProviderFailed
from bytebuddy_provider_hf.plugins.failure import described
from bytebuddy_provider_hf.plugins.lookup import safe_name
from bytebuddy_provider_hf.plugins.opening import Opening, must_propagate
from bytebuddy_provider_hf.plugins.protocols import Model

_log: Final = logging.getLogger(__name__)

# Seconds that one model may take to close before the next one's turn comes.
_PATIENCE: Final = 30.0


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
                return await self._attempted(attempt, opening)
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
            raise ProviderFailed(f"{len(failed)} not closed: {'; '.join(failed)}.")

    async def _attempted(self, attempt: _Attempt, opening: Opening) -> Model:
        name = opening.entry.name
        if attempt.error is not None:
            raise copy(attempt.error)
        self.refuse_if_closed()
        if (model := self._models.get(name)) is not None:
            return model
        try:
            model = await opening.open_async()
        except ByteBuddyError as error:
            # Those who waited share the failure; whoever comes later tries anew.
            attempt.error = error
            self._retire(name, attempt)
            raise
        if self.closed:
            await _closed(name, model)
        return self._kept(name, model)

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
            raise Closed("The registry was closed.", hint="Load another one.")


async def _closed(name: str, model: Model) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE) as patience:
            await model.aclose()
    except BaseException as error:
        if must_propagate(error):
            raise
        # Foreign code has failed, and the rest must close.
        why = f"no end in {_PATIENCE:.0f} s" if patience.expired() else described(error)
        failure = f"{safe_name(name)}: {why}"
    else:
        return None
    _log.warning("a model did not close: %s", failure)
    return failure
