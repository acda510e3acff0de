"""The real request code of the old serverless API, where it is installed.

api-inference-community is no dependency: without it, these tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from servers.asking import ask
from servers.engines_hf import FakeCommunity

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import Target, resolve
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.outcomes import TaskReply
from bytebuddy_provider_hf.testing.script import FakeRequest
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.probe import Probe
from bytebuddy_provider_hf.wire.tasks import build_task
from bytebuddy_provider_hf.wire.tasks_reply import read_task

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(
        importlib.util.find_spec("api_inference_community") is None,
        reason="api-inference-community is not installed",
    ),
]

SERVER = Path(__file__).parents[1] / "servers" / "community.py"
TALK = {"text": "Hi", "past_user_inputs": [], "generated_responses": []}
ABOUT = {"question": "Who?", "context": "Ada wrote it."}
ALIKE = {"source_sentence": "a", "sentences": ["b", "ccc"]}


@pytest.fixture(scope="module")
def community() -> Iterator[str]:
    """Give the base URL of the server; the first word of a path is its task."""
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    with subprocess.Popen(
        [sys.executable, str(SERVER)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **quiet},
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def target(base: str, task: str, suffix: str = "") -> Target:
    return resolve("org/name", f"{base}/{task}{suffix}")


async def done(
    base: str,
    task: str,
    inputs: object,
    parameters: Mapping[str, object] | None = None,
    *,
    suffix: str = "",
) -> TaskReply:
    call = build_task(task, inputs, parameters or {}, target(base, task, suffix))
    status, body = await ask(call)
    assert status == 200, body
    counted = (
        inputs["sentences"]
        if isinstance(inputs, Mapping) and "sentences" in inputs
        else inputs
    )
    return read_task(
        task, body, count=len(counted) if isinstance(counted, list) else None
    )


async def refused(
    base: str, task: str, inputs: object, parameters: Mapping[str, object]
) -> errors.APIError:
    where = target(base, task)
    status, body = await ask(build_task(task, inputs, parameters, where))
    assert status >= 400
    return classify(status, {}, body, where)


@pytest.mark.parametrize("suffix", ["", "/hf-inference"])
@pytest.mark.parametrize(
    ("task", "inputs", "said"),
    [
        ("text-generation", "Hi", "' and so on'"),
        ("text2text-generation", "Hi", "'Hi and so on'"),
        ("conversational", TALK, "'You said Hi'"),
        ("fill-mask", "Hello [MASK]", "'Hello name'"),
        ("summarization", "A long story", "'A long st'"),
        ("text-classification", "I like it", "'POSITIVE'"),
        ("question-answering", ABOUT, "'Ada'"),
        ("feature-extraction", "abc", "3.0"),
        ("feature-extraction", ["abc", "ab"], "3.0"),
        ("sentence-similarity", ALIKE, "1.0"),
    ],
)
async def test_every_task_is_asked_and_read(
    community: str, task: str, inputs: object, said: str, suffix: str
) -> None:
    """At the model's own address and at the router's kind of path."""
    reply = await done(community, task, inputs, suffix=suffix)
    assert len(reply.groups) == (len(inputs) if isinstance(inputs, list) else 1)
    assert said in repr(reply.first)


@pytest.mark.parametrize(
    ("task", "parameters", "names"),
    [
        ("text-generation", {"temperature": -3}, ("temperature",)),
        ("text-generation", {"top_k": 0}, ("top_k",)),
        ("text-generation", {"top_k": 0, "top_p": 7}, ("top_k", "top_p")),
        ("fill-mask", {"top_k": "five"}, ("top_k",)),
    ],
)
async def test_a_list_of_complaints_names_each_parameter(
    community: str, task: str, parameters: dict[str, object], names: tuple[str, ...]
) -> None:
    """Its validation answers 400 with ``error`` as a list, one text each."""
    error = await refused(community, task, "Hello [MASK]", parameters)
    assert isinstance(error, errors.ParameterRefused)
    assert set(error.parameters) == set(names)
    assert all(name in (error.hint or "") for name in names)


async def test_parameters_that_a_model_does_not_use_are_named(community: str) -> None:
    """In the error, and again in the warnings beside it."""
    where = target(community, "text-generation")
    call = build_task("text-generation", "Hi", {"stop": ["x"], "seed": 1}, where)
    status, body = await ask(call)
    error = classify(status, {}, body, where)
    assert isinstance(error, errors.ParameterRefused)
    assert error.parameters == ("seed", "stop")
    warned = json.loads(body)["warnings"]
    assert "['seed', 'stop']" in warned[0]


async def test_a_parameter_that_the_code_does_not_know_is_named(community: str) -> None:
    """Python's own sentence about the argument."""
    error = await refused(community, "text-classification", "Hi", {"nonsense": 1})
    assert isinstance(error, errors.ParameterRefused)
    assert error.parameter == "nonsense"


