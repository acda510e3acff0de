"""The calls that wait for one model, in the order in which they came."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator

from bytebuddy_provider_hf.scheduling.waiter import Waiter


class WaitList:
    """Keep waiters by their number; one that comes back gets its old place."""

    __slots__ = ("_back", "_new")

    def __init__(self) -> None:
        self._new: OrderedDict[Waiter, None] = OrderedDict()
        # Few, and not in the order in which they come back.
        self._back: list[Waiter] = []

    def __len__(self) -> int:
        return len(self._new) + len(self._back)

    def __bool__(self) -> bool:
        return bool(self._new or self._back)

    def __iter__(self) -> Iterator[Waiter]:
        yield from self._back
        yield from self._new

    def add(self, waiter: Waiter) -> None:
        """Put a waiter where its number says."""
        waiter.queued = True
        last = next(reversed(self._new), None)
        if last is None or last.number < waiter.number:
            self._new[waiter] = None
        else:
            insort(self._back, waiter, key=_number)

    def remove(self, waiter: Waiter) -> None:
        """Take a waiter out that is in."""
        waiter.queued = False
        if waiter in self._new:
            del self._new[waiter]
        else:
            del self._back[bisect_left(self._back, waiter.number, key=_number)]

    def first_waiting(self) -> Waiter | None:
        """Return the first whose caller is here to go."""
        back = next((waiter for waiter in self._back if waiter.is_waiting), None)
        new = next((waiter for waiter in self._new if waiter.is_waiting), None)
        if back is None or new is None:
            return back or new
        return min(back, new, key=_number)


def _number(waiter: Waiter) -> int:
    return waiter.number
