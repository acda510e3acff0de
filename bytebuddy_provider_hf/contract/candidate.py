"""Where plugins are: the entry points of a group, or objects handed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import metadata

from attrs import field, frozen

from bytebuddy_provider_hf.contract.failure import PluginFailure, described
from bytebuddy_provider_hf.contract.spec import PROJECT
from bytebuddy_provider_hf.secret import one_line


@frozen
class Candidate:
    """A plugin that was found and not yet imported."""

    name: str
    distribution: str | None
    load: Callable[[], object] = field(repr=False, eq=False)

    def named_in(self, names: frozenset[str]) -> bool:
        """Tell whether ``names`` has this entry point or its distribution."""
        return normalized(self.name) in names or (
            self.distribution is not None and normalized(self.distribution) in names
        )


def normalized(name: str) -> str:
    """Return a name as packaging compares it: case and ``-_.`` make no difference."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def handed_over(plugins: Iterable[object]) -> tuple[Candidate, ...]:
    """Return candidates for plugin objects or modules, in the order given."""
    return tuple(
        Candidate(
            name=one_line(str(getattr(plugin, "__name__", type(plugin).__name__))),
            distribution=None,
            load=partial(_itself, plugin),
        )
        for plugin in plugins
    )


def _itself(plugin: object) -> object:
    return plugin


def installed() -> tuple[tuple[Candidate, ...], tuple[PluginFailure, ...]]:
    """Return the plugins installed here, sorted by name, none of them imported."""
    try:
        points = list(metadata.entry_points(group=PROJECT))
        failures: list[PluginFailure] = []
    except Exception:  # noqa: BLE001  # one distribution's broken files end the walk
        points, failures = _one_by_one()
    found = [_candidate(point) for point in points]
    found.sort(key=lambda it: (it.name, it.distribution or ""))
    return tuple(found), tuple(failures)


def _one_by_one() -> tuple[list[metadata.EntryPoint], list[PluginFailure]]:
    points: list[metadata.EntryPoint] = []
    failures: list[PluginFailure] = []
    for name, distribution in _distributions():
        try:
            points.extend(
                point for point in distribution.entry_points if point.group == PROJECT
            )
        except Exception as error:  # noqa: BLE001  # files that anyone may have written
            failures.append(
                PluginFailure(
                    plugin="(unreadable)",
                    distribution=name,
                    stage="metadata",
                    error=f"entry_points.txt cannot be read: {described(error)}",
                    hint=f"Reinstall or remove {name}.",
                )
            )
    return points, failures


def _distributions() -> Iterator[tuple[str, metadata.Distribution]]:
    # The first of a name shadows the rest, as it does for imports.
    seen: set[str] = set()
    for distribution in metadata.distributions():
        name = _name(distribution)
        if normalized(name) not in seen:
            seen.add(normalized(name))
            yield name, distribution


def _candidate(point: metadata.EntryPoint) -> Candidate:
    distribution = getattr(point, "dist", None)
    return Candidate(
        name=one_line(point.name),
        distribution=None if distribution is None else _name(distribution),
        load=point.load,
    )


def _name(distribution: metadata.Distribution) -> str:
    try:
        name = distribution.metadata["Name"]
    except Exception:  # noqa: BLE001  # METADATA may be missing or not be text
        name = None
    return one_line(name or "(nameless)")
