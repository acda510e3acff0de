"""Read the variables of a ``.env`` file, each kept as a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.stored_files import ENV
from bytebuddy_provider_hf.regular_file import NotRegular, read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import text

MAX_BYTES: Final = ENV.most

# Where a token for Hugging Face is looked for, in this order.
TOKEN_VARIABLES: Final = (
    "HF_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACEHUB_API_TOKEN",
    "HUGGINGFACE_API_KEY",
)

_LINE: Final = re.compile(
    r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*(?P<value>.*)"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


@frozen
class EnvFile:
    """A ``.env`` file as it was read; one that does not exist has no values."""

    path: Path
    values: Mapping[str, Secret] = field(factory=dict)
    complaint: str | None = None
    # Others can change it: nothing of it counts.
    is_refused: bool = False


def read_env(path: Path) -> EnvFile:
    """Return the variables of ``path``; a file that cannot be read has none.

    ``NAME=value``, ``export NAME=value``, single quotes as they stand, double quotes
    with backslash escapes, ``#`` comments. Nothing is expanded and no line continues.
    """
    try:
        # Folders of this name are common: Python's own environments.
        if not path.exists() or path.is_dir():
            return EnvFile(path)
        exposed = exposures(path)
        for each in exposed:
            if each.is_refused:
                complaint = text("config.refused_file", why=each.message)
                return EnvFile(path, complaint=complaint, is_refused=True)
        raw = read_regular_file(path, MAX_BYTES + 1)
    except FileNotFoundError:
        return EnvFile(path)
    except NotRegular:
        # Passed over in silence, its user would look for the fault elsewhere.
        complaint = text("config.env_unreadable", reason=text("config.no_regular_file"))
        return EnvFile(path, complaint=complaint)
    except OSError as error:
        complaint = text("config.env_unreadable", reason=error.strerror)
        return EnvFile(path, complaint=complaint)
    read = parse_env(path, raw)
    # What is wrong with its content is told first.
    warned = next((each.message for each in exposed), None)
    return evolve(read, complaint=read.complaint or warned)


def parse_env(path: Path, raw: bytes) -> EnvFile:
    """Return the variables of ``raw``, which stands or will stand in ``path``."""
    if len(raw) > MAX_BYTES:
        complaint = text("config.env_too_large", size=MAX_BYTES // 1024)
        return EnvFile(path, complaint=complaint)
    found = {}
    try:
        for match in map(_LINE.fullmatch, raw.decode("utf-8-sig").splitlines()):
            if match:
                found[match["name"]] = Secret(_unquoted(match["value"].strip()))
    except UnicodeDecodeError:
        return EnvFile(path, complaint=text("config.env_not_utf_8"))
    return EnvFile(path, found)


# Nothing is expanded: a key may hold a $ or a backslash.
def _unquoted(value: str) -> str:
    if value[:1] == "'":
        end = value.find("'", 1)
        return value[1:end] if end > 0 else value
    if value[:1] == '"':
        match = re.match(r'"((?:[^"\\]|\\.)*)"', value)
        if match is None:
            return value
        return re.sub(r"\\(.)", lambda it: _ESCAPES.get(it[1], it[1]), match[1])
    # Only after a blank is it the sign of a comment: a key may hold one.
    if value.startswith("#"):
        return ""
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()
