"""Tell whether code is well formed: it parses, or all of its brackets close."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Final

from bytebuddy_provider_hf.edits.languages import Language

# Larger files are judged by their brackets: parsing takes a second a megabyte.
_MOST_PARSED: Final = 400_000
# The parser of YAML is a hundred times slower than that of Python.
_MOST_YAML: Final = 10_000
_CLOSES: Final = {")": "(", "]": "[", "}": "{"}
# In these a single quote is a character, and in Rust the name of a lifetime.
_CHARACTERS: Final = frozenset(
    ("rust", "c", "cpp", "csharp", "java", "kotlin", "scala", "go", "swift", "haskell")
)
# Where nothing is known of a language, these are common enough.
_COMMENTS: Final = ("//", "#")


def breaks_form(text: str, original: str, language: Language | None) -> bool:
    """Return whether ``text`` is malformed although ``original`` was not.

    Python, JSON, TOML and short YAML are parsed; of other languages, and of what no
    parser can take, the brackets are looked at, without strings and comments.
    """
    if language is not None and language.prose:
        return False
    now = _parses(text, language)
    if now is True:
        return False
    if now is False and (before := _parses(original, language)) is not None:
        return before
    if language is not None and language.blocks == "tags":
        return False
    return not brackets_close(text, language) and brackets_close(original, language)


def is_parsed(text: str, language: Language | None) -> bool:
    """Return whether a parser of this language takes ``text``; false where none is."""
    return _parses(text, language) is True


def _parses(text: str, language: Language | None) -> bool | None:
    """Return whether a parser takes a text; ``None`` where no parser can tell."""
    if language is None or len(text) > _MOST_PARSED:
        return None
    try:
        match language.name:
            case "python":
                import ast

                with warnings.catch_warnings():
                    # Of an odd escape in a string Python would warn here, too.
                    warnings.simplefilter("ignore")
                    ast.parse(text)
            case "json":
                import json

                json.loads(text)
            case "toml":
                import tomllib

                tomllib.loads(text)
            case "yaml" if len(text) <= _MOST_YAML:
                from io import StringIO

                from ruamel.yaml import YAML
                from ruamel.yaml.error import YAMLError

                try:
                    # Events only: no alias is followed, and no tag makes an object.
                    for _ in YAML(typ="safe", pure=True).parse(StringIO(text)):
                        pass
                except YAMLError:
                    return False
            case _:
                return None
    except (RecursionError, MemoryError):
        return None
    except (SyntaxError, ValueError):
        return False
    return True


def brackets_close(text: str, language: Language | None) -> bool:
    """Return whether each bracket outside strings and comments has its other one."""
    opened: list[str] = []
    for found in _tokens(language).finditer(text):
        sign = found[0]
        if sign in _CLOSES:
            if not opened or opened.pop() != _CLOSES[sign]:
                return False
        elif sign in ("(", "[", "{"):
            opened.append(sign)
    return not opened


def without_long_texts(text: str, language: Language | None) -> str:
    """Return code without its comments and strings of several lines.

    Each line stays a line, so that lines can be counted.
    """

    def shortened(found: re.Match[str]) -> str:
        said = found[0]
        return '""' + "\n" * said.count("\n") if "\n" in said else said

    return _tokens(language).sub(shortened, text)


@cache
def _tokens(language: Language | None) -> re.Pattern[str]:
    """Return what finds brackets, and the comments and strings to pass over."""
    comments = _COMMENTS if language is None else language.comments
    name = "" if language is None else language.name
    slashes = "//" in comments or name in ("css", "sql")
    kinds = [
        r"/\*(?s:.*?)(?:\*/|\Z)" if slashes else "",
        r'"""(?s:.*?)(?:"""|\Z)',
        r"'''(?s:.*?)(?:'''|\Z)",
        r'"(?:[^"\\\n]|\\.)*+"',
        r"'(?:[^'\\\n]|\\[^\n]{1,8}?)'"
        if name in _CHARACTERS
        else r"'(?:[^'\\\n]|\\.)*+'",
        r"`(?:[^`\\]|\\.)*+`" if name in ("javascript", "typescript", "go") else "",
        # A sign of comment inside of a word is none: "$#", "a#b", "https://".
        rf"(?<![\w$:&{{])(?:{'|'.join(map(re.escape, comments))})[^\n]*"
        if comments
        else "",
        r"[()\[\]{}]",
    ]
    return re.compile("|".join(filter(None, kinds)))
