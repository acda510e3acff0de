"""Print the log on stderr: with ``-v`` waits and retries, with ``-vv`` requests."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress
from typing import Final, final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.status_line import print_above
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.cli.wrapping import columns_of, wrap_lines
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.logs.install import attach, detach
from bytebuddy_provider_hf.logs.line_format import log_failure, message_of
from bytebuddy_provider_hf.secret import redact
from bytebuddy_provider_hf.texts import LocalizedText, text

_COLOURS: Final = {logging.WARNING: "yellow", logging.ERROR: "red"}
# Who says that a file of this package's own fails, that a plugin hangs, or that a
# variable is ignored: a person hears of that unasked.
_UNASKED: Final = frozenset(
    f"bytebuddy_provider_hf.{name}"
    for name in (
        *("client.endpoint", "config.exposure"),
        *("logs.file", "storage.database", "storage.result_cache"),
        *("plugins.open_models", "plugins.foreign_model", "plugins.watched_import"),
    )
)

_log: Final = logging.getLogger(__name__)


@final
class ScreenLog(logging.Handler):
    """Print records on stderr, above the line that is being redrawn there.

    While an answer is being shown they wait: on a terminal they would tear it apart.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.times = 0
        self._attached = False
        self._held: list[logging.LogRecord] | None = None

    def begin(self, ctx: click.Context) -> None:
        """Print from now on, until the command ends."""
        # The option stands before and after the command: both call this.
        if not self._attached:
            self._attached = True
            attach(self)
            ctx.find_root().call_on_close(self.end)

    def ask_for_more(self, times: int) -> None:
        """Show more for each ``-v``; more than two are two."""
        self.times += times
        # The package's loggers take their level from what is attached.
        detach(self)
        self.setLevel(logging.INFO if self.times == 1 else logging.DEBUG)
        attach(self)

    def end(self) -> None:
        """Print what was kept, and nothing from now on."""
        self.show_held()
        detach(self)
        self.setLevel(logging.WARNING)
        self._attached, self.times = False, 0

    def hold(self) -> None:
        """Keep what is logged until :meth:`show_held`, where people would see both."""
        both = screen.is_terminal(sys.stderr) and screen.is_terminal(screen.stdout())
        if both and self._held is None:
            self._held = []

    def show_held(self) -> None:
        """Print what was kept, and what is logged from now on."""
        held, self._held = self._held, None
        for record in held or ():
            self._print(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, or keep it while an answer is being shown."""
        if not self.times and record.name not in _UNASKED:
            return
        if self._held is None:
            self._print(record)
        else:
            self._held.append(record)

    def _print(self, record: logging.LogRecord) -> None:
        if self.times:
            clock = time.strftime("%H:%M:%S", time.localtime(record.created))
            level = record.levelname.lower()
            line = f"{clock}.{record.msecs:03.0f} {level} {message_of(record)}"
        else:
            whole = record.args[0] if isinstance(record.args, tuple) else ""
            # A sentence of the table is said in the language of this process.
            is_row = record.msg == "%s" and isinstance(whole, LocalizedText)
            said = whole if is_row else message_of(record)
            line = redact(sanitize_line(localized(text("cli.warning", said=said))))
        # A record that was asked for stays one line, as in a log.
        lines = wrap_lines(line, None if self.times else columns_of(sys.stderr))
        if screen.coloured(sys.stderr):
            colour = _COLOURS.get(record.levelno)
            lines = [click.style(it, fg=colour, dim=colour is None) for it in lines]
        # Whoever read stderr went away: the command goes on without.
        with suppress(OSError, ValueError):
            print_above("\n".join(lines), sys.stderr)


# A process has one stderr.
SCREEN: Final = ScreenLog()


def log_command_error(error: ByteBuddyError) -> None:
    """Log the error that ends a command, or a turn of a conversation."""
    log_failure(_log, "the command", error)
