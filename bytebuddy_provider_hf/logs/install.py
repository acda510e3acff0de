"""The log file that a configuration asks for, installed once in a process."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import define

from bytebuddy_provider_hf.config.values import ConfigWarning, LogOptions
from bytebuddy_provider_hf.logs.outlets import attach, detach

_log: Final = logging.getLogger(__name__)


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
    found = _installed.get(named)
    if found is None:
        found = _installed[named] = _opened(options)
    return found.complaint


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
        reason = getattr(error, "strerror", None) or "its name is not usable"
        message = f"the log {options.path} cannot be opened: {reason}"
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
