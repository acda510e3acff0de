"""Decide what a project's file may have done, by the origins the user trusts it with.

Files that the user chose decide everything. A project's ``config.yaml`` came with the
code of somebody else: until the user trusts (project, origin), it may have a key sent
only to Hugging Face and to this machine.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from bytebuddy_provider_hf.address import (
    HUB,
    RETIRED_HOST,
    ROUTER,
    HostKind,
    origin_of,
    parse,
)
from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.files import sole_writer, write_private
from bytebuddy_provider_hf.config.stored_files import TRUST
from bytebuddy_provider_hf.config.values import ConfigWarning, ModelEntry
from bytebuddy_provider_hf.errors import ConfigError, InvalidOption, UntrustedProject
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret, one_line, redact
from bytebuddy_provider_hf.texts import text

COMMAND: Final = "bytebuddy-hf config trust"

# The retired host is rewritten to the router before anything is sent. Names under
# endpoints.huggingface.cloud are missing on purpose: anyone can rent one.
# https only: over http anyone on the way could read the key.
_TRUSTED: Final = frozenset({HUB, ROUTER, f"https://{RETIRED_HOST}"})

# What the file holds: by project, the origins it may use and the variables it may name.
_OPTIONAL: Final = "variables"
_SECTIONS: Final = ("projects", _OPTIONAL)
Sections: TypeAlias = dict[str, dict[str, tuple[str, ...]]]
_LONGEST_NAME: Final = 100
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


def trusted_by_default(origin: str) -> bool:
    """Tell whether any project may have a key sent to ``origin``."""
    return origin in _TRUSTED or parse(origin).host_kind is HostKind.LOOPBACK


class TrustStore:
    """The projects the user trusts, each with the origins it may use.

    A JSON file of mode 0600 that is replaced whole. One that does not exist trusts
    nobody; one that cannot be read, or that a newer version wrote, trusts nobody
    either, and is never overwritten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """The file, which need not exist."""
        return self._path

    def is_trusted(self, project: Path, origin: str) -> bool:
        """Tell whether the user trusts ``project`` with ``origin``."""
        return origin in self.entries().get(_key(project), ())

    def add(self, project: Path, origin: str) -> None:
        """Trust ``project`` with ``origin`` from now on."""
        self._add("projects", project, origin_of(origin))

    def allow(self, project: Path, variable: str) -> None:
        """Let the file of ``project`` name one more of the user's variables.

        Raises ``InvalidOption`` for what is no name of one.
        """
        if not _VARIABLE.fullmatch(variable):
            raise InvalidOption(text("trust.no_variable"))
        self._add(_OPTIONAL, project, variable)

    def remove(self, project: Path, origin: str | None = None) -> bool:
        """Stop trusting ``project`` with ``origin``, or with anything.

        Tells whether it was trusted so.
        """
        if origin is not None:
            return self._remove(project, {"projects": origin_of(origin)})
        return self._remove(project, dict.fromkeys(_SECTIONS))

    def forbid(self, project: Path, variable: str) -> bool:
        """Undo :meth:`allow`; tells whether it was allowed."""
        return self._remove(project, {_OPTIONAL: variable})

    def entries(self) -> dict[str, tuple[str, ...]]:
        """Return every trusted project's path with its origins; none if unusable."""
        with contextlib.suppress(ConfigError):
            return (self._read() or {}).get("projects", {})
        return {}

    def variables(self, project: Path) -> frozenset[str]:
        """Return the variables that the file of ``project`` may name besides ours."""
        with contextlib.suppress(ConfigError):
            known = (self._read() or {}).get(_OPTIONAL, {})
            return frozenset(known.get(_key(project), ()))
        return frozenset()

    def listing(self) -> dict[str, tuple[str, ...]]:
        """Return each project with its origins and ``${VARIABLES}``.

        Raises ``ConfigError`` for a file that it cannot use.
        """
        known = self._usable()
        listed = dict(known["projects"])
        for project, names in known[_OPTIONAL].items():
            shown = tuple(f"${{{name}}}" for name in names)
            listed[project] = (*listed.get(project, ()), *shown)
        return listed

    def complaint(self) -> str | None:
        """Tell what is wrong with the file, as far as it is not damaged.

        Nothing in it counts where a newer version wrote it, or where everybody can.
        """
        try:
            if _is_newer(self._content()):
                return text("trust.off")
        except ConfigError as error:
            return error.message
        return next((each.message for each in exposures(self._path)), None)

    def _content(self) -> object:
        """Return the file's JSON; ``None`` where it is none.

        Raises ``ConfigError`` where others can change it.
        """
        for each in exposures(self._path):
            if each.is_refused:
                said = text("trust.exposed", path=self._path, why=each.message)
                raise ConfigError(said)
        try:
            raw = read_regular_file(self._path, TRUST.most + 1)
            # Brackets without end exhaust the parser's stack.
            return None if len(raw) > TRUST.most else json.loads(raw)
        except (FileNotFoundError, NotADirectoryError):
            return {"projects": {}}
        except (OSError, ValueError, RecursionError):
            return None

    def _add(self, section: str, project: Path, added: str) -> None:
        with sole_writer(self._path):
            # Read again under the lock: another program may have added to it.
            known = self._usable()
            wanted = {*known[section].get(_key(project), ()), added}
            known[section][_key(project)] = tuple(sorted(wanted))
            self._write(known)

    def _remove(self, project: Path, gone: Mapping[str, str | None]) -> bool:
        """Take one value out of each section named, or all that stands there."""
        with sole_writer(self._path):
            known, changed = self._usable(), False
            for section, value in gone.items():
                before = known[section].pop(_key(project), ())
                left = tuple(o for o in before if value is not None and o != value)
                if left:
                    known[section][_key(project)] = left
                changed = changed or left != before
            if changed:
                self._write(known)
            return changed

    def _usable(self) -> Sections:
        """Return what ``_read`` does; ``ConfigError`` for a file it cannot use."""
        known = self._read()
        if known is None:
            message = text("config.trust_damaged", path=self._path)
            raise ConfigError(message, hint=text("config.remove_trust"))
        return known

    def _read(self) -> Sections | None:
        """Return what the file says, or ``None`` where it is no trust file."""
        found = self._content()
        if _is_newer(found):
            # What it means may have changed: guessing could trust somebody.
            raise ConfigError(
                text("trust.newer", path=self._path), hint=text("trust.update")
            )
        if not isinstance(found, dict) or not isinstance(found.get("projects"), dict):
            return None
        sections: Sections = {}
        for section in _SECTIONS:
            # Files of earlier versions have no variables.
            said = found.get(section)
            sections[section] = {
                project: tuple(each for each in values if isinstance(each, str))
                for project, values in (said if isinstance(said, dict) else {}).items()
                if isinstance(values, list)
            }
        return sections

    def _write(self, sections: Sections) -> None:
        said = {key: each for key, each in sections.items() if each or key != _OPTIONAL}
        content = json.dumps({"version": TRUST.version, **said}, indent=2)
        if len(content) >= TRUST.most:
            # It would not be read again.
            raise ConfigError(
                text("trust.full", path=self._path), hint=text("trust.take_back")
            )
        write_private(self._path, Secret(f"{content}\n"))


