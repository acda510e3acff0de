"""What the words of an error answer mean: the first wording that fits gives a class.

The wordings are those of Hugging Face's services, TGI, TEI, vLLM, SGLang, llama.cpp and
the pipelines; each stands with its origin in ``tests/failures/bodies.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.failures import error_details, retry_after

_LONGEST_WORD: Final = 64


@frozen
class ErrorResponse:
    """An error answer, or an error event inside a stream.

    ``status`` is ``None`` for an event that names none. ``found`` is the JSON object
    of the body, ``said`` its sentence of at most 500 characters.
    """

    status: int | None
    said: str
    target: Target
    found: Mapping[str, object] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    token_sent: bool = True
    in_stream: bool = False

    @property
    def words(self) -> str:
        """Everything that is searched, in lower case: the sentence, codes, types."""
        inner = self.found.get("error")
        places = (self.found, inner) if isinstance(inner, dict) else (self.found,)
        named = [
            str(place[key])[:_LONGEST_WORD]
            for place in places
            for key in ("code", "type", "error_type")
            if isinstance(place.get(key), str | int)
        ]
        return " ".join((self.said, *named)).lower()


@frozen
class ErrorRule:
    """A wording and its class; with ``statuses`` it counts only there.

    Events of a stream have no status to trust (TGI writes 422 whatever the cause), so
    there every wording counts but those that are ``status_bound``.
    """

    pattern: re.Pattern[str]
    kind: type[errors.APIError]
    statuses: frozenset[int] = frozenset()
    status_bound: bool = False

    def fits(self, answer: ErrorResponse, words: str) -> bool:
        """Whether the answer says this."""
        bound = self.statuses and (self.status_bound or not answer.in_stream)
        if bound and answer.status not in self.statuses:
            return False
        return self.pattern.search(words) is not None


def _rule(
    pattern: str, kind: type[errors.APIError], *statuses: int, loose: bool = False
) -> ErrorRule:
    # No IGNORECASE: the words that are searched are lower case.
    return ErrorRule(re.compile(pattern), kind, frozenset(statuses), loose)


_OVERLOADED: Final = re.compile(r"overloaded", re.IGNORECASE)
_LOADING: Final = re.compile(r"\bloading\b", re.IGNORECASE)

_ACCESS: Final = (
    _rule(r"endpoint is paused|invalid state", errors.EndpointPaused, 400),
    _rule(r"token seems invalid|^invalid token", errors.TokenInvalid, 400),
    _rule(r"requires a pro subscription", errors.ProOnly),
    _rule(r"organization token policy", errors.OrganizationPolicy),
    _rule(r"revoked by the organization", errors.TokenRevoked),
    _rule(r"access to this resource is disabled", errors.ModelDisabled),
    _rule(r"public gated repositories", errors.GatedPermission, 401, 403),
    _rule(r"sufficient permissions", errors.MissingPermission, 401, 403),
    _rule(r"awaiting a review", errors.AccessPending, 401, 403),
    _rule(r"restricted|\bgated\b", errors.GatedModel, 403, loose=True),
    _rule(r"access to model .{1,300} is restricted", errors.GatedModel, 401),
)

_MODEL: Final = (
    _rule(r"too large to be loaded", errors.ModelTooLarge),
    _rule(
        r"not supported by any provider|model_not_supported", errors.ModelNotSupported
    ),
    _rule(
        r"not supported by provider|not supported for task|\bconversational\b"
        r"|task `[^`]{1,99}` is not recognized"
        r"|not a chat model|not an embedding model|not a re-ranker|not a classifier"
        r"|only supported in v1/|\bnot_supported_error\b"
        r"|does not support (the )?(chat )?"
        r"(completions?|embeddings?|rerank|scor|infill)",
        errors.RouteNotSupported,
    ),
    _rule(
        r"the model `[^`]{1,256}` does not exist|server is pinned to"
        r"|model ['\"][^'\"]{1,256}['\"] not found",
        errors.WrongServedModel,
        400,
        404,
    ),
    _rule(r"\b(model|repository|repo)\b", errors.ModelNotFound, 404, loose=True),
)

_PROMPT: Final = (
    _rule(
        r"template not found|provide a chat template|chat_template is not set"
        r"|no chat template|not have a (default )?chat template",
        errors.TemplateMissing,
    ),
    _rule(
        r"template_error|template error|missing_template_variable"
        r"|missing template va|roles must alternate",
        errors.TemplateFailed,
    ),
    _rule(
        r"tool_error|tool error|tool choice requires|tools param requires",
        errors.ToolsRefused,
    ),
    _rule(
        r"image input is not supported|not a multimodal model|at most 0 image"
        r"|not support images?\b",
        errors.ImagesNotSupported,
    ),
    _rule(
        r"[`'\"]stream[`'\"].{0,40}not supported|streaming is not supported"
        r"|not support streaming",
        errors.StreamingNotSupported,
    ),
    _rule(
        r"exceed_context_size|context_length_exceeded|maximum context length"
        r"|must have less than \d|`max_new_tokens` must be <="
        r"|exceeds the available context"
        r"|longer than the (model's context|maximum model)"
        r"|exceeds the maximum (allowed |context |model )?length"
        r"|(prompt|tokens\)) is too (long|large to process)",
        errors.ContextTooLong,
    ),
    _rule(
        r"maximum allowed batch size|batch size exceeded|max_client_batch_size",
        errors.BatchTooLarge,
    ),
    _rule(
        r"\berror in `?inputs\b|`inputs` (cannot|must not) be empty|inputscheck"
        r"|^malformed |content cannot be empty"
        r"|: received `([\[{]|(source_)?sentences?`|question`|context`|table`|query`"
        r"|text`|past_user_inputs`|generated_responses`)",
        errors.InputRefused,
        400,
        422,
    ),
)

_SERVER: Final = (
    _rule(r"out of memory|outofmemory", errors.OutOfMemory),
    _rule(r"output that does not match", errors.OutputRejected),
    _rule(r"request failed during generation", errors.GenerationFailed),
    _rule(r"incomplete.generation", errors.GenerationIncomplete),
    _rule(
        r"too busy, unable to get response|^model \S{1,256} time ?out",
        errors.ServerBusy,
    ),
    # What Python says of a mistake in the code behind the server.
    _rule(
        r"^unknown error|^'\w{1,40}' object (has no attribute|is not )"
        r"|^(list|tuple|string) index out of range|^can only concatenate "
        r"|^unsupported operand type|__init__\(\) got an unexpected",
        errors.PipelineFailed,
        400,
        500,
    ),
    # Its own download failed: of the weights, as requests and huggingface_hub say it.
    _rule(r"\b\d{3} (client|server) error: .{0,200}for url: ", errors.ServerError, 400),
    _rule(r"unhealthy", errors.ServerUnhealthy, 503),
    _rule(r"overloaded", errors.ServerOverloaded, 503, 529, loose=True),
    _rule(r"overloaded", errors.ModelOverloaded, 429),
    _rule(r"credits", errors.QuotaExhausted, 429),
    _rule(r"please log in", errors.AnonymousLimit, 429),
)

# Where nothing else was recognised: what the server says it could not read.
_SHAPE: Final = _rule(
    r"failed to (deserialize|parse the request body)|body needs to provide"
    r"|missing field|field required|parse error|is required\b|json decode",
    errors.BodyRefused,
    400,
    422,
)

_RULES: Final = (*_ACCESS, *_MODEL, *_PROMPT, *_SERVER)

# The Hub's own verdict, in a header.
_ERROR_CODES: Final[Mapping[str, type[errors.APIError]]] = {
    "gatedrepo": errors.GatedModel,
    "reponotfound": errors.ModelNotFound,
    "revisionnotfound": errors.ModelNotFound,
    "entrynotfound": errors.ModelNotFound,
}

_BY_STATUS: Final[Mapping[int, type[errors.APIError]]] = {
    301: errors.Redirected,
    302: errors.Redirected,
    303: errors.Redirected,
    307: errors.Redirected,
    308: errors.Redirected,
    401: errors.TokenInvalid,
    402: errors.QuotaExhausted,
    403: errors.PermissionDenied,
    404: errors.RouteNotFound,
    405: errors.RouteNotFound,
    410: errors.ServiceRetired,
    413: errors.RequestTooLarge,
    415: errors.BodyRefused,
    422: errors.UnprocessableRequest,
    424: errors.GenerationFailed,
    429: errors.RateLimited,
    501: errors.RouteNotSupported,
    502: errors.BadGateway,
    504: errors.GatewayTimeout,
}

_BY_CLASS: Final[Mapping[int, type[errors.APIError]]] = {
    4: errors.BadRequest,
    5: errors.ServerError,
}


def error_class(answer: ErrorResponse) -> type[errors.APIError]:
    """Return the class of an answer: what a sentence says beats its status."""
    if _cold(answer):
        return errors.ModelLoading
    words = answer.words
    for wording in _RULES:
        if wording.fits(answer, words):
            return _refined(wording.kind, answer)
    code = answer.headers.get("x-error-code", "").lower()
    if (kind := _ERROR_CODES.get(code)) is not None:
        return kind
    if answer.in_stream or answer.status in (400, 422):
        if error_details.refused_parameters(answer.said, answer.found):
            return errors.ParameterRefused
        if _SHAPE.fits(answer, words):
            return errors.BodyRefused
    return _refined(_by_status(answer.status), answer)


def _by_status(status: int | None) -> type[errors.APIError]:
    if status is None:
        return errors.ServerError
    return _BY_STATUS.get(status) or _BY_CLASS.get(
        status // 100, errors.UnexpectedStatus
    )


def _refined(
    kind: type[errors.APIError], answer: ErrorResponse
) -> type[errors.APIError]:
    if kind is errors.TokenInvalid and not answer.token_sent:
        return errors.TokenMissing
    if kind is errors.AnonymousLimit and not answer.target.is_hugging_face:
        return errors.RateLimited
    return kind


def _cold(answer: ErrorResponse) -> bool:
    """Whether the model is not ready yet but will be (architecture: rules of waiting).

    A 503 that says loading or carries an estimate; any 502 or 503 of a dedicated
    endpoint's host, unless it says overloaded.
    """
    status, said = answer.status, answer.said
    if status == 503 and _OVERLOADED.search(said):  # noqa: PLR2004 - HTTP's number
        return False
    if answer.target.host_kind is HostKind.ENDPOINT and status in (502, 503):
        return not answer.in_stream
    if status != 503 or not answer.found:  # noqa: PLR2004 - HTTP's number
        return False
    timed = retry_after.loading_estimate(answer.found.get("estimated_time")) is not None
    return timed or _LOADING.search(said) is not None
