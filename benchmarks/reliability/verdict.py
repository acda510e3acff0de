"""Print what was measured beside its bounds, and say whether all of them hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TypeAlias

from attrs import frozen

Number: TypeAlias = float | int


@frozen
class AtMost:
    """A value that a figure must not pass."""

    value: Number
    bound: Number

    @property
    def holds(self) -> bool:
        # What is no number, such as NaN, holds no bound.
        return self.value <= self.bound


@frozen
class AtLeast:
    """A value that a figure has to reach."""

    value: Number
    bound: Number

    @property
    def holds(self) -> bool:
        return self.value >= self.bound


Measured: TypeAlias = Mapping[str, AtMost | AtLeast]


def tell(figure: str, measured: Measured, facts: Mapping[str, object]) -> int:
    """Print one line of JSON; return the exit code: 1 where a bound is missed.

    Each value stands with its bound: ``{"value": 3, "at_most": 6}``. ``missed`` names
    those that do not hold; ``facts`` are printed as they are.
    """
    missed = [name for name, found in measured.items() if not found.holds]
    told: dict[str, object] = {"figure": figure, **facts}
    for name, found in measured.items():
        side = "at_most" if isinstance(found, AtMost) else "at_least"
        told[name] = {"value": _short(found.value), side: _short(found.bound)}
    told |= {"missed": missed, "met": not missed}
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if missed else 0


def _short(number: Number) -> Number:
    return number if isinstance(number, int) else round(number, 5)
