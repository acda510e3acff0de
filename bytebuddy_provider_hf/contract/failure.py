"""A plugin that could not be used, and why."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.secret import one_line

Stage: TypeAlias = Literal[
    "metadata", "import", "register", "hook", "version", "value", "name"
]


@frozen
class PluginFailure:
    """Tell which plugin was left out, at what stage, why, and what to do.

    ``distribution`` is ``None`` for a plugin handed over as an object. ``error`` and
    ``hint`` are one redacted line each.
    """

    plugin: str
    distribution: str | None
    stage: Stage
    error: str
    hint: str

    def __str__(self) -> str:
        return (
            f"{titled(self.plugin, self.distribution)} was left out ({self.stage}): "
            f"{self.error.rstrip('.')}. {self.hint}"
        )


def titled(plugin: str, distribution: str | None) -> str:
    """Return how a message names a plugin."""
    return (
        f"plugin {plugin}"
        if distribution is None
        else f"plugin {plugin} of distribution {distribution}"
    )


def described(error: BaseException) -> str:
    """Return the type and text of a foreign error as one redacted line."""
    return one_line(unredacted(error))


def unredacted(error: BaseException) -> str:
    """Return the type and text of a foreign error as they are."""
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a foreign class's __str__ runs here
        text = ""
    return f"{kind}: {text}" if text else kind
