"""Examine everything that a call depends on, in the order in which causes stand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from attrs import evolve

from bytebuddy_provider_hf.address import HUB, ROUTER, HostKind
from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.endpoint import (
    MIRROR,
    Endpoint,
    anonymous_way,
    examine_mirror,
)
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import LoopState, Runtime, shared_runtime
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import (
    CATALOGUE,
    cache_folder,
    user_folder,
)
from bytebuddy_provider_hf.config.values import Config, ModelEntry, RequestOptions
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
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.http_client import HttpClient, destination_for

# Connecting takes less; a question that takes longer is answered "not known".
_CONNECT_LIMIT: Final = 10.0
# Seconds for one question: a host that takes it may never answer.
_PATIENCE: Final = 20.0

_T = TypeVar("_T")


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
    registry = None
    try:
        registry = ModelRegistry.load(
            path,
            cwd=cwd,
            home=home,
            env=variables,
            runtime=runtime,
            cache=False,
            log=False,
        )
    except ConfigInvalid as error:
        found += [
            Finding("config.invalid", Level.PROBLEM, problem, (_mending_step(problem),))
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
    project = Path.cwd() if cwd is None else cwd
    for finding in file_findings(config, home=home, project=project, env=variables):
        yield finding
    setting = Setting(home, project, variables, now, config.log)
    for finding in stored_findings(setting):
        yield finding
    yield version_finding()
    if registry is not None:
        try:
            await registry.aclose()
        except ByteBuddyError as error:
            yield failure("plugins.closing", error, level=Level.WARNING)


def _mending_step(problem: str) -> str:
    """Return what to do about a problem of the configuration."""
    step = None
    if isinstance(problem, LocalizedText) and problem.id == "config.unreadable":
        # No line of it is wrong.
        step = repair_step(Path(problem.facts["path"]))
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
        ways = _Ways(situation, env, lease.state())
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


class _Ways:
    """Lead to Hugging Face's services by the proxy of the first entry."""

    def __init__(
        self, situation: Situation, env: Mapping[str, str], state: LoopState
    ) -> None:
        first = next(
            (e for e in situation.entries if e.name in situation.endpoints), None
        )
        options = RequestOptions() if first is None else first.request_options
        # What is for one server, headers and certificates, is not for another.
        self.options = evolve(
            options,
            headers={},
            extra_body_properties={},
            client_certificate=None,
            connect_timeout=_CONNECT_LIMIT,
        )
        self.env = env
        self.state = state

    @contextmanager
    def to(self, origin: str, credential: Credential) -> Iterator[HttpClient]:
        """Lend a client to one of Hugging Face's own origins, with a token."""
        way = destination_for(origin, credential.secret, self.options, env=self.env)
        with self.state.clients.lend(way) as client:
            yield client

    def hub(self, credential: Credential) -> AbstractContextManager[HttpClient]:
        """Lend a client to huggingface.co with a token."""
        return self.to(HUB, credential)


async def _within(
    found: AsyncIterator[_T], silent: Finding
) -> AsyncIterator[_T | Finding]:
    """Yield what is found, and ``silent`` in place of what takes too long."""
    while True:
        each: _T | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                each = await anext(found, None)
        except TimeoutError:
            yield silent
        if each is None:
            return
        yield each


