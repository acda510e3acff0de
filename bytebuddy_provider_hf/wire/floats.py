"""Vectors of numbers in an answer: finite, and of equal length, or none at all."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterable
from typing import Final

from bytebuddy_provider_hf.outcomes import Vector

_WIDTH: Final = 4


def number(value: object) -> float | None:
    """Return ``value`` as a finite number; a bool or text is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def vector(value: object) -> Vector | None:
    """Return a list of finite numbers as a vector; one that is empty is none."""
    if not isinstance(value, list) or not value:
        return None
    # What nearly every answer holds, at a tenth of the cost of asking each number.
    if all(type(item) is float for item in value):
        return tuple(value) if all(map(math.isfinite, value)) else None
    found = [number(item) for item in value]
    kept = tuple(item for item in found if item is not None)
    return kept if len(kept) == len(found) else None


def vector_from_base64(text: str) -> Vector | None:
    """Return little-endian 32-bit floats written as base64.

    The form is that of OpenAI's ``encoding_format``.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % _WIDTH:
        return None
    found = struct.unpack(f"<{len(raw) // _WIDTH}f", raw)
    return found if all(map(math.isfinite, found)) else None


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
