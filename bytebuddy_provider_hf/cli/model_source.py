"""Open the models of a command: those of the configuration, or any ``org/name``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import click
from attrs import define, evolve, field

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.amounts import alert_line
from bytebuddy_provider_hf.cli.language import COMMAND_LINE, localized
from bytebuddy_provider_hf.cli.options import CallSettings
from bytebuddy_provider_hf.cli.terminal import sanitize_line
from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import CONFIG, TRUST, user_folder
from bytebuddy_provider_hf.config.trust import (
    TrustStore,
    grant,
    origin_for,
    project_of,
    unchecked_certificate,
)
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    ConfigError,
    ConfigNotFound,
    DeadlineExceeded,
    InvalidEndpoint,
    InvalidOption,
    MissingToken,
    ProviderFailed,
    UntrustedProject,
)
from bytebuddy_provider_hf.logs.install import complaints
from bytebuddy_provider_hf.plugins.protocols import (
    Apply,
    Chat,
    Complete,
    Edit,
    Embed,
    Fill,
    Model,
    Rerank,
    Tasks,
)
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.values import Config
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry
    from bytebuddy_provider_hf.storage.ledger import Ledger

P = TypeVar("P")

# A protocol of the plugins' -> what is said of a model that does not implement it.
_LACKING: Final[dict[object, Callable[[str], str]]] = {
    Chat: lambda name: text("cli.no_chat", model=name),
    Complete: lambda name: text("cli.no_complete", model=name),
    Fill: lambda name: text("cli.no_fill", model=name),
    Edit: lambda name: text("cli.no_edit", model=name),
    Apply: lambda name: text("cli.no_apply", model=name),
    Embed: lambda name: text("cli.no_embed", model=name),
    Rerank: lambda name: text("cli.no_rerank", model=name),
    Tasks: lambda name: text("cli.no_tasks", model=name),
}


def ways_to_a_model() -> tuple[str, ...]:
    """Return what can be done without a token or a configuration file."""
    return text("cli.way_login"), text("cli.way_base"), text("cli.way_demo")


def first_way(registry: ModelRegistry) -> str:
    """Return how a configuration without a model gets one."""
    if not registry.files:
        return text("cli.way_init")
    # A file that is there is not begun anew.
    from bytebuddy_provider_hf.config.write import MODEL

    return text("cli.way_add", model=MODEL)


@define
class ModelSource:
    """Open models by name and close them all in the end.

    With ``settings.base`` the entries of the configuration are not read: the server is
    named. What the user's file says of counting and of budgets holds there too.
    """

    settings: CallSettings
    registry: ModelRegistry | None = None
    _loose: dict[str, Model] = field(factory=dict)
    _ledger: Ledger | None = None
    _warned: set[str] = field(factory=set)

    async def __aenter__(self) -> Self:
        if self.settings.base is None:
            from bytebuddy_provider_hf.plugins.registry import ModelRegistry

            screen.reserve_stdout()
            # The file may be a pipe that somebody named, and nobody writes to.
            with interruptible():
                self.registry = ModelRegistry.load(
                    self.settings.config, cache=self.settings.cache
                )
            # A log file that is asked for and cannot be written stops no command.
            for complaint in complaints():
                screen.warn(complaint.said)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for model in self._loose.values():
            await model.aclose()
        self._loose.clear()
        if self.registry is not None:
            # The answer is whole, or its own error is on its way: that a plugin's model
            # did not close has been logged, which a person sees on stderr.
            with suppress(ProviderFailed):
                await self.registry.aclose()
        if self._ledger is not None:
            # What a call used is known when it is over, and then no event comes.
            await self._ledger.flush()
            for alert in self._ledger.take_alerts():
                screen.note(alert_line(alert), colour="yellow")
        if isinstance(error, MissingToken):
            add_help(error)

    def names(self) -> tuple[str, ...]:
        """Return the names the configuration gives."""
        if self.registry is None:
            return ()
        return tuple(entry.name for entry in self.registry.entries)

    async def open(self, name: str | None, *, role: Role = Role.CHAT) -> Model:
        """Open the model called ``name``, or the first of the configuration for it."""
        model = await self._open(name, role=role)
        self._warn_of_unchecked(name or model.name)
        if self._money.ledger or self._money.budgets:
            from bytebuddy_provider_hf.storage.ledger import open_ledger

            # The one that the model counts with, kept until its last alert is told.
            self._ledger = open_ledger(user_folder(home_folder()))
        return model

    def _warn_of_unchecked(self, name: str) -> None:
        """Tell of each entry that may be asked whose server nobody checks, once."""
        asked = [name]
        while self.registry is not None and asked:
            name = asked.pop()
            if name in self._warned or name not in self.registry:
                continue
            self._warned.add(name)
            entry = self.registry.entry(name)
            asked += entry.fallbacks
            unchecked = unchecked_certificate(entry)
            if unchecked is not None:
                screen.warn(unchecked.said)

    async def _open(self, name: str | None, *, role: Role) -> Model:
        if self.settings.base is not None:
            if not self.settings.base.strip():
                # Empty means the router elsewhere: nobody who names a server means it.
                hint = text("cli.write_base")
                raise InvalidEndpoint(text("cli.base_empty"), hint=hint)
            if name is None:
                hint = text("cli.add_model")
                raise InvalidOption(text("cli.base_alone"), hint=hint)
            return self._open_loose(name)
        assert self.registry is not None  # noqa: S101  # only with --base there is none
        if name is None:
            if not self.names():
                nothing: ConfigError = ConfigNotFound(text("cli.no_configuration"))
                if self.registry.files:
                    nothing = ConfigError(text("cli.no_model"))
                add_help(nothing, first_way(self.registry))
                raise nothing
            name = self.registry.entry_for_role(role).name
        # An entry may be called as a model is: the configuration decides.
        if name not in self.names() and "/" in name:
            return self._open_loose(name)
        try:
            return await self._opened(self.registry, name)
        except UntrustedProject:
            if not _ask_for_trust(self.registry.entry(name)):
                raise
        # What a project's file may say depends on trust: it is read again.
        with suppress(ProviderFailed):  # as above
            await self.registry.aclose()
        from bytebuddy_provider_hf.plugins.registry import ModelRegistry

        screen.reserve_stdout()
        self.registry = ModelRegistry.load(
            self.settings.config, cache=self.settings.cache
        )
        return await self._opened(self.registry, name)

    async def _opened(self, registry: ModelRegistry, name: str) -> Model:
        """Open an entry within the time of the call: its provider may wait for ever."""
        # What is said of its options is said of those of the file.
        ctx = click.get_current_context(silent=True)
        if ctx is not None and (line := ctx.meta.get(COMMAND_LINE)) is not None:
            line.entry = registry.entry(name)
        seconds = self.settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await registry.open(name)
        except TimeoutError:
            raise DeadlineExceeded(
                text(
                    "plugins.not_opened_in_time",
                    provider=sanitize_line(registry.entry(name).provider),
                    model=sanitize_line(name),
                    seconds=f"{seconds:,g}",
                ),
                hint=text("plugins.more_time"),
            ) from None

    def _open_loose(self, name: str) -> Model:
        from bytebuddy_provider_hf.client.opening import open_model

        if name not in self._loose:
            known = self._money
            # By the proxy and authorities of the user's file; what it says to its own
            # servers, headers and certificates, is told to no other.
            ways = evolve(
                known.request_options,
                headers={},
                extra_body_properties={},
                client_certificate=None,
            )
            self._loose[name] = open_model(
                name,
                api_base=self.settings.base,
                ledger=known.ledger,
                budgets=known.budgets,
                alerts=known.alerts,
                request_options=ways,
            )
        return self._loose[name]

    @cached_property
    def _money(self) -> Config:
        """Return what the user's file says of counting, budgets and alerts."""
        from bytebuddy_provider_hf.config.values import Config

        if self.registry is not None:
            found = self.registry
            return Config(
                ledger=found.counts_calls,
                budgets=found.budgets,
                alerts=found.alerts,
                request_options=found.request_options,
            )
        path = user_folder(home_folder()) / CONFIG.name
        try:
            written = read_regular_file(path, CONFIG.most)
        except (FileNotFoundError, NotADirectoryError):
            return Config()
        except OSError as error:
            # What it says of budgets is as unknown as where it is not understood.
            reason = error.strerror or type(error).__name__
            screen.warn(text("cli.budgets_unread", path=path, reason=reason))
            return Config()
        # Reading YAML takes longer than many an answer of a server on this machine.
        told = (b"ledger", b"budget", b"requestOptions")
        if not any(key in written for key in told):
            return Config()
        from bytebuddy_provider_hf.config.load import load

        try:
            return load(path, cwd=Path.cwd(), home=home_folder(), env=os.environ)
        except ConfigError as error:
            # A hard budget that is not understood holds nothing back: that is told.
            screen.warn(text("cli.budgets_unread", path=path, reason=error.message))
            screen.show_problems(error)
            return Config()


