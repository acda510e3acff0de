"""Keep on disk for a day what probes found out, so that the next start asks nobody.

The file is a cache, ``{"version": 2, "servers": {...}}``: one of an older version, or
of another shape, is dropped. One of a newer version is another program's, and stays.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import asdict, fields_dict

from bytebuddy_provider_hf.address import without_query
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import write_private
from bytebuddy_provider_hf.config.stored_files import SERVERS
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret

# The shared runtime has a cache as soon as a model opens: what its file describes is
# imported when it is read or written.
if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.knowledge import ServerTokens
    from bytebuddy_provider_hf.wire.server import Server

_log: Final = logging.getLogger(__name__)

_DAY: Final = 86_400.0
# Servers that are remembered; the file is read and written whole.
_MOST: Final = 500


class ServerCache:
    """Keep facts about servers by URL; a file that cannot be used is as none.

    Times are of the wall clock, because the file outlives the process.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        # Set when a newer version wrote the file: it is neither read nor written.
        self._is_off = False

    def get(self, url: str) -> tuple[Server, float] | None:
        """Return a server that is younger than a day, and its age in seconds."""
        said, age = self._find(without_query(url), "server", _DAY)
        server = None if said is None else _from_json(said)
        return None if server is None else (server, age)

    def put(self, url: str, server: Server) -> None:
        """Keep a server; the oldest go when there are too many."""
        from bytebuddy_provider_hf.wire.server import Server

        values = {name: getattr(server, name) for name in fields_dict(Server)}
        # JSON has no sets.
        said = {
            k: sorted(v) if isinstance(v, frozenset) else v for k, v in values.items()
        } | {"engine": server.name}
        self._keep(without_query(url), "server", said)

    def get_tokens(self, url: str, model: str) -> tuple[ServerTokens, float] | None:
        """Return what a model's server told within the last hour, and its age."""
        from bytebuddy_provider_hf.client.knowledge import WINDOW_AGE

        said, age = self._find(_model_key(url, model), "tokens", WINDOW_AGE)
        return None if said is None else (_tokens(said), age)

    def put_tokens(self, url: str, model: str, tokens: ServerTokens) -> None:
        """Keep what a model's server told of its window."""
        said = {
            "window": tokens.window,
            "max_input": tokens.max_input,
            "identity": tokens.identity,
            **asdict(tokens.estimate),
        }
        self._keep(_model_key(url, model), "tokens", said)

    def delete(self, url: str) -> None:
        """Drop a server that proved wrong."""
        kept = self._read()
        if kept.pop(without_query(url), None) is not None:
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
        # A time to come is of a clock that was set back: it would hold for ever.
        young = 0 <= age < most
        return (said if isinstance(said, dict) and young else None), age

    def _keep(self, key: str, name: str, said: Mapping[str, object]) -> None:
        kept = self._read()
        kept.pop(key, None)
        kept[key] = {"at": self._clock(), name: said}
        self._write(dict(list(kept.items())[-_MOST:]))

    def _read(self) -> dict[str, object]:
        if self._is_off:
            return {}
        value: object = None
        try:
            # Whoever can write it can say that another kind of server stands there.
            check_exposed(self._path, strict=True)
        except PermissionError as error:
            self._is_off = True
            _log.warning("%s is not read. %s", self._path, error.strerror)
            return {}
        with suppress(OSError, ValueError, RecursionError):
            value = json.loads(read_regular_file(self._path, SERVERS.most))
        if not isinstance(value, dict):
            return {}
        version, servers = value.get("version"), value.get("servers")
        if isinstance(version, int) and version > SERVERS.version:
            self._is_off = True
            _log.warning(
                "%s was written by a newer version: servers are not remembered.",
                self._path,
            )
            return {}
        if version != SERVERS.version or not isinstance(servers, dict):
            return {}
        return servers

    def _write(self, kept: dict[str, object]) -> None:
        if self._is_off:
            return
        text = json.dumps({"version": SERVERS.version, "servers": kept})
        # What is longer than is read would be as none: the oldest half goes.
        while len(text) > SERVERS.most and kept:
            for key in list(kept)[: max(1, len(kept) // 2)]:
                del kept[key]
            text = json.dumps({"version": SERVERS.version, "servers": kept})
        # A folder that cannot be written costs the next start a question, no more.
        with suppress(ConfigError):
            write_private(self._path, Secret(text))


def _model_key(url: str, model: str) -> str:
    # No address has a blank: this is no server's key.
    return f"{without_query(url)} {model}"


def _from_json(said: Mapping[str, object]) -> Server | None:
    """Return the server a file describes, or ``None`` for what we did not write."""
    from bytebuddy_provider_hf.wire.dialects import BY_NAME
    from bytebuddy_provider_hf.wire.server import OPENAI_BASE

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
        version=tuple(n for n in version if isinstance(n, int))
        if isinstance(version, list)
        else None,
        model=_text(said.get("model")),
        model_names=tuple(n for n in names if isinstance(n, str))
        if isinstance(names, list)
        else (),
        loaded_model=_text(said.get("loaded_model")),
        revision=_text(said.get("revision")),
        context_length=_number(said.get("context_length")),
        max_input=_number(said.get("max_input")),
        max_stops=_number(said.get("max_stops")),
        max_batch=_number(said.get("max_batch")),
        routes=frozenset(routes),
        openai_base="" if said.get("openai_base") == "" else OPENAI_BASE,
        abilities=_abilities(said.get("abilities")),
    )


def _abilities(said: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what each model can do, without what is not of that form."""
    found = []
    for pair in said if isinstance(said, list) else ():
        match pair:
            case [str(name), [*listed]]:
                told = tuple(each for each in listed if isinstance(each, str))
                found.append((name, told))
    return tuple(found)


def _tokens(said: Mapping[str, object]) -> ServerTokens:
    """Return the limits a file tells, without what is not of its kind."""
    from bytebuddy_provider_hf.client.knowledge import (
        MOST_RATIO,
        ServerTokens,
        TokenEstimate,
    )

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


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
