"""Tell what may stand at a cursor: code, sentences, fences, objects."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.answers.sentences import is_speech
from bytebuddy_provider_hf.edits.answers.talk import Verdict, judge_beginning
from bytebuddy_provider_hf.edits.formats.fences import Fence, fence_in, has_fences
from bytebuddy_provider_hf.edits.languages import Language, language_of
from bytebuddy_provider_hf.prompts.fill_context import FillContext

# Languages whose values are bare sentences.
_SENTENCES: Final = frozenset({"ini", "html", "xml"})
# Languages in which an object of JSON is a statement or a file, or a page may be.
_OBJECTS: Final = frozenset({"json", "yaml"})
_TAGS: Final = frozenset({"html", "xml", "php", "javascript", "typescript"})
# Languages with strings of several lines between backquotes.
_LONG_QUOTED: Final = frozenset(
    {"javascript", "typescript", "go", "bash", "perl", "ruby", "php"}
)
_MARKUP_INSIDE: Final = frozenset({"javascript", "typescript", "php"})
_HERE_DOCUMENTS: Final = frozenset({"bash", "perl", "ruby", "php", "dockerfile"})
# Languages with a manual between their code: it begins and ends at such lines.
_MANUALS: Final = frozenset({"perl", "ruby"})
_MANUAL_ENDS: Final = ("=cut", "=end")
_COMMENTS: Final = (("/*", "*/"), ("<!--", "-->"))
_SHELLS: Final = frozenset({"bash", "powershell"})
_RUNS_COMMANDS: Final = frozenset(
    {"bash", "powershell", "dockerfile", "makefile", "yaml", "markdown"}
)
_MARKDOWN: Final = "markdown"
# Characters of a line by which the file is searched for it.
_TELLING: Final = 24
# After these a value follows.
_BEFORE_VALUE: Final = ("(", "[", ",", "=", "?", "|", "&", "+")
# A brace of values, not of a block: after a sign, or right after the name of a type.
_OPENED_VALUES: Final = re.compile(r"(?:[=\]]\s?|[\w}])\{\Z")
_BLOCK_SCALAR: Final = re.compile(r"[|>][-+0-9]*\s*(?:#.*)?$")
_USUAL_FENCE: Final = 3
_TICKS: Final = "```"


@frozen
class Place:
    """What may stand at a cursor.

    In ``prose`` sentences may: in Markdown, in a comment, in a string, in a file of no
    known language. ``objects`` of JSON may, ``tags``, and
    ``fences``. ``block`` is the
    fenced block of a text that the cursor is in, ``ticks`` that the file has fences.
    """

    language: Language | None
    prose: bool
    objects: bool
    tags: bool
    fences: bool
    block: Fence | None
    ticks: bool
    around: tuple[str, str]

    def judge(self, text: str, *, ended: bool, strict: bool = False) -> Verdict:
        """Return what an answer is, as ``judge_beginning`` does.

        With ``strict`` only what nobody can mistake is anything but content. What the
        file itself says is content.
        """
        if strict and self.prose:
            return "content"
        found = judge_beginning(
            text,
            ended=ended,
            prose=self.prose or strict,
            objects=self.objects,
            tags=self.tags,
        )
        if found in ("content", "unsure"):
            return found
        told = text.strip().partition("\n")[0].strip()[:_TELLING]
        return "content" if any(told in each for each in self.around) else found

    def is_wrapped_by(self, fence: Fence, *, announced: bool) -> bool:
        """Whether a fence at the beginning of an answer is no part of the text.

        Where fences may stand, only one that says it holds Markdown is none, or a long
        one, or one without a language that was ``announced``.
        """
        if not self.fences:
            return True
        info = fence.info.lower()
        if self.block is not None:
            return bool(info)
        language = language_of("", info)
        if language is not None and language.name == _MARKDOWN:
            return True
        own = not info or (language is not None and language == self.language)
        return own and (announced or len(fence.mark) > _USUAL_FENCE)

    def is_command(self, fence: Fence) -> bool:
        """Whether a block holds commands to run, where the file has none."""
        if self.language is None or self.language.name in _RUNS_COMMANDS:
            return False
        language = language_of("", fence.info)
        return language is not None and language.name in _SHELLS


def place_of(context: FillContext) -> Place:
    """Return what may stand at the cursor of this context, in case of doubt more."""
    language = language_of(context.path, context.language)
    name = "" if language is None else language.name
    line = context.prefix.rpartition("\n")[2]
    text = language is None or language.prose or name in _SENTENCES
    prose = language is None or text or _in_text(context.prefix, line, language)
    block: Fence | None = None
    for each in (
        context.prefix.split("\n") if text and has_fences(context.prefix) else ()
    ):
        fence = fence_in(each.rstrip("\r"))
        if fence is not None and block is None:
            block = fence
        elif fence is not None and block is not None and block.closed_by(fence):
            block = None
    before = context.prefix.rstrip()
    ticks = _TICKS in context.prefix or _TICKS in context.suffix
    return Place(
        language=language,
        prose=prose,
        objects=(
            language is None
            or name in _OBJECTS
            or block is not None
            or bool(line.strip())
            or before.endswith(_BEFORE_VALUE)
            or (text and before.endswith(":"))
            or _OPENED_VALUES.search(before[-4:]) is not None
        ),
        tags=name in _TAGS,
        # Plain text has fences where it shows one; in Markdown the first may be meant.
        fences=name == _MARKDOWN or (prose and ticks),
        block=block,
        ticks=ticks,
        around=(context.prefix, context.suffix),
    )


def _in_text(prefix: str, line: str, language: Language) -> bool:
    """Whether the cursor may be in a comment or a string of a file of code."""
    before = prefix.rstrip()
    above = before.rpartition("\n")[2]
    if language.name == "yaml":
        if line.strip():
            return True
        # Or in a text of several lines. The cursor leaves that of a key where it stands
        # before it; right below the key its indentation may not be written yet.
        width: int | None = None
        for each in reversed(prefix.split("\n")[:-1]):
            indent = len(each) - len(each.lstrip())
            if not each.strip() or (width is not None and indent >= width):
                continue
            if _BLOCK_SCALAR.search(each):
                return width is None or not line or len(line) > indent
            width = indent
        return False
    if language.name in _MANUALS and (at := f"\n{prefix}".rfind("\n=")) >= 0:
        return not prefix.startswith(_MANUAL_ENDS, at)
    return (
        any(sign in line for sign in language.comments)
        or line.lstrip().startswith("*")
        or any(line.count(quote) % 2 for quote in "\"'`")
        or any(prefix.count(quotes) % 2 for quotes in ('"""', "'''"))
        or (language.name in _LONG_QUOTED and prefix.count("`") % 2 == 1)
        or any(prefix.rfind(one) > prefix.rfind(other) for one, other in _COMMENTS)
        or (language.name in _HERE_DOCUMENTS and "<<" in prefix)
        or (above.strip()[:1].isupper() and is_speech(above.strip()))
        # The text between two tags of JSX.
        or (
            language.name in _MARKUP_INSIDE
            and before.endswith(">")
            and not before.endswith(("=>", "->"))
        )
    )
