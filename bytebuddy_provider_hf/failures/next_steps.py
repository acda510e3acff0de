"""Choose the next step for an error, with what is known of it filled in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from bytebuddy_provider_hf.address import HUB, OWNED_ID, HostKind
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.failures.table import (
    Alternatives,
    FailureRow,
    failure_table,
    row_of,
)
from bytebuddy_provider_hf.texts import (
    Language,
    LocalizedText,
    placeholders,
    text,
)

# "[fact] " at the beginning: demanded, not shown.
_DEMAND: Final = re.compile(r"^\[(\w+)\] ")
_HOST_FACTS: Final[Mapping[HostKind, tuple[str, ...]]] = {
    HostKind.ROUTER: ("huggingface", "router"),
    HostKind.HUB: ("huggingface",),
    HostKind.ENDPOINT: ("dedicated",),
    HostKind.JOB: ("job",),
    HostKind.LOOPBACK: ("local",),
    HostKind.OTHER: (),
}

# Up to here people count in seconds; up to two hours in minutes.
_TWO_MINUTES: Final = 120
_TWO_HOURS: Final = 7_200
# A century: from here on a server means "never", or nothing.
_MOST_HOURS: Final = 1e6


def next_step(error: APIError) -> LocalizedText | None:
    """Return what to do about ``error``: the step of its class or its nearest base."""
    return next(steps_of(row_of(type(error)), error_facts(error)), None)


def general_step(error: ByteBuddyError) -> str:
    """Return what to do about ``error`` where nobody said.

    What an error inside a stream stands for tells most; else its class does.
    """
    cause = error.__cause__
    if isinstance(cause, APIError) and cause.hint:
        return cause.hint
    return next(steps_of(row_of(type(error)), error_facts(error)), "")


def steps_of(row: FailureRow, facts: Mapping[str, str]) -> Iterator[LocalizedText]:
    """Yield what a class says to do: the hint, then the further steps."""
    english, chinese = (
        (words.hint, *words.steps) for words in (row.words("en"), row.words("zh"))
    )
    for alternatives in zip(english, chinese, strict=True):
        step = first_step(*alternatives, facts)
        if step is not None:
            yield step


def first_step(
    english: Alternatives, chinese: Alternatives, facts: Mapping[str, str]
) -> LocalizedText | None:
    """Return the first alternative whose facts are all known, filled in.

    The same one in both languages. ``[fact] …`` demands a fact without showing it. A
    page of Hugging Face is named only where ``facts`` say that Hugging Face answered.
    """
    table = failure_table()
    known = {
        name: said
        for name, said in table.constants.items()
        if not table.demands[name].isdisjoint(facts)
    }
    known.update(facts)
    for en, zh in zip(english, chinese, strict=True):
        demand, shown = _DEMAND.match(en), placeholders(en)
        if shown | ({demand[1]} if demand else frozenset()) <= known.keys():
            row: dict[Language, str] = {
                "en": _DEMAND.sub("", en),
                "zh": _DEMAND.sub("", zh),
            }
            # No more facts than are shown: an error keeps this text.
            return LocalizedText("step", {name: known[name] for name in shown}, row)
    return None


def error_facts(error: ByteBuddyError) -> dict[str, str]:
    """Return what is known of an error, for its steps; times follow the language.

    Demanded only: ``from_variable``, ``from_login``, ``from_env``, ``from_line``,
    ``from_file``, ``from_argument``: where the token was found; ``huggingface``,
    ``dedicated``, ``router``, ``local``: who answered;
    ``unserved``: the router's catalogue told that nobody serves the model.
    """
    # Any number or text that is set, so that a new attribute needs no list of names.
    known = {
        # A text stays one, so that it follows the language of its step.
        name: value if isinstance(value, str) else str(value)
        for name, value in vars(error).items()
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    }
    if error.retry_after:
        known["wait"] = human_time(error.retry_after)
    if estimate := getattr(error, "estimate", None):
        known["estimate"] = human_time(estimate)
    for name in ("parameters", "unsent", "added"):
        if named := getattr(error, name, ()):
            known[name] = ", ".join(named)
    # Set where the window holds the prompt, and a shorter answer would fit.
    limit, given = getattr(error, "limit", None), getattr(error, "given", None)
    if getattr(error, "at_least", False):
        known["at_least"] = known.pop("given")
    elif getattr(error, "asked", None) and limit and given and limit > given:
        known["fits"] = str(limit - given)
    if isinstance(error, APIError):
        host = _HOST_FACTS[HostKind(error.host_kind or HostKind.OTHER)]
        known |= dict.fromkeys(host, "yes")
        if error.model:
            # On Hugging Face what follows a colon chooses a provider and is no part of
            # the id. Elsewhere it belongs to the name: "hf:owner/name", "model:tag".
            shared = "huggingface" in host
            known["model"] = error.model.split(":", 1)[0] if shared else error.model
            ours = shared or "dedicated" in host
            if ours and OWNED_ID.fullmatch(known["model"]):
                known["page"] = f"{HUB}/{known['model']}"
        if found_as := known.pop("found_as", None):
            known[f"from_{found_as}"] = "yes"
        if error.served_by:
            known["served_by"] = ", ".join(error.served_by)
            known["provider"] = error.served_by[0]
        elif error.served_by is not None:
            # Told that it is nobody, unlike not told.
            known["unserved"] = "yes"
            if error.neighbours:
                known["neighbours"] = ", ".join(error.neighbours)
    return known


def human_time(seconds: float) -> LocalizedText:
    """Return a time as people say it."""
    if seconds < _TWO_MINUTES:
        return text("time.seconds", count=math.ceil(seconds))
    if seconds < _TWO_HOURS:
        return text("time.minutes", count=math.ceil(seconds / 60))
    hours = seconds / 3_600
    if hours < _MOST_HOURS:
        return text("time.hours", count=math.ceil(hours))
    return text("time.very_long")


def not_served_model(error: APIError) -> str | None:
    """Return the Hub's id of the model that an answer says is not served there.

    ``None`` for any other failure, and for servers that are not Hugging Face's shared
    ones: the models of those are nobody's business.
    """
    shared = error.host_kind in (HostKind.ROUTER.value, HostKind.HUB.value)
    # The router's catalogue is worth a question where a step can tell the answer.
    tells = any(step.startswith("[unserved]") for step in row_of(type(error)).en.hint)
    return error.model.partition(":")[0] if error.model and shared and tells else None


def set_alternatives(
    error: APIError,
    served_by: tuple[str, ...],
    neighbours: tuple[str, ...],
    renamed_to: str | None = None,
) -> None:
    """Put into an error, and into its hint, who serves its model."""
    error.served_by, error.neighbours = served_by, neighbours
    error.renamed_to = renamed_to
    error.hint = next_step(error)
