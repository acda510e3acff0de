"""Read large answers in steps: a generator yields wherever others may have their turn.

A decoder cannot be interrupted, so a list is cut into its items first, which takes a
tenth of the time that decoding them takes, and each is decoded on its own. What an
answer costs in all was judged while it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import wraps
from typing import Final, ParamSpec, TypeAlias, TypeVar

import msgspec

from bytebuddy_provider_hf.json_cost import MOST_ELEMENTS, JsonBound, check_json_cost

_T = TypeVar("_T")
_P = ParamSpec("_P")

Steps: TypeAlias = Generator[None, None, _T]

# Bytes that are decoded between two turns: 10 ms where each number is one digit.
STEP: Final = 256 * 1024
# A batch of so many bytes is decoded typed and in one go: at worst, where each number
# is one digit, that takes 25 ms.
AT_ONCE: Final = 1024 * 1024
# A batch is cut in less than 50 ms, and held twice while it is put together.
MOST_BATCH: Final = 24 * 1024 * 1024
# Numbers of one input: 512 vectors of 1,024 where each token has its own, 20 ms. One
# vector has up to 16,384, a sparse one as many as its vocabulary has words.
_MOST_OF_ONE: Final = 557_056
# Of all inputs together.
_MOST_NUMBERS: Final = 4 * 1024 * 1024
# Lists of one input, one for each token, and of all.
_TOKENS: Final = 32_768
_MOST_ITEMS: Final = 131_072
_MOST_READ: Final = 16_384

_NESTED: Final = re.compile(rb"\s*\[\s*\[")
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_any: Final = msgspec.json.Decoder().decode


def vectors_bound(count: int) -> JsonBound:
    """Return what the vectors of ``count`` inputs may cost, one or one for a token."""
    numbers = min(count * _MOST_OF_ONE, _MOST_NUMBERS)
    items = min(count * _TOKENS, _MOST_ITEMS)
    return JsonBound(numbers + 2 * items, items, AT_ONCE)


def scores_bound(count: int) -> JsonBound:
    """Return what the scores, classes or texts of ``count`` inputs may cost."""
    # Each list or object is read by hand, in some µs.
    return JsonBound(max(MOST_ELEMENTS, 32 * count), max(_MOST_READ, 16 * count))


def at_once(steps: Callable[_P, Steps[_T]]) -> Callable[_P, _T]:
    """Return the function that takes all steps in one go, for short answers."""

    @wraps(steps)
    def finished(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        taken = steps(*args, **kwargs)
        while True:
            try:
                next(taken)
            except StopIteration as end:
                found: _T = end.value
                return found

    return finished


def read_items(
    items: list[msgspec.Raw], read: Callable[[msgspec.Raw], _T]
) -> Steps[list[_T]]:
    """Return what ``read`` makes of each item; raises what it raises.

    Raises ``ResponseTooLarge`` for an item of more numbers than one input has.
    """
    found: list[_T] = []
    size = 0
    for item in items:
        length = memoryview(item).nbytes
        if length > _MOST_OF_ONE:
            check_json_cost(bytes(item), _MOST_OF_ONE)
        found.append(read(item))
        size += length
        if size >= STEP:
            yield
            size = 0
    return found


def split_items(data: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """Return the items of a JSON list as they stand; raises as msgspec does."""
    return _items(data)


def read_numbers(data: bytes | msgspec.Raw) -> Steps[object]:
    """Return numbers in lists of lists as Python's; raises as msgspec does.

    Raises ``ResponseTooLarge`` for a list of more numbers than one input has.
    """
    if memoryview(data).nbytes <= STEP:
        return _any(data)
    if not _NESTED.match(data):
        (found,) = yield from read_items([msgspec.Raw(bytes(data))], _any)
        return found
    lists: list[object] = []
    size = 0
    for item in _items(data):
        length = memoryview(item).nbytes
        lists.append((yield from read_numbers(item)) if length > STEP else _any(item))
        size += length
        if size >= STEP:
            yield
            size = 0
    return lists


def in_one_step(read: Callable[[bytes], _T]) -> Callable[[bytes], Steps[_T]]:
    """Return steps of what needs but one: its answers are short, or refused."""

    def steps(body: bytes) -> Steps[_T]:
        # A generator, as the others are: it has no turn to give.
        yield from ()
        return read(body)

    return steps
