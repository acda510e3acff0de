"""The rules for the task API: where a task is asked for, and what its answers say."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import (
    InvalidEndpoint,
    InvalidModelId,
    InvalidOption,
    MalformedResponse,
)
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
from bytebuddy_provider_hf.wire.target import resolve
from bytebuddy_provider_hf.wire.tasks import Task, build_task, unused_parameters
from bytebuddy_provider_hf.wire.tasks_reply import read_task

BERT = "google-bert/bert-base-uncased"
ROUTER = "https://router.huggingface.co/hf-inference/models"
HOST = "https://x.eu.aws.endpoints.huggingface.cloud"
LOCAL = "http://localhost:8080/hf-inference"

TABLE = {"query": "How many?", "table": {"stars": ["1", "2"]}}
INPUTS: dict[Task, object] = {
    Task.CONVERSATIONAL: {"text": "Hi"},
    Task.QUESTION_ANSWERING: {"question": "Who?", "context": "Ada."},
    Task.TABLE_QA: TABLE,
    Task.SENTENCE_SIMILARITY: {"source_sentence": "a", "sentences": ["b"]},
}


def body(name: str, inputs: object, **parameters: object) -> object:
    """Return the body that is sent."""
    return json.loads(build_task(name, inputs, parameters, resolve(BERT)).body)


@pytest.mark.parametrize(
    ("api_base", "task", "url"),
    [
        (None, "fill-mask", f"{ROUTER}/{BERT}"),
        ("https://router.huggingface.co/v1", "fill-mask", f"{ROUTER}/{BERT}"),
        (ROUTER, "fill-mask", f"{ROUTER}/{BERT}"),
        (f"{ROUTER}/{BERT}", "fill-mask", f"{ROUTER}/{BERT}"),
        (None, "feature-extraction", f"{ROUTER}/{BERT}/pipeline/feature-extraction"),
        (None, "sentence-similarity", f"{ROUTER}/{BERT}/pipeline/sentence-similarity"),
        ("https://api-inference.huggingface.co", "fill-mask", f"{ROUTER}/{BERT}"),
        (HOST, "fill-mask", f"{HOST}/"),
        (f"{HOST}/v1", "feature-extraction", f"{HOST}/"),
        (f"{HOST}/models", "fill-mask", f"{HOST}/models/{BERT}"),
        ("http://localhost:8080?a=b", "fill-mask", "http://localhost:8080/?a=b"),
        (
            LOCAL,
            "feature-extraction",
            f"{LOCAL}/models/{BERT}/pipeline/feature-extraction",
        ),
    ],
)
def test_a_task_has_its_url(api_base: str | None, task: str, url: str) -> None:
    """hf-inference names the model in the path, a server of one model does not."""
    inputs = INPUTS.get(Task(task), "Hello")
    assert build_task(task, inputs, {}, resolve(BERT, api_base)).url == url


def test_another_provider_serves_no_tasks() -> None:
    """A provider's own route behind the router is refused, and the way out named."""
    target = resolve("x/y", "https://router.huggingface.co/together")
    with pytest.raises(InvalidEndpoint, match="leave apiBase out"):
        build_task("fill-mask", "Hello", {}, target)


@pytest.mark.parametrize(
    "model", ["/repository", "a/b/c", "x/y:groq", "x/.git", "a/b/../c"]
)
def test_an_id_that_is_not_the_hubs_gets_no_path(model: str) -> None:
    """What a server of one's own may be called has no place behind /models."""
    with pytest.raises(InvalidModelId):
        build_task("fill-mask", "Hi", {}, resolve(model, "http://localhost/models"))


def test_the_path_does_not_trust_the_target() -> None:
    """A target made by hand is checked all the same."""
    for model in ("x/a..b", "..", "x/y/z", "x/y?z", ""):
        with pytest.raises(InvalidModelId):
            build_task("fill-mask", "Hi", {}, evolve(resolve(BERT), model=model))


