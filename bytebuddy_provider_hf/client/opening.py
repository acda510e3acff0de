"""Open a model: from an entry of the configuration, or from an id alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from attrs import evolve

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.endpoint import (
    Endpoint,
    MeterOptions,
    endpoint_for,
)
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime, defaults
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import cache_folder, user_folder
from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    AutocompleteOptions,
    Budget,
    CacheMode,
    CacheOptions,
    EmbedOptions,
    ModelEntry,
    PromptTemplates,
    RequestOptions,
)
from bytebuddy_provider_hf.errors import InsecureEndpoint, InvalidOption
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import (
    Credential,
    Place,
    credential_for,
    header_credential,
    refuse_placeholder,
)
from bytebuddy_provider_hf.types import CompletionOptions, Role

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.fallbacks import Fallback


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
    metering = None
    if context.ledger or entry.budgets:
        # A budget cannot be held without a count.
        metering = MeterOptions(context.state_dir, entry.budgets, context.alerts)
    notices: tuple[str, ...] = ()
    others: list[Fallback] = []
    models = context.models
    if entry.fallbacks and models is None:
        notices = (text("fallbacks.no_registry"),)
    elif models is not None and entry.fallbacks:
        from bytebuddy_provider_hf.client.fallbacks import Fallback

        names = [name for name in entry.fallbacks if name != entry.name]
        others = [Fallback(name, partial(models, name)) for name in names]
    return _open(
        entry,
        context.env,
        context.state_dir,
        runtime,
        cache_dir=context.cache_dir,
        metering=metering,
        fallbacks=others,
        notices=notices,
    )


def open_model(
    model: str,
    *,
    api_key: str | Secret | None = None,
    api_base: str | None = None,
    name: str | None = None,
    roles: Sequence[Role] = (Role.CHAT,),
    capabilities: Sequence[str] | None = None,
    context_length: int | None = None,
    family: str | None = None,
    options: CompletionOptions | None = None,
    request_options: RequestOptions | None = None,
    embed_options: EmbedOptions | None = None,
    prompt_templates: PromptTemplates | None = None,
    autocomplete_options: AutocompleteOptions | None = None,
    bill_to: str | None = None,
    runtime: Runtime | None = None,
    env: Mapping[str, str] | None = None,
    state_dir: Path | None = None,
    ledger: bool = False,
    budgets: Sequence[Budget] = (),
    alerts: AlertOptions | None = None,
    cache: CacheOptions | CacheMode | None = None,
    cache_dir: Path | None = None,
    fallbacks: Sequence[Model] = (),
    fallback_after: float | None = None,
) -> HuggingFaceModel:
    """Open a model without a configuration file; nothing is sent.

    Close it with ``aclose``, or use it in an ``async with`` block.

    Args:
        model: The id of the model on the Hub, such as org/name; behind the router a
            provider may follow, as in org/name:groq.
        api_key: The token. Without it one is looked up as for an entry: in HF_TOKEN and
            other variables, then what a login stored.
        api_base: The address of the server; by default Hugging Face's router.
        name: What the model is called in messages; by default its id.
        roles: What it is used for, as an entry says it.
        capabilities: What it can do beyond text: tool_use, image_input. ``None`` says
            nothing; in a list, what is missing is refused before it is sent.
        context_length: The tokens that it reads; by default what the server tells.
        family: Whose templates it was trained on, such as qwen2.5-coder; by default
            that of its id.
        options: How to generate where a call does not say.
        request_options: How requests travel: time limits, proxy, certificates.
        embed_options: How texts are batched for ``embed``, and what stands before them.
        prompt_templates: Templates in place of the built-in ones.
        autocomplete_options: How ``fill`` uses what surrounds the cursor.
        bill_to: Who pays: an organization, or one of its resource groups. By default
            HF_BILL_TO, else the token's owner.
        runtime: Whose connections to use; by default those that all models share.
        env: The variables to use in place of the process's.
        state_dir: Where calls are counted and a login is found; by default
            ``~/.bytebuddy``.
        ledger: Count its calls, as those of a configured model are.
        budgets: What may be used up. Its calls are counted then.
        alerts: What is run when a part of a budget is used up.
        cache: Which answers are kept: "off" (the default), "on" for those that a server
            would repeat, "all", or ``CacheOptions``.
        cache_dir: Where they are kept; by default the user's folder for caches.
        fallbacks: Opened models of any provider that are asked in turn where this one
            fails; they stay the caller's to close.
        fallback_after: The seconds of a cold start after which they are asked, too; 30
            if not given.

    Raises:
        InvalidOption: A parameter is none of these.
        InvalidModelId: ``model`` is no id.
        InvalidEndpoint: ``api_base`` is no http or https address.
        InsecureEndpoint: The token would travel over plain http to another machine.
        MissingToken: The endpoint needs a token, and none was found.
    """
    given: dict[str, object] = {
        "capabilities": capabilities,
        "context_length": context_length,
        "family": family,
        "embed_options": embed_options,
        "prompt_templates": prompt_templates,
        "autocomplete_options": autocomplete_options,
        "bill_to": bill_to,
    }
    given = {key: value for key, value in given.items() if value is not None}
    if given:
        check_kinds(given)
    others: list[Fallback] = []
    if fallbacks:
        # Imported where there are some: they need all of the protocols.
        from bytebuddy_provider_hf.client.fallbacks import Fallback

        others = [Fallback.of(each) for each in fallbacks]
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
        fallback_after=fallback_after,
        capabilities=None if capabilities is None else tuple(capabilities),
        context_length=context_length,
        family=family,
        embed_options=embed_options,
        prompt_templates=prompt_templates,
        autocomplete_options=autocomplete_options,
        bill_to=bill_to,
    )
    folder = state_dir or user_folder(home_folder())
    return _open(
        entry,
        variables,
        folder,
        runtime,
        cache_dir=cache_dir or cache_folder(variables, home_folder()),
        metering=MeterOptions(folder, tuple(budgets), alerts)
        if ledger or budgets
        else None,
        fallbacks=others,
    )


def check_kinds(given: Mapping[str, object]) -> None:
    """Raise ``InvalidOption`` unless each is as the entry declares it."""
    # Asked for by few: reading what classes declare takes a millisecond.
    from typing import get_type_hints

    from bytebuddy_provider_hf.plugins.value_check import wrong_part

    declared = get_type_hints(ModelEntry)
    for key, value in given.items():
        wrong = wrong_part(value, declared[key], key)
        if wrong is not None:
            raise InvalidOption(
                text("calls.parameter_wrong", place=wrong[0], kind=wrong[1])
            )
    if isinstance(window := given.get("context_length"), int) and window < 1:
        raise InvalidOption(text("calls.context_length_wrong", value=window))


def _cache_options(cache: object) -> CacheOptions | None:
    if cache is None or isinstance(cache, CacheOptions):
        return cache
    modes = {mode: CacheOptions(mode) for mode in get_args(CacheMode)}
    if not isinstance(cache, str) or cache not in modes:
        raise InvalidOption(text("cache.mode_wrong", value=f"{cache!r:.60}"))
    return modes[cache]


def endpoint_of(
    entry: ModelEntry,
    *,
    env: Mapping[str, str],
    state_dir: Path,
    notices: tuple[str, ...] = (),
) -> Endpoint:
    """Return where calls of an entry go, and with what; nothing is asked.

    Raises what opening the entry would.
    """
    target = resolve(entry.model, entry.api_base)
    if notices:
        target = evolve(target, notices=(*target.notices, *notices))
    explicit = None
    if entry.api_key:
        explicit = Credential(
            entry.api_key,
            entry.api_key_origin or "apiKey",
            cast("Place", entry.api_key_place or "argument"),
        )
    credential = credential_for(target, explicit=explicit, env=env, state_dir=state_dir)
    if entry.request_options.headers and not target.secure:
        raise InsecureEndpoint(
            text("calls.configured_headers_would_travel", origin=target.origin),
            hint=text("calls.write_the_apibase_with_https_plain"),
        )
    return endpoint_for(
        target, credential, entry.request_options, env=env, bill_to=entry.bill_to
    )


def _open(
    entry: ModelEntry,
    env: Mapping[str, str],
    state_dir: Path,
    runtime: Runtime | None,
    *,
    cache_dir: Path,
    metering: MeterOptions | None,
    fallbacks: Sequence[Fallback] = (),
    notices: tuple[str, ...] = (),
) -> HuggingFaceModel:
    endpoint = endpoint_of(entry, env=env, state_dir=state_dir, notices=notices)
    # Not above: doctor tells of it in its own way, and takes the line out.
    refuse_placeholder(endpoint.target, endpoint.credential)
    written = header_credential(entry.request_options.headers)
    refuse_placeholder(endpoint.target, written)
    runtime = runtime or defaults.runtime
    if not fallbacks:
        return HuggingFaceModel(
            entry, endpoint, runtime, metering=metering, cache_dir=cache_dir
        )
    from bytebuddy_provider_hf.client.fallbacks import ModelWithFallbacks

    return ModelWithFallbacks(
        entry, endpoint, runtime, fallbacks, metering=metering, cache_dir=cache_dir
    )
