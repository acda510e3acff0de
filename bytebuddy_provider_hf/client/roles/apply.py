"""The role apply: a suggestion placed in a text, by rule first, by the model last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from attrs import define, evolve, field

from bytebuddy_provider_hf.client import call_loop
from bytebuddy_provider_hf.client.call_log import ErrorLogging
from bytebuddy_provider_hf.client.endpoint import CallSpec
from bytebuddy_provider_hf.client.roles import edit
from bytebuddy_provider_hf.client.roles.by_rule import place_by_rule
from bytebuddy_provider_hf.client.roles.edit import CodePlanner
from bytebuddy_provider_hf.client.runtime import LoopState
from bytebuddy_provider_hf.edits.judging.judge import judge_answer
from bytebuddy_provider_hf.errors import ApplyFailed, UnsupportedRole
from bytebuddy_provider_hf.prompts import edit as prompts
from bytebuddy_provider_hf.prompts.edit import EditPrompt
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Done, Event, Message, Reply, Text

# Characters from which on a merge would hold the event loop for a while.
_LARGE: Final = 50_000


@define
class ApplyPlanner(CodePlanner):
    """Have a model place what no rule could; ``task.instruction`` is the suggestion.

    Its answer is judged: where the suggestion does not explain a change of it,
    ``ApplyFailed`` carries both texts.
    """

    role: str = field(default="apply", init=False)
    doing = "apply a change"

    def prompt(self) -> EditPrompt:
        """Return the instruction, in the configured words if there are any."""
        original, suggestion = self.task.code, self.task.instruction
        if self.template is not None:
            asked = prompts.render_apply_template(self.template, original, suggestion)
            return EditPrompt((Message("user", asked),), "", "")
        return prompts.apply_messages(
            original, suggestion, path=self.task.path, language=self.task.language
        )

    def judge(self, reply: Reply) -> Reply:
        """Return the reply with its diff, or raise what is wrong with it.

        That is ``ApplyFailed`` for a change that the suggestion does not explain, and
        ``EditDoubtful`` for one that somebody should look at.
        """
        task = self.task
        if reply.finish_reason == "length":
            raise self.failed(
                text("roles.apply_cut"),
                hint=text("roles.apply_cut_hint"),
                partial=reply.text,
            )
        verdict = judge_answer(
            task.code,
            task.instruction,
            reply.text,
            path=task.path,
            language=task.language,
        )
        if verdict.text is None:
            raise self.failed(
                verdict.message,
                hint=text("roles.not_explained_hint"),
                partial=reply.text,
                unplaced=verdict.lines,
            )
        return self.decided(evolve(reply, text=verdict.text, doubts=verdict.doubts))

    def failed(
        self,
        message: str,
        *,
        hint: str,
        partial: str = "",
        unplaced: tuple[str, ...] = (),
    ) -> ApplyFailed:
        """Return the error with both texts and what the model made of them."""
        error = ApplyFailed(message, hint=hint)
        error.original, error.suggestion = self.task.code, self.task.instruction
        error.unplaced, error.partial = unplaced, partial
        return error

    def by_rules(self) -> Reply | tuple[str, ...]:
        """Return the text with the suggestion in it, or what no rule could place.

        Raises ``EditDoubtful`` for doubts, as for those about a model's answer.
        """
        task = self.task
        found = place_by_rule(
            task.code,
            task.instruction,
            path=task.path,
            language=task.language,
            model=self.model_info.target.model,
        )
        return self.decided(found) if isinstance(found, Reply) else found


async def run(planner: ApplyPlanner, spec: CallSpec, state: LoopState) -> Reply:
    """Place a suggestion by rule, else by the model."""
    found = await _try_rules(planner)
    if isinstance(found, Reply):
        return found
    with ErrorLogging(spec):
        try:
            return await call_loop.run(planner, spec, state)
        except UnsupportedRole as refusal:
            failure = _cannot_apply(planner, found, refusal)
        raise failure


async def stream(
    planner: ApplyPlanner, spec: CallSpec, state: LoopState
) -> AsyncGenerator[Event, None]:
    """Yield the events of :func:`run`."""
    with spec.reader_task:
        found = await _try_rules(planner)
    if isinstance(found, Reply):
        yield Text(found.text)
        yield Done(found)
        return
    with ErrorLogging(spec):
        try:
            async with aclosing(edit.stream(planner, spec, state)) as events:
                async for event in events:
                    yield event
        except UnsupportedRole as refusal:
            failure = _cannot_apply(planner, found, refusal)
        else:
            return
        raise failure


async def _try_rules(planner: ApplyPlanner) -> Reply | tuple[str, ...]:
    """Place by rule, a large text beside the loop: it takes seconds."""
    if len(planner.task.code) + len(planner.task.instruction) < _LARGE:
        return planner.by_rules()
    return await asyncio.to_thread(planner.by_rules)


def _cannot_apply(
    planner: ApplyPlanner, unplaced: tuple[str, ...], refusal: UnsupportedRole
) -> ApplyFailed:
    """Return the error for what no rule could place and this model cannot."""
    message = text("roles.no_certain_place", refusal=refusal.message)
    return planner.failed(message, hint=refusal.hint or "", unplaced=unplaced)
