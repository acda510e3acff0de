"""Choose the language to speak in: by ``--lang``, else by the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import pairwise, takewhile
from typing import Final

from bytebuddy_provider_hf.texts import LANGUAGES, Language, render

# The key of click's Context.meta under which ``--lang`` is kept.
LANG: Final = "bytebuddy_provider_hf.lang"
# This program's own, then POSIX's order of precedence for messages.
_VARIABLES: Final = ("BYTEBUDDY_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language_of(env: Mapping[str, str]) -> Language:
    """Return Chinese where the locale's messages are Chinese, else English."""
    chosen = next((env[name] for name in _VARIABLES if env.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def asked_language(arguments: Iterable[str]) -> Language | None:
    """Return what the last ``--lang`` asks for, wherever it stands before ``--``."""
    given = ["", *takewhile(lambda each: each != "--", arguments)]
    found: Language | None = None
    for before, word in pairwise(given):
        name, _, value = word.partition("=")
        for language in LANGUAGES:
            if language == (value if name == "--lang" else before == "--lang" and word):
                found = language
    return found


def process_language() -> Language:
    """Return what ``--lang`` said, before or after the command, or the locale says."""
    # Imported here: where click is missing, that is said in this language, too.
    import click

    ctx = click.get_current_context(silent=True)
    said = None if ctx is None else ctx.meta.get(LANG)
    if said is None:
        return language_of(os.environ)
    return "zh" if said == "zh" else "en"


def localized(sentence: str) -> str:
    """Return a sentence as this process says it; a plain ``str`` stays as it is."""
    return render(sentence, process_language())
