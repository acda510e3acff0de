"""Prompts that ask a raw model to fill a gap, or to go on where it begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.fim_format import FimFormat
from bytebuddy_provider_hf.prompts.rendered import Rendered
from bytebuddy_provider_hf.prompts.special_tokens import escape
from bytebuddy_provider_hf.prompts.template import render

_UNSEEN: Final = (
    "This model cannot fill a gap: it continues the code before the cursor and has not "
    "seen what follows."
)


@define
class _PromptWriter:
    """Text of the user on its way into a prompt, and the tokens found in it."""

    specials: tuple[str, ...]
    found: dict[str, None] = field(factory=dict)

    def text(self, text: str) -> str:
        safe, found = escape(text, self.specials)
        self.found.update(dict.fromkeys(found))
        return safe

    def name(self, name: str) -> str:
        """Return a path or a name, on one line whatever it holds."""
        return self.text(" ".join(name.splitlines()))

    def notes(self) -> tuple[str, ...]:
        if not self.found:
            return ()
        spelled = ", ".join(self.found)
        note = f"The code spells tokens of the model ({spelled}); they were sent so "
        return (f"{note}that they do not act as tokens.",)


def render_fim(format: FimFormat, context: FillContext) -> Rendered:  # noqa: A002 - the field's word
    """Write the prompt for which the model answers with what is missing.

    Other files and the repository's name are written where the family was trained on
    them (``format.file``, ``format.repository``); ``notes`` says so where they were
    left out. A token of the family inside the user's text is sent broken, see
    :func:`~bytebuddy_provider_hf.prompts.special_tokens.escape`.

    An empty suffix keeps the format: all families here were trained on gaps drawn at
    random, those at the end of a file among them (CodeGemma's prompt-structure page and
    CodeGeeX4's guide say so in words), and without the suffix's token the model would
    meet an order of tokens that it has never seen.
    """
    writer = _PromptWriter(format.specials)
    other_files = _context(format, context, writer)
    inside = other_files and context.path and format.path
    path = format.path.format(path=writer.name(context.path)) if inside else ""
    before = f"{format.prefix}{path}{writer.text(context.prefix)}"
    after = f"{format.suffix}{writer.text(context.suffix)}"
    both = after + before if format.suffix_first else before + after
    label = format.label.format(
        path=writer.name(context.path), language=writer.name(_titled(context.language))
    )
    return Rendered(
        prompt=f"{format.head}{other_files}{label}{both}{format.middle}",
        stops=format.stops,
        notes=(*_left_out(format, context), *writer.notes()),
    )


def render_template(
    template: str,
    context: FillContext,
    format: FimFormat | None = None,  # noqa: A002 - the field's word
) -> Rendered:
    """Fill in an entry's own template (``promptTemplates.autocomplete``).

    Its variables are ``prefix``, ``suffix``, ``filename``, ``reponame`` and
    ``language``. ``format``, the family's own where it is known, gives the stops and
    the tokens to keep from acting. Raises what the template's rendering raises.
    """
    writer = _PromptWriter(format.specials if format else ())
    values = {
        "prefix": writer.text(context.prefix),
        "suffix": writer.text(context.suffix),
        "filename": writer.name(context.path),
        "reponame": writer.name(context.repository),
        "language": writer.name(context.language),
    }
    return Rendered(
        prompt=render(template, values),
        stops=format.stops if format else (),
        notes=writer.notes(),
    )


def continuation(context: FillContext, *, specials: Iterable[str] = ()) -> Rendered:
    """Write the prefix as it stands, for models that were not trained on gaps.

    ``notes`` says that the suffix was not seen, where there is one. ``specials`` are
    the model's own tokens.
    """
    writer = _PromptWriter(tuple(specials))
    prompt = writer.text(context.prefix)
    unseen = (_UNSEEN,) if context.suffix.strip() else ()
    return Rendered(prompt=prompt, notes=(*unseen, *writer.notes()))


def _context(format: FimFormat, context: FillContext, writer: _PromptWriter) -> str:  # noqa: A002 - as above
    if not (format.file and context.files) and not (
        format.repository and context.repository
    ):
        return ""
    parts = []
    if context.repository:
        parts.append(
            format.repository.format(repository=writer.name(context.repository))
        )
    parts += [
        format.file.format(path=writer.name(path), text=writer.text(text))
        for path, text in context.files
    ]
    parts.append(format.here.format(path=writer.name(context.path)))
    return "".join(parts)


def _left_out(format: FimFormat, context: FillContext) -> tuple[str, ...]:  # noqa: A002 - as above
    if format.file or not context.files:
        return ()
    note = f"Other files were left out ({len(context.files)}): models of the family "
    return (f"{note}{format.name} read one file at a time.",)


def _titled(language: str) -> str:
    """Return a language's name as CodeGeeX4 was taught it: its first letter raised."""
    return language[:1].upper() + language[1:]
