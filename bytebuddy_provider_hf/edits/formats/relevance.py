"""Tell which blocks of a suggestion are code of the file, and which are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.formats.blocks import Block
from bytebuddy_provider_hf.edits.formats.file_names import named_file, same_file
from bytebuddy_provider_hf.edits.languages import (
    Language,
    language_named,
    language_of,
)
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of

# Names that models mix up, and languages that a file of another may hold.
_FAMILIES: Final = (
    {"javascript", "typescript"},
    {"c", "cpp"},
    {"markdown", "text", "restructuredtext"},
    {"ini", "toml"},
    {"html", "xml"},
)
_HOLDS: Final = {
    "html": {"javascript", "typescript", "css"},
    "php": {"html", "javascript", "css"},
    "makefile": {"bash"},
    "dockerfile": {"bash"},
}
# Files of these may well hold commands.
_COMMANDS_TOO: Final = {"bash", "powershell", "makefile", "dockerfile", "yaml"}
_COMMAND: Final = re.compile(
    r"\$ "
    r"|(?:sudo )?(?:(?:pip3?|pipx|uv|poetry|conda|npm|npx|yarn|pnpm|bun|brew|apt"
    r"|apt-get|dnf|yum|apk|cargo|gem|bundle|composer|go|dotnet|docker|git|cd|mkdir|export"
    r"|curl|wget|make|chmod) [\w./@~-]|python3? (?:-m |[\w./-]+\.py)"
    r"|node [\w./-]+|\./\w)",
)
# What announces a use of the code, and what may announce the code itself as well.
_USAGE: Final = re.compile(
    r"\b(?:usages?|(?:use|run|try|test|call) (?:it|this|them|that)|how to (?:use|run)"
    r"|to (?:run|test|try|use)|(?:expected |sample |example )output)\b"
    r"|用法|使用方法|使用方式|使用示例|测试一下|运行|输出",
    re.IGNORECASE,
)
_EXAMPLE: Final = re.compile(r"\b(?:examples?|sample)\b|示例|例如|例子", re.IGNORECASE)
_DEFINES: Final = re.compile(
    r"^[ \t]*(?:(?:export|default|public|private|protected|static|async|abstract|final"
    r"|pub|inline|virtual|override) ){0,4}"
    r"(?:def|class|function|func|fn|fun|sub|interface|struct|enum|trait|impl|type"
    r"|module|namespace|record|object)[ *]+([\w$]+)",
    re.MULTILINE,
)
_CALL: Final = re.compile(
    r"(?:>>> |\.\.\. )?(?:(?:await|print|echo|return|const|let|var|import|from)\b.*"
    r"|[\w.$]+ ?=[^=].*|[\w.$:]+\(.*|[)\]}].*|#.*|//.*)"
)
_MOST_CALLS: Final = 8
_MOSTLY: Final = 0.5
_LONGEST: Final = 400


@frozen
class File:
    """What is known of the file that a suggestion is for."""

    text: str
    lines: frozenset[str]
    language: Language | None
    path: str

    @cached_property
    def defined(self) -> frozenset[str]:
        """The functions and classes of the file, by name."""
        return frozenset(_DEFINES.findall(self.text))

    @cached_property
    def stripped(self) -> frozenset[str]:
        """The lines without the blanks round them."""
        return frozenset(line.strip() for line in self.lines)

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages that code of the file may have, by name; none if unknown."""
        if self.language is None:
            return frozenset()
        own = self.language.name
        alike = (family for family in _FAMILIES if own in family)
        return frozenset({own}.union(_HOLDS.get(own, ()), *alike))

    def knows(self, block: Block) -> bool:
        """Whether at least half of a block's telling lines stand in the file."""
        told = [line for line in lines_of(block.text).texts if is_distinctive(line)]
        here = sum(line in self.lines for line in told)
        return bool(here) and here >= _MOSTLY * len(told)


def named_by(block: Block) -> str:
    """Return the file that a block says it is of: in its fence, before it, in it."""
    said = block.info.split(maxsplit=1)
    told = [*said[:1], *said[1:]]
    if said and ":" in said[0]:
        # "python:src/x.py", and "12:20:src/x.py" as editors cite code.
        told.append(said[0].rpartition(":")[2])
    for word in told:
        _, sign, value = word.partition("=")
        name = named_file((value if sign else word).strip("\"'"))
        if name and language_named(name) is None:
            return name
    near = _before(block)
    first = next((x for x in lines_of(block.text).texts if x.strip()), "")
    for line in (*reversed(near), first if first.lstrip()[:1] in "#/<-;" else ""):
        if name := named_file(line):
            return name
    return ""


def relevant(blocks: Sequence[Block], file: File, *, several: bool) -> list[Block]:
    """Return the blocks that are code of the file; of equal ones the first.

    Another language, another file where there are ``several`` blocks, commands for a
    shell and examples of use are left out, as a rule not where the file has most of
    their lines.
    """
    own = file.language
    prose = own is not None and own.prose
    shell = own is not None and own.name in _COMMANDS_TOO
    kept: list[Block] = []
    seen: set[str] = set()
    for block in blocks:
        lead = _before(block)
        usage = not prose and any(map(_USAGE.search, lead))
        example = not prose and any(map(_EXAMPLE.search, lead))
        filled = [line.strip() for line in lines_of(block.text).texts if line.strip()]
        few = len(filled) <= _MOST_CALLS and all(map(_CALL.fullmatch, filled))
        # A few calls below "Usage:" stay out even if the file has such lines.
        if block.text in seen or (usage and few):
            continue
        seen.add(block.text)
        name = named_by(block) if several and file.path else ""
        word = re.split(r"[\s:{},]", block.info.strip().lstrip("{."), maxsplit=1)[0]
        said = language_named(word) or language_of(word)
        typed = [line for line in filled if not line.startswith("#")]
        defined = set(_DEFINES.findall(block.text))
        foreign = (
            said and file.languages and said.name not in file.languages,
            name and not same_file(name, file.path),
            typed and not prose and not shell and all(map(_COMMAND.match, typed)),
            usage and not defined & file.defined,
            # "Add a function, for example:" may well announce code of the file.
            example and not usage and not defined,
        )
        if not any(foreign) or file.knows(block):
            kept.append(block)
    return kept


def _before(block: Block) -> list[str]:
    """Return the last lines that are said before a block."""
    return [line[-_LONGEST:] for line in block.lead if line.strip()][-2:]
