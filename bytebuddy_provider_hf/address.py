"""Parse addresses and model ids: the only parser, for trusting and for sending.

A key is tied to an origin, so the address that is judged and the one that is sent to
must be read alike: ``origin_of`` and ``resolve`` share ``parse``, and whatever
programs read differently is refused, not guessed.

Routes: the retired host is rewritten to the router; a URL that names a route is used
as it stands, ``…/v1`` gets the route, anything else gets ``/v1`` and the route. Both
official Hugging Face clients build the URL so (huggingface_hub 2.4,
``inference/_providers/hf_inference.py``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from bytebuddy_provider_hf.errors import InvalidEndpoint, InvalidModelId
from bytebuddy_provider_hf.secret import redacted_repr
from bytebuddy_provider_hf.texts import text

HUB: Final = "https://huggingface.co"
ROUTER: Final = "https://router.huggingface.co"
RETIRED_HOST: Final = "api-inference.huggingface.co"
ENDPOINT_SUFFIX: Final = ".endpoints.huggingface.cloud"
JOB_SUFFIX: Final = ".hf.jobs"

_LONGEST_URL: Final = 2_048
_LONGEST_ID: Final = 256
# A file's path, as llama.cpp calls a model, may be long.
_LONGEST_NAME: Final = 1_024
_CHAT: Final = "/chat/completions"
_COMPLETIONS: Final = "/completions"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

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

# A repository or its owner: letters, digits, "-", "_" and ".", at most 96 of them
# (huggingface_hub 2.4, utils/_validators.py). ".." is refused by whoever matches.
_SEGMENT: Final = r"[A-Za-z0-9][\w.\-]{0,95}"
# The text of owner/name, to be a part of other patterns (compiled with re.ASCII).
OWNED_ID_PATTERN: Final = rf"{_SEGMENT}/{_SEGMENT}"
OWNED_ID: Final = re.compile(OWNED_ID_PATTERN, re.ASCII)
# owner/name, or name alone as of the oldest models ("gpt2").
HUB_ID: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})?", re.ASCII)
# How the router is told the provider: "owner/name:groq", "owner/name:fastest".
_SUFFIX: Final = r"(?::[\w.\-]{1,64})?"
OWNED_ID_AND_SUFFIX: Final = re.compile(rf"({OWNED_ID_PATTERN}){_SUFFIX}", re.ASCII)
_ROUTED_ID: Final = re.compile(rf"{HUB_ID.pattern}{_SUFFIX}", re.ASCII)
# What the router's providers call a model: also a/b/c, name:tag.
_PROVIDER_ID: Final = re.compile(rf"/?[\w.\-]+(?:/[\w.\-]+){{0,7}}{_SUFFIX}", re.ASCII)
# What no name has anywhere: control characters, which rewrite a screen or begin
# another line, and halves of characters, which no UTF-8 can carry.
_NO_NAME: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# The whole authority, because urlsplit skips what stands beside the brackets of an
# IPv6 address ("[::1]evil") before Python 3.14.
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]*))?"
)
_HOST_NAME: Final = re.compile(
    r"[a-z0-9_](?:[a-z0-9_.\-]{0,252}[a-z0-9_])?\.?", re.ASCII
)
# 127.1, 2130706433, 0x7f.1: IPv4 addresses that only some resolvers take for such
# (WHATWG URL, "ends in a number"). A dot behind one is read differently as well.
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
# A URL is written in ASCII (RFC 3986); of that, these must be percent-encoded. Letters
# beyond ASCII may look like those of a trusted host: such a host is written xn--….
_BAD_IN_URL: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")


class HostKind(Enum):
    """What kind of server stands behind an address."""

    ROUTER = "router"
    HUB = "hub"
    ENDPOINT = "dedicated endpoint"
    # A server in a job with an exposed port, which lives as long as the job: docs/hub/
    # jobs-serving.md of huggingface/hub-docs. Anyone can start one, as an endpoint.
    JOB = "job"
    LOOPBACK = "this machine"
    OTHER = "other"


@frozen
class HttpUrl:
    """An http or https URL in one spelling.

    ``origin`` is scheme, host and port: two spellings of one server have the same, and
    two servers never do. ``path`` and ``query`` stand as they were written.
    """

    origin: str
    host: str
    path: str = field(default="", repr=redacted_repr)
    query: str = field(default="", repr=redacted_repr)

    @property
    def host_kind(self) -> HostKind:
        """Return what kind of server it leads to."""
        return host_kind(self.host)


@frozen
class Target:
    """Where a model's calls go. ``notices`` are sentences to say once."""

    host_kind: HostKind
    origin: str
    model: str
    chat_url: str = field(repr=redacted_repr)
    completions_url: str = field(repr=redacted_repr)
    notices: tuple[str, ...] = ()
    # Whether the address names no route, so that nobody knows what stands there.
    needs_detection: bool = False

    @property
    def secure(self) -> bool:
        """Whether a token may travel there: over https, or without leaving here."""
        return self.host_kind is HostKind.LOOPBACK or self.origin.startswith("https://")

    @property
    def router_picks_provider(self) -> bool:
        """Whether the router picks the provider: there it documents chat only."""
        return without_query(self.chat_url) == f"{ROUTER}/v1{_CHAT}"

    @property
    def is_hugging_face(self) -> bool:
        """Whether Hugging Face runs the server, so that its tokens belong there."""
        return self.host_kind not in (HostKind.LOOPBACK, HostKind.OTHER)

    @property
    def runs_own_container(self) -> bool:
        """Whether Hugging Face runs it for somebody who chose what is in it."""
        return self.host_kind in (HostKind.ENDPOINT, HostKind.JOB)


