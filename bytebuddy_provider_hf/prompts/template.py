"""Render the templates of an entry: ``{{name}}`` and ``{{{name}}}``, and nothing else.

Continue's templates are Handlebars, which can loop, branch and include. Here both forms
put a text in as it is: nothing of a prompt is HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption

_HINT: Final = "A template may hold {{name}} and {{{name}}}, and no other braces form."
_OPEN: Final = "{{"
_NAME: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*", re.ASCII)
# What Handlebars means by the first character inside the braces (its guide,
# handlebarsjs.com, "Expressions" and "Block Helpers").
_FORMS: Final = {
    "#": "a block",
    "/": "the end of a block",
    "^": "an inverted block",
    ">": "a partial",
    "!": "a comment",
    "&": "an unescaped value",
    "~": "a whitespace mark",
}
_NO_NAME: Final = "no name between matching braces"


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
            message = f"{_place(template, start)}: {shown!r} is {form}"
            raise InvalidOption(f"template, {message}", hint=_HINT)
        if name[1] not in values:
            known = ", ".join(sorted(values)) or "none"
            message = f"{_place(template, start)}: there is no {name[1]!r} here"
            raise InvalidOption(f"template, {message}", hint=f"Known are: {known}.")
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