async def _answer(asking: Awaitable[Finding], silent: Finding) -> Finding:
    """Return what is found, or ``silent`` where that takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asking
    except TimeoutError:
        return silent


def _silence(name: str, origin: str, level: Level) -> Finding:
    """Return that a host takes a question and does not answer it."""
    host, seconds = origin.partition("://")[2], f"{_PATIENCE:.0f}"
    said = text("doctor.silent", host=host, seconds=seconds)
    return Finding(name, level, said, (text("doctor.silent_step", page=STATUS),))


async def _tokens(
    situation: Situation, ways: _Ways, answers: AnswerStore | None, key: bytes
) -> AsyncIterator[Finding | tuple[str, AccountHolder]]:
    """Yield what Hugging Face says of each token, and its holder by fingerprint."""
    for credential, payers in situation.tokens:
        with ways.hub(credential) as client:
            asked = online_checks.token_findings(
                client,
                credential.source,
                credential.place,
                payers,
                identity=identity_of(credential.secret, key),
                store=answers,
            )
            silent = _silence("token.owner", HUB, Level.WARNING)
            async for each in _within(asked, silent):
                if isinstance(each, Finding):
                    yield each
                else:
                    yield credential.secret.fingerprint, each


async def _money_and_status(
    situation: Situation,
    ways: _Ways,
    holders: Mapping[str, AccountHolder],
    now: float,
) -> AsyncIterator[Finding]:
    for credential, _ in situation.tokens:
        holder = holders.get(credential.secret.fingerprint)
        if holder is None:
            continue
        with ways.hub(credential) as client:
            asked = online_checks.money_findings(client, holder, now=now)
            silent = _silence("account.credits", HUB, Level.UNKNOWN)
            async for finding in _within(asked, silent):
                yield finding
    # Also where the Hub is not reached: that may be the reason.
    page = anonymous_way(STATUS, ways.options, ways.env)
    if situation.needs_hub and page is not None:
        with ways.state.clients.lend(page) as client:
            asked = online_checks.status_findings(client)
            silent = _silence("status.page", STATUS, Level.UNKNOWN)
            async for finding in _within(asked, silent):
                yield finding


async def _network(
    situation: Situation, ways: _Ways, now: float
) -> AsyncIterator[Finding]:
    # Tokens and calls never go to a mirror, whatever the environment names.
    own = Environment({k: v for k, v in ways.env.items() if k != MIRROR})
    hub = anonymous_way(HUB, ways.options, own)
    if hub is None:
        yield unknown("network.hub", text("doctor.hub_offline"))
        return
    with ways.state.clients.lend(hub) as client:
        asked = online_checks.network_findings(hub, client, now=now)
        silent = _silence("network.hub", HUB, Level.PROBLEM)
        async for finding in _within(asked, silent):
            yield finding
    routed = [e for e in situation.endpoints.values() if e.catalogue is not None]
    for endpoint in routed[:1]:
        if endpoint.catalogue is not None:
            with ways.state.clients.lend(endpoint.catalogue) as client:
                model = endpoint.target.model
                asking = online_checks.router_finding(client, model)
                silent = _silence("network.router", ROUTER, Level.PROBLEM)
                yield await _answer(asking, silent)
    mirror, refused = examine_mirror(ways.env)
    if refused:
        said = text("doctor.mirror_ignored", variable=MIRROR, reason=refused)
        steps = (text("doctor.mirror_step", variable=MIRROR),)
        yield Finding("network.mirror", Level.WARNING, said, steps)
    way = anonymous_way(HUB, ways.options, ways.env)
    if mirror is not None and way is not None:
        with ways.state.clients.lend(way) as client:
            silent = _silence("network.mirror", mirror, Level.WARNING)
            yield await _answer(online_checks.mirror_finding(client), silent)


async def _online_entry(
    entry: ModelEntry,
    endpoint: Endpoint,
    catalogue: Catalogue,
    holders: Mapping[str, AccountHolder],
    ways: _Ways,
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
        if credential is not None and holder is not None:
            with (
                suppress(TimeoutError),
                ways.to(ENDPOINTS_API, credential) as client,
            ):
                async with asyncio.timeout(_PATIENCE):
                    managed = await _managed(client, holder)
        origin = endpoint.target.origin
        yield online_checks.endpoint_finding(entry, origin, managed)


async def _managed(
    client: HttpClient, holder: AccountHolder
) -> dict[str, DedicatedEndpoint] | None:
    """Return the endpoints that a token may see, by origin; ``None``: it may not."""
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
    return found if seen else None


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