@given(st.text(max_size=40))
@example("../../api/whoami-v2")
@example("x/..")
@example("x/y?z")
@example("x/y#z")
@example("x/%2e%2e")
@example("x/y\n")
def test_no_id_leaves_its_path(model: str) -> None:
    """Any text as an id: a URL whose path is the two known parts, or an error."""
    try:
        url = build_task("fill-mask", "Hi", {}, resolve(model)).url
    except InvalidModelId:
        return
    name = model.partition(":")[0]
    assert url == f"{ROUTER}/{name}"
    assert name.count("/") <= 1
    assert ".." not in name
    assert (
        name.replace("/", "")
        .replace("-", "")
        .replace(".", "")
        .replace("_", "")
        .isalnum()
    )


@pytest.mark.parametrize("suffix", ["fastest", "hf-inference", "cheapest"])
def test_a_routing_suffix_stays_out_of_the_path(suffix: str) -> None:
    """Only one provider serves tasks, so a policy has nothing to choose."""
    target = resolve(f"{BERT}:{suffix}")
    assert build_task("fill-mask", "Hi", {}, target).url == f"{ROUTER}/{BERT}"


def test_parameters_stand_below_their_key_and_nulls_are_left_out() -> None:
    """TGI refuses nulls; without parameters the key is not sent."""
    assert body("summarization", "a", max_length=5, min_length=None) == {
        "inputs": "a",
        "parameters": {"max_length": 5},
    }
    assert body("summarization", "a", min_length=None) == {"inputs": "a"}


def test_feature_extraction_has_its_parameters_at_the_root() -> None:
    """Beside inputs, which they cannot replace."""
    given = {"normalize": True, "inputs": "x"}
    call = build_task("feature-extraction", ["a", "b"], given, resolve(BERT))
    assert json.loads(call.body) == {"inputs": ["a", "b"], "normalize": True}


def test_text_generation_asks_for_the_new_text_only() -> None:
    """Unless the caller wants the prompt back."""
    assert body("text-generation", "a") == {
        "inputs": "a",
        "parameters": {"return_full_text": False},
    }
    sent = body("text-generation", "a", return_full_text=True)
    assert sent == {"inputs": "a", "parameters": {"return_full_text": True}}


@pytest.mark.parametrize("task", list(Task))
def test_inputs_of_the_wrong_shape_are_refused(task: Task) -> None:
    """Here, with the shape named, and not by the server."""
    for inputs in (None, 5, [], {"wrong": 1}, [1, 2]):
        with pytest.raises(InvalidOption, match="inputs"):
            build_task(task, inputs, {}, resolve(BERT))


def test_what_cannot_be_asked_is_refused() -> None:
    """An unknown task, classes that are missing, and text that is no Unicode."""
    with pytest.raises(InvalidOption, match="fill-mask"):
        build_task("juggling", "a", {}, resolve(BERT))
    with pytest.raises(InvalidOption, match="candidate_labels"):
        build_task("zero-shot-classification", "a", {}, resolve(BERT))
    with pytest.raises(InvalidOption, match="JSON"):
        build_task("fill-mask", "\ud800", {}, resolve(BERT))


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
        ((GeneratedText("a", "length", 5),),),
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
    """Its sentence is the message."""
    with pytest.raises(MalformedResponse, match=f"reported an error.*{quoted}"):
        read_task(task, json.dumps(said).encode())


def test_warnings_are_kept_and_say_which_parameters_were_not_used() -> None:
    """Of an object, or of the first object in a list."""
    warned = "The following `model_kwargs` are not used by the model: ['stop', 'seed']"
    said = {"generated_text": "a", "warnings": [warned]}
    for value in (said, [said]):
        reply = read_task("text-generation", json.dumps(value).encode())
        assert reply == TaskReply(((GeneratedText("a"),),), (warned,))
        assert unused_parameters(reply.warnings[0]) == ("stop", "seed")
    assert unused_parameters("nothing of the kind") == ()


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
    """Total: nothing but MalformedResponse is raised, and groups match the inputs."""
    try:
        reply = read_task(task, data, count=count)
    except MalformedResponse:
        return
    similar = task is Task.SENTENCE_SIMILARITY
    if task is not Task.FILL_MASK:
        assert len(reply.groups) == (1 if similar else count or 1)
    assert reply.first is not None or task is Task.TOKEN_CLASSIFICATION
