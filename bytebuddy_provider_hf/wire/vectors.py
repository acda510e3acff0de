"""Embeddings, rerank and classes as OpenAI-style servers have them.

``/v1/embeddings`` is OpenAI's; ``/v1/rerank`` is Jina's and Cohere's, which llama.cpp,
vLLM and infinity follow; TEI and llama.cpp (when sent ``texts``) answer a rerank with
a bare list, which is read here too. ``/classify`` is infinity's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from bytebuddy_provider_hf.wire.steps import (
    AT_ONCE,
    Steps,
    at_once,
    read_items,
    scores_bound,
)
from bytebuddy_provider_hf.wire.typed_json import (
    MOST_LENIENT,
    UNDECODED,
    fitted,
    struct_decoder,
)


class EmbeddingItem(msgspec.Struct):
    """One vector, and the place of its text."""

    # Typed, so that msgspec itself refuses NaN and what is out of range.
    embedding: tuple[float, ...] | str
    index: int | None = None


class _Batch(msgspec.Struct):
    """A whole answer that is short."""

    data: list[EmbeddingItem] = []
    model: str | None = None
    usage: UsageBlock | None = None


class EmbeddingsAnswer(msgspec.Struct):
    """A whole answer, its items as they came: each is decoded on its own."""

    data: list[msgspec.Raw] = []
    model: str | None = None
    usage: UsageBlock | None = None


embeddings: Final = struct_decoder(EmbeddingsAnswer)
# As many numbers as a list may have, four bytes each.
_LONGEST_BASE64: Final = 3 * 1024 * 1024
_any: Final = msgspec.json.Decoder().decode
_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_decode_answer: Final = msgspec.json.Decoder(EmbeddingsAnswer).decode
_decode_item: Final = msgspec.json.Decoder(EmbeddingItem).decode
_lenient_item: Final = struct_decoder(EmbeddingItem)

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


def embeddings_in_steps(data: bytes, *, count: int) -> Steps[Embeddings]:
    """Return the vectors of ``count`` texts, in the order sent.

    Vectors may be lists or base64, in any order. Raises ``MalformedResponse`` unless
    there is one for each text, finite and all equally long, and ``ResponseTooLarge``
    for more than they can have.
    """
    answer: _Batch | EmbeddingsAnswer | None = None
    read: list[tuple[int | None, Vector | None]] = []
    with suppress(*UNDECODED):
        if len(data) > AT_ONCE:
            # To put it together took its time as well.
            yield
            answer = _decode_answer(data)
        else:
            answer = _decode_batch(data)
            read = [_placed(item) for item in answer.data]
    if answer is None:
        short = len(data) <= MOST_LENIENT
        answer = (embeddings(data) if short else None) or EmbeddingsAnswer()
    # Of more items than there are texts none is looked at.
    if isinstance(answer, EmbeddingsAnswer) and len(answer.data) <= count:
        read = yield from read_items(answer.data, _item)
    found: dict[int, Vector] = {}
    for position, (place, vector) in enumerate(read):
        if vector:
            found[position if place is None else place] = vector
    if not found and isinstance(answer, EmbeddingsAnswer):
        nested = yield from _nested(answer, count)
        if nested is not None:
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


read_embeddings: Final = at_once(embeddings_in_steps)


def _item(data: msgspec.Raw) -> tuple[int | None, Vector | None]:
    """Return the place of a vector, if it says so, and the vector."""
    item: EmbeddingItem | None
    try:
        item = _decode_item(data)
    except UNDECODED:
        item = _lenient_item(bytes(data))
    return (None, None) if item is None else _placed(item)


def _placed(item: EmbeddingItem) -> tuple[int | None, Vector | None]:
    given = item.embedding
    if isinstance(given, str) and len(given) > _LONGEST_BASE64:
        return item.index, None
    # A list was decoded typed: its numbers are finite.
    return item.index, vector_from_base64(given) if isinstance(given, str) else given


def _nested(answer: EmbeddingsAnswer, count: int) -> Steps[Embeddings | None]:
    """Return vectors that stand in one more list each; of several the mean.

    llama.cpp, started without pooling, and some that follow it give a row for each
    token (llama-cpp-python#1588), or one row in a list.
    """
    if len(answer.data) != count:
        return None
    given: dict[object, Features] = {}
    try:
        items = yield from read_items(answer.data, _any)
    except UNDECODED:
        return None
    for position, item in enumerate(items):
        yield
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
    whole = bool(given) and given.keys() == {*range(count)}
    if not whole or not of_equal_length(every):
        return None
    features = [given[place] for place in range(count)]
    pooled = all(each.pooled for each in features)
    means: list[Vector] = []
    for each in features:
        means.append(each.mean())
        yield
    return Embeddings(
        tuple(means),
        model=answer.model or "",
        usage=usage(answer.usage),
        pooling="server" if pooled else "mean",
        notes=() if pooled else (text("wire.token_vectors"),),
    )


def read_rerank(data: bytes, *, count: int) -> Scores:
    """Return the scores of ``count`` documents, in the order sent.

    Raises ``MalformedResponse`` unless each has one, and a finite one.
    """
    value = loads(data, most=scores_bound(count).elements)
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
