"""Token counts: by any of their names, kept once known, none where none were told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.types import Usage
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

DONE = b"data: [DONE]\n\n"
REAL = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def read(*blocks: object) -> Usage | None:
    """Return the counts of a stream that tells these, one after the other."""
    decoder = OpenAIStream(model="m")
    said = {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}
    for chunk in (said, *({"choices": [], "usage": block} for block in blocks)):
        decoder.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    decoder.feed(DONE)
    return decoder.reply().usage


@pytest.mark.parametrize(
    ("block", "usage"),
    [
        (REAL, Usage(5, 6, 11)),
        ({"input_tokens": 5, "output_tokens": 6}, Usage(5, 6, 11)),
        ({"prompt_tokens": "5", "completion_tokens": "6"}, Usage(5, 6, 11)),
        ({"prompt_tokens": 5.0, "completion_tokens": 6}, Usage(5, 6, 11)),
        ({"prompt_tokens": 5, "total_tokens": 11}, Usage(5, None, 11)),
        ({"completion_tokens": 6}, Usage(None, 6, None)),
        ({"prompt_tokens": 5, "completion_tokens": 0}, Usage(5, 0, 5)),
        ({**REAL, "cached_tokens": 3}, Usage(5, 6, 11, 3)),
        ({**REAL, "prompt_cache_hit_tokens": 3}, Usage(5, 6, 11, 3)),
        ({**REAL, "cache_read_input_tokens": 3}, Usage(5, 6, 11, 3)),
        ({**REAL, "prompt_tokens_details": {"cached_tokens": 3}}, Usage(5, 6, 11, 3)),
        ({**REAL, "cached_tokens": 0}, Usage(5, 6, 11, 0)),
        (
            {**REAL, "completion_tokens_details": {"reasoning_tokens": 4}},
            Usage(5, 6, 11, None, 4),
        ),
        ({**REAL, "reasoning_tokens": 4}, Usage(5, 6, 11, None, 4)),
        # A block without a count is none, not zero.
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 10**400}, None),
        ({"prompt_tokens": -5}, None),
        ({"prompt_tokens": None}, None),
        ({"prompt_tokens": "many", "completion_tokens": [6]}, None),
        (None, None),
        ("5", None),
    ],
)
def test_counts_are_read_by_any_name(block: object, usage: Usage | None) -> None:
    """As numbers or text; what is not told is not known."""
    assert read(block) == usage


@pytest.mark.parametrize(
    "later",
    [
        {},
        None,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5},
        {"completion_tokens": 6},
    ],
)
def test_what_is_known_is_kept(later: object) -> None:
    """openai-agents-js#1474: zeros and empty blocks change nothing."""
    assert read(REAL, later) == Usage(5, 6, 11)


def test_counts_that_grow_are_the_last_ones() -> None:
    """VLLM's continuous_usage_stats tells them with each chunk."""
    blocks = [
        {"prompt_tokens": 5, "completion_tokens": said, "total_tokens": 5 + said}
        for said in (0, 1, 2, 6)
    ]
    assert read(*blocks) == Usage(5, 6, 11)


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [{"delta": {}, "usage": REAL}]},
        {"choices": [{"delta": {}}], "x_groq": {"id": "r", "usage": REAL}},
    ],
)
def test_counts_are_found_where_some_put_them(chunk: object) -> None:
    """In the choice (Moonshot), in a member of its own (Groq)."""
    end = {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}
    stream = b"".join(
        b"data: " + json.dumps(each).encode() + b"\n\n" for each in (chunk, end)
    )
    assert OpenAIStream(model="m").whole(stream + DONE).usage == Usage(5, 6, 11)


COUNTS = st.none() | st.integers(0, 9)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=5))
def test_no_known_count_becomes_less_than_told(
    blocks: list[tuple[int | None, int | None, int | None]],
) -> None:
    """Of any blocks: a count that was told is never lost to an empty one."""
    names = ("prompt_tokens", "completion_tokens", "cached_tokens")
    usage = read(*(dict(zip(names, block, strict=True)) for block in blocks))
    told = [
        [count for count in column if count] for column in zip(*blocks, strict=True)
    ]
    if usage is None:
        assert not any(told[:2])
        return
    for count, given_counts in zip(
        (usage.prompt_tokens, usage.completion_tokens), told, strict=False
    ):
        assert not given_counts or count == given_counts[-1]


def test_sums_know_only_what_all_tell() -> None:
    """Of several batches; one that was not counted makes the sum unknown."""
    assert Usage.total([Usage(1, 2, 3, 1), Usage(4, 5, 9)]) == Usage(5, 7, 12)
    assert Usage.total([Usage(1, 2, 3), None]) is None
    assert Usage.total([]) is None
