"""Read Hugging Face's status page: what it says works, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.errors import ByteBuddyError, MalformedResponse
from bytebuddy_provider_hf.hub.answer_cache import fetch_answer
from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.http_client import HttpClient
from bytebuddy_provider_hf.wire.http_request import HttpRequest

STATUS: Final = "https://status.huggingface.co"
OPERATIONAL: Final = "operational"

_OK: Final = 200
_LARGEST_ANSWER: Final = 1024 * 1024
_LONGEST: Final = 80
_MOST: Final = 20


@frozen
class ServiceStatus:
    """What the page says: of everything, and of each service that is not operational.

    ``state`` is ``operational``, ``degraded``, ``downtime`` or ``maintenance``; another
    word is what it says, and means nothing known.
    """

    state: str
    affected: tuple[tuple[str, str], ...] = ()


async def read_status(client: HttpClient) -> ServiceStatus:
    """Return what the status page says now; ``client`` leads to it.

    The form is that of Better Stack's pages (``/index.json``). Raises any
    ``ByteBuddyError``.
    """
    question = HttpRequest(f"{STATUS}/index.json", method="GET")
    status, _, body = await fetch_answer(question, client, most=_LARGEST_ANSWER)
    found = parse_status(body) if status == _OK else None
    if found is None:
        raise _unreadable(status)
    return found


def parse_status(data: bytes) -> ServiceStatus | None:
    """Return what ``index.json`` says, or ``None``; total."""
    page = _map(loads(data))
    state = _word(_map(_map(page.get("data")).get("attributes")), "aggregate_state")
    if not state:
        return None
    listed = page.get("included")
    affected: list[tuple[str, str]] = []
    for each in listed if isinstance(listed, list) else ():
        said = _map(_map(each).get("attributes"))
        name, its_state = _word(said, "public_name"), _word(said, "status")
        if name and its_state and its_state != OPERATIONAL and len(affected) < _MOST:
            affected.append((name, its_state))
    return ServiceStatus(state, tuple(affected))


def _unreadable(status: int) -> ByteBuddyError:
    return MalformedResponse(text("doctor.status_unreadable", status=status))


def _word(value: Mapping[str, object], name: str) -> str:
    return one_line(lenient_text(value.get(name)) or "", limit=_LONGEST)


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
