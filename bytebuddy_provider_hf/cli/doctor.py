"""Run ``bytebuddy-hf doctor``: examine everything that a call depends on."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.cli.language import localized, process_language
from bytebuddy_provider_hf.cli.model_source import is_interactive_session
from bytebuddy_provider_hf.cli.options import (
    complete_entry,
    config_option,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.tables import home_as_tilde
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line
from bytebuddy_provider_hf.cli.wrapping import columns_of, wrap_lines
from bytebuddy_provider_hf.client.runtime import Runtime, answers_folder
from bytebuddy_provider_hf.doctor.diagnosis import diagnose
from bytebuddy_provider_hf.doctor.findings import Finding, Level
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.texts import text

# A mark, what stands for it where the terminal's encoding has none, and its colour.
_MARKS: Final = {
    Level.OK: ("✓", "+", "green"),
    Level.UNKNOWN: ("–", "-", None),
    Level.NOTE: ("·", ".", None),
    Level.WARNING: ("!", "!", "yellow"),
    Level.PROBLEM: ("✗", "x", "red"),
}
# A shorter name of an entry may be any word of a sentence.
_SHORTEST: Final = 3
_EXAMPLES: Final = """\b
Examples:
  bytebuddy-hf doctor                       look at everything
  bytebuddy-hf doctor -m hf-llama           look at one entry
  bytebuddy-hf doctor --offline             ask nobody
  bytebuddy-hf doctor --fix                 mend what is safe to mend
  bytebuddy-hf doctor --lint --json         for a check in CI: read only
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_entry,
    help="Look at this entry, or model of the Hub, only; may be repeated.",
)
@click.option("--offline", is_flag=True, help="Ask no server.")
@click.option(
    "--calls/--no-calls",
    default=None,
    help="Make a call of one token for each entry; on a terminal it is asked first.",
)
@click.option(
    "--fix", is_flag=True, help="Mend what is safe: file modes, a retired apiBase, …"
)
@click.option("--lint", is_flag=True, help="Read only: ask nothing, call nothing.")
@config_option
@json_option
@trouble_options
def doctor(
    *,
    models: tuple[str, ...],
    offline: bool,
    calls: bool | None,
    fix: bool,
    lint: bool,
    config: Path | None,
    as_json: bool,
) -> ExitCode:
    """Examine what a call depends on, causes first, each with what to do next.

    The configuration, plugins, network, clock, tokens and what they may do, each
    entry's model and server, credits, budgets, the status page and versions. The exit
    code is that of the first problem. What is printed holds no secret and no prompt: it
    can stand in a bug report.
    """
    if lint and fix:
        raise click.UsageError(text("doctor.lint_or_fix"))
    if lint:
        calls = False
    elif calls is None:
        calls = not (offline or as_json) and is_interactive_session()
        calls = calls and screen.agreed(
            f"{localized(text('doctor.ask_calls'))} [y/N]: ", stream=sys.stderr
        )
    screen.reserve_stdout()
    found = asyncio.run(
        _examine(
            diagnose(
                config,
                names=models,
                offline=offline,
                calls=calls,
                # A check that only reads keeps nothing either.
                answers=None if lint else KeptAnswers(answers_folder()),
                runtime=Runtime() if lint else None,
            ),
            quiet=as_json,
        )
    )
    done, mended = _mend(found) if fix else ([], [])
    first = next((each for each in found if each.level is Level.PROBLEM), None)
    code = ExitCode.OK if first is None else ExitCode[first.exit]
    if as_json:
        screen.print_json(
            {
                "findings": [_object(each) for each in found],
                "fixed": done,
                "exit": int(code),
            }
        )
        return code
    for line in done:
        screen.say(line)
    if not fix and any(each.fix for each in found):
        screen.say(text("doctor.fixable"))
    left = [each for each in found if not any(each is it for it in mended)]
    # The first that is left: what was mended is no cause any more.
    told = max(left, key=lambda each: each.level, default=None)
    if told is None or told.level < Level.WARNING:
        screen.say(text("doctor.again" if mended else "doctor.healthy"))
        return code
    said, steps = told.words(process_language())
    plain, block = _plain(said), _block(said)
    if told.level is Level.PROBLEM:
        screen.say(text("doctor.cause", said=plain))
    else:
        screen.say(text("doctor.warned", said=plain))
    for line in block:
        screen.emit(line)
    for step in steps[:1]:
        screen.say(f"  {screen.sign('→', '>')} {_plain(step)}")
    return code


async def _examine(
    examination: AsyncIterator[Finding], *, quiet: bool
) -> list[Finding]:
    """Return all findings; unless ``quiet``, each is printed as it is found."""
    found = []
    lang = process_language()
    async for each in examination:
        found.append(each)
        if quiet:
            continue
        mark, plain, colour = _MARKS[each.level]
        mark = screen.sign(mark, plain)
        said, steps = each.words(lang)
        about = ""
        if each.entry and not _names(said, each.entry):
            about = f"{_plain(each.entry)}: "
        shown = mark
        if colour is not None and screen.coloured(screen.stdout()):
            shown = click.style(mark, fg=colour, bold=True)
        # Styled when it is laid out: a style has no width.
        first, *more = wrap_lines(
            f"{mark} {about}{_plain(said)}", columns_of(screen.stdout())
        )
        screen.emit(f"{shown}{first.removeprefix(mark)}")
        for line in (*more, *_block(said)):
            screen.emit(line)
        for step in steps if each.level >= Level.WARNING else steps[:1]:
            screen.say(f"    {_plain(step)}")
    return found


def _names(said: str, entry: str) -> bool:
    """Return whether a sentence names an entry: as a word, and not as an article."""
    word = rf"(?<![\w-]){re.escape(entry)}(?![\w-])"
    return len(entry) >= _SHORTEST and re.search(word, said) is not None


def _mend(found: list[Finding]) -> tuple[list[str], list[Finding]]:
    """Make every change that is safe; return a line for each, and what is mended."""
    done, mended = [], []
    for each in found:
        if each.fix is None:
            continue
        said = _plain(localized(each.fix.said))
        try:
            each.fix.apply()
        except (ByteBuddyError, OSError) as error:
            reason = _plain(localized(_reason_of(error)))
            done.append(localized(text("doctor.not_fixed", said=said, reason=reason)))
        else:
            done.append(localized(text("doctor.fixed", said=said)))
            mended.append(each)
    return done, mended


def _reason_of(error: ByteBuddyError | OSError) -> str:
    if isinstance(error, ByteBuddyError):
        return error.message
    return error.strerror or str(error)


def _object(finding: Finding) -> dict[str, object]:
    said, steps = finding.words(process_language())
    return {
        "id": finding.id,
        "level": finding.level.name.lower(),
        "entry": finding.entry or None,
        "said": "\n".join((_plain(said), *_block(said))),
        "steps": [_plain(step) for step in steps],
        "error": None if finding.error is None else type(finding.error).__name__,
        "fixable": finding.fix is not None,
    }


def _plain(said: str) -> str:
    """Return a line fit for a bug report: no secret, and no name of a home.

    It is the sentence; :func:`_block` has the lines to be copied that follow it.
    """
    return home_as_tilde(redact(sanitize_line(said.partition("\n\n")[0])))


def _block(said: str) -> list[str]:
    """Return the lines that stand behind a sentence to be copied, indented."""
    lines = said.partition("\n\n")[2].rstrip().split("\n")
    return [f"    {redact(sanitize(line))}" for line in lines if line.strip()]
