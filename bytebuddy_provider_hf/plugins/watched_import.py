"""Import foreign code in a thread of its own, and go on without it where it hangs.

Python cannot stop an import. What can be done is to wait in another thread than it runs
in, to say who is waited for, and to leave the thread behind: as a daemon it ends with
the process and never holds up its exit.
"""

from __future__ import annotations

import contextvars
import importlib
import logging
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from functools import reduce
from typing import Final, TypeVar, cast

from attrs import frozen

from bytebuddy_provider_hf.texts import LocalizedText, text

# Seconds that one import may take; heavy ones take a few.
TIMEOUT_VARIABLE: Final = "BYTEBUDDY_PLUGIN_TIMEOUT"
DEFAULT_TIMEOUT: Final = 10.0
# Longer than anyone waits, and short enough for a lock to wait so long.
LONGEST_TIMEOUT: Final = 86_400.0
# Seconds after which people are told who is waited for.
_TOLD_AFTER: Final = 2.0

T = TypeVar("T")

# Work that was not waited for: threads that it began may hold up a process's exit.
left_behind: Final[list[futures.Future[object]]] = []

_log: Final = logging.getLogger(__name__)


class ImportHangs(Exception):
    """An import did not end in time; ``reason`` says so."""

    def __init__(self, reason: LocalizedText) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class ImportWatch:
    """Run foreign work that may hang; ``title`` names who brought it.

    It raises what the work raises, or :class:`ImportHangs` after so many seconds.
    """

    # Asked for only where somebody hangs: a start of a host reads no table of texts.
    title: Callable[[], LocalizedText]
    seconds: float

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does; Ctrl-C ends the wait, though not the work."""
        future = _begun(work)
        first, rest = self._waits()
        if not futures.wait([future], first).done:
            self._tell()
            if not futures.wait([future], rest).done:
                raise self._hangs(future)
        return future.result()

    async def wait(self, work: Callable[[], T]) -> T:
        """Do the same without blocking the event loop."""
        import asyncio  # looking for plugins needs none

        begun = _begun(work)
        future = asyncio.wrap_future(begun)
        first, rest = self._waits()
        try:
            if not (await asyncio.wait([future], timeout=first))[0]:
                self._tell()
                if not (await asyncio.wait([future], timeout=rest))[0]:
                    raise self._hangs(begun)
            return future.result()
        finally:
            # Its loop may be closed when the work ends after all.
            future.cancel()

    def _waits(self) -> tuple[float, float]:
        first = min(_TOLD_AFTER, self.seconds / 2)
        return first, self.seconds - first

    def _tell(self) -> None:
        title, seconds = self.title(), f"{self.seconds:g}"
        _log.warning("%s", text("plugins.importing", title=title, seconds=seconds))

    def _hangs(self, future: futures.Future[T]) -> ImportHangs:
        left_behind.append(cast("futures.Future[object]", future))
        title, seconds = self.title(), f"{self.seconds:g}"
        _log.warning("%s", text("plugins.goes_on", title=title, seconds=seconds))
        return ImportHangs(
            text(
                "plugins.import_hangs",
                seconds=seconds,
                variable=TIMEOUT_VARIABLE,
            )
        )


def _begun(work: Callable[[], T]) -> futures.Future[T]:
    """Begin ``work`` in a thread that holds up nothing."""
    future: futures.Future[T] = futures.Future()
    # As an import in the caller's thread would see them.
    context = contextvars.copy_context()

    def run() -> None:
        # From here on nobody can cancel what is waited for.
        future.set_running_or_notify_cancel()
        try:
            done = context.run(work)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(done)

    threading.Thread(target=run, name="bytebuddy import", daemon=True).start()
    return future


def import_target(target: str) -> object:
    """Return what ``package.module:attribute`` names."""
    module, _, path = target.partition(":")
    found: object = importlib.import_module(module)
    return reduce(getattr, path.split("."), found)


def is_imported(target: str) -> bool:
    """Tell whether importing the module of ``target`` runs no more code of it."""
    module = sys.modules.get(target.partition(":")[0])
    # Of a module whose import hangs somewhere, a second import waits for the first.
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)
