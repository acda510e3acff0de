"""Hugging Face models for ByteBuddy hosts: the public names.

Each is imported when it is first used, so that a host which only looks for plugins
pays for none of them.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bytebuddy_provider_hf.config.model import (
        ModelEntry,
        RequestOptions,
        Source,
    )
    from bytebuddy_provider_hf.contract.failure import PluginFailure
    from bytebuddy_provider_hf.contract.protocols import (
        Chat,
        Complete,
        Model,
        OnEvent,
        OpenContext,
        ReplyCall,
    )
    from bytebuddy_provider_hf.contract.registry import (
        ModelRegistry,
    )
    from bytebuddy_provider_hf.contract.spec import (
        SPEC_VERSION,
        ProviderSpec,
        hookimpl,
        hookspec,
    )
    from bytebuddy_provider_hf.engine.model import (
        open_model,
    )
    from bytebuddy_provider_hf.errors import (
        APIError,
        AuthenticationFailed,
        BadRequest,
        ByteBuddyError,
        CallTimeout,
        Closed,
        ColdStartTimeout,
        ConfigError,
        ConfigInvalid,
        ConfigNotFound,
        ConnectionFailed,
        ConnectionLost,
        ConnectionRefused,
        ConnectTimeout,
        DeadlineExceeded,
        EndpointPaused,
        GatedModel,
        GatewayTimeout,
        GenerationFailed,
        HostNotFound,
        IdleTimeout,
        InsecureEndpoint,
        InvalidEndpoint,
        InvalidModelId,
        InvalidOption,
        InvalidToken,
        MalformedResponse,
        MissingPermission,
        MissingToken,
        ModelLoading,
        ModelNotFound,
        ModelNotSupported,
        NoModelForRole,
        PermissionDenied,
        ProviderFailed,
        QueueFull,
        QuotaExhausted,
        RateLimited,
        RegistryError,
        RequestError,
        RequestTooLarge,
        ResponseError,
        ResponseTooLarge,
        ServerError,
        ServerOverloaded,
        ServiceRetired,
        StreamFailed,
        StreamInterrupted,
        TlsFailed,
        UnexpectedStatus,
        UnknownModel,
        UnknownName,
        UnknownProvider,
        UnprocessableRequest,
        UnsetVariable,
        UntrustedProject,
    )
    from bytebuddy_provider_hf.secret import (
        Secret,
    )
    from bytebuddy_provider_hf.types import (
        DEFAULT_ROLES,
        CompletionOptions,
        Conversation,
        Done,
        Event,
        FinishReason,
        ImagePart,
        Loading,
        Message,
        MessageLike,
        Reasoning,
        Reply,
        Role,
        RoleName,
        Text,
        TextPart,
        Tool,
        ToolCall,
        ToolCallDelta,
        Usage,
    )

    __version__: str

__all__ = [
    "DEFAULT_ROLES",
    "SPEC_VERSION",
    "APIError",
    "AuthenticationFailed",
    "BadRequest",
    "ByteBuddyError",
    "CallTimeout",
    "Chat",
    "Closed",
    "ColdStartTimeout",
    "Complete",
    "CompletionOptions",
    "ConfigError",
    "ConfigInvalid",
    "ConfigNotFound",
    "ConnectTimeout",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectionRefused",
    "Conversation",
    "DeadlineExceeded",
    "Done",
    "EndpointPaused",
    "Event",
    "FinishReason",
    "GatedModel",
    "GatewayTimeout",
    "GenerationFailed",
    "HostNotFound",
    "IdleTimeout",
    "ImagePart",
    "InsecureEndpoint",
    "InvalidEndpoint",
    "InvalidModelId",
    "InvalidOption",
    "InvalidToken",
    "Loading",
    "MalformedResponse",
    "Message",
    "MessageLike",
    "MissingPermission",
    "MissingToken",
    "Model",
    "ModelEntry",
    "ModelLoading",
    "ModelNotFound",
    "ModelNotSupported",
    "ModelRegistry",
    "NoModelForRole",
    "OnEvent",
    "OpenContext",
    "PermissionDenied",
    "PluginFailure",
    "ProviderFailed",
    "ProviderSpec",
    "QueueFull",
    "QuotaExhausted",
    "RateLimited",
    "Reasoning",
    "RegistryError",
    "Reply",
    "ReplyCall",
    "RequestError",
    "RequestOptions",
    "RequestTooLarge",
    "ResponseError",
    "ResponseTooLarge",
    "Role",
    "RoleName",
    "Secret",
    "ServerError",
    "ServerOverloaded",
    "ServiceRetired",
    "Source",
    "StreamFailed",
    "StreamInterrupted",
    "Text",
    "TextPart",
    "TlsFailed",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "UnexpectedStatus",
    "UnknownModel",
    "UnknownName",
    "UnknownProvider",
    "UnprocessableRequest",
    "UnsetVariable",
    "UntrustedProject",
    "Usage",
    "hookimpl",
    "hookspec",
    "open_model",
]

# Every public name that is not listed here is an error or a value that travels.
_HOMES: Final = {
    "ModelEntry": "config.model",
    "RequestOptions": "config.model",
    "Source": "config.model",
    "PluginFailure": "contract.failure",
    "Chat": "contract.protocols",
    "Complete": "contract.protocols",
    "Model": "contract.protocols",
    "OnEvent": "contract.protocols",
    "OpenContext": "contract.protocols",
    "ReplyCall": "contract.protocols",
    "ModelRegistry": "contract.registry",
    "SPEC_VERSION": "contract.spec",
    "ProviderSpec": "contract.spec",
    "hookimpl": "contract.spec",
    "hookspec": "contract.spec",
    "open_model": "engine.model",
    "Secret": "secret",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return metadata.version("bytebuddy-provider-hf")
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    places = (_HOMES[name],) if name in _HOMES else ("errors", "types")
    for place in places:
        module = import_module(f"{__name__}.{place}")
        if hasattr(module, name):
            return globals().setdefault(name, getattr(module, name))
    message = f"{name!r} is listed in __all__ of {__name__!r} and defined nowhere"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
