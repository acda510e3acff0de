"""Add the options that several commands share, and gather them into one value."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial, reduce, wraps
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar, get_args

import click
from attrs import frozen
from click.core import ParameterSource

from bytebuddy_provider_hf.cli.language import COMMAND_LINE, LANG, CommandLine
from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.sampling import BY_NAME
from bytebuddy_provider_hf.types import CompletionOptions, ReasoningEffort

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Keys of click's Context.meta: what the root must know when a command fails.
DEBUG: Final = "bytebuddy_provider_hf.debug"
JSON: Final = "bytebuddy_provider_hf.json"
# What --json prints of a command beside its failure: a dict.
FACTS: Final = "bytebuddy_provider_hf.facts"

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., object])


class CallArguments(TypedDict):
    """The arguments that every call for a text takes."""

    options: CompletionOptions
    timeout: float | None
    wait: bool


@frozen
class CallSettings:
    """Which model a command calls, how it generates, and how long it may take.

    ``model`` is a name of the configuration or of the Hub, ``base`` the server to ask
    instead of those of the configuration, and ``config`` the file to read instead of
    the usual ones. ``timeout`` is in seconds; without ``wait`` a model that is not
    ready is an error. Without ``cache`` no answer is kept or given again. ``usage``
    tells in the end what the call used.
    """

    model: str | None
    base: str | None
    config: Path | None
    options: CompletionOptions
    timeout: float | None = None
    wait: bool = True
    cache: bool = True
    usage: bool = False

    @property
    def arguments(self) -> CallArguments:
        """The settings as arguments of ``chat``, ``fill`` and their like."""
        return {"options": self.options, "timeout": self.timeout, "wait": self.wait}


def command(*examples: str) -> Callable[[Callable[..., object]], click.Command]:
    """Return click's decorator of a command whose help ends with ``examples``."""
    return click.command(epilog=epilog_of(*examples))


def epilog_of(*examples: str) -> str:
    """Return the end of a command's help: its examples, a line each."""
    # \b keeps click from joining the lines that follow it.
    return "\n  ".join(("\b\nExamples:", *examples))


def add_options(
    command: AnyCallable, *options: Callable[[AnyCallable], AnyCallable]
) -> AnyCallable:
    """Add ``options`` to a command; ``--help`` lists them in this order."""
    # click lists first what was added last.
    return reduce(lambda made, option: option(made), reversed(options), command)


# An option counts before and after the command: what was set once stays set.
def _remember(
    key: str,
    ctx: click.Context,
    _: click.Parameter,
    value: bool,  # noqa: FBT001  # click's own signature
) -> bool:
    if value:
        ctx.meta[key] = True
    return value


def _show_more(ctx: click.Context, _: click.Parameter, value: int) -> int:
    # Also without -v: that a log file fails is told unasked.
    SCREEN.begin(ctx)
    if value:
        SCREEN.ask_for_more(value)
    return value


def _remember_language(
    ctx: click.Context, _: click.Parameter, value: str | None
) -> str | None:
    if value is not None:
        ctx.meta[LANG] = value
    return value


def trouble_options(command: AnyCallable) -> AnyCallable:
    """Add ``-v``, which shows what is done, ``--debug`` and ``--lang``.

    All count before and after the command.
    """
    return add_options(
        command,
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_show_more,
            help="Show waits and retries on stderr; twice: each request.",
        ),
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=partial(_remember, DEBUG),
            help="Show where an error came from, without secrets.",
        ),
        click.option(
            "--lang",
            type=click.Choice(["en", "zh"]),
            expose_value=False,
            callback=_remember_language,
            # Before the others, whose own refusals are then said in it.
            is_eager=True,
            help="Speak this language (default: BYTEBUDDY_LANG, else the locale's).",
        ),
    )


# Failures are then a JSON object on stdout, too.
json_option: Final = click.option(
    "--json",
    "as_json",
    is_flag=True,
    callback=partial(_remember, JSON),
    help="Print JSON on stdout, failures too.",
)

config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Use this configuration file.",
)


def complete_entry(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  # click's own signature
    incomplete: str,
) -> list[CompletionItem]:
    """Return the entries whose names begin so, for a shell that completes them.

    What is wrong with the configuration is no matter here: a shell shows nothing else
    than what is returned. No plugin is imported, and nobody is asked.
    """
    # A program that only shows help needs none of this.
    import logging
    import os

    from click.shell_completion import CompletionItem

    from bytebuddy_provider_hf.cli.terminal import sanitize_line
    from bytebuddy_provider_hf.config.files import home_folder
    from bytebuddy_provider_hf.config.load import load
    from bytebuddy_provider_hf.errors import ByteBuddyError

    path = ctx.params.get("config")
    # The names of a server's own models are not known; a pipe would be waited for.
    if ctx.params.get("base") or (path is not None and not path.is_file()):
        return []
    logging.disable()
    try:
        found = load(path, cwd=Path.cwd(), home=home_folder(), env=os.environ)
    except (ByteBuddyError, OSError):
        return []
    finally:
        logging.disable(logging.NOTSET)
    return [
        CompletionItem(entry.name, help=sanitize_line(entry.model))
        for entry in found.entries
        # A shell takes its words apart at blanks, and the list at line ends.
        if entry.name.startswith(incomplete) and not re.search(r"\s", entry.name)
        if entry.name.isprintable()
    ]


