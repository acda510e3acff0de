"""The hook implementation that registers the provider ``huggingfaceinferenceapi``."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.plugins.spec import ProviderSpec, hookimpl

PROVIDER: Final = "huggingfaceinferenceapi"

# Every role there is: hosts summarize, and send out subagents, through chat(). Spelled
# out because a host pays for each module that this one imports.
ROLES: Final = frozenset(
    {
        "chat",
        "autocomplete",
        "edit",
        "apply",
        "embed",
        "rerank",
        "summarize",
        "subagent",
    }
)


@hookimpl
def bytebuddy_providers() -> tuple[ProviderSpec, ...]:
    """Return the Hugging Face provider; its code is imported when an entry opens."""
    return (
        ProviderSpec(
            name=PROVIDER,
            target="bytebuddy_provider_hf.client.opening:open_entry",
            aliases=(
                "huggingface-inference-api",
                "huggingface-inference-providers",
                "huggingface-inference-endpoints",
                "huggingface-tgi",
            ),
            roles=ROLES,
        ),
    )
