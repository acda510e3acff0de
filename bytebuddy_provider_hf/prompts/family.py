"""Define a family of models and its formats; ``data/families.toml`` holds the rows."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Final, TypeAlias

from attrs import Factory, field, frozen
from attrs.converters import optional

from bytebuddy_provider_hf.texts import text

# What stands before and after the text of a turn.
Wrap: TypeAlias = tuple[str, str]


class ModelKind(StrEnum):
    """What a model was trained to do."""

    CHAT = "chat"
    # DialoGPT answers small talk; it takes no instructions.
    DIALOG = "dialog"
    BASE = "base"
    # FLAN-T5, which learned instructions without marks of turns.
    SEQ2SEQ = "seq2seq"
    MASK = "mask"
    EMBEDDING = "embedding"


class SystemPlace(StrEnum):
    """Where a system message goes: a turn of its own, a user's turn, or nowhere."""

    TURN = "turn"
    FIRST = "first"
    # As Mistral's third template has it.
    LAST = "last"
    # DialoGPT.
    NOWHERE = "nowhere"


class ToolStyle(StrEnum):
    """How calls and results of tools are written.

    HERMES tags both inside the turns of assistant and user; LLAMA writes one JSON call
    a turn and hears results from ``ipython``; MISTRAL and GRANITE write a list of calls
    between tokens of their own.
    """

    HERMES = "hermes"
    LLAMA = "llama"
    MISTRAL = "mistral"
    GRANITE = "granite"


@frozen
class ChatFormat:
    """One chat template.

    ``user``, ``assistant``, ``system`` and ``tool`` wrap the text of a turn. The prompt
    ends with ``generation_prompt``, after which the model answers; an answer that was
    begun follows ``continue_prompt`` instead. Both are what ``assistant`` starts with
    unless said. ``system_in_user`` wraps a system message that goes into a user's turn.
    ``system_head`` leads every system turn and calls for one. With ``tools`` the family
    was trained on tools: ``calls`` and ``tool`` wrap what the model asked for and what
    came of it, where that is no part of another turn. ``stops`` end a turn,
    ``specials`` act as tokens or marks inside a prompt; ``bos`` is left to the server's
    tokenizer. ``source`` says where the strings stand.
    """

    name: str
    user: Wrap
    assistant: Wrap
    generation_prompt: str = field(
        default=Factory(lambda self: self.assistant[0], takes_self=True)
    )
    continue_prompt: str = field(
        default=Factory(lambda self: self.assistant[0], takes_self=True)
    )
    system: Wrap = ("", "")
    tool: Wrap | None = None
    system_place: SystemPlace = field(default=SystemPlace.TURN, converter=SystemPlace)
    system_in_user: Wrap = ("", "\n\n")
    default_system: str = ""
    system_head: str = ""
    strict_alternation: bool = False
    strip: bool = False
    tools: ToolStyle | None = field(default=None, converter=optional(ToolStyle))
    calls: Wrap | None = None
    # Sent here as well, it would begin the prompt twice.
    bos: str = ""
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
    source: str = ""


@frozen
class FimFormat:
    """One infilling format.

    The prompt is ``prefix``, what stands before the cursor, ``suffix``, what stands
    after it, then ``middle``; with ``suffix_first`` the suffix and its token lead.
    ``stops`` end the middle, ``specials`` are all tokens that act inside a prompt.

    ``head`` and ``label`` lead every prompt. Families trained on repositories have
    more: ``repository``, ``file`` (one for each other file) and ``here`` (the file to
    fill) stand before the prefix's token, ``path`` right after it. In these texts
    ``{repository}``, ``{path}``, ``{text}`` and ``{language}`` are filled in; the order
    is head, repository, files, here, label. ``source`` says where the facts stand.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = False
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
    head: str = ""
    label: str = ""
    repository: str = ""
    file: str = ""
    here: str = ""
    path: str = ""
    source: str = ""


@frozen
class EditFormat:
    """One format of commits; the model writes the new code until one of ``stops``."""

    name: str
    before: str
    message: str
    after: str
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()


@frozen
class Family:
    """Models that are asked in the same way.

    ``chat`` is the official template, ``None`` for models without one; ``fim`` and
    ``edit`` are there only where the model was trained on them. ``window`` counts
    tokens of prompt and answer together. ``source`` says where the facts stand.
    """

    name: str
    kind: ModelKind
    chat: ChatFormat | None = None
    fim: FimFormat | None = None
    edit: EditFormat | None = None
    # None where no card or configuration documents it.
    window: int | None = None
    source: str = ""

    @property
    def said_name(self) -> str:
        """Its name as a sentence says it."""
        words = _WORDS.get(self.name)
        return self.name if words is None else words()


# What is known of some models is only their kind: these have words for a name.
_WORDS: Final = {
    "a base model": partial(text, "prompts.base_model"),
    "a model that fills masks": partial(text, "prompts.mask_model"),
    "a model that makes vectors": partial(text, "prompts.vector_model"),
    "a text-to-text model": partial(text, "prompts.text_to_text_model"),
}


@frozen
class Rendered:
    """A raw prompt, and what belongs to it.

    ``stops`` are texts that end the answer, the family's own first. ``notes`` tells,
    one sentence each, what the caller should know about the rendering.
    """

    prompt: str
    stops: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
