"""Who gets a name that two plugins want."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from bytebuddy_provider_hf.contract.declaration import Declaration, refused
from bytebuddy_provider_hf.contract.failure import PluginFailure

# Loser, winner, and what both want.
_Clash: TypeAlias = tuple[Declaration, Declaration, str]


def settle(
    declarations: Iterable[Declaration],
) -> tuple[tuple[Declaration, ...], tuple[PluginFailure, ...]]:
    """Return the plugins whose names are theirs alone, and a failure for each other.

    A plugin is kept or refused whole. A name goes first to the plugin whose entry
    point has the name of its provider, then by ``tryfirst`` and ``trylast``, then in
    the order given. A provider's name outranks another's alias.
    """
    kept: Sequence[Declaration] = sorted(declarations, key=_rank)
    failures: list[PluginFailure] = []
    while clash := next(_clashes(kept), None):
        loser, winner, what = clash
        failures.append(_refusal(loser, winner, what))
        kept = [it for it in kept if it is not loser]
    return tuple(kept), tuple(failures)


def _rank(declaration: Declaration) -> tuple[bool, int]:
    return declaration.plugin not in declaration.names, declaration.order


def _clashes(kept: Sequence[Declaration]) -> Iterator[_Clash]:
    owners: dict[str, Declaration] = {}
    for each in kept:
        for name in each.names:
            owners.setdefault(name, each)
    # First, so that a plugin that loses here takes no name from another.
    for each in kept:
        for alias in each.aliases:
            if owners.get(alias, each) is not each:
                yield each, owners[alias], f"the provider name {alias}"
    yield from _shared(kept, "the entry-point name", lambda it: (it.plugin,))
    yield from _shared(kept, "the provider name", lambda it: it.names)
    yield from _shared(kept, "the alias", lambda it: it.aliases)


def _shared(
    kept: Iterable[Declaration],
    what: str,
    wanted: Callable[[Declaration], tuple[str, ...]],
) -> Iterator[_Clash]:
    owners: dict[str, Declaration] = {}
    for each in kept:
        for name in wanted(each):
            if owners.setdefault(name, each) is not each:
                yield each, owners[name], f"{what} {name}"


def _refusal(loser: Declaration, winner: Declaration, what: str) -> PluginFailure:
    one = loser.distribution or loser.plugin
    other = winner.distribution or winner.plugin
    return refused(
        loser,
        "name",
        f"Two plugins want {what}: {winner.title} keeps it, {loser.title} does not.",
        f"Remove {one} or {other}, or keep one out: BYTEBUDDY_BLOCK={one}",
    )
