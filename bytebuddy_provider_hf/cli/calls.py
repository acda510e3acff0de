"""What the command line's options become as a call."""

from __future__ import annotations

from collections.abc import Sequence

from bytebuddy_provider_hf.cli.options import Sampling
from bytebuddy_provider_hf.contract.protocols import Chat, Complete, ReplyCall
from bytebuddy_provider_hf.types import Message


def chat_call(
    model: Chat, messages: Sequence[Message], sampling: Sampling
) -> ReplyCall:
    """Return the call that answers ``messages``; nothing is sent yet."""
    return model.chat(
        messages,
        temperature=sampling.temperature,
        max_tokens=sampling.max_tokens,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        stop=sampling.stop,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )


def complete_call(model: Complete, prompt: str, sampling: Sampling) -> ReplyCall:
    """Return the call that goes on with ``prompt``; nothing is sent yet."""
    return model.complete(
        prompt,
        temperature=sampling.temperature,
        max_tokens=sampling.max_tokens,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        stop=sampling.stop,
        timeout=sampling.timeout,
        wait=sampling.wait,
    )
