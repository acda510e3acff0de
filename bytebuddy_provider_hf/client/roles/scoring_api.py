"""By which of three APIs a server takes work that is not writing text."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    GenerationFailed,
    RouteNotFound,
    RouteNotSupported,
    UnsupportedRole,
)
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.tasks import serves_tasks


@frozen
class ErrorTexts:
    """What a server that cannot do the work does not, who can, and what inputs are."""

    doing: str
    hint: str
    items: str = "inputs"


class ScoringApi(Enum):
    """TEI's own routes, the task API, or what OpenAI-style servers have."""

    TEI = auto()
    TASKS = auto()
    OPENAI = auto()


# They write text, and have no route for anything else.
_WRITERS: Final = frozenset({Engine.TGI})
_ROUTED: Final = frozenset({HostKind.ROUTER, HostKind.HUB})
_WRONG_KIND: Final = ("not an embedding model", "not a re-ranker", "not a classifier")


def scoring_api(server: Server, target: Target) -> ScoringApi:
    """Return the API that gives vectors and scores there.

    An address of the router that names no provider means hf-inference, which alone
    serves such models; one of another host that names ``/v1`` is OpenAI-style.
    """
    if target.host_kind in _ROUTED:
        return ScoringApi.TASKS if serves_tasks(target) else ScoringApi.OPENAI
    if server.engine is Engine.TEI:
        return ScoringApi.TEI
    if server.engine in (Engine.TOOLKIT, Engine.HF_INFERENCE) or serves_tasks(target):
        return ScoringApi.TASKS
    return ScoringApi.OPENAI


def require_scoring(server: Server, error_texts: ErrorTexts) -> None:
    """Raise ``UnsupportedRole`` for a server that is known to only write text."""
    if server.engine in _WRITERS:
        message = f"{server_label(server)} {error_texts.doing}: it writes text."
        raise UnsupportedRole(message, hint=error_texts.hint)


def as_unsupported(
    failure: ByteBuddyError, server: Server, target: Target, error_texts: ErrorTexts
) -> ByteBuddyError:
    """Return what a failure means: it may say that this is the wrong server."""
    wrong = isinstance(failure, RouteNotSupported)
    if isinstance(failure, RouteNotFound):
        # At hf-inference an unknown route is an unknown model.
        wrong = (
            target.host_kind not in _ROUTED
            or scoring_api(server, target) is ScoringApi.OPENAI
        )
    if isinstance(failure, GenerationFailed):
        said = failure.message.lower()
        wrong = any(each in said for each in _WRONG_KIND)
    if not wrong or not isinstance(failure, APIError):
        return failure
    found = UnsupportedRole(
        f"{server_label(server)} {error_texts.doing}. {failure.message}",
        status=failure.status,
        hint=error_texts.hint,
    )
    found.__cause__ = failure
    return found


def server_label(server: Server) -> str:
    """Return a server's name and version, to begin a sentence with."""
    version = "" if not server.version else f" {'.'.join(map(str, server.version))}"
    name = f"{server.engine}{version}"
    return name[0].upper() + name[1:] if name.startswith(("a", "t")) else name
