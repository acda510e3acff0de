"""Describe one request that was sent, as the ledger keeps it: no prompt, no answer."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import define, frozen

from bytebuddy_provider_hf.money import NO_COST, Cost
from bytebuddy_provider_hf.types import Usage

# What became of it. A failed attempt after which another was made, a retry or that of
# a fallback, is absorbed, whatever became of the other. One that nobody saw the end of
# (the caller left, the program was stopped) stays as it was sent.
Outcome: TypeAlias = Literal[
    "sent", "complete", "cut", "failed", "absorbed", "cancelled"
]


@frozen
class Payer:
    """Who asks whom: what does not change from call to call of a model.

    ``identity`` stands for a token and cannot be turned back into it; it is empty
    without one. ``bill_to`` is the organization that pays, where it is not the owner of
    the token.
    """

    identity: str
    bill_to: str
    origin: str
    model: str


@define
class Attempt:
    """One request that was sent. ``at`` is in seconds of the Unix clock.

    ``role`` is what the call is for, or "probe" for what only asks about a server.
    ``number`` counts the requests of one call from 1, ``waited`` is the seconds that
    the call had waited when it left, ``seconds`` how long it took. ``failure`` is the
    class of the error that it ended with. ``provider`` is who served it, of the
    router's.
    """

    payer: Payer
    role: str
    at: float
    session: str = ""
    number: int = 1
    waited: float = 0.0
    seconds: float = 0.0
    outcome: Outcome = "sent"
    status: int | None = None
    failure: str = ""
    provider: str = ""
    usage: Usage | None = None
    cost: Cost = NO_COST
