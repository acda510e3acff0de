"""By which of three APIs a server takes work that is not writing text."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from bytebuddy_provider_hf.engine.roles.job import Words
from bytebuddy_provider_hf.errors import (
    APIError,
    GenerationFailed,
    RouteNotFound,
    RouteNotSupported,
    UnsupportedRole,
)
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.target import Place, Target
from bytebuddy_provider_hf.wire.tasks import serves_tasks


class Api(Enum):
    """TEI's own routes, the task API, or what OpenAI-style servers have."""

    TEI = auto()
    TASKS = auto()
    OPENAI = auto()


# They write text, and have no route for anything else.
_WRITERS: Final = frozenset({Engine.TGI})
_ROUTED: Final = frozenset({Place.ROUTER, Place.HUB})
_WRONG_KIND: Final = ("not an embedding model", "not a re-ranker", "not a classifier")


def api_of(server: Server, target: Target) -> Api:
    """Return the API that gives vectors and scores there.

    An address of the router that names no provider means hf-inference, which alone
    serves such models; one of another host that names ``/v1`` is OpenAI-style.
    """
    if target.place in _ROUTED:
        return Api.TASKS if serves_tasks(target) else Api.OPENAI
    if server.engine is Engine.TEI:
        return Api.TEI
    if server.engine in (Engine.TOOLKIT, Engine.HF_INFERENCE) or serves_tasks(target):
        return Api.TASKS
    return Api.OPENAI


def check_kind(server: Server, words: Words) -> None:
    """Raise ``UnsupportedRole`` for a server that is known to only write text."""
    if server.engine in _WRITERS:
        message = f"{named(server)} {words.doing}: it writes text."
        raise UnsupportedRole(message, hint=words.hint)


def unsupported(
    failure: APIError, server: Server, target: Target, words: Words
) -> UnsupportedRole | None:
    """Return what a failure means where it says that this is the wrong server."""
    wrong = isinstance(failure, RouteNotSupported)
    if isinstance(failure, RouteNotFound):
        # At hf-inference an unknown route is an unknown model.
        wrong = target.place not in _ROUTED or api_of(server, target) is Api.OPENAI
    if isinstance(failure, GenerationFailed):
        said = failure.message.lower()
        wrong = any(each in said for each in _WRONG_KIND)
    if not wrong:
        return None
    return UnsupportedRole(
        f"{named(server)} {words.doing}. {failure.message}",
        status=failure.status,
        hint=words.hint,
    )


def named(server: Server) -> str:
    """Return a server's name and version, to begin a sentence with."""
    version = "" if not server.version else f" {'.'.join(map(str, server.version))}"
    name = f"{server.engine}{version}"
    return name[0].upper() + name[1:] if name.startswith(("a", "t")) else name
