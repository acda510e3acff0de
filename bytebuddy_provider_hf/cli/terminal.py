"""Make text from elsewhere safe for a terminal.

A model, a server's error or a model's name may hold sequences that rewrite the screen,
the clipboard or the title of a terminal (CWE-150). They are taken out here, also when
a stream cuts them in two.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum, auto
from typing import Final, final

# ECMA-48: the strings DCS, SOS, OSC, PM and APC as "ESC x" and as one C1 character.
_STRINGS_7BIT: Final = frozenset("PX]^_")
_STRINGS_8BIT: Final = frozenset("\x90\x98\x9d\x9e\x9f")
_ESC: Final = "\x1b"
_CSI: Final = "\x9b"
_ST: Final = "\x9c"
_BEL: Final = "\x07"
_CANCEL: Final = frozenset("\x18\x1a")

# Unicode's Bidi_Control property: what shows text in another order than it has.
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What cannot be hidden: the letters that most text is made of need no look at Unicode's
# tables.
_CANDIDATE: Final = re.compile(
    "[^\n\t\x20-\x7e\xa0-\xac\xae-\u034e\u0400-\u052f\u05d0-\u05ea\u0620-\u06dc"
    "\u2010-\u2027\u3000-\u303f\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fef\uac00-\ud7a3"
    "\uff01-\uff9d]"
)
# Controls, formats, lines' and paragraphs' separators, halves of characters, private
# and unassigned characters (Unicode's General_Category). Blanks of a width are none.
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
# Formats that are drawn: numbers and the ends of verses in Arabic, Syriac and Kaithi
# (Unicode's Prepended_Concatenation_Mark).
_DRAWN: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
    "\U000110bd\U000110cd"
)
# Letters, marks and one symbol that are drawn as nothing: the rest of Unicode's
# Default_Ignorable_Code_Point, and the empty Braille pattern.
_BLANK: Final = frozenset(
    map(
        chr,
        (
            *(0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10)),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
# They ask for the emoji's look of the symbol before them; the joiner makes one emoji
# of two.
_PRESENTATIONS: Final = frozenset("\ufe0e\ufe0f")
_JOINER: Final = "\u200d"
_KEYS: Final = frozenset("#*0123456789")
# After these nothing that comes can change how they are shown: a piece of text may
# end here. Digits, # and * may begin an emoji.
_SETTLED: Final = re.compile('[\\s\\S]*[\n\t !-"$-)+-/:-~]')
_PLAIN: Final = re.compile("[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")


class _ParserState(Enum):
    GROUND = auto()
    ESCAPE = auto()
    CSI = auto()
    STRING = auto()
    STRING_ESCAPE = auto()


@final
class Sanitizer:
    """Strip control sequences from text that arrives in pieces.

    Line feed and tab stay; every other control character goes, with the whole of the
    sequence it begins; bidirectional controls are shown as ``<U+202E>``. A line feed
    ends an unfinished sequence, so that it cannot swallow an answer.
    """

    def __init__(self) -> None:
        self._state = _ParserState.GROUND

    def feed(self, text: str) -> str:
        """Return what may be shown of ``text``; a sequence may go on in the next."""
        shown: list[str] = []
        position = 0
        while position < len(text):
            if self._state is _ParserState.GROUND:
                # Most text has no control character: it is taken in one piece.
                run = _PLAIN.match(text, position)
                if run and run.end() > position:
                    shown.append(run.group())
                    position = run.end()
                    continue
            character = text[position]
            if character == "\n":
                self._state = _ParserState.GROUND
                shown.append(character)
            else:
                self._state = _next_state(self._state, character)
            position += 1
        return _BIDI.sub(_numbered, "".join(shown))


def sanitize(text: str) -> str:
    """Return a whole ``text`` without control sequences."""
    return Sanitizer().feed(text)


def sanitize_line(text: str) -> str:
    """Return ``text`` as one line without control sequences."""
    return " ".join(sanitize(text).split())


def visible_controls(text: str) -> str:
    """Return ``text`` with every character that a screen hides shown by its number.

    For what somebody is asked to agree to, or gets into a file: controls, formats,
    variation selectors, fillers, private and unassigned characters. What joins an
    emoji stays, and the carriage return of a line's end is left out.
    """
    return _CANDIDATE.sub(_numbered, text)


def is_hidden(text: str, at: int) -> bool:
    """Tell whether a screen hides the character of ``text`` at a place."""
    character = text[at]
    # Behind a symbol, and between two, they make one emoji of them.
    if character in _PRESENTATIONS:
        keycap = text[at + 1 : at + 2] == "\u20e3" and text[at - 1 : at] in _KEYS
        return not (keycap or _is_symbol(text[at - 1 : at]))
    if character == _JOINER:
        before = text[max(at - 2, 0) : at].rstrip("\ufe0f")
        return not (_is_symbol(before[-1:]) and _is_symbol(text[at + 1 : at + 2]))
    if character in _BLANK:
        return True
    category = unicodedata.category(character)
    return category in _HIDDEN_CATEGORIES and character not in _DRAWN


def hidden_characters(text: str) -> list[tuple[int, str]]:
    """Return each character that a screen hides, with the number of its line.

    A carriage return is one wherever it stands, line feeds and tabs are none.
    """
    found: list[tuple[int, str]] = []
    line, counted = 1, 0
    for match in _CANDIDATE.finditer(text):
        at = match.start()
        if is_hidden(text, at):
            line += text.count("\n", counted, at)
            counted = at
            found.append((line, match.group()))
    return found


def numbered(character: str) -> str:
    """Return a character's number as Unicode writes it."""
    return f"U+{ord(character):04X}"


