"""Hold the answers of models that write no text: vectors, scores, labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.errors.dict_form import DictForm, TypedDictForm
from bytebuddy_provider_hf.money import NO_COST, Cost
from bytebuddy_provider_hf.types import (
    NOT_SERVED,
    FinishReason,
    Served,
    ServedAnswer,
    Usage,
)

Vector: TypeAlias = tuple[float, ...]


@frozen
class GeneratedText(TypedDictForm):
    """Text that was generated, translated or summarised.

    ``tokens`` counts those generated, where the server counted. ``finish_reason`` is
    ``None`` where the server gave no reason, or one that is not known here;
    ``raw_finish_reason`` is its own word.
    """

    text: str
    finish_reason: FinishReason | None = None
    tokens: int | None = None
    raw_finish_reason: str | None = None


@frozen
class Turn(TypedDictForm):
    """The answer in a conversation, and the conversation with it."""

    text: str
    past_user_inputs: tuple[str, ...] = ()
    generated_responses: tuple[str, ...] = ()


@frozen
class Filling(TypedDictForm):
    """A token that could stand for the mask; ``token`` is its number."""

    text: str
    score: float
    token: int | None = None
    sequence: str = ""


@frozen
class Label(TypedDictForm):
    """A class, and how sure the model is of it."""

    label: str
    score: float


@frozen
class Entity(TypedDictForm):
    """A span of the text with a name; ``start`` and ``end`` count characters."""

    group: str
    score: float
    word: str
    start: int | None = None
    end: int | None = None


@frozen
class Answer(TypedDictForm):
    """A span of the context that answers the question."""

    text: str
    score: float | None = None
    start: int | None = None
    end: int | None = None


@frozen
class TableAnswer(TypedDictForm):
    """Cells of a table that answer the question; coordinates are (row, column)."""

    text: str
    cells: tuple[str, ...] = ()
    coordinates: tuple[tuple[int, ...], ...] = ()
    aggregator: str | None = None


@frozen
class Features(TypedDictForm):
    """The vectors of one input: one for the whole, or one for each token."""

    vectors: tuple[Vector, ...]
    pooled: bool

    def mean(self) -> Vector:
        """Return one vector: the only one, or the mean of the tokens' own."""
        count = len(self.vectors)
        if count == 1:
            return self.vectors[0]
        sums = map(sum, zip(*self.vectors, strict=True))
        means = tuple(total / count for total in sums)
        if all(map(math.isfinite, means)):
            return means
        # Divided before they are added, at ten times the cost: the sum of finite floats
        # need not be finite.
        return tuple(
            sum(each / count for each in column)
            for column in zip(*self.vectors, strict=True)
        )


@frozen
class Similarities(TypedDictForm):
    """How similar each sentence is to the source, in the order sent."""

    scores: tuple[float, ...]


Outcome: TypeAlias = (
    GeneratedText
    | Turn
    | Filling
    | Label
    | Entity
    | Answer
    | TableAnswer
    | Features
    | Similarities
)


@frozen
class TaskReply(ServedAnswer):
    """An answer of the task API.

    ``groups`` has one tuple for each input, best first; for ``fill-mask`` one for
    each mask. ``warnings`` are the server's own, ``notes`` ours.
    """

    groups: tuple[tuple[Outcome, ...], ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    served: Served = field(default=NOT_SERVED, eq=False)

    @property
    def first(self) -> Outcome | None:
        """The best outcome for the first input, where there is one."""
        return self.groups[0][0] if self.groups and self.groups[0] else None


@frozen
class Embeddings(ServedAnswer):
    """One vector for each text, in the order sent, all of the same length.

    ``pooling`` tells how the vectors of tokens became one ("mean"), or "server".
    """

    vectors: tuple[Vector, ...]
    model: str = ""
    usage: Usage | None = None
    pooling: str = "server"
    notes: tuple[str, ...] = ()
    served: Served = field(default=NOT_SERVED, eq=False)


@frozen
class Scores(ServedAnswer):
    """One score for each document, in the order sent."""

    scores: tuple[float, ...]
    model: str = ""
    usage: Usage | None = None
    notes: tuple[str, ...] = ()
    served: Served = field(default=NOT_SERVED, eq=False)


@frozen
class Consumption(DictForm):
    """What a model used up in some days, from ``since`` to ``until``, both included.

    ``attempts`` counts the requests sent, ``failed`` those without a whole answer.
    ``unpriced`` counts those whose cost nobody knows, by reason, and ``pending`` those
    whose bill is to come. The amounts of ``cost`` are never added to each other.
    """

    since: date
    until: date
    attempts: int = 0
    failed: int = 0
    usage: Usage = field(factory=Usage)
    cost: Cost = NO_COST
    pending: int = 0
    unpriced: Mapping[str, int] = field(factory=dict)


@frozen
class Labels(DictForm):
    """The classes of each text, in the order sent."""

    groups: tuple[tuple[Label, ...], ...]
