"""Commands ``cache stats`` and ``cache clear``: the answers that are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.options import json_option, trouble_options
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import ANSWERS, cache_folder
from bytebuddy_provider_hf.failures.next_steps import human_time
from bytebuddy_provider_hf.storage.answers_file import (
    clear_answers,
    read_stats,
    size_text,
)
from bytebuddy_provider_hf.texts import text

_EXAMPLES: Final = """\b
Examples:
  bytebuddy-hf cache stats
  bytebuddy-hf cache clear
  bytebuddy-hf cache clear --older-than 86400     what is older than a day
"""


@click.group(epilog=_EXAMPLES)
@trouble_options
def cache() -> None:
    """Show or clear the answers that are kept.

    Entries of the configuration with the key "cache" keep answers, and calls that ask
    for it.
    """


@cache.command(short_help="Show how many answers are kept.", epilog=_EXAMPLES)
@json_option
@trouble_options
def stats(*, as_json: bool) -> None:
    """Show how many answers are kept, how large they are and how often they are used.

    What a program that runs has used is counted when it keeps another one or ends.
    """
    found = read_stats(_folder())
    path, now = _folder() / ANSWERS.name, time.time()
    ages = [
        None if at is None else max(0.0, now - at)
        for at in (found.oldest, found.newest)
    ]
    if as_json:
        screen.print_json(
            {
                "path": str(path),
                "entries": found.entries,
                "bytes": found.size,
                "bytes_on_disk": found.on_disk,
                "hits": found.hits,
                "oldest_seconds": ages[0],
                "newest_seconds": ages[1],
            }
        )
        return
    screen.emit(sanitize_line(str(path)))
    size = size_text(found.size)
    screen.emit(
        text(
            "cache.stats", count=f"{found.entries:,}", size=size, hits=f"{found.hits:,}"
        )
    )
    if ages[0] is not None and ages[1] is not None:
        oldest, newest = map(human_time, (ages[0], ages[1]))
        screen.emit(text("cache.stats_age", oldest=oldest, newest=newest))


@cache.command(short_help="Remove the answers that are kept.", epilog=_EXAMPLES)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Only what was kept before so long.",
)
@json_option
@trouble_options
def clear(*, older_than: float | None, as_json: bool) -> None:
    """Remove the answers that are kept, without asking.

    Programs that run give none of them any more when it returns, after a second.
    """
    entries, size = clear_answers(_folder(), older_than=older_than)
    if as_json:
        screen.print_json({"entries": entries, "bytes": size})
    else:
        screen.note(text("cache.cleared", count=f"{entries:,}", size=size_text(size)))


def _folder() -> Path:
    return cache_folder(os.environ, home_folder())
