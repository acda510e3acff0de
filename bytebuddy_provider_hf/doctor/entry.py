"""What is said of one class of errors, in one language."""

from __future__ import annotations

from typing import NamedTuple

from bytebuddy_provider_hf.wire.remedies import Step


class Words(NamedTuple):
    """A title of a few words, a sentence of meaning, and the next steps.

    A step is a row of alternatives, as in ``wire.remedies``. In English the first
    step of an error is its own hint, so the steps here are further ones.
    """

    title: str
    meaning: str
    steps: tuple[Step, ...] = ()
