"""Log a warning once in a process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.wire.notes import Note

_log: Final = logging.getLogger(__name__)

_said: Final[set[tuple[str, ...]]] = set()
_MOST_SAID: Final = 10_000


def log_once(notice: str) -> None:
    """Log a notice the first time that it is said."""
    if _is_new(notice):
        _log.warning(notice)


def warn_dropped_option(target: Target, notes: Sequence[str]) -> None:
    """Log what is not sent as it was asked for: once for each option of a target."""
    # Other notes are about one prompt, and the caller reads them in the reply.
    for note in notes:
        if isinstance(note, Note) and _is_new(
            target.chat_url, target.model, note.option
        ):
            _log.warning("%s: %s", target.origin, note)


def _is_new(*key: str) -> bool:
    if key in _said:
        return False
    # Said again after ten thousand others: better than a set that only grows.
    if len(_said) >= _MOST_SAID:
        _said.clear()
    _said.add(key)
    return True
