"""Where configuration files are looked for, and which of them wins.

The user's file is stronger than the project's, and that one stronger than the
machine's. Entries are merged by name: the stronger file's entry counts whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from bytebuddy_provider_hf.config.entry import Context
from bytebuddy_provider_hf.config.expand import Variables, read_variables
from bytebuddy_provider_hf.config.log import placed
from bytebuddy_provider_hf.config.reader import ReadFile, read_file
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.values import (
    Config,
    ConfigWarning,
    ModelEntry,
    SourceKind,
)
from bytebuddy_provider_hf.errors import ConfigInvalid, ConfigNotFound

GLOBAL: Final = Path("/etc/bytebuddy/config.yaml")

# skipped: it is there, but it is another program's or no file at all.
FileState: TypeAlias = Literal["read", "missing", "skipped", "invalid"]


def user_folder(home: Path) -> Path:
    """Return the folder of the user's configuration, keys and trusted projects."""
    return home / ".bytebuddy"


def search_places(
    *, cwd: Path, home: Path, global_path: Path = GLOBAL
) -> tuple[tuple[SourceKind, Path], ...]:
    """Return every place a configuration is looked for, the strongest first."""
    places: tuple[tuple[SourceKind, Path], ...] = (
        ("user", user_folder(home) / "config.yaml"),
        ("project", cwd / "config.yaml"),
        ("global", global_path),
    )
    seen: dict[Path, tuple[SourceKind, Path]] = {}
    for kind, path in places:
        # One file under two names is read once, with the stronger name.
        seen.setdefault(_resolved(path), (kind, path))
    return tuple(seen.values())


def load(  # each is a place that a test and a host must choose
    path: Path | None = None,
    *,
    cwd: Path,
    home: Path,
    env: Mapping[str, str],
    global_path: Path = GLOBAL,
    trust: TrustStore | None = None,
) -> Config:
    """Read the configuration: ``path`` alone, or the user's, project's and machine's.

    Every error of every file is told at once, in ``ConfigInvalid.problems``. What
    concerns one entry only (a variable that is not set) stands in its ``unset``.
    Raises ``ConfigNotFound`` for a ``path`` that cannot be read; that none of the
    usual files exists is no error.
    """
    variables = read_variables(home=home, project=cwd, process=env)
    # A traceback that shows local variables must not show the environment.
    del env
    places = _places(path, cwd=cwd, home=home, global_path=global_path)
    store = trust or TrustStore(user_folder(home) / "trust.json")
    readings = _readings(places, variables=variables, store=store, project=cwd)
    _refuse(readings, named=path is not None)
    return _config(readings, variables, home=home)


def file_states(
    path: Path | None = None,
    *,
    cwd: Path,
    home: Path,
    env: Mapping[str, str],
    global_path: Path = GLOBAL,
) -> tuple[tuple[Path, FileState], ...]:
    """Return each file that ``load`` looks for and what it found there.

    Raises nothing: a file with errors is told as ``invalid``.
    """
    variables = read_variables(home=home, project=cwd, process=env)
    del env  # as above
    places = _places(path, cwd=cwd, home=home, global_path=global_path)
    store = TrustStore(user_folder(home) / "trust.json")
    readings = _readings(places, variables=variables, store=store, project=cwd)
    return tuple((file, _state(reading)) for file, reading in readings)


def _state(reading: ReadFile) -> FileState:
    if reading.problems:
        return "invalid"
    if reading.read:
        return "read"
    return "missing" if reading.missing else "skipped"


def _places(
    path: Path | None, *, cwd: Path, home: Path, global_path: Path
) -> tuple[tuple[SourceKind, Path], ...]:
    if path is not None:
        return (("explicit", cwd / path),)
    return search_places(cwd=cwd, home=home, global_path=global_path)


def _readings(
    places: tuple[tuple[SourceKind, Path], ...],
    *,
    variables: Variables,
    store: TrustStore,
    project: Path,
) -> list[tuple[Path, ReadFile]]:
    contexts = (
        Context(file=file, kind=kind, variables=variables, store=store, project=project)
        for kind, file in places
    )
    return [(context.file, read_file(context)) for context in contexts]


def _refuse(readings: list[tuple[Path, ReadFile]], *, named: bool) -> None:
    missing = next((r.missing for _, r in readings if r.missing), None)
    if named and missing is not None:
        raise ConfigNotFound(missing, hint="Check the path given with --config.")
    problems = tuple(text for _, r in readings for text in r.problems)
    if problems:
        files = ", ".join(str(file) for file, r in readings if r.problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigInvalid(f"{count} in {files}", problems=problems)


def _config(
    readings: list[tuple[Path, ReadFile]], variables: Variables, *, home: Path
) -> Config:
    read = [reading for _, reading in readings if reading.read]
    warnings = [w for _, reading in readings for w in reading.warnings]
    log = next((r.log for r in read if r.log is not None), None)
    return Config(
        entries=_merged(entry for reading in read for entry in reading.entries),
        warnings=(*warnings, *_env_warnings(variables)),
        files=tuple(file for file, reading in readings if reading.read),
        searched=tuple(file for file, _ in readings),
        name=next((r.name for r in read if r.name is not None), None),
        version=next((r.version for r in read if r.version is not None), None),
        log=None if log is None else placed(log, home),
    )


def _merged(entries: Iterable[ModelEntry]) -> tuple[ModelEntry, ...]:
    by_name: dict[str, ModelEntry] = {}
    for entry in entries:
        by_name.setdefault(entry.name, entry)
    return tuple(by_name.values())


def _env_warnings(variables: Variables) -> list[ConfigWarning]:
    files = (variables.user_env, *variables.project_env)
    return [ConfigWarning(str(f.path), f.complaint) for f in files if f.complaint]


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links is no file; reading says so
        return path.absolute()
