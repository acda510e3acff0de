"""Open a model: from an entry of the configuration, or from an id alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.endpoint import endpoint_for
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import cache_folder, user_folder
from bytebuddy_provider_hf.config.values import (
    CacheMode,
    CacheOptions,
    ModelEntry,
    RequestOptions,
)
from bytebuddy_provider_hf.errors import InsecureEndpoint, InvalidOption
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import Credential, credential_for
from bytebuddy_provider_hf.types import CompletionOptions, Role


def open_entry(entry: ModelEntry, context: OpenContext) -> HuggingFaceModel:
    """Open an entry of the configuration: the factory that the plugin names.

    Raises what :func:`~bytebuddy_provider_hf.address.resolve` and the look-up of
    the token raise; nothing is sent.
    """
    runtime = context.runtime
    if runtime is not None and not isinstance(runtime, Runtime):
        raise InvalidOption(
            text("calls.this_provider_cannot_use", name=type(runtime).__name__),
            hint=text("calls.pass_a_bytebuddy_provider_hf_client"),
        )
    return _open(entry, context.env, context.state_dir, runtime, context.cache_dir)


def open_model(
    model: str,
    *,
    api_key: str | Secret | None = None,
    api_base: str | None = None,
    name: str | None = None,
    roles: Sequence[Role] = (Role.CHAT,),
    options: CompletionOptions | None = None,
    request_options: RequestOptions | None = None,
    runtime: Runtime | None = None,
    env: Mapping[str, str] | None = None,
    state_dir: Path | None = None,
    cache: CacheOptions | CacheMode | None = None,
    cache_dir: Path | None = None,
) -> HuggingFaceModel:
    """Open a model without a configuration file.

    Without ``api_key`` a token is looked up as for an entry. ``cache`` says which
    answers are kept, in ``cache_dir``: none by default. Raises ``InvalidOption`` for
    what is no such word. Close the model with
    ``aclose`` or use it in an ``async with`` block.
    """
    secret = Secret(api_key.strip()) if isinstance(api_key, str) else api_key
    variables = Environment(os.environ if env is None else env)
    del api_key, env  # a traceback with locals shows what this frame still holds
    entry = ModelEntry(
        name=name or model,
        provider=PROVIDER,
        model=model,
        api_key=secret,
        api_base=api_base,
        roles=tuple(roles),
        default_completion_options=options or CompletionOptions(),
        request_options=request_options or RequestOptions(),
        api_key_origin=None if secret is None else "api_key",
        cache=_cache_options(cache),
    )
    return _open(
        entry,
        variables,
        state_dir or user_folder(home_folder()),
        runtime,
        cache_dir or cache_folder(variables, home_folder()),
    )


def _cache_options(cache: object) -> CacheOptions | None:
    if cache is None or isinstance(cache, CacheOptions):
        return cache
    modes = {mode: CacheOptions(mode) for mode in get_args(CacheMode)}
    if not isinstance(cache, str) or cache not in modes:
        raise InvalidOption(text("cache.mode_wrong", value=f"{cache!r:.60}"))
    return modes[cache]


def _open(
    entry: ModelEntry,
    env: Mapping[str, str],
    state_dir: Path,
    runtime: Runtime | None,
    cache_dir: Path,
) -> HuggingFaceModel:
    target = resolve(entry.model, entry.api_base)
    explicit = None
    if entry.api_key:
        explicit = Credential(entry.api_key, entry.api_key_origin or "apiKey")
    credential = credential_for(target, explicit=explicit, env=env, state_dir=state_dir)
    if entry.request_options.headers and not target.secure:
        raise InsecureEndpoint(
            text("calls.configured_headers_would_travel", origin=target.origin),
            hint=text("calls.write_the_apibase_with_https_plain"),
        )
    endpoint = endpoint_for(
        target, credential, entry.request_options, env=env, bill_to=entry.bill_to
    )
    return HuggingFaceModel(
        entry, endpoint, runtime or shared_runtime, cache_dir=cache_dir
    )
