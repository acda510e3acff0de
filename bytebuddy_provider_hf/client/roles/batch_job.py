"""Work for a model that writes no text: what its batches are, and how long they may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from attrs import evolve, frozen

from bytebuddy_provider_hf.client.plan import Planner
from bytebuddy_provider_hf.errors import DeadlineExceeded
from bytebuddy_provider_hf.outcomes import Embeddings, Scores
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.wire.server import Server

S = TypeVar("S", Embeddings, Scores)


@frozen
class ErrorTexts:
    """What a server that cannot do the work does not, who can, and what inputs are."""

    doing: str
    hint: str
    items: str = "inputs"


class BatchJob(Protocol[S]):
    """Inputs that may travel in batches.

    ``strict`` has a server refuse an input that is too long for its model.
    """

    strict: bool

    @property
    def error_texts(self) -> ErrorTexts:
        """How to speak of the work."""
        ...

    @property
    def count(self) -> int:
        """How many inputs there are."""
        ...

    def planner(self, batch: range) -> Planner[S]:
        """Return how to ask for one batch."""
        ...

    def may_truncate(self, server: Server) -> bool:
        """Whether what is too long may be sent again, no longer strictly."""
        ...

    def merge(self, parts: Sequence[S], server: Server) -> S:
        """Return the answers of all batches as one."""
        ...


@frozen
class CallLimits:
    """How long a job may take and how it waits; ``until`` is a time of the loop."""

    until: float | None
    on_event: OnEvent | None
    wait: bool

    @property
    def without_events(self) -> CallLimits:
        """The same, with nobody told of the waiting."""
        return evolve(self, on_event=None)

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds that are left; ``None``: as long as is configured.

        Raises ``DeadlineExceeded`` where there are none.
        """
        if self.until is None:
            return None
        if self.until <= now:
            raise DeadlineExceeded(
                "The time for this call was over before all was sent.",
                hint="Raise timeout, or send less at once.",
            )
        return self.until - now
