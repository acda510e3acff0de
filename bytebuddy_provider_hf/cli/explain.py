"""``bytebuddy-hf explain``: what an answer means, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import (
    Language,
    chosen_language,
    lang_option,
)
from bytebuddy_provider_hf.cli.options import json_option, trouble_options
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.failures.body_text import MAX_BODY
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.doctor.explanation import Explanation
    from bytebuddy_provider_hf.hub.router import Serving


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
@click.pass_context
def explain(
    ctx: click.Context,
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
    from bytebuddy_provider_hf.doctor.explanation import explain as explained

    lang = chosen_language(ctx, os.environ)
    explanation = explained(
        status,
        _piped() if body in (None, "-") else body or "",
        headers=_headers(headers),
        model=model,
        base=base,
        lang=lang,
        catalogue=None if offline else _catalogue,
    )
    if as_json:
        screen.print_json(_object(status, explanation))
    else:
        _show(status, explanation, lang)


def _piped() -> bytes:
    if screen.is_interactive(sys.stdin):
        return b""
    return sys.stdin.buffer.read(MAX_BODY)


def _headers(given: Sequence[str]) -> dict[str, str]:
    headers = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon:
            raise click.BadParameter(f"'{one}' is not NAME:VALUE")
        headers[name.strip().lower()] = value.strip()
    return headers


def _catalogue(model: str) -> Serving | None:
    """Return what the router tells; without a network nothing is known."""
    from bytebuddy_provider_hf.errors import ByteBuddyError

    try:
        return asyncio.run(_served(model))
    except ByteBuddyError:
        return None


async def _served(model: str) -> Serving | None:
    from bytebuddy_provider_hf.address import ROUTER
    from bytebuddy_provider_hf.config.values import RequestOptions
    from bytebuddy_provider_hf.hub.router import LIMIT, RouterCatalogue
    from bytebuddy_provider_hf.secret import Environment
    from bytebuddy_provider_hf.transport.http_client import destination_for
    from bytebuddy_provider_hf.transport.pool import open_http_client

    options = RequestOptions(connect_timeout=LIMIT)
    env = Environment(os.environ)
    client = open_http_client(destination_for(ROUTER, None, options, env=env))
    try:
        clock = asyncio.get_running_loop().time
        return await RouterCatalogue(clock=clock).serving(model, client)
    finally:
        await client.aclose()


def _show(status: int, explanation: Explanation, lang: Language) -> None:
    title = f"{explanation.title} ({explanation.kind}, {status})"
    screen.emit(screen.styled(title, bold=True))
    if explanation.said:
        screen.emit(
            f"  {text('explain.said').render(lang)}{sanitize_line(explanation.said)}"
        )
    screen.emit(f"  {explanation.meaning}")
    if explanation.next_steps:
        screen.emit(text("explain.next").render(lang))
    for number, step in enumerate(explanation.next_steps, start=1):
        screen.emit(f"  {number}. {sanitize_line(step)}")


def _object(status: int, explanation: Explanation) -> dict[str, object]:
    return {
        "status": status,
        "kind": explanation.kind,
        "title": explanation.title,
        "meaning": explanation.meaning,
        "next_steps": list(explanation.next_steps),
        "links": list(explanation.links),
        "said": explanation.said,
    }
