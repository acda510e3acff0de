"""Load one plugin: its hook called, its values checked, its failure kept apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import reduce
from itertools import islice
from typing import Final, Literal, TypeAlias, TypeGuard, cast

import pluggy
from attrs import field, frozen

from bytebuddy_provider_hf.plugins import spec
from bytebuddy_provider_hf.plugins.spec import SPEC_VERSION, ProviderSpec
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import LocalizedText, text

Stage: TypeAlias = Literal[
    "metadata", "import", "register", "hook", "version", "value", "name", "alias"
]

HOOK: Final = spec.bytebuddy_providers.__name__
# What foreign code raises and a host should outlive, where nothing odder is likely.
FOREIGN: Final = (Exception, SystemExit)

# A plugin is foreign code: it may return a megabyte, or values without end.
_MOST_PROVIDERS: Final = 1_000
_MOST_ALIASES: Final = 100
_MOST_TEXTS: Final = 1_000
_LONGEST_TEXT: Final = 500
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TARGET: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@frozen
class PluginFailure:
    """Tell which plugin was left out, at what stage, why, and what to do.

    At the stage ``alias`` the plugin stays and only loses that alias.
    ``distribution`` is ``None`` for a plugin handed over as an object. ``error`` and
    ``hint`` are one redacted line each.
    """

    plugin: str
    distribution: str | None
    stage: Stage
    error: str
    hint: str

    @property
    def left_out(self) -> bool:
        """Tell whether the plugin is not in use at all."""
        return self.stage != "alias"

    @property
    def said(self) -> LocalizedText:
        """The whole failure in a line, for people."""
        # What foreign code raised may end in a full stop, in several, or in none.
        error, bare = self.error, self.error.rstrip(".")
        if error != f"{bare}.":
            error = text("plugins.sentence", said=error if error == bare else bare)
        return text(
            "plugins.left_out" if self.left_out else "plugins.lost_a_name",
            plugin=titled(self.plugin, self.distribution),
            stage=self.stage,
            error=error,
            hint=self.hint,
        )

    def __str__(self) -> str:
        return str(self.said)


def titled(plugin: str, distribution: str | None) -> LocalizedText:
    """Return how a message names a plugin."""
    if distribution is None:
        return text("plugins.titled", plugin=plugin)
    return text("plugins.titled_of", plugin=plugin, distribution=distribution)


def both(first: str, second: str) -> LocalizedText:
    """Return two reasons as one."""
    return text("plugins.both", first=first, second=second)


def described(error: BaseException) -> str:
    """Return the type and text of a foreign error as one redacted line."""
    return one_line(unredacted(error))


def unredacted(error: BaseException) -> str:
    """Return the type and text of a foreign error as they are."""
    kind = type(error).__name__
    try:
        said = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # a foreign class's __str__ runs here
        said = ""
    return f"{kind}: {said}" if said else kind


@frozen
class Candidate:
    """A plugin that was found and not yet imported."""

    name: str
    distribution: str | None
    load: Callable[[], object] = field(repr=False, eq=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What a list may call it: its entry point, its distribution."""
        return (self.name, self.distribution) if self.distribution else (self.name,)

    def is_listed(self, listed: frozenset[str]) -> bool:
        """Tell whether ``listed`` has this entry point or its distribution."""
        return any(normalized(title) in listed for title in self.names)


def normalized(name: str) -> str:
    """Return a name as packaging compares it: case and ``-_.`` make no difference."""
    # https://packaging.python.org/en/latest/specifications/name-normalization/
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@frozen
class LoadedPlugin:
    """The providers of one plugin, checked one by one but not yet against others.

    ``order`` is -1 for a hook marked ``tryfirst``, 1 for ``trylast``, else 0.
    ``pending`` tells of a hook that this host does not know.
    """

    plugin: str
    distribution: str | None
    providers: tuple[ProviderSpec, ...]
    order: int = 0
    pending: str | None = None

    @property
    def title(self) -> LocalizedText:
        """How a message names the plugin."""
        return titled(self.plugin, self.distribution)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the providers."""
        return tuple(provider.name for provider in self.providers)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every other spelling, of all the providers."""
        return tuple(alias for each in self.providers for alias in each.aliases)


