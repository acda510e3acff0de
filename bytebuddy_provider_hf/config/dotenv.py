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
from bytebuddy_provider_hf.texts import LocalizedText, text

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
    r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=(?P<value>.*)"
)
# What cmd, PowerShell and YAML write, and a sign that is no = but looks like one.
_NEARLY: Final = re.compile(
    r"\s*(?:export\s+|setx?\s+|\$env:|\$)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"\s*(?P<sign>[=:\uff1a\uff1d\ufe66])"
)
# To some editors the rest stands on a line of its own.
_HIDDEN_LINE: Final = re.compile(
    r"\s*#.*?(?P<sign>[\x85\u2028\u2029])\s*(?:export\s+)?"
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*="
)
# What a shell takes, and what sets nothing.
_IDLE: Final = re.compile(r"\s*(?:#.*|export\s+[A-Za-z_]\w*\s*)?")
# Not str.splitlines: a value that holds U+2028 is not two lines.
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_QUOTED: Final = re.compile(r"""'([^']*)'|`([^`]*)`|"((?:[^"\\]|\\.)*)\"""")
_AFTER_QUOTES: Final = re.compile(r"(?:\s+#.*)?")
# Another variable's value, as a shell, cmd or config.yaml take it, and nothing else. A
# key may hold a $, but none is a name in capitals.
_REFERENCE: Final = re.compile(r"\$\{\w+\}|\$[A-Z_]{3,}|%[A-Z_]{3,}%")
# Those of a word processor, at either end of a value.
_TYPOGRAPHIC: Final = re.compile("^[\u2018-\u201f\u300c-\u300f\uff02\uff07]")
# Controls but the tab, and what looks like a blank or like nothing.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


@frozen
class BadLine:
    """A line that cannot be meant as it stands, and the variable that it would set."""

    line: int
    why: LocalizedText
    name: str = ""


@frozen
class EnvFile:
    """A ``.env`` file as it was read; one that does not exist has no values."""

    path: Path
    values: Mapping[str, Secret] = field(factory=dict)
    complaint: str | None = None
    # Others can change it: nothing of it counts.
    is_refused: bool = False
    # Nobody knows what it sets; the complaint says why.
    is_unread: bool = False
    bad_lines: tuple[BadLine, ...] = ()

    def bad_line(self, name: str) -> BadLine | None:
        """Return the last line that would set ``name`` and cannot be meant so."""
        found = [bad for bad in self.bad_lines if bad.name == name]
        return found[-1] if found and name not in self.values else None

    def why_unset(self, name: str) -> LocalizedText | None:
        """Return why ``name`` is not set although it stands here, or may stand here."""
        if bad := self.bad_line(name):
            place = f"{self.path}:{bad.line}"
            return text("config.env_bad_line", variable=name, place=place, why=bad.why)
        if not self.is_unread:
            return None
        return text(
            "config.env_unread", variable=name, file=self.path, why=self.complaint
        )


def read_env(path: Path) -> EnvFile:
    """Return the variables of ``path``; a file that cannot be read has none.

    ``NAME=value``, ``export NAME=value``, single quotes and backquotes as they stand,
    double quotes with backslash escapes, comments behind a blank and ``#``. Nothing is
    expanded and no line continues. A line that cannot be meant sets nothing, and
    stands in ``bad_lines``.
    """
    try:
        # Folders of this name are common: Python's own environments.
        if not path.exists() or path.is_dir():
            return EnvFile(path)
        exposed = exposures(path)
        for each in exposed:
            if each.is_refused:
                complaint = text("config.refused_file", why=each.message)
                return EnvFile(
                    path, complaint=complaint, is_refused=True, is_unread=True
                )
        raw = read_regular_file(path, MAX_BYTES + 1)
    except FileNotFoundError:
        return EnvFile(path)
    except NotRegular:
        # Passed over in silence, its user would look for the fault elsewhere.
        complaint = text("config.env_unreadable", reason=text("config.no_regular_file"))
        return EnvFile(path, complaint=complaint, is_unread=True)
    except OSError as error:
        complaint = text("config.env_unreadable", reason=error.strerror)
        return EnvFile(path, complaint=complaint, is_unread=True)
    read = parse_env(path, raw)
    # What is wrong with its content is told first.
    warned = next((each.message for each in exposed), None)
    return evolve(read, complaint=read.complaint or warned)