def add_help(error: MissingToken | ConfigError, *first: str) -> None:
    """Add to an error what can be done without a token or a configuration file."""
    heading = text("cli.four_ways" if first else "cli.three_ways")
    for line in (heading, *first, *ways_to_a_model()):
        error.add_note(line)


def require(model: Model, protocol: Callable[..., P]) -> P:
    """Return ``model`` as one of ``protocol``, or raise ``InvalidOption``.

    mypy and pyright take no protocol as ``type[P]``, but each as what makes a ``P``.
    """
    if isinstance(model, cast("type", protocol)):
        return cast("P", model)
    raise InvalidOption(_LACKING[protocol](model.name))


def new_entries_have_a_token() -> bool:
    """Tell whether the variable that a new entry names has a value."""
    from bytebuddy_provider_hf.config.variables import read_variables
    from bytebuddy_provider_hf.config.write import VARIABLE

    known = read_variables(home=home_folder(), project=Path.cwd(), process=os.environ)
    # Another variable's token does not count for the entry, nor does a project's.
    found = known.find(VARIABLE, env_files_first=True, with_project=False)
    return bool(found)


def trust_store() -> TrustStore:
    """Return what this user trusts."""
    return TrustStore(user_folder(home_folder()) / TRUST.name)


def is_interactive_session() -> bool:
    """Tell whether a person would see a question and can answer it."""
    return screen.is_interactive(sys.stdin) and screen.is_interactive(sys.stderr)


def _ask_for_trust(entry: ModelEntry) -> bool:
    """Ask whether to trust the project of ``entry``; remember a yes.

    ``False`` where nobody is there to ask: a program is told the command instead.
    """
    project = project_of(entry)
    if project is None or not is_interactive_session():
        return False
    if not confirm_trust(project, origin_for(entry)):
        return False
    grant(entry, trust_store())
    return True


def confirm_trust(project: Path, origin: str) -> bool:
    """Ask about one project and one origin; no is the default, and Ctrl-D says no."""
    question = text(
        "cli.ask_trust",
        project=sanitize_line(str(project)),
        origin=sanitize_line(origin),
    )
    return confirm(question)


def confirm(question: str) -> bool:
    """Ask on stderr; no is the default, and Ctrl-D says no."""
    with interruptible():
        return screen.agreed(f"{localized(question)} [y/N]: ", stream=sys.stderr)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end at once what waits without the loop, which only notes it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
