"""The package's own files as syntax, read once for all tests that look at them."""

from __future__ import annotations

import ast
import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import bytebuddy_provider_hf

PACKAGE: Final = Path(bytebuddy_provider_hf.__file__).parent
# What tests look for; all nodes would be five times as many.
KINDS: Final = (
    ast.Call,
    ast.Constant,
    ast.Expr,
    ast.ImportFrom,
    ast.keyword,
    ast.Raise,
)

# The nodes of each file, by its path in the package.
Sources = Mapping[str, tuple[ast.AST, ...]]


def read_sources() -> Sources:
    """Read the package; it takes seconds."""
    # Each new node is reachable: to look for garbage would take as long again.
    gc.disable()
    try:
        return {
            path.relative_to(PACKAGE).as_posix(): tuple(
                node
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, KINDS)
            )
            for path in sorted(PACKAGE.rglob("*.py"))
        }
    finally:
        gc.enable()