@final
class VisiblePieces:
    """Show hidden characters of text that arrives in pieces by their numbers."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what is settled: what joins an emoji is seen from its neighbours."""
        settled = _SETTLED.match(text)
        end = settled.end() if settled else 0
        shown = self._held + text[:end] if end else ""
        self._held = text[end:] if end else self._held + text
        return visible_controls(shown)

    def end(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return visible_controls(held)


def _is_symbol(character: str) -> bool:
    """Tell what an emoji is made of, as far as Unicode's categories tell it."""
    if not character or character in _BLANK or character.isascii():
        return False
    # The five colours of skin are modifiers.
    if "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    return unicodedata.category(character) in {"So", "Sm"}


def _numbered(match: re.Match[str]) -> str:
    text, at = match.string, match.start()
    if text[at] == "\r" and text[at + 1 : at + 2] in {"\n", ""}:
        return ""
    return f"<{numbered(text[at])}>" if is_hidden(text, at) else text[at]


def _next_state(state: _ParserState, character: str) -> _ParserState:
    if state is _ParserState.STRING:
        if character in _CANCEL or character in {_BEL, _ST}:
            return _ParserState.GROUND
        return _ParserState.STRING_ESCAPE if character == _ESC else state
    # ESC ends a string whatever follows; with a backslash it is the terminator.
    if state is _ParserState.STRING_ESCAPE and character == "\\":
        return _ParserState.GROUND
    escaped = state in {_ParserState.ESCAPE, _ParserState.STRING_ESCAPE}
    # "ESC ( B" and its like: intermediates go on until a final character.
    if character == _ESC or (escaped and "\x20" <= character <= "\x2f"):
        return _ParserState.ESCAPE
    # Parameters and intermediates of a control sequence, up to its final character.
    if state is _ParserState.CSI and "\x20" <= character <= "\x3f":
        return _ParserState.CSI
    if character == _CSI or (escaped and character == "["):
        return _ParserState.CSI
    if character in _STRINGS_8BIT or (escaped and character in _STRINGS_7BIT):
        return _ParserState.STRING
    return _ParserState.GROUND
