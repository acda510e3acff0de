"""JSON read leniently, and its values picked by type: what does not fit is ``None``."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Final

# Deeper than any answer; below the depth at which json's recursion fails.
_MAX_DEPTH: Final = 200

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STEPS: Final = [
    1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)
]
_OTHERS: Final = bytes(byte for byte, step in enumerate(_STEPS) if not step)


def loads(data: bytes) -> object:
    """Return the JSON value in ``data``, leniently; ``None`` where there is none.

    NaN and infinities become ``None``, broken UTF-8 is replaced.
    """
    if _too_deep(data):
        return None
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def lenient_text(value: object) -> str | None:
    """Return a text."""
    return value if isinstance(value, str) else None


def lenient_integer(value: object) -> int | None:
    """Return a number, cut to a whole one; a bool or one past 2**53 is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) < 2**53 else None


def _no_number(_name: str) -> None:
    return None


def _too_deep(data: bytes) -> bool:
    """Tell nesting that json could not follow."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return False
    brackets = _STRINGS.sub(b"", data).translate(None, _OTHERS)
    # 0.05 s a megabyte of brackets; a loop over them took 0.4.
    depths = accumulate(map(_STEPS.__getitem__, brackets))
    return max(depths, default=0) > _MAX_DEPTH
