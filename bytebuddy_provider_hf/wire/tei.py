"""text-embeddings-inference: its own routes embed, rerank and predict.

https://huggingface.github.io/text-embeddings-inference/; what is left out of a request
keeps the server's own default. Vectors come in the order sent, scores do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.failures.malformed import malformed
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.outcomes import Embeddings, Labels, Scores, Vector
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.body_parts import text_list
from bytebuddy_provider_hf.wire.floats import (
    in_order,
    label_groups,
    matrix,
    of_equal_length,
)
from bytebuddy_provider_hf.wire.http_request import HttpRequest, json_body, root_url
from bytebuddy_provider_hf.wire.steps import (
    AT_ONCE,
    Steps,
    at_once,
    read_items,
    scores_bound,
    split_items,
)
from bytebuddy_provider_hf.wire.typed_json import UNDECODED

_decode_vectors: Final = msgspec.json.Decoder(tuple[Vector, ...]).decode
_decode_vector: Final = msgspec.json.Decoder(Vector).decode


def build_embed(
    texts: Sequence[str],
    target: Target,
    *,
    truncate: bool | None = None,
    dimensions: int | None = None,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/embed``; ``extra`` has the last word in its body."""
    body: dict[str, object] = {
        "inputs": text_list(texts),
        "truncate": truncate,
        "dimensions": dimensions,
    }
    return _call("embed", body, target, extra)


def build_rerank(
    query: str,
    texts: Sequence[str],
    target: Target,
    *,
    truncate: bool | None = None,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/rerank``."""
    body = {"query": query, "texts": text_list(texts), "truncate": truncate}
    return _call("rerank", body, target, extra)


def build_predict(
    texts: Sequence[str | tuple[str, str]],
    target: Target,
    *,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call for ``/predict``; a pair of texts is classified together."""
    # A list in ``inputs`` is one input of several texts, so each text is a list of one.
    inputs = [
        [each] if isinstance(each, str) else list(each) for each in text_list(texts)
    ]
    return _call("predict", {"inputs": inputs}, target, extra)


def embed_in_steps(data: bytes, *, count: int) -> Steps[Embeddings]:
    """Return the vectors of ``count`` texts, in the order sent.

    Raises ``MalformedResponse`` unless there are as many, finite and equally long, and
    ``ResponseTooLarge`` for more than they can have.
    """
    vectors: Sequence[Vector] | None
    try:
        # A quarter of what json takes, and no number need be asked afterwards.
        # Typed, the numbers are finite: msgspec refuses NaN and what is out of range.
        if len(data) <= AT_ONCE:
            vectors = _decode_vectors(data)
        else:
            yield
            vectors = yield from read_items(split_items(data), _decode_vector)
    except UNDECODED:
        vectors = matrix(loads(data))
    if (
        not vectors
        or len(vectors) != count
        or not all(vectors)
        or not of_equal_length(vectors)
    ):
        raise malformed(data, text("wire.vectors", count=count))
    return Embeddings(tuple(vectors))


read_embed: Final = at_once(embed_in_steps)


def read_rerank(data: bytes, *, count: int) -> Scores:
    """Return the scores of ``count`` texts, in the order sent.

    Raises ``MalformedResponse`` unless each has one, and a finite one.
    """
    value = loads(data, most=scores_bound(count).elements)
    scores = in_order(value, count)
    if scores is None:
        raise malformed(data, text("wire.scores", count=count))
    return Scores(scores)


def read_predict(data: bytes, *, count: int) -> Labels:
    """Return the classes of ``count`` texts, in the order sent.

    Raises ``MalformedResponse`` unless each has some.
    """
    value = loads(data)
    items = value if isinstance(value, list) else []
    # Of one text the list of its classes comes alone.
    if count == 1 and items and isinstance(items[0], dict):
        items = [items]
    groups = label_groups(items, count)
    if groups is None:
        raise malformed(data, text("wire.classes", count=count))
    return Labels(groups)


def _call(
    route: str,
    body: Mapping[str, object],
    target: Target,
    extra: Mapping[str, object] | None,
) -> HttpRequest:
    # A null would take the place of the server's own default.
    chosen = {name: value for name, value in body.items() if value is not None}
    chosen.update(extra or {})
    url = root_url(target, f"/{route}")
    # No server has another route that does the same as /predict.
    named = None if route == "predict" else route
    return HttpRequest(url=url, body=json_body(chosen), route=named)
