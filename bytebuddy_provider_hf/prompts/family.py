"""What a family of models can be asked, as data."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from bytebuddy_provider_hf.prompts.chat_format import ChatFormat
from bytebuddy_provider_hf.prompts.edit_format import EditFormat
from bytebuddy_provider_hf.prompts.fim_format import FimFormat


class ModelKind(StrEnum):
    """What a model was trained to do."""

    CHAT = "chat"
    DIALOG = "talk"
    BASE = "base"
    SEQ2SEQ = "text to text"
    MASK = "fill-mask"
    EMBEDDING = "embedding"


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
    window: int | None = None
    source: str = ""
