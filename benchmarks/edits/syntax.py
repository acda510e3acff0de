"""Read the syntax of a file: its functions, classes and statements."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache
from typing import Final

from attrs import frozen

from benchmarks.edits.cases import File

_WORD: Final = re.compile(r"[A-Za-z_]\w{2,}")


@frozen
class Function:
    """A function or class of Python: its lines, with those of its decorators."""

    name: str
    start: int
    end: int
    defined: int
    body: int
    indent: str
    is_class: bool


@frozen
class Statement:
    """A statement of a body: its lines and how deep it stands."""

    start: int
    end: int
    indent: str
    simple: bool


@lru_cache(maxsize=64)
def functions(file: File) -> tuple[Function, ...]:
    """Return the functions and classes of a Python file; none of any other."""
    if file.language != "python":
        return ()
    tree = parsed(file.text)
    if tree is None:
        return ()
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
        body = node.body[0]
        if body.lineno == node.lineno:
            continue
        if isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant):
            begins = body.end_lineno or body.lineno
        else:
            begins = body.lineno - 1
        found.append(
            Function(
                node.name,
                first,
                node.end_lineno or 0,
                node.lineno - 1,
                begins,
                " " * node.col_offset,
                isinstance(node, ast.ClassDef),
            )
        )
    return tuple(sorted(found, key=lambda each: each.start))


@lru_cache(maxsize=64)
def statements(file: File) -> tuple[Statement, ...]:
    """Return the statements of a file; runs of lines, where it is not Python."""
    tree = parsed(file.text) if file.language == "python" else None
    if tree is not None:
        found = [
            Statement(
                node.lineno - 1,
                node.end_lineno or node.lineno,
                " " * node.col_offset,
                not hasattr(node, "body"),
            )
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt)
            and not getattr(node, "decorator_list", ())
            and not isinstance(node, ast.ImportFrom)
            and _is_alone(file, node)
        ]
        return tuple(sorted(found, key=lambda each: each.start))
    return _runs(file)


def _is_alone(file: File, node: ast.stmt) -> bool:
    """Whether a statement has its lines for itself, and is no page of text."""
    before = file.lines[node.lineno - 1].encode()[: node.col_offset]
    return not before.strip() and (node.end_lineno or 0) - node.lineno < 12  # noqa: PLR2004


def _runs(file: File) -> tuple[Statement, ...]:
    return tuple(
        Statement(at, at + 1, indent_of(line), simple=True)
        for at, line in enumerate(file.lines)
        if _WORD.search(line)
    )


def parsed(text: str) -> ast.Module | None:
    """Return the syntax of a Python file, or nothing where it has an error."""
    with warnings.catch_warnings():
        # Old files have escapes that a newer interpreter warns of.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            return None


def indent_of(line: str) -> str:
    """Return the blanks before a line."""
    return line[: len(line) - len(line.lstrip())]
