"""Every place a secret could come out of an exception."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

from rich.pretty import pretty_repr

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.doctor.explanation import explain_error
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.logs.line_format import LineFormatter


def shown(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield each sink's name and what it shows of ``error`` and of its chain."""
    for number, link in enumerate(_chain(error)):
        yield f"str of link {number}", str(link)
        yield f"repr of link {number}", repr(link)
        yield f"args of link {number}", repr(link.args)
        yield f"attributes of link {number}", repr(vars(link))
        yield f"notes of link {number}", repr(getattr(link, "__notes__", ()))
        yield (
            f"traceback of link {number}",
            "".join(
                traceback.TracebackException.from_exception(
                    link, capture_locals=True
                ).format()
            ),
        )
        yield f"expanded locals of link {number}", _expanded(link)
    yield "pickle", pickle.dumps(error).decode("latin-1")
    yield "log", _logged(error)
    if isinstance(error, ByteBuddyError):
        yield "command line", _printed(error)


def _expanded(error: BaseException) -> str:
    """Return local variables as rich's tracebacks show them: fields, items and all."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return "\n".join(
        pretty_repr(value) for frame in frames for value in frame.f_locals.values()
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]


def _logged(error: BaseException) -> str:
    stream = io.StringIO()
    logger = logging.Logger("sink", logging.DEBUG)  # noqa: LOG001 - not to be found again
    logger.addHandler(logging.StreamHandler(stream))
    ours = logging.StreamHandler(stream)
    ours.setFormatter(LineFormatter())
    logger.addHandler(ours)
    logger.error("%s %r", error, error, exc_info=error)
    return stream.getvalue()


def _printed(error: ByteBuddyError) -> str:
    """Return what the command prints: in both languages, as JSON, and in detail."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        screen.show_error(error)
        explained = explain_error(error, lang="zh")
        screen.show_error_as(error, explained.title, explained.next_steps)
        screen.print_json(screen.error_object(error))
        screen.show_traceback(error, env={})
    return out.getvalue()
