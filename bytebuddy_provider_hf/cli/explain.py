"""Run ``bytebuddy-hf explain``: say what an answer means, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click
from attrs import asdict

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized, process_language
from bytebuddy_provider_hf.cli.options import (
    json_option,
    lang_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.failures.body_text import MAX_BODY
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.hub.router_models import Serving


@click.command(no_args_is_help=True)
@click.argument("status", type=click.IntRange(100, 599))
@click.argument("body", required=False)
@click.option("-m", "--model", metavar="NAME", help="The model that was asked.")
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
@lang_option
@json_option
@trouble_options
def explain(
    *,
    status: int,
    body: str | None,
    model: str | None,
    base: str | None,
    headers: tuple[str, ...],
    offline: bool,
    as_json: bool,
) -> None:
    """Tell what the answer STATUS, with its BODY, means and what to do.

    BODY is also read from a pipe. The event of a stream has status 200.
    """
    # Imported here: the command line starts without the wire.
    from bytebuddy_provider_hf.doctor.explanation import explain as explained

    said: str | bytes = body or ""
    if body in (None, "-"):
        interactive = screen.is_interactive(sys.stdin)
        said = b"" if interactive else sys.stdin.buffer.read(MAX_BODY)
    told = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.BadParameter(text("cli.no_header", header=header))
        told[name.strip().lower()] = value.strip()
    lang = process_language()
    explanation = explained(
        status,
        said,
        headers=told,
        model=model,
        base=base,
        lang=lang,
        catalogue=None if offline else _catalogue,
    )
    if as_json:
        screen.print_json({"status": status, **asdict(explanation)})
        return
    title = f"{explanation.title} ({explanation.kind}, {status})"
    screen.emit(screen.styled(title, bold=True))
    if explanation.said:
        # What a server said, and the steps that quote it, may hold a terminal's codes.
        quoted = text("explain.said", said=sanitize_line(explanation.said))
        screen.emit(f"  {localized(quoted)}")
    screen.emit(f"  {explanation.meaning}")
    if explanation.next_steps:
        screen.emit(text("explain.next"))
    for number, step in enumerate(explanation.next_steps, start=1):
        screen.emit(f"  {number}. {sanitize_line(step)}")


def _catalogue(model: str) -> Serving | None:
    """Return what the router's catalogue has; without a network nothing is known."""
    from bytebuddy_provider_hf.errors import ByteBuddyError

    try:
        return asyncio.run(_served(model))
    except ByteBuddyError:
        return None


async def _served(model: str) -> Serving | None:
    from bytebuddy_provider_hf.address import ROUTER
    from bytebuddy_provider_hf.config.values import RequestOptions
    from bytebuddy_provider_hf.hub.router_models import LIMIT, RouterCatalogue
    from bytebuddy_provider_hf.secret import Environment
    from bytebuddy_provider_hf.transport.http_client import destination_for
    from bytebuddy_provider_hf.transport.pool import open_http_client

    # The catalogue is public, so no token is sent.
    options = RequestOptions(connect_timeout=LIMIT)
    env = Environment(os.environ)
    client = open_http_client(destination_for(ROUTER, None, options, env=env))
    try:
        clock = asyncio.get_running_loop().time
        return await RouterCatalogue(clock=clock).serving(model, client)
    finally:
        await client.aclose()
