"""Write the answers of a model that was asked to work a suggestion in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from benchmarks.edits.cases import Edit
from benchmarks.edits.damaged_changes import CHANGE_DAMAGES
from benchmarks.edits.damaged_files import FILE_DAMAGES
from benchmarks.edits.right_answer import Answer, is_distinctive
from benchmarks.edits.styles import INFO
from bytebuddy_provider_hf.edits.formats.fences import fence_for

# Damages of one answer that are tried; with all of them a run would take an hour.
_TRIED: Final = 5
DAMAGES: Final = (*FILE_DAMAGES, *CHANGE_DAMAGES)
_WRAPPINGS: Final = ("fence", "fence", "prose", "bare", "no language", "crlf")


@frozen
class Reply:
    """An answer, and how it was damaged, if it was.

    ``distinctive`` says whether a line differs that has a word of its own.
    """

    text: str
    damage: str = ""
    distinctive: bool = False


def wrapped(text: str, language: str, how: str) -> str:
    """Return a text as models answer it: in a fence, with words round it, or bare."""
    if how == "bare":
        return text
    fence = fence_for(text)
    info = "" if how == "no language" else INFO.get(language, language)
    block = f"{fence}{info}\n{text}{fence}\n"
    if how == "prose":
        return (
            f"Here is the updated file:\n\n{block}\n"
            "I worked the suggested change in and left the rest as it was.\n"
        )
    return block.replace("\n", "\r\n") if how == "crlf" else block


def replies(edit: Edit, rng: random.Random) -> Iterator[Reply]:
    """Yield a right answer in some wrapping, then damaged ones."""
    how = rng.choice(_WRAPPINGS)
    # Bare, a text whose first line opens a fence cannot be told from a fenced one.
    if how == "bare" and fence_for(edit.changed) != "```":
        how = "fence"
    right = "".join(f"{line}\n" for line in edit.changed_lines)
    yield Reply(wrapped(right, edit.file.language, how))
    answer = Answer(edit)
    found = 0
    for damage in rng.sample(DAMAGES, len(DAMAGES)):
        made = damage.make(answer, rng)
        if made is None or tuple(made) in (answer.lines, edit.file.lines):
            continue
        text = "".join(f"{line}\n" for line in made)
        yield Reply(
            wrapped(text, edit.file.language, how),
            damage.name,
            is_distinctive(answer.lines, made),
        )
        found += 1
        if found == _TRIED:
            return
