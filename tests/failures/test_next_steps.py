"""What to do about a failure: the steps and the classes agree."""

from __future__ import annotations

import pytest

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.failures.next_steps import not_served_model
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
    tells = any("{served_by}" in alternative for alternative in row_of(kind).hint)
    error = kind("no")
    assert not_served_model(error) is None
    error.model, error.host_kind = "org/name:groq", HostKind.ROUTER.value
    assert not_served_model(error) == ("org/name" if tells else None)
    error.host_kind = HostKind.OTHER.value
    assert not_served_model(error) is None
