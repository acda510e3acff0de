"""Define the contract of plugin and host: the markers, the hook, and its value.

Both the pluggy project and the entry-point group are the string ``"bytebuddy"``, so a
plugin needs no import from its host. This module brings in nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pluggy
from attrs import field, frozen

PROJECT: Final = "bytebuddy"

# A spec of the same or a lower version is accepted; of a higher one, refused.
SPEC_VERSION: Final = 1

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


@frozen
class ProviderSpec:
    """Declare a provider without importing it.

    ``name`` is what a configuration writes as ``provider``; ``aliases`` are other
    spellings of it. ``target`` names the factory as ``"package.module:factory"``; it
    is imported when the first entry opens. The factory is called as
    ``factory(entry, context)`` and returns a model, or an awaitable of one.
    ``roles`` are the roles it can serve at all (empty: unknown). ``options`` names
    the keys of its own that an entry may carry beyond the shared schema.
    """

    name: str
    target: str
    aliases: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    options: frozenset[str] | None = None
    spec_version: int = field(default=SPEC_VERSION, kw_only=True)


@hookspec
def bytebuddy_providers() -> Iterable[ProviderSpec]:  # type: ignore[empty-body]  # a hook specification has no body
    """Return the providers of this plugin.

    Return a tuple: a generator would run outside pluggy. Do no network and no slow
    work here; it is called at every start of a host.
    """
