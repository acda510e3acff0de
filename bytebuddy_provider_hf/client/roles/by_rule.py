"""Place a suggestion in a text by rule: what a model and the command both try first.

No model, configuration or network is needed, and nothing is imported that would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from bytebuddy_provider_hf.edits.merge import merge
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Reply

# What each way of reading a suggestion is called.
HOW: Final[Mapping[str, Callable[[], str]]] = {
    "patch": partial(text, "roles.by_patch"),
    "search_replace": partial(text, "roles.by_search_replace"),
    "codex": partial(text, "roles.by_codex"),
    "conflict": partial(text, "roles.by_conflict"),
    "before_after": partial(text, "roles.by_before_after"),
    "lazy": partial(text, "roles.by_lazy"),
    "whole": partial(text, "roles.by_whole"),
    "snippet": partial(text, "roles.by_snippet"),
}


def place_by_rule(
    original: str,
    suggestion: str,
    *,
    path: str = "",
    language: str = "",
    model: str = "",
) -> Reply | tuple[str, ...]:
    """Return ``original`` with ``suggestion`` placed by rule, where that is certain.

    Else the parts of the suggestion that have no certain place. ``model`` is the one
    that would have been asked.
    """
    merged = merge(original, suggestion, path=path, language=language)
    if merged.text is None:
        return merged.unplaced
    return Reply(
        merged.text,
        finish_reason="stop",
        model=model,
        notes=(text("roles.by_rule", how=HOW[merged.how]() if merged.how else ""),),
        diff=unified(original, merged.text, path=path),
        doubts=merged.doubts,
    )
