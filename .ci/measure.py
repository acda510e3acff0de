"""Measure the package: the figures of the redesign, and sizes by room.

    python .ci/measure.py [--rooms] [--no-trace] [CHECKOUT]

The first column is the package before the redesign, the second the goal, the third
what CHECKOUT (by default the one this file is in) has now. The figures of a call need
the package's dependencies: run it with the Python of ``.venv``.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, TypeAlias

PACKAGE: Final = "bytebuddy_provider_hf"
# A docstring that begins with one of these describes instead of telling the effect.
QUESTION_WORDS: Final = (
    "What",
    "Who",
    "Where",
    "How",
    "Which",
    "When",
    "Whether",
    "By",
)
# What would ask which kind a server is.
_KIND_ASKED = re.compile(r"\bserver\.engine\b|isinstance\(server,|server\.name [!=]=")
# An option of every kind of server whose name means nothing else anywhere.
OPTION: Final = "min_p"
# Folders that mirror each other by role: these module names may stand in several.
ROLES: Final = frozenset(
    {"apply", "chat", "complete", "edit", "embed", "fill", "rerank", "task"}
    # In wire/ a server's own protocol, in wire/dialects/ what that server is like.
    | {"llamacpp", "tei", "tgi"}
)
# One server is one file here, however short: only its own quirks stand in it.
DIALECTS: Final = "wire.dialects."
# The packaging names it, and hosts import it first: merged, it would bring more along.
ENTRY_POINT: Final = "plugin"
# Shorter files say nothing about the size of files.
SHORTEST: Final = 3
SMALL: Final = 60

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """A file of the package, parsed; ``name`` is dotted, without the package."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path.relative_to(root)
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        parts = self.path.with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.room = parts[0] if len(parts) > 1 else "(top)"
        self.lines = self.text.count("\n")

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method, inner ones too."""
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """Every class, inner ones too."""
        return [n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)]

    @cached_property
    def comments(self) -> int:
        """How many comments there are."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return sum(token.type == tokenize.COMMENT for token in tokens)

    @cached_property
    def names(self) -> Counter[str]:
        """How often each name is read or written, as a name or an attribute."""
        found: Counter[str] = Counter()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                found[node.id] += 1
            elif isinstance(node, ast.Attribute):
                found[node.attr] += 1
        return found

    @cached_property
    def private_once(self) -> int:
        """How many private functions are mentioned once only in this file."""
        return sum(
            function.name.startswith("_")
            and not function.name.startswith("__")
            and self.names[function.name] == 1
            for function in self.functions
        )

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    def imports(self, known: set[str]) -> set[str]:
        """Return the modules of the package that this one imports."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    found.add(full if full in known else node.module)
        return (found & known) - {f"{PACKAGE}.{self.name}".rstrip(".")}


class Package:
    """The package of one checkout; ``data`` are the tables that stand beside it."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        root = checkout / PACKAGE
        self.modules = [Module(path, root) for path in sorted(root.rglob("*.py"))]
        self.data = {
            path: path.read_text(encoding="utf-8") for path in root.rglob("*.toml")
        }

    @property
    def functions(self) -> list[Function]:
        """Every function."""
        return [each for module in self.modules for each in module.functions]

    def files_with(self, pattern: str) -> int:
        """Return in how many files, tables included, ``pattern`` stands."""
        texts = (*(module.text for module in self.modules), *self.data.values())
        return sum(re.search(pattern, text) is not None for text in texts)

    def importers(self) -> dict[str, int]:
        """Return by how many modules each module is imported."""
        known = {f"{PACKAGE}.{module.name}".rstrip(".") for module in self.modules}
        found: Counter[str] = Counter()
        for module in self.modules:
            found.update(module.imports(known))
        return {name: found[name] for name in known}


def length(function: Function) -> int:
    """Return the lines of a function, decorators not counted."""
    return (function.end_lineno or 0) - function.lineno + 1


