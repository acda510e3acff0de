"""``task`` in a process of its own, against a real socket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from cli.process import Run, serving
from servers.engines import FakeVllm
from servers.engines_hf import FakeToolkit

from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.script import (
    FakeReply,
    FakeRequest,
    Handler,
    Recorded,
)

LABELS = FakeToolkit(task="text-classification")


def answering(answer: object) -> Handler:
    async def reply(request: FakeRequest) -> FakeReply:
        if request.method == "GET":
            return FakeReply(status=404)
        return json_reply(answer)

    return reply


@pytest.fixture
def at() -> Iterator[Callable[[Handler], list[str]]]:
    with contextlib.ExitStack() as stack:
        yield lambda handler: [
            *("--base", stack.enter_context(serving(handler))),
            *("-m", "org/name"),
        ]


At = Callable[[Handler], list[str]]
ENTITY = {"entity_group": "PER", "score": 0.9, "word": "Ada", "start": 0, "end": 3}
MASK = {"score": 0.9, "token": 5, "token_str": "big", "sequence": "It is big."}
SHOWN: dict[str, tuple[str, object, str]] = {
    "text-classification": ("a", [{"label": "YES", "score": 0.75}], "0.7500  YES\n"),
    "fill-mask": ("It is [MASK].", [MASK], "0.9000  It is big.\n"),
    "token-classification": ("Ada", [ENTITY], "0.9000  PER  Ada\n"),
    "summarization": ("long", [{"summary_text": "short"}], "short\n"),
    "question-answering": (
        '{"question": "Who?", "context": "Ada."}',
        {"answer": "Ada", "score": 0.5, "start": 0, "end": 3},
        "0.5000  Ada\n",
    ),
    "sentence-similarity": (
        '{"source_sentence": "a", "sentences": ["b", "c"]}',
        [0.5, 0.25],
        "0.5000\n0.2500\n",
    ),
    "feature-extraction": ("a", [0.5, 0.25], "2 dimensions  +0.5000 +0.2500\n"),
    "conversational": ("hi", {"generated_text": "hello"}, "hello\n"),
}


@pytest.mark.parametrize("task", SHOWN)
def test_each_outcome_is_a_line_for_people(run: Run, at: At, task: str) -> None:
    """Scores first, then what they are about."""
    inputs, answer, shown = SHOWN[task]
    ran = run("task", task, inputs, *at(answering(answer)))
    assert (ran.out, ran.err, ran.code) == (shown, "", 0)


def test_json_has_everything(run: Run, at: At) -> None:
    """The groups, the warnings and the notes."""
    ran = run("task", "text-classification", "a", "--json", *at(LABELS))
    found = json.loads(ran.out)
    assert found["groups"][0][0] == {"label": "YES", "score": 0.75}
    assert found["task"] == "text-classification"


def test_a_json_list_is_several_texts(run: Run, at: At) -> None:
    """An empty line stands between their classes."""
    recorded = Recorded(LABELS)
    ran = run("task", "text-classification", '["a", "b"]', *at(recorded))
    assert recorded.requests[-1].value("inputs") == ["a", "b"]
    assert ran.out == "0.7500  YES\n0.2500  NO\n\n0.7500  YES\n0.2500  NO\n"


def test_what_only_looks_like_json_is_a_text(run: Run, at: At) -> None:
    """A mask in brackets, a number, a quoted word."""
    recorded = Recorded(LABELS)
    where = at(recorded)
    for text in ("[MASK] is big", "7", '"a"', "{", "null"):
        assert run("task", "text-classification", text, *where).code == 0
        assert recorded.requests[-1].value("inputs") == text


def test_parameters_reach_the_model_and_a_refusal_is_told(run: Run, at: At) -> None:
    """What the server refuses by name is left out, with a note on stderr."""
    recorded = Recorded(FakeToolkit(task="text-generation"))
    given = '{"top_k": 3, "stop": ["x"]}'
    ran = run("task", "text-generation", "a", "--parameters", given, *at(recorded))
    assert ran.code == 0
    assert "note: Left out, because the server refuses it: stop." in ran.err
    sent = recorded.requests[-1].value("parameters")
    assert sent == {"return_full_text": False, "top_k": 3}


@pytest.mark.parametrize("parameters", ["", "7", "[1]", "{", "{'a': 1}"])
def test_parameters_are_a_json_object(run: Run, at: At, parameters: str) -> None:
    """Anything else is wrong usage."""
    ran = run("task", "fill-mask", "a", "--parameters", parameters, *at(LABELS))
    assert ran.code == 2
    assert "JSON object" in ran.err


def test_a_task_needs_a_model_and_an_input(run: Run, at: At) -> None:
    """The model that chats is seldom the one that is meant."""
    assert run("task", "fill-mask", "a").code == 2
    assert run("task", "fill-mask", *at(LABELS)).code == 2


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("fill-maks", "There is no task 'fill-maks'"),
        ("question-answering", "a mapping with context and question"),
        ("zero-shot-classification", "needs candidate_labels"),
    ],
)
def test_what_is_wrong_with_a_task_is_told_before_a_token(
    run: Run, task: str, said: str
) -> None:
    """Nobody logs in to learn that they mistyped a name."""
    ran = run("task", task, "a", "-m", "org/name")
    assert ran.code == 2
    assert said in ran.err


def test_piped_text_is_the_input(run: Run, at: At) -> None:
    """As for a prompt."""
    recorded = Recorded(LABELS)
    assert run("task", "text-classification", *at(recorded), stdin="a\nb").code == 0
    assert recorded.requests[-1].value("inputs") == "a\nb"


def test_a_server_of_language_models_is_told(run: Run, at: At) -> None:
    """With the method that it does have."""
    ran = run("task", "summarization", "a", *at(FakeVllm()))
    assert ran.code == 2
    assert "Use chat()" in ran.err
    assert run("task", "nonsense", "a", *at(LABELS)).code == 2
