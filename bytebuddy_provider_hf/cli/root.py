"""Run the root command: import the command asked for, tell its failure once."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
from typing import Final, NoReturn

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.exit_codes import ExitCode, exit_code, table
from bytebuddy_provider_hf.cli.language import (
    LANG,
    asked_language,
    localized,
    process_language,
)
from bytebuddy_provider_hf.cli.options import (
    DEBUG,
    FACTS,
    JSON,
    epilog_of,
    trouble_options,
)
from bytebuddy_provider_hf.cli.print_error import print_error
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.verbose import log_command_error
from bytebuddy_provider_hf.errors import ByteBuddyError, ProviderFailed
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text

_PACKAGE: Final = "bytebuddy_provider_hf.cli"

_ARGUMENTS: Final = f"{_PACKAGE}.arguments"

# name -> (module, attribute, the line --help shows): help imports no command.
COMMANDS: Final = {
    "chat": ("chat", "chat", "Ask a model, or talk with it."),
    "complete": ("chat", "complete", "Let a model continue a text."),
    "fill": ("edit", "fill", "Complete code at a place in a file."),
    "edit": ("edit", "edit", "Change a file as instructed, after you saw the diff."),
    "apply": ("edit", "apply", "Work a suggested change into a file."),
    "embed": ("scoring", "embed", "Turn texts into vectors."),
    "rerank": ("scoring", "rerank", "Sort documents by how well they answer a query."),
    "task": ("task", "task", "Run a task of the Hub: fill masks, classify, translate."),
    "models": ("models", "models", "List, search, compare and add models."),
    "usage": ("usage", "usage", "Show what was sent, what it cost, what is left."),
    "config": ("config", "config", "Make, check and show the configuration."),
    "cache": ("cache", "cache", "Show or clear the answers that are kept."),
    "login": ("login", "login", "Store a Hugging Face token for later calls."),
    "whoami": ("account", "whoami", "Tell whose token is used, and what it may do."),
    "logout": ("account", "logout", "Forget the token that login stored."),
    "doctor": (
        "doctor",
        "doctor",
        "Examine what a call depends on; mend what is safe.",
    ),
    "explain": ("explain", "explain", "Explain what an error answer means."),
    "demo": ("demo", "demo", "Try everything on this machine, without a token."),
}


class Root(click.Group):
    """Import a command when it is called; end each failure with its exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the command; note whether ``--json`` follows."""
        # A wrong option ends the command before its --json is read.
        if "--json" in takewhile(lambda each: each != "--", args):
            ctx.meta[JSON] = True
        # --help ends the command before a --lang behind it is read.
        asked = asked_language(args)
        if asked is not None:
            ctx.meta[LANG] = asked
        if process_language() == "zh":
            from bytebuddy_provider_hf.cli.localized_help import (
                ChineseFormatter,
                in_chinese,
            )

            ctx.command = in_chinese(self, "")
            ctx.formatter_class = ChineseFormatter
        ctx.meta[_ARGUMENTS] = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            _refuse(ctx, error)
        except BrokenPipeError:  # --help and --version print here
            _swallow_output()
            ctx.exit(ExitCode.BROKEN_PIPE)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` begin with, or name the nearest one."""
        name = args[0]
        near = get_close_matches(name, COMMANDS, n=1)
        if near and name not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(text("cli.did_you_mean", name=name, near=near[0]))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's own signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"{_PACKAGE}.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  # for the type
        if process_language() == "en":
            return command
        # The table of the Chinese help is read by those who speak it only.
        from bytebuddy_provider_hf.cli.localized_help import in_chinese

        return in_chinese(command, cmd_name)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands, then the exit codes."""
        commands = [(name, row[2]) for name, row in COMMANDS.items()]
        codes = table()
        if process_language() == "zh":
            from bytebuddy_provider_hf.cli.localized_help import help_table

            known = help_table()
            commands = [(name, known[name]["short"]) for name, _ in commands]
            codes = [(code, known["exit_codes"][code]) for code, _ in codes]
        with formatter.section("Commands"):
            formatter.write_dl(commands)
        with formatter.section("Exit codes"):
            formatter.write_dl(codes)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; tell a failure once and exit with its code."""
        try:
            result: object = super().invoke(ctx)
            screen.stdout().flush()
        except click.UsageError as error:
            _refuse(ctx, error)
        except ByteBuddyError as error:
            _tell(ctx, error)
            ctx.exit(exit_code(type(error)))
        except KeyboardInterrupt:
            # The terminal has shown ^C in the line of the answer.
            above = "\n" if screen.is_terminal(sys.stderr) else ""
            screen.note(f"{above}{localized(text('cli.stopped'))}")
            ctx.exit(ExitCode.STOPPED)
        except SystemExit as error:
            # A command ends with click's own Exit: a plugin's task has called sys.exit.
            code = one_line(str(error.code))
            _tell(ctx, ProviderFailed(text("cli.plugin_exits", code=code)))
            ctx.exit(exit_code(ProviderFailed))
        except BrokenPipeError:
            _swallow_output()
            ctx.exit(ExitCode.BROKEN_PIPE)
        except OSError as error:
            said = error.strerror or str(error)
            where = f"{error.filename}: " if error.filename else ""
            _tell(ctx, ByteBuddyError(f"{where}{said}"))
            ctx.exit(ExitCode.OTHER)
        if isinstance(result, ExitCode):
            ctx.exit(result)
        return result


