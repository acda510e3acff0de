"""What a plugin declares: its hook called, and the values checked."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable, Mapping
from itertools import islice
from typing import Final, TypeGuard, cast

import pluggy
from attrs import frozen

from bytebuddy_provider_hf.plugins import spec
from bytebuddy_provider_hf.plugins.candidate import Candidate
from bytebuddy_provider_hf.plugins.failure import (
    PluginFailure,
    Stage,
    described,
    titled,
)
from bytebuddy_provider_hf.plugins.spec import SPEC_VERSION, ProviderSpec
from bytebuddy_provider_hf.secret import one_line

HOOK: Final = spec.bytebuddy_providers.__name__

_MOST_PROVIDERS: Final = 1_000
_MOST_ALIASES: Final = 100
_MOST_TEXTS: Final = 1_000
_LONGEST_TEXT: Final = 500
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TARGET: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NEWER: Final = "Update the host: the package bytebuddy-provider-hf."


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
    def title(self) -> str:
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
        hooks = _registered(plugin, candidate.name)
        stage = "hook"
        values = _values(hooks)
        stage = "value"
        return _checked(candidate, hooks, values)
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
        hint = hint or f"Mend {name}, or do not hand it over."
    return PluginFailure(
        plugin=name,
        distribution=where,
        stage=stage,
        error=one_line(error),
        hint=hint
        or f"Update or remove {where}, or keep it out: BYTEBUDDY_BLOCK={where}",
    )


def _registered(plugin: object, name: str) -> pluggy.PluginManager:
    # One manager a plugin: pluggy validates, and no plugin's wrapper or error can
    # reach what another one returns.
    manager = pluggy.PluginManager(spec.PROJECT)
    manager.add_hookspecs(spec)
    manager.register(plugin, name)
    return manager


def _values(manager: pluggy.PluginManager) -> list[object] | None:
    """Return what the hook gave, or ``None`` if it gave nothing (pluggy drops it)."""
    # pluggy cannot type a hook's call; this is the one place that makes it.
    results = cast("list[object]", manager.hook.bytebuddy_providers())
    values: list[object] = []
    for result in results:
        if isinstance(result, Iterable) and not isinstance(result, str | Mapping):
            values.extend(islice(result, _MOST_PROVIDERS + 1))
        else:
            values.append(result)
        if isinstance(result, Coroutine):
            result.close()  # or Python complains that nobody awaited it
    return values if results else None


def _checked(
    candidate: Candidate, manager: pluggy.PluginManager, given: list[object] | None
) -> LoadedPlugin | PluginFailure:
    pending = _pending(manager)
    if given is None and manager.hook.bytebuddy_providers.get_hookimpls():
        return plugin_failure(candidate, "hook", f"{HOOK} returned nothing.")
    if given is None and pending is None:
        return plugin_failure(
            candidate, "hook", f"It implements no hook: {HOOK} is missing."
        )
    values = given or []
    if len(values) > _MOST_PROVIDERS:
        return plugin_failure(
            candidate, "value", f"{HOOK} returned more than 1,000 values."
        )
    if newer := _newer(values):
        return plugin_failure(candidate, "version", newer, _NEWER)
    problem = next(filter(None, map(_problem, values)), None)
    # Not read unless all is well: a value that is wrong may not even be copied.
    providers = (
        () if problem else tuple(map(_copied, cast("list[ProviderSpec]", values)))
    )
    problem = problem or _repeated(providers)
    if problem is not None:
        return plugin_failure(candidate, "value", problem)
    return LoadedPlugin(
        plugin=candidate.name,
        distribution=candidate.distribution,
        providers=providers,
        order=_order(manager),
        pending=pending,
    )


def _pending(manager: pluggy.PluginManager) -> str | None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        return one_line(f"A hook of it is not known here: {error}")
    return None


def _order(manager: pluggy.PluginManager) -> int:
    impls = manager.hook.bytebuddy_providers.get_hookimpls()
    return min((impl.trylast - impl.tryfirst for impl in impls), default=0)


def _newer(values: Iterable[object]) -> str | None:
    for value in values:
        version = getattr(value, "spec_version", None)
        if isinstance(version, int) and version > SPEC_VERSION:
            return (
                f"It was written for version {version} of the contract; "
                f"this host knows {SPEC_VERSION}."
            )
    return None


def _problem(value: object) -> str | None:
    """Return what is wrong with one value of the hook, or ``None``."""
    if not isinstance(value, ProviderSpec):
        return f"{HOOK} returned {_shown(value)} where a ProviderSpec belongs."
    wrong = [
        f"{name} is {_shown(getattr(value, name))}, not {expected}"
        for name, expected, fits in (
            ("name", "a name of letters, digits and ._-", _is_name(value.name)),
            ("target", '"package.module:factory"', _is_target(value.target)),
            ("aliases", "a tuple of up to 100 names", _are_names(value.aliases)),
            ("roles", "a frozenset of short texts", _are_texts(value.roles)),
            (
                "options",
                "a frozenset of short texts or None",
                value.options is None or _are_texts(value.options),
            ),
            ("spec_version", "a whole number from 1", _is_version(value.spec_version)),
        )
        if not fits
    ]
    return f"In a ProviderSpec, {'; '.join(wrong)}." if wrong else None


def _copied(value: ProviderSpec) -> ProviderSpec:
    """Return the same in plain values: a subclass may run code wherever it is read."""
    return ProviderSpec(
        name=_plain(value.name),
        target=_plain(value.target),
        aliases=tuple(map(_plain, value.aliases)),
        roles=frozenset(map(_plain, value.roles)),
        options=None
        if value.options is None
        else frozenset(map(_plain, value.options)),
        spec_version=int(value.spec_version),
    )


def _plain(text: str) -> str:
    return str.__str__(text)


def _shown(value: object) -> str:
    return one_line(repr(value) if isinstance(value, str) else type(value).__name__)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_target(value: object) -> bool:
    return _is_short(value) and _TARGET.fullmatch(value) is not None


def _are_names(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > _MOST_ALIASES:
        return False
    return all(map(_is_name, value))


def _are_texts(value: object) -> bool:
    if not isinstance(value, frozenset) or len(value) > _MOST_TEXTS:
        return False
    return all(map(_is_short, value))


def _is_short(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_version(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _repeated(providers: Iterable[ProviderSpec]) -> str | None:
    seen: set[str] = set()
    for provider in providers:
        for name in (provider.name, *provider.aliases):
            if name in seen:
                return f"It declares the name {name} twice."
            seen.add(name)
    return None
