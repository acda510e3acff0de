"""A simulated text-embeddings-inference, of before and after version 1.9."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, final

from attrs import frozen
from servers.engines import EMBEDDINGS, embeddings_reply, lacks_key, texts_of

from bytebuddy_provider_hf.testing.answers import (
    MODEL,
    json_reply,
    simulated_score,
    simulated_vector,
)
from bytebuddy_provider_hf.testing.behaviour import words
from bytebuddy_provider_hf.testing.failures import string_error, text_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

Kind: TypeAlias = Literal["embedding", "reranker", "classifier"]

# From here on what does not validate is a 422; before, a 413.
_NEW: Final = (1, 9)
_STATUS: Final = {
    "Unhealthy": 503,
    "Backend": 424,
    "Overloaded": 429,
    "Tokenizer": 422,
    "Empty": 400,
}
_ROUTES: Final = frozenset({"/", "/embed", "/rerank", "/predict", EMBEDDINGS})
_USUAL: Final[dict[Kind, str]] = {
    "embedding": "/embed",
    "reranker": "/rerank",
    "classifier": "/predict",
}
_SENTENCES: Final = {
    "/embed": "Backend error: Model is not an embedding model",
    EMBEDDINGS: "Backend error: Model is not an embedding model",
    "/rerank": "Backend error: model is not a re-ranker model",
    "/predict": "Backend error: model is not a classifier model",
}


@final
@frozen
class FakeTei:
    """Simulate TEI. ``max_input`` counts words; ``busy`` refuses all work."""

    kind: Kind = "embedding"
    version: tuple[int, int, int] = (1, 9, 3)
    model: str = MODEL
    max_batch: int = 32
    max_input: int = 512
    auto_truncate: bool = True
    api_key: str | None = None
    busy: bool = False

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        if request.method == "GET":
            return self._get(request.path)
        if request.path not in _ROUTES:
            return FakeReply(status=404)
        if lacks_key(request, self.api_key):
            return FakeReply(status=401)
        if not isinstance(request.json, dict):
            said = "Failed to parse the request body as JSON"
            return text_error(400, said)
        route = _USUAL[self.kind] if request.path == "/" else request.path
        openai = route == EMBEDDINGS
        if self.busy:
            return self._error("Overloaded", "Model is overloaded", openai=openai)
        if route not in self._served():
            return self._error("Backend", _SENTENCES[route], openai=openai)
        return self._answer(route, request)

    def _served(self) -> frozenset[str]:
        usual = _USUAL[self.kind]
        return frozenset({usual, EMBEDDINGS} if usual == "/embed" else {usual})

    def _get(self, path: str) -> FakeReply:
        if path in {"/", "/health", "/ping"}:
            return FakeReply()
        if path != "/info":
            return FakeReply(status=404)
        kinds: dict[Kind, object] = {
            "embedding": {"pooling": "mean"},
            "reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}},
            "classifier": {"id2label": {"0": "NO", "1": "YES"}, "label2id": {}},
        }
        return json_reply(
            {
                "model_id": self.model,
                "model_sha": None,
                "model_dtype": "float32",
                "model_type": {self.kind: kinds[self.kind]},
                "max_concurrent_requests": 512,
                "max_input_length": self.max_input,
                "max_batch_tokens": 16_384,
                "max_batch_requests": None,
                "max_client_batch_size": self.max_batch,
                "auto_truncate": self.auto_truncate,
                "tokenization_workers": 1,
                "version": ".".join(map(str, self.version)),
                "sha": None,
                "docker_label": None,
            }
        )

    def _answer(self, route: str, request: FakeRequest) -> FakeReply:
        openai = route == EMBEDDINGS
        key = {EMBEDDINGS: "input", "/rerank": "texts"}.get(route, "inputs")
        texts = texts_of(request, key)
        if route == "/predict":
            texts = _sequences(request.value("inputs"))
        if texts is None:
            mistyped = f"Failed to deserialize the JSON body: {key}: invalid type"
            return text_error(422, mistyped)
        if not texts:
            return self._error("Empty", f"`{key}` cannot be empty", openai=openai)
        said = self._invalid(texts, truncate=request.value("truncate"))
        if said is not None:
            return self._error("Validation", said, openai=openai)
        if openai:
            return embeddings_reply(request, self.model)
        if route == "/embed":
            return json_reply([simulated_vector(text) for text in texts])
        if route == "/rerank":
            return _ranked(request, texts)
        labels = [_labels(text) for text in texts]
        batch = request.value("inputs")
        nested = isinstance(batch, list) and batch and isinstance(batch[0], list)
        return json_reply(labels if nested else labels[0])

    def _invalid(self, texts: Sequence[str], *, truncate: object) -> str | None:
        if len(texts) > self.max_batch:
            return (
                f"batch size {len(texts)} > maximum allowed batch size {self.max_batch}"
            )
        longest = max(len(words(text)) for text in texts)
        cuts = truncate if isinstance(truncate, bool) else self.auto_truncate
        if longest > self.max_input and not cuts:
            return (
                f"`inputs` must have less than {self.max_input} tokens. "
                f"Given: {longest}"
            )
        return None

    def _error(self, kind: str, said: str, *, openai: bool) -> FakeReply:
        old = self.version < _NEW
        status = _STATUS.get(kind, 413 if old else 422)
        if openai:
            body = {"message": said, "code": status, "type": kind}
            return json_reply(body, status=status)
        return string_error(status, said, error_type=kind)


def _sequences(value: object) -> list[str] | None:
    """Return each input as one text: a list of texts is one input, a pair."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    batch = value if value and isinstance(value[0], list) else [value]
    if not all(isinstance(text, str) for one in batch for text in one):
        return None
    return [" ".join(one) for one in batch]


def _labels(text: str) -> list[dict[str, object]]:
    score = simulated_vector(text)[0] / 2 + 0.5
    found = [{"score": score, "label": "YES"}, {"score": 1 - score, "label": "NO"}]
    return sorted(found, key=lambda item: -float(str(item["score"])))


def _ranked(request: FakeRequest, texts: Sequence[str]) -> FakeReply:
    query = request.value("query")
    if not isinstance(query, str):
        return text_error(422, "Failed to deserialize the JSON body: missing `query`")
    scores = [(simulated_score(query, text), at) for at, text in enumerate(texts)]
    scores.sort(key=lambda pair: -pair[0])
    shown = request.value("return_text") is True
    return json_reply(
        [
            {"index": at, "score": score, **({"text": texts[at]} if shown else {})}
            for score, at in scores
        ]
    )
