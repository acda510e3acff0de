"""Place a suggestion in a text by rule: what a model and the command both try first.

No model, configuration or network is needed, and nothing is imported that would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from bytebuddy_provider_hf.edits.merge import How, merge
from bytebuddy_provider_hf.edits.udiff import unified
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Reply

_HOW: Final[Mapping[How, Callable[[], str]]] = {
    "patch": partial(text, "roles.by_patch"),
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
        notes=(text("roles.by_rule", how=_HOW[merged.how]() if merged.how else ""),),
        diff=unified(original, merged.text, path=path),
        doubts=merged.doubts,
    )
