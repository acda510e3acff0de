"""Build llama.cpp's own ``/infill`` requests, and read a slot's window.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.floats import number
from bytebuddy_provider_hf.wire.http_request import (
    EVENT_STREAM,
    JSON,
    HttpRequest,
    json_body,
    root_url,
)
from bytebuddy_provider_hf.wire.supported_options import supported_options


@frozen
class InfillRequest:
    """A gap to fill between ``prefix`` and ``suffix``.

    ``files`` are others of the same repository, as (name, text).
    """

    prefix: str
    suffix: str
    files: tuple[tuple[str, str], ...] = ()
    options: CompletionOptions = field(factory=CompletionOptions)
    extra: Mapping[str, object] = field(factory=dict)


def build_infill(
    request: InfillRequest,
    target: Target,
    *,
    stream: bool,
    options: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/infill``; ``options`` are those legal there."""
    body: dict[str, object] = {
        "input_prefix": request.prefix,
        "input_suffix": request.suffix,
    }
    if request.files:
        files = [{"filename": name, "text": text} for name, text in request.files]
        body["input_extra"] = files
    if options is None:
        from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp

        options = supported_options(request.options, LlamaCpp(), "infill").body
    body.update(options)
    if stream:
        body["stream"] = True
    # The caller's own members have the last word.
    body.update(request.extra)
    return HttpRequest(
        url=root_url(target, "/infill"),
        body=json_body(body),
        accept=EVENT_STREAM if stream else JSON,
        route="infill",
    )


def read_window(data: bytes) -> int | None:
    """Return the tokens a prompt and its answer may have, from ``/props``, ``/slots``.

    Both say it for one slot, which is what a request gets.
    """
    value = loads(data)
    if isinstance(value, list):
        value = value[0] if value else None
    elif isinstance(value, dict):
        # /props has the settings of a slot below this name, /slots lists the slots.
        value = value.get("default_generation_settings")
    window = number(value.get("n_ctx")) if isinstance(value, dict) else None
    return int(window) if window is not None and window >= 1 else None
