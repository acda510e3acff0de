"""Name the errors before anything is sent: of the file, the registry, the request."""

from __future__ import annotations

from bytebuddy_provider_hf.errors.base import ByteBuddyError
from bytebuddy_provider_hf.secret import one_line


class ConfigError(ByteBuddyError):
    """Something is wrong with a configuration file."""


class ConfigNotFound(ConfigError):
    """A configuration file that was named does not exist or cannot be read."""


# All problems at once: a file is mended in one go.
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


# Whoever can write into a repository must not decide where its users' keys go.
class UntrustedProject(ConfigError):
    """A project's file wants a key sent somewhere the user has not yet trusted."""


class RegistryError(ByteBuddyError):
    """The model registry cannot give what was asked for."""


# The names that exist are for the host's own "did you mean".
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


# Made without a chain: foreign exceptions may hold the entry's key.
class ProviderFailed(RegistryError):
    """A provider's own code failed: as it opened an entry, or in a call.

    Where known: ``provider`` is its name and ``distribution`` the package it came from.
    """

    provider: str | None = None
    distribution: str | None = None


class Closed(RegistryError):
    """The registry, model or runtime was used after it was closed."""


class RequestError(ByteBuddyError):
    """A request was refused here, before anything was sent."""


# ".." or "?" in an id would send the token to another path.
class InvalidModelId(RequestError):
    """A model id that is malformed, or that would leave its place in a URL."""


class InvalidEndpoint(RequestError):
    """An ``api_base`` that is not a usable http or https URL."""


# Whoever is on the way can read it.
class InsecureEndpoint(RequestError):
    """A token would travel over plain http to another machine."""


class InvalidOption(RequestError):
    """An option outside its range, or a message of the wrong shape."""


# An AttributeError too, so that hasattr() and getattr() with a default stay quiet.
class NotAwaited(RequestError, AttributeError):
    """A call was used as if it were its answer: it was not awaited, nor entered."""


class UnsupportedRole(RequestError):
    """The model, or the server, cannot do what was asked of it."""


class MissingToken(RequestError):
    """This endpoint needs a token and none was found."""


# A line break in a header would begin another one.
class InvalidToken(RequestError):
    """A value that cannot be sent as a token, such as one with a line break in it."""


# A limit that lets one call more through is none: what a call may cost is reserved.
class BudgetExceeded(RequestError):
    """A call would pass a hard budget; ``budget`` names it, ``ends`` is its period's.

    ``used`` and ``limit`` are in ``unit``: 10⁻⁹ USD ("dollars"), "tokens" or "calls".
    ``ends`` counts seconds of the Unix clock; ``None`` where no end would help.
    """

    def __init__(
        self,
        message: str,
        *,
        budget: str,
        unit: str,
        used: int,
        limit: int,
        ends: float | None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.budget = budget
        self.unit = unit
        self.used = used
        self.limit = limit
        self.ends = ends


# A bound, so that an outage does not fill the memory with callers.
class Overloaded(RequestError):
    """More callers are already waiting than ``maxQueue`` allows."""
