"""JSON read leniently, and its values picked by type: what does not fit is ``None``."""

from __future__ import annotations

import json

from bytebuddy_provider_hf.json_cost import MOST_ELEMENTS, JsonCost, check_json_cost


def loads(data: bytes, *, most: int = MOST_ELEMENTS) -> object:
    """Return the JSON value in ``data``, leniently; ``None`` where there is none.

    NaN and infinities become ``None``, broken UTF-8 is replaced. Raises
    ``ResponseTooLarge`` for more than ``most`` elements.
    """
    check_json_cost(data, most)
    return parsed(data)


def parsed(data: bytes) -> object:
    """Return what :func:`loads` does, of JSON whose cost was judged before."""
    if JsonCost(len(data)).is_too_deep(data):
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
