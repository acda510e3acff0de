"""TGI's own protocol: ``/generate``, ``/generate_stream`` and ``/``.

https://github.com/huggingface/text-generation-inference, router/src/lib.rs. It is in
every version, continues a raw prompt, and is the only route of TGI that knows topK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.types import CompletionOptions, ResponseFormat
from bytebuddy_provider_hf.wire.body_parts import merge_parts
from bytebuddy_provider_hf.wire.encode import json_body
from bytebuddy_provider_hf.wire.grammar import response_format_param
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.several import logprobs_param, n_param
from bytebuddy_provider_hf.wire.supported_options import supported_options

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

_TGI: Final = Server(Engine.TGI)
_ROUTES: Final = ("/completions", "/v1", "/generate_stream", "/generate")


class Prompted(Protocol):
    """A raw prompt with its options, as ``CompletionRequest`` has them."""

    @property
    def prompt(self) -> str:
        """The text to continue."""
        ...

    @property
    def options(self) -> CompletionOptions:
        """How to generate."""
        ...

    @property
    def extra(self) -> Mapping[str, object]:
        """Members laid over the body."""
        ...

    @property
    def logprobs(self) -> int | None:
        """How many alternatives for each token, if they are wanted."""
        ...

    @property
    def response_format(self) -> ResponseFormat | None:
        """What the answer is held to."""
        ...


def build_generate(
    request: Prompted, target: Target, *, stream: bool, server: Server = _TGI
) -> HttpRequest:
    """Return the call for ``/generate`` or ``/generate_stream``.

    Its notes tell what is left out; ``UnsupportedRole`` and ``InvalidOption`` are
    raised as for a chat.
    """
    route = "/generate_stream" if stream else "/generate"
    body, notes = _body(request, server)
    return _call(_url(target, route), body, notes, stream=stream, route="generate")


def build_compatible(
    request: Prompted, target: Target, *, stream: bool, server: Server = _TGI
) -> HttpRequest:
    """Return the call for ``/``, which answers like the old serverless API."""
    body, notes = _body(request, server)
    if stream:
        body["stream"] = True
    return _call(_url(target, "/"), body, notes, stream=stream)


def _body(
    request: Prompted, server: Server
) -> tuple[dict[str, object], tuple[str, ...]]:
    added = merge_parts(
        (
            n_param(request.options.n, server, "generate"),
            logprobs_param(request.logprobs, server, "generate"),
            response_format_param(request.response_format, server, "generate"),
        )
    )
    base = {"inputs": request.prompt}
    body = supported_options(request.options, server, "generate", base=base).body
    parameters = body["parameters"]
    extra = dict(request.extra)
    more = extra.pop("parameters", None)
    if isinstance(parameters, dict):
        parameters.update(added.body)
        parameters.update(more if isinstance(more, Mapping) else {})
    body.update(extra)
    return body, added.notes


def _call(
    url: str,
    body: dict[str, object],
    notes: tuple[str, ...],
    *,
    stream: bool,
    route: str | None = None,
) -> HttpRequest:
    accept = EVENT_STREAM if stream else JSON
    return HttpRequest(
        url=url, body=json_body(body), accept=accept, notes=notes, route=route
    )


def _url(target: Target, route: str) -> str:
    """Return a route's URL beside the OpenAI routes: under no ``/v1``."""
    parts = urlsplit(target.completions_url)
    path = parts.path
    for known in _ROUTES:
        path = path.removesuffix(known)
    query = f"?{parts.query}" if parts.query else ""
    joined = path if path and route == "/" else f"{path}{route}"
    return f"{target.origin}{joined}{query}"
