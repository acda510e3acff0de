"""The task API: answers become values, whatever shape the server gave them.

The same task is answered with an object by one server, a list of one by another and
a list in a list by a third: api-inference-community nests labels, the inference
toolkit and TEI do not. The shapes are those of recorded answers, 2023 to 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from bytebuddy_provider_hf.failures.malformed import malformed, reports_error
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.outcomes import (
    Answer,
    Entity,
    Features,
    Filling,
    GeneratedText,
    Label,
    Outcome,
    Similarities,
    TableAnswer,
    TaskReply,
    Turn,
)
from bytebuddy_provider_hf.wire.floats import matrix, number, of_equal_length, vector
from bytebuddy_provider_hf.wire.openai_json import finish_reason
from bytebuddy_provider_hf.wire.tasks import Task

_Item: TypeAlias = Mapping[str, object]
_Group: TypeAlias = tuple[Outcome, ...]

_TEXTS: Final = ("generated_text", "summary_text", "translation_text", "answer", "text")
_MASK_NAMES: Final = ("token_str", "sequence")
_GROUP_NAMES: Final = ("entity_group", "entity")
# Depths of features: a vector for each token, and these in a batch of one.
_TOKENS: Final = 2
_BATCHED: Final = 3
# What a classifier of pairs calls "this document answers it".
_RELEVANT: Final = frozenset({"label_1", "relevant", "yes", "true", "1"})
_TWO: Final = 2


def read_task(name: Task | str, data: bytes, *, count: int | None = None) -> TaskReply:
    """Return what the answer to the task ``name`` says.

    ``count`` is how many inputs were sent as a list (of ``sentence-similarity``: how
    many sentences), ``None`` for one that was not in a list; there are as many groups.
    Raises ``MalformedResponse`` for anything else, also for an error that came with
    status 200.
    """
    task = Task(name)
    value = loads(data)
    groups = None if reports_error(value) else _groups(task, value, count)
    if groups is None:
        raise malformed(data, f"{task} answer", error=reports_error(value))
    return TaskReply(groups, _warnings(value))


def _groups(task: Task, value: object, count: int | None) -> tuple[_Group, ...] | None:
    if task is Task.FEATURE_EXTRACTION:
        found = features(value, count)
        return None if found is None else tuple((each,) for each in found)
    if task is Task.SENTENCE_SIMILARITY:
        scores = vector(value)
        if scores is None or count not in (None, len(scores)):
            return None
        return ((Similarities(scores),),)
    return _read_groups(task, _grouped(task, value, count))


def _grouped(task: Task, value: object, count: int | None) -> list[object] | None:
    """Return what the answer holds for each input: an object or a list."""
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return None
    nested = bool(items) and all(isinstance(item, list) for item in items)
    if task is Task.FILL_MASK:
        # One group for each mask, and of one text there may be several.
        return items if nested else [items]
    if count in (None, 1) and not nested:
        return [items]
    # An entity list is no list of answers: its length says nothing of the inputs.
    flat_entities = task is Task.TOKEN_CLASSIFICATION and not nested
    return None if flat_entities or len(items) != (count or 1) else items


def _read_groups(task: Task, given: list[object] | None) -> tuple[_Group, ...] | None:
    if given is None:
        return None
    groups = [_group(task, each) for each in given]
    whole = tuple(group for group in groups if group is not None)
    return whole if len(whole) == len(groups) else None


def _group(task: Task, value: object) -> _Group | None:
    items = value if isinstance(value, list) else [value]
    if not items and task is not Task.TOKEN_CLASSIFICATION:
        return None
    if task is Task.ZERO_SHOT and len(items) == 1 and isinstance(items[0], dict):
        labels = _zero_shot(items[0])
        if labels is not None:
            return labels
    read = _READERS[task]
    found = [read(item) if isinstance(item, dict) else None for item in items]
    group = tuple(each for each in found if each is not None)
    return group if len(group) == len(items) else None


def _generated(item: _Item) -> GeneratedText | None:
    text = next((t for key in _TEXTS if (t := _said(item.get(key))) is not None), None)
    if text is None:
        return None
    details = item.get("details")
    if not isinstance(details, dict):
        return GeneratedText(text)
    reason = details.get("finish_reason")
    return GeneratedText(
        text,
        finish_reason=finish_reason(reason if isinstance(reason, str) else None),
        tokens=_whole(details.get("generated_tokens")),
    )


def _said(value: object) -> str | None:
    """Return a text; of a conversation, which pipelines give back whole, the last."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return value if isinstance(value, str) else None


def _turn(item: _Item) -> Turn | None:
    text = _said(item.get("generated_text"))
    if text is None:
        return None
    talk = item.get("conversation")
    known = talk if isinstance(talk, dict) else {}
    return Turn(
        text,
        past_user_inputs=_texts(known.get("past_user_inputs")),
        generated_responses=_texts(known.get("generated_responses")),
    )


