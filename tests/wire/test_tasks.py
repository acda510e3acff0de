"""The rules for the task API: where a task is asked for, and with what."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st
from names import NAMES

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import (
    InvalidEndpoint,
    InvalidModelId,
    InvalidOption,
)
from bytebuddy_provider_hf.wire.tasks import Task, build_task

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
    with pytest.raises(InvalidEndpoint, match="leave api_base out"):
        build_task("fill-mask", "Hello", {}, target)


@pytest.mark.parametrize("model", [*NAMES, "a/b/c", "x/y:groq", "x/.git", "a/b/../c"])
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
