"""Recorded answers of the task API are read; skipped where they are not at hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from recorded import recorded

from bytebuddy_provider_hf.outcomes import Features, GeneratedText, Similarities
from bytebuddy_provider_hf.wire.tasks import Task
from bytebuddy_provider_hf.wire.tasks_reply import read_task

# By the members of a recorded answer: which task it answers. What an image or a sound
# was asked is no task of ours, but a label is a label.
TASKS: Final[Mapping[str, Task]] = {
    "[[{label,score}]]": Task.TEXT_CLASSIFICATION,
    "[{label,score}]": Task.TEXT_CLASSIFICATION,
    "[{answer,end,score,start}]": Task.QUESTION_ANSWERING,
    "[{answer,score}]": Task.QUESTION_ANSWERING,
    "[{answer}]": Task.QUESTION_ANSWERING,
    "{answer,end,score,start}": Task.QUESTION_ANSWERING,
    "[{end,entity_group,score,start,word}]": Task.TOKEN_CLASSIFICATION,
    "[{labels,scores,sequence}]": Task.ZERO_SHOT,
    "{labels,scores,sequence}": Task.ZERO_SHOT,
    "[{score,sequence,token,token_str}]": Task.FILL_MASK,
    "[{summary_text}]": Task.SUMMARIZATION,
    "[{translation_text}]": Task.TRANSLATION,
    "{aggregator,answer,cells,coordinates}": Task.TABLE_QA,
    "[{generated_text}]": Task.TEXT_GENERATION,
    "[{details,generated_text}]": Task.TEXT_GENERATION,
    "{conversation,generated_text,warnings}": Task.CONVERSATIONAL,
}


def tapes(name: str) -> list[dict[str, Any]]:
    """Return the records of one file."""
    path = recorded("tapes", name)
    records: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return records


def task_of(record: Mapping[str, Any]) -> Task | None:
    """Return the task of a record, or ``None`` where it is out of scope."""
    if "body_clipped" in record:
        return None
    if record["shape"] == "[float]":
        asked = record["request_body"] or ""
        if "Fish-Weight" in record["url"]:
            return None  # tabular regression
        similar = "sentence" in asked or "xlm-r" in record["url"]
        return Task.SENTENCE_SIMILARITY if similar else Task.FEATURE_EXTRACTION
    return TASKS.get(record["shape"])


def count_of(record: Mapping[str, Any]) -> int | None:
    """Return how many inputs were sent as a list."""
    try:
        asked = json.loads(record["request_body"] or "null")
    except ValueError:
        return None
    inputs = asked.get("inputs") if isinstance(asked, dict) else None
    # A conversation is a list of messages, and still one input.
    if not isinstance(inputs, list) or not all(isinstance(i, str) for i in inputs):
        return None
    return len(inputs)


def test_recorded_answers_are_read(figure: Callable[[str], None]) -> None:
    """Each answer in scope gives a value, and something in it; both are counted."""
    read: Counter[str] = Counter()
    left = 0
    for record in tapes("tasks.json") + tapes("text_generation.json"):
        task = task_of(record)
        if task is None:
            left += 1
            continue
        data = record["body"].encode()
        reply = read_task(task, data, count=count_of(record))
        assert reply.first is not None, record["id"]
        read[task] += 1
    kinds = ", ".join(f"{task} {count}" for task, count in sorted(read.items()))
    figure(f"{read.total()} read, {left} out of scope ({kinds})")
    assert (read.total(), left) == (100, 34)


def test_recorded_values_are_what_was_recorded() -> None:
    """Texts, scores and vectors stand in the reply as in the body."""
    for record in tapes("tasks.json") + tapes("text_generation.json"):
        task = task_of(record)
        if task is None:
            continue
        said = json.loads(record["body"])
        first = read_task(task, record["body"].encode(), count=count_of(record)).first
        if isinstance(first, GeneratedText):
            assert first.text in said[0].values()
        elif isinstance(first, Similarities):
            assert list(first.scores) == said
        elif isinstance(first, Features):
            assert list(first.vectors[0]) == said