def share(values: Iterable[float], part: float) -> float:
    """Return the value below which ``part`` of ``values`` lie."""
    ordered = sorted(values)
    if not ordered:
        return 0
    place = (len(ordered) - 1) * part
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def twice(names: Iterable[tuple[str, object]]) -> list[str]:
    """Return the names that stand in more than one place."""
    places: dict[str, set[object]] = defaultdict(set)
    for name, place in names:
        places[name].add(place)
    return sorted(name for name, found in places.items() if len(found) > 1)


def answer_errors(package: Package) -> list[str]:
    """Return the classes of errors that an answer can stand for, bases left out."""
    bases = {
        node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        for module in package.modules
        if module.name.partition(".")[0] == "errors"
        for node in module.classes
    }
    found = {"APIError"}
    while True:
        more = {name for name, above in bases.items() if found & set(above)}
        if more <= found:
            above = {name for names in bases.values() for name in names}
            return sorted((found & set(bases)) - above)
        found |= more


def server_names(package: Package) -> list[str]:
    """Return what the kinds of servers are called in sentences."""
    return [
        line.value.value
        for module in package.modules
        if module.name.startswith("wire.dialects.")
        for node in module.classes
        for line in node.body
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and line.targets[0].id == "name"
        and isinstance(line.value, ast.Constant)
    ]


def spread(counts: Sequence[float], low: float = 0, high: float = 1) -> str:
    """Return from what to what most of ``counts`` are."""
    if not counts:
        return "none"
    first, last = round(share(counts, low)), round(share(counts, high))
    return str(first) if first == last else f"{first}-{last}"


def engine_questions(package: Package) -> str:
    """Return where a server's kind is asked for outside the dialects' folder."""
    found = [
        count
        for module in package.modules
        if not module.name.startswith("wire.dialects.")
        and (count := len(re.findall(_KIND_ASKED, module.text)))
    ]
    return f"{sum(found)} in {len(found)} files" if found else "0"


def one_thing(package: Package) -> str:
    """Return the files that one error class, one option and one server stand in."""
    errors = [package.files_with(rf"\b{name}\b") for name in answer_errors(package)]
    names = server_names(package)
    servers = [package.files_with(f'"{re.escape(name)}"') for name in names]
    option = package.files_with(rf"\b{OPTION}\b")
    # Of error classes the middle four fifths: a few are decided upon elsewhere too.
    return f"{spread(errors, 0.1, 0.9)} / {option} / {spread(servers)}"


def names_twice(package: Package) -> str:
    """Return how many names of classes, and of modules, stand in two places."""
    classes = twice(
        (node.name, (module.name, node.lineno))
        for module in package.modules
        for node in module.classes
    )
    modules = twice(
        (module.path.stem, module.name)
        for module in package.modules
        if not module.path.stem.startswith("__")
    )
    roles = sum(name in ROLES for name in modules)
    return f"{len(classes)}, {len(modules)} ({roles} of them roles)"


def lonely(package: Package) -> int:
    """Return how many short files have one importer, for no reason of their own."""
    importers = package.importers()
    return sum(
        SHORTEST < module.lines < SMALL and importers[f"{PACKAGE}.{module.name}"] == 1
        for module in package.modules
        if module.name
        and module.name != ENTRY_POINT
        and not module.name.startswith(DIALECTS)
    )


def single_use_share(package: Package) -> float:
    """Return the share of functions that are private and used once."""
    once = sum(module.private_once for module in package.modules)
    return once / max(1, len(package.functions))


