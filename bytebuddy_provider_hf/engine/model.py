"""The object a host holds: a model of the provider ``huggingfaceinferenceapi``."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from bytebuddy_provider_hf.config.model import ModelEntry, RequestOptions
from bytebuddy_provider_hf.contract.protocols import OnEvent, OpenContext
from bytebuddy_provider_hf.engine import asking, execute, passage
from bytebuddy_provider_hf.engine.call import PendingReply
from bytebuddy_provider_hf.engine.options import check, merged
from bytebuddy_provider_hf.engine.roles.chat import conversation
from bytebuddy_provider_hf.engine.roles.complete import check_prompt
from bytebuddy_provider_hf.engine.route import Route, route
from bytebuddy_provider_hf.engine.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.errors import InsecureEndpoint, InvalidOption
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.transport.credentials import Credential, credential_for
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Conversation,
    Event,
    Reply,
    Role,
    Tool,
)
from bytebuddy_provider_hf.wire import openai
from bytebuddy_provider_hf.wire.target import resolve

_log: Final = logging.getLogger("bytebuddy.huggingface")
_said: Final[set[str]] = set()


class HuggingFaceModel:
    """Call one model. Calls may run at once; ``aclose`` gives the connections back."""

    def __init__(self, entry: ModelEntry, way: Route, runtime: Runtime) -> None:
        self._entry = entry
        self._route = way
        self._lease = runtime.lease()
        self._notes = way.target.notices
        for notice in self._notes:
            _say_once(notice)

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self._entry.name

    @property
    def model(self) -> str:
        """The id of the model."""
        return self._entry.model

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the entry says the model is for."""
        return self._entry.roles

    @property
    def capabilities(self) -> frozenset[str]:
        """What the entry says the model can do beyond text."""
        return frozenset(self._entry.capabilities or ())

    def __repr__(self) -> str:
        return f"<HuggingFaceModel {self.name!r}: {self.model}>"

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
        tools: Sequence[Tool] = (),
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
        }
        request = openai.ChatRequest(
            messages=conversation(messages),
            options=merged(self._entry.default_completion_options, options, asked),
            tools=tuple(tools),
            extra=self._route.extra,
        )
        return self._call(
            asking.chat(request, self._route.target),
            timeout,
            wait=wait,
            on_event=on_event,
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
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Continue ``prompt`` as it stands; the rest is as for :meth:`chat`."""
        check_prompt(prompt)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "top_p": top_p,
            "top_k": top_k,
            "repetition_penalty": repetition_penalty,
            "stop": stop,
            "seed": seed,
        }
        request = openai.CompletionRequest(
            prompt=prompt,
            options=merged(self._entry.default_completion_options, options, asked),
            extra=self._route.extra,
        )
        return self._call(
            asking.completion(request, self._route.target),
            timeout,
            wait=wait,
            on_event=on_event,
        )

    async def aclose(self) -> None:
        """Give the connections back; the last model to do so closes them."""
        await self._lease.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def _call(
        self,
        question: asking.Question,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
    ) -> PendingReply:
        if timeout is not None:
            check("timeout", timeout)
        errand = passage.Errand(
            route=self._route,
            question=question,
            timeout=timeout or self._route.timeout,
            notes=self._notes,
            on_event=on_event,
            wait=wait,
        )

        def begin() -> Coroutine[object, object, Reply]:
            return execute.whole(errand, self._lease.state())

        def stream() -> AsyncGenerator[Event, None]:
            return execute.events(errand, self._lease.state())

        return PendingReply(begin, stream)


def open_entry(entry: ModelEntry, context: OpenContext) -> HuggingFaceModel:
    """Open an entry of the configuration: the factory that the plugin names.

    Raises what :func:`~bytebuddy_provider_hf.wire.target.resolve` and the look-up of
    the token raise; nothing is sent.
    """
    runtime = context.runtime
    if runtime is not None and not isinstance(runtime, Runtime):
        raise InvalidOption(
            f"This provider cannot use a {type(runtime).__name__} as its runtime.",
            hint="Pass a bytebuddy_provider_hf.engine.runtime.Runtime, or none.",
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
    return _open(entry, variables, state_dir or Path.home() / ".bytebuddy", runtime)


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
    way = route(target, credential, entry.request_options, env=env)
    return HuggingFaceModel(entry, way, runtime or shared_runtime)


def _say_once(notice: str) -> None:
    if notice not in _said:
        _said.add(notice)
        _log.warning(notice)
