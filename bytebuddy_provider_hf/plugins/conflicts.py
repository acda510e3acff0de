"""Who gets a name that two plugins want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.plugins.candidate import normalized
from bytebuddy_provider_hf.plugins.failure import PluginFailure, Stage
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import LoadedPlugin, plugin_failure

_OWN: Final = "bytebuddy-provider-hf"


def resolve_conflicts(
    plugins: Iterable[LoadedPlugin],
) -> tuple[tuple[LoadedPlugin, ...], tuple[PluginFailure, ...]]:
    """Return the plugins with the names that are theirs, and a failure for each loss.

    Plugins choose in turn: first the one that comes with this registry, then those
    whose entry point has the name of their provider; then ``tryfirst`` and
    ``trylast`` decide, then the order given. Who comes too late for a provider's or
    an entry point's name is left out whole. An alias is weaker: who comes too late for
    one, or wants the name of another's provider for one, loses that alias only.
    """
    kept: list[LoadedPlugin] = []
    failures: list[PluginFailure] = []
    points: dict[str, LoadedPlugin] = {}
    names: dict[str, LoadedPlugin] = {}
    for each in sorted(plugins, key=_rank):
        if lost := _conflict_failure(each, points, names):
            failures.append(lost)
            continue
        kept.append(each)
        if each.distribution is not None:
            points[each.plugin] = each
        reserved = each.aliases if _is_own(each) else ()
        names |= dict.fromkeys((*each.names, *reserved), each)
    return tuple(_with_aliases(kept, names, failures)), tuple(failures)


def _rank(plugin: LoadedPlugin) -> tuple[bool, bool, int]:
    return (
        not _is_own(plugin),
        plugin.plugin not in plugin.names,
        plugin.order,
    )


def _is_own(plugin: LoadedPlugin) -> bool:
    return normalized(plugin.distribution or "") == _OWN


def _conflict_failure(
    each: LoadedPlugin,
    points: Mapping[str, LoadedPlugin],
    names: Mapping[str, LoadedPlugin],
) -> PluginFailure | None:
    """Return the failure of a plugin whose name is taken, or ``None``."""
    if each.distribution is not None and each.plugin in points:
        what = f"the entry-point name {each.plugin}"
        return _refusal(each, points[each.plugin], "name", what)
    taken = next((name for name in each.names if name in names), None)
    if taken is None:
        return None
    return _refusal(each, names[taken], "name", f"the provider name {taken}")


def _with_aliases(
    kept: Iterable[LoadedPlugin],
    names: Mapping[str, LoadedPlugin],
    failures: list[PluginFailure],
) -> Iterable[LoadedPlugin]:
    """Yield each plugin with the aliases it gets, and add a failure for the others."""
    owners = dict(names)
    for each in kept:
        lost: list[str] = []
        for alias in each.aliases:
            owner = owners.setdefault(alias, each)
            if owner is not each:
                lost.append(alias)
                what = f"the {'provider name' if alias in names else 'alias'} {alias}"
                failures.append(_refusal(each, owner, "alias", what))
        yield _without_aliases(each, frozenset(lost)) if lost else each


def _without_aliases(plugin: LoadedPlugin, lost: frozenset[str]) -> LoadedPlugin:
    def kept(provider: ProviderSpec) -> ProviderSpec:
        aliases = tuple(it for it in provider.aliases if it not in lost)
        return evolve(provider, aliases=aliases)

    return evolve(plugin, providers=tuple(map(kept, plugin.providers)))


def _refusal(
    loser: LoadedPlugin, winner: LoadedPlugin, stage: Stage, what: str
) -> PluginFailure:
    together = loser.distribution == winner.distribution
    one = loser.plugin if together else loser.distribution or loser.plugin
    other = winner.plugin if together else winner.distribution or winner.plugin
    return plugin_failure(
        loser,
        stage,
        f"Two plugins want {what}: {winner.title} keeps it, {loser.title} does not.",
        f"Remove {one} or {other}, or keep one out: BYTEBUDDY_BLOCK={one}"
        if loser.distribution is not None
        else f"Hand over only one of {one} and {other}.",
    )
