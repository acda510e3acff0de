"""Open the models of a configuration by name, for a host."""

from __future__ import annotations

import difflib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self, TypeVar, final

from attrs import evolve

from bytebuddy_provider_hf.config.files import home_folder
from bytebuddy_provider_hf.config.stored_files import (
    TRUST,
    cache_folder,
    user_folder,
)
from bytebuddy_provider_hf.config.trust import (
    TrustStore,
    check_entry,
    is_trusted,
    unchecked_certificate,
)
from bytebuddy_provider_hf.config.values import (
    AlertOptions,
    Budget,
    Config,
    ConfigWarning,
    ModelEntry,
    RequestOptions,
)
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    NoModelForRole,
    UnknownModel,
    UnknownName,
    UnknownProvider,
    UnsetVariable,
    UnsupportedRole,
)
from bytebuddy_provider_hf.logs.install import follow
from bytebuddy_provider_hf.outcomes import Consumption
from bytebuddy_provider_hf.plugins.discovery import (
    ALLOW_VARIABLE,
    BLOCK_VARIABLE,
    Discovery,
    discover,
)
from bytebuddy_provider_hf.plugins.foreign_code import safe_name
from bytebuddy_provider_hf.plugins.open_models import Opening, OpenModels
from bytebuddy_provider_hf.plugins.protocols import (
    Apply,
    Chat,
    Complete,
    Edit,
    Embed,
    Fill,
    Metered,
    Model,
    OpenContext,
    Rerank,
    Tasks,
)
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import PluginFailure
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import DEFAULT_ROLES, Role

_OTHER_SPELLINGS: Final = {"embeddings": Role.EMBED, "reranking": Role.RERANK}

# An error names what exists, and a configuration may have thousands of entries.
_MOST_SHOWN: Final = 12
_MOST_KEPT: Final = 200
_HUGGING_FACE: Final = "huggingface"

_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)

# Providers of other packages log under the name that hosts and plugins share. As below
# this package's own, nothing is printed unasked.
_PROVIDERS: Final = "bytebuddy"
logging.getLogger(_PROVIDERS).addHandler(logging.NullHandler())


