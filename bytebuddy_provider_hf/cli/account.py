"""Run ``whoami`` and ``logout``: tell whose token is used, and forget a kept one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import localized
from bytebuddy_provider_hf.cli.login import (
    TOKEN_PAGE,
    own_keys,
    try_token,
    user_config,
    warn_of_own_key,
)
from bytebuddy_provider_hf.cli.options import command, json_option, trouble_options
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import ENV, user_folder
from bytebuddy_provider_hf.config.write import remove_secrets
from bytebuddy_provider_hf.errors import AuthenticationFailed, MissingToken
from bytebuddy_provider_hf.hub.billing import INFERENCE
from bytebuddy_provider_hf.hub.whoami import refused_token
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.credentials import (
    VARIABLES,
    find_token,
    hub_token,
    unread_token,
)


@command(
    "bytebuddy-hf whoami",
    "bytebuddy-hf whoami --json",
)
@click.option("--hub", default=HUB, hidden=True)
@json_option
@trouble_options
def whoami(*, hub: str, as_json: bool) -> None:
    """Tell whose token is found, where, and what it may do.

    It is the one that is used where an entry has no key of its own: of a variable, of
    `bytebuddy-hf login`, or of Hugging Face's own programs, in this order.
    """
    env = Environment(os.environ)
    found = hub_token(env, state_dir=user_folder(home_folder()))
    if found is None:
        hint = unread_token(user_folder(home_folder())) or text(
            "cli.make_and_login", page=TOKEN_PAGE
        )
        raise MissingToken(text("doctor.no_token"), hint=hint)
    way = user_config().request_options
    try:
        holder = asyncio.run(try_token(found.secret, hub, way))
    except AuthenticationFailed as error:
        # What replaces it depends on where it was found.
        raise refused_token(error, found.source, found.place) from None
    granted = sorted({permission for _, permission in holder.granted})
    if as_json:
        screen.print_json(
            {
                "name": holder.name,
                "organizations": list(holder.organizations),
                "source": found.source,
                "token": holder.token_name or None,
                "role": holder.role or None,
                "permissions": granted,
                "may_call_models": holder.may_infer,
            }
        )
        return
    screen.emit(sanitize_line(holder.name))
    kind = holder.role or localized(text("doctor.role_untold"))
    rows = [
        text("cli.token_from", source=found.source, token=holder.token_name, kind=kind),
        text("cli.organizations", names=", ".join(holder.organizations) or "–"),
    ]
    if granted:
        rows.append(text("cli.permissions", names=", ".join(granted)))
    for row in rows:
        screen.say(f"  {sanitize_line(localized(row))}")
    if holder.may_infer is False:
        screen.warn(text("cli.lacks_permission", permission=INFERENCE))
        screen.detail(text("cli.token_page", page=TOKEN_PAGE))


@command("bytebuddy-hf logout")
@trouble_options
def logout() -> None:
    """Forget the token that `bytebuddy-hf login` kept; tell which others are left.

    The token itself stays valid: it is deleted at huggingface.co/settings/tokens.
    """
    path = user_folder(home_folder()) / ENV.name
    gone = remove_secrets(path, VARIABLES)
    if gone:
        names = ", ".join(gone)
        screen.note(
            text("cli.token_removed", variables=names, file=path), colour="green"
        )
        screen.detail(text("cli.delete_it", page=f"{HUB}/settings/tokens"))
    else:
        screen.note(text("cli.nothing_kept", file=path))
    env = Environment(os.environ)
    for variable in VARIABLES:
        if env.get(variable):
            screen.warn(text("cli.still_set", variable=variable))
    for entry in own_keys(user_config()):
        warn_of_own_key(entry)
    left = find_token(Environment({}), state_dir=path.parent)
    if left is not None and Path(left.source).is_file():
        screen.warn(text("cli.hub_token_left", file=left.source))
