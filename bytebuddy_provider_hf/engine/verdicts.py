"""What probes found out, kept on disk for a day: the next start asks nobody."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import fields_dict

from bytebuddy_provider_hf.config.files import make_folder
from bytebuddy_provider_hf.wire.server import Engine, Server

_DAY: Final = 86_400.0
_MOST: Final = 500
_LARGEST: Final = 1024 * 1024
_FIELDS: Final = frozenset(fields_dict(Server))


class Verdicts:
    """Read and write verdicts by URL; a file that cannot be used is as none.

    Times are of the wall clock, because the file outlives the process.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def find(self, url: str) -> tuple[Server, float] | None:
        """Return a verdict that is younger than a day, and its age in seconds."""
        kept = self._read().get(_place(url))
        if not isinstance(kept, dict):
            return None
        at, said = kept.get("at"), kept.get("server")
        if isinstance(at, bool) or not isinstance(at, int | float):
            return None
        age = self._clock() - at
        server = _server(said) if isinstance(said, dict) else None
        return (server, age) if server is not None and 0 <= age < _DAY else None

    def keep(self, url: str, server: Server) -> None:
        """Keep a verdict; the oldest go when there are too many."""
        said = {"at": self._clock(), "server": _plain(server)}
        kept = {**self._read(), _place(url): said}
        self._write(dict(list(kept.items())[-_MOST:]))

    def forget(self, url: str) -> None:
        """Drop a verdict that proved wrong."""
        kept = self._read()
        if kept.pop(_place(url), None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, object]:
        with suppress(OSError, ValueError, RecursionError):
            with self._path.open("rb") as file:
                value = json.loads(file.read(_LARGEST))
            if isinstance(value, dict):
                return value
        return {}

    def _write(self, kept: Mapping[str, object]) -> None:
        # A folder that cannot be written costs the next start a question, no more.
        with suppress(OSError):
            make_folder(self._path.parent)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".servers-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(name).replace(self._path)


def _place(url: str) -> str:
    # A query may hold a key, and does not make another server.
    return url.partition("?")[0]


def _plain(server: Server) -> dict[str, object]:
    values = {name: getattr(server, name) for name in _FIELDS}
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in values.items()
    }


def _server(said: Mapping[str, object]) -> Server | None:
    """Return the server a file describes, or ``None`` for what we did not write."""
    try:
        engine = Engine(str(said.get("engine")))
    except ValueError:
        return None
    names, routes, version = said.get("served"), said.get("routes"), said.get("version")
    if not isinstance(routes, list) or not all(isinstance(r, str) for r in routes):
        return None
    return Server(
        engine,
        version=_numbers(version),
        model=_text(said.get("model")),
        served=tuple(n for n in names if isinstance(n, str))
        if isinstance(names, list)
        else (),
        weights=_text(said.get("weights")),
        window=_number(said.get("window")),
        max_input=_number(said.get("max_input")),
        max_stops=_number(said.get("max_stops")),
        max_batch=_number(said.get("max_batch")),
        routes=frozenset(routes),
    )


def _numbers(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(number for number in value if isinstance(number, int))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
