"""A plugin that could not be used, and why."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import frozen

from bytebuddy_provider_hf.secret import one_line

Stage: TypeAlias = Literal[
    "metadata", "import", "register", "hook", "version", "value", "name", "alias"
]

# What foreign code raises and a host should outlive, where nothing odder is likely.
FOREIGN: Final = (Exception, SystemExit)


@frozen
class PluginFailure:
    """Tell which plugin was left out, at what stage, why, and what to do.

    At the stage ``alias`` the plugin stays and only loses that alias.
    ``distribution`` is ``None`` for a plugin handed over as an object. ``error`` and
    ``hint`` are one redacted line each.
    """

    plugin: str
    distribution: str | None
    stage: Stage
    error: str
    hint: str

    @property
    def left_out(self) -> bool:
        """Tell whether the plugin is not in use at all."""
        return self.stage != "alias"

    def __str__(self) -> str:
        what = "was left out" if self.left_out else "lost a name"
        return (
            f"{titled(self.plugin, self.distribution)} {what} ({self.stage}): "
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
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # a foreign class's __str__ runs here
        text = ""
    return f"{kind}: {text}" if text else kind
