"""The rules for decoding: typed or by hand, the same values come out."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.types import ToolCall
from bytebuddy_provider_hf.wire.infill_reply import native
from bytebuddy_provider_hf.wire.openai_json import completion, logprobs, named_call
from bytebuddy_provider_hf.wire.tgi_reply import generation
from bytebuddy_provider_hf.wire.vectors import embeddings

DECODERS: list[Callable[[bytes], object]] = [
    completion,
    generation,
    native,
    embeddings,
]
# Read typed it is refused, so that the rest is picked out by hand.
ODD = b'"odd":NaN,'

CHAT = {
    "id": "c",
    "object": "chat.completion.chunk",
    "model": "m",
    "system_fingerprint": "3.0.1-x",
    "error": None,
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 1},
    },
    "choices": [
        {
            "index": 1,
            "finish_reason": "stop",
            "text": "t",
            "message": {"content": "a", "reasoning": "r", "reasoning_text": "s"},
            "delta": {
                "content": None,
                "reasoning_content": "q",
                "reasoning_details": [{"text": "d"}, {"summary": "e"}],
                "tool_calls": [
                    {
                        "index": 0,
                        "id": 7,
                        "function": {
                            "name": "f",
                            "arguments": {"x": 1},
                            "parameters": "{}",
                        },
                    }
                ],
            },
            "logprobs": {
                "content": [
                    {
                        "token": "a",
                        "logprob": -1.5,
                        "top_logprobs": [{"token": "b", "logprob": -2.5}],
                    }
                ],
                "tokens": ["a"],
                "token_logprobs": [-1.5],
                "top_logprobs": [{"b": -2.5}, None],
            },
        }
    ],
}
TOKEN = {"text": "a", "special": True, "logprob": -0.5}
GENERATION = {
    "token": TOKEN,
    "top_tokens": [TOKEN],
    "generated_text": "a",
    "error_type": "x",
    "details": {
        "finish_reason": "length",
        "generated_tokens": 2,
        "input_length": 3,
        "tokens": [TOKEN],
        "top_tokens": [[TOKEN], []],
    },
}
NATIVE = {
    "content": "a",
    "stop": True,
    "stop_type": "limit",
    "stopped_limit": True,
    "model": "m",
    "tokens_predicted": 2,
    "tokens_evaluated": 3,
    "timings": {"cache_n": 1},
}
VECTORS = {
    "object": "list",
    "model": "m",
    "data": [{"index": 0, "embedding": [0.5, 1.5]}, {"index": 1, "embedding": "AAAA"}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


def plain(value: object) -> object:
    """Return what can be compared: members that were left as they came decoded too."""
    written = msgspec.json.encode(value)
    return json.loads(written.replace(b":,", b":null,").replace(b":}", b":null}"))


@pytest.mark.parametrize(
    ("read", "value"),
    list(zip(DECODERS, (CHAT, GENERATION, NATIVE, VECTORS), strict=True)),
)
def test_by_hand_nothing_is_lost(
    read: Callable[[bytes], object], value: dict[str, object]
) -> None:
    """One number that JSON does not have changes none of the others."""
    body = json.dumps(value).encode()
    typed = plain(read(body))
    assert typed == plain(read(body.replace(b"{", b"{" + ODD, 1)))
    # Every member is one that the typed reading has too.
    assert typed != plain(read(b"{}"))


@pytest.mark.parametrize("read", DECODERS)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_value_or_none(
    read: Callable[[bytes], object], data: bytes
) -> None:
    """No exception leaves."""
    read(data)
    read(b'{"choices":[' + data)


def names_in(value: object) -> set[str]:
    """Return all keys in a value."""
    if isinstance(value, dict):
        return set(value).union(*(names_in(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(names_in(each) for each in value))
    return set()


NAMES = names_in([CHAT, GENERATION, NATIVE, VECTORS])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(NAMES)), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("read", DECODERS)
@given(name=st.sampled_from(sorted(NAMES)), value=VALUES)
def test_a_member_of_any_type_is_a_value_or_none(
    read: Callable[[bytes], object], name: str, value: object
) -> None:
    """A member that is not what it should be is passed over."""
    read(json.dumps({name: value}).encode())
    inside = {
        "choices": [{name: value, "delta": {name: value}}],
        "token": {name: value},
    }
    found = completion(json.dumps(inside).encode())
    assert found is not None
    for choice in found.choices or ():
        list(logprobs(choice.logprobs))
    read(json.dumps({**inside, "details": {name: value}}).encode())


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ('{"function":{"_name":"f","x":1}}</s>', ToolCall("", "f", '{"x": 1}')),
        ('{"function":{"x":1}}', ToolCall("", "", '{"x": 1}')),
        ('{"function":{"x":1},"y":2}', ToolCall("", "", '{"function":{"x":1},"y":2}')),
        ('{"function":"x"}', ToolCall("", "", '{"function":"x"}')),
        ("{", ToolCall("", "", "{")),
        ("[" * 100_000, ToolCall("", "", "[" * 100_000)),
    ],
)
def test_a_call_without_a_name_is_unwrapped(arguments: str, call: ToolCall) -> None:
    """Only what TGI's grammar makes, and nothing is lost of anything else."""
    assert named_call("", "", arguments) == call
    assert named_call("", "g", arguments).arguments == arguments
