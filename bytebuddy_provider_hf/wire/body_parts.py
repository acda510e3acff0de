"""What a part of a question adds to the body of a request, and what it could not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.wire.server import Engine, Server

# hf-inference serves its chats with TGI, and does not tell of which version.
TGI_ENGINES: Final = frozenset({Engine.TGI, Engine.HF_INFERENCE})


@frozen
class BodyPart:
    """Members of the body; ``notes`` tells what the server does not take."""

    body: Mapping[str, object] = field(factory=dict)
    notes: tuple[str, ...] = ()


# What most parts of a question add; shared, as each of five made anew costs 1 µs.
EMPTY_PART: Final = BodyPart()


def merge_parts(parts: Iterable[BodyPart]) -> BodyPart:
    """Return several as one."""
    parts = [part for part in parts if part is not EMPTY_PART]
    if not parts:
        return EMPTY_PART
    body: dict[str, object] = {}
    notes: list[str] = []
    for part in parts:
        body.update(part.body)
        notes += part.notes
    return BodyPart(body, tuple(notes))


def is_older(server: Server, *version: int) -> bool:
    """Whether a server is known to be older than a version."""
    return server.version is not None and server.version < version


def server_name(server: Server) -> str:
    """Return a server's name and version."""
    version = "" if not server.version else f" {'.'.join(map(str, server.version))}"
    return f"{server.engine}{version}"


def unsupported_by(server: Server, what: str, hint: str) -> UnsupportedRole:
    """Return the refusal of what a server would silently leave out, or refuse."""
    return UnsupportedRole(f"{server_name(server)} cannot {what}.", hint=hint)
