"""Read a model's card: its first paragraph, and what it says of limitations.

A card is Markdown that anybody wrote: what is kept of it is plain text, short, and
without characters that rewrite a screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

# Of a card; the sections that are looked for come early.
CARD_BYTES: Final = 256 * 1024

_LONGEST_SUMMARY: Final = 600
_LONGEST_LINE: Final = 300
_MOST_LINES: Final = 5
# A shorter text is a title, a button or a link.
_SHORTEST_PARAGRAPH: Final = 40

_FRONT_MATTER: Final = re.compile(
    r"\A\ufeff?\s*---\r?\n.*?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL
)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_IMAGE: Final = re.compile(r"!\[[^\]\n]{0,500}\]\([^()\n]{0,2000}\)")
_LINK: Final = re.compile(r"\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")
_MARKS: Final = re.compile(r"\*{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)|~~|`")
_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_HEADING: Final = re.compile(r"\s{0,3}(#{1,6})\s+(.*)")
_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")
_NO_PROSE: Final = re.compile(r"\s*(?:\||>|-{3,}|={3,}|\*{3,}|\$\$)")
# As cards call it; the words of the Hub's template for cards come first
# (https://huggingface.co/docs/hub/model-card-annotated).
_LIMITATIONS: Final = re.compile(
    r"limitation|bias|\brisk|out.of.scope|ethical|caveat|known issue|misuse"
    r"|局限|限制|偏见|偏差|风险|伦理",
    re.IGNORECASE,
)
# C0 and C1 controls, halves of characters, and what shows text in another order.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


@frozen
class ModelCard:
    """What a card says: its first paragraph, and lines on what the model cannot do.

    ``heading`` is that of the section the ``limitations`` are from. All are empty where
    the card does not say.
    """

    summary: str = ""
    heading: str = ""
    limitations: tuple[str, ...] = ()


def read_card(data: bytes) -> ModelCard:
    """Return what the beginning of a card says; total."""
    text = data[:CARD_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")
    text = _COMMENT.sub(" ", _FRONT_MATTER.sub("", text))
    summary, heading = "", ""
    limitations: list[str] = []
    depth, inside = 0, False
    for kind, said in _blocks(text):
        if kind:
            found = _LIMITATIONS.search(said) is not None
            # A section ends at the next heading of its rank; headings in it are lines.
            if inside and kind > depth:
                continue
            inside = found and not limitations
            if inside:
                depth, heading = kind, _plain(said, _LONGEST_LINE)
        elif inside and len(limitations) < _MOST_LINES:
            if line := _plain(said, _LONGEST_LINE):
                limitations.append(line)
        elif not inside and not summary:
            plain = _plain(said, _LONGEST_SUMMARY)
            summary = plain if len(plain) >= _SHORTEST_PARAGRAPH else ""
    return ModelCard(summary, heading if limitations else "", tuple(limitations))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield headings with their rank, and with rank 0 paragraphs and items of lists.

    Code, tables, quotations and rules are left out.
    """
    paragraph: list[str] = []
    is_code = False
    for line in [*text.split("\n"), ""]:
        if _FENCE.match(line):
            is_code = not is_code
        heading = None if is_code else _HEADING.fullmatch(line)
        skipped = is_code or _FENCE.match(line) or _NO_PROSE.match(line)
        item = None if skipped else _ITEM.match(line)
        if (skipped or heading or item or not line.strip()) and paragraph:
            yield 0, " ".join(paragraph)
            paragraph = []
        if heading:
            yield len(heading[1]), heading[2].rstrip("# \t")
        elif item:
            paragraph = [line[item.end() :]]
        elif not skipped and line.strip():
            paragraph.append(line.strip())


def _plain(said: str, most: int) -> str:
    """Return Markdown as one line of text, cut at the end of a word."""
    # A line without end would be searched in the square of its length.
    said = _IMAGE.sub(" ", said[: most * 20])
    said = _LINK.sub(r"\1", said)
    said = _MARKS.sub("", _TAG.sub(" ", said))
    line = " ".join(_HIDDEN.sub(" ", said).split())
    # What is left of buttons and badges has no words.
    if not re.search(r"[^\W\d_]{2}", line) or re.fullmatch(r"https?://\S+", line):
        return ""
    if len(line) <= most:
        return line
    cut = line[:most].rpartition(" ")[0] or line[:most]
    return f"{cut} …"
