"""The object a host holds: a model of the provider ``huggingfaceinferenceapi``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from bytebuddy_provider_hf.client.endpoint import Endpoint, MeterOptions
from bytebuddy_provider_hf.client.model_base import check_doubts, check_texts
from bytebuddy_provider_hf.client.notices import log_once
from bytebuddy_provider_hf.client.request import merge_options
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.scoring_methods import ScoringRoles
from bytebuddy_provider_hf.config.values import AutocompleteOptions, ModelEntry
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.tools import as_tools
from bytebuddy_provider_hf.types import (
    CacheUse,
    CompletionOptions,
    Conversation,
    DoubtMode,
    ImagePart,
    ReasoningEffort,
    ResponseFormat,
    ToolLike,
)
from bytebuddy_provider_hf.wire.notes import Note

if TYPE_CHECKING:
    from bytebuddy_provider_hf.wire.openai import ChatRequest

_NO_LIMITS: Final = AutocompleteOptions()


class HuggingFaceModel(ScoringRoles):
    """Call one model. Calls may run at once; ``aclose`` gives the connections back."""

    def __init__(
        self,
        entry: ModelEntry,
        endpoint: Endpoint,
        runtime: Runtime,
        *,
        metering: MeterOptions | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        super().__init__(
            entry, endpoint, runtime, metering=metering, cache_dir=cache_dir
        )
        # A host opens the same entry many times: once is enough for its log.
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
        tools: Sequence[ToolLike] = (),
        tool_choice: str | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: ResponseFormat | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        """Answer a conversation: await it for a ``Reply``, or enter it for events.

        ``timeout`` is seconds for the whole call; without ``wait`` a model that is
        not ready is an error at once. Calls of one ``session`` go to the provider
        that answered first, where the router picks it. ``cache`` says what is done
        with kept answers, in place of the entry. Raises ``InvalidOption`` at once,
        and any ``ByteBuddyError`` when awaited or iterated.
        """
        from bytebuddy_provider_hf.client.roles.chat import ChatPlanner, ChatRequest
        from bytebuddy_provider_hf.prompts.messages import read_messages

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
        request = ChatRequest(
            messages=read_messages(messages),
            options=merge_options(
                self._entry.default_completion_options, options, asked
            ),
            tools=as_tools(tools),
            extra=self._endpoint.extra,
            logprobs=logprobs,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            response_format=response_format,
        )
        # An entry without a list says nothing about its model: all may be tried.
        if self._entry.capabilities is not None:
            self._check_capable(request, self._entry.capabilities)
        info = self._model_info if options is None else self._model_info_for(options)
        planner = ChatPlanner(
            request.options, request, info, asks_hub=info.family is None
        )
        return self._call(
            planner,
            timeout,
            wait=wait,
            on_event=on_event,
            session=session,
            cache=cache,
        )

    def _check_capable(self, request: ChatRequest, listed: Sequence[str]) -> None:
        """Refuse what the capabilities of the entry do not list."""
        # Told before it is sent: most servers drop what they cannot read in silence.
        pictures = any(
            isinstance(part, ImagePart)
            for message in request.messages
            if not isinstance(message.content, str)
            for part in message.content
        )
        for needed, asked in (("tool_use", request.tools), ("image_input", pictures)):
            if asked and needed not in listed:
                raise UnsupportedRole(
                    text(
                        "calls.entry_lists_what_its_model_is_capable",
                        name=self.name,
                        needed=needed,
                    ),
                    hint=text("calls.add_to_its_capabilities_or_take", needed=needed),
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
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        """Continue ``prompt`` as it stands; the rest is as for :meth:`chat`."""
        from bytebuddy_provider_hf.client.plan import CompletionPlanner
        from bytebuddy_provider_hf.wire.openai import CompletionRequest

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
        request = CompletionRequest(
            prompt=prompt,
            options=merge_options(
                self._entry.default_completion_options, options, asked
            ),
            extra=self._endpoint.extra,
        )
        planner = CompletionPlanner(
            request.options,
            request,
            self._endpoint.target,
            notes=_window_notes(options),
        )
        return self._call(
            planner,
            timeout,
            wait=wait,
            on_event=on_event,
            session=session,
            cache=cache,
        )

    def fill(
        self,
        prefix: str,
        suffix: str = "",
        *,
        path: str = "",
        language: str = "",
        repository: str = "",
        files: Sequence[tuple[str, str]] = (),
        multiline: bool = True,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        """Return what belongs between ``prefix`` and ``suffix``: a call as of ``chat``.

        The model is asked in the way it was trained on: by its infilling tokens, by
        llama.cpp's own route, by instruction, or, where it knows none, by continuing
        the prefix; ``reply.notes`` says so. ``files`` are (path, text) of the same
        repository, the most useful last. Without ``multiline`` the answer ends with
        its line. Raises ``UnsupportedRole`` when awaited or iterated.
        """
        from bytebuddy_provider_hf.client.roles.fill import FillPlanner, fill_defaults
        from bytebuddy_provider_hf.prompts.fill_context import FillContext

        check_texts(
            "fill",
            prefix=prefix,
            suffix=suffix,
            path=path,
            language=language,
            repository=repository,
        )
        for name, content in files:
            check_texts("fill", path=name, file=content)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        defaults = self._entry.default_completion_options
        planner = FillPlanner(
            fill_defaults(merge_options(defaults, options, asked), multiline=multiline),
            FillContext(prefix, suffix, path, language, repository, tuple(files)),
            self._model_info_for(options),
            multiline=multiline,
            template=self._templates.autocomplete,
            limits=self._entry.autocomplete_options or _NO_LIMITS,
            extra=self._endpoint.extra,
            asks_hub=self._model_info.family is None
            and not self._templates.autocomplete,
        )
        return self._call(
            planner,
            timeout,
            wait=wait,
            on_event=on_event,
            session=session,
            cache=cache,
        )

    def edit(
        self,
        code: str,
        instruction: str,
        *,
        prefix: str = "",
        suffix: str = "",
        path: str = "",
        language: str = "",
        doubts: DoubtMode = "raise",
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        """Return the whole of ``code`` changed: a call as of ``chat``.

        A stream tells its ``Progress``; the new code comes as one ``Text`` when it was
        judged. ``reply.diff`` is the unified diff. An answer that was cut has no diff,
        and a note that says so. ``prefix`` and ``suffix`` are shown to the model and
        never changed.

        When awaited or iterated it raises ``UnsupportedRole``, ``ResponseError`` for an
        answer that is no code of the file, and ``EditDoubtful`` for one by which code
        may be lost; where ``doubts`` is "return" the reply has its ``doubts`` instead.
        """
        from bytebuddy_provider_hf.client import call_loop
        from bytebuddy_provider_hf.client.roles import edit
        from bytebuddy_provider_hf.prompts.edit import EditTask

        check_texts(
            "edit",
            code=code,
            instruction=instruction,
            prefix=prefix,
            suffix=suffix,
            path=path,
            language=language,
        )
        check_doubts(doubts)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        planner = edit.EditPlanner(
            edit.raise_max_tokens(self._edit_options(options, asked), code),
            EditTask(code, instruction, prefix, suffix, path, language),
            self._model_info,
            template=self._templates.edit,
            extra=self._endpoint.extra,
            doubts=doubts,
            notes=_window_notes(options),
            asks_hub=self._model_info.family is None,
        )
        spec = self._call_spec(
            timeout, wait=wait, on_event=on_event, session=session, cache=cache
        )
        return PendingReply(
            lambda: call_loop.run(planner, spec, self._lease.state()),
            lambda: edit.stream(planner, spec, self._lease.state()),
            spec.reader_task,
        )

    def apply(
        self,
        original: str,
        suggestion: str,
        *,
        path: str = "",
        language: str = "",
        doubts: DoubtMode = "raise",
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
        session: str | None = None,
        cache: CacheUse | None = None,
    ) -> PendingReply:
        """Return ``original`` with ``suggestion`` worked in: a call as of ``chat``.

        A unified diff, markers of code left out ("… existing code …") or a whole file
        are placed by rule, and no model is asked; what is not certain goes to the
        model, whose answer is checked. Raises ``ApplyFailed``, which carries both
        texts, where a line would be lost, ``EditDoubtful`` where one may be, unless
        ``doubts`` is "return", and ``UnsupportedRole``, when awaited or iterated.
        """
        from bytebuddy_provider_hf.client.roles import apply, edit
        from bytebuddy_provider_hf.prompts.edit import EditTask

        check_texts(
            "apply",
            original=original,
            suggestion=suggestion,
            path=path,
            language=language,
        )
        check_doubts(doubts)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        planner = apply.ApplyPlanner(
            edit.raise_max_tokens(
                self._edit_options(options, asked), original + suggestion
            ),
            EditTask(original, suggestion, path=path, language=language),
            self._model_info,
            template=self._templates.apply,
            extra=self._endpoint.extra,
            doubts=doubts,
            notes=_window_notes(options),
            asks_hub=self._model_info.family is None,
        )
        spec = self._call_spec(
            timeout,
            wait=wait,
            on_event=on_event,
            part=True,
            session=session,
            cache=cache,
        )
        return PendingReply(
            lambda: apply.run(planner, spec, self._lease.state()),
            lambda: apply.stream(planner, spec, self._lease.state()),
            spec.reader_task,
        )

    def _edit_options(
        self, options: CompletionOptions | None, asked: Mapping[str, object]
    ) -> CompletionOptions:
        """Return the options without the entry's stops: they are for chat."""
        defaults = evolve(self._entry.default_completion_options, stop=None)
        return merge_options(defaults, options, asked)


def _window_notes(options: CompletionOptions | None) -> tuple[Note, ...]:
    """Return the note that the window which a call names is not looked at."""
    named = options is not None and options.context_length is not None
    key = "contextLength"
    return (Note(text("calls.context_length_unused", key=key), key),) if named else ()
