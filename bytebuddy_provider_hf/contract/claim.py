"""Who gets a name that two plugins want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.contract.candidate import normalized
from bytebuddy_provider_hf.contract.declaration import Declaration, refused
from bytebuddy_provider_hf.contract.failure import PluginFailure, Stage
from bytebuddy_provider_hf.contract.spec import ProviderSpec

_OWN: Final = "bytebuddy-provider-hf"


def settle(
    declarations: Iterable[Declaration],
) -> tuple[tuple[Declaration, ...], tuple[PluginFailure, ...]]:
    """Return the plugins with the names that are theirs, and a failure for each loss.

    Plugins choose in turn: first the one that comes with this registry, then those
    whose entry point has the name of their provider; then ``tryfirst`` and
    ``trylast`` decide, then the order given. Who comes too late for a provider's or
    an entry point's name is left out whole. An alias is weaker: who comes too late for
    one, or wants the name of another's provider for one, loses that alias only.
    """
    kept: list[Declaration] = []
    failures: list[PluginFailure] = []
    points: dict[str, Declaration] = {}
    names: dict[str, Declaration] = {}
    for each in sorted(declarations, key=_rank):
        if lost := _lost(each, points, names):
            failures.append(lost)
            continue
        kept.append(each)
        if each.distribution is not None:
            points[each.plugin] = each
        reserved = each.aliases if _is_own(each) else ()
        names |= dict.fromkeys((*each.names, *reserved), each)
    return tuple(_with_aliases(kept, names, failures)), tuple(failures)


def _rank(declaration: Declaration) -> tuple[bool, bool, int]:
    return (
        not _is_own(declaration),
        declaration.plugin not in declaration.names,
        declaration.order,
    )


def _is_own(declaration: Declaration) -> bool:
    return normalized(declaration.distribution or "") == _OWN


def _lost(
    each: Declaration,
    points: Mapping[str, Declaration],
    names: Mapping[str, Declaration],
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
    kept: Iterable[Declaration],
    names: Mapping[str, Declaration],
    failures: list[PluginFailure],
) -> Iterable[Declaration]:
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
        yield _without(each, frozenset(lost)) if lost else each


def _without(declaration: Declaration, lost: frozenset[str]) -> Declaration:
    def kept(provider: ProviderSpec) -> ProviderSpec:
        aliases = tuple(it for it in provider.aliases if it not in lost)
        return evolve(provider, aliases=aliases)

    return evolve(declaration, providers=tuple(map(kept, declaration.providers)))


def _refusal(
    loser: Declaration, winner: Declaration, stage: Stage, what: str
) -> PluginFailure:
    together = loser.distribution == winner.distribution
    one = loser.plugin if together else loser.distribution or loser.plugin
    other = winner.plugin if together else winner.distribution or winner.plugin
    return refused(
        loser,
        stage,
        f"Two plugins want {what}: {winner.title} keeps it, {loser.title} does not.",
        f"Remove {one} or {other}, or keep one out: BYTEBUDDY_BLOCK={one}"
        if loser.distribution is not None
        else f"Hand over only one of {one} and {other}.",
    )
