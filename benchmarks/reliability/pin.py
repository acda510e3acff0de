"""Measure how much of a conversation's prompt its provider has read before (R45).

    python -m benchmarks.reliability.pin [--conversations N] [--turns N] [--seed N]

Conversations go through a router that moves them between providers. With a `session`
the client keeps each where it was answered first, so that its provider's cache of
prompts is hit. "Repeatable" are the tokens of a prompt that the conversation has sent
before, or was answered with; "hit" those that the provider's own count names cached.
Prints one line of JSON; exit code 1: less than 95 % of the repeatable tokens were hit,
or the unpinned conversations hit as many, which would show that nothing was measured.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.reliability.figures import parser, tell
from bytebuddy_provider_hf import Message, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.money import Price, dollars
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import Account
from bytebuddy_provider_hf.testing.hub_catalogue import Provider
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run

LEAST: Final = 0.95
_MODEL: Final = "org/name"
_PROVIDERS: Final = ("cerebras", "deepinfra", "groq", "novita", "together")
_PRICE: Final = Price(500_000_000, 1_500_000_000)
_CACHED: Final = 50_000_000
_WORDS: Final = ("code", "file", "test", "error", "line", "change", "module", "value")


@frozen
class Measured:
    """What the conversations of one kind sent: tokens, and what they cost."""

    prompt: int
    repeatable: int
    hit: int
    cost: int
    moves: int

    @property
    def share(self) -> float:
        """How much of what could be hit was hit."""
        return self.hit / self.repeatable


async def converse(
    *, pinned: bool, conversations: int, turns: int, seed: int, moves: float
) -> Measured:
    """Hold conversations and count what their providers had read before."""
    random_words = random.Random(seed)

    def said(size: int) -> str:
        return " ".join(random_words.choice(_WORDS) for _ in range(size))

    def answer(_request: FakeRequest) -> str:
        return said(120)

    hub = FakeHub(
        {_MODEL: Behaviour(answer=answer, delay=0.5)},
        catalogue={
            _MODEL: [
                Provider(name, _PRICE, cached_price=_CACHED, throughput=100.0)
                for name in _PROVIDERS
            ]
        },
        accounts=[Account("ann", "hf_ann")],
    )
    hub.market.moves = moves

    async def hold(number: int) -> None:
        session = f"conversation-{number}" if pinned else None
        # Each its own, so that nobody hits what another conversation has sent.
        messages = [Message("system", f"You are helper {number}. {said(200)}")]
        for _ in range(turns):
            messages.append(Message("user", said(40)))
            reply = await model.chat(messages, session=session)
            messages.append(Message("assistant", reply.text))

    with tempfile.TemporaryDirectory() as home:
        async with (
            Runtime(connect=MemoryConnect(hub)) as runtime,
            open_model(
                _MODEL, api_key="hf_ann", runtime=runtime, env={}, state_dir=Path(home)
            ) as model,
        ):
            await asyncio.gather(*(hold(number) for number in range(conversations)))
    await asyncio.sleep(60)
    return measure(hub)


def measure(hub: FakeHub) -> Measured:
    """Return what a hub's books say of its conversations.

    The tokens of a turn that the conversation has sent before are those of its last
    prompt and of the answer to it.
    """
    known: dict[str, tuple[int, str]] = {}
    repeatable = hit = moves = 0
    requests = [record.request for record in hub.records if record.provider is not None]
    for request, call in zip(requests, hub.bill.calls, strict=True):
        messages = request.value("messages")
        first = str(messages[0]) if isinstance(messages, list) else ""
        if first in known:
            before, provider = known[first]
            repeatable += before
            # What other conversations began with too was not repeated by this one.
            hit += min(before, call.cached_tokens)
            moves += provider != call.provider
        # The mark of the assistant's turn is a token as well.
        read = call.prompt_tokens + 1 + call.completion_tokens
        known[first] = (read, call.provider)
    return Measured(
        prompt=sum(call.prompt_tokens for call in hub.bill.calls),
        repeatable=repeatable,
        hit=hit,
        cost=sum(call.cost for call in hub.bill.calls),
        moves=moves,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--conversations", type=int, default=100)
    options_of.add_argument("--turns", type=int, default=20)
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument(
        "--moves", type=float, default=0.5, help="how often the router moves a call"
    )
    options = options_of.parse_args(arguments)
    pinned, free = (
        run(
            converse(
                pinned=each,
                conversations=options.conversations,
                turns=options.turns,
                seed=options.seed,
                moves=options.moves,
            )
        )
        for each in (True, False)
    )
    met = pinned.share >= LEAST > free.share
    figures = {
        "figure": "R45",
        "conversations": options.conversations,
        "turns": options.turns,
        "seed": options.seed,
        "hit_share": round(pinned.share, 4),
        "unpinned_hit_share": round(free.share, 4),
        "cached_share_of_prompts": round(pinned.hit / pinned.prompt, 4),
        "unpinned_cached_share_of_prompts": round(free.hit / free.prompt, 4),
        "moves": pinned.moves,
        "unpinned_moves": free.moves,
        "cost": dollars(pinned.cost, digits=4),
        "unpinned_cost": dollars(free.cost, digits=4),
        "hit_share_bound": f">= {LEAST:g}",
        "unpinned_hit_share_bound": f"< {LEAST:g}",
        "met": met,
    }
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
