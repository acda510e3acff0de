"""Output of every command: lines for people on stderr, text and JSON on stdout."""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from select import select
from typing import Final, NoReturn, TextIO

import click

from bytebuddy_provider_hf.cli.language import in_english, localized
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line, visible_controls
from bytebuddy_provider_hf.cli.wrapping import columns_of, wrap_lines
from bytebuddy_provider_hf.errors import (
    ApplyFailed,
    ByteBuddyError,
    ConfigInvalid,
    Doubt,
)
from bytebuddy_provider_hf.secret import MASK, redact
from bytebuddy_provider_hf.texts import text

_SECRET_NAME: Final = re.compile(r"(?i)token|key|secret|password")
# A shorter value stands in ordinary words, which would all be masked.
_SHORTEST_SECRET: Final = 8
# Of a part that has no place in a file: enough to recognise it.
_SHOWN_LINES: Final = 20
# What some errors have beyond these, and --json prints where it is there.
_DETAILS: Final = (
    *("partial", "known", "problems", "unplaced", "__notes__"),
    # Of a plugin's code that failed.
    *("provider", "distribution"),
)
# Seconds between two looks for Ctrl-C.
_LOOK: Final = 0.2

# Whether this process is the command alone, and its stdout once it is reserved.
_is_prepared = False
_answer: TextIO | None = None


def prepare_streams() -> None:
    r"""Open what was closed; show as ``\u…`` what an encoding lacks.

    What is typed and is no text becomes replacement characters.
    """
    # A closed stream is None here; /dev/null stays open as long as the process, as
    # the stream it stands for would.
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    global _is_prepared  # noqa: PLW0603 - of this process
    _is_prepared = True
    lacking = "backslashreplace"
    for stream, errors in (
        (sys.stdin, "replace"),
        (sys.stdout, lacking),
        (sys.stderr, lacking),
    ):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)


def stdout() -> TextIO:
    """Return the stream of the answer."""
    return _answer or sys.stdout


def reserve_stdout() -> None:
    """Keep stdout for the answer: what anybody else prints goes to stderr.

    Call it before foreign code is imported, which may print at any time: with
    ``print``, from C, or in a process that it starts.
    """
    global _answer  # noqa: PLW0603 - a process has one stdout
    given = sys.stdout
    # A program that runs commands itself keeps its own streams.
    if _answer is not None or not _is_prepared:
        return
    given.flush()
    try:
        number = given.fileno()
    except OSError:  # So does one whose stdout is no file, such as a test runner.
        return
    _answer = open(  # noqa: SIM115, PTH123 - a descriptor, open as long as the process
        os.dup(number),
        "w",
        buffering=1 if given.isatty() else -1,
        encoding=given.encoding,
        errors=given.errors,
    )
    os.dup2(sys.stderr.fileno(), number)
    # What is printed stands among the lines of stderr where it belongs.
    reconfigure = getattr(given, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)


def leave_at_once(code: object) -> NoReturn:
    """End this process with ``code`` as ``sys.exit`` would, but wait for no thread."""
    # What was counted and logged is written by these, as at any exit.
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to run them
    with suppress(OSError, ValueError):
        for stream in (stdout(), sys.stdout, sys.stderr):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


