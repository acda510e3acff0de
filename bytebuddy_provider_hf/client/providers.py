"""Choose among the router's providers: leave who refuses, keep a conversation's own.

Where a model names no provider, the router takes the fastest, the cheapest or the one
that the account prefers (https://huggingface.co/docs/inference-providers). It goes on
to take one that refuses us (huggingface/huggingface_hub#4703), and may take another
for each turn of a conversation, which then pays for its whole prompt again
(huggingface/tau#559). A provider that the user named is nobody's to change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from attrs import frozen

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError
from bytebuddy_provider_hf.failures.next_steps import not_served_model
from bytebuddy_provider_hf.hub.router_models import Offer
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.transport.bounded import BoundedCache

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.endpoint import CallSpec
    from bytebuddy_provider_hf.client.plan import Plan
    from bytebuddy_provider_hf.client.runtime import LoopState

Policy: TypeAlias = Literal["fastest", "cheapest", "preferred"]

# How long a provider is left that did not say.
LEFT_FOR: Final = 60.0
POLICIES: Final = ("fastest", "cheapest", "preferred")
_TOO_MANY: Final = 429
_BROKEN: Final = 500
# No text has more tokens, and JSON only adds to its bytes.
_BYTES_PER_TOKEN: Final = 3
# No model that the router lists reads less.
_SMALLEST_WINDOW: Final = 4_096
_MANY_TIMES: Final = 1_000


def policy_of(target: Target) -> Policy | None:
    """Return how the router picks the provider; ``None`` where it does not."""
    suffix = target.model.partition(":")[2]
    if not target.router_picks_provider or (suffix and suffix not in POLICIES):
        return None
    return cast("Policy", suffix or "fastest")


class ProviderMemory:
    """Remember who refused of late, and who answers which session.

    A key stands for an account and a model. What was used longest ago is forgotten.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Until when, and whether it refused: the other reason is that it is not ours.
        self._left: BoundedCache[str, dict[str, tuple[float, bool]]] = BoundedCache()
        self._pinned: BoundedCache[tuple[str, str], str] = BoundedCache()

    def __bool__(self) -> bool:
        return len(self._left) > 0

    def leave(
        self, key: str, provider: str, seconds: float, *, refuses: bool = True
    ) -> None:
        """Remember for so long that a provider refuses, or is not ours to ask."""
        left = self._left.get(key) or {}
        left.pop(provider, None)
        left[provider] = self._clock() + seconds, refuses
        self._left.put(key, left)

    def left(self, key: str) -> Mapping[str, bool]:
        """Return who is left now, and whether for refusing; the last one last."""
        left = self._left.get(key)
        if left is None:
            return {}
        now = self._clock()
        for provider in [each for each, (until, _) in left.items() if until <= now]:
            del left[provider]
        if not left:
            self._left.pop(key)
        return {provider: refuses for provider, (_, refuses) in left.items()}

    def pin(self, key: str, session: str, provider: str) -> None:
        """Have the calls of a session go to a provider, unless they do to another."""
        if self._pinned.get((key, session)) is None:
            self._pinned.put((key, session), provider)

    def pinned(self, key: str, session: str) -> str | None:
        """Return who answers a session."""
        return self._pinned.get((key, session))

    def unpin(self, key: str, session: str) -> None:
        """Let the router choose anew for a session."""
        self._pinned.pop((key, session))


@frozen
class Needs:
    """What a request wants of whoever answers it; ``tokens`` is a generous guess."""

    tools: bool
    structured_output: bool
    tokens: int

    def allow(self, offer: Offer) -> bool:
        """Return whether the catalogue says that a provider can answer it."""
        window = offer.context_length or _SMALLEST_WINDOW
        return (
            offer.is_live
            and (offer.supports_tools or not self.tools)
            and (offer.supports_structured_output or not self.structured_output)
            and self.tokens <= window
        )


def needs_of(plan: Plan[Any]) -> Needs:
    """Return what a planned request needs."""
    request = plan.request
    options = None if request is None else request.options
    answer = 0 if options is None else options.max_tokens or 0
    return Needs(
        tools=bool(getattr(request, "tools", ())),
        structured_output=getattr(request, "response_format", None) is not None,
        tokens=len(plan.http_request.body) // _BYTES_PER_TOKEN + answer,
    )


