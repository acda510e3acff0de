"""What a provider behind the router calls a model: the Hub's inferenceProviderMapping.

The Hub answers without a token, with an object keyed by provider, or a list in newer
answers (huggingface_hub 2.4, ``hf_api.py``); a renamed model is a redirect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from bytebuddy_provider_hf.address import HUB, HostKind, Target
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.wire.http_request import HttpRequest

MAX_ANSWER: Final = 1024 * 1024

_MODELS: Final = "/api/models/"
_EXPAND: Final = "?expand[]=inferenceProviderMapping"
_SEGMENT: Final = r"[A-Za-z0-9][\w.\-]{0,95}"
_HUB_ID: Final = re.compile(rf"{_SEGMENT}/{_SEGMENT}", re.ASCII)
# Served under the Hub's own ids.
_OWN: Final = frozenset({"", "v1", "hf-inference"})
_MOST: Final = 100
_LONGEST: Final = 256


def provider_of(target: Target) -> str | None:
    """Return the provider that an address of the router names, where ids may differ.

    ``None`` for every other address, and for a model that is no id of the Hub's, which
    must be the provider's already.
    """
    if target.host_kind is not HostKind.ROUTER or not _HUB_ID.fullmatch(
        _bare(target.model)
    ):
        return None
    provider = urlsplit(target.chat_url).path.lstrip("/").partition("/")[0]
    return None if provider in _OWN else provider


def mapping_request(target: Target) -> HttpRequest:
    """Return the question after the names of a model."""
    return HttpRequest(f"{HUB}{_MODELS}{_bare(target.model)}{_EXPAND}", method="GET")


def renamed_request(location: str) -> HttpRequest | None:
    """Return the question at the place a redirect names, if it is the Hub's."""
    path = location.removeprefix(HUB).partition("?")[0]
    name = path.removeprefix(_MODELS)
    if not path.startswith(_MODELS) or not _HUB_ID.fullmatch(name) or ".." in name:
        return None
    return HttpRequest(f"{HUB}{_MODELS}{name}{_EXPAND}", method="GET")


def provider_id(body: bytes, provider: str) -> str | None:
    """Return the id that ``provider`` knows the model by, or ``None``; total."""
    found = loads(body)
    mapping = found.get("inferenceProviderMapping") if isinstance(found, dict) else None
    entry: object = None
    if isinstance(mapping, dict):
        entry = mapping.get(provider)
    elif isinstance(mapping, list):
        named = (m for m in mapping[:_MOST] if isinstance(m, dict))
        entry = next((m for m in named if m.get("provider") == provider), None)
    name = entry.get("providerId") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name) <= _LONGEST else None


def _bare(model: str) -> str:
    return model.partition(":")[0]