@final
class ModelRegistry:
    """Find providers and entries, open models by name, close what was opened.

    ``async with ModelRegistry.load() as registry`` is the usual form. Iterating gives
    the names of the entries, the strongest file's first. A registry may be used from
    several event loops, one after another, but not from two threads at once.
    """

    def __init__(
        self,
        config: Config,
        discovery: Discovery,
        *,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        runtime: object | None = None,
    ) -> None:
        self._config = config
        self._discovery = discovery
        self._home = home_folder() if home is None else home
        self._env = Environment(os.environ if env is None else env)
        self._runtime = runtime
        self._entries: dict[str, ModelEntry] = {}
        # Load has merged the files; a host may hand over anything.
        for entry in config.entries:
            self._entries.setdefault(entry.name, entry)
        self._open_models = OpenModels()

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        plugins: Iterable[object] | None = None,
        blocked: Iterable[str] | None = None,
        allowed: Iterable[str] | None = None,
        cwd: Path | None = None,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        runtime: object | None = None,
        cache: bool = True,
        log: bool = True,
        import_timeout: float | None = None,
    ) -> ModelRegistry:
        """Read the configuration and find the plugins; open nothing yet.

        A log file that the configuration names is written from now on, until it is
        loaded again without.

        Args:
            path: The configuration file. Without it the files are searched where
                ByteBuddy keeps them.
            plugins: Exactly the plugins to use (objects or modules). ``None`` means
                those installed, narrowed by the two below and by the variables
                ``BYTEBUDDY_BLOCK`` and ``BYTEBUDDY_PLUGINS``.
            blocked: The names of plugins to leave out.
            allowed: The only names of plugins to use.
            cwd: Where a project's file is searched; by default the current folder.
            home: The user's home, where the user's own files are.
            env: The variables to use in place of the process's.
            runtime: Handed to every provider; it stays the caller's to close.
            cache: Without it no entry keeps answers, whatever it says.
            log: Without it the log file of the configuration is not opened here.
            import_timeout: Seconds that the import of another package's plugin or
                provider may take, by default those of the variable
                ``BYTEBUDDY_PLUGIN_TIMEOUT``, or 10. One that takes longer is left
                out, and named in the log.

        Raises:
            ConfigNotFound: ``path`` does not exist or cannot be read.
            ConfigInvalid: A file has errors; all of them are listed.
        """
        from bytebuddy_provider_hf.config.load import load as load_config

        # Wrapped, so that no traceback through here can show a variable's value.
        env = Environment(os.environ if env is None else env)
        home = home_folder() if home is None else home
        config = load_config(
            None if path is None else Path(path),
            cwd=Path.cwd() if cwd is None else cwd,
            home=home,
            env=env,
        )
        unwritten = follow(config.log, config.files) if log else None
        if unwritten is not None:
            config = evolve(config, warnings=(*config.warnings, unwritten))
        if not cache:
            plain = tuple(evolve(entry, cache=None) for entry in config.entries)
            config = evolve(config, entries=plain)
        discovery = discover(
            plugins=plugins,
            blocked=blocked,
            allowed=allowed,
            import_timeout=import_timeout,
            env=env,
        )
        for failure in discovery.failures:
            _log.warning("%s", failure)
        return cls(config, discovery, home=home, env=env, runtime=runtime)

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """Every entry of the configuration, whether or not it can be opened."""
        return self._config.entries

    @property
    def providers(self) -> Mapping[str, ProviderSpec]:
        """The providers found, by name (without their aliases)."""
        return MappingProxyType(dict(self._discovery.providers))

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
        """The plugins that were left out, and why."""
        return self._discovery.failures

    @property
    def warnings(self) -> tuple[ConfigWarning, ...]:
        """What a user should hear of but nothing stops at."""
        return (
            *self._config.warnings,
            *self._discovery.warnings,
            *filter(None, map(unchecked_certificate, self.entries)),
            *filter(None, map(self._unserved, self.entries)),
            *(told for entry in self.entries for told in self._lost(entry)),
        )

    @property
    def counts_calls(self) -> bool:
        """Whether calls are counted: unless the configuration says ``ledger: off``."""
        return self._config.ledger

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets of the user's own files, which hold for whatever is called."""
        return self._config.budgets

    @property
    def alerts(self) -> AlertOptions | None:
        """What is run when a part of a budget is used up."""
        return self._config.alerts

    @property
    def config(self) -> Config:
        """The configuration as it was read, from all of its files."""
        return self._config

    @property
    def request_options(self) -> RequestOptions:
        """How requests travel that no entry is for: as the user's own file says."""
        return self._config.request_options

    @property
    def files(self) -> tuple[Path, ...]:
        """The configuration files that were read, strongest first."""
        return self._config.files

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<ModelRegistry of {len(self)} models, {len(self.providers)} providers>"

    def __getitem__(self, name: str) -> Model:
        """Open an entry, or return its model if it is open already.

        What a model can do beyond :class:`Model` tells ``isinstance``; :meth:`chat`
        and its like return it typed.

        Raises:
            Closed: The registry was closed.
            UnknownModel: There is no such entry.
            UnknownProvider: The plugin of the entry's provider is not installed.
            UnsetVariable: The entry needs a variable that nobody has set.
            UntrustedProject: A project's entry wants what the user did not allow.
            ProviderFailed: The provider's code failed, or has to be awaited.
        """
        model = self._open_models.get(name)
        # Not "or": a foreign model may be falsy.
        return self._open_models.open(self._opening(name)) if model is None else model

    async def open(self, name: str) -> Model:
        """Open an entry, also where its provider opens asynchronously.

        Callers at the same time get one and the same model. Raises what
        ``registry[name]`` raises.

        Args:
            name: The name of an entry.
        """
        model = self._open_models.get(name)
        if model is None:
            model = await self._open_models.open_once(self._opening(name))
        return model

    def for_role(self, role: Role | str) -> Model:
        """Open the first entry that carries a role, as ``registry[name]`` does.

        Args:
            role: A ``Role``, or its name.
        """
        return self[self.entry_for_role(role).name]

    # mypy takes no protocol for a type[T] (its issue 4717); isinstance does.

    def chat(self, name: str | None = None) -> Chat:
        """Return the model of that entry, or of the first with the role, to chat with.

        Opens it as ``registry[name]`` does; so do the methods below.

        Args:
            name: The name of an entry; without it, the first that carries the role.

        Raises:
            UnsupportedRole: The provider's model has no such method.
        """
        return self._serving(Chat, name, Role.CHAT)  # type: ignore[type-abstract]

    def fill(self, name: str | None = None) -> Fill:
        """Return a model that completes code at a cursor, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(Fill, name, Role.AUTOCOMPLETE)  # type: ignore[type-abstract]

    def edit(self, name: str | None = None) -> Edit:
        """Return a model that changes code, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(Edit, name, Role.EDIT)  # type: ignore[type-abstract]

    def apply(self, name: str | None = None) -> Apply:
        """Return a model that applies a suggested change, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(Apply, name, Role.APPLY)  # type: ignore[type-abstract]

    def embed(self, name: str | None = None) -> Embed:
        """Return a model that turns texts into vectors, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(Embed, name, Role.EMBED)  # type: ignore[type-abstract]

    def rerank(self, name: str | None = None) -> Rerank:
        """Return a model that scores documents, as :meth:`chat` does.

        Args:
            name: The name of an entry; without it, the first that carries the role.
        """
        return self._serving(Rerank, name, Role.RERANK)  # type: ignore[type-abstract]

    def complete(self, name: str) -> Complete:
        """Return a model that continues a text; no role stands for that.

        Args:
            name: The name of an entry.
        """
        return self._serving(Complete, name)  # type: ignore[type-abstract]

    def tasks(self, name: str) -> Tasks:
        """Return a model that serves the Hub's tasks; no role stands for them.

        Args:
            name: The name of an entry.
        """
        return self._serving(Tasks, name)  # type: ignore[type-abstract]

    async def usage(
        self, *, since: date | None = None, until: date | None = None
    ) -> Mapping[str, Consumption]:
        """Return what the models that are open used up, by the names of their entries.

        Of models whose provider does not count nothing is told. Entries with the same
        model, address and token share one count, and each has the whole of it.

        Args:
            since: The first day (UTC); by default the first of this month.
            until: The last day (UTC), included; by default today.
        """
        found: dict[str, Consumption] = {}
        for name in self._entries:
            model: object = self._open_models.get(name)
            if isinstance(model, Metered):
                found[name] = await model.usage(since=since, until=until)
        return found

    def entry(self, name: str) -> ModelEntry:
        """Return an entry without opening it.

        Args:
            name: The name of an entry.

        Raises:
            UnknownModel: There is no such entry.
        """
        found = self._entries.get(name)
        if found is None:
            raise _unknown_name_error(
                UnknownModel,
                text("plugins.no_such_model", name=safe_name(name)),
                name,
                known=self._entries,
                hint=text("plugins.add_entry"),
            )
        return found

    def entry_for_role(self, role: Role | str) -> ModelEntry:
        """Return the first entry that carries a role, without opening it.

        ``embeddings`` and ``reranking`` are taken for ``embed`` and ``rerank``.

        Args:
            role: A ``Role``, or its name.

        Raises:
            NoModelForRole: No entry carries it.
        """
        wanted = _OTHER_SPELLINGS.get(role, role)
        for entry in self.entries:
            if wanted in entry.roles:
                return entry
        raise _unknown_name_error(
            NoModelForRole,
            text("plugins.no_role", role=safe_name(role)),
            role,
            known=sorted({each.value for it in self.entries for each in it.roles}),
            hint=text("plugins.add_role"),
        )

    def provider(self, name: str) -> ProviderSpec:
        """Return the provider of that name or alias.

        Args:
            name: The name of a provider, or an alias of it.

        Raises:
            UnknownProvider: No plugin in use registers it.
        """
        found = self._discovery.find(name)
        if found is None:
            raise self._no_provider(name, text("plugins.not_installed"))
        return found

    def check(self, name: str) -> None:
        """Raise what opening the entry would, as far as its provider is not asked.

        Args:
            name: The name of an entry.
        """
        self._opening(name)

    async def __aenter__(self) -> Self:
        self._open_models.refuse_if_closed()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
        except ByteBuddyError:
            # The block's own error is the one to report; this one has been logged.
            if kind is None:
                raise

    async def aclose(self) -> None:
        """Close every model that was opened here; a second call does nothing.

        Raises:
            ProviderFailed: Models failed to close; the others are closed.
        """
        await self._open_models.aclose()

    def _serving(
        self, protocol: type[_T], name: str | None, role: Role = Role.CHAT
    ) -> _T:
        model = self.for_role(role) if name is None else self[name]
        if isinstance(model, protocol):
            return model
        raise UnsupportedRole(
            text(
                "plugins.no_method",
                model=safe_name(model.name),
                method=protocol.__name__.lower(),
            ),
            hint=text("plugins.another_model"),
        )

    def _opening(self, name: str) -> Opening:
        entry = self.entry(name)
        if entry.unset:
            first = entry.unset[0]
            raise UnsetVariable(
                text(
                    "plugins.refused" if first.refused else "plugins.unset",
                    place=first.place,
                    key=first.path,
                    model=safe_name(entry.name),
                    variable=first.variable,
                ),
                variable=first.variable,
                hint=first.hint
                or text("plugins.set_and_reload", variable=first.variable),
            )
        provider = self._discovery.find(entry.provider)
        if provider is None:
            model = safe_name(name)
            why = text("plugins.asks_for_it", model=model, place=entry.source)
            raise self._no_provider(entry.provider, why)
        folder = user_folder(self._home)
        store = TrustStore(folder / TRUST.name)
        check_entry(entry, store)
        context = OpenContext(
            source=entry.source,
            trusted=is_trusted(entry, store),
            state_dir=folder,
            cache_dir=cache_folder(self._env, self._home),
            log=logging.getLogger(f"{_PROVIDERS}.{provider.name}"),
            clock=time.monotonic,
            runtime=self._runtime,
            env=self._env,
            ledger=self._config.ledger,
            alerts=self._config.alerts,
            models=self.open,
        )
        return Opening(
            entry,
            provider,
            context,
            self._discovery.distributions.get(provider.name),
            self._discovery.import_timeout,
        )

    def _unserved(self, entry: ModelEntry) -> ConfigWarning | None:
        provider = self._discovery.find(entry.provider)
        # The default roles are nobody's wish, so nobody is told of them.
        if provider is None or not provider.roles or entry.roles == DEFAULT_ROLES:
            return None
        missing = [role for role in entry.roles if role not in provider.roles]
        if not missing:
            return None
        return ConfigWarning(
            place=str(entry.source),
            message=text(
                "plugins.unserved",
                model=safe_name(entry.name),
                provider=provider.name,
                roles=", ".join(missing),
            ),
        )

    def _lost(self, entry: ModelEntry) -> Iterator[ConfigWarning]:
        """Yield a warning for each fallback whose provider is not there."""
        for name in entry.fallbacks:
            target = self._entries.get(name)
            if target is None or self._discovery.find(target.provider):
                continue
            message = text(
                "fallbacks.no_provider",
                entry=safe_name(entry.name),
                fallback=safe_name(name),
                provider=safe_name(target.provider),
            )
            yield ConfigWarning(str(entry.source), message, is_problem=True)

    def _no_provider(self, name: str, why: str) -> UnknownName:
        found = self._discovery
        failed = {failure.plugin for failure in found.failures if failure.left_out}
        shown = [
            ", ".join(sorted(plugins)[:_MOST_SHOWN])
            for plugins in (set(found.kept_out), failed)
        ]
        hints = []
        if shown[0]:
            lists = {"block": BLOCK_VARIABLE, "allow": ALLOW_VARIABLE}
            hints.append(text("plugins.kept_out", plugins=shown[0], **lists))
        if shown[1]:
            hints.append(text("plugins.failed", plugins=shown[1]))
        # A plugin that is there but not in use is the likelier reason than none.
        hint = hints[0] if hints else text("plugins.install")
        if len(hints) > 1:
            hint = text("plugins.two_sentences", first=hints[0], second=hints[1])
        # Other programs' words for the same: hf, HuggingFace, huggingface-hub.
        plain = re.sub(r"[\W_]", "", name[:_MOST_KEPT].casefold())
        ours = (it for it in found.providers if it.startswith(_HUGGING_FACE))
        is_hf = re.sub("^hf", _HUGGING_FACE, plain).startswith(_HUGGING_FACE)
        return _unknown_name_error(
            UnknownProvider,
            text("plugins.no_provider", name=safe_name(name), why=why),
            name,
            known=(*found.providers, *found.aliases),
            hint=hint,
            meant=next((it for it in ours if is_hf), None),
        )


