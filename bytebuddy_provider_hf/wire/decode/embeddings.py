"""Answers of ``/v1/embeddings``: vectors as lists or as base64."""

from __future__ import annotations

from typing import Final

import msgspec

from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.wire.decode.completion import UsageBlock
from bytebuddy_provider_hf.wire.floats import number, vector


class EmbeddingItem(msgspec.Struct):
    """One vector, and the place of its text."""

    embedding: list[float] | str
    index: int | None = None


class EmbeddingsAnswer(msgspec.Struct):
    """A whole answer; ``kind`` is ``object`` on the wire."""

    data: list[EmbeddingItem]
    model: str | None = None
    usage: UsageBlock | None = None
    error: object = None
    kind: str | None = msgspec.field(default=None, name="object")

    @property
    def is_error(self) -> bool:
        """Whether it is an error that came with status 200."""
        return bool(self.error) or self.kind == "error"


_decode: Final = msgspec.json.Decoder(EmbeddingsAnswer).decode


def embeddings(data: bytes) -> EmbeddingsAnswer:
    """Return an answer: typed first, then whatever of it can be used."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    value = loads(data)
    found = value if isinstance(value, dict) else {}
    return EmbeddingsAnswer(
        data=_picked_items(found.get("data")),
        model=lenient_text(found.get("model")),
        usage=counted(found.get("usage")),
        error=found.get("error"),
        kind=lenient_text(found.get("object")),
    )


def counted(value: object) -> UsageBlock | None:
    """Return the token counts of an answer that generated nothing."""
    if not isinstance(value, dict):
        return None
    counts = (number(value.get(name)) for name in ("prompt_tokens", "total_tokens"))
    prompt, total = (None if each is None else int(each) for each in counts)
    return UsageBlock(prompt_tokens=prompt, total_tokens=total)


def _picked_items(value: object) -> list[EmbeddingItem]:
    """Return the items that hold a vector; one that does not is missing later."""
    items: list[EmbeddingItem] = []
    for item in value if isinstance(value, list) else []:
        given = item.get("embedding") if isinstance(item, dict) else None
        read = given if isinstance(given, str) else vector(given)
        if read is None:
            continue
        place = number(item.get("index"))
        whole = int(place) if place is not None and place.is_integer() else None
        items.append(
            EmbeddingItem(read if isinstance(read, str) else list(read), whole)
        )
    return items
