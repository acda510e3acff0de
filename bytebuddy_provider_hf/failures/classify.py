"""Turn any status, headers and bytes into one error class: total, never raising."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf import errors, lenient_json
from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.failures import error_details, next_steps, retry_after
from bytebuddy_provider_hf.failures.body_text import (
    MAX_BODY,
    error_message,
    said_by,
)
from bytebuddy_provider_hf.failures.error_in_200 import error_in
from bytebuddy_provider_hf.failures.table import FailureRow, failure_table, row_of
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import LocalizedText, text

# Together's good answers carry Retry-After too: elsewhere it means nothing.
_HINTED: Final = frozenset({408, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_VERDICTS: Final = {"true": True, "false": False}
_CODES: Final = ("code", "type", "error_type", "reason")
# What an error keeps of a body, for people.
_LONGEST_SHOWN: Final = 2_000
# A code or type; a longer one is a sentence in the wrong place.
_LONGEST_WORD: Final = 64
_ERROR_STATUSES: Final = range(400, 600)
# Where a body may be told to be of the wrong shape.
_REFUSED_BODY: Final = (400, 422)
_UNAVAILABLE: Final = 503
_UNPROCESSABLE: Final = 422
_NOT_FOUND: Final = 404
# Until the server of a job listens: docs/hub/jobs-serving.md of huggingface/hub-docs
# says that this takes minutes, and not what the proxy answers meanwhile.
_JOB_STARTS: Final = (_NOT_FOUND, 502, 503)
# What an error means that names no status.
_BROKEN: Final = 500

_OVERLOADED: Final = re.compile(r"overloaded", re.IGNORECASE)
_LOADING: Final = re.compile(r"\bloading\b", re.IGNORECASE)
# A whole answer that is no JSON: a page may have the word for any reason.
_MODEL_LOADS: Final = re.compile(
    r"(?:the )?model (?:\S+ )?is (?:(?:currently|still|being) )*load(?:ing|ed)\b.{0,80}"
    r"|loading model.{0,80}",
    re.IGNORECASE,
)


@frozen
class ErrorResponse:
    """An error answer, or an error event inside a stream.

    ``status`` is ``None`` for an event that names none. ``found`` is the JSON object
    of the body, ``said`` its sentence of at most 500 characters, ``words`` all that is
    searched.
    """

    status: int | None
    said: str
    words: str
    found: Mapping[str, object]
    target: Target
    headers: Mapping[str, str]
    token_sent: bool = True
    in_stream: bool = False


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
    *,
    token_sent: bool = True,
    token_source: str | None = None,
) -> errors.APIError:
    """Return the error that an answer stands for. Header names are lower case.

    ``token_source`` names the variable or file that held the token that was sent.
    """
    said, found = error_message(body), _object(body)
    answer = ErrorResponse(
        status=status,
        said=said,
        words=_searched(said, found),
        found=found,
        target=target,
        headers=headers,
        token_sent=token_sent,
    )
    error = _error(answer, body, token_source)
    error.request_id = headers.get("x-request-id")
    error.should_retry = _VERDICTS.get(headers.get("x-should-retry", "").lower())
    return error


def classify_event(
    data: bytes, target: Target, *, token_source: str | None = None
) -> errors.APIError | None:
    """Return the error that an event of a stream stands for, ``None`` if it is none.

    ``data`` is the event's data. The stream's own status was 200: ``status`` is the
    one the server would have given, or ``None`` where it cannot be told.
    """
    value = lenient_json.loads(data[:MAX_BODY])
    found = error_in(value)
    if found is None:
        # transformers serve writes the message unescaped, so it may be no JSON.
        if value is not None or not data[:64].lstrip().startswith(b'{"error"'):
            return None
        found = {}
    said = one_line(said_by(found), limit=500) if found else error_message(data)
    words = _searched(said, found)
    answer = ErrorResponse(
        status=_status_of_event(words, found),
        said=said,
        words=words,
        found=found,
        target=target,
        headers={},
        in_stream=True,
    )
    return _error(answer, data, token_source)


def _error(
    answer: ErrorResponse, body: bytes, token_source: str | None
) -> errors.APIError:
    kind: type[errors.APIError] = getattr(errors, _class_name(answer))
    row, host = row_of(kind), answer.target.origin.split("://", 1)[1]
    where = host if answer.status is None else f"{host}, {answer.status}"
    said = answer.said.rstrip(". ")
    waits = answer.status in _HINTED
    lead = LocalizedText("lead", {}, {"en": row.en.lead, "zh": row.zh.lead})
    error = kind(
        text("failures.answer_said", lead=lead, where=where, said=said)
        if said
        else text("failures.answer", lead=lead, where=where),
        status=answer.status,
        retry_after=retry_after.requested_wait(answer.headers) if waits else None,
        body=body[:_LONGEST_SHOWN].decode("utf-8", "replace"),
    )
    error.endpoint, error.host_kind = host, answer.target.host_kind.value
    # The one that the answer is about: a router may have been asked for an alias.
    error.model = error_details.model_named(answer.said) or answer.target.model
    error.found_in = token_source
    if isinstance(error, errors.ModelLoading):
        error.estimate = retry_after.loading_estimate(
            answer.found.get("estimated_time")
        )
        error.asleep = answer.target.host_kind is HostKind.ENDPOINT
    error_details.set_details(error, answer.said, answer.found, answer.headers)
    error.hint = next_steps.next_step(error)
    return error


def _object(body: bytes) -> Mapping[str, object]:
    """Return the JSON object of a body, or the first of a list of them."""
    value = lenient_json.loads(body[:MAX_BODY])
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _searched(said: str, found: Mapping[str, object]) -> str:
    """Return all that is searched, in lower case: the sentence, codes, types."""
    return " ".join((said, *_codes(found))).lower()


def _codes(found: Mapping[str, object]) -> list[str]:
    """Return the codes and types that a body names, outer and inner."""
    return [
        str(place[key])[:_LONGEST_WORD]
        for place in (found, found.get("error"))
        if isinstance(place, dict)
        for key in _CODES
        if isinstance(place.get(key), str | int)
    ]


def _status_of_event(words: str, found: Mapping[str, object]) -> int | None:
    """Return the status that an error event would have had as an answer.

    A number that is a status comes first, then a code or type in words, then what the
    sentence says. TGI's chat stream says 422 whatever the cause (infer/mod.rs,
    into_openai_event): there the sentence comes before.
    """
    table = failure_table()
    inner = found.get("error")
    places = [place for place in (inner, found) if isinstance(place, Mapping)]
    told: int | None = None
    for place in places:
        for key in ("http_status_code", "status_code", "code", "status"):
            value = place.get(key)
            if isinstance(value, str) and value.isascii() and value.isdigit():
                value = int(value[:4])
            if told is None and type(value) is int and value in _ERROR_STATUSES:
                told = value
    if told is not None and told != _UNPROCESSABLE:
        return told
    for place in places:
        for key in ("code", "type", "error_type", "status"):
            word = place.get(key)
            status = table.event_codes.get(word.lower()) if isinstance(word, str) else 0
            if status:
                return status
    for pattern, status in table.stream_status:
        if pattern.search(words):
            return status
    return told


def _class_name(answer: ErrorResponse) -> str:
    """Return the name of an answer's class: what a sentence says beats its status."""
    if _is_cold(answer):
        return errors.ModelLoading.__name__
    table = failure_table()
    # Words first: statuses and codes are shared by failures with other cures.
    name = _named_by_words(answer, last=False)
    if name is None:
        codes = (answer.headers.get("x-error-code", ""), *_codes(answer.found))
        found = (table.by_code.get(code.lower()) for code in codes)
        name = next((each for each in found if each), None)
    if name is None and (answer.in_stream or answer.status in _REFUSED_BODY):
        # Where nothing else was recognised: what the server says it could not read.
        if error_details.refused_parameters(answer.said, answer.found):
            return errors.ParameterRefused.__name__
        name = _named_by_words(answer, last=True)
    if name is None:
        status = _BROKEN if answer.status is None else answer.status
        name = table.by_status.get(status) or table.by_status.get(
            f"{status // 100}xx", table.by_status["other"]
        )
    row: FailureRow = table.rows[name]
    if row.without_token and not answer.token_sent:
        return row.without_token
    if row.elsewhere and not answer.target.is_hugging_face:
        return row.elsewhere
    return name


