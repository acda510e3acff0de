"""A simulated infinity: several models, each with what it can do, at the root.

By infinity_server.py, engine.py and fastapi_schemas/pymodels.py below
libs/infinity_emb/infinity_emb of https://github.com/michaelfeil/infinity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

from attrs import field, frozen
from servers.engines import embeddings_reply, lacks_key, texts_of

from bytebuddy_provider_hf.testing.answers import (
    CREATED,
    json_reply,
    simulated_score,
    simulated_vector,
)
from bytebuddy_provider_hf.testing.behaviour import words
from bytebuddy_provider_hf.testing.failures import (
    detail_error,
    detail_list_error,
    object_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

EMBEDDER: Final = "BAAI/bge-small-en-v1.5"
RERANKER: Final = "mixedbread-ai/mxbai-rerank-xsmall-v1"
CLASSIFIER: Final = "SamLowe/roberta-base-go_emotions"
_ABLE: Final[Mapping[str, str]] = {
    "/embeddings": "embed",
    "/rerank": "rerank",
    "/classify": "classify",
}


@final
@frozen
class FakeInfinity:
    """Simulate infinity. ``models`` has what each can do, as ``/models`` lists it.

    ``prefix`` is its ``--url-prefix``; ``old`` lists no capabilities; ``binary`` packs
    the bits of vectors, which it cannot write as base64; ``busy`` refuses all work.
    """

    models: Mapping[str, Sequence[str]] = field(
        factory=lambda: {
            EMBEDDER: ["embed"],
            RERANKER: ["rerank"],
            CLASSIFIER: ["classify"],
        }
    )
    prefix: str = ""
    api_key: str | None = None
    old: bool = False
    binary: bool = False
    busy: bool = False

    async def __call__(  # noqa: PLR0911 - one for each case
        self, request: FakeRequest
    ) -> FakeReply:
        """Answer one request."""
        path = request.path.removeprefix(self.prefix)
        known = request.path.startswith(self.prefix)
        if request.method == "GET" and request.path == "/health":
            return json_reply({"unix": CREATED})
        if request.path == "/":
            if request.method == "GET":
                return FakeReply(status=307, headers={"location": "/docs"})
            return detail_error(405, "Method Not Allowed")
        if not known or path not in {"/models", *_ABLE}:
            return detail_error(404, "Not Found")
        if lacks_key(request, self.api_key):
            return detail_error(401, "Unauthorized")
        if path == "/models":
            if request.method != "GET":
                return detail_error(405, "Method Not Allowed")
            return self._models()
        if request.method != "POST":
            return detail_error(405, "Method Not Allowed")
        return self._work(path, request)

    def _models(self) -> FakeReply:
        data = []
        for name, able in self.models.items():
            card: dict[str, object] = {
                "id": name,
                "stats": {"queue_fraction": 0.0, "batch_size": 32},
                "object": "model",
                "owned_by": "infinity",
                "created": CREATED,
                "backend": "torch",
            }
            data.append(card if self.old else card | {"capabilities": [*able]})
        return json_reply({"data": data, "object": "list"})

    def _work(self, path: str, request: FakeRequest) -> FakeReply:
        key = "documents" if path == "/rerank" else "input"
        texts = texts_of(request, key)
        listed = path != "/embeddings" and isinstance(request.value(key), str)
        if not texts or listed:
            said = "Input should be a valid list"
            return detail_list_error(422, said, field=key)
        asked = str(request.value("model") or "default/not-specified")
        # Where there is one model, it answers to any name.
        name = next(iter(self.models)) if len(self.models) == 1 else asked
        if name not in self.models:
            said = (
                f"Invalid model: Engine for model name `{asked}` not found. "
                f"Available model names are {[*self.models]}"
            )
            return object_error(400, said, code=400)
        if self.busy:
            return object_error(429, f"model {asked} is currently overloaded", code=429)
        ability = _ABLE[path]
        if ability not in self.models[name]:
            modality = " for modality `text`" if ability == "embed" else ""
            said = (
                f"ModelNotDeployedError: model=`{asked}` does not support `{ability}`"
                f"{modality}. Reason: the loaded moded cannot fullyfill `{ability}`. "
                f"Options are {set(self.models[name])}."
            )
            return object_error(400, said, code=400)
        if ability == "embed":
            if self.binary and request.value("encoding_format") == "base64":
                said = f"InternalServerError: model {name} does not support base64"
                return object_error(500, f"{said} encoding", code=500)
            return embeddings_reply(request, name)
        tokens = sum(len(words(text)) for text in texts)
        body: dict[str, object] = {
            "object": ability,
            "model": name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "id": "infinity-simulated",
            "created": CREATED,
        }
        if ability == "rerank":
            return json_reply(body | {"results": _ranked(request, texts)})
        return json_reply(body | {"data": [_classes(text) for text in texts]})


def _ranked(request: FakeRequest, texts: Sequence[str]) -> list[dict[str, object]]:
    query = str(request.value("query"))
    scores = [(simulated_score(query, text), at) for at, text in enumerate(texts)]
    scores.sort(key=lambda pair: -pair[0])
    return [
        {"relevance_score": score, "index": at, "document": None}
        for score, at in scores
    ]


def _classes(text: str) -> list[dict[str, object]]:
    score = simulated_vector(text)[0] / 2 + 0.5
    found = [{"score": score, "label": "joy"}, {"score": 1 - score, "label": "grief"}]
    return sorted(found, key=lambda item: -float(str(item["score"])))
