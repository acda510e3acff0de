"""Command ``login``: read a token hidden, try it at the Hub, and store it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from getpass import getpass
from typing import Final

import click
from attrs import evolve

from bytebuddy_provider_hf.address import HUB, HostKind, parse
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.options import command, trouble_options
from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.placeholders import is_addressed, is_placeholder
from bytebuddy_provider_hf.config.values import Config, ModelEntry, RequestOptions
from bytebuddy_provider_hf.config.write import VARIABLE
from bytebuddy_provider_hf.errors import (
    APIError,
    ConfigError,
    DeadlineExceeded,
    InvalidEndpoint,
    InvalidToken,
    MalformedResponse,
)
from bytebuddy_provider_hf.hub.billing import (
    INFERENCE,
    UNAUTHORIZED,
    AccountHolder,
    error_kind,
    parse_whoami,
)
from bytebuddy_provider_hf.secret import Environment, Secret
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import VARIABLES
from bytebuddy_provider_hf.transport.http_client import (
    HttpClientFactory,
    destination_for,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest

TOKEN_PAGE: Final = (
    f"{HUB}/settings/tokens/new?ownUserPermissions={INFERENCE}&tokenType=fineGrained"
)

# What a header can carry (RFC 9110, field-vchar), and no token is shorter.
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{8,4096}")
_LONGEST: Final = 4096
# A token in quotation marks, or with the name of its variable before it.
_LINE: Final = re.compile(r"[\"'`]|[A-Za-z_]\w*=")
# Seconds for whoami in all; it answers in less than one.
_PATIENCE: Final = 30.0

_LARGEST_ANSWER: Final = 1024 * 1024
_CONNECT_LIMIT: Final = 10.0
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
    from bytebuddy_provider_hf.config.stored_files import CONFIG, ENV, user_folder
    from bytebuddy_provider_hf.config.write import write_secret

    path = user_folder(home_folder()) / ENV.name
    # Before anybody types: whoever can replace the file has the token.
    exposed = exposures(path)
    for each in exposed:
        if each.is_refused:
            raise ConfigError(text("cli.replaceable", why=each.message))
    token = read_token()
    known = user_config()
    if not no_check:
        found = asyncio.run(try_token(token, hub, known.request_options))
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
    for variable in VARIABLES:
        # Each of them is found before what was kept now.
        if os.environ.get(variable):
            screen.warn(text("cli.set_twice", variable=variable))
            screen.detail(text("cli.unset_it", variable=variable))
    for entry in own_keys(known):
        warn_of_own_key(entry)
    _warn_of_other_variables(known)
    for each in exposed:
        screen.warn(each.message)
    if known.entries:
        screen.note(text("cli.next", command="bytebuddy-hf chat"))
    elif not (path.parent / CONFIG.name).exists():
        screen.note(text("cli.next", command="bytebuddy-hf config init"))


def user_config() -> Config:
    """Return what the user's own file says; nothing where it cannot be read.

    A login is often what mends it: a broken file must not stand in the way.
    """
    from bytebuddy_provider_hf.config.files import home_folder
    from bytebuddy_provider_hf.config.load import load
    from bytebuddy_provider_hf.config.stored_files import CONFIG, user_folder

    folder = user_folder(home_folder())
    try:
        # From there, so that no project's file is read.
        return load(cwd=folder, home=home_folder(), env=os.environ)
    except ConfigError as error:
        path = folder / CONFIG.name
        screen.warn(text("cli.config_unread", path=path, reason=error.message))
        screen.show_problems(error)
    return Config()


def own_keys(config: Config) -> tuple[ModelEntry, ...]:
    """Return the entries that keep a token of their own, whatever is logged in."""
    return tuple(
        entry
        for entry in config.entries
        # That of a variable is found anew each time.
        if entry.api_key is not None and entry.api_key_place == "line"
    )


def warn_of_own_key(entry: ModelEntry) -> None:
    """Say that an entry does not use the token of ``login``, and how it can."""
    said = text(
        "cli.key_of_its_own",
        entry=entry.name,
        place=entry.source,
        reference=f"${{{VARIABLE}}}",
    )
    screen.warn(said)


def _warn_of_other_variables(config: Config) -> None:
    """Name the entries for Hugging Face's router whose key login does not write."""
    for entry in config.entries:
        base = entry.api_base
        if base is not None and parse(base).host_kind is not HostKind.ROUTER:
            continue
        named = [each.variable for each in entry.unset if each.path.endswith(".apiKey")]
        if entry.api_key_place == "env" and entry.api_key_origin:
            named.append(entry.api_key_origin)
        for variable in named:
            if variable == VARIABLE:
                continue
            said = text(
                "cli.key_of_variable",
                entry=entry.name,
                place=entry.source,
                variable=variable,
                reference=f"${{{VARIABLE}}}",
            )
            screen.warn(said)


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
    # A blank alone may as well be of a token that was pasted with something else.
    has_blank = any(each.isspace() for each in token.reveal())
    if is_addressed(token) or (is_placeholder(token) and not has_blank):
        hint = text("cli.make_one", page=TOKEN_PAGE)
        raise InvalidToken(text("cli.placeholder_given"), hint=hint)
    if not _SENDABLE.fullmatch(token.reveal()):
        raise InvalidToken(text("cli.bad_token"), hint=text("cli.copy_again"))
    if _LINE.match(token.reveal()):
        raise InvalidToken(text("cli.token_line"), hint=text("cli.copy_again"))
    return token


async def try_token(token: Secret, hub: str, options: RequestOptions) -> AccountHolder:
    """Return who a token belongs to, or raise what is wrong with it.

    ``options`` say by what proxy.
    """
    # Sockets are imported after the token was read: typing it is what takes long.
    from bytebuddy_provider_hf.transport.pool import open_http_client

    try:
        async with asyncio.timeout(_PATIENCE):
            return await whoami(
                token,
                hub=hub,
                connect=open_http_client,
                options=options,
            )
    except TimeoutError:
        waited = text("cli.hub_silent", seconds=f"{_PATIENCE:.0f}")
    raise DeadlineExceeded(waited, hint=text("cli.go_on_without"))


async def whoami(
    token: Secret,
    *,
    hub: str,
    connect: HttpClientFactory,
    options: RequestOptions | None = None,
) -> AccountHolder:
    """Ask ``hub`` who ``token`` belongs to; ``options`` say by what proxy.

    Raises:
        ByteBuddyError: The Hub does not know the token, cannot be reached, or answers
            something else.
    """
    origin = hub_origin(hub)
    # Headers and certificates of a user's file are for the servers it names.
    way = evolve(
        options or RequestOptions(),
        headers={},
        client_certificate=None,
        connect_timeout=_CONNECT_LIMIT,
    )
    env = Environment(os.environ)
    client = connect(destination_for(origin, token, way, env=env))
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
    found = parse_whoami(body)
    if found is None:
        raise MalformedResponse(text("cli.names_nobody"))
    return found


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
