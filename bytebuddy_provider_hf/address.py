"""Which URL a model is asked at, from its id and ``apiBase``.

Rules: the retired host is rewritten to the router; a URL that names a route is used
as it stands, ``…/v1`` gets the route, anything else gets ``/v1`` and the route. Both
official Hugging Face clients build the URL so (huggingface_hub 2.4,
``inference/_providers/hf_inference.py``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from bytebuddy_provider_hf.errors import InvalidEndpoint, InvalidModelId
from bytebuddy_provider_hf.secret import redacted_repr

HUB: Final = "https://huggingface.co"
ROUTER: Final = "https://router.huggingface.co"
RETIRED_HOST: Final = "api-inference.huggingface.co"
ENDPOINT_SUFFIX: Final = ".endpoints.huggingface.cloud"

_LONGEST_URL: Final = 2_048
_LONGEST_ID: Final = 256
_CHAT: Final = "/chat/completions"
_COMPLETIONS: Final = "/completions"

# Where routed providers keep their OpenAI-style routes, unlike /v1 of the others
# (huggingface_hub 2.4, inference/_providers/*.py).
_PROVIDERS: Final[Mapping[str, str]] = {
    "/cohere": "/cohere/compatibility/v1",
    "/deepinfra": "/deepinfra/v1/openai",
    "/fireworks-ai": "/fireworks-ai/inference/v1",
    "/groq": "/groq/openai/v1",
    "/novita": "/novita/v3/openai",
    "/zai-org": "/zai-org/api/paas/v4",
}

_SEGMENT: Final = r"[A-Za-z0-9][\w.\-]{0,95}"
# org/name or name, with an optional routing suffix (":fastest", ":groq").
_HUB_ID: Final = re.compile(
    rf"{_SEGMENT}(?:/{_SEGMENT})?(?::[\w.\-]{{1,64}})?", re.ASCII
)
# What servers of one's own call a model: also /repository, a/b/c, name:tag.
_FREE_ID: Final = re.compile(
    r"/?[\w.\-]+(?:/[\w.\-]+){0,7}(?::[\w.\-]{1,64})?", re.ASCII
)
_HOST_NAME: Final = re.compile(
    r"[a-z0-9_](?:[a-z0-9_.\-]{0,252}[a-z0-9_])?\.?", re.ASCII
)
# A URL is written in ASCII (RFC 3986); of that, these must be percent-encoded.
_BAD_IN_URL: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")

RETIRED_NOTICE: Final = (
    f"{RETIRED_HOST} was shut down (it answers 410 Gone); "
    f"calls go to {ROUTER}/v1 instead."
)


class HostKind(Enum):
    """What kind of server stands behind an address."""

    ROUTER = "router"
    HUB = "hub"
    ENDPOINT = "dedicated endpoint"
    LOOPBACK = "this machine"
    OTHER = "other"


@frozen
class Target:
    """Where a model's calls go. ``notices`` are sentences to say once."""

    host_kind: HostKind
    origin: str
    model: str
    chat_url: str = field(repr=redacted_repr)
    completions_url: str = field(repr=redacted_repr)
    notices: tuple[str, ...] = ()
    # Whether only a host was given, so that nobody knows what stands there.
    needs_detection: bool = False

    @property
    def secure(self) -> bool:
        """Whether a token may travel there: over https, or without leaving here."""
        return self.host_kind is HostKind.LOOPBACK or self.origin.startswith("https://")

    @property
    def router_picks_provider(self) -> bool:
        """Whether the router picks the provider: there it documents chat only."""
        return self.chat_url.partition("?")[0] == f"{ROUTER}/v1{_CHAT}"

    @property
    def is_hugging_face(self) -> bool:
        """Whether Hugging Face runs the server, so that its tokens belong there."""
        return self.host_kind in (HostKind.ROUTER, HostKind.HUB, HostKind.ENDPOINT)


