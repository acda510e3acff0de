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
    │   ├── UnsupportedRole        the model or the server cannot do what was asked
    │   ├── MissingToken           this endpoint needs a token and none was found
    │   ├── InvalidToken           what was found cannot be a token
    │   └── Overloaded             more callers waiting than ``maxQueue`` allows
    ├── APIError                 an answer with an error status
    │   ├── BadRequest             400, and 4xx without a class of their own
    │   │   ├── InputRefused         the input is missing, empty or of another kind
    │   │   ├── ModelNotSupported    no enabled provider serves the model
    │   │   │   ├── RouteNotSupported  served, but not at this route
    │   │   │   └── ModelTooLarge      too large for the shared service
    │   │   └── EndpointPaused       a dedicated endpoint somebody paused
    │   ├── AuthenticationFailed   401, or a 400 that says the token is invalid
    │   │   ├── TokenInvalid         the token was sent and refused
    │   │   └── TokenMissing         no token was sent
    │   ├── QuotaExhausted         402: credits are used up
    │   ├── PermissionDenied       403
    │   │   ├── MissingPermission    the token lacks a permission
    │   │   │   └── GatedPermission    it may not read gated models
    │   │   ├── GatedModel           the model's licence was not accepted
    │   │   │   └── AccessPending      accepted; its authors have not answered yet
    │   │   ├── OrganizationPolicy   the organization must approve the token first
    │   │   ├── TokenRevoked         the organization took the token's access away
    │   │   ├── ProOnly              the model is for subscribers
    │   │   └── ModelDisabled        Hugging Face disabled the repository
    │   ├── ModelNotFound          404
    │   │   ├── WrongServedModel     the server serves another model name
    │   │   └── RouteNotFound        the address has no such route
    │   ├── ServiceRetired         410: the old default host
    │   ├── RequestTooLarge        413
    │   │   └── BatchTooLarge        too many texts in one request
    │   ├── UnprocessableRequest   422: a parameter or the prompt does not fit
    │   │   ├── ContextTooLong       prompt and answer exceed the model's window
    │   │   ├── ParameterRefused     a parameter is unknown or out of range
    │   │   ├── StreamingNotSupported  this model cannot stream
    │   │   ├── BodyRefused          the server expects a request of another shape
    │   │   ├── TemplateMissing      the model has no chat template
    │   │   ├── TemplateFailed       the chat template refuses these messages
    │   │   ├── ToolsRefused         the server cannot use tools so
    │   │   └── ImagesNotSupported   the model takes text only
    │   ├── RateLimited            429
    │   │   ├── AnonymousLimit       the limit of those without a token
    │   │   └── ModelOverloaded      the queue of the model is full
    │   ├── GenerationFailed       424: the worker failed while generating
    │   │   ├── OutOfMemory          the worker's GPU ran out of memory
    │   │   └── OutputRejected       the model wrote what its server cannot read
    │   ├── UnexpectedStatus       1xx, 2xx without a reply, 3xx
    │   │   └── Redirected           3xx: it has another address
    │   └── ServerError            5xx
    │       ├── ModelLoading         503 while a model loads or an endpoint wakes
    │       ├── ServerOverloaded     503: the queue of the server is full
    │       ├── ServerUnhealthy      503: the server says that it is not well
    │       ├── ServerBusy           500: no answer from the model in time
    │       ├── PipelineFailed       500: the model's own code failed
    │       ├── GenerationIncomplete 500: the answer broke off in the server
    │       ├── BadGateway           502
    │       └── GatewayTimeout       504
    ├── ColdStartTimeout         a model did not become ready in the time allowed
    ├── CallTimeout              time ran out
    │   ├── ConnectTimeout         while connecting
    │   ├── FirstByteTimeout       before the answer began
    │   ├── DeadlineExceeded       the whole call's deadline
    │   ├── IdleTimeout            a stream fell silent
    │   └── NoDataTimeout          a stream sent signs of life and no data
    ├── ConnectionFailed         no usable connection
    │   ├── ConnectionRefused      nothing listens there
    │   ├── HostUnreachable        no way leads there
    │   ├── HostNotFound           the name does not exist
    │   ├── HostLookupFailed       the name could not be looked up just now
    │   ├── TlsFailed              the certificate or handshake was refused
    │   │   ├── CertificateExpired       past its time, or the clock is wrong
    │   │   ├── CertificateForOtherHost  made for another host
    │   │   ├── UnknownAuthority         self-signed, or of an unknown authority
    │   │   ├── ClientCertificateNeeded  the server wants one from here
    │   │   └── ClientCertificateRefused the one shown did not please
    │   ├── ProxyFailed            no way through the proxy
    │   │   └── ProxyAuthenticationFailed  407: it wants a user, or another one
    │   └── ConnectionLost         the connection broke before the answer was whole
    └── ResponseError            an answer that cannot be used
        ├── MalformedResponse      not what the protocol says
        ├── ResponseTooLarge       above the size limit
        ├── StreamInterrupted      a stream ended without its end mark
        ├── StreamFailed           the server reported an error inside a stream
        └── ApplyFailed            a suggested change has no place in the text

