"""Find living models near one that nobody serves, and say why each is near.

Family, size, task, languages and price are compared; each that fits is a reason. What
is not known of a model counts neither for nor against it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.hub.model_facts import ModelFacts
from bytebuddy_provider_hf.hub.router_models import Offer, ServedModel
from bytebuddy_provider_hf.money import Price, nano_usd
from bytebuddy_provider_hf.texts import LocalizedText, read_table, text

MOST: Final = 5

# Tasks of models that write text, by chat or by continuing.
_WRITES: Final = frozenset(
    {"", "text-generation", "image-text-to-text", "conversational", "any-to-any"}
)
# Of models that rewrite text, which a chat model can be asked to do.
_REWRITES: Final = frozenset({"text2text-generation", "translation", "summarization"})
CHAT: Final = "chat"
CODE: Final = "code"

# "8x7B", "70b", "1.5B", "-350m"; a mixture's active part ("-A22B") is no size of it.
_SIZE: Final = re.compile(
    r"(?<![a-z0-9.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])"
)
_CODE: Final = re.compile(
    r"(?<![a-z])(?:code|coder|coding)(?![a-z])|codellama|code[gq]|starcod|codestr|devstr"
)
_EVERY: Final = "*"
_BILLION: Final = 10**9
_UNITS: Final = {"b": _BILLION, "m": 10**6}
# A language model of its own for each of these would be a long list in a reason.
_MOST_LANGUAGES: Final = 4
# At most so much larger or smaller is a similar size.
_SIMILAR: Final = 2.0


@frozen
class Profile:
    """What a model is, as far as it matters for choosing another in its place.

    ``kind`` is chat, code, or the Hub's task of a model of another kind. ``lineage`` is
    the name that models of one descent share. ``parameters`` are counted; ``languages``
    are codes, or "*" where there are a hundred. ``price``, of ``provider``, is the
    cheapest.
    """

    id: str
    kind: str
    lineage: str = ""
    parameters: int | None = None
    languages: frozenset[str] = frozenset()
    context_length: int | None = None
    price: Price | None = None
    provider: str = ""


@frozen
class Suggestion:
    """A living model near the one asked for; ``reasons`` is a sentence each."""

    profile: Profile
    score: float
    reasons: tuple[LocalizedText, ...]


@frozen
class Snapshot:
    """What the package itself knows: living models of a day, and models gone by."""

    day: date
    living: tuple[Profile, ...]
    gone: Mapping[str, Profile]
    lineages: Mapping[str, str]


@cache
def snapshot() -> Snapshot:
    """Return ``data/models.toml``; the first call reads it."""
    table = read_table("models.toml")
    living = []
    for line in table["living"].strip().splitlines():
        name, kind, lineage, size, window, *rest = line.split()
        read, written, provider, *languages = rest
        costs = nano_usd(read), nano_usd(written)
        price = None if None in costs else Price(costs[0] or 0, costs[1] or 0)
        living.append(
            Profile(
                name,
                kind,
                lineage,
                None if size == "-" else _size(size),
                frozenset(languages),
                None if window == "-" else int(window),
                price,
                provider,
            )
        )
    gone = {}
    for line in table["gone"].strip().splitlines():
        name, kind, lineage, size, *languages = line.split()
        found = Profile(name, kind, lineage, _size(size), frozenset(languages))
        gone[name.lower()] = found
    day: date = table["date"]
    return Snapshot(day, tuple(living), gone, table["lineages"])


def profile_of(model_id: str, facts: ModelFacts | None = None) -> Profile:
    """Return what a model is: by the package's table, by the Hub, by its name."""
    known = {each.id.lower(): each for each in snapshot().living}
    known |= snapshot().gone
    name = model_id.partition(":")[0]
    kept = known.get(name.lower())
    if kept is not None:
        return evolve(kept, price=None, provider="")
    words = name.lower()
    task = "" if facts is None or facts.pipeline_tag is None else facts.pipeline_tag
    tags = frozenset() if facts is None else frozenset(facts.tags)
    kind = task
    if task in _WRITES:
        codes = _CODE.search(words.rpartition("/")[2]) or "code" in tags
        kind = CODE if codes else CHAT
    counted = None if facts is None else facts.parameters
    languages = frozenset() if facts is None else frozenset(facts.languages)
    named = [name, *(() if facts is None else facts.base_models)]
    lineages = (_lineage(each) for each in named)
    return Profile(
        name if facts is None else facts.id,
        kind,
        next(filter(None, lineages), ""),
        counted or _size(words),
        languages,
        None if facts is None else facts.window,
    )


