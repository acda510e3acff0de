"""From installed plugins to providers, every failure kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.config.values import ConfigWarning
from bytebuddy_provider_hf.plugins.candidate import (
    Candidate,
    from_entry_points,
    from_objects,
    normalized,
)
from bytebuddy_provider_hf.plugins.conflicts import resolve_conflicts
from bytebuddy_provider_hf.plugins.failure import PluginFailure
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import LoadedPlugin, load_plugin
from bytebuddy_provider_hf.secret import one_line

BLOCK_VARIABLE: Final = "BYTEBUDDY_BLOCK"
ALLOW_VARIABLE: Final = "BYTEBUDDY_PLUGINS"

_LONGEST_WARNING: Final = 300


@frozen
class Discovery:
    """The providers found, by name; ``aliases`` leads to their names.

    ``kept_out`` names the plugins that a block or allow list left alone.
    """

    providers: Mapping[str, ProviderSpec] = field(factory=dict)
    aliases: Mapping[str, str] = field(factory=dict)
    failures: tuple[PluginFailure, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    kept_out: tuple[str, ...] = ()

    def find(self, name: str) -> ProviderSpec | None:
        """Return the provider of that name or alias, or ``None``."""
        return self.providers.get(self.aliases.get(name, name))


def discover(
    *,
    plugins: Iterable[object] | None = None,
    blocked: Iterable[str] | None = None,
    allowed: Iterable[str] | None = None,
    env: Mapping[str, str],
) -> Discovery:
    """Return every provider of the installed plugins, or of exactly ``plugins``.

    ``blocked`` and ``allowed`` name entry points or distributions. They and the
    variables ``BYTEBUDDY_BLOCK`` and ``BYTEBUDDY_PLUGINS`` only ever narrow the
    choice: a plugin is left alone, not even imported, if any list blocks it or any
    allow list lacks it. They do not touch plugins handed over as objects.
    """
    kept_out: list[str] = []
    warnings: list[ConfigWarning] = []
    failed: tuple[PluginFailure, ...] = ()
    if plugins is not None:
        candidates = from_objects(plugins)
    else:
        found, failed = from_entry_points()
        candidates = _admitted(found, kept_out, blocked, allowed, env)
        warnings += _misspelt(found, env)
    outcomes = [load_plugin(candidate) for candidate in candidates]
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
    )


def _admitted(
    found: Iterable[Candidate],
    kept_out: list[str],
    blocked: Iterable[str] | None,
    allowed: Iterable[str] | None,
    env: Mapping[str, str],
) -> tuple[Candidate, ...]:
    blocks = _names(blocked or ()) | _names(env.get(BLOCK_VARIABLE, ""))
    lists = [] if allowed is None else [_names(allowed)]
    if ALLOW_VARIABLE in env:
        lists.append(_names(env[ALLOW_VARIABLE]))
    admitted: list[Candidate] = []
    for candidate in found:
        if not candidate.is_listed(blocks) and all(map(candidate.is_listed, lists)):
            admitted.append(candidate)
        else:
            kept_out.append(candidate.name)
    return tuple(admitted)


def _misspelt(
    found: Iterable[Candidate], env: Mapping[str, str]
) -> Iterator[ConfigWarning]:
    """Yield a warning for a variable that names a plugin which is not there."""
    known = {normalized(title) for it in found for title in it.names}
    for variable in (BLOCK_VARIABLE, ALLOW_VARIABLE):
        # As they were typed: a token is known by its first letters.
        typed = filter(None, map(str.strip, env.get(variable, "").split(",")))
        if strange := [name for name in typed if normalized(name) not in known]:
            message = (
                f"No plugin installed here is named {', '.join(map(repr, strange))} "
                "(names are separated by commas)."
            )
            yield ConfigWarning(variable, one_line(message, limit=_LONGEST_WARNING))


def _names(names: Iterable[str]) -> frozenset[str]:
    each = names.split(",") if isinstance(names, str) else names
    return frozenset(normalized(name) for name in each if name.strip())
