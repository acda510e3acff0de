"""How much a random test does: little each time, much in the long run.

The long run (``BYTEBUDDY_LONG=1``) is that of every night; some of its tests take many
minutes (``--timeout 7200``).
"""

from __future__ import annotations

import os
from typing import Final

LONG: Final = bool(os.environ.get("BYTEBUDDY_LONG"))


def rounds(usual: int, *, long: int) -> int:
    """Return how many rounds, seeds or examples a test takes."""
    return long if LONG else usual
