"""Measure the memory of this process, and whether a figure grows with time."""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

from attrs import frozen

MIB: Final = 1024 * 1024
# Of the normal distribution, for 95 %.
_TWO_SIDED: Final = 1.96


def resident() -> int:
    """Return the bytes of this process that are in memory; elsewhere their peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        # Imported here: Windows has no such module.
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


@frozen
class Trend:
    """The slope of a figure over time, with its 95 % interval."""

    slope: float
    low: float
    high: float

    @property
    def is_flat(self) -> bool:
        """Whether the interval contains 0: nothing says that the figure changes."""
        return self.low <= 0 <= self.high


def trend(times: Sequence[float], values: Sequence[float]) -> Trend:
    """Return the Theil-Sen slope: the median of those between all pairs of points.

    The interval is Sen's (P. K. Sen, "Estimates of the regression coefficient based on
    Kendall's tau", 1968): so many slopes from either side of the median as Kendall's
    tau varies for points in any order.
    """
    points = list(zip(times, values, strict=True))
    slopes = sorted(
        (later[1] - former[1]) / (later[0] - former[0])
        for former, later in combinations(points, 2)
        if later[0] > former[0]
    )
    if not slopes:
        return Trend(0.0, -math.inf, math.inf)
    count = len(points)
    spread = _TWO_SIDED * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Trend(statistics.median(slopes), slopes[low], slopes[high])
