"""A request's values become the bytes of its body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from bytebuddy_provider_hf.errors import InvalidOption

_encode: Final = msgspec.json.Encoder().encode


def json_body(body: Mapping[str, object]) -> bytes:
    """Return ``body`` as JSON, keys in their order.

    Raises ``InvalidOption`` for what JSON cannot hold.
    """
    try:
        return _encode(body)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        pass
    raise InvalidOption(
        "The request cannot be written as JSON.",
        hint="Inputs, parameters and extraBodyProperties take text, numbers, lists and "
        "mappings with text keys; text must not hold lone surrogates.",
    )
