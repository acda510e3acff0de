"""Mend text from JSON whose escapes hold halves of characters.

JSON writes a character beyond U+FFFF as two escapes, and a server that cuts between two
tokens sends one in each delta (KohakuTerrarium#48, eliza#30904). A half alone is no
text: printing it, or sending it back, fails.
"""

from __future__ import annotations

import re
from typing import Final

_HALF: Final = re.compile("[\ud800-\udfff]")
_FIRST_HALVES: Final = ("\ud800", "\udbff")


def has_surrogates(text: str) -> bool:
    """Whether a text holds half a character."""
    return _HALF.search(text) is not None


def join_surrogates(text: str) -> tuple[str, str]:
    r"""Return a text with halves joined and lone ones replaced, and a half at its end.

    >>> join_surrogates("hi \\ud83d")
    ('hi ', '\\ud83d')
    """
    half = ""
    if text and _FIRST_HALVES[0] <= text[-1] <= _FIRST_HALVES[1]:
        text, half = text[:-1], text[-1]
    data = text.encode("utf-16-le", "surrogatepass")
    return data.decode("utf-16-le", "replace"), half
