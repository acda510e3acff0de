"""Judge one entry by what is known without a network: no request, no file written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.address import (
    RETIRED_HOST,
    ROUTER,
    HostKind,
    Target,
    parse,
)
from bytebuddy_provider_hf.client.abilities import Ability, abilities_of
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.client.opening import endpoint_of
from bytebuddy_provider_hf.config.placeholders import is_placeholder
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.doctor.findings import Finding, Fix, Level, failure
from bytebuddy_provider_hf.doctor.fixes import comment_out, replace_in_line
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    InvalidEndpoint,
    InvalidToken,
)
from bytebuddy_provider_hf.prompts.families import family_by_id
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport.credentials import Credential, placeholder_step
from bytebuddy_provider_hf.types import Role

# A whole value of YAML that begins with the retired host, in quotes or without.
RETIRED_URL: Final = re.compile(rf"https?://{re.escape(RETIRED_HOST)}[^\s\"'#]*")
# A shell or a YAML file takes some of them away, a panel or a Dockerfile none.
_QUOTES: Final = "\"'`"
_KEY_LINE: Final = re.compile(r"\s*(?:-\s+)?[\"']?apiKey[\"']?\s*:")
# The Hub's task of models for a role; all others write.
_TASKS: Final = {Role.EMBED: "feature-extraction", Role.RERANK: "text-ranking"}
# Roles that are asked as another one where a model has no way of its own.
_WRITING: Final = frozenset({Role.CHAT, Role.EDIT, Role.APPLY, Role.AUTOCOMPLETE})


def endpoint_or_failure(
    entry: ModelEntry, *, env: Mapping[str, str], state_dir: Path
) -> Endpoint | Finding:
    """Return where an entry's calls go, or why they cannot."""
    try:
        return endpoint_of(entry, env=env, state_dir=state_dir)
    except InvalidToken as error:
        said = error.message
        if isinstance(said, LocalizedText) and said.id == "transport.placeholder":
            return _placeholder(entry, said, error.hint or "")
        return failure("entry.unfit", error, entry=entry.name)
    except ByteBuddyError as error:
        return failure("entry.unfit", error, entry=entry.name)


def known_findings(entry: ModelEntry) -> Iterator[Finding]:
    """Yield what is wrong with an entry, as far as it is known without asking."""
    yield from _retired(entry)
    if entry.request_options.verify_ssl is False:
        yield Finding(
            "entry.verify_ssl",
            Level.WARNING,
            text("doctor.no_verify", entry=entry.name),
            (text("doctor.no_verify_step"),),
            entry.name,
        )
    family = family_by_id(entry.model)
    yield from length_findings(entry, None if family is None else family.window)
    if family is not None:
        # Of a model that no table knows, only the Hub can tell.
        yield from role_findings(entry, abilities_of(entry.model, None))


def key_findings(
    entry: ModelEntry, target: Target, credential: Credential | None
) -> Iterator[Finding]:
    """Yield what is wrong with the form of a key that goes to Hugging Face."""
    if credential is None or not target.is_hugging_face:
        return
    secret, source = credential.secret, credential.source
    if is_placeholder(secret):
        said = text("transport.placeholder", source=source)
        yield _placeholder(entry, said, placeholder_step(credential))
    elif secret.reveal()[0] in _QUOTES:
        said, steps = (
            text("doctor.quoted", source=source),
            (text("doctor.quoted_step"),),
        )
        yield Finding("token.form", Level.WARNING, said, steps, entry.name)
    elif not secret.reveal().startswith(("hf_", "api_org_")):
        yield Finding(
            "token.form",
            Level.WARNING,
            text("doctor.not_hf", source=source),
            (text("doctor.not_hf_step"),),
            entry.name,
        )


def _placeholder(entry: ModelEntry, said: str, step: str) -> Finding:
    path, line = entry.source.path, entry.source.line
    fix = None
    if entry.api_key_place == "line" and path is not None and line is not None:
        # Below it, the token of `login` and of the environment is found.
        fix = Fix(
            text("doctor.fix_placeholder", file=path, entry=entry.name),
            partial(comment_out, path, line, _KEY_LINE),
        )
    return Finding(
        "token.placeholder", Level.PROBLEM, said, (step,), entry.name, fix=fix
    )


def _retired(entry: ModelEntry) -> Iterator[Finding]:
    try:
        host = parse(entry.api_base or ROUTER).host
    except InvalidEndpoint:
        return  # opening the entry says so
    if host != RETIRED_HOST:
        return
    path, line = entry.source.path, entry.source.line
    fix = None
    if path is not None and line is not None:
        base = f"{ROUTER}/v1"
        fix = Fix(
            text("doctor.fix_retired", file=path, entry=entry.name, base=base),
            partial(replace_in_line, path, line, RETIRED_URL, base),
        )
    yield Finding(
        "entry.retired",
        Level.WARNING,
        text("doctor.retired", host=RETIRED_HOST),
        (text("doctor.retired_step", base=f"{ROUTER}/v1"),),
        entry.name,
        fix=fix,
    )


def length_findings(entry: ModelEntry, window: int | None) -> Iterator[Finding]:
    """Yield that no answer can be as long as ``maxTokens`` says.

    ``window`` is the model's own, where the entry names none.
    """
    options = entry.default_completion_options
    window = entry.context_length or options.context_length or window
    asked = options.max_tokens
    if window is None or asked is None or asked < window:
        return
    yield Finding(
        "entry.max_tokens",
        Level.NOTE,
        text("doctor.max_tokens", asked=asked, window=window),
        (text("doctor.max_tokens_step", most=window // 2),),
        entry.name,
    )


def role_findings(entry: ModelEntry, abilities: Sequence[Ability]) -> Iterator[Finding]:
    """Yield each role that the model cannot take at the entry's address."""
    try:
        kind = parse(entry.api_base or ROUTER).host_kind
    except InvalidEndpoint:
        return  # opening the entry says so
    if kind not in (HostKind.ROUTER, HostKind.HUB, HostKind.ENDPOINT):
        # Of a server of one's own the model's name says nothing.
        return
    for role in entry.roles:
        fitting = [each for each in abilities if each.role is role]
        if not fitting and role in (*_WRITING, Role.EMBED, Role.RERANK):
            yield _lacking(entry, role, abilities)
        elif (
            kind is not HostKind.ENDPOINT
            and fitting
            and not any(each.at_router for each in fitting)
        ):
            yield Finding(
                "entry.role_at_router",
                Level.WARNING,
                text("doctor.role_elsewhere", model=entry.model, role=role.value),
                (text("doctor.role_elsewhere_step", model=entry.model),),
                entry.name,
            )


def _lacking(entry: ModelEntry, role: Role, abilities: Sequence[Ability]) -> Finding:
    # Models near this one would be as unfit.
    task = _TASKS.get(role, "text-generation")
    others = ", ".join(dict.fromkeys(each.role.value for each in abilities))
    return Finding(
        "entry.role",
        Level.WARNING,
        text("doctor.role", model=entry.model, role=role.value),
        (
            text("doctor.role_step", roles=others, model=entry.model, task=task)
            if others
            else text("doctor.role_none_step", task=task),
        ),
        entry.name,
    )
