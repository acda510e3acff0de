"""What to do about a failure: the steps and the classes agree."""

from __future__ import annotations

import pytest
from failures.test_table import every_class

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.failures.next_steps import (
    general_step,
    not_served_model,
    steps_of,
)
from bytebuddy_provider_hf.failures.table import row_of

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.APIError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_who_serves_a_model_is_asked_where_a_step_can_tell_it(
    kind: type[errors.APIError],
) -> None:
    """Only there, and only of Hugging Face's shared services."""
    tells = any("{served_by}" in alternative for alternative in row_of(kind).en.hint)
    error = kind("no")
    assert not_served_model(error) is None
    error.model, error.host_kind = "org/name:groq", HostKind.ROUTER.value
    assert not_served_model(error) == ("org/name" if tells else None)
    error.host_kind = HostKind.OTHER.value
    assert not_served_model(error) is None


@pytest.mark.parametrize("kind", [*every_class()], ids=lambda kind: kind.__name__)
def test_every_class_has_a_step_without_a_hint_of_its_own(
    kind: type[errors.ByteBuddyError],
) -> None:
    """Whoever raises one need not say what its row says already."""
    error = kind.__new__(kind)
    errors.ByteBuddyError.__init__(error, "no")
    assert general_step(error)
    # A fact of the failure, such as a variable's name, may lead to more.
    assert [*steps_of(row_of(kind), {"variable": "X"})]


def test_what_an_event_stands_for_says_what_to_do() -> None:
    """An error inside a stream has the step of the answer it would have been."""
    error, cause = (
        errors.StreamFailed("no"),
        errors.ContextTooLong("no", hint="Cut it."),
    )
    error.__cause__ = cause
    assert general_step(error) == "Cut it."
    assert general_step(errors.StreamFailed("no")).startswith("Try again")