def _unknown_name_error(
    kind: type[UnknownName],
    sentence: str,
    name: str,
    *,
    known: Iterable[str],
    hint: str,
    meant: str | None = None,
) -> UnknownName:
    """Return an error that lists what exists and the nearest spelling of ``name``.

    ``sentence`` says what is missing. Names come from files: they are redacted and
    cut, and the list is bounded. ``hint`` stands where nothing is spelt alike;
    ``meant`` is what ``name`` stands for, where that is known.
    """
    asked = safe_name(name)
    names = tuple(map(safe_name, islice(known, _MOST_KEPT)))
    message = text("plugins.there_is_none", sentence=sentence)
    if names:
        facts = {"sentence": sentence, "known": ", ".join(names[:_MOST_SHOWN])}
        more = len(names) - _MOST_SHOWN
        message = (
            text("plugins.there_are_more", more=more, **facts)
            if more > 0
            else text("plugins.there_is", **facts)
        )
    # The first of two spellings that differ by case only, as it stands in the file.
    by_folded = {each.casefold(): each for each in reversed(names)}
    close = difflib.get_close_matches(asked.casefold(), by_folded, n=1)
    near = meant or (by_folded[close[0]] if close else None)
    return kind(
        message,
        name=asked,
        known=names,
        hint=text("plugins.did_you_mean", near=near) if near else hint,
    )
