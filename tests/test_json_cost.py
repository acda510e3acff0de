"""The rules for judging JSON before it is decoded."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import ResponseTooLarge
from bytebuddy_provider_hf.json_cost import JsonCost, check_json_cost
from bytebuddy_provider_hf.lenient_json import loads

LEAVES = (
    st.none()
    | st.integers(0, 9)
    | st.sampled_from(["", 'a"b', "\\", '\\"', "[{,", "}]é", "\n"])
)
ROWS = st.lists(LEAVES, max_size=3) | st.dictionaries(
    st.sampled_from([",", '"[', "\\"]), LEAVES
)
VALUES = LEAVES | ROWS | st.lists(ROWS, max_size=3)


def counted(value: object) -> int:
    """Return the elements by another way: those of the value that it becomes."""
    if isinstance(value, list):
        return 1 + max(0, len(value) - 1) + sum(map(counted, value))
    if isinstance(value, dict):
        return counted([*value.values()])
    return 0


@given(VALUES, st.booleans(), st.integers(1, 7))
def test_elements_are_counted_exactly_however_they_are_cut(
    value: object, spelled: bool, size: int
) -> None:
    """Brackets and commas in strings are none, escaped quotes end no string."""
    data = json.dumps(value, ensure_ascii=spelled).encode()
    elements = counted(value)

    def judge(most: int) -> None:
        cost = JsonCost(most)
        for at in range(0, len(data), size):
            cost.feed(data[at : at + size])

    judge(elements)
    if elements:
        with pytest.raises(ResponseTooLarge, match=f" {elements - 1} "):
            judge(elements - 1)


def test_a_text_full_of_marks_is_one_value() -> None:
    """An honest answer is no bomb because it speaks of JSON."""
    check_json_cost(json.dumps({"a": '[{,"\\' * 300_000}).encode(), 10)


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'"",', b"1,", b"[", b'"a":{},'])
def test_too_much_is_told_with_the_figure(unit: bytes) -> None:
    """Before anything is decoded."""
    body = b"[" + unit * 300_000
    with pytest.raises(ResponseTooLarge, match=r"100,000|deeper than 200"):
        check_json_cost(body)
    with pytest.raises(ResponseTooLarge):
        loads(body)


def test_lists_and_objects_have_a_bound_of_their_own() -> None:
    """They cost more than numbers, of which a vector has thousands."""
    check_json_cost(b"[" + b"1," * 9_000 + b"1]", 10_000, containers=10)
    with pytest.raises(ResponseTooLarge, match=" 10 "):
        check_json_cost(b"[" + b"[]," * 20, 10_000, containers=10)


def test_what_nests_deeply_is_none() -> None:
    """Brackets in strings nest nothing."""
    assert loads(b"[" * 201 + b"]" * 201) is None
    assert loads(b"[" * 200 + b"]" * 200) is not None
    assert loads(json.dumps(["[{" * 1_000]).encode()) is not None
    with pytest.raises(ResponseTooLarge, match="deeper than 200"):
        check_json_cost(b'{"a":' * 150_000, 140_000)


@pytest.mark.measured
@pytest.mark.parametrize(
    "unit", [b"a", b'\\"', b'"', b'",', b"{},", b"1,", b"[", b"\\\\", b"]"]
)
def test_judging_a_megabyte_takes_no_time(unit: bytes) -> None:
    """Not even where all of it has to be looked at."""
    data = b'["' + unit * (1024 * 1024 // len(unit))

    def judge() -> float:
        began = time.thread_time()
        with pytest.raises(ResponseTooLarge):
            check_json_cost(data + b'",' + b"[]," * 1_000, 999)
        return time.thread_time() - began

    assert min(judge() for _ in range(3)) < 0.1
