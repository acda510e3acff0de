"""Templates of the file: ``{{name}}`` and ``{{{name}}}``, and nothing else.

Continue's templates are Handlebars, which can loop, branch and include. Here both forms
put a text in as it is: nothing of a prompt is HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bytebuddy_provider_hf.errors import InvalidOption

_HINT: Final = "A template may hold {{name}} and {{{name}}}, and no other braces form."
_OPEN: Final = "{{"
_NAME: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*", re.ASCII)
_FORMS: Final = {
    "#": "a block",
    "/": "the end of a block",
    "^": "an inverted block",
    ">": "a partial",
    "!": "a comment",
    "&": "an unescaped value",
    "~": "a whitespace mark",
}


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with every name replaced by its value, once.

    Braces inside a value mean nothing. Raises ``InvalidOption``, with line and column,
    for a name that is not in ``values`` and for any other Handlebars form.
    """
    return "".join(_pieces(template, values))


def check(template: str, names: Iterable[str]) -> None:
    """Raise ``InvalidOption`` unless ``template`` can be rendered with ``names``."""
    render(template, dict.fromkeys(names, ""))


def _pieces(template: str, values: Mapping[str, str]) -> Iterator[str]:
    done = 0
    while (start := template.find(_OPEN, done)) >= 0:
        yield template[done:start]
        braces = 3 if template.startswith("{{{", start) else 2
        name = _NAME.match(template, start + braces)
        if name is None or not template.startswith("}" * braces, name.end()):
            raise _refused(template, start, braces)
        if name[1] not in values:
            raise _unknown(template, start, name[1], values)
        yield values[name[1]]
        done = name.end() + braces
    yield template[done:]


def _refused(template: str, start: int, braces: int) -> InvalidOption:
    inside = template[start + braces :][:1]
    shown = template[start : start + 24].partition("\n")[0]
    what = _FORMS.get(inside, "no name between matching braces")
    message = f"{_place(template, start)}: {shown!r} is {what}"
    return InvalidOption(f"template, {message}", hint=_HINT)


def _unknown(
    template: str, start: int, name: str, values: Mapping[str, str]
) -> InvalidOption:
    known = ", ".join(sorted(values)) or "none"
    message = f"template, {_place(template, start)}: there is no {name!r} here"
    return InvalidOption(message, hint=f"Known are: {known}.")


def _place(template: str, start: int) -> str:
    line = template.count("\n", 0, start) + 1
    column = start - (template.rfind("\n", 0, start) + 1) + 1
    return f"{line}:{column}"
