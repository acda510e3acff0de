"""Write prompts that have a raw model fill in at a cursor, or continue the prefix."""

from __future__ import annotations

from collections.abc import Iterable

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.prompts.family import FimFormat, Rendered
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.special_tokens import Escaper
from bytebuddy_provider_hf.prompts.template import render


def render_fim(format: FimFormat, context: FillContext) -> Rendered:  # noqa: A002 - the field's word
    """Write the prompt for which the model answers with what is missing.

    Other files and the repository's name are written where the family was trained on
    them (``format.file``, ``format.repository``); ``notes`` says so where they were
    left out. A token of the family inside the user's text is sent broken, see
    :func:`~bytebuddy_provider_hf.prompts.special_tokens.escape`.

    An empty suffix keeps the format: all families here were trained to infill at random
    places, the end of a file among them (CodeGemma's prompt-structure page and
    CodeGeeX4's guide say so in words), and without the suffix's token the model would
    meet an order of tokens that it has never seen.
    """
    escaper = Escaper(format.specials)
    path = escaper.escape(_one_line(context.path))
    # CodeGeeX4 was taught languages with the first letter raised: "Python".
    language = escaper.escape(
        _one_line(context.language[:1].upper() + context.language[1:])
    )
    repository: list[str] = []
    if (format.file and context.files) or (format.repository and context.repository):
        if context.repository:
            name = escaper.escape(_one_line(context.repository))
            repository.append(format.repository.format(repository=name))
        for other, text in context.files:
            other_path = escaper.escape(_one_line(other))
            repository.append(
                format.file.format(path=other_path, text=escaper.escape(text))
            )
        repository.append(format.here.format(path=path))
    # StarCoder2 was taught the path of the file in prompts of repositories only.
    inside = format.path.format(path=path) if repository and path else ""
    before = f"{format.prefix}{inside}{escaper.escape(context.prefix)}"
    after = f"{format.suffix}{escaper.escape(context.suffix)}"
    both = after + before if format.suffix_first else before + after
    label = format.label.format(path=path, language=language)
    left_out: tuple[str, ...] = ()
    if context.files and not format.file:
        count = len(context.files)
        left_out = (
            texts.text("prompts.files_left_out", count=count, name=format.name),
        )
    return Rendered(
        prompt=f"{format.head}{''.join(repository)}{label}{both}{format.middle}",
        stops=format.stops,
        notes=(*left_out, *_notes(escaper)),
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
    escaper = Escaper(format.specials if format else ())
    values = {
        "prefix": escaper.escape(context.prefix),
        "suffix": escaper.escape(context.suffix),
        "filename": escaper.escape(_one_line(context.path)),
        "reponame": escaper.escape(_one_line(context.repository)),
        "language": escaper.escape(_one_line(context.language)),
    }
    return Rendered(
        prompt=render(template, values),
        stops=format.stops if format else (),
        notes=_notes(escaper),
    )


def continuation(context: FillContext, *, specials: Iterable[str] = ()) -> Rendered:
    """Write the prefix as it stands, for models that were not trained to infill.

    ``notes`` says that the suffix was not seen, where there is one. ``specials`` are
    the model's own tokens.
    """
    escaper = Escaper(tuple(specials))
    prompt = escaper.escape(context.prefix)
    unseen = (texts.text("prompts.cannot_fill"),) if context.suffix.strip() else ()
    return Rendered(prompt=prompt, notes=(*unseen, *_notes(escaper)))


def _one_line(name: str) -> str:
    # A path with a line end in it would begin another line of the prompt.
    return " ".join(name.splitlines())


def _notes(escaper: Escaper) -> tuple[str, ...]:
    if not escaper.found:
        return ()
    return (texts.text("prompts.code_marks", names=", ".join(escaper.found)),)