def load_plugin(candidate: Candidate) -> LoadedPlugin | PluginFailure:
    """Import a plugin and read what it declares, or tell why that cannot be.

    Nothing a plugin raises leaves this function, ``SystemExit`` included; only
    ``KeyboardInterrupt`` does, for it is the user's.
    """
    stage: Stage = "import"
    try:
        plugin = candidate.load()
        stage = "register"
        # One manager a plugin: pluggy validates, and no plugin's wrapper or error can
        # reach what another one returns.
        hooks = pluggy.PluginManager(spec.PROJECT)
        hooks.add_hookspecs(spec)
        hooks.register(plugin, candidate.name)
        stage = "hook"
        # pluggy cannot type a hook's call; this is the one place that makes it.
        results = cast("list[object]", hooks.hook.bytebuddy_providers())
        values: list[object] = []
        for result in results:
            if isinstance(result, Iterable) and not isinstance(result, str | Mapping):
                values.extend(islice(result, _MOST_PROVIDERS + 1))
            else:
                values.append(result)
            if isinstance(result, Coroutine):
                result.close()  # or Python complains that nobody awaited it
        stage = "value"
        # Of a hook that returned nothing pluggy gives no result at all.
        return _checked(candidate, hooks, values if results else None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # foreign code may raise anything
        return plugin_failure(candidate, stage, described(error))


def plugin_failure(
    candidate: Candidate | LoadedPlugin, stage: Stage, error: str, hint: str = ""
) -> PluginFailure:
    """Return the record of a plugin that is left out."""
    name = candidate.plugin if isinstance(candidate, LoadedPlugin) else candidate.name
    where = candidate.distribution
    if where is None:
        # The lists do not touch a plugin that the host hands over.
        hint = hint or text("plugins.mend", plugin=name)
    return PluginFailure(
        plugin=name,
        distribution=where,
        stage=stage,
        error=one_line(error),
        hint=hint or text("plugins.update_or_block", distribution=where),
    )


def _checked(
    candidate: Candidate, manager: pluggy.PluginManager, given: list[object] | None
) -> LoadedPlugin | PluginFailure:
    pending = None
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        # A hook of a newer host, perhaps: a reason for a warning only.
        pending = one_line(text("plugins.unknown_hook", error=error))
    impls = manager.hook.bytebuddy_providers.get_hookimpls()
    if given is None and impls:
        why = text("plugins.hook_gave_nothing", hook=HOOK)
        return plugin_failure(candidate, "hook", why)
    if given is None and pending is None:
        why = text("plugins.no_hook", hook=HOOK)
        return plugin_failure(candidate, "hook", why)
    values = given or []
    if len(values) > _MOST_PROVIDERS:
        why = text("plugins.too_many_values", hook=HOOK)
        return plugin_failure(candidate, "value", why)
    for value in values:
        # First of all: fields of a later version may look wrong to this one.
        version = getattr(value, "spec_version", None)
        if isinstance(version, int) and version > SPEC_VERSION:
            why = text("plugins.newer_version", version=version, known=SPEC_VERSION)
            hint = text("plugins.update_host")
            return plugin_failure(candidate, "version", why, hint)
    problem = next(filter(None, map(_problem, values)), None)
    if problem is not None:
        return plugin_failure(candidate, "value", problem)
    # Not read unless all is well: a value that is wrong may not even be copied.
    providers = tuple(map(_copied, cast("list[ProviderSpec]", values)))
    seen: set[str] = set()
    for name in (n for each in providers for n in (each.name, *each.aliases)):
        if name in seen:
            why = text("plugins.name_twice", name=name)
            return plugin_failure(candidate, "value", why)
        seen.add(name)
    return LoadedPlugin(
        plugin=candidate.name,
        distribution=candidate.distribution,
        providers=providers,
        order=min((impl.trylast - impl.tryfirst for impl in impls), default=0),
        pending=pending,
    )


def _problem(value: object) -> str | None:
    """Return what is wrong with one value of the hook, or ``None``."""

    def shown(value: object) -> str:
        return one_line(repr(value) if isinstance(value, str) else type(value).__name__)

    if not isinstance(value, ProviderSpec):
        return text("plugins.no_spec", hook=HOOK, value=shown(value))
    # Whatever the class declares, foreign code may have put anything there.
    aliases, version = cast(
        "tuple[object, object]", (value.aliases, value.spec_version)
    )
    fits = {
        "name": _is_name(value.name),
        "target": _is_short(value.target)
        and _TARGET.fullmatch(value.target) is not None,
        "aliases": isinstance(aliases, tuple)
        and len(aliases) <= _MOST_ALIASES
        and all(map(_is_name, aliases)),
        "roles": _are_texts(value.roles),
        "options": value.options is None or _are_texts(value.options),
        # True is an int to Python, and no version.
        "spec_version": isinstance(version, int)
        and not isinstance(version, bool)
        and version > 0,
    }
    # Every start of a host comes here: without a fault no table of texts is read.
    if all(fits.values()):
        return None
    expected = {
        "name": text("plugins.spec_name"),
        "target": text("plugins.spec_target"),
        "aliases": text("plugins.spec_aliases"),
        "roles": text("plugins.spec_roles"),
        "options": text("plugins.spec_options"),
        "spec_version": text("plugins.spec_version"),
    }
    wrong = (
        text(
            "plugins.bad_field",
            field=name,
            value=shown(getattr(value, name)),
            expected=expected[name],
        )
        for name, fit in fits.items()
        if not fit
    )
    return text("plugins.bad_spec", wrong=reduce(both, wrong))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_short(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _are_texts(value: object) -> bool:
    if not isinstance(value, frozenset) or len(value) > _MOST_TEXTS:
        return False
    return all(map(_is_short, value))


def _copied(value: ProviderSpec) -> ProviderSpec:
    """Return the same in plain values: a subclass may run code wherever it is read."""
    plain = str.__str__
    # str() of a subclass would call its own code.
    options = value.options
    return ProviderSpec(
        name=plain(value.name),
        target=plain(value.target),
        aliases=tuple(map(plain, value.aliases)),
        roles=frozenset(map(plain, value.roles)),
        options=None if options is None else frozenset(map(plain, options)),
        spec_version=int(value.spec_version),
    )