def _filling(item: _Item) -> Filling | None:
    score = number(item.get("score"))
    named = [item.get(name) for name in _MASK_NAMES]
    text, sequence = (each if isinstance(each, str) else None for each in named)
    if score is None or (text is None and sequence is None):
        return None
    return Filling(text or "", score, _whole(item.get("token")), sequence or "")


def _label(item: _Item) -> Label | None:
    label, score = item.get("label"), number(item.get("score"))
    if score is None or isinstance(label, bool) or not isinstance(label, str | int):
        return None
    return Label(str(label), score)


def _zero_shot(item: _Item) -> _Group | None:
    labels, scores = item.get("labels"), vector(item.get("scores"))
    if not isinstance(labels, list) or scores is None or len(labels) != len(scores):
        return None
    if not all(isinstance(label, str) for label in labels):
        return None
    pairs = zip(labels, scores, strict=True)
    return tuple(Label(label, score) for label, score in pairs)


def _entity(item: _Item) -> Entity | None:
    score, word = number(item.get("score")), item.get("word")
    group = next((g for key in _GROUP_NAMES if isinstance(g := item.get(key), str)), "")
    if score is None or not isinstance(word, str) or not group:
        return None
    start, end = _whole(item.get("start")), _whole(item.get("end"))
    return Entity(group, score, word, start, end)


def _answer(item: _Item) -> Answer | None:
    text = item.get("answer")
    if not isinstance(text, str):
        return None
    return Answer(
        text,
        score=number(item.get("score")),
        start=_whole(item.get("start")),
        end=_whole(item.get("end")),
    )


def _table_answer(item: _Item) -> TableAnswer | None:
    text, given = item.get("answer"), item.get("coordinates")
    if not isinstance(text, str):
        return None
    places = [vector(place) for place in given] if isinstance(given, list) else []
    aggregator = item.get("aggregator")
    return TableAnswer(
        text,
        cells=_texts(item.get("cells")),
        coordinates=tuple(tuple(map(int, place)) for place in places if place),
        aggregator=aggregator if isinstance(aggregator, str) else None,
    )


_READERS: Final[Mapping[Task, Callable[[_Item], Outcome | None]]] = {
    Task.TEXT_GENERATION: _generated,
    Task.TEXT2TEXT: _generated,
    Task.SUMMARIZATION: _generated,
    Task.TRANSLATION: _generated,
    Task.CONVERSATIONAL: _turn,
    Task.FILL_MASK: _filling,
    Task.TEXT_CLASSIFICATION: _label,
    Task.ZERO_SHOT: _label,
    Task.TOKEN_CLASSIFICATION: _entity,
    Task.QUESTION_ANSWERING: _answer,
    Task.TABLE_QA: _table_answer,
}


def _warnings(value: object) -> tuple[str, ...]:
    """Return the warnings of an answer, or of the first object in it."""
    if isinstance(value, list) and value:
        value = value[0]
    return _texts(value.get("warnings")) if isinstance(value, dict) else ()


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def _whole(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def relevance(groups: Sequence[Sequence[Outcome]]) -> tuple[float, ...] | None:
    """Return the score of each pair that a classifier was asked about, in order.

    A cross-encoder has one class, whose score it is, or two, of which one means
    relevant by its name. ``None`` where the classes do not tell.
    """
    found = [_of_pair(group) for group in groups]
    kept = tuple(score for score in found if score is not None)
    return kept if len(kept) == len(found) else None


def _of_pair(group: Sequence[Outcome]) -> float | None:
    labels = [each for each in group if isinstance(each, Label)]
    if len(labels) == 1:
        return labels[0].score
    named = [each.score for each in labels if each.label.lower() in _RELEVANT]
    return named[0] if len(labels) == _TWO and len(named) == 1 else None


def features(value: object, count: int | None) -> tuple[Features, ...] | None:
    """Return the features of each input, or ``None`` where the answer has others.

    ``count`` is how many inputs were sent as a list, ``None`` for one that was not.
    A sentence-transformers model gives a vector for each input, others a vector for
    each token, some wrapped in a batch of one.
    """
    items = _items(value, count)
    if items is None:
        return None
    found = [_one(item) for item in items]
    whole = tuple(each for each in found if each is not None)
    vectors = [each for one in whole for each in one.vectors]
    complete = len(whole) == len(found) == (count or 1)
    return whole if complete and of_equal_length(vectors) else None


def _items(value: object, count: int | None) -> list[object] | None:
    """Return what the answer holds for each input."""
    if not isinstance(value, list):
        return None
    if count is not None and (count > 1 or _depth(value) > 1):
        return value
    return [value]


def _one(value: object) -> Features | None:
    depth = _depth(value)
    while depth >= _TOKENS and isinstance(value, list) and len(value) == 1:
        value, depth = value[0], depth - 1
    if depth == 1:
        found = vector(value)
        return None if found is None else Features((found,), pooled=True)
    rows = matrix(value) if depth == _TOKENS else None
    return None if rows is None else Features(rows, pooled=False)


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list) and value and depth <= _BATCHED:
        value, depth = value[0], depth + 1
    return depth
