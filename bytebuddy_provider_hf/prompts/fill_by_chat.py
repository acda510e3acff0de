"""Fill in by a conversation, for instruct models whose server has no other way."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.types import Message

_SYSTEM: Final = (
    "You complete code at the cursor of an editor. The user shows a file in which "
    "{hole} stands at the cursor. Write the text that belongs in its place, so that "
    "the file reads well from beginning to end.\n"
    "Rules:\n"
    "- Put that text between {begin} and {end}, and write nothing outside them.\n"
    "- Begin right at the cursor: do not repeat what stands before it, nor what "
    "follows it.\n"
    "- Keep to the file's indentation and style. Line ends and spaces count.\n"
    "- No explanations, no Markdown.\n"
    "- Where nothing is missing, write {begin}{end}."
)


@frozen
class FillMarkers:
    """What stands at the cursor, and around the answer; none is in the code."""

    placeholder: str
    begin: str
    end: str


def choose_markers(context: FillContext) -> FillMarkers:
    """Return the markers for this context: the first that its code does not hold."""
    number = 0
    while True:
        name = f"FILL{number or ''}"
        made = FillMarkers(f"<{name}_HERE>", f"<{name}>", f"</{name}>")
        marks = (made.placeholder, made.begin, made.end)
        if not any(mark in context.prefix or mark in context.suffix for mark in marks):
            return made
        number += 1


def fill_messages(context: FillContext) -> tuple[Message, ...]:
    """Return the conversation that asks for the missing text alone.

    Other files come first, then the file with a marker at the cursor. Read the answer
    with ``FillFilter(context, shown=context, ...)``.
    """
    marks = choose_markers(context)
    system = _SYSTEM.format(hole=marks.placeholder, begin=marks.begin, end=marks.end)
    shown = [
        f"For reference, {path}:\n{text.rstrip()}\n" for path, text in context.files
    ]
    named = f"The file {context.path}" if context.path else "The file"
    kind = f" ({context.language})" if context.language else ""
    shown.append(f"{named}{kind}:\n{context.prefix}{marks.placeholder}{context.suffix}")
    return (
        Message(role="system", content=system),
        Message(role="user", content="\n".join(shown)),
    )
