"""Tell what may stand at a cursor: code, sentences, fences, objects."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.edits.fences import Fence, fence_in, has_fences
from bytebuddy_provider_hf.edits.languages import Language, language_of
from bytebuddy_provider_hf.edits.talk import Verdict, judge_beginning
from bytebuddy_provider_hf.prompts.fill_context import FillContext

# Languages whose values are bare sentences.
_SENTENCES: Final = frozenset({"yaml", "ini", "html", "xml"})
# Languages in which an object of JSON, or a tag, is a statement or a file.
_OBJECTS: Final = frozenset(
    {"json", "yaml", "html", "xml", "php", "javascript", "typescript"}
)
_MARKUP_INSIDE: Final = frozenset({"javascript", "typescript", "php"})
_HERE_DOCUMENTS: Final = frozenset({"bash", "perl", "ruby", "php", "dockerfile"})
_SHELLS: Final = frozenset({"bash", "powershell"})
_RUNS_COMMANDS: Final = frozenset(
    {"bash", "powershell", "dockerfile", "makefile", "yaml", "markdown"}
)
_MARKDOWN: Final = "markdown"
# Characters of a line by which the file is searched for it.
_TELLING: Final = 24
# After these a value follows.
_BEFORE_VALUE: Final = ("(", "[", "{", ",", "=", ":", "?", "|", "&", "+")
_USUAL_FENCE: Final = 3


@frozen
class Place:
    """What may stand at a cursor.

    In ``prose`` sentences may: in Markdown, in a comment, in a string, in a file of no
    known language. ``objects`` of JSON and tags may, and ``fences``. ``block`` is the
    fenced block of a text that the cursor is in, ``ticks`` that the file has fences.
    """

    language: Language | None
    prose: bool
    objects: bool
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
            text, ended=ended, prose=self.prose or strict, objects=self.objects
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
    prose = text or _in_text(context.prefix, line, language)
    block = _open_block(context.prefix) if text else None
    ticks = has_fences(context.prefix) or has_fences(context.suffix)
    return Place(
        language=language,
        prose=prose,
        objects=(
            language is None
            or name in _OBJECTS
            or block is not None
            or bool(line.strip())
            or context.prefix.rstrip().endswith(_BEFORE_VALUE)
        ),
        fences=(language is not None and language.prose) or (prose and ticks),
        block=block,
        ticks=ticks,
        around=(context.prefix, context.suffix),
    )


def _in_text(prefix: str, line: str, language: Language | None) -> bool:
    """Whether the cursor may be in a comment or a string of a file of code."""
    if language is None:
        return True
    if any(sign in line for sign in language.comments) or line.lstrip().startswith("*"):
        return True
    if any(line.count(quote) % 2 for quote in "\"'`"):
        return True
    if any(prefix.count(quotes) % 2 for quotes in ('"""', "'''", "`")):
        return True
    if prefix.rfind("/*") > prefix.rfind("*/") or prefix.rfind("<!--") > prefix.rfind(
        "-->"
    ):
        return True
    if language.name in _HERE_DOCUMENTS and "<<" in prefix:
        return True
    before = prefix.rstrip()
    # The text between two tags of JSX.
    return (
        language.name in _MARKUP_INSIDE
        and before.endswith(">")
        and not before.endswith(("=>", "->"))
    )


def _open_block(prefix: str) -> Fence | None:
    """Return the fence of the block that is still open at the end of a text."""
    if not has_fences(prefix):
        return None
    opened: Fence | None = None
    for line in prefix.split("\n")[:-1]:
        fence = fence_in(line.rstrip("\r"))
        if fence is None:
            continue
        if opened is None:
            opened = fence
        elif opened.closed_by(fence):
            opened = None
    return opened
