"""Name every error that a server answers with."""

from __future__ import annotations

from bytebuddy_provider_hf.errors.base import ByteBuddyError
from bytebuddy_provider_hf.secret import one_line


class APIError(ByteBuddyError):
    """The server answered with an error; ``body`` is the start of what it said.

    Where known: ``model`` is the id the answer is about, ``endpoint`` the host that
    answered and ``host_kind`` what kind of host that is (a value of
    ``address.HostKind``), ``found_in`` the variable or file that held the token in use,
    and ``found_as`` what that is (a value of ``transport.credentials.Place``).
    Where the router's catalogue told: ``served_by`` names the providers that serve the
    model now, ``neighbours``, where none does, models near it that are served, and
    ``renamed_to`` is its id now, where the Hub knows it by another.
    """

    model: str | None = None
    endpoint: str | None = None
    host_kind: str | None = None
    found_in: str | None = None
    found_as: str | None = None
    served_by: tuple[str, ...] | None = None
    neighbours: tuple[str, ...] = ()
    renamed_to: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
        body: str = "",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after, hint=hint)
        self.body = one_line(body, limit=2_000)
        self.request_id = request_id
        # The server's own verdict (x-should-retry), where it gave one.
        self.should_retry: bool | None = None


class BadRequest(APIError):
    """400, and every 4xx without a class of its own."""


class InputRefused(BadRequest):
    """What was to be worked on is missing, empty, or of another kind."""


class ModelNotSupported(BadRequest):
    """No provider that is enabled for this account serves the model."""


class RouteNotSupported(ModelNotSupported):
    """The model, or the server, does not answer at this route."""


class ModelTooLarge(ModelNotSupported):
    """The model is too large for the shared service: it will never be loaded there."""


# A 400 on the wire, with the words of the endpoints' proxy.
class EndpointPaused(BadRequest):
    """A dedicated endpoint was paused by its owner; it does not wake by itself."""


# Below it two that are one 401 on the wire: whoever sent no token should not be told to
# check one.
class AuthenticationFailed(APIError):
    """401, or a 400 that says the token is invalid."""


class TokenInvalid(AuthenticationFailed):
    """A token was sent and refused; ``found_in`` tells where it came from."""


class TokenMissing(AuthenticationFailed):
    """The server wants a token and none was sent."""


class QuotaExhausted(APIError):
    """402, or another status whose words say so: the account has no money left."""


class PermissionDenied(APIError):
    """403."""


class MissingPermission(PermissionDenied):
    """The token is good but lacks a permission.

    ``owner`` is whose account it was to be used for: ``user NAME`` or ``org NAME``.
    ``permission`` is what it lacks, where that is known.
    """

    owner: str | None = None
    permission: str | None = None


# The Hub says 403 for this and for a licence that was not accepted; the cures differ.
class GatedPermission(MissingPermission):
    """The fine-grained token may not read gated models, licence or not."""


class GatedModel(PermissionDenied):
    """The model's licence has not been accepted by the owner of the token."""


# Below GatedModel: a program that sends people to the model's page does so here too.
class AccessPending(GatedModel):
    """Access to the model was asked for; its authors have not answered yet."""


class OrganizationPolicy(PermissionDenied):
    """The organization's policy wants the token approved before it is used there."""


# A 403 of the Hub, though the token itself is good.
class TokenRevoked(PermissionDenied):
    """An administrator of the organization took the token's access away."""


class ProOnly(PermissionDenied):
    """The model is for accounts with a PRO subscription."""


class ModelDisabled(PermissionDenied):
    """Access to the repository was disabled for everybody."""


# At the Hub also a 401 with the code RepoNotFound: it does not tell strangers whether a
# repository is private or not there.
class ModelNotFound(APIError):
    """404: no such model or route at this endpoint."""


# vLLM and transformers serve answer to the name they were started with only.
class WrongServedModel(ModelNotFound):
    """The server is there and serves another model name.

    ``served`` is the name it wants, where it said so.
    """

    served: str | None = None


class RouteNotFound(ModelNotFound):
    """The address has no such route, or nothing is deployed there."""


# api-inference.huggingface.co, shut down in November 2025.
class ServiceRetired(APIError):
    """410: the service behind this host was shut down."""


# Below it: the address, too, never answers again.
class JobEnded(ServiceRetired):
    """The job behind a ``hf.jobs`` address is over: stopped, or out of time."""


class RequestTooLarge(APIError):
    """413."""


class BatchTooLarge(RequestTooLarge):
    """More texts in one request than the server takes: ``given`` of ``limit``."""

    limit: int | None = None
    given: int | None = None


