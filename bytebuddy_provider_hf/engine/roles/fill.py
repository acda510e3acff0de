"""The role autocomplete: a gap in code, in the way the model was trained to fill it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.config.model import AutocompleteOptions
from bytebuddy_provider_hf.engine import kinship
from bytebuddy_provider_hf.engine.asking import (
    Asked,
    Question,
    Shape,
    ask_infill,
    ask_rendered,
    shaped,
    with_notes,
)
from bytebuddy_provider_hf.engine.knowledge import Knowledge, smallest
from bytebuddy_provider_hf.engine.roles.chat import Talker, converse
from bytebuddy_provider_hf.prompts import fim, history
from bytebuddy_provider_hf.prompts.family import Family, Kind
from bytebuddy_provider_hf.prompts.filling import FillFilter
from bytebuddy_provider_hf.prompts.gap import Gap, bounded
from bytebuddy_provider_hf.prompts.hole import hole_messages
from bytebuddy_provider_hf.prompts.leading import WithoutStart
from bytebuddy_provider_hf.prompts.line_feeds import CarriageReturns, has_crlf
from bytebuddy_provider_hf.prompts.rendered import Rendered
from bytebuddy_provider_hf.prompts.textfilter import TextFilter
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

    gap: Gap
    options: CompletionOptions
    multiline: bool = True
    template: str | None = None
    limits: AutocompleteOptions = field(factory=AutocompleteOptions)
    extra: Mapping[str, object] = field(factory=dict)


def fill(request: FillRequest, talker: Talker) -> Question:
    """Return how to have a gap filled.

    Raises ``UnsupportedRole``, when asked, for a model or server that cannot.
    """
    chosen = _with_defaults(request)

    def ask(known: Knowledge, options: CompletionOptions, stream: bool) -> Asked:  # noqa: FBT001 - the type in Question
        changed = evolve(request, options=options)
        shown = _bounded(changed, smallest(talker.window, known.server.window))
        who = talker.knowing(known.family)
        return _Filler(changed, shown, who, known, stream=stream).ask()

    seconds = kinship.hub_seconds_for_fill(talker.family, talker.target)
    return Question(chosen, ask, hub_seconds=None if request.template else seconds)


class _Filler:
    """Choose how one server is asked to fill the gap."""

    def __init__(
        self,
        request: FillRequest,
        shown: Gap,
        talker: Talker,
        known: Knowledge,
        *,
        stream: bool,
    ) -> None:
        self._request = request
        # The part of the gap that fits.
        self._gap = shown
        self._talker = talker
        self._known = known
        self._stream = stream
        self._family = kinship.at(talker.family, known.server)

    def ask(self) -> Asked:
        model = self._talker.target.model
        family, server = self._family, self._known.server
        kinship.refuse_other_kinds(family, model, "fill a gap")
        kinship.refuse_small_talk(family, model, "fill a gap")
        kinship.refuse_text_to_text(family, model, "fill a gap")
        raw = kinship.continues(server, self._talker.target)
        template = self._request.template
        if template is not None and raw:
            form = family.fim if family is not None else None
            rendered = fim.render_template(template, self._gap, form)
            return self._prompt(rendered, family)
        # llama.cpp's own route: there the tokens in a user's code are only text.
        if "infill" in server.routes and (family is None or family.fim is not None):
            return self._infill()
        if family is not None and family.fim is not None and raw:
            return self._prompt(fim.render_fim(family.fim, self._gap), family)
        tuned = family is None or family.kind is Kind.CHAT
        if tuned and "chat" in server.routes and not self._known.untemplated:
            return self._hole()
        if raw:
            return self._continuation()
        raise kinship.untemplated(model)

    def _infill(self) -> Asked:
        gap = self._gap
        request = InfillRequest(
            gap.prefix,
            gap.suffix,
            files=gap.files,
            options=self._request.options,
            extra=self._request.extra,
        )
        asked = ask_infill(
            request, self._talker.target, self._known, stream=self._stream
        )
        return shaped(asked, self._shape())

    def _prompt(self, rendered: Rendered, family: Family | None) -> Asked:
        fim = family.fim if family is not None else None
        specials = () if fim is None else fim.specials
        return self._ask(rendered, self._shape(specials=specials))

    def _ask(self, rendered: Rendered, shape: Shape) -> Asked:
        return ask_rendered(
            rendered,
            CompletionRequest(
                prompt="", options=self._request.options, extra=self._request.extra
            ),
            self._talker.target,
            self._known,
            stream=self._stream,
            shape=shape,
        )

    def _continuation(self) -> Asked:
        """Go on with the prefix, its last blanks left for the model to write.

        In its training they were one token with the word that follows them.
        """
        gap = self._gap
        bare = gap.prefix.rstrip(" \t")
        held = gap.prefix[len(bare) :]
        rendered = fim.continuation(evolve(gap, prefix=bare) if bare else gap)
        inner = self._shape().through
        start = held if bare else ""
        return self._ask(rendered, Shape(lambda: WithoutStart(start, inner())))

    def _hole(self) -> Asked:
        request = ChatRequest(
            hole_messages(self._gap),
            options=self._request.options,
            extra=self._request.extra,
        )
        asked = converse(
            request, self._talker, self._known, stream=self._stream, role="fill"
        )
        note = "The gap was filled by chat: this model is not asked to infill here."
        notes = (note,) if self._request.template is None else (note, _NO_RAW)
        return with_notes(shaped(asked, self._shape(hole=True)), notes)

    def _shape(self, *, hole: bool = False, specials: tuple[str, ...] = ()) -> Shape:
        request = self._request
        # The marks of a hole are chosen by what was shown; all else is judged by all
        # that stands around the cursor.
        gap = self._gap if hole else request.gap

        crlf = has_crlf(request.gap.prefix + request.gap.suffix)

        def through() -> TextFilter:
            made = FillFilter(
                gap, multiline=request.multiline, hole=hole, specials=specials
            )
            return CarriageReturns(made) if crlf else made

        return Shape(through)


def _bounded(request: FillRequest, window: int | None) -> Gap:
    """Return what of the gap a prompt may show, the answer's tokens kept free."""
    gap, limits = request.gap, request.limits
    tokens = limits.max_prompt_tokens or _PROMPT_TOKENS
    if window is not None:
        answer = request.options.max_tokens or _ANSWER_TOKENS
        tokens = min(tokens, max(window // 2, window - answer - _MARKS))
    return bounded(
        gap,
        tokens=tokens,
        prefix_share=_or(limits.prefix_percentage, _PREFIX_SHARE),
        suffix_share=_or(limits.max_suffix_percentage, _SUFFIX_SHARE),
        count=_estimate,
    )


_estimate: Final[Callable[[str], int]] = history.estimate


def _or(value: float | None, usual: float) -> float:
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
