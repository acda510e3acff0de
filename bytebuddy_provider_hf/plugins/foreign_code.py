"""Run one provider's code for one entry: what it raises becomes one kind of error.

Foreign code may raise anything. An error of ours passes as it is; Ctrl-C and a
cancellation that somebody asked for pass, too. All else is ``ProviderFailed``, without
a chain and with the entry's secrets masked.
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from attrs import frozen

from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ByteBuddyError, ProviderFailed
from bytebuddy_provider_hf.plugins.validation import unredacted
from bytebuddy_provider_hf.plugins.watched_import import ImportHangs
from bytebuddy_provider_hf.secret import MASK, Secret, one_line
from bytebuddy_provider_hf.texts import LocalizedText, text

_PACKAGE: Final = __name__.partition(".")[0]
_LONGEST_NAME: Final = 100
# A shorter text is no secret, and masking it would tear other words apart.
_SHORTEST_SECRET: Final = 8

T = TypeVar("T")

# Makes the error of a failure, of which it gets the reason.
Fail: TypeAlias = Callable[[str], ByteBuddyError]


def safe_name(name: str) -> str:
    """Return a name from a file or a caller as a message may show it."""
    return one_line(name, limit=_LONGEST_NAME)


def must_propagate(error: BaseException) -> bool:
    """Tell whether what a provider's coroutine raised is its caller's affair.

    Ctrl-C is, and a cancellation that somebody asked for. One that the provider's code
    came upon by itself (a task of its own was cancelled) would end its caller in
    silence, so it is a failure like another.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    # Python raises the class itself for Ctrl-C: one derived from it is a plugin's.
    return type(error) is KeyboardInterrupt or isinstance(error, GeneratorExit)


def is_our_code(module: str) -> bool:
    """Tell whether a module, or a target in one, is of this package."""
    return re.split(r"[.:]", module, maxsplit=1)[0] == _PACKAGE


@frozen
class ForeignCode:
    """The code of a provider, run for an entry; ``distribution`` brought it.

    ``log`` is the provider's own logger. ``grace`` is the seconds beyond its limit in
    which a call may still tell by itself why it is late.
    """

    entry: ModelEntry
    provider: str
    distribution: str | None
    log: logging.Logger
    grace: float = 0.1

    @property
    def title(self) -> LocalizedText:
        """How a message names the provider."""
        if self.distribution is None:
            return text("plugins.provider", provider=self.provider)
        return text(
            "plugins.provider_of",
            provider=self.provider,
            distribution=self.distribution,
        )

    def run(self, step: Callable[[], T], fail: Fail) -> T:
        """Run a step of foreign code; what it raises becomes the error of ``fail``."""
        try:
            return step()
        except ByteBuddyError as error:
            self.mask(error)
            raise
        except BaseException as error:  # foreign code runs here
            if type(error) is KeyboardInterrupt:
                raise
            why = self.said(error)
        # Outside the handler: the foreign error may hold a secret and is not chained.
        raise fail(why)

    async def wait(
        self,
        waiting: Awaitable[T],
        fail: Fail,
        *,
        not_theirs: Sequence[BaseException] = (),
    ) -> T:
        """Await foreign code, as :meth:`run` runs it.

        ``not_theirs`` are errors of the caller's that pass through it.
        """
        try:
            return await waiting
        except ByteBuddyError as error:
            self.mask(error)
            raise
        except BaseException as error:
            if must_propagate(error) or any(error is each for each in not_theirs):
                raise
            why = self.said(error)
        # Outside the handler, as above.
        raise fail(why)

    def opening_failed(self, why: str, hint: str | None = None) -> ProviderFailed:
        """Return the error of a model that was not opened."""
        return self._failed(
            text(
                "plugins.not_opened",
                provider=self.title,
                model=safe_name(self.entry.name),
                place=self.entry.source,
                why=why,
            ),
            hint,
        )

    def call_failed(self, method: str, why: str) -> ProviderFailed:
        """Return the error of a call that failed in the provider's code."""
        return self._failed(
            text(
                "plugins.call_failed",
                provider=self.title,
                method=method,
                model=safe_name(self.entry.name),
                why=why,
            )
        )

    def said(self, error: BaseException) -> str:
        """Return a foreign error in words, without secrets; log where it came from."""
        if isinstance(error, ImportHangs):
            return error.reason
        if self.log.isEnabledFor(logging.DEBUG):
            # The error that is told has no traceback of theirs: it might hold a key.
            trace = self.masked("".join(traceback.format_exception(error)))
            for line in trace.split("\n"):
                self.log.debug("%s", line)
        # The sentence that quotes it has a full stop of its own.
        return one_line(self.masked(unredacted(error))).rstrip(".")

    def _failed(self, message: str, hint: str | None = None) -> ProviderFailed:
        error = ProviderFailed(message, hint=hint or text("plugins.update_provider"))
        error.provider, error.distribution = self.provider, self.distribution
        return error

    def mask(self, error: ByteBuddyError) -> None:
        """Mask the entry's secrets in an error of ours that foreign code raised."""
        for name in ("message", "hint"):
            said = getattr(error, name)
            if said and (masked := self.masked(said)) != said:
                setattr(error, name, masked)
                error.args = (error.message,)

    def masked(self, said: str) -> str:
        """Return a text with the secrets of the entry masked."""
        for secret in _secrets(self.entry):
            # Short ones, too, as they are; of the others also what escapes hide.
            said = Secret(secret).scrub(said.replace(secret, MASK))
        return said


def _secrets(entry: ModelEntry) -> Iterator[str]:
    """Yield every text of an entry that a message must not repeat."""
    options = entry.request_options
    held = [entry.api_key, *options.headers.values()]
    if options.client_certificate is not None:
        held.append(options.client_certificate.passphrase)
    for secret in held:
        if secret:
            yield secret.reveal()
    # Values that nobody typed as secret may be one all the same.
    body = options.extra_body_properties
    for value in _texts([entry.env, entry.extra, body, options.proxy]):
        if len(value) >= _SHORTEST_SECRET:
            yield value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
