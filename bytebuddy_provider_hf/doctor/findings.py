"""Hold what a check found: how bad it is, in words, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.doctor.explanation import explain_error
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.texts import Language, LocalizedText, in_file, render, text


class Level(IntEnum):
    """How bad a finding is, from good to bad."""

    OK = 0
    # Nobody looked, or nobody told.
    UNKNOWN = 1
    NOTE = 2
    WARNING = 3
    PROBLEM = 4


# What a problem without an error class of its own ends the command with, by the part
# of its id before the dot: names of cli/exit_codes.
_EXITS: Final = {
    "config": "CONFIG",
    "plugins": "CONFIG",
    "entry": "CONFIG",
    "token": "CREDENTIALS",
    "network": "CONNECTION",
    "model": "NOT_FOUND",
    "endpoint": "NOT_READY",
    "account": "CREDENTIALS",
    "files": "CONFIG",
}


@frozen
class Fix:
    """A change that is safe to make: ``said`` names it, ``apply`` makes it.

    ``apply`` raises ``OSError`` or a ``ByteBuddyError`` where it changed nothing.
    """

    said: LocalizedText
    apply: Callable[[], None] = field(repr=False)


@frozen
class Finding:
    """One thing that was looked at.

    ``id`` is its name for programs, such as ``token.refused``; what stands before the
    dot is the part of the examination. ``said`` and ``steps`` are for people; an
    ``error`` has its own. ``entry`` is the name of the entry that it is about.
    """

    id: str
    level: Level
    said: str = ""
    steps: tuple[str, ...] = ()
    entry: str = ""
    error: ByteBuddyError | None = None
    fix: Fix | None = None

    @property
    def part(self) -> str:
        """The part of the examination: config, plugins, token, network, …."""
        return self.id.partition(".")[0]

    @property
    def exit(self) -> str:
        """The name of the exit code that this finding ends a command with."""
        if self.level is not Level.PROBLEM:
            return "OK"
        if self.error is not None:
            return row_of(type(self.error)).exit
        return _EXITS.get(self.part, "OTHER")

    def words(self, lang: Language = "en") -> tuple[str, tuple[str, ...]]:
        """Return what was found, and the next steps, in a language."""
        steps = tuple(render(step, lang, in_file) for step in self.steps)
        if self.error is None:
            return render(self.said, lang, in_file), steps
        told = explain_error(self.error, lang=lang)
        # A message that is no row of the table is English: its title is said instead,
        # and the facts behind it stand in brackets.
        message = self.error.message
        if isinstance(message, LocalizedText) or lang == "en":
            said = render(message, lang, in_file)
        else:
            said = render(text("doctor.titled", title=told.title, said=message), lang)
        return said, steps or told.next_steps


def ok(name: str, said: str, *, entry: str = "") -> Finding:
    """Return that something is as it should be."""
    return Finding(name, Level.OK, said, entry=entry)


def unknown(
    name: str, said: str, *, entry: str = "", steps: tuple[str, ...] = ()
) -> Finding:
    """Return that nobody looked, or nobody told."""
    return Finding(name, Level.UNKNOWN, said, steps, entry)


def failure(
    name: str, error: ByteBuddyError, *, entry: str = "", level: Level = Level.PROBLEM
) -> Finding:
    """Return an error as what was found."""
    return Finding(name, level, entry=entry, error=error)
