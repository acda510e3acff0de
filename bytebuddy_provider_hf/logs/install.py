"""Attach handlers to the loggers without a side effect on those of a host.

The log file that a configuration asks for is one of them, opened once in a process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from attrs import define

from bytebuddy_provider_hf.config.values import ConfigWarning, LogOptions
from bytebuddy_provider_hf.texts import text

_log: Final = logging.getLogger(__name__)

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
        if above is None:
            return
        # A host may have set another level since.
        own = self._logger.level
        kept = self._before if own == self._lowered else own
        if record.levelno < (kept or above.getEffectiveLevel()):
            return
        # Without a handler there, logging would print it as a last resort.
        if above.hasHandlers():
            above.callHandlers(record)

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


@define
class _Installed:
    options: LogOptions
    handler: logging.Handler | None
    complaint: ConfigWarning | None = None


# By the configuration file: what it said counts until it is read again.
_installed: Final[dict[Path, _Installed]] = {}


def follow(options: LogOptions | None, files: Iterable[Path]) -> ConfigWarning | None:
    """Log from now on as a configuration, read from ``files``, says.

    Returns why there is no log, where its file cannot be opened: that is no error.
    """
    named = None if options is None else options.source.path
    for file in files:
        known = _installed.get(file)
        if known is not None and (file != named or known.options != options):
            _remove(file)
    if options is None or named is None:
        return None
    if named not in _installed:
        _installed[named] = _opened(options)
    return _installed[named].complaint


def complaints() -> tuple[ConfigWarning, ...]:
    """Return why log files that were asked for could not be opened."""
    return tuple(each.complaint for each in _installed.values() if each.complaint)


def close() -> None:
    """Close every log file; what is logged from now on is not written."""
    for file in tuple(_installed):
        _remove(file)


def _opened(options: LogOptions) -> _Installed:
    # It brings sockets, queues and more, which only a log file pays for.
    from bytebuddy_provider_hf.logs.file import RotatingFile

    try:
        handler = RotatingFile(options)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or text("logs.name_unusable")
        message = text("logs.cannot_open", path=options.path, reason=reason)
        complaint = ConfigWarning(str(options.source), message)
        _log.warning("%s", complaint)
        return _Installed(options, None, complaint)
    attach(handler)
    return _Installed(options, handler)


def _remove(file: Path) -> None:
    handler = _installed.pop(file).handler
    if handler is None:
        return
    detach(handler)
    with suppress(OSError):  # a full disk: what could not be written is lost
        handler.close()
