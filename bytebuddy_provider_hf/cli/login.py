"""Command ``login``: read a token hidden, try it at the Hub, and store it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from getpass import getpass
from typing import Final

import click
from attrs import frozen

from bytebuddy_provider_hf.address import HUB, HostKind, parse
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.options import command, trouble_options
from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    APIError,
    ConfigError,
    DeadlineExceeded,
    InvalidEndpoint,
    InvalidToken,
    MalformedResponse,
)
from bytebuddy_provider_hf.hub.billing import UNAUTHORIZED, error_kind
from bytebuddy_provider_hf.secret import Environment, Secret, one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.http_client import (
    HttpClientFactory,
    destination_for,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest

VARIABLE: Final = "HF_API_KEY"
# The permission of a fine-grained token that inference needs.
INFERENCE: Final = "inference.serverless.write"
TOKEN_PAGE: Final = (
    f"{HUB}/settings/tokens/new?ownUserPermissions={INFERENCE}&tokenType=fineGrained"
)

# What a header can carry (RFC 9110, field-vchar), and no token is shorter.
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{8,4096}")
_LONGEST: Final = 4096
# Seconds for whoami in all; it answers in less than one.
_PATIENCE: Final = 30.0

_LARGEST_ANSWER: Final = 1024 * 1024
_LONGEST_NAME: Final = 100
_OK: Final = 200


@command(
    "bytebuddy-hf login",
    "bytebuddy-hf login < token.txt",
)
@click.option("--no-check", is_flag=True, help="Store it without asking the Hub.")
@click.option("--hub", default=HUB, hidden=True)
@trouble_options
def login(*, no_check: bool, hub: str) -> None:
    """Store a Hugging Face token where the configuration finds it.

    The token is typed hidden, or piped in: it is never an option, because other
    programs can read a command line.
    """
    from bytebuddy_provider_hf.config.files import home_folder
    from bytebuddy_provider_hf.config.stored_files import ENV, user_folder
    from bytebuddy_provider_hf.config.write import write_secret

    path = user_folder(home_folder()) / ENV.name
    # Before anybody types: whoever can replace the file has the token.
    exposed = exposures(path)
    for each in exposed:
        if each.is_refused:
            raise ConfigError(text("cli.replaceable", why=each.message))
    token = read_token()
    if not no_check:
        found = asyncio.run(_try(token, hub))
        works = text("cli.hello", name=found.name)
        if found.token_name:
            works = text("cli.hello_named", name=found.name, token=found.token_name)
        screen.note(works, colour="green")
        if found.may_infer is False:
            screen.warn(text("cli.lacks_permission", permission=INFERENCE))
            screen.detail(text("cli.token_page", page=TOKEN_PAGE))
        elif found.may_infer:
            screen.note(text("cli.may_infer"))
    write_secret(path, VARIABLE, token)
    screen.note(text("cli.kept", variable=VARIABLE, file=path))
    if os.environ.get(VARIABLE):
        screen.warn(text("cli.set_twice", variable=VARIABLE))
    for each in exposed:
        screen.warn(each.message)


def read_token() -> Secret:
    """Return the token that is typed or piped in.

    Raises:
        InvalidToken: Nothing came, or what came cannot be a token.
    """
    if screen.is_interactive(sys.stdin):
        screen.note(text("cli.make_token_here"))
        screen.note(f"\n  {TOKEN_PAGE}\n")
        given = getpass(localized(text("cli.token_hidden")))
    else:
        # As bytes: what is not UTF-8 is for the check below, and so is the end of what
        # is too long.
        given = sys.stdin.buffer.read(_LONGEST + 2).decode("utf-8", "replace")
    token = Secret(given.replace("\r", "").strip())
    # No frame that a traceback may show keeps it.
    del given
    if not token:
        hint = text("cli.make_one", page=TOKEN_PAGE)
        raise InvalidToken(text("cli.no_token"), hint=hint)
    if not _SENDABLE.fullmatch(token.reveal()):
        raise InvalidToken(text("cli.bad_token"), hint=text("cli.copy_again"))
    return token


async def _try(token: Secret, hub: str) -> Identity:
    # Sockets are imported after the token was read: typing it is what takes long.
    from bytebuddy_provider_hf.transport.pool import open_http_client

    try:
        async with asyncio.timeout(_PATIENCE):
            return await whoami(token, hub=hub, connect=open_http_client)
    except TimeoutError:
        waited = text("cli.hub_silent", seconds=f"{_PATIENCE:.0f}")
    raise DeadlineExceeded(waited, hint=text("cli.go_on_without"))


@frozen
class Identity:
    """Who a token belongs to. ``may_infer`` is ``None`` where the Hub did not say."""

    name: str
    token_name: str = ""
    role: str = ""
    may_infer: bool | None = None


async def whoami(token: Secret, *, hub: str, connect: HttpClientFactory) -> Identity:
    """Ask ``hub`` who ``token`` belongs to.

    Raises:
        ByteBuddyError: The Hub does not know the token, cannot be reached, or answers
            something else.
    """
    origin = hub_origin(hub)
    options = RequestOptions(connect_timeout=10)
    env = Environment(os.environ)
    client = connect(destination_for(origin, token, options, env=env))
    try:
        call = HttpRequest(f"{origin}/api/whoami-v2", method="GET")
        response = await client.send(call)
        try:
            # Before the body: a server may echo the token, and this frame may be shown.
            if response.status != _OK:
                raise _refusal(response.status)
            body = await response.read(_LARGEST_ANSWER)
        finally:
            response.close()
    finally:
        await client.aclose()
    return identity(body)


def _refusal(status: int) -> APIError:
    """Return what a status of whoami-v2 means, with the next step."""
    # Its permissions are no matter here: a 403 says that it is no token of the Hub's.
    known = UNAUTHORIZED if status == 403 else status  # noqa: PLR2004 - Forbidden
    kind = error_kind(known)
    if known == UNAUTHORIZED:
        message = text("cli.token_unknown")
        hint = text("cli.new_token", page=TOKEN_PAGE)
    elif status == 429:  # noqa: PLR2004 - Too Many Requests (RFC 6585)
        message, hint = text("cli.asked_too_often"), text("cli.wait_minutes")
    else:
        message, hint = text("cli.hub_status", status=status), text("cli.go_on")
    return kind(message, status=status, hint=hint)


def hub_origin(hub: str) -> str:
    """Return the origin of ``hub``: the Hub itself, or a server on this machine."""
    address = parse(hub)
    if address.origin == HUB or address.host_kind is HostKind.LOOPBACK:
        return address.origin
    raise InvalidEndpoint(text("cli.only_at_hub"))


def identity(body: bytes) -> Identity:
    """Return the identity that the Hub's answer to whoami-v2 describes."""
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    name = _text(answer, "name")
    if not name:
        raise MalformedResponse(text("cli.names_nobody"))
    token = _member(_member(answer, "auth"), "accessToken")
    role = _text(token, "role")
    shown = one_line(_text(token, "displayName"), limit=_LONGEST_NAME)
    name = one_line(name, limit=_LONGEST_NAME)
    may_infer: bool | None = None
    if role in {"read", "write"}:
        may_infer = True
    elif role == "fineGrained":
        granted = _member(token, "fineGrained")
        found = _member(granted, "scoped")
        scopes = found if isinstance(found, list) else []
        # Both places occur: "global", and "permissions" of each scope.
        groups = [
            _member(granted, "global"),
            *(_member(scope, "permissions") for scope in scopes),
        ]
        may_infer = any(INFERENCE in it for it in groups if isinstance(it, list))
    return Identity(name, shown, role, may_infer)


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object, key: str) -> str:
    found = _member(value, key)
    return found if isinstance(found, str) else ""
