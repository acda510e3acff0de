"""What a window leaves for the answer, as pure arithmetic."""

from __future__ import annotations

import pytest
from attrs import evolve

from bytebuddy_provider_hf.client.context_length import guess_prompt, room_for_answer
from bytebuddy_provider_hf.client.knowledge import (
    NOTHING_TOLD,
    WINDOW_AGE,
    Knowledge,
    ServerTokens,
    TokenEstimate,
    server_identity,
)
from bytebuddy_provider_hf.errors import ContextTooLong
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    ImagePart,
    Message,
    TextPart,
    Tool,
    ToolCall,
)
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest

SERVER = Vllm(version=(0, 9), model="m")
EXACT = TokenEstimate(ratio=1.0, overhead=0, longest=10_000)
LARGE = 10_000


def prompt(tokens: int, asked: int | None) -> CompletionRequest:
    return CompletionRequest("abc" * tokens, CompletionOptions(max_tokens=asked))


def known(window: int | None, **more: object) -> Knowledge:
    return Knowledge(SERVER, window=window, **more)  # type: ignore[arg-type]  # its fields


@pytest.mark.parametrize(
    ("tokens", "asked", "window", "lowered"),
    [
        (100, 900, 1_000, None),
        (100, 901, 1_000, 900),
        (100, 10**9, 1_000, 900),
        (100, None, 1_000, None),
        (100, 901, None, None),
        # Near the end of the window, and past it, the server itself counts.
        (950, 900, 1_000, None),
        (5_000, 900, 1_000, None),
    ],
)
def test_it_is_lowered_where_prompt_and_answer_would_exceed(
    tokens: int, asked: int | None, window: int | None, lowered: int | None
) -> None:
    """To what is left, and not by a token where they fit."""
    found = room_for_answer(prompt(tokens, asked), LARGE, known(window, estimate=EXACT))
    assert (None if found is None else found.lowered) == lowered


def test_a_body_of_few_bytes_needs_no_estimate() -> None:
    """No prompt has more tokens than bytes: the usual call costs an addition."""
    assert room_for_answer(prompt(100, 500), 500, known(1_000)) is None


def test_a_guess_alone_does_not_halve_an_answer() -> None:
    """It is to be counted first; once the server counted, its figure is used."""
    request = prompt(700, 900)
    unsure = room_for_answer(request, LARGE, known(1_000))
    assert unsure is not None
    assert (unsure.unsure, unsure.lowered) == (True, None)
    counted = room_for_answer(request, LARGE, known(1_000, prompt_tokens=900))
    assert counted is not None
    assert (counted.unsure, counted.lowered) == (False, 100)
    assert "about" not in counted.note
    trusted = room_for_answer(request, LARGE, known(1_000, estimate=EXACT))
    assert trusted is not None
    assert (trusted.unsure, trusted.lowered) == (False, 300)
    assert "about 700" in trusted.note


def test_a_count_leaves_the_last_token() -> None:
    """What the server counted is exact: one token is an answer, none is not."""
    request = prompt(700, 900)
    last = room_for_answer(request, LARGE, known(1_000, prompt_tokens=999))
    assert last is not None
    assert last.lowered == 1
    none = room_for_answer(request, LARGE, known(1_000, prompt_tokens=1_000))
    assert none is not None
    assert (none.lowered, none.unsure) == (None, False)


def test_images_are_never_trusted() -> None:
    """What one costs is the model's secret: nothing is learned from it either."""
    message = Message("user", (TextPart("a"), ImagePart("https://x/y.png")))
    request = ChatRequest((message,), CompletionOptions(max_tokens=900))
    found = room_for_answer(request, LARGE, known(1_100, estimate=EXACT))
    assert found is not None
    assert found.guess is None
    assert found.unsure


def test_every_part_of_a_prompt_counts() -> None:
    """Texts, calls, tools, files: none is forgotten."""
    text = Message("user", "abc" * 50)
    call = Message("assistant", "", tool_calls=(ToolCall("1", "f", "abc" * 50),))
    tool = Tool("f", "abc" * 50, {"type": "object"})
    parts = Message("user", (TextPart("abc" * 50), ImagePart("https://x/y.png")))
    files = InfillRequest("abc" * 50, "abc" * 50, files=(("p", "abc" * 50),))
    assert guess_prompt(ChatRequest((text,))) > 50
    assert guess_prompt(ChatRequest((call,))) > 50
    assert guess_prompt(ChatRequest((), tools=(tool,))) > 50
    assert guess_prompt(ChatRequest((parts,))) > 1_000
    assert guess_prompt(files) > 150


def refusal(limit: int | None, given: int | None, asked: int | None) -> ContextTooLong:
    error = ContextTooLong("x")
    error.limit, error.given, error.asked = limit, given, asked
    return error


@pytest.mark.parametrize(
    ("limit", "given", "asked", "window", "max_input"),
    [
        (2_048, 100, 4_096, 2_048, None),
        (2_048, 100, None, 2_048, None),
        # vLLM, of a prompt that is too long by itself: still the window.
        (2_048, 3_000, 16, 2_048, None),
        # TGI and llama.cpp, of the prompt alone.
        (1_024, 3_000, None, None, 1_024),
        (None, 100, 4_096, None, None),
        (2_048, None, 4_096, None, None),
    ],
)
def test_a_limit_is_the_windows_or_the_prompts(
    limit: int | None,
    given: int | None,
    asked: int | None,
    window: int | None,
    max_input: int | None,
) -> None:
    """Only what a refusal says is learned; without both figures it says too little."""
    told = NOTHING_TOLD.after_refusal(refusal(limit, given, asked), 90, SERVER, 5.0)
    assert (told.window, told.max_input) == (window, max_input)


def test_a_count_that_stops_at_the_limit_teaches_nothing() -> None:
    """Some servers count no further than one above their limit."""
    told = NOTHING_TOLD.after_refusal(refusal(2_048, 2_049, 16), 9_000, SERVER, 5.0)
    assert told.estimate == NOTHING_TOLD.estimate


def test_what_was_told_holds_for_an_hour_and_for_that_server() -> None:
    """The estimate outlives the hour; another version, model or weights ends all."""
    told = ServerTokens(
        window=1_000, estimate=EXACT, identity=server_identity(SERVER), at=10.0
    )
    assert told.still_valid_for(SERVER, 10.0 + WINDOW_AGE - 1) is told
    later = told.still_valid_for(SERVER, 10.0 + WINDOW_AGE)
    assert (later.window, later.estimate) == (None, EXACT)
    changes = ({"version": (0, 10)}, {"model": "n"}, {"loaded_model": "w"})
    for change in changes:
        assert told.still_valid_for(evolve(SERVER, **change), 11.0) is NOTHING_TOLD
    assert told.still_valid_for(evolve(SERVER, context_length=9), 11.0) is told


def test_a_server_that_does_not_count_is_asked_again_after_an_hour() -> None:
    """It may be another version by then; its window is no younger for that."""
    told = ServerTokens(window=1_000, identity=server_identity(SERVER), at=10.0)
    without = told.without_tokenizer(SERVER, 500.0)
    assert (without.tokenizes, without.at) == (False, 10.0)
    plain = NOTHING_TOLD.without_tokenizer(SERVER, 500.0)
    assert not plain.still_valid_for(SERVER, 501.0).tokenizes
    assert plain.still_valid_for(SERVER, 501.0 + WINDOW_AGE).tokenizes
