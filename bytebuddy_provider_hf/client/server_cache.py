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

from attrs import asdict, fields_dict

from bytebuddy_provider_hf.client.knowledge import (
    MOST_RATIO,
    WINDOW_AGE,
    ServerTokens,
    TokenEstimate,
)
from bytebuddy_provider_hf.config.files import make_folder
from bytebuddy_provider_hf.wire.dialects import BY_NAME
from bytebuddy_provider_hf.wire.server import Server

_DAY: Final = 86_400.0
_MOST: Final = 500
_LARGEST: Final = 1024 * 1024
_FIELDS: Final = frozenset(fields_dict(Server))


class ServerCache:
    """Keep facts about servers by URL; a file that cannot be used is as none.

    Times are of the wall clock, because the file outlives the process.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def get(self, url: str) -> tuple[Server, float] | None:
        """Return a server that is younger than a day, and its age in seconds."""
        said, age = self._find(_cache_key(url), "server", _DAY)
        server = None if said is None else _from_json(said)
        return None if server is None else (server, age)

    def put(self, url: str, server: Server) -> None:
        """Keep a server; the oldest go when there are too many."""
        self._keep(_cache_key(url), "server", _to_json(server))

    def get_tokens(self, url: str, model: str) -> tuple[ServerTokens, float] | None:
        """Return what a model's server told within the last hour, and its age."""
        said, age = self._find(_model(url, model), "tokens", WINDOW_AGE)
        return None if said is None else (_tokens(said), age)

    def put_tokens(self, url: str, model: str, tokens: ServerTokens) -> None:
        """Keep what a model's server told of its window."""
        estimate = asdict(tokens.estimate)
        self._keep(
            _model(url, model),
            "tokens",
            {
                "window": tokens.window,
                "max_input": tokens.max_input,
                "identity": tokens.identity,
                **estimate,
            },
        )

    def delete(self, url: str) -> None:
        """Drop a server that proved wrong."""
        kept = self._read()
        if kept.pop(_cache_key(url), None) is not None:
            self._write(kept)

    def _find(
        self, key: str, name: str, most: float
    ) -> tuple[Mapping[str, object] | None, float]:
        kept = self._read().get(key)
        if not isinstance(kept, dict):
            return None, 0.0
        at, said = kept.get("at"), kept.get(name)
        if isinstance(at, bool) or not isinstance(at, int | float):
            return None, 0.0
        age = self._clock() - at
        young = 0 <= age < most
        return (said if isinstance(said, dict) and young else None), age

    def _keep(self, key: str, name: str, said: Mapping[str, object]) -> None:
        kept = self._read()
        kept.pop(key, None)
        kept[key] = {"at": self._clock(), name: said}
        self._write(dict(list(kept.items())[-_MOST:]))

    def _read(self) -> dict[str, object]:
        with suppress(OSError, ValueError, RecursionError):
            with self._path.open("rb") as file:
                value = json.loads(file.read(_LARGEST))
            if isinstance(value, dict):
                return value
        return {}

    def _write(self, kept: dict[str, object]) -> None:
        # A folder that cannot be written costs the next start a question, no more.
        with suppress(OSError):
            make_folder(self._path.parent)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".servers-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_bounded(kept))
            Path(name).replace(self._path)


def _bounded(kept: dict[str, object]) -> str:
    """Return the file's text, without the oldest entries where it would be too long.

    What is longer than is read would be as none.
    """
    text = json.dumps(kept)
    while len(text) > _LARGEST and kept:
        for key in list(kept)[: max(1, len(kept) // 2)]:
            del kept[key]
        text = json.dumps(kept)
    return text


def _cache_key(url: str) -> str:
    # A query may hold a key, and does not make another server.
    return url.partition("?")[0]


def _model(url: str, model: str) -> str:
    # No address has a blank: this is no server's key.
    return f"{_cache_key(url)} {model}"


def _to_json(server: Server) -> dict[str, object]:
    values = {name: getattr(server, name) for name in _FIELDS}
    return {"engine": server.name} | {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in values.items()
    }


def _from_json(said: Mapping[str, object]) -> Server | None:
    """Return the server a file describes, or ``None`` for what we did not write."""
    kind = BY_NAME.get(str(said.get("engine")))
    if kind is None:
        return None
    names, routes, version = (
        said.get("model_names"),
        said.get("routes"),
        said.get("version"),
    )
    if not isinstance(routes, list) or not all(isinstance(r, str) for r in routes):
        return None
    return kind(
        version=_numbers(version),
        model=_text(said.get("model")),
        model_names=tuple(n for n in names if isinstance(n, str))
        if isinstance(names, list)
        else (),
        loaded_model=_text(said.get("loaded_model")),
        context_length=_number(said.get("context_length")),
        max_input=_number(said.get("max_input")),
        max_stops=_number(said.get("max_stops")),
        max_batch=_number(said.get("max_batch")),
        routes=frozenset(routes),
    )


def _tokens(said: Mapping[str, object]) -> ServerTokens:
    """Return the limits a file tells, without what is not of its kind."""
    ratio, overhead = said.get("ratio"), _number(said.get("overhead"))
    longest = _number(said.get("longest"))
    estimate = TokenEstimate()
    if isinstance(ratio, float) and 0 < ratio <= MOST_RATIO and overhead is not None:
        estimate = TokenEstimate(ratio, max(0, overhead), max(0, longest or 0))
    return ServerTokens(
        window=_positive(said.get("window")),
        max_input=_positive(said.get("max_input")),
        estimate=estimate,
        identity=_text(said.get("identity")) or "",
    )


def _positive(value: object) -> int | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _numbers(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(number for number in value if isinstance(number, int))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
