"""The role autocomplete: a gap in code, in the way the model was trained to fill it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from attrs import define, evolve, field

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
from bytebuddy_provider_hf.prompts.family import ModelKind
from bytebuddy_provider_hf.prompts.fill_by_chat import fill_messages
from bytebuddy_provider_hf.prompts.fill_context import FillContext, fit_context
from bytebuddy_provider_hf.prompts.filters import (
    CrLf,
    DropPrefix,
    FillFilter,
    has_crlf,
    has_talked,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import CompletionOptions, Reply
from bytebuddy_provider_hf.wire.llamacpp import InfillRequest
from bytebuddy_provider_hf.wire.openai import ChatRequest, CompletionRequest
from bytebuddy_provider_hf.wire.server import Server

# What Continue gives a completion by default (core/util/parameters.ts).
_PROMPT_TOKENS: Final = 1_024
_PREFIX_SHARE: Final = 0.3
_SUFFIX_SHARE: Final = 0.2
# Nobody waits at a cursor for more.
_ANSWER_TOKENS: Final = 256
_LINE_TOKENS: Final = 64
# The tokens of the format itself, and those that an estimate may be wrong by.
_MARKS: Final = 32


# A guess at a cursor should be the likeliest one.
_TEMPERATURE: Final = 0.01


@define
class FillPlanner(Planner):
    """Have a gap filled, in the way that model and server were made for.

    ``options`` have the defaults of a completion at a cursor. ``template`` is the one
    of the configuration.
    """

    role: str = field(default="autocomplete", init=False)

    context: FillContext
    model_info: ModelInfo
    multiline: bool = True
    template: str | None = None
    limits: AutocompleteOptions = field(factory=AutocompleteOptions)
    extra: Mapping[str, object] = field(factory=dict)

    def hub_seconds(self, server: Server, *, no_template: bool) -> float:
        """Return how long the Hub may be asked for the model's family."""
        if self.template:
            return 0.0
        info = self.model_info
        return model_family.hub_seconds_for_fill(info.family, server, info.target)

    def plan(
        self, knowledge: Knowledge, options: CompletionOptions, *, stream: bool
    ) -> Plan:
        """Return the request for what belongs at the cursor.

        The first of these that model and server allow: the configured template,
        llama.cpp's own route, the family's infilling tokens, an instruction, a
        continuation of the prefix. Raises ``UnsupportedRole`` where none is allowed.
        """
        server = knowledge.server
        info = self.model_info.with_family(knowledge.family)
        model = info.target.model
        family = model_family.family_for(info.family, server)
        model_family.refuse_non_generative(family, model, "fill a gap")
        model_family.refuse_dialog_only(family, model, "fill a gap")
        model_family.refuse_seq2seq(family, model, "fill a gap")
        window = smallest(info.window, server.context_length)
        shown = self._fit_context(options.max_tokens or _ANSWER_TOKENS, window)
        raw = model_family.accepts_raw_prompt(server, info.target)
        fim_format = None if family is None else family.fim
        plan_prompt = partial(
            plan_rendered,
            request=CompletionRequest(prompt="", options=options, extra=self.extra),
            target=info.target,
            knowledge=knowledge,
            stream=stream,
        )
        if self.template is not None and raw:
            rendered = fim.render_template(self.template, shown, fim_format)
            specials = () if fim_format is None else fim_format.specials
            return plan_prompt(rendered, shape=self._shape(specials=specials))
        # llama.cpp's own route: there the tokens in a user's code are only text.
        if "infill" in server.routes and (family is None or fim_format is not None):
            infill = InfillRequest(
                shown.prefix,
                shown.suffix,
                files=shown.files,
                options=options,
                extra=self.extra,
            )
            plan = plan_infill(infill, info.target, knowledge, stream=stream)
            return post_processed(plan, self._shape())
        if fim_format is not None and raw:
            rendered = fim.render_fim(fim_format, shown)
            shape = self._shape(specials=fim_format.specials)
            return plan_prompt(rendered, shape=shape)
        tuned = family is None or family.kind is ModelKind.CHAT
        if tuned and "chat" in server.routes and not knowledge.no_template:
            chat = ChatRequest(fill_messages(shown), options=options, extra=self.extra)
            plan = plan_conversation(chat, info, knowledge, stream=stream, role="fill")
            notes: tuple[str, ...] = (text("roles.filled_by_chat"),)
            if self.template is not None:
                notes = (*notes, text("roles.template_unused"))
            return with_notes(post_processed(plan, self._shape(by_chat=shown)), notes)
        if raw:
            # The prefix's last blanks are left for the model to write: in its training
            # they were one token with the word that follows them.
            bare = shown.prefix.rstrip(" \t")
            held = shown.prefix[len(bare) :] if bare else ""
            rendered = fim.continuation(evolve(shown, prefix=bare) if bare else shown)
            inner = self._shape().make_filter
            shape = PostProcessing(lambda: DropPrefix(held, inner()), _finish)
            return plan_prompt(rendered, shape=shape)
        raise model_family.no_template_error(model)

    def _fit_context(self, answer: int, window: int | None) -> FillContext:
        """Return what of the gap a prompt may show, the answer's tokens kept free."""
        limits = self.limits
        tokens = limits.max_prompt_tokens or _PROMPT_TOKENS
        if window is not None:
            tokens = min(tokens, max(window // 2, window - answer - _MARKS))
        prefix, suffix = limits.prefix_percentage, limits.max_suffix_percentage
        return fit_context(
            self.context,
            tokens=tokens,
            prefix_share=_PREFIX_SHARE if prefix is None else prefix,
            suffix_share=_SUFFIX_SHARE if suffix is None else suffix,
            count=history.estimate_tokens,
        )

    def _shape(
        self, *, by_chat: FillContext | None = None, specials: tuple[str, ...] = ()
    ) -> PostProcessing:
        """Return how an answer becomes the text at the cursor.

        The markers of a chat are chosen by what it was shown (``by_chat``); all else is
        judged by all that stands around the cursor.
        """
        context = by_chat or self.context
        crlf = has_crlf(self.context.prefix + self.context.suffix)

        def make_filter() -> TextFilter:
            made = FillFilter(
                context,
                multiline=self.multiline,
                by_chat=by_chat is not None,
                specials=specials,
                whole=self.context,
            )
            return CrLf(made) if crlf else made

        return PostProcessing(make_filter, _finish)


def _finish(reply: Reply, through: TextFilter) -> Reply:
    """Return the reply, with a note if the model answered in words."""
    if reply.text or not has_talked(through):
        return reply
    return evolve(reply, notes=(*reply.notes, text("roles.answered_in_words")))


def fill_defaults(options: CompletionOptions, *, multiline: bool) -> CompletionOptions:
    """Return the options with what a completion at a cursor wants by default."""
    # One gap has one filling, however many answers the entry asks for.
    options = evolve(options, n=None)
    if options.max_tokens is None:
        tokens = _ANSWER_TOKENS if multiline else _LINE_TOKENS
        options = evolve(options, max_tokens=tokens)
    if options.temperature is None:
        options = evolve(options, temperature=_TEMPERATURE)
    return options
