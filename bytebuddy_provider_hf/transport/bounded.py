"""A cache of what is known for each address, or held: bounded, oldest use first out."""

from __future__ import annotations

from collections.abc import Callable, ValuesView
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Addresses, and models at addresses, that are remembered after their last call.
MOST_KEPT: Final = 1_024


def _never(_value: object) -> bool:
    return False


def _nothing(_value: object) -> None:
    return None


class BoundedCache(Generic[K, V]):
    """Keep the ``most`` values that were used last.

    A value that is ``in_use`` stays however many there are; :meth:`trim` drops it when
    it no longer is. ``dropped`` is told of every value that had to go.
    """

    def __init__(
        self,
        most: int = MOST_KEPT,
        *,
        in_use: Callable[[V], bool] = _never,
        dropped: Callable[[V], None] = _nothing,
    ) -> None:
        self._values: dict[K, V] = {}
        self._most = most
        self._in_use = in_use
        self._dropped = dropped
        # How many values start the next search for what can go: were all of them in
        # use, a search at each new one would cost the square of their number.
        self._search_at = most + 1

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, which is the one used last from now on."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        """Keep ``value``; drop the one that has not been used for longest."""
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) >= self._search_at:
            self._search()

    def pop(self, key: K) -> V | None:
        """Return the value and forget it; ``dropped`` is not told."""
        return self._values.pop(key, None)

    def trim(self, key: K) -> None:
        """Drop the value of ``key`` if there are too many and it is not in use."""
        if len(self._values) <= self._most:
            return
        value = self._values.get(key)
        if value is not None and not self._in_use(value):
            del self._values[key]
            self._dropped(value)
        self._search_at = max(self._most, len(self._values)) + 1

    def values(self) -> ValuesView[V]:
        """Return the values, the one that was not used for longest first."""
        return self._values.values()

    def clear(self) -> list[V]:
        """Return all values and forget them; ``dropped`` is not told."""
        values = list(self._values.values())
        self._values.clear()
        self._search_at = self._most + 1
        return values

    def _search(self) -> None:
        newest = next(reversed(self._values))
        for key, value in list(self._values.items()):
            if len(self._values) <= self._most:
                break
            if key != newest and not self._in_use(value):
                del self._values[key]
                self._dropped(value)
        over = len(self._values) > self._most
        self._search_at = 2 * len(self._values) if over else self._most + 1
