"""Know what can be known without asking: entries, tokens, budgets, versions."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.client.endpoint import Endpoint
from bytebuddy_provider_hf.config.placeholders import is_placeholder
from bytebuddy_provider_hf.config.trust import unchecked_certificate
from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.config.write import MODEL
from bytebuddy_provider_hf.doctor.entry_checks import (
    endpoint_or_failure,
    key_findings,
    known_findings,
)
from bytebuddy_provider_hf.doctor.findings import (
    Finding,
    Fix,
    Level,
    failure,
    ok,
    unknown,
)
from bytebuddy_provider_hf.doctor.fixes import keep_from_others
from bytebuddy_provider_hf.doctor.unsafe import find_unsafe
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigError,
    InvalidToken,
    UnknownName,
    UnsetVariable,
)
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.storage.budgets import amount_text
from bytebuddy_provider_hf.storage.usage_report import read_usage
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport import tls
from bytebuddy_provider_hf.transport.credentials import (
    Credential,
    header_credential,
    hub_token,
)

# Of exposures, those that a mode ends; an owner is not this user's to change.
_MODES: Final = frozenset({"config.exposed_world", "config.exposed_group"})
# What a bug report needs to name.
_PACKAGES: Final = ("bytebuddy-provider-hf", "aiohttp")


@frozen
class Situation:
    """What is known without asking: the entries that can be opened, and their ways.

    ``tokens`` are those that go to Hugging Face, each with whoever pays by it.
    ``registry`` is ``None`` where no configuration could be read.
    """

    registry: ModelRegistry | None
    entries: tuple[ModelEntry, ...] = ()
    endpoints: Mapping[str, Endpoint] = field(factory=dict)
    tokens: tuple[tuple[Credential, frozenset[str]], ...] = ()

    @property
    def needs_hub(self) -> bool:
        """Whether anything of it is served by Hugging Face, or nothing is known."""
        targets = [each.target for each in self.endpoints.values()]
        return not targets or any(target.is_hugging_face for target in targets)

    @property
    def origins(self) -> tuple[str, ...]:
        """The hosts whose answers matter, each once."""
        own = [each.target.origin for each in self.endpoints.values()]
        return tuple(dict.fromkeys([*own, HUB] if self.needs_hub else own))


def situation_of(
    registry: ModelRegistry | None,
    names: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    found: list[Finding],
) -> Situation:
    """Return what is known without asking; what is wrong with it goes to ``found``."""
    entries: list[ModelEntry] = []
    endpoints: dict[str, Endpoint] = {}
    tokens: dict[str, tuple[Credential, set[str]]] = {}
    if registry is not None:
        found += configuration_findings(registry, named=bool(names))
        entries, missing = chosen_entries(registry, names)
        found += missing
    else:
        # A model of the Hub needs no file, and whoever asks about one gets its answer.
        entries = [_of_hub(name) for name in names if "/" in name]
    for entry in entries:
        said, endpoint = examine_entry(entry, registry, env, folder)
        found += said
        if endpoint is None:
            continue
        endpoints[entry.name] = endpoint
        credential, target = endpoint.credential, endpoint.target
        if all(each.level < Level.WARNING for each in said):
            known = text("doctor.entry", entry=entry.name, place=target.origin)
            found.append(ok("entry.known", known, entry=entry.name))
        # A placeholder was told above, and is not asked about.
        if (
            credential is not None
            and target.is_hugging_face
            and not is_placeholder(credential.secret)
        ):
            # Once, however many entries use it.
            name = credential.secret.fingerprint
            payers = tokens.setdefault(name, (credential, set()))[1]
            payers.add(entry.bill_to or "")
    if not tokens and not entries:
        try:
            lying = hub_token(env, state_dir=folder)
        except ByteBuddyError as error:
            is_refused = isinstance(error, InvalidToken)
            name = "token.placeholder" if is_refused else "token.unread"
            found.append(failure(name, error))
        else:
            if lying is not None:
                tokens[""] = lying, {""}
            else:
                none, steps = text("doctor.no_token"), (text("doctor.no_token_step"),)
                found.append(Finding("token.missing", Level.PROBLEM, none, steps))
    return Situation(
        registry,
        tuple(entries),
        endpoints,
        tuple((each, frozenset(payers)) for each, payers in tokens.values()),
    )


def configuration_findings(
    registry: ModelRegistry, *, named: bool
) -> Iterable[Finding]:
    """Yield what the files and the plugins have against them."""
    if registry.files:
        files = ", ".join(map(str, registry.files))
        count = len(registry.entries)
        yield ok("config.read", text("doctor.config", files=files, count=count))
    if not registry.entries:
        # Who names a model needs no file.
        level = Level.NOTE if named else Level.PROBLEM
        missing = not registry.files
        said = text("doctor.no_config" if missing else "cli.no_model")
        steps = (text("doctor.empty_config_step", model=MODEL),)
        if missing:
            steps = (text("doctor.no_config_step"),)
        yield Finding(
            "config.missing" if missing else "config.empty", level, said, steps
        )
    told = {unchecked_certificate(entry) for entry in registry.entries}
    for warning in registry.warnings:
        if warning in told:
            continue  # said with the entry, and its step
        level = Level.PROBLEM if warning.is_problem else Level.WARNING
        yield Finding("config.warning", level, warning.said)
    for each in registry.failures:
        yield Finding("plugins.failed", Level.WARNING, each.said)
    found = sorted(registry.providers)
    if PROVIDER not in found:
        said = text("doctor.no_provider", provider=PROVIDER)
        steps = (text("doctor.no_provider_step"),)
        yield Finding("plugins.missing", Level.PROBLEM, said, steps)
    else:
        yield ok("plugins.found", text("doctor.providers", names=", ".join(found)))


def chosen_entries(
    registry: ModelRegistry, names: Sequence[str]
) -> tuple[list[ModelEntry], list[Finding]]:
    """Return the entries to look at, and what was found of names that are none."""
    if not names:
        return list(registry.entries), []
    chosen, missing = [], []
    for name in names:
        if name in registry:
            chosen.append(registry.entry(name))
        elif "/" in name:
            chosen.append(_of_hub(name))
        else:
            try:
                registry.entry(name)
            except UnknownName as error:
                missing.append(failure("entry.unknown", error, entry=name))
    return chosen, missing


def _of_hub(name: str) -> ModelEntry:
    # Without roles: nobody has said what it is for.
    return ModelEntry(name=name, provider=PROVIDER, model=name, roles=())


def examine_entry(
    entry: ModelEntry,
    registry: ModelRegistry | None,
    env: Mapping[str, str],
    state_dir: Path,
) -> tuple[list[Finding], Endpoint | None]:
    """Return what is known of an entry, and where its calls go, if they can."""
    found = []
    for reference in entry.unset:
        said = text("doctor.unset", place=reference.place, variable=reference.variable)
        steps = (reference.hint,) if reference.hint else ()
        found.append(Finding("entry.unset", Level.PROBLEM, said, steps, entry.name))
    if registry is not None and entry.name in registry:
        try:
            registry.check(entry.name)
        except UnsetVariable:
            return found, None  # told above, with all the others
        except ByteBuddyError as error:
            return [*found, failure("entry.refused", error, entry=entry.name)], None
        if registry.provider(entry.provider).name != PROVIDER:
            said = text("doctor.foreign", entry=entry.name, provider=entry.provider)
            return [*found, unknown("entry.foreign", said, entry=entry.name)], None
    endpoint = endpoint_or_failure(entry, env=env, state_dir=state_dir)
    found += known_findings(entry)
    if isinstance(endpoint, Finding):
        return [*found, endpoint], None
    way = endpoint.destination
    try:
        if way.origin.startswith("https:"):
            tls.context(way.origin, way.options, way.authorities)
    except ByteBuddyError as error:
        # No call can be made, whatever else is right.
        return [*found, failure("entry.certificates", error, entry=entry.name)], None
    found += key_findings(entry, endpoint.target, endpoint.credential)
    written = header_credential(entry.request_options.headers)
    for finding in key_findings(entry, endpoint.target, written):
        # A header is not the line that the fix knows.
        found.append(evolve(finding, fix=None))
    return found, endpoint


def file_findings(
    config: Config, *, home: Path, project: Path, env: Mapping[str, str]
) -> Iterable[Finding]:
    """Yield each file and folder that others can change, with its mode as a fix."""
    sound = True
    for each in find_unsafe(config, home=home, project=project, env=env):
        message = each.message
        # What is said of certificates is said with the entry.
        if not isinstance(message, LocalizedText) or message.id == "trust.unchecked":
            continue
        sound = False
        fix = None
        if message.id in _MODES:
            path = Path(each.place)
            said = text("doctor.fix_mode", file=path)
            fix = Fix(said, partial(keep_from_others, path))
        level = Level.PROBLEM if each.is_problem else Level.WARNING
        yield Finding("files.exposed", level, message, fix=fix)
    if sound:
        yield ok("files.modes", text("doctor.files"))


def budget_findings(folder: Path, now: float) -> Iterable[Finding]:
    """Yield each budget: how much of it is used."""
    today = datetime.fromtimestamp(now, UTC).date()
    try:
        report = read_usage(
            folder,
            since=today.replace(day=1),
            until=today,
            by="model",
            now=now,
            quiet=True,
            strict=True,
        )
    except ConfigError as error:
        # What is wrong with the file is told with the files.
        yield Finding("account.budget", Level.UNKNOWN, error=error)
        return
    for each in report.budgets:
        facts = {
            "name": each.name,
            "used": amount_text(each.used, each.unit),
            "limit": amount_text(each.limit + each.raised, each.unit),
        }
        if each.used + each.reserved < each.limit + each.raised:
            yield ok("account.budget", text("doctor.budget", **facts))
            continue
        level = Level.PROBLEM if each.hard else Level.WARNING
        said = text("doctor.budget_used", **facts)
        steps = (text("doctor.budget_step"),)
        yield Finding("account.budget", level, said, steps)


def version_finding() -> Finding:
    """Return the versions of this package, of aiohttp and of Python."""
    known = []
    for name in _PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # In a program that is one file there is the code and nothing about it.
            version = "?"
        known.append(f"{name} {version}")
    known.append(f"Python {platform.python_version()}")
    said = ", ".join((*known, f"{platform.system()} {platform.machine()}"))
    return ok("versions.installed", said)
