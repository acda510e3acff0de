"""A home with a configuration, a Hugging Face, and what ``doctor`` finds of both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field

from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.doctor.diagnosis import diagnose
from bytebuddy_provider_hf.doctor.findings import Finding
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    ENDPOINTS,
    INFERENCE,
    USER_BILLING,
    Account,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.transport.http_client import Destination

TOKEN = "hf_CanaryCanaryCanaryCanaryCanary0123"
MODEL = "org/name"
ENTRY = """\
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: {model}
    roles: [{roles}]
{more}"""
ALL = frozenset({INFERENCE, USER_BILLING, ENDPOINTS})


def entry(more: str = "", *, model: str = MODEL, roles: str = "chat") -> str:
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    return ENTRY.format(model=model, roles=roles, more=lines)


def hub(
    *,
    permissions: frozenset[str] = ALL,
    account: dict[str, object] | None = None,
    endpoints: Sequence[ManagedEndpoint] = (),
    renamed: dict[str, str] | None = None,
    facts: dict[str, dict[str, object]] | None = None,
    behaviour: Behaviour | None = None,
) -> FakeHub:
    """Return a Hugging Face where all is well, but for what is said."""
    price = Price(10_000_000, 20_000_000)
    return FakeHub(
        {MODEL: behaviour or Behaviour()},
        default=None,
        catalogue={MODEL: [Provider("novita", price)]},
        accounts=[
            Account("ada", TOKEN, permissions=permissions, **(account or {}))  # type: ignore[arg-type]
        ],
        endpoints=endpoints,
        renamed=renamed,
        facts=facts or {MODEL: {"pipeline_tag": "text-generation"}},
        clock=lambda: 0.0,
        epoch=1_790_000_000.0,
    )


@define
class Hosts:
    """Connect each origin to a handler of its own, all others to ``rest``."""

    rest: object
    own: Mapping[str, object]

    def __call__(self, destination: Destination) -> MemoryClient:
        handler = self.own.get(destination.origin, self.rest)
        return MemoryConnect(handler)(destination)  # type: ignore[arg-type]


@define
class World:
    """A home with a configuration, and what answers on the network."""

    home: Path
    handler: object = field(factory=hub)
    config: str = field(factory=entry)
    env: dict[str, str] = field(factory=lambda: {"HF_TOKEN": TOKEN})

    def examine(
        self,
        *names: str,
        offline: bool = False,
        calls: bool = False,
        answers: KeptAnswers | None = None,
        now: float = 1_790_000_000.0,
        virtual: bool = False,
    ) -> list[Finding]:
        """Return all findings of one examination, perhaps in virtual time."""
        folder = self.home / ".bytebuddy"
        if self.config:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "config.yaml").write_text(self.config, encoding="utf-8")
            (folder / "config.yaml").chmod(0o600)
        project = self.home / "project"
        project.mkdir(exist_ok=True)

        async def main() -> list[Finding]:
            made = self.handler
            connect = made if isinstance(made, Hosts) else Hosts(made, {})
            async with Runtime(connect=connect) as runtime:
                found = diagnose(
                    names=names,
                    offline=offline,
                    calls=calls,
                    cwd=project,
                    home=self.home,
                    env={"HOME": str(self.home), **self.env},
                    runtime=runtime,
                    answers=answers,
                    now=now,
                )
                return [each async for each in found]

        return run(main()) if virtual else asyncio.run(main())


def first_problem(found: list[Finding]) -> Finding:
    """Return the worst finding that stands first."""
    worst = max(each.level for each in found)
    return next(each for each in found if each.level is worst)
