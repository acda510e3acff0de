"""Handlers of our own on the loggers, without a side effect on those of a host."""

from __future__ import annotations

import logging
from typing import Final, final

# This package's modules, and what a registry hands to the providers of others.
NAMES: Final = ("bytebuddy_provider_hf", "bytebuddy")


def attach(handler: logging.Handler) -> None:
    """Let ``handler`` have every record of its level and above."""
    for outlet in _OUTLETS:
        outlet.add(handler)


def detach(handler: logging.Handler) -> None:
    """Undo :func:`attach`; the handler is closed by whoever made it."""
    for outlet in _OUTLETS:
        outlet.remove(handler)


@final
class _Outlet(logging.Handler):
    """The handlers that were attached to one logger.

    Where one of them needs a lower level than the logger had, the logger gets that
    level, and this handler passes on to the loggers above what they would have had.
    A program that shows warnings does not show requests because a file has them.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger = logging.getLogger(name)
        self._attached: list[logging.Handler] = []
        # The logger's own level, and the one that was set instead.
        self._before = logging.NOTSET
        self._lowered: int | None = None

    def add(self, handler: logging.Handler) -> None:
        """Attach a handler."""
        self._attached.append(handler)
        self._logger.addHandler(handler)
        self._set_level()

    def remove(self, handler: logging.Handler) -> None:
        """Take a handler away."""
        if handler in self._attached:
            self._attached.remove(handler)
        self._logger.removeHandler(handler)
        self._set_level()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on to the loggers above."""
        above = self._logger.parent
        if above is None or record.levelno < self._threshold(above):
            return
        # Without a handler there, logging would print it as a last resort.
        if above.hasHandlers():
            above.callHandlers(record)

    def _threshold(self, above: logging.Logger) -> int:
        # A host may have set another level since.
        own = self._logger.level
        kept = self._before if own == self._lowered else own
        return kept or above.getEffectiveLevel()

    def _set_level(self) -> None:
        logger = self._logger
        if self._lowered is not None:
            logger.removeHandler(self)
            logger.propagate = True
            if logger.level == self._lowered:
                logger.setLevel(self._before)
            self._lowered = None
        wanted = min((each.level for each in self._attached), default=logging.CRITICAL)
        if not self._attached or logger.getEffectiveLevel() <= wanted:
            return
        self._before, self._lowered = logger.level, wanted
        logger.setLevel(wanted)
        if logger.propagate:
            logger.propagate = False
            logger.addHandler(self)


_OUTLETS: Final = tuple(_Outlet(name) for name in NAMES)
