"""TGI's own protocol: ``/generate`` and ``/generate_stream``.

https://github.com/huggingface/text-generation-inference, router/src/lib.rs. It is in
every version, continues a raw prompt, and is the only route of TGI that knows topK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.types import CompletionOptions, ResponseFormat
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.http_request import (
    EVENT_STREAM,
    JSON,
    HttpRequest,
    json_body,
)
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.supported_options import supported_options

_TGI: Final = Tgi()
_ROUTE: Final = "generate"
# What an address may end with, given for one of the OpenAI routes or for this one.
_ENDINGS: Final = ("/completions", "/v1", "/generate_stream", "/generate")


class Prompted(Protocol):
    """A raw prompt with its options, as ``CompletionRequest`` has them."""

    prompt: str
    options: CompletionOptions
    extra: Mapping[str, object]
    logprobs: int | None
    response_format: ResponseFormat | None


def build_generate(
    request: Prompted, target: Target, *, stream: bool, server: Server = _TGI
) -> HttpRequest:
    """Return the call for ``/generate`` or ``/generate_stream``.

    Its notes tell what is left out; ``UnsupportedRole`` and ``InvalidOption`` are
    raised as for a chat.
    """
    part = server.answer_form(
        _ROUTE,
        n=request.options.n,
        logprobs=request.logprobs,
        wanted=request.response_format,
    )
    options = supported_options(request.options, server, _ROUTE).body
    body: dict[str, object] = {"inputs": request.prompt, **options}
    parameters = body["parameters"]
    # The caller's parameters stand beside ours, and have the last word.
    extra = dict(request.extra)
    more = extra.pop("parameters", None)
    if isinstance(parameters, dict):
        parameters.update(part.body)
        parameters.update(more if isinstance(more, Mapping) else {})
    body.update(extra)
    url = urlsplit(target.completions_url)
    path = url.path
    for ending in _ENDINGS:
        path = path.removesuffix(ending)
    # A stream is a route of its own here; ``stream`` in the body is not read.
    path += "/generate_stream" if stream else "/generate"
    query = f"?{url.query}" if url.query else ""
    return HttpRequest(
        url=f"{target.origin}{path}{query}",
        body=json_body(body),
        accept=EVENT_STREAM if stream else JSON,
        notes=part.notes,
        route=_ROUTE,
    )
