"""Find real files: the interpreter's standard library, and the project itself."""

from __future__ import annotations

import random
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from benchmarks.edits.cases import File
from bytebuddy_provider_hf.edits.languages import language_of

ROOT: Final = Path(__file__).parents[2]
FEWEST, MOST = 30, 1_500
_OTHERS: Final = (
    *("md", "rst", "txt", "yaml", "yml", "toml", "json", "cfg", "ini", "sh", "bash"),
    *("csh", "fish", "ps1", "bat", "c", "h", "html", "xml", "css", "js", "mk"),
)
_NAMES: Final = ("Makefile", "activate", "Setup", "Dockerfile", "run")
# Not written by anybody; or full of what models say in place of code, as this folder.
_SKIPPED: Final = frozenset(
    (
        *("site-packages", "__pycache__", ".git", ".venv", "build", "dist"),
        *(".hypothesis", "htmlcov", "lib2to3", "idle_test", "benchmarks"),
    )
)
# Of the files, so many are not Python, and so many Python of the project itself.
_OTHER_SHARE: Final = 0.2
_OWN_SHARE: Final = 0.1
_OF_EACH: Final = 3

_T = TypeVar("_T")
# A file's name in the figures, and where it is on this machine.
_Found: TypeAlias = tuple[str, Path]


@cache
def corpus(
    seed: int, size: int, longest: int = MOST, *, own: bool = True
) -> tuple[File, ...]:
    """Return ``size`` files in the order that ``seed`` gives, Python and others mixed.

    They are texts of 30 to ``longest`` lines that end each line with a line feed.
    Without ``own`` none is of the project itself.
    """
    rng = random.Random(f"corpus {seed}")
    stdlib = Path(sysconfig.get_path("stdlib"))
    headers = Path(sysconfig.get_path("include"))
    theirs = [*_named(stdlib, "lib"), *_named(headers, "include")]
    mine = _named(ROOT, "") if own else []
    few = max(1, round(size * _OTHER_SHARE))
    # The project's own texts come first: they are Markdown, YAML, TOML and shell.
    mixed = [*_read(_varied(_shuffled(mine, rng)), few // 2, longest)]
    mixed += _read(_varied(_shuffled(theirs, rng)), few - len(mixed), longest)
    ours = [x for x in _shuffled(mine, rng) if x[0].endswith(".py")]
    mixed += _read(ours, round(size * _OWN_SHARE), longest)
    python = [x for x in _shuffled(theirs, rng) if x[0].endswith(".py")]
    mixed += _read(python, size - len(mixed), longest)
    return tuple(_shuffled(mixed, rng))


def _shuffled(found: Sequence[_T], rng: random.Random) -> list[_T]:
    return rng.sample(found, len(found))


def _varied(found: list[_Found]) -> list[_Found]:
    """Return the files that are not Python: a few of each kind, then the rest."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, _Found]] = []
    for each in found:
        if _is_other(each[1]):
            ranked.append((seen[each[1].suffix] // _OF_EACH, each))
            seen[each[1].suffix] += 1
    # Sorting keeps the order of what is equal.
    return [each for _, each in sorted(ranked, key=lambda pair: pair[0])]


def _named(folder: Path, name: str) -> list[_Found]:
    """Return every file below a folder with a name that is the same everywhere."""
    return [
        ("/".join(filter(None, (name, path.relative_to(folder).as_posix()))), path)
        for path in _below(folder)
    ]


def _below(folder: Path) -> Iterator[Path]:
    # Some systems install the headers of C apart, and some not at all.
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name in _SKIPPED or path.name.endswith((".egg-info", "_cache")):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file():
            yield path


def _is_other(path: Path) -> bool:
    return path.suffix[1:].lower() in _OTHERS or path.name in _NAMES


def _read(paths: list[_Found], most: int, longest: int) -> Iterator[File]:
    found = 0
    for name, path in paths:
        if found == most:
            return
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        lines = text.count("\n")
        if not FEWEST <= lines <= longest or not text.endswith("\n") or "\r" in text:
            continue
        # A line of a kilobyte is data, and so is a file that nobody spaced out.
        if max(map(len, text.split("\n"))) > 1_000 or "\0" in text:  # noqa: PLR2004
            continue
        found += 1
        language = language_of(name)
        # A model that reads the file knows what its name does not tell.
        shell = text.startswith("#!") and "sh\n" in text[:40]
        unknown = "bash" if shell or name.endswith("activate") else ""
        yield File(name, text, language.name if language else unknown)
