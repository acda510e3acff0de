"""Make the error of an answer that came with status 200 and cannot be used."""

from __future__ import annotations

from bytebuddy_provider_hf.errors import MalformedResponse
from bytebuddy_provider_hf.failures.body_text import error_message
from bytebuddy_provider_hf.texts import text


def malformed(data: bytes, wanted: str, *, error: bool) -> MalformedResponse:
    """Return the error for an answer that holds no ``wanted``.

    ``error`` tells that the body says it is one; only then is it quoted, because
    anything else may be a megabyte of numbers.
    """
    if error:
        said = error_message(data) or text("failures.nothing_more")
        return MalformedResponse(text("failures.error_with_200", said=said))
    shown = data[:80].decode("utf-8", "replace") or text("failures.empty_body")
    return MalformedResponse(
        text("failures.holds_no", wanted=wanted, shown=shown),
        hint=text("failures.check_task_address"),
    )


def reports_error(value: object) -> bool:
    """Whether a decoded answer is an error: in ``error``, or the flat old form."""
    return isinstance(value, dict) and (
        bool(value.get("error")) or value.get("object") == "error"
    )