def _is_newer(content: object) -> bool:
    version = content.get("version") if isinstance(content, dict) else None
    return isinstance(version, int) and version > TRUST.version


def _key(project: Path) -> str:
    # By where it really is: a link to a folder is that folder.
    return str(project.resolve())


def project_of(entry: ModelEntry) -> Path | None:
    """Return the project whose file wrote ``entry``; ``None`` if the user chose it."""
    source = entry.source
    return source.path.parent if source.kind == "project" and source.path else None


def origin_for(entry: ModelEntry) -> str:
    """Return the origin that ``entry`` would have its key sent to."""
    return ROUTER if entry.api_base is None else origin_of(entry.api_base)


def unchecked_certificate(entry: ModelEntry) -> ConfigWarning | None:
    """Return what is said of an entry with ``verifySsl: false``, ``None`` of others."""
    if entry.request_options.verify_ssl is not False:
        return None
    said = text(
        "trust.unchecked",
        entry=one_line(entry.shown("name"), limit=_LONGEST_NAME),
        # Without an address only the provider knows where that is.
        origin=redact(entry.provider if entry.api_base is None else origin_for(entry)),
    )
    return ConfigWarning(str(entry.source), said)


def leaves_origin(entry: ModelEntry, other: ModelEntry) -> bool:
    """Tell whether what is sent for ``other`` may go elsewhere than for ``entry``.

    Without an ``apiBase`` only the provider knows where that is.
    """
    mine, theirs = entry.api_base, other.api_base
    if mine is None or theirs is None:
        return (mine, entry.provider) != (theirs, other.provider)
    return origin_of(mine) != origin_of(theirs)


def is_trusted(entry: ModelEntry, store: TrustStore) -> bool:
    """Tell whether all that ``entry`` says counts: the user chose it or trusts it."""
    project = project_of(entry)
    return project is None or store.is_trusted(project, origin_for(entry))


def check_entry(entry: ModelEntry, store: TrustStore) -> None:
    """Refuse an entry of a project's file that has a key sent to a strange origin.

    Raises ``UntrustedProject``, whose hint is the command that trusts it.
    """
    project = project_of(entry)
    if project is None:
        return
    origin = origin_for(entry)
    if trusted_by_default(origin) or store.is_trusted(project, origin):
        return
    message = text(
        "config.wants_key",
        place=entry.source,
        name=repr(entry.shown("name")),
        origin=origin,
    )
    hint = text("config.if_wanted", command=COMMAND, project=project)
    raise UntrustedProject(message, hint=hint)


def grant(entry: ModelEntry, store: TrustStore) -> str:
    """Trust the project of ``entry`` with its origin, and return that origin."""
    origin = origin_for(entry)
    project = project_of(entry)
    if project is not None:
        store.add(project, origin)
    return origin


def strange_origins(
    entries: tuple[ModelEntry, ...], *, project: Path, store: TrustStore
) -> tuple[str, ...]:
    """Return the origins of ``entries`` that ``project`` is not trusted with yet."""
    origins = dict.fromkeys(origin_for(entry) for entry in entries)
    return tuple(o for o in origins if not store.is_trusted(project, o))
