from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.crlf import CrLf, has_crlf


class Same:
    done = False

    def feed(self, text: str) -> str:
        return text

    def close(self) -> str:
        return "\n"


@given(st.text("ab\r\n", max_size=20), st.integers(1, 4))
def test_every_line_ends_as_windows_does_however_it_is_cut(
    text: str, size: int
) -> None:
    """One carriage return before each line feed, none added, none lost."""
    through = CrLf(Same())
    shown = ""
    for start in range(0, len(text), size):
        shown += through.feed(text[start : start + size])
    shown += through.close()
    expected = f"{text}\n".replace("\r\n", "\n").replace("\n", "\r\n")
    assert shown == expected


def test_most_lines_decide() -> None:
    """A file without a line end is none of Windows."""
    assert has_crlf("a\r\nb\r\nc\n")
    assert not has_crlf("a\r\nb\nc\n")
    assert not has_crlf("a")
