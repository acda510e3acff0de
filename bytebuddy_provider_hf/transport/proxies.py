"""Choose the proxy, if any, that stands between here and an origin.

``request_options.proxy`` decides, then the variables that curl, Go and Python read:
``HTTPS_PROXY`` or ``HTTP_PROXY`` by the scheme of the origin, then ``ALL_PROXY``, each
in both spellings, the lower case first. ``noProxy`` and ``NO_PROXY`` except hosts from
all of these. Nothing here reads a netrc file.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import frozen

from bytebuddy_provider_hf.address import is_loopback
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import LocalizedText, option_name, text

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[\w.\-:]+", re.ASCII)
_OPTION: Final = option_name("request_options.proxy")


@frozen
class Proxy:
    """A proxy. Its user's name and password are in none of its texts.

    ``authorization`` is the value of the header ``Proxy-Authorization``.
    """

    scheme: str
    host: str
    port: int
    authorization: Secret | None = None
    password: Secret | None = None

    @property
    def place(self) -> str:
        """Host and port, to be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address, without a user's name."""
        return f"{self.scheme}://{self.place}"

    @property
    def loopback(self) -> bool:
        """Return whether the proxy runs on this machine."""
        return is_loopback(self.host)

    def scrub(self, text: str, *, parts: bool = True) -> str:
        """Return ``text`` without the password, as :meth:`Secret.scrub` does it."""
        for secret in (self.authorization, self.password):
            text = text if secret is None else secret.scrub(text, parts=parts)
        return text


def proxy_for(
    origin: str, options: RequestOptions, env: Mapping[str, str]
) -> Proxy | None:
    """Return the proxy on the way to ``origin``, or ``None`` for the direct way.

    An empty ``request_options.proxy`` means none, whatever the environment says. An
    origin on this machine never goes through a proxy of the environment. Raises
    ``InvalidOption``, without what may hold a password.
    """
    parts = urlsplit(origin)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS[parts.scheme]
    listed = env.get("no_proxy") or env.get("NO_PROXY") or ""
    # In the variable a plain name stands for what is below it too, as for curl, Go and
    # Python; in the file it is that host.
    lists = [(entry, False) for entry in options.no_proxy or ()] + [(listed, True)]
    for names, below in lists:
        for pattern in re.split(r"[\s,]+", names):
            if _matches(pattern, host, port, below=below):
                return None
    if options.proxy is not None:
        return _checked(_OPTION, _parsed(options.proxy))
    # Such a proxy knows another machine by that name.
    if is_loopback(parts.hostname or ""):
        return None
    name = _variable(parts.scheme, env)
    return None if name is None else _checked(name, _parsed(env[name]))


def _variable(scheme: str, env: Mapping[str, str]) -> str | None:
    """Return the name of the variable that decides; one set to nothing says none."""
    for stem in (f"{scheme}_proxy", "all_proxy"):
        for name in (stem, stem.upper()):
            # In a CGI program HTTP_PROXY is a header of the request: https://httpoxy.org
            foreign = name == "HTTP_PROXY" and "REQUEST_METHOD" in env
            if name in env and not foreign:
                if env[name].strip():
                    return name
                break
    return None


def _checked(name: str, found: Proxy | LocalizedText | None) -> Proxy | None:
    if not isinstance(found, LocalizedText):
        return found
    raise InvalidOption(
        text("transport.proxy_unusable", name=name, found=found),
        hint=text("transport.proxy_unusable_hint"),
    )


def _parsed(written: str) -> Proxy | LocalizedText | None:
    """Return the proxy, none for an empty text, or why it is not usable.

    Raises nothing: a traceback of this frame would show the password.
    """
    written = written.strip()
    if not written:
        return None
    try:
        parts = urlsplit(written if "://" in written else f"http://{written}")
        port = parts.port
    except ValueError:
        return text("transport.proxy_no_url")
    if parts.scheme not in _PORTS:
        socks = parts.scheme.startswith("socks")
        return text("transport.proxy_socks" if socks else "transport.proxy_scheme")
    if not _HOST.fullmatch(parts.hostname or "") or port == 0:
        return text("transport.proxy_no_host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return text("transport.proxy_more")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(pair.encode("utf-8", "replace")).decode()
        authorization = Secret(f"Basic {encoded}")
    return Proxy(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=port or _PORTS[parts.scheme],
        authorization=authorization,
        password=Secret(unquote(parts.password)) if parts.password else None,
    )


def _matches(pattern: str, host: str, port: int, *, below: bool) -> bool:
    if pattern == "*":
        return True
    name, wanted = pattern.lower(), ""
    if name.startswith("["):
        name, _, rest = name[1:].partition("]")
        wanted = rest.removeprefix(":")
    elif name.count(":") == 1:  # an IPv6 address has more
        name, _, wanted = name.partition(":")
    if wanted not in ("", str(port)):
        return False
    # ValueError: a name, which is compared as a text, or no network at all.
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        with suppress(ValueError):
            return address in ipaddress.ip_network(name, strict=False)
        return False
    name = name.rstrip(".")
    if name.startswith("*."):
        return host.endswith(name[1:])
    if name.startswith("."):
        return host == name[1:] or host.endswith(name)
    return host == name or (below and host.endswith(f".{name}"))
