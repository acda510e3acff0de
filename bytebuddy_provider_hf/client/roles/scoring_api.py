"""Choose the API by which a server takes work that is not writing text."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.errors import (
    APIError,
    ByteBuddyError,
    RouteNotFound,
    RouteNotSupported,
    UnsupportedRole,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.route_options import Said
from bytebuddy_provider_hf.wire.server import ScoringApi, Server
from bytebuddy_provider_hf.wire.tasks import serves_tasks


@frozen
class ErrorTexts:
    """What a server that cannot do the work does not, who can, and what inputs are."""

    doing: Said
    hint: Said
    items: Said


_ROUTED: Final = frozenset({HostKind.ROUTER, HostKind.HUB})


def scoring_api(server: Server, target: Target) -> ScoringApi:
    """Return the API that gives vectors and scores there.

    An address of the router that names no provider means hf-inference, which alone
    serves such models; one of another host that names ``/v1`` is OpenAI-style.
    """
    # The router has one face for all: its path tells the API, not a probe.
    if target.host_kind not in _ROUTED and server.scoring_api is not ScoringApi.OPENAI:
        return server.scoring_api
    return ScoringApi.TASKS if serves_tasks(target) else ScoringApi.OPENAI


def detected_for_tasks(target: Target) -> Target:
    """Return the target, to be asked what stands there before a task is.

    An address that names ``/v1`` says only that chats and vectors are OpenAI-style.
    """
    if target.host_kind in _ROUTED or serves_tasks(target):
        return target
    return evolve(target, needs_detection=True)


def require_scoring(server: Server, error_texts: ErrorTexts) -> None:
    """Raise ``UnsupportedRole`` for a server that is known to only write text."""
    if not server.may_score:
        message = text(
            "roles.writes_text", title=server.title, doing=error_texts.doing()
        )
        raise UnsupportedRole(message, hint=error_texts.hint())


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
    if not wrong or not isinstance(failure, APIError):
        return failure
    found = UnsupportedRole(
        text(
            "roles.unsupported",
            title=server.title,
            doing=error_texts.doing(),
            said=failure.message,
        ),
        status=failure.status,
        hint=error_texts.hint(),
    )
    found.__cause__ = failure
    return found
