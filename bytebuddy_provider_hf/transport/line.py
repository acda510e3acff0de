"""The calls that wait for one model, in the order in which they came."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator

from bytebuddy_provider_hf.transport.ticket import Ticket


class Line:
    """Keep tickets by their number; one that comes back gets its old place."""

    __slots__ = ("_back", "_new")

    def __init__(self) -> None:
        self._new: OrderedDict[Ticket, None] = OrderedDict()
        # Few, and not in the order in which they come back.
        self._back: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._new) + len(self._back)

    def __bool__(self) -> bool:
        return bool(self._new or self._back)

    def __iter__(self) -> Iterator[Ticket]:
        yield from self._back
        yield from self._new

    def join(self, ticket: Ticket) -> None:
        """Put a ticket where its number says."""
        ticket.queued = True
        last = next(reversed(self._new), None)
        if last is None or last.number < ticket.number:
            self._new[ticket] = None
        else:
            insort(self._back, ticket, key=_number)

    def part(self, ticket: Ticket) -> None:
        """Take a ticket out that is in."""
        ticket.queued = False
        if ticket in self._new:
            del self._new[ticket]
        else:
            del self._back[bisect_left(self._back, ticket.number, key=_number)]

    def first_here(self) -> Ticket | None:
        """Return the first whose caller is here to go."""
        back = next((ticket for ticket in self._back if ticket.here), None)
        new = next((ticket for ticket in self._new if ticket.here), None)
        if back is None or new is None:
            return back or new
        return min(back, new, key=_number)


def _number(ticket: Ticket) -> int:
    return ticket.number
