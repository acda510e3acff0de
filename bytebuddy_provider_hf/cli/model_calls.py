"""What the command line's options become as a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bytebuddy_provider_hf.cli.options import Sampling
from bytebuddy_provider_hf.plugins.protocols import (
    Apply,
    Chat,
    Complete,
    Edit,
    Fill,
    ReplyCall,
)
from bytebuddy_provider_hf.types import Message

if TYPE_CHECKING:
    from bytebuddy_provider_hf.prompts.edit import EditTask
    from bytebuddy_provider_hf.prompts.fill_context import FillContext


def chat_call(
    model: Chat, messages: Sequence[Message], sampling: Sampling
) -> ReplyCall:
    """Return the call that answers ``messages``; nothing is sent yet."""
    return model.chat(
        messages,
        options=sampling.options,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )


def complete_call(model: Complete, prompt: str, sampling: Sampling) -> ReplyCall:
    """Return the call that goes on with ``prompt``; nothing is sent yet."""
    return model.complete(
        prompt,
        options=sampling.options,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )


def fill_call(
    model: Fill, context: FillContext, sampling: Sampling, *, multiline: bool
) -> ReplyCall:
    """Return the call that fills a gap in code; nothing is sent yet."""
    return model.fill(
        context.prefix,
        context.suffix,
        path=context.path,
        repository=context.repository,
        files=context.files,
        multiline=multiline,
        options=sampling.options,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )


def edit_call(model: Edit, task: EditTask, sampling: Sampling) -> ReplyCall:
    """Return the call that changes code; nothing is sent yet."""
    return model.edit(
        task.code,
        task.instruction,
        prefix=task.prefix,
        suffix=task.suffix,
        path=task.path,
        options=sampling.options,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )


def apply_call(
    model: Apply, original: str, suggestion: str, sampling: Sampling, *, path: str
) -> ReplyCall:
    """Return the call that works a suggestion into a text; nothing is sent yet."""
    return model.apply(
        original,
        suggestion,
        path=path,
        options=sampling.options,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )
