"""Ask a model to apply a suggestion that no rule could place."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.edits.formats.fences import fence_for
from bytebuddy_provider_hf.prompts.edit import EditPrompt, info_of
from bytebuddy_provider_hf.prompts.template import render
from bytebuddy_provider_hf.types import Message

_MARKERS: Final = (
    "A comment with dots in the suggestion, such as `... existing code ...`, stands "
    "for lines of the file that stay: write those lines out, never the comment."
)
_ALL: Final = (
    "all of the new file, from its first line to its last, and nothing else. Every "
    "line of the suggestion has to be in it, and every line of the file that the "
    "suggestion does not change, with its indentation."
)


def apply_messages(
    original: str, suggestion: str, *, path: str = "", language: str = ""
) -> EditPrompt:
    """Return the question for the whole new text, in one turn of the user."""
    fence = fence_for(original, suggestion)
    info = info_of(language, path)
    named = f" {' '.join(path.split())}" if path else ""
    parts = (
        f"Work the suggested change into the file{named}.",
        f"The file as it is:\n{fence}{info}\n{_closed(original)}{fence}",
        f"The suggested change:\n{fence}\n{_closed(suggestion)}{fence}",
        _MARKERS,
        f"Answer with one block between {fence} lines that has {_ALL}",
    )
    text = "\n\n".join(parts)
    return EditPrompt((Message("user", text),), f"{fence}{info}\n", fence)


def render_apply_template(template: str, original: str, suggestion: str) -> str:
    """Return the entry's own template for applying, with both texts put in.

    It may name ``original_code`` and ``new_code``; raises ``InvalidOption`` for any
    other name or form.
    """
    return render(template, {"original_code": original, "new_code": suggestion})


def _closed(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
