"""Examine everything that a call depends on, in the order in which causes stand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from attrs import evolve

from bytebuddy_provider_hf.address import HUB, ROUTER, HostKind
from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.endpoint import (
    MIRROR,
    Endpoint,
    examine_mirror,
    is_offline,
)
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime, shared_runtime
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import (
    CATALOGUE,
    cache_folder,
    user_folder,
)
from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.doctor import online_checks
from bytebuddy_provider_hf.doctor.findings import (
    Finding,
    Level,
    failure,
    unknown,
)
from bytebuddy_provider_hf.doctor.rate_checks import told_rate_findings
from bytebuddy_provider_hf.doctor.situation import (
    Situation,
    budget_findings,
    file_findings,
    situation_of,
    version_finding,
)
from bytebuddy_provider_hf.doctor.stored_checks import (
    Setting,
    repair_step,
    stored_findings,
)
from bytebuddy_provider_hf.doctor.ways import Ways
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigInvalid,
)
from bytebuddy_provider_hf.hub.answer_cache import AnswerStore
from bytebuddy_provider_hf.hub.billing import (
    ENDPOINTS,
    ENDPOINTS_API,
    AccountHolder,
    DedicatedEndpoint,
    read_endpoints,
)
from bytebuddy_provider_hf.hub.status_page import STATUS
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.storage.identity import identity_of, read_key
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport.http_client import Destination, HttpClient


async def diagnose(
    path: Path | None = None,
    *,
    names: Sequence[str] = (),
    offline: bool = False,
    calls: bool = False,
    cwd: Path | None = None,
    home: Path | None = None,
    env: Mapping[str, str] | None = None,
    runtime: Runtime | None = None,
    answers: AnswerStore | None = None,
    now: float | None = None,
) -> AsyncIterator[Finding]:
    """Yield what was found, causes before effects: the first problem is the cause.

    ``path`` is the configuration to read instead of the usual files, ``names`` the
    entries, or models of the Hub, to look at; all entries without. ``offline`` asks
    nobody; ``calls`` makes a call of one token for each entry, which costs what such a
    call costs. ``answers`` keeps whose a token is, for ten minutes. Nothing else is
    changed: a finding's ``fix`` does that, when it is applied. Never raises a
    ``ByteBuddyError``. Nothing that is found holds a secret.
    """
    variables = Environment(os.environ if env is None else env)
    home = home_folder() if home is None else home
    now = time.time() if now is None else now
    folder = user_folder(home)
    found: list[Finding] = []
    try:
        project = Path.cwd() if cwd is None else cwd
    except FileNotFoundError:
        said, steps = text("doctor.no_cwd"), (text("doctor.no_cwd_step"),)
        found.append(Finding("config.folder", Level.PROBLEM, said, steps))
        project = home
    setting = Setting(home, project, variables, now)
    registry = None
    try:
        registry = ModelRegistry.load(
            path,
            cwd=project,
            home=home,
            env=variables,
            runtime=runtime,
            cache=False,
            log=False,
        )
    except ConfigInvalid as error:
        found += [
            Finding(
                "config.invalid",
                Level.PROBLEM,
                problem,
                (_mending_step(problem, setting),),
            )
            for problem in error.problems
        ]
    except ByteBuddyError as error:
        found.append(failure("config.unreadable", error))
    situation = situation_of(registry, names, variables, folder, found)
    for finding in found:
        yield finding
    if offline:
        yield unknown("network.hub", text("doctor.offline"))
    else:
        online = _online(
            situation,
            env=variables,
            runtime=runtime or shared_runtime,
            answers=answers,
            folder=folder,
            calls=calls,
            now=now,
        )
        async for finding in online:
            yield finding
    # Read and never written, so also offline, and by a check that only reads.
    kept = cache_folder(variables, home) / CATALOGUE.name
    answered = KeptAnswers(kept, clock=lambda: now)
    async for finding in told_rate_findings(answered, situation.origins):
        yield finding
    for finding in budget_findings(folder, now):
        yield finding
    config = Config() if registry is None else registry.config
    for finding in file_findings(config, home=home, project=project, env=variables):
        yield finding
    for finding in stored_findings(evolve(setting, log=config.log)):
        yield finding
    yield version_finding()
    if registry is not None:
        try:
            await registry.aclose()
        except ByteBuddyError as error:
            yield failure("plugins.closing", error, level=Level.WARNING)


def _mending_step(problem: str, setting: Setting) -> str:
    """Return what to do about a problem of the configuration."""
    step = None
    if isinstance(problem, LocalizedText) and problem.id == "config.unreadable":
        # No line of it is wrong.
        step = repair_step(Path(problem.facts["path"]), setting)
    return text("doctor.mend_config") if step is None else step


async def _online(
    situation: Situation,
    *,
    env: Mapping[str, str],
    runtime: Runtime,
    answers: AnswerStore | None,
    folder: Path,
    calls: bool,
    now: float,
) -> AsyncIterator[Finding]:
    """Yield what only servers know."""
    lease = runtime.lease()
    try:
        ways = Ways(situation, env, lease.state())
        answering: set[str] = set()
        if not situation.needs_hub:
            yield unknown("network.hub", text("doctor.hub_not_needed"))
        else:
            async for finding in _network(situation, ways, now):
                if finding.level is Level.OK:
                    answering.add(finding.id)
                yield finding
        reached = "network.hub" in answering
        holders: dict[str, AccountHolder] = {}
        if reached:
            # Without a store nothing is kept, the key neither.
            key = await asyncio.to_thread(read_key, folder) if answers else b""
            async for each in _tokens(situation, ways, answers, key):
                if isinstance(each, Finding):
                    yield each
                else:
                    holders[each[0]] = each[1]
        async with Catalogue(runtime=runtime, env=env, options=ways.options) as known:
            for entry in situation.entries:
                endpoint = situation.endpoints.get(entry.name)
                if endpoint is None:
                    continue
                kind = endpoint.target.host_kind
                # A mirror tells of models what the Hub does.
                told = kind is HostKind.ROUTER and "network.mirror" in answering
                if reached or told or kind in (HostKind.LOOPBACK, HostKind.OTHER):
                    async for finding in _online_entry(
                        entry, endpoint, known, holders, ways
                    ):
                        yield finding
                if calls:
                    yield await _call(
                        entry, situation.registry, runtime, env=env, folder=folder
                    )
        async for finding in _money_and_status(situation, ways, holders, now):
            yield finding
    finally:
        await lease.aclose()


async def _tokens(
    situation: Situation, ways: Ways, answers: AnswerStore | None, key: bytes
) -> AsyncIterator[Finding | tuple[str, AccountHolder]]:
    """Yield what Hugging Face says of each token, and its holder by fingerprint."""
    for credential, payers in situation.tokens:
        questions = partial(
            online_checks.token_findings,
            credential=credential,
            payers=payers,
            identity=identity_of(credential.secret, key),
            store=answers,
        )
        asked = ways.ask(
            HUB,
            questions,
            name="token.owner",
            level=Level.WARNING,
            credential=credential,
        )
        async for each in asked:
            if isinstance(each, Finding):
                yield each
            else:
                yield credential.secret.fingerprint, each


async def _money_and_status(
    situation: Situation,
    ways: Ways,
    holders: Mapping[str, AccountHolder],
    now: float,
) -> AsyncIterator[Finding]:
    for credential, _ in situation.tokens:
        holder = holders.get(credential.secret.fingerprint)
        if holder is None:
            continue
        asked = ways.ask(
            HUB,
            partial(online_checks.money_findings, holder=holder, now=now),
            name="account.credits",
            level=Level.UNKNOWN,
            credential=credential,
        )
        async for finding in asked:
            yield finding
    # Also where the Hub is not reached: that may be the reason.
    if situation.needs_hub and not is_offline(ways.env):
        asked = ways.ask(
            STATUS,
            online_checks.status_findings,
            name="status.page",
            level=Level.UNKNOWN,
        )
        async for finding in asked:
            yield finding


async def _network(
    situation: Situation, ways: Ways, now: float
) -> AsyncIterator[Finding]:
    if is_offline(ways.env):
        yield unknown("network.hub", text("doctor.hub_offline"))
        return
    # Tokens and calls never go to a mirror, whatever the environment names.
    asked = ways.ask(
        HUB,
        partial(online_checks.network_findings, now=now),
        name="network.hub",
        level=Level.PROBLEM,
    )
    async for finding in asked:
        yield finding
    targets = (each.target for each in situation.endpoints.values())
    routed = (each.model for each in targets if each.host_kind is HostKind.ROUTER)
    if (model := next(routed, None)) is not None:
        asked = ways.ask(
            ROUTER,
            partial(online_checks.router_findings, model=model),
            name="network.router",
            level=Level.PROBLEM,
        )
        async for finding in asked:
            yield finding
    mirror, refused = examine_mirror(ways.env)
    if refused:
        said = text("doctor.mirror_ignored", variable=MIRROR, reason=refused)
        steps = (text("doctor.mirror_step", variable=MIRROR),)
        yield Finding("network.mirror", Level.WARNING, said, steps)
    if mirror is not None:
        asked = ways.ask(
            mirror,
            online_checks.mirror_findings,
            name="network.mirror",
            level=Level.WARNING,
        )
        async for finding in asked:
            yield finding


async def _online_entry(
    entry: ModelEntry,
    endpoint: Endpoint,
    catalogue: Catalogue,
    holders: Mapping[str, AccountHolder],
    ways: Ways,
) -> AsyncIterator[Finding]:
    """Yield what its model, its endpoint or its server says, by the kind of address."""
    kind, credential = endpoint.target.host_kind, endpoint.credential
    if kind in (HostKind.ROUTER, HostKind.HUB):
        async for finding in online_checks.model_findings(entry, catalogue):
            yield finding
    elif kind in (HostKind.LOOPBACK, HostKind.OTHER):
        async for finding in online_checks.server_findings(entry, endpoint, catalogue):
            yield finding
    elif kind is HostKind.ENDPOINT:
        managed: dict[str, DedicatedEndpoint] | None = None
        holder = (
            None if credential is None else holders.get(credential.secret.fingerprint)
        )
        if holder is not None:
            asked = ways.ask(
                ENDPOINTS_API,
                partial(_managed, holder=holder),
                name="endpoint.state",
                level=Level.UNKNOWN,
                credential=credential,
            )
            async for each in asked:
                # What kept it from an answer is no news: it is not known.
                managed = None if isinstance(each, Finding) else each
        origin = endpoint.target.origin
        yield online_checks.endpoint_finding(entry, origin, managed)


async def _managed(
    _: Destination, client: HttpClient, *, holder: AccountHolder
) -> AsyncIterator[dict[str, DedicatedEndpoint]]:
    """Yield the endpoints that a token may see, by origin; nothing if it may not."""
    found: dict[str, DedicatedEndpoint] = {}
    seen = False
    for owner in (holder.name, *holder.organizations):
        if holder.may(ENDPOINTS, owner) is False:
            continue
        try:
            listed = await read_endpoints(client, owner)
        except ByteBuddyError:
            continue  # of this owner nothing is known, and that is what is told
        seen = True
        found |= {each.origin: each for each in listed}
    if seen:
        yield found


async def _call(
    entry: ModelEntry,
    registry: ModelRegistry | None,
    runtime: Runtime,
    *,
    env: Mapping[str, str],
    folder: Path,
) -> Finding:
    """Return how an entry answers the smallest call that it can be asked."""
    try:
        if registry is not None and entry.name in registry:
            opened = await registry.open(entry.name)
            return await online_checks.call_finding(entry, opened)
        opening = open_model(entry.model, runtime=runtime, env=env, state_dir=folder)
    except ByteBuddyError as error:
        return failure("entry.call", error, entry=entry.name)
    async with opening as model:
        return await online_checks.call_finding(entry, model)