def parse(written: str) -> HttpUrl:
    """Return the address that ``written`` is, or raise ``InvalidEndpoint``.

    Host and scheme become lower case, a default port and the last dot of a name are
    left out, an IPv6 address is compressed (RFC 5952), one that stands for an IPv4
    address becomes that.
    """
    written = written.strip()
    if len(written) > _LONGEST_URL:
        raise _bad_endpoint(text("address.too_long"))
    if _BAD_IN_URL.search(written):
        raise _bad_endpoint(text("address.bad_character"))
    try:
        parts = urlsplit(written)
    except ValueError:
        raise _bad_endpoint(text("address.no_url")) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _bad_endpoint(text("address.scheme"))
    if "@" in parts.netloc:
        raise _bad_endpoint(text("address.userinfo"))
    authority = _AUTHORITY.fullmatch(parts.netloc.lower())
    # An empty port is the default one (RFC 3986, section 3.2.3).
    port = int(authority["port"] or _DEFAULT_PORTS[parts.scheme]) if authority else 0
    if authority is None or not 0 < port < 2**16:
        raise _bad_endpoint(text("address.no_authority"))
    if "#" in written:
        raise _bad_endpoint(text("address.fragment"))
    # As a server may read it, which takes %2e%2e for "..", and %5c for a backslash that
    # parts a path on Windows.
    plain = parts.path.lower().replace("%2e", ".")
    plain = plain.replace("%2f", "/").replace("%5c", "/")
    if not {".", ".."}.isdisjoint(plain.split("/")):
        raise _bad_endpoint(text("address.dots"))
    host = _host(authority["name"], authority["ipv6"])
    origin = f"{parts.scheme}://" + (f"[{host}]" if ":" in host else host)
    if port != _DEFAULT_PORTS[parts.scheme]:
        origin = f"{origin}:{port}"
    return HttpUrl(origin, host, parts.path, parts.query)


def _host(name: str | None, ipv6: str | None) -> str:
    """Return a host in its one spelling, an IPv6 address without brackets."""
    if name is not None and not _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):
        if not name:
            raise _bad_endpoint(text("address.no_host"))
        if not _HOST_NAME.fullmatch(name) or ".." in name:
            raise _bad_endpoint(text("address.host_name"))
        return name.removesuffix(".")
    try:
        if name is not None:
            return str(ipaddress.IPv4Address(name))
        address = ipaddress.IPv6Address(ipv6 or "")
    except ValueError:
        raise _bad_endpoint(text("address.ip_address")) from None
    # Sockets reach the IPv4 address by both, and Python 3.13 began to write and judge
    # the mapped form differently.
    return str(address.ipv4_mapped or address)