def call_options(
    *, sampling: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the decorator that adds the options of a call, and ``--json``.

    The command is called with ``settings``, a :class:`CallSettings`, and ``as_json``.
    Without ``sampling`` the options that say how to generate are left out.
    """

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def gather(
            *,
            model: str | None,
            base: str | None,
            config: Path | None,
            timeout: float | None,
            no_wait: bool,
            no_cache: bool,
            usage: bool,
            **own: object,
        ) -> None:
            note_command_line()
            # An option that was not given is None, as in CompletionOptions itself.
            given = {name: own.pop(name) for name in _SAMPLING if name in own}
            settings = CallSettings(
                model,
                base,
                config,
                CompletionOptions(**given),  # type: ignore[arg-type]  # click checked them
                timeout,
                wait=not no_wait,
                cache=not no_cache,
                usage=usage,
            )
            command(settings=settings, **own)

        chosen = _SAMPLING.values() if sampling else ()
        return add_options(gather, *_MODEL, *chosen, *_LIMITS, json_option)

    return add


def note_command_line() -> None:
    """Note the options of the command that runs, for what is said of them."""
    ctx = click.get_current_context()
    flags = {
        _IN_PYTHON.get(str(each.name), str(each.name)): max(each.opts, key=len)
        for each in ctx.command.params
        if isinstance(each, click.Option)
    }
    given = {
        _IN_PYTHON.get(name, name)
        for name in ctx.params
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    ctx.meta[COMMAND_LINE] = CommandLine(flags, given)


# Options of commands that have another name in Python.
_IN_PYTHON: Final = {"base": "api_base"}

_MODEL: Final = (
    click.option(
        "-m",
        "--model",
        metavar="NAME",
        shell_complete=complete_entry,
        help="A name of the configuration, or org/name.",
    ),
    click.option(
        "--base",
        metavar="URL",
        help="Ask this server, such as http://127.0.0.1:8080/v1.",
    ),
    config_option,
    trouble_options,
)

_POSITIVE: Final = click.FloatRange(min=0, min_open=True)


def _range(name: str) -> click.IntRange | click.FloatRange:
    """Return the values that an option takes, the same as in the configuration."""
    option = BY_NAME[name]
    low, high = option.allowed.low, option.allowed.high
    if option.kind == "whole":
        return click.IntRange(int(low), None if isinf(high) else int(high))
    highest = None if isinf(high) else high
    return click.FloatRange(low, highest, min_open=option.allowed.above)


_LIMITS: Final = (
    click.option(
        "--timeout",
        type=_POSITIVE,
        metavar="SECONDS",
        help="Time limit of the whole call.",
    ),
    click.option(
        "--no-wait",
        is_flag=True,
        help="Fail at once if the model is not ready or a limit is reached.",
    ),
    click.option(
        "--no-cache", is_flag=True, help="Ask the model, also where an answer is kept."
    ),
    click.option(
        "--usage",
        is_flag=True,
        help="Tell on stderr what the call used: tokens, cost, who answered, time.",
    ),
)

# A field of CompletionOptions -> its option. Ranges are those of the configuration.
_SAMPLING: Final = {
    "temperature": click.option(
        "--temperature",
        type=_range("temperature"),
        metavar="0..2",
        help="Randomness; 0 always takes the likeliest token.",
    ),
    "max_tokens": click.option(
        "--max-tokens",
        type=_range("max_tokens"),
        metavar="NUMBER",
        help="Length limit of the answer.",
    ),
    "top_p": click.option(
        "--top-p",
        type=_range("top_p"),
        metavar="0..1",
        help="Sample from the likeliest tokens of this total probability.",
    ),
    "top_k": click.option(
        "--top-k",
        type=_range("top_k"),
        metavar="NUMBER",
        help="Sample from so many of the likeliest tokens.",
    ),
    "repetition_penalty": click.option(
        "--repetition-penalty",
        type=_range("repetition_penalty"),
        metavar="NUMBER",
        help="Above 1, repeat less.",
    ),
    # Without any the configuration's own hold; an empty tuple would replace them.
    "stop": click.option(
        "--stop",
        multiple=True,
        metavar="TEXT",
        callback=lambda _ctx, _param, texts: texts or None,
        help="End the answer before this text; may be repeated.",
    ),
    # Every whole number is one; a server that takes fewer says so.
    "seed": click.option(
        "--seed",
        type=int,
        metavar="NUMBER",
        help="Same number, same answer, where the server keeps to it.",
    ),
    "reasoning": click.option(
        "--reasoning/--no-reasoning",
        default=None,
        help="Turn reasoning on or off; an effort overrides it.",
    ),
    "reasoning_effort": click.option(
        "--reasoning-effort",
        type=click.Choice(get_args(ReasoningEffort)),
        help="How much to reason.",
    ),
    "reasoning_budget_tokens": click.option(
        "--reasoning-budget",
        "reasoning_budget_tokens",
        type=_range("reasoning_budget_tokens"),
        metavar="TOKENS",
        help="Stop reasoning after so many tokens.",
    ),
}
