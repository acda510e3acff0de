"""Where plugins are: the entry points of a group, or objects handed over."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import metadata

from attrs import field, frozen

from bytebuddy_provider_hf.plugins.failure import FOREIGN, PluginFailure, described
from bytebuddy_provider_hf.plugins.spec import PROJECT
from bytebuddy_provider_hf.secret import one_line


@frozen
class Candidate:
    """A plugin that was found and not yet imported."""

    name: str
    distribution: str | None
    load: Callable[[], object] = field(repr=False, eq=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What a list may call it: its entry point, its distribution."""
        return (
            (self.name,)
            if self.distribution is None
            else (self.name, self.distribution)
        )

    def is_listed(self, listed: frozenset[str]) -> bool:
        """Tell whether ``listed`` has this entry point or its distribution."""
        return any(normalized(title) in listed for title in self.names)


def normalized(name: str) -> str:
    """Return a name as packaging compares it: case and ``-_.`` make no difference."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def from_objects(plugins: Iterable[object]) -> tuple[Candidate, ...]:
    """Return candidates for plugin objects or modules, in the order given."""
    return tuple(
        Candidate(
            name=one_line(_called(plugin)),
            distribution=None,
            load=partial(_itself, plugin),
        )
        for plugin in plugins
    )


def _called(plugin: object) -> str:
    try:
        return str(getattr(plugin, "__name__", type(plugin).__name__))
    except FOREIGN:  # a foreign property may run here
        return type(plugin).__name__


def _itself(plugin: object) -> object:
    return plugin


def from_entry_points() -> tuple[tuple[Candidate, ...], tuple[PluginFailure, ...]]:
    """Return the plugins installed here, sorted by name, none of them imported."""
    try:
        points = list(metadata.entry_points(group=PROJECT))
        failures: list[PluginFailure] = []
    except FOREIGN:  # one distribution's broken files end the walk
        points, failures = _one_by_one()
    found = [_candidate(point) for point in points]
    found.sort(key=lambda it: (it.name, it.distribution or ""))
    return tuple(found), tuple(failures)


def _one_by_one() -> tuple[list[metadata.EntryPoint], list[PluginFailure]]:
    points: list[metadata.EntryPoint] = []
    failures: list[PluginFailure] = []
    for name, distribution in _distributions(failures):
        try:
            points.extend(
                point for point in distribution.entry_points if point.group == PROJECT
            )
        except FOREIGN as error:  # files that anyone may have written
            why = f"entry_points.txt cannot be read: {described(error)}"
            failures.append(_unreadable(name, why, f"Reinstall or remove {name}."))
    return points, failures


def _distributions(
    failures: list[PluginFailure],
) -> Iterator[tuple[str, metadata.Distribution]]:
    # The first of a name shadows the rest, as it does for imports.
    seen: set[str] = set()
    for distribution in _listed(failures):
        name = _name(distribution)
        if normalized(name) not in seen:
            seen.add(normalized(name))
            yield name, distribution


def _listed(failures: list[PluginFailure]) -> Iterator[metadata.Distribution]:
    """Yield what each import finder lists; one that fails is added to ``failures``."""
    context = metadata.DistributionFinder.Context()
    for finder in sys.meta_path:
        try:
            find = getattr(finder, "find_distributions", None)
            found = [] if find is None else list(find(context))
        except FOREIGN as error:  # anyone may hook into imports
            why = f"An import finder lists no distributions: {described(error)}"
            hint = f"Look for {one_line(_called(finder))} in sys.meta_path."
            failures.append(_unreadable(None, why, hint))
        else:
            yield from found


def _unreadable(distribution: str | None, error: str, hint: str) -> PluginFailure:
    return PluginFailure(
        plugin="(unreadable)",
        distribution=distribution,
        stage="metadata",
        error=error,
        hint=hint,
    )


def _candidate(point: metadata.EntryPoint) -> Candidate:
    distribution = getattr(point, "dist", None)
    return Candidate(
        name=one_line(point.name),
        distribution=None if distribution is None else _name(distribution),
        load=partial(_loaded, point),
    )


def _loaded(point: metadata.EntryPoint) -> object:
    if point.pattern.match(point.value) is None:
        message = f"its entry point {point.value!r} is no module"
        raise ValueError(message)
    return point.load()


def _name(distribution: metadata.Distribution) -> str:
    try:
        name = distribution.metadata["Name"]
    except FOREIGN:  # METADATA may be missing or not be text
        name = None
    return one_line(name or "(nameless)")