def traced(checkout: Path) -> dict[str, dict[str, int]]:
    """Return the figures of ``trace_calls.py``, taken in a process of its own."""
    script = Path(__file__).with_name("trace_calls.py")
    command = [sys.executable, str(script), "--json", "--checkout", str(checkout)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own script
    if done.returncode:
        raise SystemExit(f"trace_calls.py failed:\n{done.stderr}")
    table: dict[str, dict[str, int]] = json.loads(done.stdout)
    return table


class Row(NamedTuple):
    """A figure: before the redesign, the goal, and now."""

    title: str
    first: str
    goal: str
    now: str


def rows(package: Package, *, trace: bool) -> Iterator[Row]:
    """Yield every figure of the redesign."""
    modules, functions = package.modules, package.functions
    lines = sum(module.lines for module in modules)
    lengths = [length(function) for function in functions]
    files = sum(module.lines > SHORTEST for module in modules)
    once = sum(module.private_once for module in modules)
    comments = sum(module.comments for module in modules)
    middle = f"{round(median(lengths))} / {round(share(lengths, 0.9))}"
    described = sum(
        module.summary.partition(" ")[0].rstrip(":,") in QUESTION_WORDS
        for module in modules
    )
    yield Row("lines of Python in the package", "38,674", "<= 30,000", f"{lines:,}")
    yield Row("functions", "2,205", "<= 1,700", f"{len(functions):,}")
    yield Row(
        "private functions used once",
        "28 %",
        "< 12 %",
        f"{100 * once / len(functions):.0f} % ({once})",
    )
    yield Row("files", "257", "<= 170", str(files))
    yield Row(
        f"files under {SMALL} lines with one importer", "", "0", str(lonely(package))
    )
    yield Row("median / p90 function", "7 / 20", "<= 8 / <= 28", middle)
    yield Row("comments per 100 lines", "1.7", ">= 4", f"{100 * comments / lines:.1f}")
    if trace:
        table = traced(package.checkout)
        for call, first, goal in (
            ("chat, whole, router", "121 / 39", "<= 75 / <= 20"),
            ("fill, whole, FIM on vLLM", "186 / 43", "<= 110 / <= 26"),
        ):
            now = f"{table[call]['functions']} / {table[call]['files']}"
            yield Row(f"own functions / files of one {call}", first, goal, now)
    yield Row(
        "places that ask server.engine outside wire/dialects/",
        "30 in 15 files",
        "0",
        engine_questions(package),
    )
    yield Row(
        "files that one error class / one option / one server stands in",
        "8-10 / 8 / 3-7",
        "<= 3 / <= 2 / <= 2",
        one_thing(package),
    )
    yield Row(
        "module docstrings that begin with What, Who, Where, How, ...",
        "61",
        "0",
        str(described),
    )
    yield Row(
        "class names, module names used twice",
        "17, 20",
        "0, only roles",
        names_twice(package),
    )


def room_table(package: Package) -> Iterator[tuple[str, ...]]:
    """Yield a head, then files, lines and functions of each room."""
    yield "room", "files", "lines", "functions", "median", "p90", "max", "comments/100"
    rooms: dict[str, list[Module]] = defaultdict(list)
    for module in package.modules:
        rooms[module.room].append(module)
    for room, modules in (*sorted(rooms.items()), ("all", package.modules)):
        lengths = [length(each) for module in modules for each in module.functions]
        lines = sum(module.lines for module in modules)
        comments = sum(module.comments for module in modules)
        yield (
            room,
            str(sum(module.lines > SHORTEST for module in modules)),
            f"{lines:,}",
            f"{len(lengths):,}",
            str(round(median(lengths))) if lengths else "-",
            str(round(share(lengths, 0.9))) if lengths else "-",
            str(max(lengths, default=0)),
            f"{100 * comments / max(1, lines):.1f}",
        )


def print_table(table: Iterable[Sequence[str]]) -> None:
    """Print rows as a Markdown table, the first of them its head."""
    for number, row in enumerate(table):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print("|---" * len(row) + "|")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the package.")
    parser.add_argument(
        "checkout", nargs="?", type=Path, default=Path(__file__).parents[1]
    )
    parser.add_argument("--rooms", action="store_true", help="sizes by room too")
    parser.add_argument("--no-trace", action="store_true", help="leave calls out")
    options = parser.parse_args()
    package = Package(options.checkout.resolve())
    head = Row("figure", "first house", "goal", "now")
    print_table((head, *rows(package, trace=not options.no_trace)))
    if options.rooms:
        print()
        print_table(room_table(package))


if __name__ == "__main__":
    main()
