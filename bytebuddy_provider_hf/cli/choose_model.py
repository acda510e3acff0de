"""Let a person choose among models that are served now, for a first configuration."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import click

from bytebuddy_provider_hf.cli import tables
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.config.write import MODEL
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.catalogue import FoundModel

_MOST: Final = 8
_MOST_PROVIDERS: Final = 3


def choose_model() -> str | None:
    """Return the id that a person chose, ``None`` for the usual one.

    Nothing is asked of the person where the router does not tell in two seconds.
    """
    from bytebuddy_provider_hf.cli.model_text import prices_text

    found = _live_models()[:_MOST]
    if not found:
        return None
    tables.print_note(text("models.choose_model"))
    for number, each in enumerate(found, start=1):
        best = each.cheapest
        read, written = prices_text(None if best is None else best.price)
        names = [offer.provider for offer in each.offers]
        shown = ", ".join(names[:_MOST_PROVIDERS])
        if len(names) > _MOST_PROVIDERS:
            more = len(names) - _MOST_PROVIDERS
            shown = text("models.and_more", names=shown, count=more)
        tables.print_note(
            text(
                "models.choice",
                number=number,
                model=each.id,
                read=read,
                written=written,
                providers=shown,
            )
        )
    said = _answer()
    if not said:
        return None
    if said.isdecimal() and 1 <= int(said) <= len(found):
        return found[int(said) - 1].id
    tables.print_note(text("models.no_choice", said=said[:20], model=MODEL))
    return None


def _live_models() -> tuple[FoundModel, ...]:
    from bytebuddy_provider_hf.client.catalogue import LIVE_LIMIT, Catalogue
    from bytebuddy_provider_hf.client.runtime import Runtime

    async def main() -> tuple[FoundModel, ...]:
        async with Catalogue(runtime=Runtime(), limit=LIVE_LIMIT) as catalogue:
            return await catalogue.live_models()

    try:
        return asyncio.run(main())
    except ByteBuddyError:  # the file is written all the same
        return ()


def _answer() -> str:
    # Ctrl-C is to end the question at once: a loop that ran only notes it for later.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    question = localized(text("models.ask_choice", model=MODEL))
    try:
        said: str = click.prompt(question, default="", show_default=False, err=True)
    except click.Abort as error:
        # click makes one error of Ctrl-C and of the end of what is typed.
        if isinstance(error.__context__, EOFError):
            return ""
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
    return said.strip()