def resolve(model: str, api_base: str | None = None) -> Target:
    """Return where calls for ``model`` go.

    Raises ``InvalidEndpoint`` and ``InvalidModelId``.
    """
    parts, notices = _parts(api_base or ROUTER)
    place = host_kind(parts.hostname or "")
    if parts.hostname == RETIRED_HOST:
        parts, place = urlsplit(f"{ROUTER}/v1"), HostKind.ROUTER
        notices = (RETIRED_NOTICE,)
    origin = origin_of(parts)
    path, query = parts.path.rstrip("/"), f"?{parts.query}" if parts.query else ""
    # At a provider's own route a model goes by the provider's name for it.
    routed = place is HostKind.ROUTER and path not in ("", "/v1", f"/v1{_CHAT}")
    _check_model(model, HostKind.OTHER if routed else place)
    base = _base_path(_PROVIDERS.get(path, path) if routed else path)
    return Target(
        host_kind=place,
        origin=origin,
        model=model,
        chat_url=f"{origin}{base}{_CHAT}{query}",
        completions_url=f"{origin}{base}{_COMPLETIONS}{query}",
        notices=notices,
        needs_detection=not path and place is not HostKind.ROUTER,
    )


def host_kind(host: str) -> HostKind:
    """Return what kind of server a host name stands for."""
    host = host.lower().rstrip(".")
    if host == "router.huggingface.co":
        return HostKind.ROUTER
    if host == "huggingface.co" or host.endswith(".huggingface.co"):
        return HostKind.HUB
    if host.endswith(ENDPOINT_SUFFIX):
        return HostKind.ENDPOINT
    return HostKind.LOOPBACK if is_loopback(host) else HostKind.OTHER


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = host.lower().rstrip(".").strip("[]")
    # Not *.localhost: some resolvers ask other machines for those names.
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(parts: SplitResult) -> str:
    """Return scheme, host and port, in lower case, the default port left out."""
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}[parts.scheme]
    port = parts.port
    return f"{parts.scheme}://{host}" + ("" if port in (None, default) else f":{port}")


def _base_path(path: str) -> str:
    """Return the path that routes are appended to."""
    for route in (_CHAT, _COMPLETIONS):
        if path.endswith(route):
            return path.removesuffix(route)
    known = path.endswith("/v1") or path in _PROVIDERS.values()
    return path if known else f"{path}/v1"


def _parts(api_base: str) -> tuple[SplitResult, tuple[str, ...]]:
    text = api_base.strip()
    if len(text) > _LONGEST_URL:
        raise _bad_endpoint("it is longer than 2,048 characters")
    if _BAD_IN_URL.search(text):
        raise _bad_endpoint("it has a character that no URL may have")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _bad_endpoint("it is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise _bad_endpoint("it does not begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise _bad_endpoint("it carries a user name or password")
    if port == 0 or parts.fragment or "#" in text:
        raise _bad_endpoint("it has port 0 or a fragment")
    if any(part in (".", "..") for part in _unquoted(parts.path).split("/")):
        raise _bad_endpoint("its path has '.' or '..' in it")
    _check_host(parts.hostname)
    return parts, ()


def _unquoted(path: str) -> str:
    return re.sub(
        r"%2f", "/", re.sub(r"%2e", ".", path, flags=re.IGNORECASE), flags=re.IGNORECASE
    )


def _check_host(host: str | None) -> None:
    if not host:
        raise _bad_endpoint("it has no host")
    if ":" in host:
        _check_address(host)
    elif not _HOST_NAME.fullmatch(host) or ".." in host:
        raise _bad_endpoint("its host is not a host name (write it in ASCII)")
    elif re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rstrip(".").rsplit(".", 1)[-1]):
        # 127.1, 2130706433, 0x7f.1: addresses that only some resolvers accept.
        _check_address(host)


def _check_address(host: str) -> None:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        if "%" not in host:  # a zone names a network card, not a host
            return
    raise _bad_endpoint("its host is not a plain IP address")


def _bad_endpoint(reason: str) -> InvalidEndpoint:
    return InvalidEndpoint(
        f"The apiBase cannot be used: {reason}.",
        hint="Write it as https://HOST or https://HOST/v1, or leave it out "
        "to use Hugging Face's router.",
    )


def _check_model(model: str, place: HostKind) -> None:
    pattern = _HUB_ID if place in (HostKind.ROUTER, HostKind.HUB) else _FREE_ID
    shown = model if len(model) <= _LONGEST_ID else f"{model[:60]}…"
    if len(model) > _LONGEST_ID or not pattern.fullmatch(model) or ".." in model:
        raise InvalidModelId(
            f"'{shown}' is not a model id.",
            hint="Write it as on huggingface.co: owner/name, for example "
            "meta-llama/Llama-3.1-8B-Instruct, optionally with :provider.",
        )
