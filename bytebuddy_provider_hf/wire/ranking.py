"""Scores of documents: whatever order they came in, back in the order sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bytebuddy_provider_hf.outcomes import Label, Outcome
from bytebuddy_provider_hf.wire.floats import number

# llama.cpp, vLLM, infinity, Jina and Cohere say the first; TEI the second.
_SCORES: Final = ("relevance_score", "score")
# What a classifier of pairs calls "this document answers it".
_RELEVANT: Final = frozenset({"label_1", "relevant", "yes", "true", "1"})
_TWO: Final = 2


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


def relevance(groups: Sequence[Sequence[Outcome]]) -> tuple[float, ...] | None:
    """Return the score of each pair that a classifier was asked about, in order.

    A cross-encoder has one class, whose score it is, or two, of which one means
    relevant by its name. ``None`` where the classes do not tell.
    """
    found = [_of_pair(group) for group in groups]
    kept = tuple(score for score in found if score is not None)
    return kept if len(kept) == len(found) else None


def _of_pair(group: Sequence[Outcome]) -> float | None:
    labels = [each for each in group if isinstance(each, Label)]
    if len(labels) == 1:
        return labels[0].score
    named = [each.score for each in labels if each.label.lower() in _RELEVANT]
    return named[0] if len(labels) == _TWO and len(named) == 1 else None


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
