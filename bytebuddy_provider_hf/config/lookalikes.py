"""What copying from a page or a chat puts in the place of YAML's own signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bytebuddy_provider_hf.config.document import (
    ListNode,
    MapNode,
    Node,
    Problem,
    ScalarNode,
    shown_key,
)

_KEY: Final = r"[A-Za-z_][\w.-]*"
# Blanks that are none to YAML: no-break, em and their like, zero width, ideographic.
_BLANK: Final = "[\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]"
_WRONG_BLANK: Final = re.compile(
    rf"(?m)^[ ]*+(?:-[ ]*+)?+(?:{_KEY}:)?+[ ]*+(?P<sign>{_BLANK})"
)
_WRONG_COLON: Final = re.compile(rf"(?m)^[ ]*+(?:-[ ]++)?+{_KEY}(?P<sign>\uff1a)")
_NO_BLANK: Final = re.compile(rf"{_KEY}:\S.*", re.DOTALL)
_CURLY: Final = re.compile("[“”„‘’「『].*[“”‘’」』]", re.DOTALL)


def lookalike(text: str) -> Problem | None:
    """Return the first sign at the head of a line that only looks like YAML's own."""
    found = [m for m in (_WRONG_BLANK.search(text), _WRONG_COLON.search(text)) if m]
    if not found:
        return None
    first = min(found, key=lambda match: match.start("sign"))
    start = first.start("sign")
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    code = f"U+{ord(first['sign']):04X}"
    if first["sign"] == "\uff1a":
        message = f"the character {code} is no colon to YAML; write : and a blank"
    else:
        message = f"the character {code} is no blank to YAML; write ordinary spaces"
    return Problem(line, column, message)


def lacks_blank(node: Node) -> bool:
    """Tell whether ``name:"x"`` was meant as a key with its value."""
    return (
        isinstance(node, ScalarNode)
        and node.plain
        and _NO_BLANK.fullmatch(node.text) is not None
    )


def curly_quotes(node: Node, *, path: str) -> Iterator[Problem]:
    """Yield a notice for every value in quotes that YAML takes for text."""
    if isinstance(node, MapNode):
        for pair in node.pairs:
            inner = f"{path}.{shown_key(pair.key.text)}"
            yield from curly_quotes(pair.value, path=inner)
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from curly_quotes(item, path=f"{path}[{index}]")
    elif node.plain and _CURLY.fullmatch(node.text):
        message = (
            f"the quotes {node.text[0]} and {node.text[-1]} are a part of this value;"
            " YAML knows \" and ' only"
        )
        yield Problem(node.line, node.column, message, path)
