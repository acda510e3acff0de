"""Find a token, and tie it to where it may go.

The names and places are those of huggingface_hub 2.4 (``utils/_auth.py``,
``constants.py``) with the names other programs use; ``~/.bytebuddy/.env`` is where
``bytebuddy-hf login`` keeps its token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.config.dotenv import TOKEN_VARIABLES, read_env
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.placeholders import is_addressed, is_placeholder
from bytebuddy_provider_hf.config.stored_files import ENV, HUB_TOKEN, STATE
from bytebuddy_provider_hf.errors import (
    ConfigError,
    InsecureEndpoint,
    InvalidToken,
    MissingToken,
)
from bytebuddy_provider_hf.regular_file import NotRegular, read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import LocalizedText, text

_log: Final = logging.getLogger(__name__)
# What was said of files that no token could be read from.
_said: Final[set[str]] = set()

VARIABLES: Final = TOKEN_VARIABLES

# No server reads a header line beyond this; tokens have some 40 characters, those of
# an OAuth login some thousand.
_LONGEST: Final = HUB_TOKEN.most
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


# Where a token was found: an exported variable, the line that `login` writes, another
# .env file or a variable that only the entry names, a line of the configuration, a file
# of Hugging Face's own programs, or the argument of a call. What to do about one that
# is refused depends on it.
Place: TypeAlias = Literal["variable", "login", "env", "line", "file", "argument"]


# What is done about a placeholder that was found there.
_PLACEHOLDER_STEPS: Final[Mapping[Place, Callable[[str], LocalizedText]]] = {
    "variable": lambda place: text("transport.placeholder_variable", source=place),
    "login": lambda place: text("transport.placeholder_login", source=place),
    "env": lambda place: text("transport.placeholder_env", source=place),
    "line": lambda place: text("transport.placeholder_line", source=place),
    "file": lambda place: text("transport.placeholder_file", source=place),
    "argument": lambda place: text("transport.placeholder_argument", source=place),
}


@frozen
class Credential:
    """A token and where it was found, for messages and for the next step."""

    secret: Secret
    source: str
    place: Place = "argument"


def credential_for(
    target: Target,
    *,
    explicit: Credential | None,
    env: Mapping[str, str],
    state_dir: Path,
) -> Credential | None:
    """Return the token that may go to ``target``, or ``None`` where none is needed.

    A token written in the entry goes to the entry's address. One that was merely
    lying about goes to Hugging Face's own hosts only. Raises ``MissingToken``,
    ``InvalidToken``, ``InsecureEndpoint``, and ``ConfigError`` for a file with tokens
    that others can change.
    """
    credential = explicit
    if explicit is not None:
        # Space around a token is pasted along; nothing else is no token.
        stripped = Secret(explicit.secret.reveal().strip())
        if stripped != explicit.secret:
            credential = Credential(stripped, explicit.source, explicit.place)
        if not stripped:
            credential = None
    if credential is None and target.is_hugging_face:
        credential = find_token(env, state_dir=state_dir)
    if credential is None:
        if target.host_kind is HostKind.ROUTER:
            raise MissingToken(
                text("transport.router_needs_token"),
                hint=unread_token(state_dir)
                or text("transport.router_needs_token_hint"),
            )
        return None
    wrong = None
    if len(credential.secret.reveal()) > _LONGEST:
        wrong = text("transport.token_too_long", limit=f"{_LONGEST:,}")
    elif not _VISIBLE.fullmatch(credential.secret.reveal()):
        wrong = text("transport.token_not_visible")
    if wrong is not None:
        # "<your key>" has a blank in it, but that is not what is wrong with it.
        if is_addressed(credential.secret):
            refuse_placeholder(target, credential)
        raise InvalidToken(
            text("transport.bad_token", source=credential.source, wrong=wrong),
            hint=text("transport.bad_token_hint"),
        )
    if not target.secure:
        raise InsecureEndpoint(
            text("transport.token_unencrypted", origin=target.origin),
            hint=text("transport.token_unencrypted_hint"),
        )
    return credential


def refuse_placeholder(target: Target, credential: Credential | None) -> None:
    """Raise ``InvalidToken`` for what stands in an example where a key belongs.

    Whoever runs a server may take any word for a key: of those, only a key that is
    written in the configuration and tells its reader what to write is refused.
    """
    if credential is None:
        return
    if target.is_hugging_face:
        refuse_hub_placeholder(credential)
    elif credential.place == "line" and is_addressed(credential.secret):
        raise InvalidToken(
            text("transport.placeholder", source=credential.source),
            hint=text("transport.placeholder_elsewhere_hint"),
        )


def refuse_hub_placeholder(credential: Credential) -> None:
    """Raise ``InvalidToken`` for an example's placeholder: it is no token of the Hub's.

    Asked by everybody who sends a token to Hugging Face, before anything is sent.
    """
    if is_placeholder(credential.secret):
        raise InvalidToken(
            text("transport.placeholder", source=credential.source),
            hint=placeholder_step(credential),
        )


def header_credential(headers: Mapping[str, Secret]) -> Credential | None:
    """Return the token of a header that an entry writes: it is sent in place of one."""
    for name, value in headers.items():
        scheme, _, written = value.reveal().strip().partition(" ")
        if name.lower() == "authorization" and scheme.lower() == "bearer":
            return Credential(
                Secret(written.strip()), f"requestOptions.headers.{name}", "line"
            )
    return None


def placeholder_step(credential: Credential) -> LocalizedText:
    """Return what to do about a placeholder, by where it was found."""
    return _PLACEHOLDER_STEPS[credential.place](credential.source)


def hub_token(env: Mapping[str, str], *, state_dir: Path) -> Credential | None:
    """Return what :func:`find_token` does, to send it to Hugging Face.

    Raises ``InvalidToken`` for a placeholder: another one is not looked for behind it,
    because a call would not use that either.
    """
    found = find_token(env, state_dir=state_dir)
    if found is not None:
        refuse_hub_placeholder(found)
    return found


def find_token(env: Mapping[str, str], *, state_dir: Path) -> Credential | None:
    """Return the first token of the environment, the login and the token file.

    Raises ``ConfigError`` for a file that others can change.
    """
    for variable in VARIABLES:
        if secret := _without_line_breaks(env.get(variable, "")):
            return Credential(secret, variable, "variable")
    login = read_env(state_dir / ENV.name)
    if login.is_refused and login.complaint is not None:
        # Not passed over: another token would be used, and nobody would know.
        raise ConfigError(text("config.at", place=login.path, said=login.complaint))
    for variable in VARIABLES:
        kept = login.values.get(variable)
        if kept is not None and (secret := _without_line_breaks(kept.reveal())):
            place = text("transport.kept_in", variable=variable, file=login.path)
            return Credential(secret, place, "login")
    path, secret = token_file(env, state_dir), None
    refused: str | None = None
    wrong: list[tuple[Path, str]] = []
    if login.complaint is not None and not login.values:
        wrong.append((login.path, login.complaint))
    # ValueError: a path with NUL in it.
    with suppress(OSError, ValueError):
        if path is not None and path.exists():
            try:
                check_exposed(path)
            except PermissionError as error:
                refused = text("config.refused_file", why=error.strerror)
            # Room for a byte order mark, and for what shows that it is too long.
            try:
                content = read_regular_file(path, _LONGEST + 8)
            except NotRegular:
                wrong.append((path, text("config.no_regular_file")))
                content = b""
            secret = _without_line_breaks(content.decode("utf-8-sig", "replace"))
    if refused is not None:
        raise ConfigError(text("config.at", place=path, said=refused))
    for file, why in wrong:
        # Once for each: many models look for a token.
        if (complaint := f"{file}: {why}") not in _said:
            _said.add(complaint)
            _log.warning("no token was read from %s", complaint)
    return None if secret is None else Credential(secret, str(path), "file")


def unread_token(state_dir: Path) -> LocalizedText | None:
    """Return why a token that most likely stands in the login's file is not found."""
    login = read_env(state_dir / ENV.name)
    reasons = ((login.bad_line(each), login.why_unset(each)) for each in VARIABLES)
    for bad, why in reasons:
        if bad is not None and why is not None:
            return text("transport.token_line_anew", why=why)
        if why is not None:
            return why
    return None


def _without_line_breaks(found: str) -> Secret | None:
    """Return the token in ``found`` without pasted line breaks, as the Hub does."""
    cleaned = found.replace("\r", "").replace("\n", "").strip()
    return Secret(cleaned) if cleaned else None


def token_file(env: Mapping[str, str], state_dir: Path) -> Path | None:
    """Return where the file may be; ``None`` for a home that nobody has."""
    try:
        if path := env.get("HF_TOKEN_PATH"):
            return Path(path).expanduser()
        if hf_home := env.get("HF_HOME"):
            return Path(hf_home).expanduser() / "token"
        cache = env.get("XDG_CACHE_HOME", "")
        # A relative one does not count (https://specifications.freedesktop.org/
        # basedir-spec/latest/): it would read what lies in a stranger's project.
        base = Path(cache).expanduser()
        if base.is_absolute():
            return base / "huggingface" / "token"
    except RuntimeError:  # ~nobody
        return None
    # What stands beside a host's own folder may be anybody's.
    home = env.get("HOME") or env.get("USERPROFILE") or ""
    if state_dir.name == STATE:
        home = str(state_dir.parent)
    return Path(home, ".cache", "huggingface", "token") if home else None