def _tell(ctx: click.Context, error: ByteBuddyError) -> None:
    log_command_error(error)
    if ctx.meta.get(DEBUG):
        screen.show_traceback(error, env=os.environ)
    if ctx.meta.get(JSON):
        screen.print_json({**ctx.meta.get(FACTS, {}), **screen.error_object(error)})
    else:
        print_error(error)


def _path_of(ctx: click.Context) -> str:
    """Return the command that was called, for an error of which click does not tell."""
    command, path = ctx.command, ctx.command_path
    for each in ctx.meta.get(_ARGUMENTS, ()):
        if not isinstance(command, click.Group):
            break
        inner = command.get_command(ctx, each)
        if inner is not None:
            command, path = inner, f"{path} {each}"
    return path


def _refuse(ctx: click.Context, error: click.UsageError) -> NoReturn:
    """Tell wrong usage as every failure is told: what is wrong, then the next step."""
    where = _path_of(ctx) if error.ctx is None else error.ctx.command_path
    usage = f"{where} --help"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        # click names three that are more or less alike; the nearest was meant.
        near = get_close_matches(error.option_name, error.possibilities, n=1, cutoff=0)
        error.possibilities = near  # type: ignore[misc]  # Final there
    if ctx.meta.get(JSON):
        screen.print_json(screen.usage_object(error.format_message(), usage))
        ctx.exit(error.exit_code)
    # Without arguments the message is a command's help, and since click 8.2 an error.
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        raise error
    # click puts words of its own around some messages.
    error.message = localized(error.message)  # type: ignore[misc]  # Final there
    said = error.format_message()
    if process_language() == "zh":
        from bytebuddy_provider_hf.cli import localized_help

        said = localized_help.said(said)
    told = text("cli.error", said=sanitize_line(said))
    screen.note(told, colour="red", bold=True)
    screen.detail(text("cli.see_help", command=usage))
    ctx.exit(error.exit_code)


def _swallow_output() -> None:
    # The interpreter flushes stdout once more at its exit and would complain.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, screen.stdout().fileno())


@click.group(
    cls=Root,
    epilog=epilog_of(
        "bytebuddy-hf demo           try everything, without a token",
        "bytebuddy-hf config init    write a first configuration",
        "bytebuddy-hf login          store the token",
        "bytebuddy-hf doctor         look for what is wrong",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(package_name="bytebuddy-provider-hf")
@trouble_options
def cli() -> None:
    """Talk with models on Hugging Face or on this machine.

    The models are those of config.yaml (see "bytebuddy-hf config path"), or any that
    "-m org/name" names.
    """