async def test_a_warning_beside_a_good_answer_is_kept(community: str) -> None:
    """Transformers' warnings come with the answer where that is an object."""
    reply = await done(community, "conversational", TALK)
    assert "pad_token_id" in " ".join(reply.warnings)


@pytest.mark.parametrize(
    ("task", "inputs", "kind"),
    [
        ("text-generation", "boom", errors.PipelineFailed),
        ("text-generation", "bad", errors.BadRequest),
        (
            "sentence-similarity",
            {"source_sentence": "a", "sentences": 7},
            errors.InputRefused,
        ),
        ("translation", "Hi", errors.RouteNotSupported),
    ],
)
async def test_what_fails_has_its_class(
    community: str, task: str, inputs: object, kind: type[errors.APIError]
) -> None:
    """500 with warnings, 400 with a text, 400 with a list."""
    body = json.dumps({"inputs": inputs}).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{community}/{task}", data=body) as response,
    ):
        said = await response.read()
        error = classify(response.status, {}, said, target(community, task))
    assert isinstance(error, kind), said
    assert error.hint


async def test_it_says_what_a_call_computed(community: str) -> None:
    """On a good answer and on a failed one, as the double says it too."""
    named = "x-compute-time", "x-compute-type", "x-compute-characters"
    seen: dict[str, set[str]] = {}
    async with aiohttp.ClientSession() as session:
        for inputs in ("Hi", "boom"):
            body = {"inputs": inputs}
            url = f"{community}/text-generation"
            async with session.post(url, json=body) as response:
                seen[inputs] = {name for name in named if name in response.headers}
    assert seen == {"Hi": set(named), "boom": set(named[:2])}


async def test_a_probe_finds_no_list_of_models_and_takes_it_for_the_toolkit(
    community: str,
) -> None:
    """It answers every GET with 200; the task API is what is left."""
    probe = Probe(resolve("org/name", community))
    while (call := probe.call) is not None:
        status, body = await ask(call)
        assert probe.answer(status, {}, body) is None
    assert probe.server is not None
    assert isinstance(probe.server, Toolkit)
    assert "tasks" in probe.server.routes


@pytest.mark.parametrize(
    "sent",
    [
        {"inputs": "boom"},
        {"foo": 1},
        {"inputs": "Hi", "parameters": {"temperature": -3}},
        {"inputs": "Hi", "parameters": {"stop": ["x"]}},
    ],
)
async def test_the_double_answers_as_the_real_one_does(
    community: str, sent: dict[str, object]
) -> None:
    """Status, members and the class of the error are the same."""
    body = json.dumps(sent).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{community}/text-generation", data=body) as response,
    ):
        real = json.loads(await response.read())
        status = response.status
    reply = await FakeCommunity()(FakeRequest("POST", "/", body=body))
    fake = json.loads(b"".join(reply.body))
    where = target(community, "text-generation")
    assert (reply.status, fake.keys()) == (status, real.keys())
    kinds = [
        type(classify(status, {}, json.dumps(each).encode(), where))
        for each in (real, fake)
    ]
    assert kinds[0] is kinds[1]
