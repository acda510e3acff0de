"""What every role of a model shares: its entry, its route, and how a call is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import Final, Self

from attrs import evolve

from bytebuddy_provider_hf.config.model import ModelEntry, PromptTemplates
from bytebuddy_provider_hf.contract.protocols import OnEvent
from bytebuddy_provider_hf.engine import asking, execute, passage
from bytebuddy_provider_hf.engine.call import PendingReply
from bytebuddy_provider_hf.engine.kinship import of_entry
from bytebuddy_provider_hf.engine.options import check
from bytebuddy_provider_hf.engine.roles.chat import Talker
from bytebuddy_provider_hf.engine.route import Route
from bytebuddy_provider_hf.engine.runtime import Runtime
from bytebuddy_provider_hf.engine.unsent import unsent_options, unused_keys
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import CompletionOptions, Event, Reply, Role

_NO_TEMPLATES: Final = PromptTemplates()


class OpenedEntry:
    """An entry, opened: what it is, and the connections it holds a lease on."""

    def __init__(self, entry: ModelEntry, route: Route, runtime: Runtime) -> None:
        self._entry = entry
        self._route = route
        self._lease = runtime.lease()
        self._notes = (*route.target.notices, *unused_keys(entry))
        self._talker = Talker(
            route.target,
            family=of_entry(entry),
            window=entry.context_length
            or entry.default_completion_options.context_length,
        )

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self._entry.name

    @property
    def model(self) -> str:
        """The id of the model."""
        return self._entry.model

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the entry says the model is for."""
        return self._entry.roles

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the entry is not done as it says, as far as is known now."""
        return (*self._notes, *unsent_options(self._entry, self._route.target))

    @property
    def capabilities(self) -> frozenset[str]:
        """What the entry says the model can do beyond text."""
        return frozenset(self._entry.capabilities or ())

    def __repr__(self) -> str:
        return f"<HuggingFaceModel {self.name!r}: {self.model}>"

    async def aclose(self) -> None:
        """Give the connections back; the last model to do so closes them."""
        await self._lease.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def _call(
        self,
        question: asking.Question,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
    ) -> PendingReply:
        errand = self._errand(question, timeout, wait=wait, on_event=on_event)

        def begin() -> Coroutine[object, object, Reply]:
            return execute.whole(errand, self._lease.state())

        def stream() -> AsyncGenerator[Event, None]:
            return execute.events(errand, self._lease.state())

        return PendingReply(begin, stream, errand.reading)

    def _errand(
        self,
        question: asking.Question[asking.R],
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
        part: bool = False,
    ) -> passage.Errand[asking.R]:
        if timeout is not None:
            check("timeout", timeout)
        return passage.Errand(
            route=self._route,
            question=question,
            timeout=timeout or self._route.timeout,
            notes=self._notes,
            on_event=on_event,
            wait=wait,
            window=self._talker.window,
            part=part,
        )

    def _talker_for(self, options: CompletionOptions | None) -> Talker:
        """Return who is talked to, with the window that a call says there is."""
        window = None if options is None else options.context_length
        return self._talker if window is None else evolve(self._talker, window=window)

    @property
    def _templates(self) -> PromptTemplates:
        return self._entry.prompt_templates or _NO_TEMPLATES


def check_texts(method: str, **texts: object) -> None:
    """Raise ``InvalidOption`` unless each is a text."""
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InvalidOption(
                f"{method} takes a text as {name}, not a {type(value).__name__}."
            )
