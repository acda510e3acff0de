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
from attrs import define, evolve, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.arguments import read_prompt
from bytebuddy_provider_hf.cli.attachments import (
    Attachments,
    attachment_options,
    file_option,
    read_files,
    shortened,
)
from bytebuddy_provider_hf.cli.call_watch import CallWatch
from bytebuddy_provider_hf.cli.kept_talk import KeptTalk, TalkFile, server_of
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
from bytebuddy_provider_hf.cli.terminal import sanitize, sanitize_line
from bytebuddy_provider_hf.cli.verbose import log_command_error
from bytebuddy_provider_hf.errors import ByteBuddyError, MissingToken
from bytebuddy_provider_hf.plugins.protocols import Chat, Complete, Model, ReplyCall
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Message, TextPart

_STREAM: Final = click.option(
    "--stream", is_flag=True, help="With --json: one event a line, as they come."
)

PROMPT: Final = "> "
# What shells and interpreters are left with; alone on a line it is no question.
LEAVING: Final = frozenset({"/quit", "/exit", "quit", "exit"})


@command(
    "bytebuddy-hf chat",
    'bytebuddy-hf chat -m org/name "What is a monad?"',
    'git diff | bytebuddy-hf chat "Write a commit message."',
    'bytebuddy-hf chat -f app.py "What is wrong here?" --keep',
    'bytebuddy-hf chat -c "And how is it mended?"',
    'bytebuddy-hf chat --image cat.png "Which animal?" --schema animal.json',
)
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="The system message.")
@attachment_options
@click.option(
    "-c",
    "--continue",
    "goes_on",
    is_flag=True,
    help="Go on with the talk that was kept last, and keep it.",
)
@click.option("--keep", is_flag=True, help="Keep the talk, with all you ask, for -c.")
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
    attached: Attachments,
    goes_on: bool,
    keep: bool,
    settings: CallSettings,
    as_json: bool,
    stream: bool,
    no_markdown: bool,
) -> None:
    """Ask a model, or talk with it.

    PROMPT and what is piped in make one question, which files and pictures go along
    with. On a terminal without PROMPT, a talk begins; /help there lists what it
    understands.
    """
    typed = screen.is_interactive(sys.stdin) and screen.is_interactive(screen.stdout())
    talks = prompt is None and typed and not as_json
    if attached.tools and (talks or goes_on or keep):
        raise click.UsageError(text("cli.tool_once"))
    file = TalkFile.of_user()
    talk = KeptTalk(settings.model, settings.base)
    if goes_on:
        talk = file.read()
        if settings.model or settings.base:
            # Whoever names it here wants it there.
            talk = evolve(talk, server=None)
        settings = talk.settings(settings)
    elif keep:
        file.check()
    talk = evolve(talk, system=system or talk.system)
    kept = file if goes_on or keep else None
    # Drawn as Markdown, JSON would be something else.
    markdown = not no_markdown and attached.schema is None
    if talks:
        run_session(settings, talk, attached, kept, markdown=markdown)
        return
    question = attached.question(read_prompt(prompt))
    messages = [*opening(talk.system), *talk.messages, question]
    server = talk.server

    def begin(model: Model) -> ReplyCall:
        nonlocal server
        talk.check_server(model)
        server = server_of(model)
        return require(model, Chat).chat(
            messages, **settings.arguments, **attached.arguments
        )

    reply = ask(
        settings,
        begin,
        text_printer(as_json=as_json, stream=stream, markdown=markdown),
        quiet=as_json,
    )
    if not as_json:
        print_notes(reply)
    if kept is not None and reply.text:
        answer = Message("assistant", reply.text)
        said = (*talk.messages, question, answer)
        now = KeptTalk(settings.model, settings.base, server, talk.system, said)
        write_talk(kept, now)


