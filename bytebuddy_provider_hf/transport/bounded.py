"""Bound what is remembered or held for each address: the oldest use goes first."""

from __future__ import annotations

from collections.abc import Callable, ValuesView
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Addresses, and models at addresses, that are remembered after their last call.
MOST_KEPT: Final = 1_024


class BoundedCache(Generic[K, V]):
    """Keep the ``most`` values that were used last.

    A value that is ``in_use`` stays however many there are; :meth:`trim` drops it when
    it no longer is. ``dropped`` is told of every key and value that had to go.
    """

    def __init__(
        self,
        most: int = MOST_KEPT,
        *,
        in_use: Callable[[V], bool] | None = None,
        dropped: Callable[[K, V], None] | None = None,
    ) -> None:
        # A dict keeps the order of insertion, so the first key is the oldest use.
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
        if len(self._values) < self._search_at:
            return
        for old in list(self._values):
            if len(self._values) <= self._most:
                break
            if old != key:
                self._drop(old)
        over = len(self._values) > self._most
        self._search_at = 2 * len(self._values) if over else self._most + 1

    def pop(self, key: K) -> V | None:
        """Return the value and forget it; ``dropped`` is not told."""
        return self._values.pop(key, None)

    def trim(self, key: K) -> None:
        """Drop the value of ``key`` if there are too many and it is not in use."""
        if len(self._values) > self._most:
            self._drop(key)
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

    def _drop(self, key: K) -> None:
        """Drop a value that is not in use."""
        value = self._values.get(key)
        if value is None or (self._in_use is not None and self._in_use(value)):
            return
        del self._values[key]
        if self._dropped is not None:
            self._dropped(key, value)
