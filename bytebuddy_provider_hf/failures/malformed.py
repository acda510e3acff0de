"""The error of an answer that came with status 200 and cannot be used."""

from __future__ import annotations

from bytebuddy_provider_hf.errors import MalformedResponse
from bytebuddy_provider_hf.failures.body_text import error_message


def malformed(data: bytes, wanted: str, *, error: bool) -> MalformedResponse:
    """Return the error for an answer that holds no ``wanted``.

    ``error`` tells that the body says it is one; only then is it quoted, because
    anything else may be a megabyte of numbers.
    """
    if error:
        said = error_message(data) or "nothing more"
        return MalformedResponse(f"The server reported an error, with 200: {said}.")
    shown = data[:80].decode("utf-8", "replace") or "an empty body"
    return MalformedResponse(
        f"The server's answer holds no {wanted}: {shown}",
        hint="Check that apiBase is the address of a server for this kind of task.",
    )


def reports_error(value: object) -> bool:
    """Whether a decoded answer is an error: in ``error``, or the flat old form."""
    return isinstance(value, dict) and (
        bool(value.get("error")) or value.get("object") == "error"
    )
