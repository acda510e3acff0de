"""The base of an opened model: its entry, its endpoint, and how a call is made."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Final, Self, get_args

from attrs import evolve

from bytebuddy_provider_hf.client.endpoint import CallSpec, Endpoint, check_session
from bytebuddy_provider_hf.client.pending_reply import PendingReply
from bytebuddy_provider_hf.client.request import check_option
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.unsent import unsent_options, unused_keys
from bytebuddy_provider_hf.config.values import ModelEntry, PromptTemplates
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, DoubtMode, Role

# Opening a model imports what opening needs; a call imports what it is made of, where
# it is made. A program that opens ten models and asks one starts in half the time.
if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.fallbacks import CallLimits
    from bytebuddy_provider_hf.client.plan import Planner
    from bytebuddy_provider_hf.client.roles.chat import ModelInfo
    from bytebuddy_provider_hf.wire.tasks import Task

_NO_TEMPLATES: Final = PromptTemplates()


class LearnedFacts:
    """What calls found out of a model, for the calls that come after them.

    ``batch_size`` is what its server once said it takes together, where it does not
    list it; ``refused_parameters`` are those that it once refused, by task.
    """

    # No attrs class: making one takes half a millisecond, at every start.
    def __init__(self) -> None:
        self.info: ModelInfo | None = None
        self.batch_size: int | None = None
        self.refused_parameters: Mapping[Task, frozenset[str]] = {}


class ModelBase:
    """An entry, opened: what it is, and the connections it holds a lease on."""

    # Of one that is asked in a chain of fallbacks, for the one call.
    _limits: CallLimits | None = None

    def __init__(self, entry: ModelEntry, endpoint: Endpoint, runtime: Runtime) -> None:
        self._entry = entry
        self._endpoint = endpoint
        self._lease = runtime.lease()
        self._learned = LearnedFacts()
        target = endpoint.target
        self._notes = (*target.notices, *unused_keys(entry, target))
        self._window = (
            entry.context_length or entry.default_completion_options.context_length
        )
        templates = entry.prompt_templates
        if entry.family or (templates is not None and templates.chat):
            # A wrong name is told at opening; the table is read when a call needs it.
            from bytebuddy_provider_hf.client.model_family import family_of_entry

            family_of_entry(entry)

    def limited(self, limits: CallLimits) -> Self:
        """Return this model with bounds for one call; what that learns, this knows."""
        twin = copy(self)
        twin._limits = limits  # noqa: SLF001 - its own class
        return twin

    @property
    def _model_info(self) -> ModelInfo:
        found = self._learned.info
        if found is not None:
            return found
        # Embedding and ranking do without, so they never load the table of families.
        from bytebuddy_provider_hf.client.model_family import family_of_entry
        from bytebuddy_provider_hf.client.roles.chat import ModelInfo
        from bytebuddy_provider_hf.prompts.families import opens_reasoning

        found = self._learned.info = ModelInfo(
            self._endpoint.target,
            family=family_of_entry(self._entry),
            window=self._window,
            opens_reasoning=opens_reasoning(self._entry.model),
        )
        return found

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
    def timeout(self) -> float:
        """The seconds that a call may take, unless it says otherwise."""
        return self._endpoint.timeout

    @property
    def way(self) -> tuple[str, str]:
        """What requests travel by: the origin, and a key of proxy and certificates."""
        destination = self._endpoint.destination
        return destination.origin, destination.options_key

    @property
    def context_length(self) -> int | None:
        """The tokens that the entry says the model reads, if it does."""
        return self._window

    @property
    def notices(self) -> tuple[str, ...]:
        """What of the entry is not done as it says, as far as is known now."""
        return (*self._notes, *unsent_options(self._entry, self._endpoint.target))

    @property
    def capabilities(self) -> frozenset[str]:
        """What the entry says the model can do beyond text."""
        return frozenset(self._entry.capabilities or ())

    # Names only: what else an entry holds may be a key.
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
        planner: Planner,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
        session: str | None = None,
    ) -> PendingReply:
        from bytebuddy_provider_hf.client import call_loop

        spec = self._call_spec(timeout, wait=wait, on_event=on_event, session=session)
        return PendingReply(
            lambda: call_loop.run(planner, spec, self._lease.state()),
            lambda: call_loop.stream(planner, spec, self._lease.state()),
            spec.reader_task,
        )

    def _call_spec(
        self,
        timeout: float | None,
        *,
        wait: bool,
        on_event: OnEvent | None,
        part: bool = False,
        session: str | None = None,
    ) -> CallSpec:
        # At once, not when the call is awaited: the mistake is on the caller's line.
        if timeout is not None:
            check_option("timeout", timeout)
        if session is not None:
            check_session(session)
        return CallSpec(
            endpoint=self._endpoint,
            timeout=timeout or self._endpoint.timeout,
            notes=self._notes,
            on_event=on_event,
            wait=wait,
            window=self._window,
            part=part,
            session=session,
            limits=self._limits,
        )

    def _model_info_for(self, options: CompletionOptions | None) -> ModelInfo:
        """Return the model, with the context length that a call names, if it does."""
        window = None if options is None else options.context_length
        info = self._model_info
        return info if window is None else evolve(info, window=window)

    @property
    def _templates(self) -> PromptTemplates:
        return self._entry.prompt_templates or _NO_TEMPLATES


def check_doubts(mode: object) -> None:
    """Raise ``InvalidOption`` unless ``mode`` says what becomes of a doubtful edit."""
    if mode not in get_args(DoubtMode):
        raise InvalidOption(text("calls.doubts_wrong", value=f"{mode!r:.60}"))


def check_texts(method: str, **texts: object) -> None:
    """Raise ``InvalidOption`` unless each is a text."""
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InvalidOption(
                text(
                    "calls.takes_a_text_as_not",
                    method=method,
                    name=name,
                    kind=type(value).__name__,
                )
            )
