"""Check what entries name as their fallbacks: which of them may answer, and which not.

A project's file may not leave the origin of its entry, trusted or not, nor spend what
an entry of the user's says who pays; and no entry that the user wrote falls back to one
that came with somebody else's code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.address import OWNED_ID_AND_SUFFIX
from bytebuddy_provider_hf.config.kinds import nearest_word
from bytebuddy_provider_hf.config.trust import leaves_origin, project_of
from bytebuddy_provider_hf.config.values import ConfigWarning, ModelEntry
from bytebuddy_provider_hf.config.variables import says_who_pays
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import DEFAULT_ROLES, Role

# Each is asked in turn while somebody waits; a stranger's file may name any number.
MOST_FALLBACKS: Final = 10
_LONGEST_NAME: Final = 100
# Looking for the nearest of a thousand names takes milliseconds.
_MOST_SUGGESTIONS: Final = 20


def with_fallbacks(
    entries: Mapping[str, ModelEntry],
) -> tuple[tuple[ModelEntry, ...], tuple[ConfigWarning, ...]]:
    """Return the entries with the fallbacks that may be asked, and what is wrong."""
    kept: dict[str, ModelEntry] = {}
    warnings: list[ConfigWarning] = []
    unknown = 0
    for entry in entries.values():
        place, asked = str(entry.source), _shown(entry.name)
        names = tuple(dict.fromkeys(entry.fallbacks))
        found: list[str] = []
        for name in names[:MOST_FALLBACKS]:
            target = entries.get(name)
            near = None
            if target is None and unknown < _MOST_SUGGESTIONS:
                unknown += 1
                near = nearest_word(name, entries)
            why = _why_ignored(entry, name, target, near)
            if why is None and target is not None:
                found.append(name)
                warnings += (
                    ConfigWarning(place, told, is_problem=True)
                    for told in _unfit_for(entry, target)
                )
                continue
            told = text(
                "fallbacks.ignored", entry=asked, fallback=_shown(name), why=why
            )
            # What trust takes away is no mistake of the file's.
            mistaken = target is None or target is entry
            warnings.append(ConfigWarning(place, told, is_problem=mistaken))
        if len(names) > MOST_FALLBACKS:
            told = text("fallbacks.too_many", entry=asked, most=MOST_FALLBACKS)
            warnings.append(ConfigWarning(place, told))
        kept[entry.name] = evolve(entry, fallbacks=tuple(found))
    warnings += circles(kept)
    return tuple(kept.values()), tuple(warnings)


def vectors_compare(entry: ModelEntry, other: ModelEntry) -> bool:
    """Return whether vectors of one may stand beside vectors of the other.

    Two models of one width give numbers that look alike and mean nothing to each other
    (openclaw/openclaw#96534); so do two prefixes.
    """
    mine, theirs = entry.embed_options, other.embed_options
    prefixes = None if mine is None else mine.embedding_prefixes
    others = None if theirs is None else theirs.embedding_prefixes
    same = prefixes == others
    return same and same_model(entry.model, other.model)


def same_model(model: str, other: str) -> bool:
    """Return whether two ids name one model, whoever of the router's serves it."""
    mine = OWNED_ID_AND_SUFFIX.fullmatch(model)
    theirs = OWNED_ID_AND_SUFFIX.fullmatch(other)
    if mine is None or theirs is None:
        return model == other
    return mine[1] == theirs[1]


def _why_ignored(
    entry: ModelEntry, name: str, target: ModelEntry | None, near: str | None
) -> str | None:
    """Return why a name is no fallback of ``entry``."""
    if target is None and near is None:
        return text("fallbacks.unknown")
    if target is None:
        return text("fallbacks.unknown_near", near=_shown(near or name))
    if target is entry:
        return text("fallbacks.itself")
    if project_of(entry) is None:
        of_project = project_of(target) is not None
        return text("fallbacks.of_project") if of_project else None
    if leaves_origin(entry, target):
        return text("fallbacks.other_origin")
    headers = target.request_options.headers
    if target.bill_to is not None or any(map(says_who_pays, headers)):
        return text("fallbacks.other_payer")
    return None


def _unfit_for(entry: ModelEntry, target: ModelEntry) -> Iterator[str]:
    """Yield what of an entry's work its fallback cannot do."""
    facts = {"entry": _shown(entry.name), "fallback": _shown(target.name)}
    missing = [role for role in entry.roles if role not in target.roles]
    # The default roles are nobody's wish: one in common will do.
    wished = entry.roles != DEFAULT_ROLES or len(missing) == len(entry.roles)
    if missing and wished:
        yield text("fallbacks.lacks_roles", roles=", ".join(missing), **facts)
    embeds = Role.EMBED in entry.roles and Role.EMBED in target.roles
    if embeds and not vectors_compare(entry, target):
        yield text("fallbacks.never_embeds", **facts)


def circles(entries: Mapping[str, ModelEntry]) -> Iterator[ConfigWarning]:
    """Yield a warning if entries are fallbacks of each other, in a circle."""
    ahead = {name: set(entry.fallbacks) for name, entry in entries.items()}
    behind: dict[str, set[str]] = {name: set() for name in entries}
    for name, names in ahead.items():
        for each in names & behind.keys():
            behind[each].add(name)
    # Whoever leads nowhere goes, then whoever led to those alone; so do the others,
    # from behind. What is left goes round.
    for forth, back in ((ahead, behind), (behind, ahead)):
        ended = [name for name, names in forth.items() if not names]
        while ended:
            gone = ended.pop()
            del forth[gone]
            for name in back.pop(gone):
                forth[name].discard(gone)
                if not forth[name]:
                    ended.append(name)
    if ahead:
        shown = ", ".join(map(_shown, islice(ahead, MOST_FALLBACKS)))
        place = str(entries[next(iter(ahead))].source)
        yield ConfigWarning(place, text("fallbacks.circle", names=shown))


def _shown(name: str) -> str:
    return one_line(name, limit=_LONGEST_NAME)
