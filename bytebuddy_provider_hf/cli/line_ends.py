"""Line ends: models write line feeds, a file keeps the ends that it has."""

from __future__ import annotations

from bytebuddy_provider_hf.edits.alignment import aligned
from bytebuddy_provider_hf.edits.lines import assemble, lines_of


def with_line_feeds(text: str) -> str:
    """Return ``text`` with a line feed for every CR LF."""
    return text.replace("\r\n", "\n")


def with_line_ends_of(original: str, changed: str) -> str:
    """Return ``changed``, written with line feeds, with the ends of ``original``.

    Where ``original`` has both ends, a line that is still there keeps its own.
    """
    before = lines_of(original)
    if before.uniform:
        return changed.replace("\n", before.usual)
    after = lines_of(changed)
    same = {new: old for old, new in aligned(before.texts, after.texts)}
    pieces = (same.get(at, text) for at, text in enumerate(after.texts))
    return assemble(before, pieces, ended=after.ended)


def ended_like(original: str, changed: str) -> str:
    """Return ``changed`` with a last line that ends as that of ``original`` does.

    Models add a line feed after the last line, or leave it away, as they like.
    """
    if not original or not changed:
        return changed
    ended = original.endswith("\n")
    if ended == changed.endswith("\n"):
        return changed
    return f"{changed}\n" if ended else changed.removesuffix("\n")
