"""A request says which route it takes, by the name that a server's routes have."""

from __future__ import annotations

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.types import Message
from bytebuddy_provider_hf.wire import llamacpp, openai, tasks, tei, tgi, vectors

TARGET = resolve("org/name", "https://h.example.com/groq/openai?a=b")
CHAT = openai.ChatRequest((Message("user", "hi"),))
PROMPT = openai.CompletionRequest("text")
INFILL = llamacpp.InfillRequest("a", "b")


@pytest.mark.parametrize("stream", [False, True])
def test_a_stream_takes_the_same_route_as_a_whole_answer(stream: bool) -> None:
    """Chat, completions, TGI's own and llama.cpp's."""
    assert openai.build_chat(CHAT, TARGET, stream=stream).route == "chat"
    assert openai.build_completion(PROMPT, TARGET, stream=stream).route == "completions"
    assert tgi.build_generate(PROMPT, TARGET, stream=stream).route == "generate"
    assert llamacpp.build_infill(INFILL, TARGET, stream=stream).route == "infill"


def test_vectors_and_scores_have_a_route_at_each_server() -> None:
    """The OpenAI-style one and TEI's."""
    assert vectors.build_embeddings(["a"], TARGET).route == "embeddings"
    assert vectors.build_rerank("q", ["a"], TARGET).route == "rerank"
    assert tei.build_embed(["a"], TARGET).route == "embed"
    assert tei.build_rerank("q", ["a"], TARGET).route == "rerank"


def test_what_no_other_route_would_do_names_none() -> None:
    """It fails where it is refused instead of being asked elsewhere."""
    assert tasks.build_pairs("q", ["a"], TARGET).route is None
    assert tei.build_predict(["a"], TARGET).route is None
