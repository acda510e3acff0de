"""Take the steps of a long computation, the loop's other tasks in between."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from bytebuddy_provider_hf.wire.steps import Steps

_T = TypeVar("_T")


async def take_turns(steps: Steps[_T]) -> _T:
    """Return what ``steps`` return; between two of them others have their turn."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: _T = end.value
            return found
        await asyncio.sleep(0)
