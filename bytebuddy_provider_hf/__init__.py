"""Hugging Face models for ByteBuddy hosts: the public names.

Each is imported when it is first used, so that a host which only looks for plugins
pays for none of them. Here is what a program catches or builds every day; the other
errors are in ``errors``, the other types beside those they belong to. Type checkers
read ``__init__.pyi``.
"""

from __future__ import annotations

import logging
from typing import Final

_NAMES: Final = {
    "client.catalogue": "Catalogue ModelFilter",
    "client.opening": "open_model",
    "config.values": (
        "AlertOptions AutocompleteOptions Budget BudgetOptions CacheOptions "
        "EmbeddingPrefixes EmbedOptions ModelEntry PromptTemplates RequestOptions "
        "Source"
    ),
    "errors": (
        "ByteBuddyError ConfigError RegistryError UnknownModel Closed "
        "RequestError InvalidOption UnsupportedRole MissingToken NotAwaited APIError "
        "AuthenticationFailed PermissionDenied GatedModel QuotaExhausted "
        "ModelNotFound ModelNotSupported EndpointPaused ContextTooLong "
        "RateLimited ServerError ModelLoading ColdStartTimeout CallTimeout "
        "ConnectionFailed ResponseError StreamInterrupted ApplyFailed "
        "EditDoubtful Doubt BudgetExceeded"
    ),
    "money": "Cost",
    "outcomes": "Embeddings Scores TaskReply",
    "plugins.protocols": (
        "Apply Chat Complete Edit Embed Fill Model OpenContext ReplyCall Rerank Tasks"
    ),
    "plugins.registry": "ModelRegistry",
    "plugins.spec": "SPEC_VERSION ProviderSpec hookimpl",
    "plugins.validation": "PluginFailure",
    "secret": "Secret",
    "tools": "as_tool",
    "types": (
        "BudgetAlert Choice CompletionOptions Conversation Done Event ImagePart "
        "Loading Message Progress Reasoning Reply Role Served Text TextPart "
        "TokenLogprob Tool ToolCall ToolCallDelta ToolLike Usage "
        "event_from_dict"
    ),
}
_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names.split()}

# Type checkers read the stub instead.
__all__ = [*sorted(_HOMES)]  # noqa: PLE0604 - they are strings

# As libraries do: nothing is printed that the program did not ask for.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("bytebuddy-provider-hf")
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    module = import_module(f"{__name__}.{_HOMES[name]}")
    # Kept, so that the next look finds it without coming here.
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