def _named_by_words(answer: ErrorResponse, *, last: bool) -> str | None:
    """Return the class of the first wording that the answer says."""
    for rule in failure_table().rules:
        wording = rule.wording
        # Events of a stream have no status to trust, so there every wording counts but
        # those that mean something only with theirs.
        bound = wording.statuses and (wording.status_bound or not answer.in_stream)
        if (
            wording.last is last
            and wording.host in ("", answer.target.host_kind.value)
            and (not bound or answer.status in wording.statuses)
            and rule.pattern.search(answer.words)
        ):
            return rule.name
    return None


def _is_cold(answer: ErrorResponse) -> bool:
    """Return whether the model is not ready yet but will be.

    A 503 that says so, or carries an estimate; any 502 or 503 of a dedicated
    endpoint's host, unless it says overloaded; the same of a job's, and a 404 that is
    its proxy's.
    """
    status, said = answer.status, answer.said
    if status == _UNAVAILABLE and _OVERLOADED.search(said):
        return False
    if answer.target.host_kind is HostKind.JOB and status in _JOB_STARTS:
        # FastAPI's and OpenAI's forms are those of a server that is there.
        inner = answer.found.get("error") or answer.found.get("detail")
        there = bool(answer.found.get("detail")) or isinstance(inner, dict)
        known = _named_by_words(answer, last=False) is not None
        return not (known or answer.in_stream or (there and status == _NOT_FOUND))
    # While it scales from zero, its proxy has no replica to ask.
    if answer.target.host_kind is HostKind.ENDPOINT and status in (502, 503):
        return not answer.in_stream
    if status != _UNAVAILABLE:
        return False
    if not answer.found:
        return _MODEL_LOADS.fullmatch(said) is not None
    timed = retry_after.loading_estimate(answer.found.get("estimated_time")) is not None
    return timed or _LOADING.search(said) is not None
