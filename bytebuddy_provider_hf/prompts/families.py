"""Look up the family of a model: by its id, by name, or by its chat template.

A name is never searched for words: ``granite-34b-code-base`` is not Granite 4, and
"gpt" in a name means nothing. The one exception is whether its template opens the
reasoning: there a wrong guess loses no word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

from attrs import evolve, frozen

from bytebuddy_provider_hf.prompts.family import (
    ChatFormat,
    EditFormat,
    Family,
    FimFormat,
    ModelKind,
)

_PACKAGE: Final = "bytebuddy_provider_hf"

# A table of a TOML file: its values are what the row's author wrote.
Row: TypeAlias = Mapping[str, Any]
F = TypeVar("F", ChatFormat, FimFormat, EditFormat)


@frozen
class TemplateMarks:
    """Texts that tell a chat template: all of ``has``, none of ``lacks``.

    ``family`` is empty for a template that is known to be none of the families'.
    """

    has: tuple[str, ...]
    lacks: tuple[str, ...]
    family: str

    def match(self, template: str) -> bool:
        """Return whether a template in Jinja has these marks."""
        return all(mark in template for mark in self.has) and not any(
            mark in template for mark in self.lacks
        )


@frozen
class FamilyTable:
    """All of ``data/families.toml``; ``by_id`` has the ids in lower case."""

    by_name: Mapping[str, Family]
    by_alias: Mapping[str, Family]
    by_id: Mapping[str, Family]
    chat_formats: Mapping[str, ChatFormat]
    fim_formats: Mapping[str, FimFormat]
    templates: tuple[TemplateMarks, ...]
    opens_reasoning: re.Pattern[str]


def family_by_id(model_id: str) -> Family | None:
    """Return the family of a model of the Hub, by its exact id.

    Upper and lower case are one, as on the Hub, and a router's ``:provider`` at the end
    is not part of the id.
    """
    return load_families().by_id.get(model_id.partition(":")[0].strip().lower())


def opens_reasoning(model_id: str) -> bool:
    """Whether a model's template opens the reasoning, which its answer only closes."""
    name = model_id.partition(":")[0].rpartition("/")[2].strip().lower()
    return load_families().opens_reasoning.search(name) is not None


def family_by_name(name: str) -> Family | None:
    """Return the family called ``name`` here, or by Continue's ``promptTemplates``."""
    table, key = load_families(), name.strip().lower()
    return table.by_alias.get(key) or table.by_name.get(key)


def family_by_template(template: str) -> Family | None:
    """Return the family that a chat template in Jinja belongs to.

    ``template`` is what a server (llama.cpp's ``/props``) or ``tokenizer_config.json``
    shows. A template tells nothing of infilling or windows: both stay unknown.
    """
    table = load_families()
    # In the order of the rows: wider marks stand below narrower ones.
    for marks in table.templates:
        if marks.match(template):
            family = table.by_name.get(marks.family)
            return None if family is None else evolve(family, fim=None, edit=None)
    return None


@cache
def load_families() -> FamilyTable:
    """Return the table of families; the first call reads it from the file.

    That takes about ten milliseconds, most of them in tomllib, which is pure Python:
    too long for an import, and for a model that is never asked to write.
    """
    import tomllib
    from importlib import resources

    path = resources.files(_PACKAGE).joinpath("data", "families.toml")
    return structure_families(tomllib.loads(path.read_text(encoding="utf-8")))


def structure_families(data: Row) -> FamilyTable:
    """Return the values of a parsed table of families.

    Raises ``KeyError`` for a format that has no row, ``TypeError`` for a field that
    the format lacks, ``ValueError`` for a word that is none of an enumeration's, and
    for an id or alias that stands twice.
    """
    chats = _formats(ChatFormat, data["chat"])
    fims = _formats(FimFormat, data["fim"])
    edits = _formats(EditFormat, data["edit"])
    by_name: dict[str, Family] = {}
    by_alias: dict[str, Family] = {}
    by_id: dict[str, Family] = {}
    for name, row in data["family"].items():
        chat = chats[row["chat"]] if "chat" in row else None
        fim = fims[row["fim"]] if "fim" in row else None
        edit = edits[row["edit"]] if "edit" in row else None
        kind = row.get("kind", ModelKind.BASE if chat is None else ModelKind.CHAT)
        form = chat or fim
        source = row.get("source", "" if form is None else form.source)
        family = Family(name, ModelKind(kind), chat, fim, edit, source=source)
        by_name[name] = family
        for alias in row.get("aliases", ()):
            _add(by_alias, alias, family)
        for line in row.get("models", "").splitlines():
            window, owner, *models = line.split()
            sized = evolve(family, window=None if window == "-" else int(window))
            for model in models:
                model_id = model if owner == "-" else f"{owner}/{model}"
                _add(by_id, model_id.lower(), sized)
    templates = tuple(
        TemplateMarks(
            tuple(row["has"]), tuple(row.get("lacks", ())), row.get("family", "")
        )
        for row in data["templates"]
    )
    opens = re.compile("|".join(data.get("opens_reasoning", ())) or "(?!)")
    return FamilyTable(by_name, by_alias, by_id, chats, fims, templates, opens)


def _add(found: dict[str, Family], key: str, family: Family) -> None:
    # TOML refuses a family that stands twice; ids and aliases are values to it.
    if key in found:
        raise ValueError(f"{key} is of {found[key].name} and of {family.name}")
    found[key] = family


def _formats(kind: type[F], rows: Mapping[str, Row]) -> dict[str, F]:
    """Return the formats of one kind; a row that is ``like`` another extends it."""
    rows_with_all: dict[str, dict[str, Any]] = {}
    formats: dict[str, F] = {}
    for name, row in rows.items():
        # A row stands after the one it is like, so that row is complete.
        fields: dict[str, Any] = {**rows_with_all[row["like"]]} if "like" in row else {}
        for key, value in row.items():
            if key in ("stops", "specials") and isinstance(value, str):
                fields[key] = tuple(value.split())
            elif key != "like":
                fields[key] = tuple(value) if isinstance(value, list) else value
        rows_with_all[name] = fields
        formats[name] = kind(name=name, **fields)
    return formats
