"""Write ``docs/files.md`` from the table of the package.

python .ci/files_page.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.cli.textfile import LARGEST
from bytebuddy_provider_hf.config.stored_files import (
    FILES,
    SERVERS,
    TRUST,
    USAGE,
    StoredFile,
)

PAGE: Final = Path(__file__).parents[1] / "docs" / "files.md"
HEADS: Final = (
    "Path",
    "Mode",
    "What for",
    "At most",
    "Who writes it",
    "How to delete it",
    "Format",
)
KIB: Final = 1024
MEGABYTE: Final = 1_000_000
# Below it, a size in KiB is easier to read.
LARGE: Final = 10 * MEGABYTE

HEAD: Final = """\
# Files on your disk

Every file and folder that this package reads or writes. `~` is your home folder, `./`
the folder of the project that a program was started in.
"""
TAIL: Final = f"""\
- A folder that is made for one of these files has mode 0700, and a file 0600, whatever
  the umask says. A folder that exists keeps its mode. Windows has no such modes.
- `$XDG_CACHE_HOME` counts where it is an absolute path; else the folder is
  `~/.cache/bytebuddy-hf`, on Windows `~/AppData/Local/bytebuddy-hf/Cache`.
- Hugging Face's token file is looked for where `HF_TOKEN_PATH`, `HF_HOME` or
  `XDG_CACHE_HOME` says, else in the place above.
- A file that is larger than it may be is not used, and a message says so; what could be
  made again is made again.
- A file of a newer format stays as it is. `{SERVERS.name}` and `{USAGE.name}` are not
  used then, and `{TRUST.name}` trusts nobody and cannot be changed until you update
  this package; a warning says so once. Of an older or damaged `{SERVERS.name}` nothing
  is used, and it is written anew; a damaged `{USAGE.name}` is put away; `{TRUST.name}`
  is never written over when it is damaged.
- In a program, `open_model` writes `{SERVERS.name}` only, `ModelRegistry.load` the log
  as well, where the configuration has the key. An `import` writes nothing.

Files that you name yourself (`edit FILE`, `apply FILE`, `fill FILE`, `embed --file`,
`/save` in a talk, certificates) are read where they are. `edit`, `apply` and `fill
--insert` replace the file at once when you have agreed, and keep its mode and owner; a
file larger than {LARGEST // KIB**2} MiB is refused. `/save` replaces no file but its
own.
"""


def size(bytes_: int) -> str:
    """Return a size as a person says it."""
    if bytes_ >= LARGE:
        return f"{bytes_ / MEGABYTE:.0f} MB"
    if bytes_ % KIB**2 == 0:
        return f"{bytes_ // KIB**2} MiB"
    return f"{bytes_ // KIB} KiB" if bytes_ % KIB == 0 else f"{bytes_:,} bytes"


def row(file: StoredFile) -> tuple[str, ...]:
    """Return the cells of a row."""
    mode = "only read" if file.mode is None else f"{file.mode:04o}"
    place = file.place
    return (
        place if "`" in place else f"`{place}`",
        mode,
        file.purpose,
        size(file.most) if file.most else file.limit,
        file.writer,
        file.removal,
        f"version {file.version}" if file.version else "-",
    )


def page() -> str:
    """Return the text of the page."""
    rows = (HEADS, ("---",) * len(HEADS), *map(row, FILES))
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    return f"{HEAD}\n{table}\n{TAIL}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
