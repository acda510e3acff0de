"""Open the models of a configuration by name, and ask them by calls that wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import ParamSpec, cast, final

from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    Config,
    ConfigWarning,
    ModelEntry,
    RequestOptions,
)
from bytebuddy_provider_hf.errors import ByteBuddyError, Closed
from bytebuddy_provider_hf.plugins.protocols import Model
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import PluginFailure
from bytebuddy_provider_hf.sync.loop_thread import (
    LoopThread,
    LoopUser,
    answering,
    described,
    take_loop,
)
from bytebuddy_provider_hf.sync.model import SyncModel
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role

P = ParamSpec("P")


def _loading(load: Callable[P, ModelRegistry]) -> Callable[P, SyncRegistry]:
    """Return a function that loads a registry as ``load`` does, for calls that wait."""

    @wraps(load)
    def load_registry(*args: P.args, **kwargs: P.kwargs) -> SyncRegistry:
        # In this thread, which Ctrl-C reaches: reading files needs no loop.
        return SyncRegistry(load(*args, **kwargs), take_loop())

    effect = "Load a registry whose models have calls that wait."
    return described(load_registry, load, effect, "SyncRegistry")


@final
class SyncRegistry(LoopUser):
    """The models of a configuration, whose calls wait: a ``ModelRegistry`` for scripts.

    ``with SyncRegistry.load() as registry`` is the usual form. Iterating gives the
    names of the entries, the strongest file's first. What it opens is closed with it.
    Any thread may use it, also several at once.
    """

    load = staticmethod(_loading(ModelRegistry.load))

    def __init__(self, core: ModelRegistry, loop: LoopThread) -> None:
        super().__init__(core, loop)
        self._models: dict[str, SyncModel] = {}

    @property
    def core(self) -> ModelRegistry:
        """The asynchronous registry, to be looked at. Its models belong to the loop."""
        return cast("ModelRegistry", self._core)

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """Every entry of the configuration, whether or not it can be opened."""
        return self.core.entries

    @property
    def providers(self) -> Mapping[str, ProviderSpec]:
        """The providers found, by name (without their aliases)."""
        return self.core.providers

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
        """The plugins that were left out, and why."""
        return self.core.failures

    @property
    def warnings(self) -> tuple[ConfigWarning, ...]:
        """What a user should hear of but nothing stops at."""
        return self.core.warnings

    @property
    def counts_calls(self) -> bool:
        """Whether calls are counted: unless the configuration says ``ledger: off``."""
        return self.core.counts_calls

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets of the user's own files, which hold for whatever is called."""
        return self.core.budgets

    @property
    def alerts(self) -> AlertOptions | None:
        """What is run when a part of a budget is used up."""
        return self.core.alerts

    @property
    def config(self) -> Config:
        """The configuration as it was read, from all of its files."""
        return self.core.config

    @property
    def request_options(self) -> RequestOptions:
        """How requests travel that no entry is for: as the user's own file says."""
        return self.core.request_options

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that were read, strongest first."""
        return self.core.files

    def __contains__(self, name: object) -> bool:
        return name in self.core

    def __iter__(self) -> Iterator[str]:
        return iter(self.core)

    def __len__(self) -> int:
        return len(self.core)

    def __repr__(self) -> str:
        return f"<SyncRegistry of {len(self)} models, {len(self.providers)} providers>"

    def __getitem__(self, name: str) -> SyncModel:
        """Open an entry, or return its model if it is open already.

        Raises what ``ModelRegistry`` raises for it; an entry whose provider opens
        asynchronously opens, too.
        """
        return self.open(name)

    def open(self, name: str) -> SyncModel:
        """Open an entry, also where its provider opens asynchronously.

        Callers at the same time get one and the same model. Raises what
        ``registry[name]`` raises.

        Args:
            name: The name of an entry.
        """
        return self._open(name, lambda: self.core.open(name))

    def for_role(self, role: Role | str) -> SyncModel:
        """Open the first entry that carries a role, as ``registry[name]`` does.

        Args:
            role: A ``Role``, or its name.
        """
        return self.open(self.entry_for_role(role).name)

    def chat(self, name: str | None = None) -> SyncModel:
        """Return the model of that entry, or of the first with the role, to chat with.

        Opens it as ``registry[name]`` does; so do the methods below.

        Args:
            name: The name of an entry; without it, the first that carries the role.

        Raises:
            UnsupportedRole: The provider's model has no such method.
        """
        return self._serving(ModelRegistry.chat, name, Role.CHAT)

    def fill(self, name: str | None = None) -> SyncModel:
        """Return a model that completes code at a cursor, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(ModelRegistry.fill, name, Role.AUTOCOMPLETE)

    def edit(self, name: str | None = None) -> SyncModel:
        """Return a model that changes code, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(ModelRegistry.edit, name, Role.EDIT)

    def apply(self, name: str | None = None) -> SyncModel:
        """Return a model that applies a suggested change, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(ModelRegistry.apply, name, Role.APPLY)

    def embed(self, name: str | None = None) -> SyncModel:
        """Return a model that turns texts into vectors, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(ModelRegistry.embed, name, Role.EMBED)

    def rerank(self, name: str | None = None) -> SyncModel:
        """Return a model that scores documents, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(ModelRegistry.rerank, name, Role.RERANK)

    def complete(self, name: str) -> SyncModel:
        """Return a model that continues a text; no role stands for that.

        Args:
            name: The name of an entry.
        """
        return self._serving(ModelRegistry.complete, name)

    def tasks(self, name: str) -> SyncModel:
        """Return a model that serves the Hub's tasks; no role stands for them.

        Args:
            name: The name of an entry.
        """
        return self._serving(ModelRegistry.tasks, name)

    usage = answering(ModelRegistry.usage)

    def entry(self, name: str) -> ModelEntry:
        """Return an entry without opening it; raises what ``ModelRegistry`` raises.

        Args:
            name: The name of an entry.
        """
        return self.core.entry(name)

    def entry_for_role(self, role: Role | str) -> ModelEntry:
        """Return the first entry that carries a role, without opening it.

        ``embeddings`` and ``reranking`` are taken for ``embed`` and ``rerank``.

        Args:
            role: A ``Role``, or its name.
        """
        return self.core.entry_for_role(role)

    def provider(self, name: str) -> ProviderSpec:
        """Return the provider of that name or alias.

        Args:
            name: The name of a provider, or an alias of it.
        """
        return self.core.provider(name)

    def check(self, name: str) -> None:
        """Raise what opening the entry would, as far as its provider is not asked.

        Args:
            name: The name of an entry.
        """
        self.core.check(name)

    def __exit__(self, *exc: object) -> None:
        try:
            self.close()
        except ByteBuddyError:
            # The block's own error is the one to report; this one has been logged.
            if not any(exc):
                raise

    def _closed_error(self) -> Closed:
        return Closed(text("plugins.closed"), hint=text("plugins.load_another"))

    def _serving(
        self,
        serving: Callable[[ModelRegistry, str], object],
        name: str | None,
        role: Role = Role.CHAT,
    ) -> SyncModel:
        """Open an entry whose model does what a method of the registry promises."""
        core, entry = self.core, name
        if entry is None:
            entry = core.entry_for_role(role).name
        found = entry

        async def opened() -> Model:
            model = await core.open(found)
            # That its model has the method.
            serving(core, found)
            return model

        return self._open(found, opened)

    def _open(self, name: str, opening: Callable[[], Awaitable[Model]]) -> SyncModel:
        loop = self.loop
        model = loop.run(opening)
        # Made once: whoever asks again gets the same.
        return self._models.setdefault(name, SyncModel(model, loop, with_loop=False))
