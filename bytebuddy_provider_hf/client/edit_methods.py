"""The roles edit and apply, as an opened entry offers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.client.attempts import CallSpec
from bytebuddy_provider_hf.client.call_log import ErrorLogging
from bytebuddy_provider_hf.client.call_options import merge_options
from bytebuddy_provider_hf.client.model_base import ModelBase, check_texts
from bytebuddy_provider_hf.client.pending_reply import PendingReply
from bytebuddy_provider_hf.client.plan import with_window_note
from bytebuddy_provider_hf.client.roles.apply import (
    ApplyRequest,
    apply_by_rules,
    apply_planner,
    model_cannot_apply,
)
from bytebuddy_provider_hf.client.roles.edit import EditRequest, edit_planner
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.prompts.edit import EditTask
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Done,
    Event,
    ReasoningEffort,
    Reply,
    Text,
)

# Characters from which on a merge would hold the event loop for a while.
_LARGE: Final = 50_000


class EditRoles(ModelBase):
    """What an opened entry offers for changing code."""

    def edit(
        self,
        code: str,
        instruction: str,
        *,
        prefix: str = "",
        suffix: str = "",
        path: str = "",
        language: str = "",
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Return the whole of ``code`` changed: a call as of ``chat``.

        The new code streams as text, without fences or preamble; ``reply.diff`` is the
        unified diff. An answer that was cut has no diff, and a note that says so.
        ``prefix`` and ``suffix`` are shown to the model and never changed. Raises
        ``UnsupportedRole`` when awaited or iterated.
        """
        check_texts(
            "edit",
            code=code,
            instruction=instruction,
            prefix=prefix,
            suffix=suffix,
            path=path,
            language=language,
        )
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        request = EditRequest(
            EditTask(code, instruction, prefix, suffix, path, language),
            merge_options(self._defaults, options, asked),
            template=self._templates.edit,
            extra=self._endpoint.extra,
        )
        question = with_window_note(edit_planner(request, self._model_info), options)
        return self._call(question, timeout, wait=wait, on_event=on_event)

    def apply(
        self,
        original: str,
        suggestion: str,
        *,
        path: str = "",
        language: str = "",
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Return ``original`` with ``suggestion`` worked in: a call as of ``chat``.

        A unified diff, markers of code left out ("… existing code …") or a whole file
        are placed by rule, and no model is asked; what is not certain goes to the
        model, whose answer is checked. Raises ``ApplyFailed``, which carries both
        texts, where a line would be lost, and ``UnsupportedRole``, when awaited or
        iterated.
        """
        check_texts(
            "apply",
            original=original,
            suggestion=suggestion,
            path=path,
            language=language,
        )
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        request = ApplyRequest(
            original,
            suggestion,
            merge_options(self._defaults, options, asked),
            path=path,
            language=language,
            template=self._templates.apply,
            extra=self._endpoint.extra,
        )
        question = with_window_note(apply_planner(request, self._model_info), options)
        spec = self._call_spec(
            question, timeout, wait=wait, on_event=on_event, part=True
        )
        return PendingReply(
            lambda: self._apply_by_model(request, spec),
            lambda: self._apply_events(request, spec),
            spec.reader_task,
        )

    @property
    def _defaults(self) -> CompletionOptions:
        """The entry's options, without stops made for chat: they would cut code."""
        return evolve(self._entry.default_completion_options, stop=None)

    async def _apply_by_model(self, request: ApplyRequest, spec: CallSpec) -> Reply:
        state = self._lease.state()
        found = await _try_rules(request)
        if isinstance(found, Reply):
            return evolve(found, model=self.model)
        with ErrorLogging(self._endpoint.target):
            try:
                return await call_loop.run(spec, state)
            except UnsupportedRole as refusal:
                failure = model_cannot_apply(request, found, refusal)
            raise failure

    async def _apply_events(
        self, request: ApplyRequest, spec: CallSpec
    ) -> AsyncGenerator[Event, None]:
        state = self._lease.state()
        with spec.reader_task:
            found = await _try_rules(request)
        if isinstance(found, Reply):
            yield Text(found.text)
            yield Done(evolve(found, model=self.model))
            return
        with ErrorLogging(self._endpoint.target):
            try:
                async with aclosing(call_loop.stream(spec, state)) as events:
                    async for event in events:
                        yield event
            except UnsupportedRole as refusal:
                failure = model_cannot_apply(request, found, refusal)
            else:
                return
            raise failure


async def _try_rules(request: ApplyRequest) -> Reply | tuple[str, ...]:
    """Place by rule, a large text beside the loop: it takes seconds."""
    if len(request.original) + len(request.suggestion) < _LARGE:
        return apply_by_rules(request)
    return await asyncio.to_thread(apply_by_rules, request)
