"""Find plugins and settle their names: installed ones, or objects handed over.

Whatever is wrong with one plugin is a ``PluginFailure`` of its own and stops no other.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib import metadata
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.config.values import ConfigWarning
from bytebuddy_provider_hf.plugins.spec import PROJECT, ProviderSpec
from bytebuddy_provider_hf.plugins.validation import (
    FOREIGN,
    Candidate,
    LoadedPlugin,
    PluginFailure,
    Stage,
    described,
    load_plugin,
    normalized,
    plugin_failure,
    titled,
)
from bytebuddy_provider_hf.plugins.watched_import import (
    DEFAULT_TIMEOUT,
    LONGEST_TIMEOUT,
    TIMEOUT_VARIABLE,
    ImportHangs,
    ImportWatch,
)
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text

BLOCK_VARIABLE: Final = "BYTEBUDDY_BLOCK"
ALLOW_VARIABLE: Final = "BYTEBUDDY_PLUGINS"

_OWN: Final = "bytebuddy-provider-hf"
_LONGEST_WARNING: Final = 300
_LONGEST_NUMBER: Final = 40


@frozen
class Discovery:
    """The providers found, by name; ``aliases`` leads to their names.

    ``kept_out`` names the plugins that a block or allow list left alone.
    ``distributions`` names the package that brought a provider, where one did.
    ``import_timeout`` is for what is imported later: seconds.
    """

    providers: Mapping[str, ProviderSpec] = field(factory=dict)
    aliases: Mapping[str, str] = field(factory=dict)
    failures: tuple[PluginFailure, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    kept_out: tuple[str, ...] = ()
    distributions: Mapping[str, str] = field(factory=dict)
    import_timeout: float = DEFAULT_TIMEOUT

    def find(self, name: str) -> ProviderSpec | None:
        """Return the provider of that name or alias, or ``None``."""
        return self.providers.get(self.aliases.get(name, name))


def discover(
    *,
    plugins: Iterable[object] | None = None,
    blocked: Iterable[str] | None = None,
    allowed: Iterable[str] | None = None,
    import_timeout: float | None = None,
    env: Mapping[str, str],
) -> Discovery:
    """Return every provider of the installed plugins, or of exactly ``plugins``.

    ``blocked`` and ``allowed`` name entry points or distributions. They and the
    variables ``BYTEBUDDY_BLOCK`` and ``BYTEBUDDY_PLUGINS`` only ever narrow the
    choice: a plugin is left alone, not even imported, if any list blocks it or any
    allow list lacks it. They do not touch plugins handed over as objects.

    A plugin of another package is imported in a thread of its own, and left out where
    that takes more than ``import_timeout`` seconds: those of the variable
    ``BYTEBUDDY_PLUGIN_TIMEOUT``, else 10.
    """
    kept_out: list[str] = []
    warnings: list[ConfigWarning] = []
    seconds, wrong = _import_timeout(import_timeout, env)
    warnings += wrong
    failed: tuple[PluginFailure, ...] = ()
    if plugins is not None:
        # An object is its own code: nothing is left to import.
        candidates = tuple(
            Candidate(one_line(_called(it)), None, partial(lambda it: it, it))
            for it in plugins
        )
    else:
        found, failed = from_entry_points()
        blocks = _listed_names(blocked or (), env.get(BLOCK_VARIABLE, ""))
        lists = [] if allowed is None else [_listed_names(allowed)]
        if ALLOW_VARIABLE in env:
            lists.append(_listed_names(env[ALLOW_VARIABLE]))
        candidates = tuple(
            it
            for it in found
            if not it.is_listed(blocks) and all(map(it.is_listed, lists))
        )
        kept_out = [it.name for it in found if it not in candidates]
        warnings += _misspelt(found, env)
    outcomes = [_load(candidate, seconds) for candidate in candidates]
    kept, clashes = resolve_conflicts(
        it for it in outcomes if isinstance(it, LoadedPlugin)
    )
    refusals = tuple(it for it in outcomes if isinstance(it, PluginFailure))
    providers = [provider for each in kept for provider in each.providers]
    return Discovery(
        providers={each.name: each for each in providers},
        aliases={alias: each.name for each in providers for alias in each.aliases},
        failures=(*failed, *refusals, *clashes),
        warnings=(
            *warnings,
            *(
                ConfigWarning(place=each.title, message=each.pending)
                for each in kept
                if each.pending is not None
            ),
        ),
        kept_out=tuple(kept_out),
        distributions={
            name: each.distribution
            for each in kept
            for name in each.names
            if each.distribution is not None
        },
        import_timeout=seconds,
    )


def _import_timeout(
    given: float | None, env: Mapping[str, str]
) -> tuple[float, list[ConfigWarning]]:
    """Return the seconds that an import may take, and a warning for a bad variable."""
    written = env.get(TIMEOUT_VARIABLE, "").strip()
    seconds, warnings = given, list[ConfigWarning]()
    if seconds is None and written:
        try:
            seconds = float(written)
        except ValueError:
            seconds = None
        if seconds is None or not 0 < seconds < math.inf:
            value = one_line(written, limit=_LONGEST_NUMBER)
            said = text("plugins.bad_timeout", value=value, seconds=DEFAULT_TIMEOUT)
            warnings.append(ConfigWarning(TIMEOUT_VARIABLE, said))
            seconds = None
    return min(seconds or DEFAULT_TIMEOUT, LONGEST_TIMEOUT), warnings


def _load(candidate: Candidate, seconds: float) -> LoadedPlugin | PluginFailure:
    """Load a plugin, or tell that it did not come to an end."""
    # Ours is known not to hang, and an object that is handed over is imported.
    if candidate.distribution is None or normalized(candidate.distribution) == _OWN:
        return load_plugin(candidate)
    watch = ImportWatch(lambda: titled(candidate.name, candidate.distribution), seconds)
    try:
        return watch.run(lambda: load_plugin(candidate))
    except ImportHangs as error:
        return plugin_failure(candidate, "import", error.reason)


def _listed_names(*lists: Iterable[str]) -> frozenset[str]:
    """Return the names of lists, each a text with commas or texts one by one."""
    names = (
        it
        for each in lists
        for it in (each.split(",") if isinstance(each, str) else each)
    )
    return frozenset(normalized(name) for name in names if name.strip())


def _misspelt(
    found: Iterable[Candidate], env: Mapping[str, str]
) -> Iterator[ConfigWarning]:
    """Yield a warning for a variable that names a plugin which is not there."""
    known = {normalized(title) for it in found for title in it.names}
    for variable in (BLOCK_VARIABLE, ALLOW_VARIABLE):
        # As they were typed: a token is known by its first letters.
        typed = filter(None, map(str.strip, env.get(variable, "").split(",")))
        if strange := [name for name in typed if normalized(name) not in known]:
            names = ", ".join(map(repr, strange))
            message = text("plugins.none_is_named", names=names)
            yield ConfigWarning(variable, one_line(message, limit=_LONGEST_WARNING))


def from_entry_points() -> tuple[tuple[Candidate, ...], tuple[PluginFailure, ...]]:
    """Return the plugins installed here, sorted by name, none of them imported."""
    failures: list[PluginFailure] = []
    try:
        points = list(metadata.entry_points(group=PROJECT))
    except FOREIGN:  # one distribution's broken files end the walk
        points = list(_one_by_one(failures))
    found = []
    for point in points:
        home = getattr(point, "dist", None)
        distribution = None if home is None else _name(home)
        name = one_line(point.name)
        found.append(Candidate(name, distribution, partial(_loaded, point)))
    # Installers write in any order, and names are settled in this one.
    found.sort(key=lambda it: (it.name, it.distribution or ""))
    return tuple(found), tuple(failures)


def _one_by_one(failures: list[PluginFailure]) -> Iterator[metadata.EntryPoint]:
    """Yield every entry point that can be read, and add a failure for the rest."""

    def add(distribution: str | None, error: str, hint: str) -> None:
        failures.append(
            PluginFailure("(unreadable)", distribution, "metadata", error, hint)
        )

    # The first of a name shadows the rest, as it does for imports.
    seen: set[str] = set()
    context = metadata.DistributionFinder.Context()
    for finder in sys.meta_path:
        try:
            find = getattr(finder, "find_distributions", None)
            found = [] if find is None else list(find(context))
        except FOREIGN as error:  # anyone may hook into imports
            add(
                None,
                text("plugins.finder", error=described(error)),
                text("plugins.look_for_finder", finder=one_line(_called(finder))),
            )
            continue
        for distribution in found:
            name = _name(distribution)
            if normalized(name) in seen:
                continue
            seen.add(normalized(name))
            try:
                points = list(distribution.entry_points)
            except FOREIGN as error:  # files that anyone may have written
                why = text("plugins.entry_points", error=described(error))
                add(name, why, text("plugins.reinstall", distribution=name))
            else:
                yield from (point for point in points if point.group == PROJECT)


def _loaded(point: metadata.EntryPoint) -> object:
    # Without this, importlib answers a malformed value with an AttributeError of None.
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


def _called(plugin: object) -> str:
    try:
        return str(getattr(plugin, "__name__", type(plugin).__name__))
    except FOREIGN:  # a foreign property may run here
        return type(plugin).__name__


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
    ranked = sorted(
        plugins,
        key=lambda it: (not _is_own(it), it.plugin not in it.names, it.order),
    )
    for each in ranked:
        taken = next((name for name in each.names if name in names), None)
        if each.distribution is not None and each.plugin in points:
            what = text("plugins.entry_point_name", name=each.plugin)
            failures.append(_refusal(each, points[each.plugin], "name", what))
            continue
        if taken is not None:
            what = text("plugins.provider_name", name=taken)
            failures.append(_refusal(each, names[taken], "name", what))
            continue
        kept.append(each)
        if each.distribution is not None:
            points[each.plugin] = each
        # Nobody takes the other spellings of our own provider.
        reserved = each.aliases if _is_own(each) else ()
        names |= dict.fromkeys((*each.names, *reserved), each)
    return tuple(_with_aliases(kept, names, failures)), tuple(failures)


def _is_own(plugin: LoadedPlugin) -> bool:
    return normalized(plugin.distribution or "") == _OWN


def _with_aliases(
    kept: Iterable[LoadedPlugin],
    names: Mapping[str, LoadedPlugin],
    failures: list[PluginFailure],
) -> Iterable[LoadedPlugin]:
    """Yield each plugin with the aliases it gets, and add a failure for the others."""
    # Providers' names outrank aliases, whatever the order.
    owners = dict(names)
    for each in kept:
        lost: set[str] = set()
        for alias in each.aliases:
            owner = owners.setdefault(alias, each)
            if owner is not each:
                lost.add(alias)
                what = text(
                    "plugins.provider_name" if alias in names else "plugins.alias",
                    name=alias,
                )
                failures.append(_refusal(each, owner, "alias", what))
        providers = tuple(
            evolve(it, aliases=tuple(name for name in it.aliases if name not in lost))
            for it in each.providers
        )
        yield evolve(each, providers=providers)


def _refusal(
    loser: LoadedPlugin, winner: LoadedPlugin, stage: Stage, what: str
) -> PluginFailure:
    together = loser.distribution == winner.distribution
    one = loser.plugin if together else loser.distribution or loser.plugin
    other = winner.plugin if together else winner.distribution or winner.plugin
    return plugin_failure(
        loser,
        stage,
        text("plugins.clash", what=what, winner=winner.title, loser=loser.title),
        text(
            "plugins.hand_over_one"
            if loser.distribution is None
            else "plugins.remove_or_block",
            one=one,
            other=other,
        ),
    )
