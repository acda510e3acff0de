"""Name the errors before anything is sent: of the file, the registry, the request.

::

    ByteBuddyError
    ├── ConfigError: ConfigNotFound, ConfigInvalid, UnsetVariable, UntrustedProject
    ├── RegistryError: ProviderFailed, Closed
    │   └── UnknownName: UnknownModel, UnknownProvider, NoModelForRole
    └── RequestError: InvalidModelId, InvalidEndpoint, InsecureEndpoint, InvalidOption,
            UnsupportedRole, MissingToken, InvalidToken, Overloaded
"""

from __future__ import annotations

from bytebuddy_provider_hf.errors.base import ByteBuddyError
from bytebuddy_provider_hf.secret import one_line


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


class UnsupportedRole(RequestError):
    """The model, or the server, cannot do what was asked of it."""


class MissingToken(RequestError):
    """This endpoint needs a token and none was found."""


class InvalidToken(RequestError):
    """A value that cannot be sent as a token, such as one with a line break in it."""


class Overloaded(RequestError):
    """More callers are already waiting than ``maxQueue`` allows."""