class UnprocessableRequest(APIError):
    """422: a parameter, or the length of the prompt, does not fit the server."""


# The numbers decide how many tokens the next attempt asks for.
class ContextTooLong(UnprocessableRequest):
    """Prompt and answer together, or the prompt alone, exceed the model's window.

    In tokens, as the server counts, ``None`` where it did not say: ``limit`` is the
    window or the largest prompt, ``given`` the prompt, ``asked`` the answer that was
    asked for, ``total`` both where it counted them together, ``over`` what is too
    much, ``max_input`` the largest prompt beside such an answer.
    """

    limit: int | None = None
    given: int | None = None
    asked: int | None = None
    total: int | None = None
    over: int | None = None
    max_input: int | None = None

    @property
    def at_least(self) -> bool:
        """Whether the prompt may be longer than ``given``: the count stopped there."""
        # To spare itself the rest: vllm/renderers/params.py, get_encode_kwargs.
        return self.max_input is not None and self.given == self.max_input + 1


# The names decide what the next attempt leaves out.
class ParameterRefused(UnprocessableRequest):
    """A parameter is unknown to the server, or out of its range.

    ``parameter`` is the first of ``parameters``, their names as on the wire;
    ``limit`` the largest value or number the server takes, where it said so;
    ``condition`` what the refusal hangs on. ``unsent`` are those that the request did
    not have, ``added`` those that this package put there by itself.
    """

    parameter: str | None = None
    parameters: tuple[str, ...] = ()
    limit: int | None = None
    condition: str | None = None
    unsent: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class StreamingNotSupported(UnprocessableRequest):
    """This model gives whole answers only."""


# Also 415: a server for tasks that was sent JSON of a chat, and the other way round.
class BodyRefused(UnprocessableRequest):
    """The server expects a request of another shape; ``field`` is what it missed."""

    field: str | None = None


class TemplateMissing(UnprocessableRequest):
    """The model has no chat template: it can continue a text, not chat."""


class TemplateFailed(UnprocessableRequest):
    """The model's chat template refuses these messages."""


class ToolsRefused(UnprocessableRequest):
    """The server cannot use tools, or not so."""


class ImagesNotSupported(UnprocessableRequest):
    """The model takes text only."""


class RateLimited(APIError):
    """429: too many requests; ``retry_after`` tells how long to wait, where known."""


class AnonymousLimit(RateLimited):
    """The limit of those who send no token."""


# TGI and TEI: their queue is full, whoever asks. No rate of the account's.
class ModelOverloaded(RateLimited):
    """429: the queue of this one model is full."""


# TGI's choice of a status (router/src/infer/mod.rs): the dependency is its worker.
class GenerationFailed(APIError):
    """424: a worker failed while generating."""


class OutOfMemory(GenerationFailed):
    """The memory of the worker's GPU was not enough for this request."""


# llama.cpp parses what the model wrote where tools or a schema were asked for.
class OutputRejected(GenerationFailed):
    """The model wrote what its own server cannot read: a tool call, JSON.

    ``generated`` is the start of what it wrote, where the server told.
    """

    generated: str | None = None


class UnexpectedStatus(APIError):
    """A status that carries no reply: 1xx, 204, 3xx."""


# Followed, a redirect would take the token to a host that nobody chose.
class Redirected(UnexpectedStatus):
    """3xx: what was asked for is at ``location``; redirects are not followed."""

    location: str | None = None


class ServerError(APIError):
    """5xx."""


# The one failure that is waited for without a limit of attempts.
class ModelLoading(ServerError):
    """503 while a model is being loaded or an endpoint wakes.

    ``estimate`` is the server's own guess in seconds, or ``None``; ``asleep`` tells
    a dedicated endpoint that scaled to zero from a model being loaded.
    """

    estimate: float | None = None
    asleep: bool = False


class ServerOverloaded(ServerError):
    """503: the server is up but its queue is full."""


# TGI answers so when its own health check finds no worker.
class ServerUnhealthy(ServerError):
    """503: the server itself says that it is not well."""


# The old serverless service's time-out of 60 or 120 s.
class ServerBusy(ServerError):
    """500: the model gave no answer in time, because others keep it busy."""


# Not retried: the code fails at the same input again.
class PipelineFailed(ServerError):
    """500: the code around the model failed at this input."""


# TGI lost its worker after the answer began.
class GenerationIncomplete(ServerError):
    """500: the answer broke off inside the server."""


class BadGateway(ServerError):
    """502: a gateway had no usable answer from the server behind it."""


class GatewayTimeout(ServerError):
    """504: a gateway gave up before the model had finished."""
