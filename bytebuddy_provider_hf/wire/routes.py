"""URLs beside the two that a target names: other routes of the same server."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from bytebuddy_provider_hf.address import Target

_CHAT: Final = "/chat/completions"


def v1_url(target: Target, route: str) -> str:
    """Return the URL of an OpenAI-style route, such as ``/embeddings``."""
    base, query = _base(target)
    return f"{target.origin}{base}{route}{query}"


def root_url(target: Target, route: str) -> str:
    """Return the URL of a server's own route, such as ``/infill``."""
    _base_path, query = _base(target)
    return f"{target.origin}{root_path(target)}{route}{query}"


def root_path(target: Target) -> str:
    """Return the path below which a server's own routes lie, without a last slash."""
    return _base(target)[0].removesuffix("/v1")


def _base(target: Target) -> tuple[str, str]:
    parts = urlsplit(target.chat_url)
    query = f"?{parts.query}" if parts.query else ""
    return parts.path.removesuffix(_CHAT), query
