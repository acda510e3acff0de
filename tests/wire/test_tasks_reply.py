"""The rules for the answers of the task API: every shape, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import MalformedResponse, ResponseError, StreamFailed
from bytebuddy_provider_hf.outcomes import (
    Answer,
    Entity,
    Features,
    Filling,
    GeneratedText,
    Label,
    Similarities,
    TableAnswer,
    TaskReply,
    Turn,
)
from bytebuddy_provider_hf.wire.tasks import Task
from bytebuddy_provider_hf.wire.tasks_reply import read_task

ADA = Entity("PER", 0.9, "Ada", 0, 3)
HAPPY, SAD = Label("happy", 0.75), Label("sad", 0.25)
LABELS = [{"label": "happy", "score": 0.75}, {"label": "sad", "score": 0.25}]
PER = {"entity_group": "PER", "score": 0.9, "word": "Ada", "start": 0, "end": 3}
MASK = {"score": 0.5, "token": 1996, "token_str": "the", "sequence": "the world"}
THE = Filling("the", 0.5, 1996, "the world")
TALK = {"past_user_inputs": ["Hi"], "generated_responses": ["Yo"]}
ZERO = {"sequence": "x", "labels": ["happy", "sad"], "scores": [0.75, 0.25]}

ROWS: list[tuple[str, object, int | None, tuple[object, ...]]] = [
    # task, body, how many inputs were sent as a list, the groups
    ("text-generation", [{"generated_text": "a"}], None, ((GeneratedText("a"),),)),
    ("text-generation", {"generated_text": "a"}, None, ((GeneratedText("a"),),)),
    (
        "text-generation",
        [
            {
                "generated_text": "a",
                "details": {"finish_reason": "length", "generated_tokens": 5},
            }
        ],
        None,
        ((GeneratedText("a", "length", 5, "length"),),),
    ),
    (
        "text-generation",
        [{"generated_text": "a"}, {"generated_text": "b"}],
        None,
        ((GeneratedText("a"), GeneratedText("b")),),
    ),
    (
        "text-generation",
        [[{"generated_text": "a"}], [{"generated_text": "b"}]],
        2,
        ((GeneratedText("a"),), (GeneratedText("b"),)),
    ),
    (
        "text-generation",
        [{"generated_text": [{"role": "assistant", "content": "a"}]}],
        None,
        ((GeneratedText("a"),),),
    ),
    ("text2text-generation", [{"generated_text": ""}], None, ((GeneratedText(""),),)),
    ("summarization", [{"summary_text": "s"}], None, ((GeneratedText("s"),),)),
    (
        "translation",
        [{"translation_text": "t"}, {"translation_text": "u"}],
        2,
        ((GeneratedText("t"),), (GeneratedText("u"),)),
    ),
    (
        "conversational",
        {"generated_text": "Yo", "conversation": TALK},
        None,
        ((Turn("Yo", ("Hi",), ("Yo",)),),),
    ),
    ("conversational", [{"generated_text": "Yo"}], None, ((Turn("Yo"),),)),
    ("fill-mask", [MASK], None, ((THE,),)),
    ("fill-mask", [[MASK], [MASK]], None, ((THE,), (THE,))),
    ("text-classification", [LABELS], None, ((HAPPY, SAD),)),
    ("text-classification", LABELS, None, ((HAPPY, SAD),)),
    ("text-classification", LABELS, 1, ((HAPPY, SAD),)),
    ("text-classification", LABELS, 2, ((HAPPY,), (SAD,))),
    ("text-classification", [LABELS, LABELS], 2, ((HAPPY, SAD), (HAPPY, SAD))),
    ("token-classification", [PER], None, ((ADA,),)),
    ("token-classification", [], None, ((),)),
    ("token-classification", [[PER], []], 2, ((ADA,), ())),
    (
        "token-classification",
        [{"entity": "B-PER", "score": 1, "word": "Ada", "index": 1}],
        None,
        ((Entity("B-PER", 1.0, "Ada"),),),
    ),
    (
        "question-answering",
        {"score": 0.5, "start": 1, "end": 4, "answer": "Ada"},
        None,
        ((Answer("Ada", 0.5, 1, 4),),),
    ),
    (
        "question-answering",
        [{"score": 0.5, "start": 1.0, "end": 4, "answer": "Ada"}],
        None,
        ((Answer("Ada", 0.5, 1, 4),),),
    ),
    ("zero-shot-classification", ZERO, None, ((HAPPY, SAD),)),
    ("zero-shot-classification", [ZERO], 1, ((HAPPY, SAD),)),
    ("zero-shot-classification", [ZERO, ZERO], 2, ((HAPPY, SAD), (HAPPY, SAD))),
    ("zero-shot-classification", LABELS, None, ((HAPPY, SAD),)),
    (
        "table-question-answering",
        {
            "answer": "AVERAGE > 3",
            "coordinates": [[0, 1]],
            "cells": ["3"],
            "aggregator": "AVERAGE",
        },
        None,
        ((TableAnswer("AVERAGE > 3", ("3",), ((0, 1),), "AVERAGE"),),),
    ),
    ("feature-extraction", [1, 0.5], None, ((Features(((1.0, 0.5),), pooled=True),),)),
    ("feature-extraction", [[1, 2]], None, ((Features(((1, 2),), pooled=True),),)),
    ("feature-extraction", [[1, 2]], 1, ((Features(((1, 2),), pooled=True),),)),
    (
        "feature-extraction",
        [[1, 2], [3, 4]],
        2,
        ((Features(((1, 2),), pooled=True),), (Features(((3, 4),), pooled=True),)),
    ),
    (
        "feature-extraction",
        [[1, 2], [3, 4]],
        None,
        ((Features(((1, 2), (3, 4)), pooled=False),),),
    ),
    (
        "feature-extraction",
        [[[1, 2], [3, 4]]],
        None,
        ((Features(((1, 2), (3, 4)), pooled=False),),),
    ),
    (
        "feature-extraction",
        [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8], [9, 0]]]],
        2,
        (
            (Features(((1, 2), (3, 4)), pooled=False),),
            (Features(((5, 6), (7, 8), (9, 0)), pooled=False),),
        ),
    ),
    ("sentence-similarity", [0.5, 1], 2, ((Similarities((0.5, 1.0)),),)),
]


@pytest.mark.parametrize(("task", "said", "count", "groups"), ROWS)
def test_every_shape_of_an_answer_is_read(
    task: str, said: object, count: int | None, groups: tuple[object, ...]
) -> None:
    """Object or list, nested or not: one group for each input."""
    assert read_task(task, json.dumps(said).encode(), count=count).groups == groups


@pytest.mark.parametrize(
    ("task", "said", "count"),
    [
        ("text-generation", [], None),
        ("text-generation", "text", None),
        ("text-generation", [{"generated_text": None}], None),
        ("translation", [{"translation_text": "t"}], 2),
        ("text-classification", [LABELS], 2),
        ("text-classification", [{"label": "a", "score": None}], None),
        ("text-classification", [{"label": "a", "score": True}], None),
        ("token-classification", [PER, PER], 2),
        ("feature-extraction", [], None),
        ("feature-extraction", [1, None], None),
        ("feature-extraction", [1, 10**400], None),
        ("feature-extraction", [[1, 2], [3]], 2),
        ("feature-extraction", [[1, 2]], 2),
        ("feature-extraction", [[[[[1]], [[2]]]]], None),
        ("sentence-similarity", [0.5], 2),
        ("sentence-similarity", [0.5, "x"], 2),
        ("zero-shot-classification", {"labels": ["a"], "scores": [1, 2]}, None),
        ("table-question-answering", {"cells": ["3"]}, None),
    ],
)
def test_an_answer_that_is_not_whole_is_refused(
    task: str, said: object, count: int | None
) -> None:
    """Too few, too many, not finite, of unequal length: no half answers."""
    with pytest.raises(MalformedResponse):
        read_task(task, json.dumps(said).encode(), count=count)


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ({"error": "Model too busy"}, "Model too busy"),
        ({"error": ["one", "two"]}, "one; two"),
        ({"object": "error", "message": "flat"}, "flat"),
        ({"error": "Model too busy", "generated_text": "a"}, "Model too busy"),
    ],
)
@pytest.mark.parametrize("task", ["text-generation", "feature-extraction"])
def test_an_error_with_status_200_is_an_error(
    task: str, said: object, quoted: str
) -> None:
    """Its sentence is the message, and all of it is kept for whoever classifies it."""
    with pytest.raises(StreamFailed, match=f"reported an error.*{quoted}") as failed:
        read_task(task, json.dumps(said).encode())
    assert json.loads(failed.value.event) == said


def test_warnings_are_kept() -> None:
    """Of an object, or of the first object in a list."""
    warned = "The following `model_kwargs` are not used by the model: ['stop', 'seed']"
    said = {"generated_text": "a", "warnings": [warned]}
    for value in (said, [said]):
        reply = read_task("text-generation", json.dumps(value).encode())
        assert reply == TaskReply(((GeneratedText("a"),),), (warned,))


def test_the_mean_of_tokens_is_one_vector() -> None:
    """A model that is not pooled gives a vector for each token."""
    assert Features(((1.0, 2.0), (3.0, 6.0)), pooled=False).mean() == (2.0, 4.0)
    assert Features(((1.0, 2.0),), pooled=True).mean() == (1.0, 2.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "generated_text",
                    "conversation",
                    "score",
                    "label",
                    "labels",
                    "scores",
                    "word",
                    "entity",
                    "answer",
                    "coordinates",
                    "token_str",
                    "token",
                    "error",
                    "details",
                    "warnings",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(list(Task)),
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.none() | st.integers(1, 3),
)
def test_any_bytes_are_a_reply_or_one_error(
    task: Task, data: bytes, count: int | None
) -> None:
    """Total: nothing but a ResponseError is raised, and groups match the inputs."""
    try:
        reply = read_task(task, data, count=count)
    except ResponseError:
        return
    similar = task is Task.SENTENCE_SIMILARITY
    if task is not Task.FILL_MASK:
        assert len(reply.groups) == (1 if similar else count or 1)
    assert reply.first is not None or task is Task.TOKEN_CLASSIFICATION
