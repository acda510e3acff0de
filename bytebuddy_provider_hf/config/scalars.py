"""What an unquoted YAML 1.2 value means: a number, a bool, nothing, or text."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.config.document import (
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    is_null,
)

# YAML 1.2.2, section 10.3.2; longer digits would cost more than they say.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,5})?"
)
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BOOLS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def integer(node: ScalarNode) -> int | None:
    """Return the whole number that ``node`` is, or ``None``."""
    text = _typed(node)
    if text is None or not _INTEGER.fullmatch(text):
        return None
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def number(node: ScalarNode) -> float | None:
    """Return the number that ``node`` is (``.inf`` and ``.nan`` too), or ``None``."""
    whole = integer(node)
    if whole is not None:
        return whole
    text = _typed(node)
    if text is None:
        return None
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1).lower())
    return float(text) if _FLOAT.fullmatch(text) else None


def flag(node: ScalarNode) -> bool | None:
    """Return the bool that ``node`` is, or ``None``; ``yes`` and ``on`` are text."""
    text = _typed(node)
    return None if text is None else _BOOLS.get(text)


def _typed(node: ScalarNode) -> str | None:
    """Return the text that may be a number: plain, or made of a variable."""
    if node.variables:
        return node.text.strip()
    return node.text if node.plain else None


def plain_value(node: Node) -> object:
    """Return ``node`` as plain Python; what came from a variable stays text."""
    if isinstance(node, MapNode):
        return {pair.key.text: plain_value(pair.value) for pair in node.pairs}
    if isinstance(node, ListNode):
        return [plain_value(item) for item in node.items]
    if node.variables:
        return node.text
    if is_null(node):
        return None
    found = flag(node)
    if found is not None:
        return found
    value = number(node)
    return node.text if value is None else value
