"""``task``: the models of the Hub's other tasks, at whatever address they answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from client.scoring import at
from servers.engines import FakeSglang, FakeVllm
from servers.engines_hf import FakeCommunity, FakeHfServe, FakeToolkit
from servers.engines_tei import FakeTei
from servers.fake_tgi import FakeTgi

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import (
    InvalidEndpoint,
    InvalidModelId,
    InvalidOption,
    MalformedResponse,
    ParameterRefused,
    UnsupportedRole,
)
from bytebuddy_provider_hf.outcomes import (
    Features,
    Filling,
    GeneratedText,
    Label,
    Similarities,
    TaskReply,
    Turn,
)
from bytebuddy_provider_hf.testing.answers import json_reply, simulated_vector
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.testing.virtual_time import virtual_time

CLASSIFY = "text-classification"
YES = Label("YES", 0.75)


def answering(answer: object) -> Handler:
    """Make a server that answers this to everything."""

    async def reply(_request: FakeRequest) -> FakeReply:
        return json_reply(answer)

    return reply


@pytest.mark.parametrize(
    ("handler", "base", "path"),
    [
        (FakeCommunity(task=CLASSIFY), None, "/hf-inference/models/org/name"),
        (FakeToolkit(task=CLASSIFY), "https://x.endpoints.huggingface.cloud", "/"),
        (FakeHfServe(task=CLASSIFY), "https://x.endpoints.huggingface.cloud", "/"),
        (
            FakeTei(kind="classifier"),
            "https://x.endpoints.huggingface.cloud",
            "/predict",
        ),
    ],
)
@pytest.mark.parametrize("inputs", ["a", ["a"], ["a", "b"]])
@virtual_time
async def test_a_text_is_classified_wherever_the_model_runs(
    handler: Handler, base: str | None, path: str, inputs: str | list[str]
) -> None:
    """One group for each text, best first, by the server's own route."""
    stand = at(handler, base=base, model="org/name")
    found = await stand.model.task(CLASSIFY, inputs)
    assert len(found.groups) == (1 if isinstance(inputs, str) else len(inputs))
    assert {type(each) for group in found.groups for each in group} == {Label}
    assert stand.stand.paths() == {path}
    stand.settled()


ANSWERS: dict[str, tuple[object, object, object]] = {
    "fill-mask": (
        "Paris is [MASK].",
        [{"score": 0.9, "token": 5, "token_str": "big", "sequence": "Paris is big."}],
        Filling("big", 0.9, 5, "Paris is big."),
    ),
    "conversational": (
        {"text": "hi"},
        {"generated_text": "hello", "conversation": {"past_user_inputs": ["hi"]}},
        Turn("hello", ("hi",)),
    ),
    "summarization": ("long", [{"summary_text": "short"}], GeneratedText("short")),
    "translation": ("ja", [{"translation_text": "yes"}], GeneratedText("yes")),
    "sentence-similarity": (
        {"source_sentence": "a", "sentences": ["b", "c"]},
        [0.5, 0.25],
        Similarities((0.5, 0.25)),
    ),
    "feature-extraction": ("a", [0.5, 0.25], Features(((0.5, 0.25),), pooled=True)),
}


@pytest.mark.parametrize("task", ANSWERS)
@virtual_time
async def test_each_task_gives_its_own_outcome(task: str) -> None:
    """``first`` is the best outcome of the first input."""
    inputs, answer, outcome = ANSWERS[task]
    stand = at(answering(answer), base=None, model="org/name")
    found = await stand.model.task(task, inputs)
    assert found.first == outcome
    assert stand.stand.asked[0].value("inputs") == inputs


@virtual_time
async def test_tei_gives_features_too() -> None:
    """It has a route for them and none for tasks."""
    stand = at(FakeTei())
    found = await stand.model.task("feature-extraction", ["a", "b"])
    assert found.groups == tuple(
        (Features((tuple(simulated_vector(text)),), pooled=True),) for text in "ab"
    )
    with pytest.raises(UnsupportedRole, match="cannot be asked for fill-mask"):
        await stand.model.task("fill-mask", "a [MASK]")


@pytest.mark.parametrize(
    ("task", "instead"),
    [
        ("text-generation", "complete()"),
        ("conversational", "chat()"),
        ("summarization", "chat()"),
        ("translation", "chat()"),
        ("feature-extraction", "embed()"),
    ],
)
@virtual_time
async def test_a_server_of_language_models_names_the_method_to_use(
    task: str, instead: str
) -> None:
    """TGI, vLLM and SGLang have no task API; nothing is sent there in vain."""
    inputs: object = {"text": "a"} if task == "conversational" else "a"
    for handler in (FakeTgi("3.2.0").handle, FakeVllm(), FakeSglang()):
        stand = at(handler)
        with pytest.raises(UnsupportedRole, match="no task API") as caught:
            await stand.model.task(task, inputs)
        assert instead in (caught.value.hint or "")
        assert stand.stand.asked == []


