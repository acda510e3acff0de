"""Every error this package raises.

::

    ByteBuddyError
    ├── ConfigError              the YAML file
    │   ├── ConfigNotFound         no file where one was named
    │   ├── ConfigInvalid          syntax or shape; lists every problem with its place
    │   ├── UnsetVariable          an entry names a variable that is not set
    │   └── UntrustedProject       a project's file wants more than it may decide
    ├── RegistryError            the host's model registry
    │   ├── UnknownModel           no entry of that name
    │   ├── UnknownProvider        an entry names a provider that is not installed
    │   ├── NoModelForRole         no entry carries that role
    │   ├── ProviderFailed         a provider could not open an entry
    │   └── Closed                 the registry, model or runtime was closed
    ├── RequestError             refused before anything was sent
    │   ├── InvalidModelId         not an id, or one that would leave its path
    │   ├── InvalidEndpoint        an apiBase that is no usable URL
    │   ├── InsecureEndpoint       a token over plain http to another machine
    │   ├── InvalidOption          an option out of its range, or a malformed message
    │   ├── MissingToken           this endpoint needs a token and none was found
    │   ├── InvalidToken           what was found cannot be a token
    │   └── QueueFull              more callers waiting than ``maxQueue`` allows
    ├── APIError                 an answer with an error status
    │   ├── BadRequest             400, and 4xx without a class of their own
    │   │   ├── ModelNotSupported    no enabled provider serves the model
    │   │   └── EndpointPaused       a dedicated endpoint somebody paused
    │   ├── AuthenticationFailed   401, or a 400 that says the token is invalid
    │   ├── QuotaExhausted         402: credits are used up
    │   ├── PermissionDenied       403
    │   │   ├── MissingPermission    the token lacks a permission
    │   │   └── GatedModel           the model's licence was not accepted
    │   ├── ModelNotFound          404
    │   ├── ServiceRetired         410: the old default host
    │   ├── RequestTooLarge        413
    │   ├── UnprocessableRequest   422: a parameter or the prompt does not fit
    │   ├── RateLimited            429
    │   ├── GenerationFailed       424: the worker failed while generating
    │   ├── UnexpectedStatus       1xx, 2xx without a reply, 3xx
    │   └── ServerError            5xx
    │       ├── ModelLoading         503 while a model loads or an endpoint wakes
    │       ├── ServerOverloaded     503: the queue of the server is full
    │       └── GatewayTimeout       504
    ├── ColdStartTimeout         a model did not become ready in the time allowed
    ├── CallTimeout              time ran out
    │   ├── ConnectTimeout         while connecting
    │   ├── DeadlineExceeded       the whole call's deadline
    │   └── IdleTimeout            a stream fell silent
    ├── ConnectionFailed         no usable connection
    │   ├── ConnectionRefused      nothing listens there
    │   ├── HostNotFound           the name does not resolve
    │   ├── TlsFailed              the certificate or handshake was refused
    │   └── ConnectionLost         the connection broke before the answer was whole
    └── ResponseError            an answer that cannot be used
        ├── MalformedResponse      not what the protocol says
        ├── ResponseTooLarge       above the size limit
        ├── StreamInterrupted      a stream ended without its end mark
        └── StreamFailed           the server reported an error inside a stream

Each error has ``status``, ``retry_after`` (seconds), ``hint`` (the next step), and a
``str()`` of one redacted line. Errors can be pickled and hold no secret.
"""

from __future__ import annotations

from typing import ClassVar, Final

from bytebuddy_provider_hf.secret import one_line

_STOPS: Final = (".", "!", "?", "…", "")


class ByteBuddyError(Exception):
    """Base of every error of this package."""

    hint_default: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = one_line(message)
        self.status = status
        self.retry_after = retry_after
        chosen = hint if hint is not None else self.hint_default
        self.hint = None if chosen is None else one_line(chosen)
        super().__init__(self.message)

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        stop = "" if self.message[-1:] in _STOPS else "."
        return f"{self.message}{stop} {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[ByteBuddyError], state: dict[str, object]) -> ByteBuddyError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error


class ConfigError(ByteBuddyError):
    """Something is wrong with a configuration file."""


class ConfigNotFound(ConfigError):
    """A configuration file that was named does not exist or cannot be read."""


class ConfigInvalid(ConfigError):
    """A configuration file has errors; ``problems`` holds one printable text each."""

    def __init__(self, message: str, *, problems: tuple[str, ...]) -> None:
        super().__init__(message)
        self.problems = problems

    def __str__(self) -> str:
        return one_line(f"{self.message}: {'; '.join(self.problems)}", limit=4_000)


