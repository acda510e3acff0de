"""The object a host holds: a model of the provider ``huggingfaceinferenceapi``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client import plan
from bytebuddy_provider_hf.client.call_options import merge_options
from bytebuddy_provider_hf.client.edit_methods import EditRoles
from bytebuddy_provider_hf.client.endpoint import Endpoint, endpoint_for
from bytebuddy_provider_hf.client.fill_methods import FillRole
from bytebuddy_provider_hf.client.model_base import check_texts
from bytebuddy_provider_hf.client.notices import log_once
from bytebuddy_provider_hf.client.pending_reply import PendingReply
from bytebuddy_provider_hf.client.roles.chat import chat_planner
from bytebuddy_provider_hf.client.roles.conversation import conversation
from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.client.scoring_methods import ScoringRoles
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.values import ModelEntry, RequestOptions
from bytebuddy_provider_hf.errors import (
    InsecureEndpoint,
    InvalidOption,
    UnsupportedRole,
)
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OnEvent, OpenContext
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.transport.credentials import Credential, credential_for
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Conversation,
    ImagePart,
    ReasoningEffort,
    ResponseFormat,
    Role,
    Tool,
)
from bytebuddy_provider_hf.wire import openai


class HuggingFaceModel(FillRole, EditRoles, ScoringRoles):
    """Call one model. Calls may run at once; ``aclose`` gives the connections back."""

    def __init__(self, entry: ModelEntry, endpoint: Endpoint, runtime: Runtime) -> None:
        super().__init__(entry, endpoint, runtime)
        for notice in self._notes:
            log_once(notice)

    def chat(
        self,
        messages: Conversation,
        *,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        n: int | None = None,
        logprobs: int | None = None,
        tools: Sequence[Tool] = (),
        tool_choice: str | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: ResponseFormat | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Answer a conversation: await it for a ``Reply``, or enter it for events.

        ``timeout`` is seconds for the whole call; without ``wait`` a model that is
        not ready is an error at once. Raises ``InvalidOption`` at once,
        and any ``ByteBuddyError`` when awaited or iterated.
        """
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "top_p": top_p,
            "top_k": top_k,
            "repetition_penalty": repetition_penalty,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
            "n": n,
        }
        request = openai.ChatRequest(
            messages=conversation(messages),
            options=merge_options(
                self._entry.default_completion_options, options, asked
            ),
            tools=tuple(tools),
            extra=self._endpoint.extra,
            logprobs=logprobs,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            response_format=response_format,
        )
        self._check_capable(request)
        question = chat_planner(request, self._talker_for(options))
        return self._call(question, timeout, wait=wait, on_event=on_event)

    def _check_capable(self, request: openai.ChatRequest) -> None:
        """Refuse what the entry, if it lists capabilities, does not list."""
        listed = self._entry.capabilities
        if listed is None:
            return
        pictures = any(
            isinstance(part, ImagePart)
            for message in request.messages
            if not isinstance(message.content, str)
            for part in message.content
        )
        for needed, asked in (("tool_use", request.tools), ("image_input", pictures)):
            if asked and needed not in listed:
                raise UnsupportedRole(
                    f"The entry '{self.name}' lists what its model is capable of, and "
                    f"{needed} is not among it.",
                    hint=f"Add {needed} to its capabilities, or take another model.",
                )

    def complete(
        self,
        prompt: str,
        *,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Continue ``prompt`` as it stands; the rest is as for :meth:`chat`."""
        check_texts("complete", prompt=prompt)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "top_p": top_p,
            "top_k": top_k,
            "repetition_penalty": repetition_penalty,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        request = openai.CompletionRequest(
            prompt=prompt,
            options=merge_options(
                self._entry.default_completion_options, options, asked
            ),
            extra=self._endpoint.extra,
        )
        planner = plan.completion_planner(request, self._endpoint.target)
        planner = plan.with_window_note(planner, options)
        return self._call(planner, timeout, wait=wait, on_event=on_event)


def open_entry(entry: ModelEntry, context: OpenContext) -> HuggingFaceModel:
    """Open an entry of the configuration: the factory that the plugin names.

    Raises what :func:`~bytebuddy_provider_hf.address.resolve` and the look-up of
    the token raise; nothing is sent.
    """
    runtime = context.runtime
    if runtime is not None and not isinstance(runtime, Runtime):
        raise InvalidOption(
            f"This provider cannot use a {type(runtime).__name__} as its runtime.",
            hint="Pass a bytebuddy_provider_hf.client.runtime.Runtime, or none.",
        )
    return _open(entry, context.env, context.state_dir, runtime)


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
) -> HuggingFaceModel:
    """Open a model without a configuration file.

    Without ``api_key`` a token is looked up as for an entry. Close the model with
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
    )
    return _open(entry, variables, state_dir or home_folder() / ".bytebuddy", runtime)


def _open(
    entry: ModelEntry,
    env: Mapping[str, str],
    state_dir: Path,
    runtime: Runtime | None,
) -> HuggingFaceModel:
    target = resolve(entry.model, entry.api_base)
    explicit = None
    if entry.api_key:
        explicit = Credential(entry.api_key, entry.api_key_origin or "apiKey")
    credential = credential_for(target, explicit=explicit, env=env, state_dir=state_dir)
    if entry.request_options.headers and not target.secure:
        raise InsecureEndpoint(
            f"The configured headers would travel unencrypted to {target.origin}.",
            hint="Write the apiBase with https://; plain http is for this machine.",
        )
    endpoint = endpoint_for(target, credential, entry.request_options, env=env)
    return HuggingFaceModel(entry, endpoint, runtime or shared_runtime)
