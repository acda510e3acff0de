"""Choose the language to speak in, and how options are written in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final

from attrs import define, field

from bytebuddy_provider_hf.texts import LANGUAGES, Language, in_file, render

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.values import ModelEntry

# Keys of click's Context.meta, under which ``--lang`` and the line itself are kept.
LANG: Final = "bytebuddy_provider_hf.lang"
COMMAND_LINE: Final = "bytebuddy_provider_hf.command_line"
# This program's own, then POSIX's order of precedence for messages.
_VARIABLES: Final = ("BYTEBUDDY_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@define
class CommandLine:
    """The options of the command that runs, those given, and the entry that is asked.

    ``flags`` are by the names that the options have in Python.
    """

    flags: Mapping[str, str] = field(factory=dict)
    given: AbstractSet[str] = frozenset()
    entry: ModelEntry | None = None

    def is_in_file(self, option: str) -> bool:
        """Return whether the entry of the file says what an option names."""
        entry = self.entry
        if entry is None:
            return False
        # What a call may say of itself an entry has among its defaults.
        said: object = entry.default_completion_options if "." not in option else entry
        for name in option.split("."):
            said = getattr(said, name, None)
        # Every entry has an address: without one it is that of the router.
        return said is not None or option == "api_base"


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
    return render(sentence, process_language(), as_typed)


def in_english(sentence: str) -> str:
    """Return a sentence in English, for a program that reads what a command prints."""
    return render(sentence, "en", as_typed)


def as_typed(option: str) -> str:
    """Return an option as its user writes it: on the command line, or in the file.

    It is the command's own where it was given, or where no entry of the file says it.
    """
    import click

    ctx = click.get_current_context(silent=True)
    line = CommandLine() if ctx is None else ctx.meta.get(COMMAND_LINE, CommandLine())
    name = option.rpartition(".")[2]
    flag = line.flags.get(name)
    if flag is None or (name not in line.given and line.is_in_file(option)):
        return in_file(option)
    return flag
