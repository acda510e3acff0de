"""Read a suggestion: which parts of it are code of the file, and in which format."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.edits.hunks import Patch
from bytebuddy_provider_hf.edits.languages import Language

How: TypeAlias = Literal[
    "patch", "search_replace", "codex", "conflict", "before_after", "code"
]


@frozen
class Part:
    """One change that a suggestion makes, or one piece of code of it.

    ``text`` is what was said, for messages, and ``how`` its format. All but ``code``
    come as a ``patch``; one without hunks could not be read, or changes nothing.

    ``code`` is bare of fences, line numbers and preamble; ``info`` is what its fence
    said. Numbers told its place: it is from line ``first`` (counted from 1), with
    ``gaps`` where they jump, and the file goes on before it (``open_start``) or after
    it (``open_end``). An ``unclosed`` part is one whose fence has no end.
    """

    text: str
    how: How
    patch: Patch | None = None
    code: str = ""
    info: str = ""
    first: int | None = None
    gaps: bool = False
    open_start: bool = False
    open_end: bool = False
    unclosed: bool = False


def read_suggestion(
    original: str, suggestion: str, *, language: Language | None, path: str = ""
) -> tuple[Part, ...]:
    """Return the parts of a suggestion, in order; none where none is of this file."""
    raise NotImplementedError
