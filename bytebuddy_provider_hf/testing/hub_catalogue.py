"""Play the router's market: who offers a model at what price, and who is taken."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.money import NANO, Price
from bytebuddy_provider_hf.testing.answers import CREATED, json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour, last_words, words
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

POLICIES: Final = ("fastest", "cheapest", "preferred")


@frozen
class Provider:
    """What one provider of the router offers for a model.

    ``price`` is in 10⁻⁹ USD for a million tokens read and written; without one the
    catalogue names none, and the bill still does where ``hidden_price`` is given.
    ``cached_price``, for the same number of tokens read, is what those of a prompt
    cost that it has seen before: with one it counts them, without it reads every
    prompt anew. ``throughput`` is in tokens a second, ``latency`` in milliseconds.
    ``told_after`` is after how many seconds it tells Hugging Face what a call cost;
    one that it never tells (``None``), or tells after 30 minutes, is not charged.
    ``reports_cost`` puts the cost into the answer too, as deepinfra does.
    ``behaviour`` is how it answers, where that differs from the model's own.
    """

    name: str
    price: Price | None = None
    cached_price: int | None = None
    hidden_price: Price | None = None
    is_free: bool = False
    status: str = "live"
    context_length: int | None = 131_072
    supports_tools: bool = True
    supports_structured_output: bool = True
    throughput: float | None = None
    latency: float | None = None
    is_author: bool = False
    told_after: float | None = 60.0
    reports_cost: bool = False
    behaviour: Behaviour | None = None

    def json(self) -> dict[str, object]:
        """Return what the catalogue says of it; what is not known is left out."""
        # Every member but the name is optional there (hub-api.md of hub-docs).
        said: dict[str, object] = {
            "provider": self.name,
            "status": self.status,
            "supports_tools": self.supports_tools,
            "supports_structured_output": self.supports_structured_output,
            "is_model_author": self.is_author,
        }
        if self.price is not None:
            said["pricing"] = {
                "input": dollars_json(self.price.input),
                "output": dollars_json(self.price.output),
            }
        known = {
            "is_free": self.is_free or None,
            "context_length": self.context_length,
            "throughput": self.throughput,
            "first_token_latency_ms": self.latency,
        }
        return said | {name: each for name, each in known.items() if each is not None}

    def charge(self, *, prompt: int, cached: int, completion: int) -> int:
        """Return what a call costs, in 10⁻⁹ USD, rounded to the nearest.

        As the provider's own books have it: cached tokens at their own price.
        """
        price = self.price or self.hidden_price
        if self.is_free or price is None:
            return 0
        again = price.input if self.cached_price is None else self.cached_price
        millionth = Fraction(1, 10**6)
        exact = (
            (prompt - cached) * price.input * millionth
            + cached * again * millionth
            + completion * price.output * millionth
        )
        return round(exact)


class PrefixCache:
    """The beginnings of prompts that a provider has seen of a model."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def hits(self, tokens: Sequence[str]) -> int:
        """Return how many tokens a prompt begins with that were seen before.

        Never all of them: the last one is always read, to write what follows it.
        """
        found = key = 0
        for token in tokens[:-1]:
            # A number for the whole beginning: prompts may be long, and many.
            key = hash((key, token))
            if key not in self._seen:
                break
            found += 1
        return found

    def keep(self, tokens: Iterable[str]) -> None:
        """Remember a prompt and what was written after it."""
        key = 0
        for token in tokens:
            key = hash((key, token))
            self._seen.add(key)


class Market:
    """The providers of each model, whom the router takes, and what each has read.

    ``moves`` is how often, from 0 to 1, the router takes another provider than its
    policy says for a call that names none, as it does when one is busy.
    """

    def __init__(
        self, offers: Mapping[str, Sequence[Provider]], *, seed: int = 1
    ) -> None:
        self.offers = {model: tuple(found) for model, found in offers.items()}
        self.moves = 0.0
        self._random = random.Random(seed)
        self._caches: dict[tuple[str, str], PrefixCache] = {}

    def pick(
        self, model: str, suffix: str = "", *, preferred: Sequence[str] = ()
    ) -> Provider | None:
        """Return who answers ``model:suffix`` now, ``None`` where nobody does."""
        live = [each for each in self.offers.get(model, ()) if each.status == "live"]
        # Nobody is moved from a provider that the caller named.
        if suffix and suffix not in POLICIES:
            return next((each for each in live if each.name == suffix), None)
        if not live:
            return None
        if self.moves and self._random.random() < self.moves:
            return self._random.choice(live)
        if suffix == "cheapest":
            # Whoever names no price comes last.
            far = NANO * NANO
            return min(
                live,
                key=lambda each: (
                    0 if each.is_free else getattr(each.price, "output", far)
                ),
            )
        if suffix == "preferred":
            order = {name: at for at, name in enumerate(preferred)}
            return min(live, key=lambda each: order.get(each.name, len(order)))
        return max(live, key=lambda each: each.throughput or 0.0)

    def cache(self, model: str, provider: str) -> PrefixCache:
        """Return what a provider has read of a model's prompts."""
        return self._caches.setdefault((model, provider), PrefixCache())

    def model_json(self, model: str) -> dict[str, object]:
        """Return what the router's catalogue says of a model."""
        return {
            "id": model,
            "object": "model",
            "created": CREATED,
            "owned_by": model.partition("/")[0],
            "architecture": {
                "input_modalities": ["text"],
                "output_modalities": ["text"],
            },
            "providers": [each.json() for each in self.offers.get(model, ())],
        }

    def reply(self, model: str) -> FakeReply:
        """Answer ``/v1/models``, or ``/v1/models/{id}``: 404 where nobody serves it."""
        if not model:
            data = [self.model_json(each) for each in self.offers]
            return json_reply({"object": "list", "data": data})
        if model not in self.offers:
            return json_reply({"error": f"Model {model} not found"}, status=404)
        return json_reply(self.model_json(model))

    def mapping(self, model: str) -> dict[str, dict[str, object]]:
        """Return who serves a model, as the Hub tells it."""
        return {
            each.name: {
                "status": each.status,
                "providerId": model,
                "task": "conversational",
                "isModelAuthor": each.is_author,
            }
            for each in self.offers.get(model, ())
        }


def prompt_tokens(request: FakeRequest) -> list[str]:
    """Return the tokens that a server reads of a request: words, and marks of roles.

    A conversation that goes on begins with the tokens of the one before.
    """
    messages = request.value("messages")
    if not isinstance(messages, list):
        inputs = request.value("inputs")
        if isinstance(inputs, list):
            return [token for each in inputs for token in words(str(each))]
        return words(last_words(request))
    found = []
    for message in messages:
        said = message if isinstance(message, dict) else {}
        content = said.get("content")
        if isinstance(content, list):
            parts = (each.get("text", "") for each in content if isinstance(each, dict))
            content = "".join(part for part in parts if isinstance(part, str))
        # Chat templates mark each turn: the same words of another role are no hit.
        found.append(f"<{said.get('role')}>")
        found += words(content) if isinstance(content, str) else []
    return found


def written_tokens(text: str) -> list[str]:
    """Return the tokens that an answer adds to its conversation."""
    return ["<assistant>", *words(text)]


def dollars_json(amount: int) -> float:
    """Return an amount of 10⁻⁹ USD as JSON writes it: dollars."""
    return float(Fraction(amount, NANO))