Each error has ``status``, ``retry_after`` (seconds), ``hint`` (the next step), and a
``str()`` of one redacted line. Errors can be pickled and hold no secret.
"""

from __future__ import annotations

from bytebuddy_provider_hf.errors.api import (
    AccessPending,
    AnonymousLimit,
    APIError,
    AuthenticationFailed,
    BadGateway,
    BadRequest,
    BatchTooLarge,
    BodyRefused,
    ContextTooLong,
    EndpointPaused,
    GatedModel,
    GatedPermission,
    GatewayTimeout,
    GenerationFailed,
    GenerationIncomplete,
    ImagesNotSupported,
    InputRefused,
    MissingPermission,
    ModelDisabled,
    ModelLoading,
    ModelNotFound,
    ModelNotSupported,
    ModelOverloaded,
    ModelTooLarge,
    OrganizationPolicy,
    OutOfMemory,
    OutputRejected,
    ParameterRefused,
    PermissionDenied,
    PipelineFailed,
    ProOnly,
    QuotaExhausted,
    RateLimited,
    Redirected,
    RequestTooLarge,
    RouteNotFound,
    RouteNotSupported,
    ServerBusy,
    ServerError,
    ServerOverloaded,
    ServerUnhealthy,
    ServiceRetired,
    StreamingNotSupported,
    TemplateFailed,
    TemplateMissing,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    ToolsRefused,
    UnexpectedStatus,
    UnprocessableRequest,
    WrongServedModel,
)
from bytebuddy_provider_hf.errors.base import (
    ByteBuddyError,
)
from bytebuddy_provider_hf.errors.connection import (
    ApplyFailed,
    CallTimeout,
    CertificateExpired,
    CertificateForOtherHost,
    ClientCertificateNeeded,
    ClientCertificateRefused,
    ColdStartTimeout,
    ConnectionFailed,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimeout,
    DeadlineExceeded,
    FirstByteTimeout,
    HostLookupFailed,
    HostNotFound,
    HostUnreachable,
    IdleTimeout,
    MalformedResponse,
    NoDataTimeout,
    ProxyAuthenticationFailed,
    ProxyFailed,
    ResponseError,
    ResponseTooLarge,
    StreamFailed,
    StreamInterrupted,
    TlsFailed,
    UnknownAuthority,
)
from bytebuddy_provider_hf.errors.setup import (
    Closed,
    ConfigError,
    ConfigInvalid,
    ConfigNotFound,
    InsecureEndpoint,
    InvalidEndpoint,
    InvalidModelId,
    InvalidOption,
    InvalidToken,
    MissingToken,
    NoModelForRole,
    Overloaded,
    ProviderFailed,
    RegistryError,
    RequestError,
    UnknownModel,
    UnknownName,
    UnknownProvider,
    UnsetVariable,
    UnsupportedRole,
    UntrustedProject,
)

__all__ = [
    "APIError",
    "AccessPending",
    "AnonymousLimit",
    "ApplyFailed",
    "AuthenticationFailed",
    "BadGateway",
    "BadRequest",
    "BatchTooLarge",
    "BodyRefused",
    "ByteBuddyError",
    "CallTimeout",
    "CertificateExpired",
    "CertificateForOtherHost",
    "ClientCertificateNeeded",
    "ClientCertificateRefused",
    "Closed",
    "ColdStartTimeout",
    "ConfigError",
    "ConfigInvalid",
    "ConfigNotFound",
    "ConnectTimeout",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectionRefused",
    "ContextTooLong",
    "DeadlineExceeded",
    "EndpointPaused",
    "FirstByteTimeout",
    "GatedModel",
    "GatedPermission",
    "GatewayTimeout",
    "GenerationFailed",
    "GenerationIncomplete",
    "HostLookupFailed",
    "HostNotFound",
    "HostUnreachable",
    "IdleTimeout",
    "ImagesNotSupported",
    "InputRefused",
    "InsecureEndpoint",
    "InvalidEndpoint",
    "InvalidModelId",
    "InvalidOption",
    "InvalidToken",
    "MalformedResponse",
    "MissingPermission",
    "MissingToken",
    "ModelDisabled",
    "ModelLoading",
    "ModelNotFound",
    "ModelNotSupported",
    "ModelOverloaded",
    "ModelTooLarge",
    "NoDataTimeout",
    "NoModelForRole",
    "OrganizationPolicy",
    "OutOfMemory",
    "OutputRejected",
    "Overloaded",
    "ParameterRefused",
    "PermissionDenied",
    "PipelineFailed",
    "ProOnly",
    "ProviderFailed",
    "ProxyAuthenticationFailed",
    "ProxyFailed",
    "QuotaExhausted",
    "RateLimited",
    "Redirected",
    "RegistryError",
    "RequestError",
    "RequestTooLarge",
    "ResponseError",
    "ResponseTooLarge",
    "RouteNotFound",
    "RouteNotSupported",
    "ServerBusy",
    "ServerError",
    "ServerOverloaded",
    "ServerUnhealthy",
    "ServiceRetired",
    "StreamFailed",
    "StreamInterrupted",
    "StreamingNotSupported",
    "TemplateFailed",
    "TemplateMissing",
    "TlsFailed",
    "TokenInvalid",
    "TokenMissing",
    "TokenRevoked",
    "ToolsRefused",
    "UnexpectedStatus",
    "UnknownAuthority",
    "UnknownModel",
    "UnknownName",
    "UnknownProvider",
    "UnprocessableRequest",
    "UnsetVariable",
    "UnsupportedRole",
    "UntrustedProject",
    "WrongServedModel",
]
