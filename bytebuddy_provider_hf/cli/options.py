"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf
from pathlib import Path
from typing import Final, TypeVar, get_args

import click
from attrs import frozen

from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.sampling import BY_NAME
from bytebuddy_provider_hf.types import CompletionOptions, ReasoningEffort

DEBUG: Final = "bytebuddy_provider_hf.debug"
JSON: Final = "bytebuddy_provider_hf.json"

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])


@frozen
class ModelChoice:
    """Which model is asked for, and where it is to be looked up."""

    name: str | None = None
    base: str | None = None
    config: Path | None = None


@frozen
class Sampling:
    """How one call generates and waits, as the command line says it."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    reasoning: bool | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget_tokens: int | None = None
    timeout: float | None = None
    wait: bool = True

    @property
    def options(self) -> CompletionOptions:
        """How to generate, without how to wait."""
        return CompletionOptions(
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            stop=self.stop,
            reasoning=self.reasoning,
            reasoning_effort=self.reasoning_effort,
            reasoning_budget_tokens=self.reasoning_budget_tokens,
        )


@frozen
class Output:
    """How an answer is shown."""

    as_json: bool = False
    stream: bool = False
    markdown: bool = True


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001  # click's own signature
        if value:
            ctx.meta[key] = True
        return value

    return remember


def _show_more(ctx: click.Context, _: click.Parameter, value: int) -> int:
    SCREEN.begin(ctx)
    if value:
        SCREEN.ask_for_more(value)
    return value


def trouble_options(command: AnyCallable) -> AnyCallable:
    """Add ``-v``, which shows what is done, and ``--debug``, where an error came from.

    Both count before and after the command.
    """
    for option in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_remember(DEBUG),
            help="Show where an error came from (never a secret).",
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_show_more,
            help="Show waits and retries on stderr; twice: each request.",
        ),
    ):
        command = option(command)
    return command


def json_option(command: AnyCallable) -> AnyCallable:
    """Add ``--json``; failures are then a JSON object on stdout too."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_remember(JSON),
        help="Print JSON on stdout, failures too.",
    )(command)


def config_option(command: AnyCallable) -> AnyCallable:
    """Add ``--config``."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Use this configuration file.",
    )(command)


def model_options(command: AnyCallable) -> AnyCallable:
    """Add the options that choose a model."""
    for option in (
        trouble_options,
        config_option,
        click.option(
            "--base",
            metavar="URL",
            help="Ask this server, such as http://127.0.0.1:8080/v1.",
        ),
        click.option(
            "-m",
            "--model",
            metavar="NAME",
            help="A name of the configuration, or org/name.",
        ),
    ):
        command = option(command)
    return command


def _range(name: str) -> click.IntRange | click.FloatRange:
    """Return the values that an option takes, the same as in the configuration."""
    option = BY_NAME[name]
    low, high = option.allowed.low, option.allowed.high
    if option.kind == "whole":
        return click.IntRange(int(low), None if isinf(high) else int(high))
    highest = None if isinf(high) else high
    return click.FloatRange(low, highest, min_open=option.allowed.above)


def sampling_options(command: AnyCallable) -> AnyCallable:
    """Add the options that say how to generate, and how long to wait."""
    positive = click.FloatRange(min=0, min_open=True)
    for option in (
        click.option(
            "--no-wait",
            is_flag=True,
            help="Fail at once where the model is not ready or a limit is reached.",
        ),
        click.option(
            "--timeout", type=positive, metavar="SECONDS", help="For the whole call."
        ),
        click.option(
            "--reasoning-budget",
            "reasoning_budget_tokens",
            type=_range("reasoning_budget_tokens"),
            metavar="TOKENS",
            help="Reason no longer than so many tokens.",
        ),
        click.option(
            "--reasoning-effort",
            type=click.Choice(get_args(ReasoningEffort)),
            help="How much to reason.",
        ),
        click.option(
            "--reasoning/--no-reasoning",
            default=None,
            help="Whether to reason, where no effort says it.",
        ),
        click.option(
            "--stop", multiple=True, metavar="TEXT", help="End there; may be repeated."
        ),
        click.option(
            "--repetition-penalty", type=_range("repetition_penalty"), metavar="NUMBER"
        ),
        click.option("--top-k", type=_range("top_k"), metavar="NUMBER"),
        click.option("--top-p", type=_range("top_p"), metavar="0..1"),
        click.option("--max-tokens", type=_range("max_tokens"), metavar="NUMBER"),
        click.option("--temperature", type=_range("temperature"), metavar="0..2"),
    ):
        command = option(command)
    return command


def output_options(command: AnyCallable) -> AnyCallable:
    """Add the options that say how an answer is shown."""
    for option in (
        click.option(
            "--no-markdown",
            is_flag=True,
            help="Show the text as it comes, also on a terminal.",
        ),
        click.option(
            "--stream",
            is_flag=True,
            help="With --json: one event a line, as they come.",
        ),
        json_option,
    ):
        command = option(command)
    return command