def next_offer(
    offers: Sequence[Offer],
    left: Mapping[str, bool],
    needs: Needs,
    policy: Policy,
    *,
    allow_dearer: bool,
) -> Offer | None:
    """Return whom the policy takes in place of those that are ``left``, if anyone.

    Unless dearer ones are allowed, it costs no more, reading and writing, than the one
    that the policy names next after the first that refused: a price that is not known
    allows that one alone. In which order an account prefers its providers only the
    router knows.
    """
    refusing = {provider for provider, refuses in left.items() if refuses}
    # Whom it may not ask for us the router leaves by itself.
    if policy == "preferred" or not refusing:
        return None
    order = [each for each in offers if each.is_live or each.provider in refusing]
    # What is not known comes last, in the catalogue's order.
    if policy == "cheapest":
        order.sort(
            key=lambda each: (each.price is None, each.price and each.price.output)
        )
    else:
        order.sort(key=lambda each: -(each.throughput or 0.0))
    first = next((at for at, o in enumerate(order) if o.provider in refusing), -1)
    following = order[first + 1 :] or order[:1]
    if not following:
        return None
    most = following[0].price
    for each in order:
        if each.provider in left or not needs.allow(each):
            continue
        if allow_dearer or each is following[0]:
            return each
        price = each.price
        if price is None or most is None:
            continue
        if price.input <= most.input and price.output <= most.output:
            return each
    return None


def left_note(left: str, taken: Offer, offers: Sequence[Offer]) -> str:
    """Return the note that another provider was asked, and how their prices compare."""
    before = next((each.price for each in offers if each.provider == left), None)
    now, names = taken.price, {"left": left, "taken": taken.provider}
    if before is None or now is None:
        return text("calls.provider_left_unpriced", **names)
    pairs = ((now.input, before.input), (now.output, before.output))
    if any(new and not old for new, old in pairs):
        return text("calls.provider_left_free", **names)
    # For people: of two ratios the larger, in as many digits as matter.
    ratio = max(new / old if old else 1.0 for new, old in pairs)
    shown = f"{ratio:.3g}" if ratio < _MANY_TIMES else f"{ratio:,.0f}"
    return text("calls.provider_left", **names, ratio=shown)


@frozen
class Chosen:
    """The provider to ask for, and what the reply should tell of it."""

    provider: str
    notes: tuple[str, ...] = ()


class ProviderChoice:
    """Choose the provider for one call, where the router would.

    ``named`` is the one that the last request named, ``failure`` the first for which
    one was left.
    """

    __slots__ = ("_key", "_policy", "_spec", "_state", "failure", "model", "named")

    def __init__(self, policy: Policy, spec: CallSpec, state: LoopState) -> None:
        self.model = spec.endpoint.target.model.partition(":")[0]
        self.named: str | None = None
        self.failure: ByteBuddyError | None = None
        self._policy: Policy = policy
        self._spec = spec
        self._state = state
        self._key = f"{spec.endpoint.destination.account} {self.model}"

    @property
    def is_open(self) -> bool:
        """Whether the router chooses, because nobody is left and nobody is kept."""
        return self._spec.session is None and not self._state.providers

    async def choose(self, plan: Plan[Any], *, limit: float) -> Chosen | None:
        """Return whom to ask for a request; ``None`` leaves it to the router.

        The catalogue is asked for at most ``limit`` seconds; where it does not tell,
        nobody is chosen.
        """
        memory, session = self._state.providers, self._spec.session
        left = memory.left(self._key)
        kept = None if session is None else memory.pinned(self._session_key, session)
        if kept is not None and kept not in left:
            return Chosen(kept)
        way = self._spec.endpoint.catalogue
        if not left or way is None:
            return None
        with self._state.clients.lend(way) as client:
            offers = await self._state.router.offers(self.model, client, limit=limit)
        taken = next_offer(
            offers,
            left,
            needs_of(plan),
            self._policy,
            allow_dearer=self._spec.endpoint.allow_dearer,
        )
        if taken is None:
            return None
        last = [provider for provider, refuses in left.items() if refuses][-1]
        return Chosen(taken.provider, (left_note(last, taken, offers),))

    async def leave(
        self,
        failure: ByteBuddyError,
        provider: str | None,
        plan: Plan[Any],
        *,
        limit: float,
    ) -> bool:
        """Remember who failed; return whether another may be asked at once.

        ``provider`` is who sent the failure, where that was told. One that the router
        does not know, or that the account has not enabled, is left as well.
        """
        status = failure.status or 0
        if not isinstance(failure, APIError):
            return False
        unknown = self.named is not None and not_served_model(failure) is not None
        if not unknown and status != _TOO_MANY and status < _BROKEN:
            return False
        who = self.named if unknown else provider
        if who is None:
            return False
        memory, session = self._state.providers, self._spec.session
        seconds = failure.retry_after or LEFT_FOR
        memory.leave(self._key, who, seconds, refuses=not unknown)
        if session is not None and memory.pinned(self._session_key, session) == who:
            memory.unpin(self._session_key, session)
        self.failure = self.failure or failure
        # Named by us and not by the user: the router may still find one.
        return unknown or await self.choose(plan, limit=limit) is not None

    def answered(self, provider: str | None) -> None:
        """Keep who answered for the next calls of the session."""
        session = self._spec.session
        if session is not None and provider is not None:
            self._state.providers.pin(self._session_key, session, provider)

    @property
    def _session_key(self) -> str:
        # What one policy took may be dear to another.
        return f"{self._key} {self._policy}"
