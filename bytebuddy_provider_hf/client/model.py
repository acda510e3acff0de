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
from bytebuddy_provider_hf.texts import option_name, text
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

        Args:
            messages: The conversation: a text is one user turn; else ``Message``s
                or OpenAI's mappings, the oldest first.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            temperature: Randomness from 0 (the likeliest token) to 2. As with all
                options, ``None`` is the entry's value, else the server's.
            max_tokens: The most tokens to write, 1 or more.
            top_p: Draw among the likeliest tokens that have this share, 0 to 1.
            top_k: Draw among so many of the likeliest tokens; 0 is all.
            repetition_penalty: Above 1 makes what was said less likely; 1 is off.
            stop: Texts that end the answer, of at most 200 characters each.
            seed: Same seed, same answer, where the server keeps to it.
            reasoning_effort: How much to reason: none, minimal, low, medium, high,
                xhigh or max.
            n: How many answers, 1 to 128; they are in ``reply.choices``.
            logprobs: So many alternatives for each token, with their probabilities;
                0 is the token's own alone.
            tools: What the model may call: ``Tool``s, OpenAI's mappings, or
                functions.
            tool_choice: auto, none, required, or the name of the one tool to call.
            parallel_tool_calls: Whether several may be called at once.
            response_format: "json", a JSON schema, or OpenAI's ``response_format``.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed: at once.
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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
        """Continue ``prompt`` as it stands: a call as of :meth:`chat`.

        No template is applied.

        Args:
            prompt: The text to continue.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            temperature: Randomness from 0 (the likeliest token) to 2. As with all
                options, ``None`` is the entry's value, else the server's.
            max_tokens: The most tokens to write, 1 or more.
            top_p: Draw among the likeliest tokens that have this share, 0 to 1.
            top_k: Draw among so many of the likeliest tokens; 0 is all.
            repetition_penalty: Above 1 makes what was said less likely; 1 is off.
            stop: Texts that end the answer, of at most 200 characters each.
            seed: Same seed, same answer, where the server keeps to it.
            reasoning_effort: How much to reason: none, minimal, low, medium, high,
                xhigh or max.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed: at once.
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
        """
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
        """Return what belongs between two texts: a call as of :meth:`chat`.

        The model is asked in the way it was trained on: by its infilling tokens, by
        llama.cpp's own route, by instruction, or, where it knows none, by continuing
        the prefix; ``reply.notes`` says so.

        Args:
            prefix: The code before the cursor.
            suffix: The code after the cursor.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            repository: The repository's name, for the model.
            files: Others of the repository as (path, text), the most useful last.
            multiline: Without it the answer ends with its line.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            temperature: Randomness from 0 (the likeliest token) to 2. As with all
                options, ``None`` is the entry's value, else the server's.
            max_tokens: The most tokens to write, 1 or more.
            stop: Texts that end the answer, of at most 200 characters each.
            seed: Same seed, same answer, where the server keeps to it.
            reasoning_effort: How much to reason: none, minimal, low, medium, high,
                xhigh or max.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed: at once.
            UnsupportedRole: The server cannot, when awaited or iterated.
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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
        """Return the whole of ``code`` changed: a call as of :meth:`chat`.

        A stream tells its ``Progress``; the new code comes as one ``Text`` when it was
        judged. ``reply.diff`` is the unified diff. An answer that was cut has no diff,
        and a note that says so.

        Args:
            code: The code to change.
            instruction: What to change, in words.
            prefix: The code before it, shown to the model and not changed.
            suffix: The code after it, likewise.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            doubts: "raise" makes a doubtful change an error; with "return" the
                reply has its ``doubts``.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            temperature: Randomness from 0 (the likeliest token) to 2. As with all
                options, ``None`` is the entry's value, else the server's.
            max_tokens: The most tokens to write, 1 or more.
            stop: Texts that end the answer, of at most 200 characters each.
            seed: Same seed, same answer, where the server keeps to it.
            reasoning_effort: How much to reason: none, minimal, low, medium, high,
                xhigh or max.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed: at once.
            EditDoubtful: Code may be lost by the change, unless ``doubts`` is
                "return".
            ResponseError: The answer is no code of the file.
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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
        return self._pending(planner, spec, call_loop.run, edit.stream)

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
        """Return ``original`` with ``suggestion`` worked in: a call as of :meth:`chat`.

        A unified diff, markers of code left out ("… existing code …") or a whole file
        are placed by rule, and no model is asked; what is not certain goes to the
        model, whose answer is checked.

        Args:
            original: The text to change.
            suggestion: The change: a diff, code with markers of what is left out,
                or a whole file.
            path: The file's path in its repository, for the model.
            language: Its programming language; by default that of the path.
            doubts: "raise" makes a doubtful change an error; with "return" the
                reply has its ``doubts``.
            options: How to generate, in one object; a keyword of the same name
                outranks it.
            temperature: Randomness from 0 (the likeliest token) to 2. As with all
                options, ``None`` is the entry's value, else the server's.
            max_tokens: The most tokens to write, 1 or more.
            seed: Same seed, same answer, where the server keeps to it.
            reasoning_effort: How much to reason: none, minimal, low, medium, high,
                xhigh or max.
            timeout: Seconds for the whole call, waiting included; by default the
                entry's, else 600.
            wait: Without it, a model that is not ready is an error at once.
            on_event: Called where the call is awaited: with ``Loading`` and
                ``BudgetAlert`` while it waits, then, where it gives a ``Reply``, with
                the events of the answer, ``Done`` the last. It must not block.
            session: A name of at most 256 printable ASCII characters: the calls of
                a conversation go to one provider, for its cache.
            cache: What is done with kept answers, in place of the entry: off, on,
                all, read_only or write_only.

        Raises:
            InvalidOption: An argument is out of its range or malformed: at once.
            ApplyFailed: A line would be lost; the error carries both texts.
            EditDoubtful: A line may be lost, unless ``doubts`` is "return".
            ByteBuddyError: Any of them when awaited or iterated, as
                docs/failures.md lists.
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
        return self._pending(planner, spec, apply.run, apply.stream)

    def _edit_options(
        self, options: CompletionOptions | None, asked: Mapping[str, object]
    ) -> CompletionOptions:
        """Return the options without the entry's stops: they are for chat."""
        defaults = evolve(self._entry.default_completion_options, stop=None)
        return merge_options(defaults, options, asked)


def _window_notes(options: CompletionOptions | None) -> tuple[Note, ...]:
    """Return the note that the window which a call names is not looked at."""
    if options is None or options.context_length is None:
        return ()
    told = text("calls.context_length_unused", key=option_name("context_length"))
    return (Note(told, "contextLength"),)
