"""Somebody's first hour: a home, a configuration, and Hugging Face behind its names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
from attrs import define, field
from click.testing import CliRunner

from bytebuddy_provider_hf.address import is_loopback
from bytebuddy_provider_hf.cli import doctor, screen, tables, verbose
from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.config.write import MODEL as STARTER
from bytebuddy_provider_hf.money import Price
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import asleep, gated, paused
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import (
    ENDPOINTS,
    INFERENCE,
    USER_BILLING,
    Account,
)
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.transport import faults, pool
from bytebuddy_provider_hf.transport.http_client import Destination

GOOD: Final = "hf_GoodGoodGoodGoodGoodGoodGood0123"
BAD: Final = "hf_BadBadBadBadBadBadBadBadBadBad0123"
MODEL: Final = "org/name"
GATED: Final = "org/gated"
# As the page's example names it.
RETIRED: Final = "meta-llama/Llama-2-70b-chat-hf"
MASKS: Final = "google-bert/bert-base-multilingual-cased"
FILLED: Final = [{"score": 0.9, "token": 1, "token_str": "b", "sequence": "a b"}]
ENDPOINT: Final = ManagedEndpoint("mine", "ada").url
LANGUAGES: Final = ("en", "zh")
ERROR: Final = {"en": "error: ", "zh": "错误："}
# Of this user and this machine.
_OTHERS: Final = (
    *("HF_", "HUGGING", "BYTEBUDDY", "XDG", "LC_", "LANG", "COLUMNS", "NO_COLOR"),
    *("HTTP", "http", "ALL_PROXY", "all_proxy", "SSL_", "REQUESTS_CA"),
)
_PRICE: Final = Price(10_000_000, 20_000_000)


def entry(more: str = "", *, model: str = MODEL, roles: str = "chat") -> str:
    """Return a configuration of one entry, with the lines ``more`` below it."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    return (
        "models:\n"
        "  - name: mine\n"
        "    provider: huggingfaceinferenceapi\n"
        f"    model: {model}\n"
        f"    roles: [{roles}]\n"
        f"{lines}"
    )


class HuggingFace:
    """What answers where; what is on this machine, or behind a proxy, is asked truly.

    ``endpoint`` is the state of the dedicated one; one that sleeps refuses twice.
    """

    def __init__(self) -> None:
        served = [Provider("novita", _PRICE)]
        words = {"pipeline_tag": "text-generation", "tags": ["conversational"]}
        self.is_reached = True
        self.endpoint = "running"
        self._looks = 0
        self.hub = FakeHub(
            {
                MODEL: Behaviour(),
                STARTER: Behaviour(),
                GATED: Behaviour(always=gated(GATED)),
                MASKS: Behaviour(always=json_reply(FILLED)),
            },
            default=None,
            catalogue={MODEL: served, STARTER: served},
            accounts=[
                Account("ada", GOOD, permissions={INFERENCE, USER_BILLING, ENDPOINTS})
            ],
            endpoints=[ManagedEndpoint("mine", "ada")],
            renamed={"org/old": MODEL},
            facts={
                MODEL: words,
                STARTER: words,
                GATED: {**words, "gated": "manual"},
                RETIRED: words,
                "org/unserved": words,
                MASKS: {"pipeline_tag": "fill-mask"},
            },
        )

    def begin(self) -> None:
        """Let the endpoint sleep again, as long after the last command."""
        self._looks = 0

    def set_endpoint(self, state: str) -> None:
        """Let the dedicated endpoint be ``running``, ``paused`` or ``scaledToZero``."""
        self.endpoint = state
        self.hub.endpoints = [ManagedEndpoint("mine", "ada", state=state)]

    def __call__(self, destination: Destination) -> object:
        """Connect to an origin."""
        origin = destination.origin
        host = origin.partition("://")[2].partition(":")[0]
        if destination.proxy is not None or is_loopback(host):
            return pool.AiohttpClient(destination)

        async def answer(request: FakeRequest) -> FakeReply:
            if not self.is_reached:
                # As aiohttp's own failure for a name that is none is told.
                raise faults.translate(UnicodeError(), faults.Hop(origin))
            if origin == ENDPOINT and self.endpoint == "paused":
                return paused()
            if origin == ENDPOINT and self.endpoint == "scaledToZero":
                self._looks += 1
                if self._looks <= 2:
                    return asleep()
            return await self.hub.handle(request)

        return MemoryConnect(answer)(destination)


@define
class Ran:
    """How a command ended, and what it printed on both streams."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stdout, then those of stderr."""
        return [*self.out.splitlines(), *self.err.splitlines()]

    @property
    def flat(self) -> str:
        """All of it as one line."""
        return " ".join(" ".join(self.lines).split())

    @property
    def commands(self) -> list[str]:
        """What stands in backquotes."""
        return re.findall(r"`([^`]+)`", self.flat)


@define
class World:
    """A home with a project, and the commands that somebody runs in it."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    site: HuggingFace = field(factory=HuggingFace)
    variables: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        import os

        (self.home / "project").mkdir(parents=True)
        for name in tuple(os.environ):
            if name.startswith(_OTHERS):
                self.monkeypatch.delenv(name)
        self.monkeypatch.setenv("LC_ALL", "C.UTF-8")
        self.monkeypatch.setenv("HOME", str(self.home))
        self.monkeypatch.setattr(pool, "open_http_client", self.site)
        self.monkeypatch.chdir(self.home / "project")

    @property
    def config(self) -> Path:
        """The user's own configuration file."""
        return self.home / ".bytebuddy" / "config.yaml"

    def write(self, config: str) -> None:
        """Write the user's configuration."""
        self.config.parent.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(config, "utf-8")
        # Whatever the umask of a test: what everybody can write to is not read.
        self.config.chmod(0o600)

    def edit(self, old: str, new: str) -> None:
        """Change the user's configuration."""
        before = self.config.read_text("utf-8")
        assert old in before
        self.write(before.replace(old, new))

    def keep(self, token: str) -> None:
        """Keep a token as ``login`` does."""
        self.config.parent.mkdir(mode=0o700, exist_ok=True)
        env = self.config.with_name(".env")
        env.write_text(f"HF_API_KEY={token}\n")
        env.chmod(0o600)

    def run(
        self,
        *arguments: str,
        lang: str = "en",
        width: int | None = None,
        stdin: str = "",
    ) -> Ran:
        """Run a command, on terminals of ``width`` or in a pipe."""
        self.site.begin()
        with self.monkeypatch.context() as patched:
            for module in (doctor, screen, tables, verbose):
                patched.setattr(module, "columns_of", lambda _: width)
            done = CliRunner().invoke(
                cli,
                ["--lang", lang, *arguments],
                env=self.variables,
                input=stdin,
                prog_name="bytebuddy-hf",
            )
        assert done.exception is None or isinstance(done.exception, SystemExit), (
            done.exception
        )
        return Ran(done.exit_code, done.stdout, done.stderr)

    def follow(self, command: str, lang: str = "en") -> Ran:
        """Do what a printed command says; a token that is asked for is a good one."""
        program, *arguments = shlex.split(command)
        if program == "unset":
            (name,) = arguments
            del self.variables[name]
            return Ran(0, "", "")
        if program == "hf":
            assert arguments[:2] == ["endpoints", "resume"]
            self.site.set_endpoint("running")
            return Ran(0, "", "")
        assert program == "bytebuddy-hf", command
        ran = self.run(*arguments, lang=lang, stdin=GOOD)
        assert ran.code == 0, ran
        return ran
