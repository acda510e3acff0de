"""``docs/answers.md`` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.errors import StreamInterrupted
from bytebuddy_provider_hf.wire.finish_reasons import check_finish

TEXT = (Path(__file__).parents[2] / "docs" / "answers.md").read_text("utf-8")


def test_the_example_prints_what_the_page_shows() -> None:
    """Word for word, in a process of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == shown


def test_the_figures_and_words_of_the_page_are_those_of_the_code() -> None:
    """The wait for what follows an answer, and the words for a fault."""
    assert f"waited for {call_loop._SETTLED_SECONDS:.0f} s" in " ".join(TEXT.split())
    (named,) = re.findall(r"A word for a fault \((.*?), …\)", TEXT, re.DOTALL)
    for word in re.findall(r"`(\w+)`", named):
        with pytest.raises(StreamInterrupted):
            check_finish(word)
