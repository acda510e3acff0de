"""What every stream decoder offers: bytes in, events out, the reply at the end."""

from __future__ import annotations

from typing import Protocol

from bytebuddy_provider_hf.types import Event, Reply


class StreamDecoder(Protocol):
    """Turn the bytes of one stream into events.

    ``done`` tells that the end mark came; ``events`` counts data events, so that a
    watch can tell pings from progress; ``partial`` is the text so far.
    """

    @property
    def done(self) -> bool:
        """Whether the end mark came."""
        ...

    @property
    def events(self) -> int:
        """Data events so far."""
        ...

    @property
    def partial(self) -> str:
        """The text that has come so far."""
        ...

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``; raises ``ResponseError``."""
        ...

    def close(self) -> tuple[list[Event], Reply]:
        """Return the last events and the reply; raises ``StreamInterrupted``."""
        ...

    def reply(self) -> Reply:
        """Return the reply as far as it has come."""
        ...
