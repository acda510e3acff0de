"""Choose the language to print in: by ``--lang``, else by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from bytebuddy_provider_hf.cli.options import AnyCallable
from bytebuddy_provider_hf.texts import Language

LANG: Final = "bytebuddy_provider_hf.lang"
# POSIX's order of precedence for messages.
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def language_of(env: Mapping[str, str]) -> Language:
    """Return Chinese where the locale's messages are Chinese, else English."""
    chosen = next((env[name] for name in _VARIABLES if env.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def chosen_language(ctx: click.Context, env: Mapping[str, str]) -> Language:
    """Return what ``--lang`` said, before or after the command, or the locale says."""
    said = ctx.meta.get(LANG)
    if said is not None:
        return "zh" if said == "zh" else "en"
    return language_of(env)


def _remember(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        ctx.meta[LANG] = value
    return value


def lang_option(command: AnyCallable) -> AnyCallable:
    """Add ``--lang``."""
    return click.option(
        "--lang",
        type=click.Choice(["en", "zh"]),
        expose_value=False,
        callback=_remember,
        help="Tell failures in this language (default: that of the locale).",
    )(command)
