"""Render the templates of an entry: ``{{name}}`` and ``{{{name}}}``, and nothing else.

Continue's templates are Handlebars, which can loop, branch and include. Here both forms
put a text in as it is: nothing of a prompt is HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import text

_OPEN: Final = "{{"
_NAME: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*", re.ASCII)
# What Handlebars means by the first character inside the braces (its guide,
# handlebarsjs.com, "Expressions" and "Block Helpers").
_FORMS: Final = {
    "#": partial(text, "prompts.block"),
    "/": partial(text, "prompts.block_end"),
    "^": partial(text, "prompts.inverted_block"),
    ">": partial(text, "prompts.partial"),
    "!": partial(text, "prompts.comment"),
    "&": partial(text, "prompts.unescaped"),
    "~": partial(text, "prompts.whitespace"),
}
_NO_NAME: Final = partial(text, "prompts.no_name")


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with every name replaced by its value, once.

    Braces inside a value mean nothing. Raises ``InvalidOption``, with line and column,
    for a name that is not in ``values`` and for any other Handlebars form.
    """
    pieces: list[str] = []
    done = 0
    # Values are never searched, so that braces in somebody's code stay code.
    while (start := template.find(_OPEN, done)) >= 0:
        pieces.append(template[done:start])
        braces = 3 if template.startswith("{{{", start) else 2
        name = _NAME.match(template, start + braces)
        if name is None or not template.startswith("}" * braces, name.end()):
            shown = template[start : start + 24].partition("\n")[0]
            form = _FORMS.get(template[start + braces :][:1], _NO_NAME)
            raise InvalidOption(
                text(
                    "prompts.template",
                    place=_place(template, start),
                    shown=f"{shown!r}",
                    form=form(),
                ),
                hint=text(
                    "prompts.template_hint", double="{{name}}", triple="{{{name}}}"
                ),
            )
        if name[1] not in values:
            known = ", ".join(sorted(values)) or text("prompts.none")
            raise InvalidOption(
                text(
                    "prompts.template_name",
                    place=_place(template, start),
                    name=f"{name[1]!r}",
                ),
                hint=text("prompts.template_name_hint", known=known),
            )
        pieces.append(values[name[1]])
        done = name.end() + braces
    return "".join([*pieces, template[done:]])


def check(template: str, names: Iterable[str]) -> None:
    """Raise ``InvalidOption`` unless ``template`` can be rendered with ``names``."""
    render(template, dict.fromkeys(names, ""))


def _place(template: str, start: int) -> str:
    line = template.count("\n", 0, start) + 1
    column = start - (template.rfind("\n", 0, start) + 1) + 1
    return f"{line}:{column}"
