"""The names that users may import from the package."""

from __future__ import annotations

from importlib import metadata

import attrs
import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import errors, types

# Adding a name is a new promise, taking one away breaks somebody: both are decisions.
PUBLIC = [
    "DEFAULT_ROLES",
    "SPEC_VERSION",
    "APIError",
    "AccessPending",
    "AnonymousLimit",
    "Apply",
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
    "Chat",
    "Choice",
    "ClientCertificateNeeded",
    "ClientCertificateRefused",
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
    "ContextTooLong",
    "Conversation",
    "DeadlineExceeded",
    "Done",
    "Edit",
    "Embed",
    "Embeddings",
    "EndpointPaused",
    "Event",
    "Fill",
    "FinishReason",
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
    "ImagePart",
    "ImagesNotSupported",
    "InputRefused",
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
    "ModelDisabled",
    "ModelEntry",
    "ModelLoading",
    "ModelNotFound",
    "ModelNotSupported",
    "ModelOverloaded",
    "ModelRegistry",
    "ModelTooLarge",
    "NoDataTimeout",
    "NoModelForRole",
    "OnEvent",
    "OpenContext",
    "OrganizationPolicy",
    "OutOfMemory",
    "OutputRejected",
    "Overloaded",
    "ParameterRefused",
    "PermissionDenied",
    "PipelineFailed",
    "PluginFailure",
    "ProOnly",
    "ProviderFailed",
    "ProviderSpec",
    "ProxyAuthenticationFailed",
    "ProxyFailed",
    "QuotaExhausted",
    "RateLimited",
    "Reasoning",
    "ReasoningEffort",
    "Redirected",
    "RegistryError",
    "Reply",
    "ReplyCall",
    "RequestError",
    "RequestOptions",
    "RequestTooLarge",
    "Rerank",
    "ResponseError",
    "ResponseFormat",
    "ResponseTooLarge",
    "Role",
    "RoleName",
    "RouteNotFound",
    "RouteNotSupported",
    "Scores",
    "Secret",
    "ServerBusy",
    "ServerError",
    "ServerOverloaded",
    "ServerUnhealthy",
    "ServiceRetired",
    "Source",
    "StreamFailed",
    "StreamInterrupted",
    "StreamingNotSupported",
    "TaskReply",
    "Tasks",
    "TemplateFailed",
    "TemplateMissing",
    "Text",
    "TextPart",
    "TlsFailed",
    "TokenInvalid",
    "TokenLogprob",
    "TokenMissing",
    "TokenRevoked",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
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
    "Usage",
    "WrongServedModel",
    "hookimpl",
    "hookspec",
    "open_model",
]


def test_exported_names() -> None:
    """The public names are exactly these, in the order that ruff sorts them."""
    assert bytebuddy_provider_hf.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_can_be_used(name: str) -> None:
    """Each public name leads to a value."""
    assert getattr(bytebuddy_provider_hf, name) is not None


def test_every_error_is_public() -> None:
    """Whatever this package raises can be caught by a name imported from the top."""
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ByteBuddyError)
    }
    assert defined <= set(PUBLIC)


def test_every_value_that_travels_is_public() -> None:
    """Messages, options, events and replies are made and matched by public names."""
    defined = {
        name
        for name, value in vars(types).items()
        if isinstance(value, type) and attrs.has(value)
    }
    assert defined
    assert defined <= set(PUBLIC)


def test_a_name_is_looked_up_once() -> None:
    """The second look at a name finds it in the module, with no import machinery."""
    first = bytebuddy_provider_hf.Reply
    assert vars(bytebuddy_provider_hf)["Reply"] is first


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module, naming module and name."""
    with pytest.raises(AttributeError, match=r"'bytebuddy_provider_hf'.*'Replay'"):
        _ = bytebuddy_provider_hf.Replay


def test_dir_lists_the_public_names() -> None:
    """Completion in a shell offers every public name."""
    assert set(PUBLIC) | {"__version__"} <= set(dir(bytebuddy_provider_hf))


def test_the_version_is_the_installed_one() -> None:
    """``__version__`` is what the installed metadata says; it is written once."""
    installed = metadata.version("bytebuddy-provider-hf")
    assert bytebuddy_provider_hf.__version__ == installed
