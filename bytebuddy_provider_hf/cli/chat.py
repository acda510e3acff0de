"""Commands ``chat`` and ``complete``: show an answer, or talk on a terminal."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
from attrs import define, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.arguments import read_prompt
from bytebuddy_provider_hf.cli.call_watch import CallWatch
from bytebuddy_provider_hf.cli.model_source import ModelSource, add_help, require
from bytebuddy_provider_hf.cli.options import CallSettings, call_options, command
from bytebuddy_provider_hf.cli.print_error import print_error
from bytebuddy_provider_hf.cli.render import text_printer
from bytebuddy_provider_hf.cli.show_reply import (
    ask,
    print_notes,
    print_used,
    show_reply,
)
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.terminal import sanitize
from bytebuddy_provider_hf.cli.verbose import log_command_error
from bytebuddy_provider_hf.errors import ByteBuddyError, MissingToken
from bytebuddy_provider_hf.plugins.protocols import Chat, Complete, Model
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Message

_STREAM: Final = click.option(
    "--stream", is_flag=True, help="With --json: one event a line, as they come."
)

PROMPT: Final = "> "


@command(
    "bytebuddy-hf chat",
    'bytebuddy-hf chat -m org/name "What is a monad?"',
    'git diff | bytebuddy-hf chat "Write a commit message."',
)
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="The system message.")
@call_options()
@_STREAM
@click.option(
    "--no-markdown",
    is_flag=True,
    help="Show the text as it comes, also on a terminal.",
)
def chat(
    *,
    prompt: str | None,
    system: str | None,
    settings: CallSettings,
    as_json: bool,
    stream: bool,
    no_markdown: bool,
) -> None:
    """Ask a model, or talk with it.

    PROMPT and what is piped in make one question. On a terminal without PROMPT, a talk
    begins; /help there lists what it understands.
    """
    typed = screen.is_interactive(sys.stdin) and screen.is_interactive(screen.stdout())
    if prompt is None and typed and not as_json:
        run_session(settings, system=system, markdown=not no_markdown)
        return
    messages = [Message("system", system)] if system else []
    messages.append(Message("user", read_prompt(prompt)))
    reply = ask(
        settings,
        lambda model: require(model, Chat).chat(messages, **settings.arguments),
        text_printer(as_json=as_json, stream=stream, markdown=not no_markdown),
        quiet=as_json,
    )
    if not as_json:
        print_notes(reply)


@command(
    'bytebuddy-hf complete -m org/name "Once upon a time"',
    "bytebuddy-hf complete --max-tokens 40 < draft.txt",
)
@click.argument("prompt", required=False)
@call_options()
@_STREAM
# Markdown would draw a continued text as something it is not, so there is no choice;
# the option is taken all the same, for those who give both commands the same ones.
@click.option("--no-markdown", is_flag=True, expose_value=False, hidden=True)
def complete(
    *, prompt: str | None, settings: CallSettings, as_json: bool, stream: bool
) -> None:
    """Let a model continue a text exactly as it stands.

    PROMPT and what is piped in make one text.
    """
    begun = read_prompt(prompt)
    reply = ask(
        settings,
        lambda model: require(model, Complete).complete(begun, **settings.arguments),
        text_printer(as_json=as_json, stream=stream, markdown=False),
        quiet=as_json,
    )
    if not as_json:
        print_notes(reply)


@define
class ChatSession:
    """A conversation with one model at a time."""

    source: ModelSource
    model: Model
    settings: CallSettings
    markdown: bool
    system: str | None = None
    history: list[Message] = field(factory=list)
    watch: CallWatch = field(factory=CallWatch)
    _files: set[Path] = field(factory=set)

    async def say(self, asked: str) -> None:
        """Ask the model, show its answer, and keep both, even if it was stopped."""
        # Connections the server closed while nobody typed are noticed here.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        question = Message("user", asked)
        messages = [*self.opening(), *self.history, question]
        pieces: list[str] = []
        self.watch.begin(self.model, self.settings.timeout)
        began = time.monotonic()
        try:
            reply = await show_reply(
                require(self.model, Chat).chat(messages, **self.settings.arguments),
                StatusLine(self.model.name),
                text_printer(as_json=False, stream=False, markdown=self.markdown),
                pieces=pieces,
            )
        finally:
            self.watch.end()
            if answer := "".join(pieces):
                self.history += [question, Message("assistant", answer)]
        print_notes(reply)
        print_used(
            self.settings,
            reply,
            reply.model or self.model.name,
            time.monotonic() - began,
            usage=reply.usage,
            quiet=False,
        )

    async def use(self, name: str) -> None:
        """Switch to another model; without a name, list the models."""
        if not name:
            known = self.source.names() or (self.model.name,)
            for each in known:
                mark = "*" if each == self.model.name else " "
                screen.note(f"{mark} {each}")
            return
        model = await self.source.open(name)
        require(model, Chat)
        self.model = model
        screen.note(text("cli.now_talking", model=model.name))

    def save(self, name: str) -> None:
        """Write the conversation to a file, without control sequences."""
        if not name:
            screen.note(text("cli.save_where"))
            return
        parts = [
            f"## {message.role}\n\n{message.content}\n"
            for message in (*self.opening(), *self.history)
        ]
        try:
            path = Path(name).expanduser().absolute()
            # A file that this talk wrote before is written anew; another's is kept.
            mode = "w" if path in self._files else "x"
            with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
                self._files.add(path)
                file.write(sanitize("\n".join(parts)))
        except FileExistsError:
            screen.note(text("cli.exists", file=name), colour="red")
        # ValueError: a NUL in the name. RuntimeError: a home folder of nobody.
        except (OSError, ValueError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or error
            screen.note(text("cli.not_saved", why=why, file=name), colour="red")
        else:
            screen.note(text("cli.saved", count=len(self.history), file=name))

    def opening(self) -> list[Message]:
        """Return the messages that every request begins with."""
        return [Message("system", self.system)] if self.system else []


def run_session(settings: CallSettings, *, system: str | None, markdown: bool) -> None:
    """Run a conversation on the terminal until the person leaves it."""
    typed: Callable[[], str] = str  # the line that is half typed, here always empty
    with suppress(ImportError):  # not on every platform; typing works without
        import readline

        typed = readline.get_line_buffer
        readline.set_history_length(1_000)
        if screen.is_terminal(screen.stdout()) and "libedit" not in str(
            readline.__doc__
        ):
            # Else each line of a paste would be a question of its own.
            readline.parse_and_bind("set enable-bracketed-paste on")
    models = ModelSource(settings)
    # One loop for the whole talk: it runs during answers, not while somebody types.
    # So the models are opened and closed from outside of it.
    with asyncio.Runner() as runner:
        runner.run(models.__aenter__())
        try:
            model = runner.run(models.open(settings.model))
            require(model, Chat)
            screen.note(text("cli.talking", model=model.name))
            session = ChatSession(models, model, settings, markdown, system=system)
            _loop(runner, session, typed)
        except MissingToken as error:
            add_help(error)
            raise
        finally:
            runner.run(models.__aexit__(None, None, None))


def _loop(
    runner: asyncio.Runner, session: ChatSession, typed: Callable[[], str]
) -> None:
    interrupted = False
    while True:
        try:
            with screen.terminal_for_input():
                line = input(PROMPT).strip()
        except EOFError:
            screen.note("")
            return
        except KeyboardInterrupt:
            # As in a shell, it throws a line away that was half typed.
            if interrupted and not typed():
                raise
            interrupted = True
            screen.note("")
            screen.note(text("cli.once_more"))
            continue
        interrupted = False
        if line in {"/quit", "/exit"}:
            return
        if not line:
            continue
        # A failure ends a turn, not the talk.
        try:
            _command(runner, session, line)
        except KeyboardInterrupt:
            screen.note(text("cli.stopped"))
        except ByteBuddyError as error:
            if isinstance(error, MissingToken):
                add_help(error)
            log_command_error(error)
            print_error(error)


def _command(runner: asyncio.Runner, session: ChatSession, line: str) -> None:
    # Only a paste has several lines, and it is no command.
    command, _, rest = ("", "", "") if "\n" in line else line.partition(" ")
    rest = rest.strip()
    match command:
        case "/help":
            screen.note(text("cli.chat_help"))
        case "/model":
            runner.run(session.use(rest))
        case "/system":
            session.system = rest or None
            screen.note(text("cli.system_set" if rest else "cli.system_none"))
        case "/save":
            session.save(rest)
        case "/clear":
            session.history.clear()
            screen.note(text("cli.forgotten"))
        # A question may begin with a path, such as /etc/hosts.
        case _ if command.startswith("/") and "/" not in command[1:]:
            screen.note(text("cli.no_command", command=command))
        case _:
            with session.watch:
                runner.run(session.say(line))