def origin_of(written: str) -> str:
    """Return ``scheme://host[:port]`` of an address, in one spelling.

    Raises ``InvalidEndpoint`` for what is no address that could be sent to.
    """
    return parse(written).origin


def resolve(model: str, api_base: str | None = None) -> Target:
    """Return where calls for ``model`` go.

    Raises ``InvalidEndpoint`` and ``InvalidModelId``.
    """
    address = parse(api_base or ROUTER)
    notices: tuple[str, ...] = ()
    if address.host == RETIRED_HOST:
        address = parse(f"{ROUTER}/v1")
        notices = (text("address.retired", host=RETIRED_HOST, router=ROUTER),)
    place, origin = address.host_kind, address.origin
    path, query = address.path.rstrip("/"), address.query and f"?{address.query}"
    # At a provider's own route a model goes by the provider's name for it.
    routed = place is HostKind.ROUTER and path not in ("", "/v1", f"/v1{_CHAT}")
    if place not in (HostKind.ROUTER, HostKind.HUB):
        # Any other text is good where the name travels in the body only; whoever puts
        # it into a path asks for an id of the Hub (``wire/tasks.py``).
        if not model.strip() or len(model) > _LONGEST_NAME or _NO_NAME.search(model):
            raise InvalidModelId(
                text("address.no_model_name", model=_shown(model), most=_LONGEST_NAME),
                hint=text("address.write_model_name"),
            )
    else:
        pattern = _PROVIDER_ID if routed else _ROUTED_ID
        if len(model) > _LONGEST_ID or not pattern.fullmatch(model) or ".." in model:
            raise InvalidModelId(
                text("address.no_model_id", model=_shown(model)),
                hint=text("address.write_model_id"),
            )
    base = _base_path(_PROVIDERS.get(path, path) if routed else path)
    # Below a path of the Hub's nothing stands that was not known before.
    names_route = path.endswith((_CHAT, _COMPLETIONS, base))
    names_route = names_route or (place is HostKind.HUB and path != "")
    return Target(
        host_kind=place,
        origin=origin,
        model=model,
        chat_url=f"{origin}{base}{_CHAT}{query}",
        completions_url=f"{origin}{base}{_COMPLETIONS}{query}",
        notices=notices,
        needs_detection=place is not HostKind.ROUTER and not names_route,
    )


def routed_provider(url: str) -> str:
    """Return the provider that an address of the router names, ``""`` if it is none.

    The router's own routes begin with ``/v1``, those of a provider with its name.
    """
    address = urlsplit(url)
    first = address.path.lstrip("/").partition("/")[0]
    routed = host_kind(address.hostname or "") is HostKind.ROUTER
    return first if routed and first != "v1" else ""


def _shown(model: str) -> str:
    return model if len(model) <= _LONGEST_ID else f"{model[:60]}…"


def host_kind(host: str) -> HostKind:
    """Return what kind of server a host name stands for."""
    host = host.lower().rstrip(".")
    if host == "router.huggingface.co":
        return HostKind.ROUTER
    if host == "huggingface.co" or host.endswith(".huggingface.co"):
        return HostKind.HUB
    if host.endswith(ENDPOINT_SUFFIX):
        return HostKind.ENDPOINT
    if host.endswith(JOB_SUFFIX):
        return HostKind.JOB
    return HostKind.LOOPBACK if is_loopback(host) else HostKind.OTHER


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine: localhost, 127.0.0.0/8 or ::1."""
    host = host.lower().rstrip(".").strip("[]")
    # Not *.localhost: some resolvers ask other machines for those names.
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # Whatever the version of Python says of 127.0.0.1 in its IPv6 form.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def without_query(url: str) -> str:
    """Return an address without its query, as a key or for comparison.

    A query may hold a key, and does not make another server.
    """
    return url.partition("?")[0]


def _base_path(path: str) -> str:
    """Return the path that routes are appended to."""
    for route in (_CHAT, _COMPLETIONS):
        if path.endswith(route):
            return path.removesuffix(route)
    known = path.endswith("/v1") or path in _PROVIDERS.values()
    return path if known else f"{path}/v1"


def _bad_endpoint(reason: str) -> InvalidEndpoint:
    return InvalidEndpoint(
        text("address.unusable", reason=reason), hint=text("address.write_address")
    )
