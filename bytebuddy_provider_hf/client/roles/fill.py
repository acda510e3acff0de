"""The role autocomplete: a gap in code, in the way the model was trained to fill it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.client import model_family
from bytebuddy_provider_hf.client.knowledge import Knowledge, smallest
from bytebuddy_provider_hf.client.plan import (
    Plan,
    Planner,
    PostProcessing,
    plan_infill,
    plan_rendered,
    post_processed,
    with_notes,
)
from bytebuddy_provider_hf.client.roles.chat import ModelInfo, plan_conversation
from bytebuddy_provider_hf.config.values import AutocompleteOptions
from bytebuddy_provider_hf.edits.text_filter import TextFilter
from bytebuddy_provider_hf.prompts import fim, history
from bytebuddy_provider_hf.prompts.family import Family, ModelKind, Rendered
from bytebuddy_provider_hf.prompts.fill_by_chat import fill_messages
from bytebuddy_provider_hf.prompts.fill_context import FillContext, fit_context
from bytebuddy_provider_hf.prompts.filters import CrLf, DropPrefix, FillFilter, has_crlf
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest

# What Continue gives a completion by default (core/util/parameters.ts).
_PROMPT_TOKENS: Final = 1_024
_PREFIX_SHARE: Final = 0.3
_SUFFIX_SHARE: Final = 0.2
# Nobody waits at a cursor for more.
_ANSWER_TOKENS: Final = 256
_LINE_TOKENS: Final = 64
# The tokens of the format itself, and those that an estimate may be wrong by.
_MARKS: Final = 32
_NO_RAW: Final = (
    "promptTemplates.autocomplete was not used: this server only has a chat route."
)
# A guess at a cursor should be the likeliest one.
_TEMPERATURE: Final = 0.01


@frozen
class FillRequest:
    """A gap to fill, and how."""

    context: FillContext
    options: CompletionOptions
    multiline: bool = True
    template: str | None = None
    limits: AutocompleteOptions = field(factory=AutocompleteOptions)
    extra: Mapping[str, object] = field(factory=dict)


def fill_planner(request: FillRequest, model_info: ModelInfo) -> Planner:
    """Return how to have a gap filled.

    Raises ``UnsupportedRole``, when asked, for a model or server that cannot.
    """
    chosen = _with_defaults(request)

    def make(knowledge: Knowledge, options: CompletionOptions, stream: bool) -> Plan:  # noqa: FBT001 - the type in Planner
        changed = evolve(request, options=options)
        shown = _fit_context(
            changed, smallest(model_info.window, knowledge.server.context_length)
        )
        who = model_info.with_family(knowledge.family)
        return _FillPlanner(changed, shown, who, knowledge, stream=stream).plan()

    seconds = model_family.hub_seconds_for_fill(model_info.family, model_info.target)
    return Planner(chosen, make, hub_seconds=None if request.template else seconds)


class _FillPlanner:
    """Choose how one server is asked to fill the gap."""

    def __init__(
        self,
        request: FillRequest,
        shown: FillContext,
        model_info: ModelInfo,
        knowledge: Knowledge,
        *,
        stream: bool,
    ) -> None:
        self._request = request
        # The part of the gap that fits.
        self._context = shown
        self._model_info = model_info
        self._known = knowledge
        self._stream = stream
        self._family = model_family.family_for(model_info.family, knowledge.server)

    def plan(self) -> Plan:
        model = self._model_info.target.model
        family, server = self._family, self._known.server
        model_family.refuse_non_generative(family, model, "fill a gap")
        model_family.refuse_dialog_only(family, model, "fill a gap")
        model_family.refuse_seq2seq(family, model, "fill a gap")
        raw = model_family.accepts_raw_prompt(server, self._model_info.target)
        template = self._request.template
        if template is not None and raw:
            form = family.fim if family is not None else None
            rendered = fim.render_template(template, self._context, form)
            return self._plan_prompt(rendered, family)
        # llama.cpp's own route: there the tokens in a user's code are only text.
        if "infill" in server.routes and (family is None or family.fim is not None):
            return self._plan_infill()
        if family is not None and family.fim is not None and raw:
            return self._plan_prompt(fim.render_fim(family.fim, self._context), family)
        tuned = family is None or family.kind is ModelKind.CHAT
        if tuned and "chat" in server.routes and not self._known.no_template:
            return self._plan_by_chat()
        if raw:
            return self._plan_continuation()
        raise model_family.no_template_error(model)

    def _plan_infill(self) -> Plan:
        context = self._context
        request = InfillRequest(
            context.prefix,
            context.suffix,
            files=context.files,
            options=self._request.options,
            extra=self._request.extra,
        )
        plan = plan_infill(
            request, self._model_info.target, self._known, stream=self._stream
        )
        return post_processed(plan, self._post_processing())

    def _plan_prompt(self, rendered: Rendered, family: Family | None) -> Plan:
        fim = family.fim if family is not None else None
        specials = () if fim is None else fim.specials
        return self._plan_rendered(rendered, self._post_processing(specials=specials))

    def _plan_rendered(self, rendered: Rendered, shape: PostProcessing) -> Plan:
        return plan_rendered(
            rendered,
            CompletionRequest(
                prompt="", options=self._request.options, extra=self._request.extra
            ),
            self._model_info.target,
            self._known,
            stream=self._stream,
            shape=shape,
        )

    def _plan_continuation(self) -> Plan:
        """Go on with the prefix, its last blanks left for the model to write.

        In its training they were one token with the word that follows them.
        """
        context = self._context
        bare = context.prefix.rstrip(" \t")
        held = context.prefix[len(bare) :]
        rendered = fim.continuation(evolve(context, prefix=bare) if bare else context)
        inner = self._post_processing().make_filter
        start = held if bare else ""
        return self._plan_rendered(
            rendered, PostProcessing(lambda: DropPrefix(start, inner()))
        )

    def _plan_by_chat(self) -> Plan:
        request = ChatRequest(
            fill_messages(self._context),
            options=self._request.options,
            extra=self._request.extra,
        )
        plan = plan_conversation(
            request, self._model_info, self._known, stream=self._stream, role="fill"
        )
        note = "The gap was filled by chat: this model is not asked to infill here."
        notes = (note,) if self._request.template is None else (note, _NO_RAW)
        return with_notes(post_processed(plan, self._post_processing(hole=True)), notes)

    def _post_processing(
        self, *, hole: bool = False, specials: tuple[str, ...] = ()
    ) -> PostProcessing:
        request = self._request
        # The markers of a chat are chosen by what was shown; all else is judged by all
        # that stands around the cursor.
        context = self._context if hole else request.context

        crlf = has_crlf(request.context.prefix + request.context.suffix)

        def through() -> TextFilter:
            made = FillFilter(
                context, multiline=request.multiline, by_chat=hole, specials=specials
            )
            return CrLf(made) if crlf else made

        return PostProcessing(through)


def _fit_context(request: FillRequest, window: int | None) -> FillContext:
    """Return what of the gap a prompt may show, the answer's tokens kept free."""
    context, limits = request.context, request.limits
    tokens = limits.max_prompt_tokens or _PROMPT_TOKENS
    if window is not None:
        answer = request.options.max_tokens or _ANSWER_TOKENS
        tokens = min(tokens, max(window // 2, window - answer - _MARKS))
    return fit_context(
        context,
        tokens=tokens,
        prefix_share=_default_to(limits.prefix_percentage, _PREFIX_SHARE),
        suffix_share=_default_to(limits.max_suffix_percentage, _SUFFIX_SHARE),
        count=_estimate,
    )


_estimate: Final[Callable[[str], int]] = history.estimate_tokens


def _default_to(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _with_defaults(request: FillRequest) -> CompletionOptions:
    """Return the options with what a completion at a cursor wants by default."""
    # One gap has one filling, however many answers the entry asks for.
    options = evolve(request.options, n=None)
    if options.max_tokens is None:
        tokens = _ANSWER_TOKENS if request.multiline else _LINE_TOKENS
        options = evolve(options, max_tokens=tokens)
    if options.temperature is None:
        options = evolve(options, temperature=_TEMPERATURE)
    return options