@contextmanager
def terminal_for_input() -> Iterator[None]:
    """Let ``input`` show on stdout, where it looks for the terminal, what is typed."""
    if _answer is None:
        yield
        return
    number = sys.stdout.fileno()
    reserved = os.dup(number)
    os.dup2(_answer.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(reserved, number)
        os.close(reserved)


def _nowhere(mode: str) -> TextIO:
    return Path(os.devnull).open(mode, encoding="utf-8")  # type: ignore[return-value]


def is_terminal(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal that can be drawn on."""
    return not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"


def is_interactive(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal of any kind: a person is there."""
    return not stream.closed and stream.isatty()


def coloured(stream: TextIO) -> bool:
    """Tell whether ``stream`` may be coloured (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def emit(said: str = "", *, nl: bool = True) -> None:
    """Print on stdout at once, in the language of this process."""
    _write(stdout(), localized(said), nl=nl)


def emit_raw(code: str) -> None:
    """Write text on stdout byte by byte as UTF-8, for a program that reads code.

    The text layer would change letters an encoding lacks, and line ends on Windows.
    """
    stdout().flush()
    stdout().buffer.write(code.encode("utf-8", "replace"))
    stdout().buffer.flush()


def styled(said: str, *, bold: bool = False, dim: bool = False) -> str:
    """Return ``said`` as stdout may show it: styled on a terminal only."""
    if not coloured(stdout()):
        return said
    return click.style(localized(said), bold=bold or None, dim=dim or None)


def sign(wanted: str, plain: str) -> str:
    """Return a sign, or what stands for it where stdout's encoding has none."""
    try:
        wanted.encode(getattr(stdout(), "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return wanted


def _write(stream: TextIO, shown: str, *, nl: bool = True) -> None:
    # click.echo would print UTF-8 where the locale says ASCII.
    stream.write(f"{shown}\n" if nl else shown)
    stream.flush()


def agreed(question: str, *, stream: TextIO | None = None) -> bool:
    """Ask on the terminal; anything but yes is no, and so is Ctrl-D."""
    _write(stream or stdout(), localized(question), nl=False)
    # Neither `input` nor click's question: both would sleep on where Ctrl-C came just
    # before they went to sleep. Windows selects on sockets only.
    while sys.platform != "win32" and not select([sys.stdin], [], [], _LOOK)[0]:
        pass
    answer = sys.stdin.readline()
    if not answer:  # Ctrl-D leaves the cursor behind the question
        note("")
    return answer.strip().lower() in {"y", "yes"}


def say(said: str) -> None:
    """Print a text for people on stdout, in lines that fit its terminal."""
    for line in wrap_lines(localized(said), columns_of(stdout())):
        _write(stdout(), line)


def note(
    said: str, *, colour: str | None = None, bold: bool = False, quoted: bool = False
) -> None:
    """Print a text for people on stderr, in their language, tokens masked.

    In lines that fit its terminal, unless it is ``quoted``: code stays as it is.
    """
    shown = redact(sanitize(localized(said)))
    for line in wrap_lines(shown, None if quoted else columns_of(sys.stderr)):
        if (colour or bold) and coloured(sys.stderr):
            line = click.style(line, fg=colour, bold=bold)  # noqa: PLW2901
        _write(sys.stderr, line)


def detail(said: str) -> None:
    """Print a line for people that belongs to the one above, indented."""
    note(f"  {localized(said)}")


def warn(said: str) -> None:
    """Print a warning, yellow on a terminal."""
    note(text("cli.warning", said=said), colour="yellow")


def print_notes(notes: Iterable[str]) -> None:
    """Print what a reader of an answer should know, yellow on a terminal."""
    for said in notes:
        note(text("cli.note", said=said), colour="yellow")


def print_doubts(doubts: Iterable[Doubt]) -> None:
    """Print each reason not to write a change unread, and the lines it is about."""
    for doubt in doubts:
        said = sanitize_line(localized(doubt.message))
        note(text("cli.doubt", said=said), colour="yellow", bold=True)
        quote(doubt.lines)


def show_error(error: ByteBuddyError) -> None:
    """Print one block on stderr: what is wrong, then the next step and its notes."""
    said = sanitize_line(localized(error.message))
    note(text("cli.error", said=said), colour="red", bold=True)
    _show_rest(error, (error.hint,))


def show_error_as(error: ByteBuddyError, title: str, steps: Iterable[str]) -> None:
    """Print one block on stderr under a translated title, with translated steps.

    The error's own sentence stays: it names what this is about.
    """
    note(text("cli.error", said=title), colour="red", bold=True)
    detail(sanitize_line(localized(error.message)))
    _show_rest(error, steps)


def _show_rest(error: ByteBuddyError, steps: Iterable[str | None]) -> None:
    show_problems(error)
    for line in (*steps, *getattr(error, "__notes__", ())):
        if line:
            detail(line)
    if isinstance(error, ApplyFailed):
        quote(error.unplaced)


def show_problems(error: ByteBuddyError) -> None:
    """Print each problem of a configuration that is not valid, below what it says."""
    if isinstance(error, ConfigInvalid):
        for problem in error.problems:
            detail(problem)


def quote(parts: Iterable[str]) -> None:
    """Print the first lines of what a file or a model has, marked as a quotation."""
    lines = [line for part in parts for line in part.rstrip("\n").split("\n")]
    for line in lines[:_SHOWN_LINES]:
        # It may be written: what a note would take out must be seen.
        note(f"  | {visible_controls(line)}", quoted=True)
    if len(lines) > _SHOWN_LINES:
        detail(text("cli.more_lines", count=len(lines) - _SHOWN_LINES))


def error_object(error: ByteBuddyError) -> dict[str, object]:
    """Return an error as ``--json`` prints it."""
    shown = _failure(type(error).__name__, error.message, error.hint)
    wait = error.retry_after
    shown["status"] = error.status
    # A time too long to write down is infinite, for which JSON has no word.
    shown["retry_after"] = wait if wait is None or isfinite(wait) else None
    for name in _DETAILS:
        value = getattr(error, name, None)
        if value:
            shown[name.strip("_")] = value
    return {"error": shown}


def usage_object(message: str, hint: str) -> dict[str, object]:
    """Return wrong usage as ``--json`` prints it: in the form of every failure."""
    return {"error": _failure("UsageError", message, hint)}


def _failure(kind: str, message: str, hint: str | None) -> dict[str, object]:
    return {
        "type": kind,
        "message": message,
        "hint": hint,
        "status": None,
        "retry_after": None,
    }


def to_json(value: object) -> str:
    """Return ``value`` as one line of ASCII JSON: no raw control character in it."""
    shown = json.dumps(_plain(value), default=str)
    return shown.replace("\x7f", "\\u007f")


def _plain(value: object) -> object:
    """Return ``value`` with its sentences as a command says them, in English."""
    if isinstance(value, str):
        return in_english(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    # Vectors are thousands of numbers, and no sentence is among them.
    if isinstance(value, list | tuple) and value and not isinstance(value[0], float):
        return [_plain(each) for each in value]
    return value


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    emit(to_json(value))


def show_traceback(error: BaseException, *, env: Mapping[str, str]) -> None:
    """Print where ``error`` came from, without local variables or secrets."""
    trace = redact("".join(traceback.format_exception(error)))
    for name, value in env.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name):
            trace = trace.replace(value, MASK)
    note(trace.rstrip(), quoted=True)
