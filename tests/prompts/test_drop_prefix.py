from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.drop_prefix import DropPrefix


class Same:
    done = False

    def feed(self, text: str) -> str:
        return text

    def close(self) -> str:
        return ""


@given(st.text(" \tab", max_size=6), st.text(" \tab", max_size=9), st.integers(1, 3))
def test_a_shared_beginning_goes_however_it_is_cut(
    start: str, text: str, size: int
) -> None:
    """As much of the start as the answer repeats, and nothing else."""
    through = DropPrefix(start, Same())
    shown = ""
    for at in range(0, len(text), size):
        shown += through.feed(text[at : at + size])
    shown += through.close()
    same = takewhile(lambda both: both[0] == both[1], zip(start, text, strict=False))
    assert shown == text[len(list(same)) :]
