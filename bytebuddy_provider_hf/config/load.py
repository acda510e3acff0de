"""Find the configuration files and merge their entries, the strongest file first.

The user's file is stronger than the project's, and that one stronger than the
machine's. Entries are merged by name: the stronger file's entry counts whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import evolve

from bytebuddy_provider_hf.config.entry import Context
from bytebuddy_provider_hf.config.fallback_names import with_fallbacks
from bytebuddy_provider_hf.config.reader import ReadFile, read_file
from bytebuddy_provider_hf.config.stored_files import (
    CONFIG,
    MACHINE_CONFIG,
    TRUST,
    user_folder,
)
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    Config,
    ConfigWarning,
    ModelEntry,
    RequestOptions,
    SourceKind,
)
from bytebuddy_provider_hf.config.variables import (
    PROJECT_VARIABLES,
    Variables,
    read_variables,
)
from bytebuddy_provider_hf.errors import ConfigInvalid, ConfigNotFound
from bytebuddy_provider_hf.texts import text

GLOBAL: Final = Path(MACHINE_CONFIG.place)

# skipped: it is there, but it is another program's or no file at all.
FileState: TypeAlias = Literal["read", "missing", "skipped", "invalid"]


def search_places(
    *, cwd: Path, home: Path, global_path: Path = GLOBAL
) -> tuple[tuple[SourceKind, Path], ...]:
    """Return every place a configuration is looked for, the strongest first."""
    places: tuple[tuple[SourceKind, Path], ...] = (
        ("user", user_folder(home) / CONFIG.name),
        ("project", cwd / CONFIG.name),
        ("global", global_path),
    )
    seen: dict[Path, tuple[SourceKind, Path]] = {}
    for kind, path in places:
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # a loop of links is no file; reading says so
            real = path.absolute()
        # One file under two names is read once, with the stronger name.
        seen.setdefault(real, (kind, path))
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
    places: tuple[tuple[SourceKind, Path], ...] = (
        search_places(cwd=cwd, home=home, global_path=global_path)
        if path is None
        else (("explicit", cwd / path),)
    )
    store = trust or _store(home)
    found = _read(places, variables, store, cwd)
    missing = next((r.missing for r in found.values() if r.missing), None)
    if path is not None and missing is not None:
        raise ConfigNotFound(missing, hint=text("config.check_path"))
    problems = tuple(each for r in found.values() for each in r.problems)
    if problems:
        files = ", ".join(str(file) for file, r in found.items() if r.problems)
        count = len(problems)
        message = text(
            "config.one_problem" if count == 1 else "config.problems",
            count=count,
            files=files,
        )
        raise ConfigInvalid(message, problems=problems)
    read = [reading for reading in found.values() if reading.read]
    entries: dict[str, ModelEntry] = {}
    for reading in read:
        for entry in reading.entries:
            # Whole: one made of two files would be what nobody wrote.
            entries.setdefault(entry.name, _with_settings(entry, reading, found))
    kept, told = with_fallbacks(entries)
    env_files = (variables.user_env, *variables.project_env)
    complaints = [(str(f.path), f.complaint) for f in env_files if f.complaint]
    # A project's .env is mostly another program's: only what is missed is told of it.
    missed = {each.variable for entry in kept for each in entry.unset}
    complaints += [
        (f"{file.path}:{bad.line}", text("config.env_line", why=bad.why))
        for file in env_files
        for bad in file.bad_lines
        if file is variables.user_env or bad.name in missed
    ]
    log = next((r.log for r in read if r.log is not None), None)
    return Config(
        entries=kept,
        warnings=(
            *(warning for r in found.values() for warning in r.warnings),
            *told,
            # Once, where the user's folder is the project's too.
            *(ConfigWarning(*each) for each in dict.fromkeys(complaints)),
            *(
                [ConfigWarning(str(store.path), complaint)]
                if (complaint := store.complaint()) is not None
                else []
            ),
        ),
        files=tuple(file for file, reading in found.items() if reading.read),
        searched=tuple(found),
        name=next((r.name for r in read if r.name is not None), None),
        version=next((r.version for r in read if r.version is not None), None),
        log=None
        if log is None
        else evolve(log, path=_placed(log.path, log.source.path, home)),
        ledger=next((r.ledger for r in read if r.ledger is not None), True),
        budgets=tuple(
            Budget(str(file), reading.settings.budget)
            for file, reading in found.items()
            if reading.kind != "project" and reading.settings.budget is not None
        ),
        request_options=next(
            (r.request_options for r in read if r.request_options is not None),
            RequestOptions(),
        ),
        alerts=next(
            (
                _with_program(reading.settings.alerts, file, home)
                for file, reading in found.items()
                if reading.read and reading.settings.alerts
            ),
            None,
        ),
    )


def _with_settings(
    entry: ModelEntry, own: ReadFile, found: Mapping[Path, ReadFile]
) -> ModelEntry:
    """Return an entry with the cache of its file, and every budget that holds for it.

    A budget of a file that the user chose holds for all entries: it is the user's
    money. That of a project's file holds for the project's own.
    """
    budgets = []
    is_project = own.kind == "project"
    if entry.budget is not None:
        name = f"{entry.name} ({entry.source.path})" if is_project else entry.name
        budgets.append(Budget(name, entry.budget, is_project))
    for file, reading in found.items():
        options, theirs = reading.settings.budget, reading.kind == "project"
        if options is not None and (reading is own or not theirs):
            budgets.append(Budget(str(file), options, theirs))
    cache = entry.cache or own.settings.cache
    if cache is not None:
        # One file on the user's disk, for all entries: no project says how large.
        sizes = [
            reading.settings.cache.size
            for reading in found.values()
            if reading.kind != "project" and reading.settings.cache is not None
        ]
        if own.kind != "project":
            sizes.append(cache.size)
        cache = evolve(cache, size=next((size for size in sizes if size), None))
    return evolve(entry, budgets=tuple(budgets), cache=cache)


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
    places: tuple[tuple[SourceKind, Path], ...] = (
        search_places(cwd=cwd, home=home, global_path=global_path)
        if path is None
        else (("explicit", cwd / path),)
    )
    states: list[tuple[Path, FileState]] = []
    for file, reading in _read(places, variables, _store(home), cwd).items():
        unread: FileState = "missing" if reading.missing else "skipped"
        state: FileState = "read" if reading.read else unread
        states.append((file, "invalid" if reading.problems else state))
    return tuple(states)


def _store(home: Path) -> TrustStore:
    return TrustStore(user_folder(home) / TRUST.name)


def _read(
    places: tuple[tuple[SourceKind, Path], ...],
    variables: Variables,
    store: TrustStore,
    project: Path,
) -> dict[Path, ReadFile]:
    allowed = PROJECT_VARIABLES | store.variables(project)
    return {
        file: read_file(
            Context(
                file,
                kind,
                variables,
                store,
                project,
                allowed if kind == "project" else None,
            )
        )
        for kind, file in places
    }


def _with_program(alerts: AlertOptions, file: Path, home: Path) -> AlertOptions:
    """Return ``alerts`` whose program is looked for in no folder of a project's.

    A name alone is looked up in the folders of ``PATH``.
    """
    program, *arguments = alerts.command or ("",)
    if Path(program).name == program:
        return alerts
    return AlertOptions((_placed(program, file, home), *arguments))


def _placed(named: str, file: Path | None, home: Path) -> str:
    """Return an absolute path.

    A relative one counts from the folder of the file that names it, wherever the
    program was started.
    """
    # "~name" is another user's home, which only a shell looks up.
    if named.startswith("~/"):
        path = home / named[2:]
    else:
        path = (Path.cwd() if file is None else file.parent) / named
    return str(path.absolute())