def living_profiles(
    served: Iterable[ServedModel], facts: Mapping[str, ModelFacts]
) -> tuple[Profile, ...]:
    """Return the models that somebody serves, with the cheapest price of each.

    ``facts`` are what the Hub told of some of them, by id in lower case.
    """
    found = []
    for model in served:
        offers = [each for each in model.offers if each.is_listed]
        if not offers:
            continue
        profile = profile_of(model.id, facts.get(model.id.lower()))
        windows = [each.context_length for each in offers if each.context_length]
        best = cheapest(offers)
        found.append(
            evolve(
                profile,
                id=model.id,
                context_length=max(windows, default=profile.context_length),
                price=None if best is None else best.price,
                provider=offers[0].provider if best is None else best.provider,
            )
        )
    return tuple(found)


def cheapest(offers: Iterable[Offer]) -> Offer | None:
    """Return the offer of the lowest price a written token, as the router counts."""
    priced = [
        (each.price.output, each.price.input, each.provider, each)
        for each in offers
        if each.price is not None
    ]
    return min(priced, key=lambda it: it[:3])[3] if priced else None


def suggest(
    wanted: Profile, living: Sequence[Profile], *, most: int = MOST
) -> tuple[Suggestion, ...]:
    """Return the models nearest to ``wanted``, the nearest first; total."""
    scored = [
        found
        for each in living
        if each.id.lower() != wanted.id.lower()
        and (found := _compare(wanted, each)) is not None
    ]
    # Of two that are as near, the cheaper one; of an unknown price nothing is promised.
    dear = max((each.price.output for each in living if each.price), default=0) + 1
    scored.sort(
        key=lambda it: (
            -round(it.score, 1),
            it.profile.price.output if it.profile.price else dear,
            it.profile.id,
        )
    )
    chosen = scored[:most]
    priced = [each for each in chosen if each.profile.price is not None]
    if len(priced) > 1:
        best = min(priced, key=lambda it: it.profile.price.output)  # type: ignore[union-attr]  # all have one
        reasons = (*best.reasons, text("models.reason_cheapest"))
        chosen[chosen.index(best)] = evolve(best, reasons=reasons)
    return tuple(chosen)


def _compare(wanted: Profile, other: Profile) -> Suggestion | None:
    """Return how near a model is, ``None`` where it does something else altogether."""
    reasons: list[LocalizedText] = []
    score = 0.0
    if other.lineage and other.lineage == wanted.lineage:
        score += 2.5
        reasons.append(text("models.reason_family", family=other.lineage))
    if other.id.partition("/")[0] == wanted.id.partition("/")[0]:
        score += 0.5
    if wanted.parameters and other.parameters:
        ratio = abs(math.log2(other.parameters / wanted.parameters))
        score += 2.0 * (1 - min(1.0, ratio / 3))
        if ratio <= math.log2(_SIMILAR):
            size, was = said_size(other.parameters), said_size(wanted.parameters)
            reasons.append(text("models.reason_size", size=size, was=was))
    writes = (CHAT, CODE)
    if other.kind == wanted.kind:
        score += 4.0
        if other.kind == CODE:
            reasons.append(text("models.reason_code"))
        else:
            task = "chat" if other.kind == CHAT else other.kind
            reasons.append(text("models.reason_task", task=task))
    elif wanted.kind in writes and other.kind in writes:
        # A model for code chats, too; one that only chats knows code less well.
        score += 1.0
        reasons.append(text("models.reason_chats"))
    elif wanted.kind in _REWRITES and other.kind in _REWRITES:
        score += 3.0
        reasons.append(text("models.reason_rewrites", task=other.kind))
    elif wanted.kind in _REWRITES and other.kind == CHAT:
        score += 2.0
        reasons.append(text("models.reason_can_be_asked", task=wanted.kind))
    else:
        return None
    foreign = wanted.languages - {"en"}
    if foreign and other.languages:
        every = _EVERY in other.languages
        shared = foreign if every else foreign & other.languages
        score += 2.5 * len(shared) / len(foreign) - (0.0 if shared else 0.5)
        if every:
            reasons.append(text("models.reason_every_language"))
        elif shared:
            named = ", ".join(sorted(shared)[:_MOST_LANGUAGES])
            reasons.append(text("models.reason_language", languages=named))
    return Suggestion(other, score, tuple(reasons))


def said_size(parameters: int) -> str:
    """Return a number of parameters as model names say it: 70.6B, 278M."""
    if parameters < _BILLION:
        return f"{parameters / 10**6:.3g}M"
    billions = parameters / _BILLION
    return f"{billions:.0f}B" if billions >= 100 else f"{billions:.3g}B"  # noqa: PLR2004 - digits


def _size(words: str) -> int | None:
    """Return the parameters that a name tells: the largest, a mixture's in all."""
    found = [
        int(int(many or 1) * float(size) * _UNITS[unit])
        for many, size, unit in _SIZE.findall(words.lower())
    ]
    return max(found, default=None)


def _lineage(name: str) -> str:
    """Return the lineage that a word of a name tells, or nothing."""
    words = name.rpartition("/")[2].lower()
    for word, lineage in snapshot().lineages.items():
        # A number may follow: Qwen3, Llama2.
        if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", words):
            return lineage
    return ""
