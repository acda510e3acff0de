"""Read the answers of the task API into values, whatever shape a server gave them.

The same task is answered with an object by one server, a list of one by another and
a list in a list by a third: api-inference-community nests labels, the inference
toolkit and TEI do not. The shapes are those of recorded answers, 2023 to 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar

from bytebuddy_provider_hf import texts
from bytebuddy_provider_hf.failures.error_in_200 import error_in
from bytebuddy_provider_hf.failures.malformed import malformed
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
from bytebuddy_provider_hf.wire.finish_reasons import finish_reason
from bytebuddy_provider_hf.wire.floats import matrix, number, of_equal_length, vector
from bytebuddy_provider_hf.wire.steps import (
    Steps,
    at_once,
    read_numbers,
)
from bytebuddy_provider_hf.wire.tasks import Task
from bytebuddy_provider_hf.wire.typed_json import UNDECODED

_Item: TypeAlias = Mapping[str, object]
_Group: TypeAlias = tuple[Outcome, ...]
_T = TypeVar("_T")

_TEXTS: Final = ("generated_text", "summary_text", "translation_text", "answer", "text")
_MASK_NAMES: Final = ("token_str", "sequence")
# The first where the pipeline joined the pieces of a name, else the second.
_GROUP_NAMES: Final = ("entity_group", "entity")
# Depths of features: a vector for each token, and these in a batch of one.
_TOKENS: Final = 2
_BATCHED: Final = 3
# What a classifier of pairs calls "this document answers it".
_RELEVANT: Final = frozenset({"label_1", "relevant", "yes", "true", "1"})
_TWO: Final = 2


def task_in_steps(
    name: Task | str, data: bytes, *, count: int | None = None
) -> Steps[TaskReply]:
    """Return what the answer to the task ``name`` says.

    ``count`` is how many inputs were sent as a list (of ``sentence-similarity``: how
    many sentences), ``None`` for one that was not in a list; there are as many groups.
    Raises ``MalformedResponse`` for anything else, also for an error that came with
    status 200.
    """
    task = Task(name)
    value: object = None
    if task is Task.FEATURE_EXTRACTION:
        with suppress(*UNDECODED):
            value = yield from read_numbers(data)
    # A refusal is read in full, and so is what json alone understands.
    if not isinstance(value, list):
        value = loads(data)
    groups: tuple[_Group, ...] | None = None
    if error_in(value) is not None:
        pass
    elif task is Task.FEATURE_EXTRACTION:
        found = yield from features_in_steps(value, count)
        groups = None if found is None else tuple((each,) for each in found)
    elif task is Task.SENTENCE_SIMILARITY:
        scores = vector(value)
        if scores is not None and count in (None, len(scores)):
            groups = ((Similarities(scores),),)
    else:
        given = _answers_by_input(task, value, count)
        groups = _all_or_none(_group(task, each) for each in given)
    if groups is None:
        raise malformed(data, texts.text("wire.task_answer", task=task))
    first = value[0] if isinstance(value, list) and value else value
    # api-inference-community puts what transformers warned of beside the answer.
    warnings = _texts(first.get("warnings")) if isinstance(first, dict) else ()
    return TaskReply(groups, warnings)


read_task: Final = at_once(task_in_steps)


def _all_or_none(found: Iterable[_T | None]) -> tuple[_T, ...] | None:
    """Return what was found, or ``None`` where one is missing or there is nothing."""
    items = tuple(found)
    whole = tuple(each for each in items if each is not None)
    return whole if items and len(whole) == len(items) else None


def _answers_by_input(task: Task, value: object, count: int | None) -> Sequence[object]:
    """Return what the answer holds for each input: objects, lists, or nothing."""
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return []
    nested = bool(items) and all(isinstance(item, list) for item in items)
    if task is Task.FILL_MASK:
        # One group for each mask, and of one text there may be several.
        return items if nested else [items]
    if count in (None, 1) and not nested:
        return [items]
    # An entity list is no list of answers: its length says nothing of the inputs.
    flat_entities = task is Task.TOKEN_CLASSIFICATION and not nested
    return [] if flat_entities or len(items) != (count or 1) else items


def _group(task: Task, value: object) -> _Group | None:
    """Return what the answer to one input says."""
    items = value if isinstance(value, list) else [value]
    if not items:
        # Of a text without names there are none; every other task has something to say.
        return () if task is Task.TOKEN_CLASSIFICATION else None
    if task is Task.ZERO_SHOT and len(items) == 1 and isinstance(items[0], dict):
        labels, scores = items[0].get("labels"), vector(items[0].get("scores"))
        # Older servers give two lists in place of a list of labels.
        told = _texts(labels)
        pairs = isinstance(labels, list) and len(labels) == len(told)
        if pairs and scores is not None and len(told) == len(scores):
            return tuple(map(Label, told, scores))
    read = _READERS[task]
    return _all_or_none(
        read(item) if isinstance(item, dict) else None for item in items
    )


def _generated(item: _Item) -> GeneratedText | None:
    text = next((t for key in _TEXTS if (t := _said(item.get(key))) is not None), None)
    if text is None:
        return None
    details = item.get("details")
    if not isinstance(details, dict):
        return GeneratedText(text)
    reason = details.get("finish_reason")
    word = reason if isinstance(reason, str) else None
    return GeneratedText(
        text,
        finish_reason=None if word is None else finish_reason(word),
        raw_finish_reason=word,
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
    found: list[float | None] = []
    for group in groups:
        labels = [each for each in group if isinstance(each, Label)]
        named = [each.score for each in labels if each.label.lower() in _RELEVANT]
        if len(labels) == 1:
            found.append(labels[0].score)
        else:
            told = len(labels) == _TWO and len(named) == 1
            found.append(named[0] if told else None)
    return _all_or_none(found) if found else ()


def features_in_steps(
    value: object, count: int | None
) -> Steps[tuple[Features, ...] | None]:
    """Return the features of each input, or ``None`` where the answer has others.

    ``count`` is how many inputs were sent as a list, ``None`` for one that was not.
    A sentence-transformers model gives a vector for each input, others a vector for
    each token, some wrapped in a batch of one.
    """
    items: list[object] = []
    if isinstance(value, list):
        # Of a list of one input some servers send the vector alone.
        several = count is not None and (count > 1 or _depth(value) > 1)
        items = value if several else [value]
    if len(items) > (count or 1):
        return None
    read: list[Features | None] = []
    for item in items:
        read.append(_features_of(item))
        yield
    found = _all_or_none(read)
    if found is None or len(found) != (count or 1):
        return None
    vectors = [each for one in found for each in one.vectors]
    return found if of_equal_length(vectors) else None


def _features_of(value: object) -> Features | None:
    """Return the features of one input, without the batches of one round them."""
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
    # Deeper lists are no features: a stranger's nesting is not followed.
    while isinstance(value, list) and value and depth <= _BATCHED:
        value, depth = value[0], depth + 1
    return depth
