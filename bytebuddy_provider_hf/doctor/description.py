"""What is said of one class of errors, in one language."""

from __future__ import annotations

from typing import NamedTuple

from bytebuddy_provider_hf.failures.next_steps import Alternatives


class ErrorDescription(NamedTuple):
    """A title of a few words, a sentence of meaning, and the next steps.

    A step is a row of alternatives, as in ``failures.next_steps``. In English the first
    step of an error is its own hint, so the steps here are further ones.
    """

    title: str
    meaning: str
    steps: tuple[Alternatives, ...] = ()
