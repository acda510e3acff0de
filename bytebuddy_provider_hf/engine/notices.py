"""What is said once in a process: warnings, not errors, in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.wire.target import Target

_log: Final = logging.getLogger(__name__)

_said: Final[set[tuple[str, ...]]] = set()
_MOST_SAID: Final = 10_000
# How wire/options.py begins a note: with the option's name.
_OPTION: Final = re.compile(r"(\w{1,30}) is (?:not )?sent\b|Only \d+ of \d+ stop texts")


def say_once(notice: str) -> None:
    """Log a notice the first time that it is said."""
    if _is_new(notice):
        _log.warning(notice)


def warn_once(target: Target, notes: Sequence[str]) -> None:
    """Log what is not sent as it was asked for: once for each option of a target."""
    for note in notes:
        named = _OPTION.match(note)
        if named is not None and _is_new(
            target.chat_url, target.model, named[1] or "stop"
        ):
            _log.warning("%s: %s", target.origin, note)


def _is_new(*key: str) -> bool:
    if key in _said:
        return False
    if len(_said) >= _MOST_SAID:
        _said.clear()
    _said.add(key)
    return True
