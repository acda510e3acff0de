"""``bytebuddy-hf login``: a token read hidden, tried, and kept."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

import click

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.options import trouble_options
from bytebuddy_provider_hf.cli.whoami import (
    INFERENCE,
    TOKEN_PAGE,
    Identity,
    whoami,
)
from bytebuddy_provider_hf.errors import DeadlineExceeded, InvalidToken
from bytebuddy_provider_hf.secret import Secret

VARIABLE: Final = "HF_API_KEY"

_SENDABLE: Final = re.compile(r"[\x21-\x7e]{8,4096}")
_LONGEST: Final = 4096
_PATIENCE: Final = 30.0
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


@click.command()
@click.option("--no-check", is_flag=True, help="Store it without asking the Hub.")
@click.option("--hub", default=HUB, hidden=True)
@trouble_options
def login(*, no_check: bool, hub: str) -> None:
    """Store a Hugging Face token where the configuration finds it.

    The token is typed hidden, or piped in: it is never an option, because other
    programs can read a command line.
    """
    token = read_token()
    identity = None if no_check else asyncio.run(_try(token, hub))
    if identity is not None:
        _introduce(identity)
    place = _keep(token)
    screen.note(f"kept as {VARIABLE} in {place}, readable by you only")
    if os.environ.get(VARIABLE):
        screen.warn(f"{VARIABLE} is also set in this environment, which goes first")
    if os.name == "posix" and place.parent.stat().st_mode & _WRITABLE:
        screen.warn(f"others can replace it: chmod 700 {place.parent}")


def read_token() -> Secret:
    """Return the token that is typed or piped in.

    Raises:
        InvalidToken: Nothing came, or what came cannot be a token.
    """
    if screen.is_interactive(sys.stdin):
        screen.note(
            f"Make a token here; it may call models and nothing else:\n\n"
            f"  {TOKEN_PAGE}\n"
        )
        token = Secret(_clean(getpass("Token (hidden): ")))
    else:
        token = Secret(_clean(_piped()))
    if not token:
        message = "no token was given"
        raise InvalidToken(message, hint=f"Make one: {TOKEN_PAGE}")
    if not _SENDABLE.fullmatch(token.reveal()):
        message = (
            "what was given cannot be a token: it has spaces or odd characters, or is "
            "too short or too long"
        )
        raise InvalidToken(message, hint="Copy it again, in one piece.")
    return token


def _piped() -> str:
    # As bytes: what is not UTF-8 is for the check below, and so is the end of what is
    # too long.
    return sys.stdin.buffer.read(_LONGEST + 2).decode("utf-8", "replace")


def _clean(typed: str) -> str:
    return typed.replace("\r", "").strip()


async def _try(token: Secret, hub: str) -> Identity:
    from bytebuddy_provider_hf.transport.pool import open_http_client

    try:
        async with asyncio.timeout(_PATIENCE):
            return await whoami(token, hub=hub, connect=open_http_client)
    except TimeoutError:
        waited = f"the Hub did not answer within {_PATIENCE:.0f} s"
    raise DeadlineExceeded(waited, hint="Use --no-check to go on without it.")


def _introduce(identity: Identity) -> None:
    named = f' ("{identity.token_name}")' if identity.token_name else ""
    screen.note(f"hello {identity.name}; the token works{named}", colour="green")
    if identity.may_infer is False:
        screen.warn(f"it lacks the permission {INFERENCE}: models will refuse it")
        screen.note(f"  a token that has it: {TOKEN_PAGE}")
    elif identity.may_infer:
        screen.note("it may call models")


def _keep(token: Secret) -> Path:
    from bytebuddy_provider_hf.config.files import home_folder
    from bytebuddy_provider_hf.config.write import write_secret

    path = home_folder() / ".bytebuddy" / ".env"
    write_secret(path, VARIABLE, token)
    return path
