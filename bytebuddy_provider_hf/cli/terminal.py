"""Make text from elsewhere safe for a terminal.

A model, a server's error or a model's name may hold sequences that rewrite the screen,
the clipboard or the title of a terminal (CWE-150). They are taken out here, also when
a stream cuts them in two.
"""

from __future__ import annotations

import re
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
# All of these and the control characters; a carriage return may end a line.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    "|\r(?!\n|$)"
)
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
    sequence it begins; bidirectional controls are shown as ``⟨U+202E⟩``. A line feed
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
        return _BIDI.sub(_visible, "".join(shown))


def sanitize(text: str) -> str:
    """Return a whole ``text`` without control sequences."""
    return Sanitizer().feed(text)


def sanitize_line(text: str) -> str:
    """Return ``text`` as one line without control sequences."""
    return " ".join(sanitize(text).split())


def visible_controls(text: str) -> str:
    """Return ``text`` with every control character shown by its number.

    For what somebody is asked to agree to: a sequence that is taken out on the screen
    would still be written to the file, whatever it hides.
    """
    return _HIDDEN.sub(_visible, text).replace("\r", "")


def _visible(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match.group()):04X}⟩"


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
