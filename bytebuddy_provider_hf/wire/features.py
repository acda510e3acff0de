"""Feature extraction: vectors nested one to four deep become one value an input."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.outcomes import Features
from bytebuddy_provider_hf.wire.floats import matrix, of_equal_length, vector

_TOKENS: Final = 2
_BATCHED: Final = 3


def features(value: object, count: int | None) -> tuple[Features, ...] | None:
    """Return the features of each input, or ``None`` where the answer has others.

    ``count`` is how many inputs were sent as a list, ``None`` for one that was not.
    A sentence-transformers model gives a vector for each input, others a vector for
    each token, some wrapped in a batch of one.
    """
    items = _items(value, count)
    if items is None:
        return None
    found = [_one(item) for item in items]
    whole = tuple(each for each in found if each is not None)
    vectors = [each for one in whole for each in one.vectors]
    complete = len(whole) == len(found) == (count or 1)
    return whole if complete and of_equal_length(vectors) else None


def _items(value: object, count: int | None) -> list[object] | None:
    """Return what the answer holds for each input."""
    if not isinstance(value, list):
        return None
    if count is not None and (count > 1 or _depth(value) > 1):
        return value
    return [value]


def _one(value: object) -> Features | None:
    depth = _depth(value)
    while depth >= _TOKENS and isinstance(value, list) and len(value) == 1:
        value, depth = value[0], depth - 1
    if depth == 1:
        found = vector(value)
        return None if found is None else Features((found,), pooled=True)
    rows = matrix(value) if depth == _TOKENS else None
    return None if rows is None else Features(rows, pooled=False)


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list) and value and depth <= _BATCHED:
        value, depth = value[0], depth + 1
    return depth
