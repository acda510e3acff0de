"""Tell code of a file from what a model or a server says in its place.

That is talk, a tool call, the text of an error, code of another language, a command to
run, or an example of use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.edits.answers.calls_and_errors import (
    is_error_body,
    is_tool_call,
    json_in,
)
from bytebuddy_provider_hf.edits.answers.sentences import is_spoken, is_talk_line
from bytebuddy_provider_hf.edits.answers.wellformed import (
    is_parsed,
    without_long_texts,
)
from bytebuddy_provider_hf.edits.definitions import definitions
from bytebuddy_provider_hf.edits.languages import Language, language_named
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of

Kind: TypeAlias = Literal[
    "empty",
    "talk",
    "tool_call",
    "error",
    "language",
    "command",
    "example",
]

# Errors, tool calls and talk are short; what stands further on decides nothing.
_LOOKED_AT: Final = 20_000
_LONGEST_LINE: Final = 400
_MOST_EXAMPLE: Final = 15
# Of the telling lines of a text that is of the file, so many stand in the file.
_SHARED: Final = 0.5

_HTML: Final = re.compile(r"\s*(?:<!doctype html|<html\b|<\?xml\b)", re.IGNORECASE)
# A line of YAML: a key, an item, or the mark of a document.
_YAML: Final = re.compile(
    r"^(?:-(?:\s|$)|[^\s#][^\n]{0,200}?:(?:\s|$)|---|[\[{])", re.MULTILINE
)
_COMMENT_LINES: Final = re.compile(r"^[ \t]*(?:#[^\n]*)?\n?", re.MULTILINE)
_SHEBANG: Final = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-S\s+)?)?([A-Za-z]+)")
_COMMAND: Final = re.compile(
    r"(?:[$>%#]\s+)?(?:sudo\s+)?(?:(?:python\d?|py) -m\s+)?(?:pip\d?|pipx|uv|poetry"
    r"|conda|mamba|npm|npx|yarn|pnpm|bun|deno|apt|apt-get|brew|dnf|yum|apk|pacman|choco"
    r"|cargo|go|gem|bundle|composer|dotnet|mvn|gradle|docker|git|cd|mkdir|curl|wget"
    r"|chmod|chown|rm|cp|mv|source|export|python\d?|node|bash|sh|make|pytest)"
    r"(?:\s+[-\w./~@:=\[\]>,'\"$*+]+)+\s*(?:&&[^\n]*|\|[^\n]*|\\)?"
)
_PROMPT: Final = re.compile(r"[$>] \w")
_COMMANDS_KEPT: Final = ("bash", "powershell", "dockerfile", "makefile", "yaml", "text")
# A use of what a file defines: an import, a call, or what a call returned.
_USE: Final = re.compile(
    r"\s*(?:from\s+\S+\s+import\b|import\b|(?:const|let|var|auto|final)?\s*[\w.]+\s*:?="
    r"|(?:await\s+)?[\w.:>-]+\s*[(!]|#|//|>>>|\.{3}|[)\]}]|print\b|echo\b|\w+\s*$)"
)


@frozen
class NotCode:
    """What a text is that is no code of a file: ``kind`` names it for programs."""

    kind: Kind


def not_code(text: str, original: str, *, language: Language | None) -> NotCode | None:
    """Return what a text is in place of code of a file that was ``original``.

    It is looked at by rule: what it says, not whether it is well formed. In files of
    prose, and in those whose language is not known, only what an assistant or a server
    says, and shares nothing with the file.
    """
    said = text.strip()
    if not said:
        return NotCode("empty") if original.strip() else None
    head = said[:_LOOKED_AT]
    lines = [line for line in lines_of(head).texts if line.strip()]
    known = {line.strip() for line in lines_of(original).texts}
    telling = [line for line in lines if is_distinctive(line)]
    shared = sum(line.strip() in known for line in telling)
    # Half of its lines are of the file: whatever it quotes, it is the file.
    if telling and shared >= max(1, _SHARED * len(telling)):
        return None
    # A call may stand below a sentence; code names one within a line.
    called = any(
        is_tool_call("\n".join(lines[at : at + 2]), known=original, objects=True)
        for at in range(len(lines))
    )
    said_lines = [line.strip() for line in lines if not line.lstrip().startswith("#")]
    if language is not None and language.name in _COMMANDS_KEPT:
        # A prompt is no part of a script.
        commands = language.name == "bash" and all(map(_PROMPT.match, lines))
    else:
        commands = bool(said_lines) and all(
            len(line) <= _LONGEST_LINE and "(" not in line and _COMMAND.fullmatch(line)
            for line in said_lines
        )
    for kind, found in (
        ("tool_call", is_tool_call(head, known=original) or called),
        ("error", not shared and is_error_body(head, known=original)),
        ("language", _is_other_language(head, original, language)),
        ("command", not shared and commands),
        ("example", not shared and _is_example(lines, original, language)),
        ("talk", _is_talk(head, original, language, shared=shared)),
    ):
        if found:
            return NotCode(kind)  # type: ignore[arg-type]  # each is a Kind
    return None


def _is_other_language(head: str, original: str, language: Language | None) -> bool:
    if language is not None and language.prose:
        return False
    before = original.lstrip()
    name = "" if language is None else language.name
    tags = language is not None and language.blocks == "tags"
    # Of a whole file; in a part of one lines may have neither.
    if tags and before.startswith("<") and "<" not in head:
        return True
    bare = name == "yaml" and _YAML.match(_COMMENT_LINES.sub("", original))
    if bare and not _YAML.search(head) and _COMMENT_LINES.sub("", head).strip():
        return True
    shebang = _SHEBANG.match(head)
    if shebang is not None and not before.startswith("#!"):
        ours = language_named(shebang[1])
        return ours is not None and ours is not language
    if not tags and name != "php" and _HTML.match(head) and not _HTML.match(before):
        return True
    if name in ("json", "yaml") or before[:1] in ("{", "["):
        return False
    value = json_in(head)
    # A list of numbers, or a short one, may be code of any language.
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, dict) for each in value)
    )


def _is_example(lines: Sequence[str], original: str, language: Language | None) -> bool:
    """Whether lines only use what the original defines, and define nothing."""
    if language is None or language.prose or len(lines) > _MOST_EXAMPLE:
        return False
    if any(_USE.match(line) is None for line in lines):
        return False
    if definitions(lines, language):
        return False
    names = {it.name for it in definitions(lines_of(original).texts, language)}
    words = set(re.findall(r"\w+", "\n".join(lines)))
    return not names.isdisjoint(words)


def _is_talk(
    head: str, original: str, language: Language | None, *, shared: int
) -> bool:
    """Whether somebody speaks: all of it, or sentences that stand between code."""
    lines = [line for line in lines_of(head).texts if line.strip()]
    known = {line.strip() for line in lines_of(original).texts} - {""}
    new = [line for line in lines if line.strip() not in known]
    items = language is None or language.name != "yaml"
    comments = () if language is None else language.comments

    def is_spoken_in(code: str, found: Sequence[str]) -> bool:
        # In a comment or a text of several lines sentences are code.
        outside = {*lines_of(without_long_texts(code, language)).texts}
        # Each line once, however often it stands there.
        return any(
            line in outside
            and not line.lstrip().startswith(comments)
            and is_spoken(line, items=items)
            for line in dict.fromkeys(found)
        )

    prose = language is None or language.prose
    # So it is in a part of a file that is text: of a comment, or a docstring.
    if prose or is_spoken_in(original, lines_of(original).texts):
        # In place of a long text one line of talk is no text about talk.
        short = len(lines) * 3 <= len(known)
        return not shared and bool(new) and is_talk_line(new[0], prose=not short)
    if is_parsed(head, language):
        # A word or a sentence as a value says nothing, though it parses.
        if not items:
            return all(is_spoken(line, items=False) for line in lines)
        return len(lines) == 1 and is_talk_line(lines[0])
    return is_spoken_in(head, new)