@virtual_time
async def test_refused_parameters_are_left_out_and_told_and_not_sent_again() -> None:
    """Transformers names them in its 400; the rest of them stays."""
    stand = at(FakeCommunity(task="text-generation"), base=None, model="org/name")
    wanted = {"stop": ["x"], "seed": 1, "top_k": 5, "grammar": None}
    found = await stand.model.task("text-generation", "hi", wanted)
    assert isinstance(found.first, GeneratedText)
    assert found.notes == ("Left out, because the server refuses it: seed, stop.",)
    assert [each.value("parameters") for each in stand.stand.asked] == [
        {"return_full_text": False, "stop": ["x"], "seed": 1, "top_k": 5},
        {"return_full_text": False, "top_k": 5},
    ]
    await stand.model.task("text-generation", "hi", wanted)
    assert len(stand.stand.asked) == 3
    stand.settled()


@virtual_time
async def test_a_server_that_refuses_without_end_is_asked_a_few_times() -> None:
    """Each refusal must name something that was sent."""

    async def answer(request: FakeRequest) -> FakeReply:
        said = request.value("parameters")
        named = sorted(said)[:1] if isinstance(said, dict) else ["x"]
        return string_error(
            400, f"The following `model_kwargs` are not used by the model: {named}"
        )

    stand = at(answer, base=None, model="org/name")
    with pytest.raises(ParameterRefused):
        await stand.model.task(CLASSIFY, "a", {f"p{n}": 1 for n in range(9)})
    assert len(stand.stand.asked) == 3
    with pytest.raises(ParameterRefused):
        await stand.model.task("summarization", "a")
    assert len(stand.stand.asked) == 4


@virtual_time
async def test_what_a_server_warns_of_is_in_the_notes() -> None:
    """Cut where it is long, in one line, and not without end."""
    warnings = ["Setting `pad_token_id`\nto 0", "x" * 9_999, *map(str, range(99))]
    answer = {"generated_text": "hi", "warnings": warnings}
    stand = at(answering(answer), base=None, model="org/name")
    found = await stand.model.task("conversational", {"text": "hi"})
    assert found.warnings[0] == warnings[0]
    assert found.notes[0] == "The server warns: Setting `pad_token_id` to 0"
    assert len(found.notes) == 10
    assert max(map(len, found.notes)) < 600


BAD: list[tuple[str, object, object]] = [
    ("text-to-image", "a", None),
    (CLASSIFY, "", {"p": object()}),
    (CLASSIFY, 7, None),
    (CLASSIFY, [], None),
    (CLASSIFY, "a", "p"),
    (CLASSIFY, "a", {1: 2}),
    ("zero-shot-classification", "a", None),
    ("question-answering", "a", None),
    ("sentence-similarity", {"source_sentence": "a", "sentences": "b"}, None),
]


@pytest.mark.parametrize(("task", "inputs", "parameters"), BAD)
@virtual_time
async def test_what_is_no_task_is_refused_unsent(
    task: str, inputs: object, parameters: object
) -> None:
    """An unknown name, inputs of another shape, parameters that are none."""
    stand = at(FakeCommunity(), base=None, model="org/name")
    with pytest.raises(InvalidOption):
        await stand.model.task(task, inputs, parameters)  # type: ignore[arg-type]  # what is tested
    assert stand.stand.requests == []


@virtual_time
async def test_an_unknown_task_lists_those_there_are() -> None:
    """The hint is the list."""
    with pytest.raises(InvalidOption) as caught:
        await at(FakeCommunity()).model.task("translate", "a")
    assert "translation" in (caught.value.hint or "")


@virtual_time
async def test_a_providers_route_serves_no_tasks() -> None:
    """Behind the router only hf-inference does, under its own name for the model."""
    stand = at(FakeCommunity(), base="https://router.huggingface.co/together/v1")
    with pytest.raises(InvalidEndpoint, match="serves no tasks"):
        await stand.model.task(CLASSIFY, "a")
    stand = at(FakeCommunity(), base=None, model="org/name:together")
    with pytest.raises(InvalidModelId, match="names a provider"):
        await stand.model.task(CLASSIFY, "a")


@virtual_time
async def test_extra_body_properties_go_along() -> None:
    """They have the last word in the body."""
    extra: Mapping[str, object] = {"options": {"use_cache": False}}
    options = RequestOptions(extra_body_properties=extra)
    stand = at(
        FakeCommunity(task=CLASSIFY), base=None, model="org/name", requests=options
    )
    await stand.model.task(CLASSIFY, "a")
    assert stand.stand.asked[0].value("options") == {"use_cache": False}


@virtual_time
async def test_an_answer_of_another_task_is_an_error() -> None:
    """It says what was expected."""
    stand = at(answering([{"generated_text": "a"}]), base=None, model="org/name")
    with pytest.raises(MalformedResponse, match="text-classification"):
        await stand.model.task(CLASSIFY, "a")
    stand.settled()


@virtual_time
async def test_nothing_there_is_an_unsupported_role() -> None:
    """A server without the task API says 404; the hint tells who has one."""

    async def nothing(_request: FakeRequest) -> FakeReply:
        return FakeReply(status=404)

    with pytest.raises(UnsupportedRole, match="does no such task") as caught:
        await at(nothing).model.task(CLASSIFY, "a")
    assert "hf-inference" in (caught.value.hint or "")


def test_first_of_nothing_is_none() -> None:
    """An answer may be empty: no entity was found."""
    assert TaskReply(((),)).first is None