class UnsetVariable(ConfigError):
    """An entry names an environment variable that is not set."""

    def __init__(self, message: str, *, variable: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.variable = variable


class UntrustedProject(ConfigError):
    """A project's file wants a key sent somewhere the user has not yet trusted."""


class RegistryError(ByteBuddyError):
    """The model registry cannot give what was asked for."""


class UnknownName(RegistryError):
    """A name that does not exist; ``known`` lists those that do."""

    def __init__(
        self,
        message: str,
        *,
        name: str,
        known: tuple[str, ...],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.known = known


class UnknownModel(UnknownName):
    """No entry of the configuration has that name."""


class UnknownProvider(UnknownName):
    """No installed plugin registers that provider."""


class NoModelForRole(UnknownName):
    """No entry of the configuration carries that role."""


class ProviderFailed(RegistryError):
    """A provider's own code failed while opening an entry."""


class Closed(RegistryError):
    """The registry, model or runtime was used after it was closed."""


class RequestError(ByteBuddyError):
    """A request was refused here, before anything was sent."""


class InvalidModelId(RequestError):
    """A model id that is malformed, or that would leave its place in a URL."""


class InvalidEndpoint(RequestError):
    """An ``apiBase`` that is not a usable http or https URL."""


class InsecureEndpoint(RequestError):
    """A token would travel over plain http to another machine."""


class InvalidOption(RequestError):
    """An option outside its range, or a message of the wrong shape."""


class MissingToken(RequestError):
    """This endpoint needs a token and none was found."""


class InvalidToken(RequestError):
    """A value that cannot be sent as a token, such as one with a line break in it."""


class QueueFull(RequestError):
    """More callers are already waiting than ``maxQueue`` allows."""


class APIError(ByteBuddyError):
    """The server answered with an error; ``body`` is the start of what it said."""

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


class BadRequest(APIError):
    """400, and every 4xx without a class of its own."""


class ModelNotSupported(BadRequest):
    """No provider that is enabled for this account serves the model."""


class EndpointPaused(BadRequest):
    """A dedicated endpoint was paused by its owner; it does not wake by itself."""


class AuthenticationFailed(APIError):
    """401, or a 400 that says the token is invalid."""


class QuotaExhausted(APIError):
    """402: the account's credits are used up."""


class PermissionDenied(APIError):
    """403."""


class MissingPermission(PermissionDenied):
    """The token is good but lacks a permission."""


class GatedModel(PermissionDenied):
    """The model's licence has not been accepted by the owner of the token."""


class ModelNotFound(APIError):
    """404: no such model or route at this endpoint."""


class ServiceRetired(APIError):
    """410: the service behind this host was shut down."""


class RequestTooLarge(APIError):
    """413."""


class UnprocessableRequest(APIError):
    """422: a parameter, or the length of the prompt, does not fit the server."""


class RateLimited(APIError):
    """429: too many requests; ``retry_after`` tells how long to wait, where known."""


class GenerationFailed(APIError):
    """424: a worker failed while generating."""


class UnexpectedStatus(APIError):
    """A status that carries no reply: 1xx, 204, 3xx."""


class ServerError(APIError):
    """5xx."""


class ModelLoading(ServerError):
    """503 while a model is being loaded or an endpoint wakes.

    ``estimate`` is the server's own guess in seconds, or ``None``; ``asleep`` tells
    a dedicated endpoint that scaled to zero from a model being loaded.
    """

    estimate: float | None = None
    asleep: bool = False


class ServerOverloaded(ServerError):
    """503: the server is up but its queue is full."""


class GatewayTimeout(ServerError):
    """504: a gateway gave up before the model had finished."""


class ColdStartTimeout(ByteBuddyError):
    """A model did not become ready in the time allowed for it."""


class CallTimeout(ByteBuddyError):
    """Time ran out."""


class ConnectTimeout(CallTimeout):
    """No connection within ``connectTimeout``."""


class DeadlineExceeded(CallTimeout):
    """The call as a whole took longer than ``timeout``."""


class IdleTimeout(CallTimeout):
    """A stream sent nothing for too long; ``partial`` is the text that came."""

    partial: str = ""


class ConnectionFailed(ByteBuddyError):
    """There is no usable connection to the endpoint."""


class ConnectionRefused(ConnectionFailed):
    """Nothing listens at that address."""


class HostNotFound(ConnectionFailed):
    """The host's name does not resolve."""


class TlsFailed(ConnectionFailed):
    """The certificate or the handshake was refused."""


class ConnectionLost(ConnectionFailed):
    """The connection broke before the answer was whole."""


class ResponseError(ByteBuddyError):
    """An answer arrived that cannot be used; ``partial`` is the text before it."""

    partial: str = ""


class MalformedResponse(ResponseError):
    """The answer is not what the protocol describes."""


class ResponseTooLarge(ResponseError):
    """The answer is larger than this client accepts."""


class StreamInterrupted(ResponseError):
    """A stream ended without its end mark; ``partial`` is the text that came."""


class StreamFailed(ResponseError):
    """The server reported an error inside a stream; ``partial`` is what came first."""
