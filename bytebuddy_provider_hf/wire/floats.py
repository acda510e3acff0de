"""Read the numbers of an answer: finite, in order, of equal length, or none at all."""

from __future__ import annotations

import binascii
import math
import struct
import sys
from collections.abc import Iterable
from typing import Final

from bytebuddy_provider_hf.outcomes import Label, Vector

_WIDTH: Final = 4
# Read as the machine's own C floats they cost a tenth less than as "<".
_ORDER: Final = "@" if sys.byteorder == "little" else "<"


def number(value: object) -> float | None:
    """Return ``value`` as a finite number; a bool or text is none."""
    # JSON's true is an int to Python and no number to anybody.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer of JSON may have any length; one of 400 digits is no float.
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def vector(value: object) -> Vector | None:
    """Return a list of finite numbers as a vector; one that is empty is none."""
    if not isinstance(value, list) or not value:
        return None
    # What nearly every answer holds, at a tenth of the cost of asking each number: a
    # sum with NaN or an infinity in it is not finite.
    if set(map(type, value)) == {float} and math.isfinite(sum(value)):
        return tuple(value)
    found = [number(item) for item in value]
    kept = tuple(item for item in found if item is not None)
    return kept if len(kept) == len(found) else None


def vector_from_base64(text: str) -> Vector | None:
    """Return little-endian 32-bit floats written as base64.

    The form is that of OpenAI's ``encoding_format``.
    """
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % _WIDTH:
        return None
    # 12.5 µs a vector of 384 with what surrounds it, as a list made by hand is; by way
    # of an array 14.5.
    found = struct.unpack(f"{_ORDER}{len(raw) // _WIDTH}f", raw)
    # NaN and the infinities have all exponent bits set, so that their last byte is one
    # of these two, which else means 1.7e38 or more. Looking for it costs 0.4 µs a
    # vector of 384, asking each number 9.
    last = raw[3::4]
    if b"\x7f" in last or b"\xff" in last:
        return found if all(map(math.isfinite, found)) else None
    return found


def matrix(value: object) -> tuple[Vector, ...] | None:
    """Return a list of vectors of equal length; one that is empty is none."""
    if not isinstance(value, list) or not value:
        return None
    found = [vector(item) for item in value]
    kept = tuple(item for item in found if item is not None)
    return kept if len(kept) == len(found) and of_equal_length(kept) else None


def of_equal_length(vectors: Iterable[Vector]) -> bool:
    """Whether all vectors have the same number of dimensions."""
    return len({len(each) for each in vectors}) <= 1


def in_order(items: object, count: int) -> tuple[float, ...] | None:
    """Return one score for each of ``count`` documents, in the order sent.

    ``items`` is a list of ``{index, relevance_score}`` or ``{index, score}``, in any
    order. ``None`` where one is missing, twice there, or not a finite number.
    """
    if not isinstance(items, list) or len(items) != count:
        return None
    found: dict[float, float] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        place = number(item.get("index"))
        # llama.cpp, vLLM, infinity, Jina and Cohere say the first; TEI the second.
        scores = (number(item.get(name)) for name in ("relevance_score", "score"))
        score = next((each for each in scores if each is not None), None)
        if place is None or score is None:
            return None
        found[place] = score
    if found.keys() != set(range(count)):
        return None
    return tuple(found[place] for place in range(count))


def label_groups(items: object, count: int) -> tuple[tuple[Label, ...], ...] | None:
    """Return the classes of ``count`` texts, ``None`` unless each has some.

    Each is ``{label, score}``, the score a finite number.
    """
    if not isinstance(items, list) or len(items) != count:
        return None
    groups: list[tuple[Label, ...]] = []
    for item in items:
        found = []
        for each in item if isinstance(item, list) else ():
            label = each.get("label") if isinstance(each, dict) else None
            score = number(each.get("score")) if isinstance(each, dict) else None
            if isinstance(label, str) and score is not None:
                found.append(Label(label, score))
        if not found or len(found) != len(item):
            return None
        groups.append(tuple(found))
    return tuple(groups) or None