def parse_env(path: Path, raw: bytes) -> EnvFile:
    """Return the variables of ``raw``, which stands or will stand in ``path``."""
    if len(raw) > MAX_BYTES:
        complaint = text("config.env_too_large", size=MAX_BYTES // 1024)
        return EnvFile(path, complaint=complaint, is_unread=True)
    # PowerShell's ">" writes so; half of such a text is NUL bytes.
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or raw[:64].count(0) > len(raw[:64]) / 4:
        return EnvFile(path, complaint=text("config.env_utf_16"), is_unread=True)
    try:
        lines = _LINE_END.split(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return EnvFile(path, complaint=text("config.env_not_utf_8"), is_unread=True)
    found: dict[str, Secret] = {}
    bad: list[BadLine] = []
    continued = 0
    for number, line in enumerate(lines, 1):
        # What stands within quotes is no variable, whatever it looks like.
        if number <= continued:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            if (wrong := _no_assignment(number, line)) is not None:
                bad.append(wrong)
            continue
        name, value = match["name"], _value(match["value"])
        # The last line counts; what stood above it is no longer meant either.
        found.pop(name, None)
        if isinstance(value, Secret):
            found[name] = value
            continue
        opening = match["value"].strip()[0]
        if opening in "'`\"" and value.id == "config.env_open_quote":
            rest = enumerate(lines[number:], number + 1)
            last = next(((n, each) for n, each in rest if opening in each), None)
            # One that sets a variable in quotes of its own closes none.
            ends = last and re.fullmatch(rf"[^{opening}]*{opening}\s*(#.*)?", last[1])
            if last and ends and not _LINE.fullmatch(last[1]):
                continued = last[0]
                value = text("config.env_several_lines", last=continued)
        bad.append(BadLine(number, value, name))
    return EnvFile(path, found, bad_lines=tuple(bad))


def _no_assignment(number: int, line: str) -> BadLine | None:
    """Return what is wrong with a line that sets nothing, ``None`` for a comment."""
    if hidden := _HIDDEN_LINE.match(line):
        character = f"U+{ord(hidden['sign']):04X}"
        said = text("config.env_hidden_line", character=character)
        return BadLine(number, said, hidden["name"])
    if _IDLE.fullmatch(line):
        return None
    said, nearly = text("config.env_no_assignment"), _NEARLY.match(line)
    if nearly and nearly["sign"] not in "=:\uff1a":
        sign = nearly["sign"]
        character = f"U+{ord(sign):04X} ({sign})"
        said = text("config.env_wide_sign", character=character)
    return BadLine(number, said, nearly["name"] if nearly else "")


def _value(written: str) -> Secret | LocalizedText:
    """Return what stands behind the ``=`` of a line, or why it cannot be meant."""
    value = written.strip()
    match = _QUOTED.match(value)
    if match:
        if not _AFTER_QUOTES.fullmatch(value, match.end()):
            return text("config.env_after_quote")
        inside = match[1] or match[2] or match[3] or ""
    elif value.startswith("#") and written[:1] != "#":
        inside = ""
    else:
        # Only after a blank is it the sign of a comment: a key may hold one.
        inside = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
        for end in (inside[:1], inside[-1:]):
            if end and end in "'`\"" and (end == inside[0] or inside.count(end) % 2):
                return text("config.env_open_quote")
            if _TYPOGRAPHIC.match(end):
                return text("config.env_typographic", character=end)
    unseen = _UNSEEN.search(inside)
    if unseen:
        character = f"U+{ord(unseen.group()):04X}"
        return text("config.env_character", character=character)
    if _REFERENCE.fullmatch(inside) and not (match and match[1]):
        return text("config.env_reference")
    if match and match[3]:
        inside = re.sub(r"\\(.)", lambda it: _ESCAPES.get(it[1], it[1]), inside)
    # Nothing is expanded: a key may hold a $ or a backslash.
    return Secret(inside)
