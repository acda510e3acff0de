"""A name that does not exist: what does, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from bytebuddy_provider_hf.errors import UnknownName
from bytebuddy_provider_hf.secret import one_line

_LONGEST_NAME: Final = 100
_MOST_SHOWN: Final = 12
_MOST_KEPT: Final = 200


def unknown_name_error(
    kind: type[UnknownName],
    sentence: str,
    name: str,
    *,
    known: Iterable[str],
    hint: str = "",
) -> UnknownName:
    """Return an error that lists what exists and the nearest spelling of ``name``.

    ``sentence`` says what is missing. Names come from files: they are redacted and
    cut, and the list is bounded. ``hint`` stands where nothing is spelt alike.
    """
    asked = safe_name(name)
    names = tuple(
        safe_name(each) for each, _ in zip(known, range(_MOST_KEPT), strict=False)
    )
    near = nearest(asked, names)
    return kind(
        f"{sentence} {_listed(names)}",
        name=asked,
        known=names,
        hint=f"Did you mean {near}?" if near else hint or None,
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of ``names``, or ``None`` where none is similar."""
    by_folded: dict[str, str] = {}
    for each in names:
        by_folded.setdefault(each.casefold(), each)
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def safe_name(name: str) -> str:
    """Return a name from a file or a caller as a message may show it."""
    return one_line(name, limit=_LONGEST_NAME)


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "There is none."
    more = len(names) - _MOST_SHOWN
    tail = f" and {more} more" if more > 0 else ""
    return f"There is: {', '.join(names[:_MOST_SHOWN])}{tail}."
