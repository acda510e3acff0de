"""Name what becomes of a suggestion: a new text, or what has no certain place."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.errors import Doubt

How: TypeAlias = Literal[
    "patch",
    "search_replace",
    "codex",
    "conflict",
    "before_after",
    "lazy",
    "whole",
    "snippet",
]


@frozen
class Placed:
    """A new text; or ``None``, and the pieces of a suggestion without a certain place.

    They are never placed in part: with one unplaced piece there is no text.
    """

    text: str | None
    unplaced: tuple[str, ...] = ()


@frozen
class Merged(Placed):
    """A new text and how it came about; or ``None``, and what has no certain place.

    ``doubts`` are reasons to look at the text before it is written.
    """

    how: How | None = None
    doubts: tuple[Doubt, ...] = ()
