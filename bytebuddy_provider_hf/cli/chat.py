"""Commands ``chat`` and ``complete``: ask a model and show its answer."""

from __future__ import annotations

import sys
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.arguments import read_prompt
from bytebuddy_provider_hf.cli.model_source import require
from bytebuddy_provider_hf.cli.options import CallSettings, call_options, stream_option
from bytebuddy_provider_hf.cli.render import text_printer
from bytebuddy_provider_hf.cli.show_reply import ask, print_notes
from bytebuddy_provider_hf.plugins.protocols import Chat, Complete
from bytebuddy_provider_hf.types import Message

_CHAT_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf chat
  bytebuddy-hf chat -m org/name "What is a monad?"
  git diff | bytebuddy-hf chat "Write a commit message."
"""
_COMPLETE_EXAMPLES: Final = """\
\b
Examples:
  bytebuddy-hf complete -m org/name "Once upon a time"
  bytebuddy-hf complete --max-tokens 40 < draft.txt
"""


@click.command(epilog=_CHAT_EXAMPLES)
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="The system message.")
@call_options()
@stream_option
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
    typed = screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stdout)
    if prompt is None and typed and not as_json:
        # It is the only command that needs the line editor.
        from bytebuddy_provider_hf.cli.chat_session import run_session

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


@click.command(epilog=_COMPLETE_EXAMPLES)
@click.argument("prompt", required=False)
@call_options()
@stream_option
# Markdown would draw a continued text as something it is not, so there is no choice;
# the option is taken all the same, for those who give both commands the same ones.
@click.option("--no-markdown", is_flag=True, expose_value=False, hidden=True)
def complete(
    *, prompt: str | None, settings: CallSettings, as_json: bool, stream: bool
) -> None:
    """Let a model continue a text exactly as it stands.

    PROMPT and what is piped in make one text.
    """
    text = read_prompt(prompt)
    reply = ask(
        settings,
        lambda model: require(model, Complete).complete(text, **settings.arguments),
        text_printer(as_json=as_json, stream=stream, markdown=False),
        quiet=as_json,
    )
    if not as_json:
        print_notes(reply)
