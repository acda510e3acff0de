"""Embeddings, rerank and classes as OpenAI-style servers have them.

``/v1/embeddings`` is OpenAI's; ``/v1/rerank`` is Jina's and Cohere's, which llama.cpp,
vLLM and infinity follow; TEI and llama.cpp (when sent ``texts``) answer a rerank with
a bare list, which is read here too. ``/classify`` is infinity's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.failures.malformed import malformed
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.outcomes import (
    Embeddings,
    Features,
    Label,
    Scores,
    Vector,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import NOT_SERVED, Served
from bytebuddy_provider_hf.wire.body_parts import text_list
from bytebuddy_provider_hf.wire.floats import (
    in_order,
    label_groups,
    matrix,
    number,
    of_equal_length,
    vector_from_base64,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest, json_body, v1_url
from bytebuddy_provider_hf.wire.openai_json import (
    UsageBlock,
    reported_cost,
    usage,
)
from bytebuddy_provider_hf.wire.server import ENCODING, TOP_N
from bytebuddy_provider_hf.wire.typed_json import fitted, struct_decoder


class EmbeddingItem(msgspec.Struct):
    """One vector, and the place of its text."""

    # Typed, so that msgspec itself refuses NaN and what is out of range.
    embedding: tuple[float, ...] | str
    index: int | None = None


class EmbeddingsAnswer(msgspec.Struct):
    """A whole answer."""

    data: list[EmbeddingItem] = []
    model: str | None = None
    usage: UsageBlock | None = None


embeddings: Final = struct_decoder(EmbeddingsAnswer)

_RESULTS: Final = ("results", "data")


def build_embeddings(
    texts: Sequence[str],
    target: Target,
    *,
    model: str = "",
    base64: bool = False,
    dimensions: int | None = None,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/v1/embeddings``.

    ``model`` is the server's name for it, where that is not the target's. ``base64``
    asks for vectors in about a third of the bytes; not every server can.
    """
    body: dict[str, object] = {
        "model": model or target.model,
        "input": text_list(texts),
    }
    # Lists of numbers are the default, which every server understands.
    if base64:
        body[ENCODING] = "base64"
    if dimensions is not None:
        body["dimensions"] = dimensions
    body.update(extra or {})
    url = v1_url(target, "/embeddings")
    return HttpRequest(url=url, body=json_body(body), route="embeddings")


def build_rerank(
    query: str,
    documents: Sequence[str],
    target: Target,
    *,
    model: str = "",
    top_n: bool = False,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/v1/rerank``; every document is scored.

    ``top_n`` says how many there are, where a server must be told.
    """
    # What is left out of an answer has no score.
    body: dict[str, object] = {
        "model": model or target.model,
        "query": query,
        "documents": text_list(documents),
    }
    if top_n:
        body[TOP_N] = len(documents)
    body.update(extra or {})
    url = v1_url(target, "/rerank")
    return HttpRequest(url=url, body=json_body(body), route="rerank")


def build_classify(
    texts: Sequence[str],
    target: Target,
    *,
    model: str,
    parameters: Mapping[str, object],
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/classify``; ``model`` is the server's name for it."""
    body: dict[str, object] = {"model": model, "input": text_list(texts), **parameters}
    body.update(extra or {})
    # No server has another route that does the same.
    return HttpRequest(url=v1_url(target, "/classify"), body=json_body(body))


def read_embeddings(data: bytes, *, count: int) -> Embeddings:
    """Return the vectors of ``count`` texts, in the order sent.

    Vectors may be lists or base64, in any order. Raises ``MalformedResponse`` unless
    there is one for each text, finite and all equally long.
    """
    answer = embeddings(data) or EmbeddingsAnswer()
    found: dict[int, Vector] = {}
    for position, item in enumerate(answer.data):
        given = item.embedding
        # A list was decoded typed: its numbers are finite.
        read = vector_from_base64(given) if isinstance(given, str) else given
        if read:
            found[position if item.index is None else item.index] = read
    if not found and (nested := _nested(data, count)):
        return nested
    # Refused whole: a vector at the wrong place would never be noticed. Also where a
    # text has two vectors, or where one was left out above.
    if (
        not found
        or not count == len(found) == len(answer.data)
        or found.keys() != set(range(count))
        or not of_equal_length(found.values())
    ):
        raise malformed(data, text("wire.vectors", count=count))
    return Embeddings(
        tuple(found[place] for place in range(count)),
        model=answer.model or "",
        usage=usage(answer.usage),
        served=_served(data),
    )


def _nested(data: bytes, count: int) -> Embeddings | None:
    """Return vectors that stand in one more list each; of several the mean.

    llama.cpp, started without pooling, and some that follow it give a row for each
    token (llama-cpp-python#1588), or one row in a list.
    """
    value = loads(data)
    items = value.get("data") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(items, list):
        return None
    given: dict[object, Features] = {}
    for position, item in enumerate(items):
        rows = item.get("embedding") if isinstance(item, dict) else None
        # Some put a batch of one round them.
        while isinstance(rows, list) and len(rows) == 1:
            inner = rows[0]
            if not (isinstance(inner, list) and inner and isinstance(inner[0], list)):
                break
            rows = inner
        if (found := matrix(rows)) is not None:
            place = item.get("index")
            given[position if place is None else number(place)] = Features(
                found, pooled=len(found) == 1
            )
    every = [vector for each in given.values() for vector in each.vectors]
    whole = bool(given) and len(items) == count and given.keys() == {*range(count)}
    if not whole or not of_equal_length(every):
        return None
    features = [given[place] for place in range(count)]
    pooled = all(each.pooled for each in features)
    model = value.get("model")
    return Embeddings(
        tuple(each.mean() for each in features),
        model=model if isinstance(model, str) else "",
        usage=usage(fitted(value.get("usage"), UsageBlock)),
        pooling="server" if pooled else "mean",
        notes=() if pooled else (text("wire.token_vectors"),),
    )


def read_rerank(data: bytes, *, count: int) -> Scores:
    """Return the scores of ``count`` documents, in the order sent.

    Raises ``MalformedResponse`` unless each has one, and a finite one.
    """
    value = loads(data)
    found = value if isinstance(value, dict) else {}
    items = next((found[name] for name in _RESULTS if name in found), value)
    scores = in_order(items, count)
    if scores is None:
        raise malformed(data, text("wire.scores", count=count))
    model = found.get("model")
    return Scores(
        scores,
        model=model if isinstance(model, str) else "",
        usage=usage(fitted(found.get("usage"), UsageBlock)),
        served=_served(data),
    )


def read_classify(data: bytes, *, count: int) -> tuple[tuple[Label, ...], ...]:
    """Return the classes of ``count`` texts, in the order sent, best first.

    Raises ``MalformedResponse`` unless each has some.
    """
    value = loads(data)
    found = value.get("data") if isinstance(value, dict) else None
    groups = label_groups(found, count)
    if groups is None:
        raise malformed(data, text("wire.classes", count=count))
    return tuple(
        tuple(sorted(group, key=lambda label: -label.score)) for group in groups
    )


def _served(data: bytes) -> Served:
    cost = reported_cost(data)
    return NOT_SERVED if cost is None else Served(reported_nano_usd=cost)