@command(
    'bytebuddy-hf complete -m org/name "Once upon a time"',
    "bytebuddy-hf complete --max-tokens 40 < draft.txt",
    "bytebuddy-hf complete -f draft.txt --seed 7",
)
@click.argument("prompt", required=False)
@file_option
@call_options()
@_STREAM
# Markdown would draw a continued text as something it is not, so there is no choice;
# the option is taken all the same, for those who give both commands the same ones.
@click.option("--no-markdown", is_flag=True, expose_value=False, hidden=True)
def complete(
    *,
    prompt: str | None,
    files: tuple[Path, ...],
    settings: CallSettings,
    as_json: bool,
    stream: bool,
) -> None:
    """Let a model continue a text exactly as it stands.

    PROMPT and what is piped in make one text, which follows the files, if there are
    any, with nothing between.
    """
    first = "".join(file.text for file in read_files(files))
    begun = first + read_prompt(prompt, is_optional=bool(first.strip()))
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
    """A conversation with one model at a time.

    What is ``attached`` goes along with the next question. The talk is written into
    ``kept``, where somebody asked for it.
    """

    source: ModelSource
    model: Model
    settings: CallSettings
    markdown: bool
    system: str | None = None
    attached: Attachments = field(factory=Attachments)
    kept: TalkFile | None = None
    history: list[Message] = field(factory=list)
    watch: CallWatch = field(factory=CallWatch)
    _files: set[Path] = field(factory=set)

    async def say(self, asked: str) -> None:
        """Ask the model, show its answer, and keep both, even if it was stopped."""
        # Connections the server closed while nobody typed are noticed here.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        question = self.attached.question(asked)
        messages = [*opening(self.system), *self.history, question]
        pieces: list[str] = []
        self.watch.begin(self.model, self.settings.timeout)
        began = time.monotonic()
        try:
            reply = await show_reply(
                require(self.model, Chat).chat(
                    messages, **self.settings.arguments, **self.attached.arguments
                ),
                StatusLine(self.model.name),
                text_printer(as_json=False, stream=False, markdown=self.markdown),
                pieces=pieces,
            )
        finally:
            self.watch.end()
            if answer := "".join(pieces):
                self.history += [question, Message("assistant", answer)]
                self.attached = self.attached.without_files()
                self.store()
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
            f"## {message.role}\n\n{readable_content(message)}\n"
            for message in (*opening(self.system), *self.history)
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

    @property
    def talk(self) -> KeptTalk:
        """The talk so far, as it is kept."""
        said = tuple(self.history)
        server = server_of(self.model)
        return KeptTalk(self.model.name, self.settings.base, server, self.system, said)

    def keep(self) -> None:
        """Keep the talk from now on, with what was said already."""
        file = TalkFile.of_user()
        file.check()
        # The talk that was kept before stays until there is something to keep.
        if self.history:
            write_talk(file, self.talk)
        self.kept = file
        screen.note(text("cli.keeping", file=file.path))

    def clear(self) -> None:
        """Forget what was said, in the kept talk too."""
        if self.history:
            self.history.clear()
            self.store()
        screen.note(text("cli.forgotten"))

    def store(self) -> None:
        """Write the talk into its file, where it is kept; a failure ends no talk."""
        if self.kept is not None:
            try:
                write_talk(self.kept, self.talk)
            except ByteBuddyError as error:
                print_error(error)


def opening(system: str | None) -> list[Message]:
    """Return the messages that every request begins with."""
    return [Message("system", system)] if system else []


def readable_content(message: Message) -> str:
    """Return what a message says, with the addresses of its pictures."""
    if isinstance(message.content, str):
        return message.content
    return "\n\n".join(
        part.text if isinstance(part, TextPart) else f"![]({shortened(part.url)})"
        for part in message.content
    )


def write_talk(file: TalkFile, talk: KeptTalk) -> None:
    """Keep a talk, and say so where its pictures are too large."""
    if not file.write(talk):
        screen.note(text("cli.pictures_not_kept"), colour="yellow")


def run_session(
    settings: CallSettings,
    talk: KeptTalk,
    attached: Attachments,
    kept: TalkFile | None,
    *,
    markdown: bool,
) -> None:
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
            talk.check_server(model)
            screen.note(text("cli.talking", model=model.name))
            if talk.messages:
                screen.note(text("cli.going_on", count=len(talk.messages)))
            if attached.names:
                names = sanitize_line(", ".join(attached.names))
                screen.note(text("cli.goes_along", names=names))
            session = ChatSession(
                models,
                model,
                settings,
                markdown,
                system=talk.system,
                attached=attached,
                kept=kept,
                history=list(talk.messages),
            )
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
        if line in LEAVING:
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
        case "/keep":
            session.keep()
        case "/clear":
            session.clear()
        # A question may begin with a path, such as /etc/hosts.
        case _ if command.startswith("/") and "/" not in command[1:]:
            screen.note(text("cli.no_command", command=command))
        case _:
            with session.watch:
                runner.run(session.say(line))
