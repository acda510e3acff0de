"""The options of every question to a model, gathered into three values."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path

from bytebuddy_provider_hf.cli.options import (
    ModelChoice,
    Output,
    Sampling,
    model_options,
    output_options,
    sampling_options,
)
from bytebuddy_provider_hf.types import ReasoningEffort


def text_command(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; call ``command`` with ``choice``, ``sampling``, ``output``."""

    def gathered(
        *,
        model: str | None,
        base: str | None,
        config: Path | None,
        temperature: float | None,
        max_tokens: int | None,
        top_p: float | None,
        top_k: int | None,
        repetition_penalty: float | None,
        stop: tuple[str, ...],
        reasoning: bool | None,
        reasoning_effort: ReasoningEffort | None,
        reasoning_budget_tokens: int | None,
        timeout: float | None,
        no_wait: bool,
        as_json: bool,
        stream: bool,
        no_markdown: bool,
        **own: str | None,
    ) -> None:
        sampling = Sampling(
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            stop=stop or None,
            reasoning=reasoning,
            reasoning_effort=reasoning_effort,
            reasoning_budget_tokens=reasoning_budget_tokens,
            timeout=timeout,
            wait=not no_wait,
        )
        command(
            choice=ModelChoice(name=model, base=base, config=config),
            sampling=sampling,
            output=Output(as_json=as_json, stream=stream, markdown=not no_markdown),
            **own,
        )

    update_wrapper(gathered, command)
    return model_options(sampling_options(output_options(gathered)))
