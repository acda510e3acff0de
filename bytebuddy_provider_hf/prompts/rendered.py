"""A prompt made of data: what a template, a family or a role renders."""

from __future__ import annotations

from attrs import frozen


@frozen
class Rendered:
    """A raw prompt, and what belongs to it.

    ``stops`` are texts that end the answer, the family's own first. ``notes`` tells,
    one sentence each, what the caller should know about the rendering.
    """

    prompt: str
    stops: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
