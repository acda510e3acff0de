"""Scores of documents: whatever order they came in, back in the order sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.wire.floats import number

# llama.cpp, vLLM, infinity, Jina and Cohere say the first; TEI the second.
_SCORES: Final = ("relevance_score", "score")


def in_order(items: object, count: int) -> tuple[float, ...] | None:
    """Return one score for each of ``count`` documents, in the order sent.

    ``items`` is a list of ``{index, relevance_score}`` or ``{index, score}``, in any
    order. ``None`` where one is missing, twice there, or not a finite number.
    """
    if not isinstance(items, list) or len(items) != count:
        return None
    found: dict[int, float] = {}
    for item in items:
        place, score = _place(item), _score(item)
        if place is None or score is None:
            return None
        found[place] = score
    if found.keys() != set(range(count)):
        return None
    return tuple(found[place] for place in range(count))


def _place(item: object) -> int | None:
    place = number(item.get("index")) if isinstance(item, Mapping) else None
    return int(place) if place is not None and place.is_integer() else None


def _score(item: object) -> float | None:
    if not isinstance(item, Mapping):
        return None
    for name in _SCORES:
        if (score := number(item.get(name))) is not None:
            return score
    return None
