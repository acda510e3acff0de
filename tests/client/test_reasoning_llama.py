"""What llama.cpp's own server makes of reasoning, its budget and the prompt's cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.llama import TINY_CHAT

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.testing.llama_server import LocalServer
from bytebuddy_provider_hf.types import CompletionOptions, Reply

# Says, in the prompt, what the server told the template.
_TEMPLATE = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{%- endfor %}"
    "{%- if reasoning_effort is defined %}{{ ' effort' * (30 if reasoning_effort == "
    "'high' else 60) }}{%- endif %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and not enable_thinking %}"
    "{{ ' off' * 90 }}<think></think>{%- endif %}{%- endif %}"
)


def thinking_model(folder: Path) -> Path:
    """Return the tiny model with a template of the same length that tells its part."""
    data = TINY_CHAT.read_bytes()
    key = b"tokenizer.chat_template"
    # Key, type (4 bytes), length (8 bytes), text.
    begin = data.index(key) + len(key) + 12
    length = int.from_bytes(data[begin - 8 : begin], "little")
    told = _TEMPLATE.encode()
    padded = told + b"{#" + b" " * (length - len(told) - 4) + b"#}"
    path = folder / "thinking.gguf"
    path.write_bytes(data[:begin] + padded + data[begin + length :])
    return path


def prompt_tokens(reply: Reply) -> int:
    assert reply.usage
    return reply.usage.prompt_tokens


def local(url: str) -> HuggingFaceModel:
    return open_model("tiny-chat", api_base=url, env={})


@pytest.mark.asyncio
async def test_the_template_is_told_of_switch_and_effort(
    xllamacpp: None, tmp_path: Path
) -> None:
    """The prompt grows by what the template writes for each, and only then."""
    server = LocalServer(thinking_model(tmp_path), threads=1)
    asked: list[CompletionOptions] = [
        CompletionOptions(max_tokens=1, reasoning=True),
        CompletionOptions(max_tokens=1, reasoning=False),
        CompletionOptions(max_tokens=1, reasoning_effort="none"),
        CompletionOptions(max_tokens=1, reasoning_effort="high"),
        CompletionOptions(max_tokens=1, reasoning_effort="low"),
        CompletionOptions(max_tokens=1, reasoning_budget_tokens=5),
    ]
    async with server, local(server.url) as model:
        await server.wait_ready()
        replies = [await model.chat("hi", options=options) for options in asked]
    on, off, none, high, low, _ = replies
    assert prompt_tokens(off) == prompt_tokens(none) > prompt_tokens(on) + 80
    assert prompt_tokens(low) > prompt_tokens(high)
    named = [n for reply in replies for n in reply.notes if n.startswith("reasoning")]
    assert len(named) == 1
    assert "is sent as thinking_budget_tokens" in named[0]


@pytest.mark.asyncio
async def test_prompt_caching_is_llama_cpp_s_to_do_or_not(llama: str) -> None:
    """Switched off, nothing is taken from the cache; chat and raw prompt alike."""
    prompt = "one two three four five six seven eight nine ten"
    async with local(llama) as model:
        for ask in (model.chat, model.complete):
            cached = {}
            for wanted in (True, True, False):
                options = CompletionOptions(max_tokens=1, prompt_caching=wanted, seed=1)
                reply = await ask(prompt, options=options)
                assert reply.notes == ()
                assert reply.usage
                cached[wanted] = reply.usage.cached_tokens
            assert (cached[True] or 0) > 5
            assert not cached[False]
