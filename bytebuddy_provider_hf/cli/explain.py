"""Run ``bytebuddy-hf explain``: say what an answer means, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

import click
from attrs import asdict, evolve

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized, process_language
from bytebuddy_provider_hf.cli.options import (
    complete_entry,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.failures.body_text import MAX_BODY
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.doctor.explanation import Explanation
    from bytebuddy_provider_hf.hub.router_models import Serving

_EXAMPLES: Final = """\b
Examples:
  bytebuddy-hf explain 503
  bytebuddy-hf explain 'Model Not Found'
  curl -s URL | bytebuddy-hf explain 402 -
"""


@click.command(no_args_is_help=True, epilog=_EXAMPLES)
@click.argument("what", metavar="STATUS|WORDS")
@click.argument("said", metavar="[BODY]", nargs=-1)
@click.option(
    "-m",
    "--model",
    metavar="NAME",
    shell_complete=complete_entry,
    help="The model that was asked.",
)
@click.option("--base", metavar="URL", help="The server that was asked.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header of the answer, such as retry-after:30; may be repeated.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="Do not ask Hugging Face's router who serves the model.",
)
@json_option
@trouble_options
def explain(
    *,
    what: str,
    said: tuple[str, ...],
    model: str | None,
    base: str | None,
    headers: tuple[str, ...],
    offline: bool,
    as_json: bool,
) -> None:
    """Tell what an answer, or the words of an error, mean and what to do.

    BODY is what the server said; it is also read from a pipe. Without it, all that a
    STATUS was seen to mean is listed. The event of a stream has status 200. WORDS are
    an error's name or title, a line of one, or what a server said: 'Model Not Found'.
    """
    # Imported here: the command line starts without the wire.
    from bytebuddy_provider_hf.doctor.explanation import explain as explained
    from bytebuddy_provider_hf.doctor.explanation import (
        explain_words,
        meanings,
        pasted_answer,
        status_in,
    )

    lang = process_language()
    bare = base is None
    if model is not None:
        model, own_base = _asked(model)
        base = own_base if base is None else base
    status = status_in(what)
    words = " ".join((what, *said))
    if status is None and (pasted := pasted_answer(words)):
        status, said = pasted[0], (pasted[1],)
    if status is None:
        found = explain_words(words, model=model, lang=lang)
        if not found:
            raise click.BadArgumentUsage(text("explain.nothing_known", words=words))
        _show(found, as_json=as_json)
        return
    body: str | bytes = " ".join(said)
    if said in ((), ("-",)):
        interactive = screen.is_interactive(sys.stdin)
        body = b"" if interactive else sys.stdin.buffer.read(MAX_BODY)
    told = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.BadParameter(text("cli.no_header", header=header))
        told[name.strip().lower()] = value.strip()
    explanation = explained(
        status,
        body,
        headers=told,
        model=model,
        base=base,
        lang=lang,
        catalogue=None if offline else _catalogue,
    )
    # Where nobody told what the server said, or what it was, the status is all.
    bare = bare and not (body or told)
    several = meanings(status, model=model, lang=lang) if bare else ()
    _show(
        several if len(several) > 1 else (explanation,),
        status=status,
        first=explanation,
        as_json=as_json,
    )


def _show(
    found: tuple[Explanation, ...],
    *,
    status: int | None = None,
    first: Explanation | None = None,
    as_json: bool,
) -> None:
    """Print one explanation in full, or several with the first step of each."""
    if as_json:
        # With a status, the members of a single explanation stay where they were.
        one = asdict(first or found[0])
        numbered = {} if status is None else {"status": status}
        each = [asdict(explanation) for explanation in found]
        several = {"meanings": each} if len(each) > 1 else {}
        screen.print_json({**numbered, **one, **several})
        return
    if len(found) > 1:
        heading = text("explain.heading", status="" if status is None else status)
        screen.emit(screen.styled(localized(heading).lstrip(), bold=True))
    for explanation in found:
        known = explanation.kind if status is None else f"{explanation.kind}, {status}"
        title = f"{explanation.title} ({known})"
        screen.emit(screen.styled(title, bold=True))
        if explanation.said:
            # What a server said, and the steps that quote it, may hold a terminal's
            # codes.
            quoted = text("explain.said", said=sanitize_line(explanation.said))
            screen.say(f"  {localized(quoted)}")
        screen.say(f"  {explanation.meaning}")
        steps = explanation.next_steps[: 1 if len(found) > 1 else None]
        if steps and len(found) == 1:
            screen.emit(text("explain.next"))
        for number, step in enumerate(steps, start=1):
            mark = screen.sign("→", ">") if len(found) > 1 else f"{number}."
            screen.say(f"  {mark} {sanitize_line(step)}")
    if len(found) > 1 and status is not None:
        screen.say(text("explain.say_more", command=f"explain {status} BODY"))


def _asked(name: str) -> tuple[str | None, str | None]:
    """Return the model and the address of an entry, or ``name`` for a model's id."""
    from bytebuddy_provider_hf.cli.login import user_config

    # The id of a model has its owner before a slash.
    entries = () if "/" in name else user_config().entries
    entry = next((each for each in entries if each.name == name), None)
    if entry is None:
        return name, None
    # What came from a variable is not printed.
    model = None if "model" in entry.written else entry.model
    return model, None if "apiBase" in entry.written else entry.api_base


def _catalogue(model: str) -> Serving | None:
    """Return what the router's catalogue has; without a network nothing is known."""
    from bytebuddy_provider_hf.errors import ByteBuddyError

    try:
        return asyncio.run(_served(model))
    except ByteBuddyError:
        return None


async def _served(model: str) -> Serving | None:
    from bytebuddy_provider_hf.address import ROUTER
    from bytebuddy_provider_hf.cli.login import user_config
    from bytebuddy_provider_hf.hub.router_models import LIMIT, RouterCatalogue
    from bytebuddy_provider_hf.secret import Environment
    from bytebuddy_provider_hf.transport.http_client import destination_for
    from bytebuddy_provider_hf.transport.pool import open_http_client

    # The catalogue is public, so no token is sent.
    options = evolve(
        user_config().request_options,
        headers={},
        client_certificate=None,
        connect_timeout=LIMIT,
    )
    env = Environment(os.environ)
    client = open_http_client(destination_for(ROUTER, None, options, env=env))
    try:
        clock = asyncio.get_running_loop().time
        return await RouterCatalogue(clock=clock).serving(model, client)
    finally:
        await client.aclose()
