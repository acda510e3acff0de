"""Ledger and bill side by side: what is settled or pending, and why they differ."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.client.bill_comparison import (
    Cause,
    compare,
    compared_session,
    total_of,
)
from bytebuddy_provider_hf.hub.billing import Bill, SessionBill
from bytebuddy_provider_hf.storage.session_usage import SessionUsage

ROUTER = "https://router.huggingface.co"
USED = SessionUsage(
    identity="ab",
    bill_to="",
    origin=ROUTER,
    session="s",
    model="org/name",
    provider="groq",
    unpriced="",
    answered=4,
    young=0,
    unseen=0,
    cut=0,
    estimated=4_000_000,
    ceilings=0,
    reported=None,
)
LINE = SessionBill("s", 4_000_000, 4)
UNPRICED = evolve(USED, estimated=None, answered=2)


def causes(
    *used: SessionUsage, bill: Bill, lines: tuple[SessionBill, ...]
) -> list[str]:
    return [each.cause for each in compare("ann", used, bill, lines).differences]


def test_what_the_bill_has_is_settled() -> None:
    """Same calls, same amount: nothing differs."""
    found = compare("ann", [USED], Bill(used=4_000_000, requests=4), [LINE])
    (session,) = found.sessions
    assert (session.billed, session.settled, session.calls) == (4_000_000, 4, 4)
    assert not found.differences


def test_a_session_over_two_months_is_one() -> None:
    """The bill groups by month: its parts are added up."""
    half = SessionBill("s", 2_000_000, 2)
    bill = Bill(used=4_000_000, requests=4)
    (session,) = compare("ann", [USED], bill, [half, half]).sessions
    assert (session.billed, session.billed_calls) == (4_000_000, 4)


@pytest.mark.parametrize(
    ("used", "cost", "requests", "cause"),
    [
        (evolve(USED, ceilings=4), 1_000_000, 4, "cached tokens"),
        (evolve(UNPRICED, unpriced="compute time"), 9, 2, "compute time"),
        (evolve(UNPRICED, unpriced="answer cut", cut=2), 9, 2, "answer cut"),
        (evolve(UNPRICED, unpriced="no price"), 9, 2, "no estimate"),
        (evolve(USED, unseen=1), 5_000_000, 5, "answer cut"),
        (USED, 5_000_000, 5, "other programs"),
        (USED, 0, 4, "not charged"),
        (USED, 8_000_000, 4, "other price"),
        (USED, 3_000_000, 3, "not in the bill"),
    ],
)
def test_a_difference_has_its_cause(
    used: SessionUsage, cost: int, requests: int, cause: Cause
) -> None:
    """The sentence names the model, the session, both amounts and the reason."""
    bill, line = Bill(used=cost, requests=requests), SessionBill("s", cost, requests)
    (found,) = compare("ann", [used], bill, [line]).differences
    assert (found.cause, found.session, found.models) == (cause, "s", ("org/name",))
    assert "org/name" in found.said
    if cause != "not in the bill":
        assert found.amount == cost - (used.estimated or 0)
        assert "session s" in found.said


def test_a_tenth_of_a_percent_is_rounding() -> None:
    """And a nano-USD for each call, which either side may round."""
    for cost in (4_004_004, 3_995_996):
        line = SessionBill("s", cost, 4)
        assert not causes(USED, bill=Bill(used=cost, requests=4), lines=(line,))


def test_young_calls_are_pending_and_not_nothing() -> None:
    """Their placeholder stands at $0: no amount is taken from it."""
    young = evolve(USED, young=4)
    line = SessionBill("s", 0, 4)
    found = compare("ann", [young], Bill(used=0, requests=4), [line])
    (session,) = found.sessions
    assert (session.billed, session.settled, session.pending) == (None, 0, 4)
    (difference,) = found.differences
    assert (difference.cause, difference.amount) == ("pending", None)


def test_young_calls_on_a_bill_that_is_whole_are_settled() -> None:
    """Every call is there, at the price that was expected: nothing is to come."""
    (session,) = compare(
        "ann", [evolve(USED, young=4)], Bill(used=4_000_000, requests=4), [LINE]
    ).sessions
    assert (session.billed, session.settled, session.pending) == (4_000_000, 4, 0)


def test_of_a_session_that_goes_on_the_older_calls_are_settled() -> None:
    """The amount so far is told, the young calls are pending beside it."""
    line = SessionBill("s", 3_000_000, 4)
    (session,) = compare(
        "ann", [evolve(USED, young=1)], Bill(used=3_000_000, requests=4), [line]
    ).sessions
    assert (session.billed, session.settled, session.pending) == (3_000_000, 3, 1)


def test_what_is_not_in_the_bill_is_told() -> None:
    """With an estimate it is unmatched, without one unpriced: never $0."""
    cut = evolve(USED, unpriced="answer cut", estimated=None, answered=1)
    found = compare("ann", [USED, cut], Bill(used=0, requests=0), [])
    (session,) = found.sessions
    assert session.billed is None
    assert (session.unmatched, session.unpriced) == (4, {"answer cut": 1})
    assert [each.cause for each in found.differences] == ["not in the bill"]


def test_calls_without_a_session_are_the_rest_of_the_bill() -> None:
    """Where nobody else sent any, the rest is theirs."""
    plain = evolve(USED, session="")
    bill = Bill(used=8_000_000, requests=8)
    found = compare("ann", [USED, plain], bill, [LINE])
    assert [each.billed for each in found.sessions] == [4_000_000, 4_000_000]
    assert not found.differences


def test_calls_without_a_session_beside_those_of_others() -> None:
    """They cannot be told apart, and nobody guesses."""
    plain = evolve(USED, session="")
    found = compare("ann", [plain], Bill(used=9_000_000, requests=9), [])
    (session,) = found.sessions
    assert (session.billed, session.billed_calls, session.unmatched) == (None, None, 4)
    assert [each.cause for each in found.differences] == ["no session"]


def test_other_programs_are_named_with_their_sum() -> None:
    """What the bill has beyond our sessions."""
    other = SessionBill("theirs", 5_000_000, 2)
    bill = Bill(used=9_000_000, requests=6)
    (found,) = compare("ann", [USED], bill, [LINE, other]).differences
    assert (found.cause, found.calls, found.amount) == ("other programs", 2, 5_000_000)
    assert "ann" in found.said


def test_without_a_bill_nothing_differs() -> None:
    """The estimate stands alone, and is not called settled."""
    found = compare("ann", [USED], None, [])
    assert (found.sessions[0].settled, found.sessions[0].unmatched) == (0, 4)
    assert not found.differences


def test_one_sentence_for_the_sessions_of_a_model_that_differ_alike() -> None:
    """Ten thousand sessions with cached tokens are one difference a model."""
    used = [
        evolve(USED, session=f"s{each}", model=f"org/{each % 2}", ceilings=1)
        for each in range(100)
    ]
    lines = [SessionBill(each.session, 1_000_000, 4) for each in used]
    bill = Bill(used=100_000_000, requests=400)
    found = compare("ann", used, bill, lines).differences
    assert [(each.cause, each.models, each.calls) for each in found] == [
        ("cached tokens", ("org/0",), 200),
        ("cached tokens", ("org/1",), 200),
    ]
    assert found[0].amount == 50 * (1_000_000 - 4_000_000)


def test_totals_never_take_the_unknown_for_nothing() -> None:
    """The sum of what is known; ``None`` where nothing is."""
    found = compare("ann", [USED], Bill(used=0, requests=0), [])
    total = total_of(found.sessions)
    assert (total.estimated, total.billed, total.reported) == (4_000_000, None, None)
    assert total_of([]).estimated is None


COUNT = st.integers(0, 5)
MONEY = st.none() | st.integers(0, 10**7)


@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(["", "answer cut", "no price"]), COUNT, COUNT, COUNT, MONEY
        ),
        min_size=1,
        max_size=4,
    ),
    line=st.none() | st.tuples(MONEY, st.none() | st.integers(0, 20)),
)
def test_each_call_is_exactly_one_thing(
    parts: list[tuple[str, int, int, int, int | None]],
    line: tuple[int | None, int | None] | None,
) -> None:
    """Settled, pending, unpriced or unmatched: none is lost, none counted twice."""
    used = [
        evolve(
            USED,
            unpriced=unpriced,
            answered=answered,
            young=min(young, answered),
            unseen=unseen,
            estimated=estimated,
        )
        for unpriced, answered, young, unseen, estimated in parts
    ]
    billed = None if line is None else SessionBill("s", *line)
    found = compared_session("ann", used, billed)
    counts = (found.settled, found.pending, found.unmatched, *found.unpriced.values())
    assert sum(counts) == found.calls == sum(each.answered for each in used)
    assert min(counts) >= 0
