"""What stays of a conversation that no longer fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.prompts.history import estimate_tokens, truncate
from bytebuddy_provider_hf.types import ImagePart, Message, Tool, ToolCall

SYSTEM = Message("system", "s")


def asked(text: str) -> Message:
    return Message("user", text)


def told(text: str) -> Message:
    return Message("assistant", text)


def length(text: str) -> int:
    return len(text)


def test_what_fits_is_returned_as_it_is() -> None:
    """Nothing is cut, and the count says so."""
    messages = [SYSTEM, asked("a"), told("b"), asked("c")]
    assert truncate(messages, window=1000, reserve=100) == (tuple(messages), 0)


def test_the_reserve_and_the_last_token_count() -> None:
    """A conversation that fills the window to the last token is whole."""
    messages = [asked("a" * 42), told("b" * 42), asked("c" * 42)]
    assert truncate(messages, window=160, reserve=10, count=length)[1] == 0
    assert truncate(messages, window=159, reserve=10, count=length)[1] == 2
    assert truncate(messages, window=160, reserve=11, count=length)[1] == 2


def test_the_oldest_exchange_after_the_system_message_goes_first() -> None:
    """A question goes with its answer; system and last turn stay."""
    messages = [
        SYSTEM,
        asked("1" * 100),
        told("2" * 100),
        asked("3" * 100),
        told("4" * 100),
        asked("5"),
    ]
    kept, cut = truncate(messages, window=400, reserve=50, count=length)
    assert kept == (SYSTEM, *messages[3:])
    assert cut == 2


def test_a_result_never_loses_its_call() -> None:
    """Call and results go or stay with the question that led to them."""
    call = Message("assistant", tool_calls=(ToolCall("1", "f", "{}"),))
    result = Message("tool", "x" * 100, tool_call_id="1")
    messages = [asked("q"), call, result, told("done"), asked("next")]
    kept, cut = truncate(messages, window=100, reserve=10, count=length)
    assert (kept, cut) == ((asked("next"),), 4)


def test_the_last_turn_keeps_its_calls_and_results() -> None:
    """From what the user asked last to the end."""
    call = Message("assistant", tool_calls=(ToolCall("1", "f", "{}"),))
    result = Message("tool", "x" * 500, tool_call_id="1")
    messages = [asked("old"), told("answer"), asked("q"), call, result]
    kept, cut = truncate(messages, window=100, reserve=10, count=length)
    assert (kept, cut) == ((asked("q"), call, result), 2)


def test_system_and_last_turn_are_returned_even_if_too_long() -> None:
    """The server judges; nothing is cut inside a message."""
    messages = [Message("system", "s" * 500), asked("a"), asked("u" * 500)]
    kept, cut = truncate(messages, window=100, reserve=10, count=length)
    assert (kept, cut) == ((messages[0], messages[2]), 1)


def test_a_later_system_message_stays() -> None:
    """It is still a rule."""
    messages = [asked("1" * 200), SYSTEM, asked("2")]
    kept, _ = truncate(messages, window=100, reserve=10, count=length)
    assert kept == (SYSTEM, asked("2"))


def test_tools_and_images_take_their_room() -> None:
    """What is offered stands in the prompt too."""
    messages = [asked("a" * 50), told("b"), asked("c")]
    tool = Tool("f", "d" * 100, {"type": "object"})
    assert truncate(messages, window=200, reserve=10, count=length)[1] == 0
    assert (
        truncate(messages, window=200, reserve=10, count=length, tools=(tool,))[1] == 2
    )
    seen = [Message("user", (ImagePart("https://x/y.png"),)), told("b"), asked("c")]
    assert truncate(seen, window=200, reserve=10, count=length)[1] == 2


def test_nothing_at_all_is_nothing() -> None:
    """No messages, nothing cut."""
    assert truncate([], window=10, reserve=1) == ((), 0)
    assert truncate([SYSTEM], window=0, reserve=1) == ((SYSTEM,), 0)


@given(
    st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), max_size=12),
    st.integers(0, 400),
)
def test_only_the_middle_goes(roles: list[str], window: int) -> None:
    """The order stays, the last message stays, and the number cut is right."""
    messages = [
        Message(role, f"{place:020}")  # type: ignore[arg-type]  # a name of a role
        for place, role in enumerate(roles)
    ]
    kept, cut = truncate(messages, window=window, reserve=10, count=length)
    assert len(kept) + cut == len(messages)
    assert [m for m in messages if m in kept] == list(kept)
    if messages:
        assert messages[-1] in kept
    assert [m for m in kept if m.role == "system"] == [
        m for m in messages if m.role == "system"
    ]
    gone = [i for i, m in enumerate(messages) if m not in kept]
    spoken = [i for i, m in enumerate(messages) if m.role != "system"]
    assert gone == spoken[: len(gone)]


@pytest.mark.parametrize(
    ("text", "at_least"),
    [
        ("Until you trust it, its settings for headers and proxies are ignored.", 16),
        ("def add(a: int, b: int) -> int:\n    return a + b\n", 21),
        ("从这里可以看到汉字的数量", 13),
        ("1234567890", 10),
        ("d41d8cd98f00b204e9800998ecf8427e", 30),
        ("😀😀😀", 4),
        ("", 0),
    ],
)
def test_the_estimate_is_not_below_a_small_vocabulary(text: str, at_least: int) -> None:
    """At least what Mistral's first one, of 32,000 pieces, makes of it."""
    assert at_least <= estimate_tokens(text) <= 4 * len(text)


@given(st.text(), st.text())
def test_the_estimate_of_two_texts_is_near_their_sum(one: str, two: str) -> None:
    """So that a conversation can be counted message by message."""
    assert (
        abs(estimate_tokens(one + two) - estimate_tokens(one) - estimate_tokens(two))
        <= 8
    )
