"""What servers that are not Hugging Face's were seen to call their models."""

from __future__ import annotations

from typing import Final

# LM Studio, Cloudflare, gateways that choose by a word before or behind, llama.cpp.
NAMES: Final = (
    "/repository",
    "qwen2.5:7b:x",
    "models/a/b.gguf",
    "qwen3.6-27b@iq4_xs",
    "gemma4-31b-qat@?",
    "@cf/meta/llama-3.1-8b-instruct",
    "openai,gpt-5.1",
    "My Model (1)",
    "hf:zai-org/GLM-4.6",
    "model+lora",
    "org/model:free:nitro",
    "C:\\models\\x.gguf",
    "../x",
    "http://h.example/x?y#z",
    "100%s {model}",
    "通义千问",
)
