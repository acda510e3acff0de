"""A note on one option: a sentence that knows which option it is about."""

from __future__ import annotations

from typing import Self

from bytebuddy_provider_hf.texts import Language, LocalizedText, Spelling, in_python


class Note(LocalizedText):
    """A sentence for ``reply.notes``; ``option`` is the option's name in the file."""

    __slots__ = ("option",)
    option: str

    def __new__(cls, told: str, option: str = "") -> Self:
        """Return a sentence as a note on ``option``; a plain one has no row."""
        note = str.__new__(cls, told)
        note.id, note.facts, note.row, note.option = "", {}, None, option
        if isinstance(told, LocalizedText):
            note.id, note.facts, note.row = told.id, told.facts, told.row
        return note

    def render(self, language: Language = "en", spelling: Spelling = in_python) -> str:
        """Return the sentence in a language; one without a row has English alone."""
        return super().render(language, spelling) if self.id else str(self)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        told = LocalizedText(self.id, self.facts, self.row) if self.id else str(self)
        return type(self), (told, self.option)
