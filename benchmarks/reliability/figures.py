"""Judge what a command measured: each value with its bound beside it, in one line."""

from __future__ import annotations

import argparse
import json
import operator
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}


@frozen
class Bound:
    """A value that was measured, and what it has to be: ``Bound("wrong", 3, "==", 0)``.

    A value that is ``None`` was not measured, which keeps no bound.
    """

    name: str
    value: float | None
    sign: str
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the value is within the bound."""
        return self.value is not None and _HOLDS[self.sign](self.value, self.limit)


def judged(figure: str, *bounds: Bound, **told: object) -> dict[str, Any]:
    """Return the figures of one line: ``met`` tells whether all the bounds hold.

    What is ``told`` besides has no bound; it says what was measured.
    """
    values = {
        key: value
        for each in bounds
        for key, value in (
            (each.name, each.value),
            (f"{each.name}_bound", f"{each.sign} {each.limit}"),
        )
    }
    missed = [each.name for each in bounds if not each.holds]
    return {"figure": figure, **told, **values, "missed": missed, "met": not missed}


@frozen
class Measured:
    """A value that was measured, and what it has to be."""

    value: float
    sign: str
    limit: float


def at_most(value: float, limit: float) -> Measured:
    """Return a value that must not pass a limit."""
    return Measured(value, "<=", limit)


def at_least(value: float, limit: float) -> Measured:
    """Return a value that has to reach a limit."""
    return Measured(value, ">=", limit)


def judge(
    figure: str, measured: Mapping[str, Measured], facts: Mapping[str, object]
) -> int:
    """Print the figures, and ``facts`` as they are; return the exit code."""
    bounds = [
        Bound(name, _short(each.value), each.sign, _short(each.limit))
        for name, each in measured.items()
    ]
    return tell(judged(figure, *bounds, **facts))


def _short(number: float) -> float:
    return number if isinstance(number, int) else round(number, 5)


def quartiles(values: Sequence[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return [round(values[0], 3)] * 3
    found = statistics.quantiles(values, n=4, method="inclusive")
    return [round(each, 3) for each in found]


def tell(found: Mapping[str, Any]) -> int:
    """Print the figures as one line of JSON; return the exit code."""
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["met"] else 1


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a module's docstring as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
