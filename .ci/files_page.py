"""Write ``docs/files.md`` and its Chinese page from the table of the package.

python .ci/files_page.py
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.cli.textfile import LARGEST
from bytebuddy_provider_hf.config.stored_files import (
    ANSWERS,
    CATALOGUE,
    FILES,
    SERVERS,
    TALK,
    TRUST,
    USAGE,
    StoredFile,
)

HERE: Final = Path(__file__).parent
DOCS: Final = HERE.parent / "docs"
PAGES: Final = {"en": DOCS / "files.md", "zh": DOCS / "zh" / "files.md"}
TABLE: Final = tomllib.loads((HERE / "files_page.toml").read_text("utf-8"))
KIB: Final = 1024
MEGABYTE: Final = 1_000_000
# Below it, a size in KiB is easier to read.
LARGE: Final = 10 * MEGABYTE


def size(bytes_: int, language: str) -> str:
    """Return a size as a person says it."""
    if bytes_ >= LARGE:
        return f"{bytes_ / MEGABYTE:.0f} MB"
    if bytes_ % KIB**2 == 0:
        return f"{bytes_ // KIB**2} MiB"
    if bytes_ % KIB == 0:
        return f"{bytes_ // KIB} KiB"
    return f"{bytes_:,} {TABLE[language]['bytes']}"


def sentences(file: StoredFile) -> dict[str, str]:
    """Return what a row says in words: a place of words among them, and no path."""
    said = {name: getattr(file, name) for name in ("purpose", "writer", "removal")}
    if "`" in file.place:
        said["place"] = file.place
    if not file.most:
        said["limit"] = file.limit
    return said


def row(file: StoredFile, language: str) -> tuple[str, ...]:
    """Return the cells of a row."""
    words, said = TABLE[language], sentences(file)
    if language != "en":
        said = {name: TABLE["cells"][english] for name, english in said.items()}
    return (
        said.get("place", f"`{file.place}`"),
        words["unwritten"] if file.mode is None else f"{file.mode:04o}",
        said["purpose"],
        said["limit"] if "limit" in said else size(file.most, language),
        said["writer"],
        said["removal"],
        f"{words['version']} {file.version}" if file.version else "-",
    )


def page(language: str) -> str:
    """Return the text of the page."""
    words = TABLE[language]
    heads = words["heads"]
    rows = (heads, ["---"] * len(heads), *(row(file, language) for file in FILES))
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    tail = words["tail"].format(
        servers=SERVERS.name,
        answers=ANSWERS.name,
        usage=USAGE.name,
        catalogue=CATALOGUE.name,
        trust=TRUST.name,
        talk=TALK.name,
        largest=LARGEST // KIB**2,
    )
    head = f"# {words['title']}\n\n{words['link']}\n\n{words['intro']}"
    return f"{head}\n{table}\n{tail}"


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(page(language), encoding="utf-8")
