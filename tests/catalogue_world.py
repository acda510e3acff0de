"""Hugging Face as the catalogue's tests meet it: the router, the Hub, and cards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from attrs import define, field

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

LLAMA: Final = "meta-llama/Llama-3.3-70B-Instruct"
QWEN: Final = "Qwen/Qwen3-Coder-480B-A35B-Instruct"
SMALL: Final = "Qwen/Qwen3-4B-Instruct-2507"
OLD: Final = "meta-llama/Meta-Llama-3.3-70B-Instruct"
MASK: Final = "FacebookAI/xlm-roberta-base"
GONE: Final = "meta-llama/Llama-2-70b-chat-hf"


def offer(provider: str, **told: object) -> dict[str, object]:
    return {"provider": provider, "status": "live", "is_model_author": False, **told}


# In the form of https://router.huggingface.co/v1/models (hub-api.md of hub-docs).
ROUTER_MODELS: Final = {
    LLAMA: [
        offer(
            "groq",
            context_length=131072,
            pricing={"input": 0.59, "output": 0.79},
            supports_tools=True,
            supports_structured_output=False,
            first_token_latency_ms=210,
            throughput=276.4,
        ),
        offer(
            "novita",
            context_length=131072,
            pricing={"input": 0.135, "output": 0.4},
            supports_tools=True,
            supports_structured_output=True,
            first_token_latency_ms=1490,
            throughput=24.7,
        ),
        offer("featherless-ai"),
        {"provider": "sambanova", "status": "error"},
    ],
    QWEN: [
        offer(
            "together",
            context_length=262144,
            pricing={"input": 2, "output": 2},
            supports_tools=True,
            supports_structured_output=True,
            first_token_latency_ms=611,
            throughput=40.1,
        )
    ],
    SMALL: [
        offer(
            "nscale",
            context_length=262144,
            pricing={"input": 0.01, "output": 0.03},
            first_token_latency_ms=120,
            throughput=90,
        )
    ],
}
HUB_MODELS: Final[dict[str, dict[str, object]]] = {
    LLAMA: {
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
        "gated": "manual",
        "likes": 2531,
        "downloads": 612345,
        "lastModified": "2024-12-21T18:28:01.000Z",
        "inference": "warm",
        "tags": ["transformers", "llama-3", "conversational", "license:llama3.3"],
        "cardData": {
            "license": "llama3.3",
            "language": ["en", "fr", "it", "pt", "hi", "es", "th", "de"],
            "base_model": ["meta-llama/Llama-3.1-70B"],
        },
        "safetensors": {"parameters": {"BF16": 70553706496}, "total": 70553706496},
    },
    QWEN: {
        "pipeline_tag": "text-generation",
        "gated": False,
        "likes": 1204,
        "downloads": 40000,
        "tags": ["conversational", "license:apache-2.0"],
        "cardData": {"license": "apache-2.0"},
    },
    SMALL: {
        "pipeline_tag": "text-generation",
        "gated": False,
        "likes": 401,
        "tags": ["conversational"],
        "cardData": {"license": "apache-2.0", "language": "en"},
        "safetensors": {"total": 4022468096},
    },
    MASK: {
        "pipeline_tag": "fill-mask",
        "gated": False,
        "likes": 700,
        "tags": ["multilingual"],
        "cardData": {"license": "mit", "language": ["multilingual", "de", "zh"]},
        "safetensors": {"total": 278295186},
        "inferenceProviderMapping": [
            {
                "provider": "hf-inference",
                "providerId": MASK,
                "status": "live",
                "task": "fill-mask",
            }
        ],
    },
    GONE: {
        "pipeline_tag": "text-generation",
        "gated": "auto",
        "likes": 2200,
        "tags": ["llama-2"],
        "cardData": {"license": "llama2", "language": ["en"]},
        "safetensors": {"total": 68976648192},
    },
    "nobody/llama-finetune": {"pipeline_tag": "text-generation", "likes": 3},
}
CARD: Final = """---
license: llama3.3
---
# Llama 3.3

[![badge](https://x.example/b.svg)](https://x.example)

The **Llama 3.3** model is an instruction tuned generative model in 70B (text in,
text out), made for [multilingual dialogue](https://x.example) and better than many.

## Ethical Considerations and Limitations

The core values are openness and helpfulness; testing has been in English mostly.

- It may produce inaccurate, biased or other objectionable answers.

```python
print("code is no limitation")
```

## Usage

Unrelated.
"""


@define(eq=False)
class HuggingFace:
    """Answer as the router and the Hub, a token never; ``asked`` are all questions.

    ``down`` names hosts that do not answer.
    """

    models: Mapping[str, list[dict[str, object]]] = field(
        factory=lambda: dict(ROUTER_MODELS)
    )
    hub: Mapping[str, dict[str, object]] = field(factory=lambda: dict(HUB_MODELS))
    card: str = CARD
    page_size: int = 100
    is_down: bool = False
    asked: list[str] = field(factory=list)

    async def __call__(self, request: FakeRequest) -> FakeReply:
        assert "authorization" not in request.headers
        path = request.path
        self.asked.append(path)
        if self.is_down:
            return FakeReply(dropped=True)
        if path == "/v1/models":
            return json_reply(
                {"object": "list", "data": [self._routed(each) for each in self.models]}
            )
        if path.startswith("/v1/models/"):
            name = path.removeprefix("/v1/models/")
            if name in self.models:
                return json_reply(self._routed(name))
            return json_reply({"error": "not found"}, status=404)
        if path == "/api/models":
            return self._list(request.query)
        if path.startswith("/api/models/"):
            return self._model(path.removeprefix("/api/models/"))
        if path.endswith("/raw/main/README.md"):
            return FakeReply(200, {"content-type": "text/plain"}, self.card.encode())
        return json_reply({}, status=404)

    def _routed(self, name: str) -> dict[str, object]:
        made = {"input_modalities": ["text"], "output_modalities": ["text"]}
        owner = name.partition("/")[0]
        return {
            "id": name,
            "object": "model",
            "owned_by": owner,
            "architecture": made,
            "providers": self.models[name],
        }

    def _model(self, name: str) -> FakeReply:
        if name == OLD:
            where = {"location": f"/api/models/{LLAMA}"}
            return FakeReply(307, where, b"Temporary Redirect")
        if name not in self.hub:
            return json_reply({"error": "Repository not found"}, status=401)
        return json_reply({"id": name, **self.hub[name]})

    def _list(self, said: Mapping[str, str]) -> FakeReply:
        words = said.get("search", "").lower().split()
        task = said.get("pipeline_tag", "")
        found = [
            {"id": name, **facts}
            for name, facts in self.hub.items()
            if all(word in name.lower() for word in words)
            and task in ("", facts["pipeline_tag"])
            and (
                "inference_provider" not in said
                or name in self.models
                or "inferenceProviderMapping" in facts
            )
        ]
        start = int(said.get("cursor", "0"))
        page = found[start : start + self.page_size]
        headers = {"content-type": "application/json"}
        if start + self.page_size < len(found):
            more = {**said, "cursor": str(start + self.page_size)}
            headers["link"] = f'<{HUB}/api/models?{urlencode(more)}>; rel="next"'
        return FakeReply(200, headers, json.dumps(page).encode())
