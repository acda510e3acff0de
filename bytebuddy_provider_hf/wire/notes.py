"""A note on one option: a sentence that knows which option it is about."""

from __future__ import annotations

from typing import Self


class Note(str):
    """A sentence for ``reply.notes``; ``option`` is the option's name in the file."""

    __slots__ = ("option",)
    option: str

    def __new__(cls, text: str, option: str = "") -> Self:
        """Return ``text`` as a note on ``option``."""
        note = super().__new__(cls, text)
        note.option = option
        return note
