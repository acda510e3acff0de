"""Check the three rules of docs/architecture.md, as far as syntax shows them.

    python .ci/rules.py [CHECKOUT]

Each break is printed as ``file:line: what``; the exit code is 1 if there is one. A line
that ends with ``# rule: REASON`` is passed over.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from measure import (
    PACKAGE,
    QUESTION_WORDS,
    Function,
    Module,
    Package,
    lonely,
    single_use_share,
)

# More single-use helpers than this hide what a function does.
MOST_SINGLE_USE: Final = 0.12
LEAST_COMMENTS: Final = 4.0
# Only these take texts apart: there wordings and addresses are known.
READERS: Final = ("failures.", "address")
EXEMPT: Final = "# rule: "
Scope = Function | ast.Lambda


def scopes_inside(node: ast.AST) -> Iterator[Scope]:
    """Yield the functions that stand in ``node``, not those inside of them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
        elif not isinstance(child, ast.ClassDef):
            yield from scopes_inside(child)


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function, those of inner functions and classes left out."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(
            node,
            ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef,
        ):
            todo.extend(ast.iter_child_nodes(node))


def bound_in(scope: Scope) -> set[str]:
    """Return the names that a function binds itself."""
    arguments = scope.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    extra = (each for each in (arguments.vararg, arguments.kwarg) if each)
    stored = {
        node.id
        for node in ast.walk(scope)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored | {each.arg for each in (*every, *extra)}


def later_reads(module: Module) -> Iterator[tuple[int, str]]:
    """Yield inner functions that read a name assigned after them.

    Data goes down by argument: what such a function sees depends on when it is called.
    """
    for function in module.functions:
        assigned: dict[str, int] = {}
        for node in own_nodes(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assigned[node.id] = max(assigned.get(node.id, 0), node.lineno)
        for inner in scopes_inside(function):
            own = bound_in(inner)
            for node in ast.walk(inner):
                if (
                    isinstance(node, ast.Name)
                    and isinstance(node.ctx, ast.Load)
                    and node.id not in own
                    and assigned.get(node.id, 0) > (inner.end_lineno or 0)
                ):
                    name = getattr(inner, "name", "a lambda")
                    yield inner.lineno, f"{name} reads {node.id}, assigned after it"


def is_text_of_failure(node: ast.expr) -> bool:
    """Whether an expression is the text of an error, or an address."""
    match node:
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return name in ("error", "failure", "exc", "refusal")
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            failure = name in ("error", "failure", "exc", "refusal")
            return (failure and attribute in ("args", "message")) or attribute == "url"
        case ast.Name(id=name):
            return name == "url"
        case ast.Call(func=ast.Attribute(value=inner, attr=attribute)):
            return attribute in ("lower", "casefold") and is_text_of_failure(inner)
    return False


def recovered_values(module: Module) -> Iterator[tuple[int, str]]:
    """Yield where a value is looked for in the text of an error or in an address."""
    if module.name.startswith(READERS):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[text]):
                found = is_text_of_failure(text)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=arguments):
                found = any(map(is_text_of_failure, arguments))
            case ast.Call(
                func=ast.Attribute(attr="search" | "match" | "fullmatch" | "finditer"),
                args=arguments,
            ):
                found = any(map(is_text_of_failure, arguments))
            case ast.Call(
                func=ast.Attribute(
                    value=text, attr="startswith" | "endswith" | "partition" | "split"
                )
            ):
                found = is_text_of_failure(text)
            case _:
                continue
        if found:
            yield node.lineno, "a value is read out of an error's text or an address"


def kind_questions(module: Module) -> Iterator[tuple[int, str]]:
    """Yield where a server's kind is asked for outside of the dialects."""
    if module.name.startswith("wire.dialects"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and (
            (isinstance(node.value, ast.Name) and node.value.id == "Engine")
            or (node.attr == "engine" and module.room != "testing")
        ):
            yield node.lineno, "the kind of a server is asked for: ask its dialect"


def shares(package: Package) -> Iterator[str]:
    """Yield the shares of the whole package that are too high or too low."""
    share = single_use_share(package)
    if share >= MOST_SINGLE_USE:
        yield f"{share:.1%} of the functions are private and used once"
    lines = sum(module.lines for module in package.modules)
    comments = sum(module.comments for module in package.modules)
    if 100 * comments / lines < LEAST_COMMENTS:
        yield f"{100 * comments / lines:.1f} comments per 100 lines"
    if short := lonely(package):
        yield f"{short} short files have one importer: merge them into it"
    for module in package.modules:
        first = module.summary.partition(" ")[0].rstrip(":,")
        if first in QUESTION_WORDS:
            yield f"{PACKAGE}/{module.path}: the docstring begins with {first}"


def breaks(package: Package) -> list[str]:
    """Return every break of the rules, one line each."""
    found = list(shares(package))
    for module in package.modules:
        lines = module.text.splitlines()
        for rule in (later_reads, recovered_values, kind_questions):
            found += [
                f"{PACKAGE}/{module.path}:{line}: {what}"
                for line, what in sorted(set(rule(module)))
                if EXEMPT not in lines[line - 1]
            ]
    return found


def main() -> None:
    """Print every break of the rules."""
    parser = argparse.ArgumentParser(description="Check the rules of the architecture.")
    parser.add_argument(
        "checkout", nargs="?", type=Path, default=Path(__file__).parents[1]
    )
    package = Package(parser.parse_args().checkout.resolve())
    found = breaks(package)
    for each in found:
        print(each)
    print(f"{len(found)} breaks of the rules in {len(package.modules)} files")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
