"""The models a command may use: those of the configuration, and any ``org/name``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from attrs import define, field

from bytebuddy_provider_hf.cli.options import ModelChoice
from bytebuddy_provider_hf.cli.trust_prompt import ask_for_trust
from bytebuddy_provider_hf.cli.verbose import tell_of_log
from bytebuddy_provider_hf.errors import (
    ConfigNotFound,
    InvalidEndpoint,
    InvalidOption,
    MissingToken,
    UntrustedProject,
)
from bytebuddy_provider_hf.plugins.protocols import (
    Apply,
    Chat,
    Complete,
    Edit,
    Fill,
    Model,
)
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

NO_MODEL_HELP: Final = (
    "Three ways on:",
    "  bytebuddy-hf login    store a token, then: bytebuddy-hf chat -m org/name",
    "  bytebuddy-hf chat --base http://127.0.0.1:8080/v1 -m any    a server here",
    "  bytebuddy-hf demo    a small model on this machine, no token needed",
)
NO_MODEL_HELP_ZH: Final = (
    "有三种办法：",
    "  bytebuddy-hf login    保存令牌，然后：bytebuddy-hf chat -m org/name",
    "  bytebuddy-hf chat --base http://127.0.0.1:8080/v1 -m any    使用本机的服务器",
    "  bytebuddy-hf demo    在本机运行小模型，不需要令牌",
)


@define
class ModelSource:
    """Open models by name and close them all in the end.

    With ``choice.base`` the configuration is not read at all: the server is named.
    """

    choice: ModelChoice
    registry: ModelRegistry | None = None
    _loose: dict[str, Model] = field(factory=dict)

    async def __aenter__(self) -> Self:
        if self.choice.base is None:
            from bytebuddy_provider_hf.plugins.registry import ModelRegistry

            self.registry = ModelRegistry.load(self.choice.config)
            tell_of_log()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for model in self._loose.values():
            await model.aclose()
        self._loose.clear()
        if self.registry is not None:
            await self.registry.aclose()
        if isinstance(error, MissingToken):
            add_help(error)

    def names(self) -> tuple[str, ...]:
        """Return the names the configuration gives."""
        if self.registry is None:
            return ()
        return tuple(entry.name for entry in self.registry.entries)

    async def open(self, name: str | None, *, role: Role = Role.CHAT) -> Model:
        """Open the model called ``name``, or the first of the configuration for it."""
        if self.choice.base is not None:
            if not self.choice.base.strip():
                # Empty means the router elsewhere: nobody who names a server means it.
                message = "--base is empty"
                raise InvalidEndpoint(message, hint="Write it as http://HOST:PORT/v1.")
            if name is None:
                message = "--base names a server, but no model of it was named"
                raise InvalidOption(message, hint="Add -m with its name.")
            return self._open_loose(name)
        chosen = name if name is not None else self._first(role)
        if chosen not in self.names() and "/" in chosen:
            return self._open_loose(chosen)
        return await self._open_entry(chosen)

    def _first(self, role: Role) -> str:
        if not self.names():
            message = "no model was named and there is no configuration file"
            error = ConfigNotFound(message)
            add_help(error)
            raise error
        assert self.registry is not None  # noqa: S101  # names() found some
        return self.registry.entry_for_role(role).name

    async def _open_entry(self, name: str) -> Model:
        assert self.registry is not None  # noqa: S101  # only without --base
        try:
            return await self.registry.open(name)
        except UntrustedProject:
            if not ask_for_trust(self.registry.entry(name)):
                raise
        await self.registry.aclose()
        from bytebuddy_provider_hf.plugins.registry import ModelRegistry

        self.registry = ModelRegistry.load(self.choice.config)
        return await self.registry.open(name)

    def _open_loose(self, name: str) -> Model:
        from bytebuddy_provider_hf.client.opening import open_model

        if name not in self._loose:
            self._loose[name] = open_model(name, api_base=self.choice.base)
        return self._loose[name]


def add_help(error: MissingToken | ConfigNotFound) -> None:
    """Let an error say what can be done without a token or a file."""
    for line in NO_MODEL_HELP:
        error.add_note(line)


def as_chat(model: Model) -> Chat:
    """Return ``model`` as one that answers, or say that it does not."""
    if isinstance(model, Chat):
        return model
    message = f"the model {model.name} does not chat"
    raise InvalidOption(message)


def as_complete(model: Model) -> Complete:
    """Return ``model`` as one that goes on with a text, or say that it does not."""
    if isinstance(model, Complete):
        return model
    message = f"the model {model.name} does not complete texts"
    raise InvalidOption(message)


def as_fill(model: Model) -> Fill:
    """Return ``model`` as one that fills gaps, or say that it does not."""
    if isinstance(model, Fill):
        return model
    message = f"the model {model.name} does not fill gaps in code"
    raise InvalidOption(message)


def as_edit(model: Model) -> Edit:
    """Return ``model`` as one that edits code, or say that it does not."""
    if isinstance(model, Edit):
        return model
    message = f"the model {model.name} does not edit code"
    raise InvalidOption(message)


def as_apply(model: Model) -> Apply:
    """Return ``model`` as one that applies changes, or say that it does not."""
    if isinstance(model, Apply):
        return model
    message = f"the model {model.name} does not apply changes to code"
    raise InvalidOption(message)
