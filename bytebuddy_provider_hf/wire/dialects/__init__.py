"""The servers that are told apart: one file each, and the order in which they are told.

A new server is a file here and a line in ``SERVERS``: what it takes, names and does
differently, and how its answers to a probe show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.dialects.infinity import Infinity
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tei import Tei
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.dialects.transformers import Transformers
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.server import Server

# The order of notes that name several, and of the questions who an ``/info`` is from:
# TEI's has a member that TGI's has not, and hf-inference would take TGI's for its own.
SERVERS: Final[tuple[type[Server], ...]] = (
    Server,
    Router,
    Vllm,
    Sglang,
    LlamaCpp,
    Transformers,
    Infinity,
    Tei,
    Tgi,
    HfInference,
    Toolkit,
)
BY_NAME: Final[Mapping[str, type[Server]]] = {kind.name: kind for kind in SERVERS}


def options_by_member() -> Mapping[str, frozenset[str]]:
    """Return the options that each member of any server's body may stand for."""
    # OpenAI's newer name of max_tokens, by which providers refuse it.
    found: dict[str, set[str]] = {"max_completion_tokens": {"max_tokens"}}
    for kind in SERVERS:
        for route in ("chat", "completions", "generate", "tasks", "infill"):
            for option, member in kind().options_for(route).names.items():
                found.setdefault(member, set()).add(option)
    return {member: frozenset(options) for member, options in found.items()}
