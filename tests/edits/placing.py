"""Place hunks by their lines alone, so that tests of readers need no placer."""

from __future__ import annotations

from bytebuddy_provider_hf.edits.formats.hunks import Patch


def placed(original: str, patch: Patch) -> str:
    """Give the text with every hunk in its one place, last first."""
    text = "\n" + original
    for hunk in reversed(patch.hunks):
        old, new = (
            "".join(f"{x.text}\n" for x in hunk.lines if x.sign != sign)
            for sign in "+-"
        )
        assert text.count("\n" + old) == 1, f"{old!r} stands not once"
        text = text.replace("\n" + old, "\n" + new)
    return text.removeprefix("\n")
