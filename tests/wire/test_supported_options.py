"""What is legal where: the table of option mappings, cell by cell."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.client.request import merge_options
from bytebuddy_provider_hf.texts import render
from bytebuddy_provider_hf.types import LONGEST_STOP, CompletionOptions
from bytebuddy_provider_hf.wire.dialects import SERVERS
from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.dialects.transformers import Transformers
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.http_request import json_body
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.supported_options import (
    SupportedOptions,
    supported_options,
)

OPENAI_STYLE = [
    Router,
    Server,
    Vllm,
    Sglang,
    LlamaCpp,
]
MANY = ("one", "two", "three", "four", "five", "six")


def ask(
    kind: type[Server] = Server,
    route: str = "chat",
    *,
    version: tuple[int, ...] | None = None,
    max_stops: int | None = None,
    **options: Any,  # noqa: ANN401 - options of any type
) -> SupportedOptions:
    server = kind(version=version, max_stops=max_stops)
    return supported_options(CompletionOptions(**options), server, route)


def sent(kind: type[Server], route: str = "chat", **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    body: dict[str, Any] = ask(kind, route, **options).body
    if route != "generate":
        return body
    parameters: dict[str, Any] = body["parameters"]
    assert parameters.pop("return_full_text") is False
    assert parameters.pop("details") is True
    return parameters


# One row a cell: kind, route, what was asked, what leaves.
CELLS: list[tuple[type[Server], str, dict[str, object], dict[str, object]]] = [
    # temperature
    *[(e, "chat", {"temperature": 0}, {"temperature": 0}) for e in OPENAI_STYLE],
    *[(e, "chat", {"temperature": 1.0}, {"temperature": 1.0}) for e in OPENAI_STYLE],
    (Tgi, "chat", {"temperature": 0}, {"temperature": 0}),
    (Tgi, "chat", {"temperature": 0, "top_p": 0.5}, {"temperature": 0}),
    (Tgi, "chat", {"temperature": 0.7}, {"temperature": 0.7}),
    (Tgi, "completions", {"temperature": 0}, {"temperature": 0}),
    (Tgi, "generate", {"temperature": 0}, {"do_sample": False}),
    (
        Tgi,
        "generate",
        {"temperature": 0, "top_k": 4, "top_p": 0.5},
        {"do_sample": False},
    ),
    (
        Tgi,
        "generate",
        {"temperature": 1.0},
        {"temperature": 1.0, "do_sample": True},
    ),
    (Tgi, "generate", {}, {}),
    (
        HfInference,
        "tasks",
        {"temperature": 0},
        {"parameters": {"do_sample": False}},
    ),
    # max_tokens
    *[(e, "chat", {"max_tokens": 9}, {"max_tokens": 9}) for e in OPENAI_STYLE],
    (Tgi, "chat", {"max_tokens": 9}, {"max_tokens": 9}),
    (Tgi, "completions", {"max_tokens": 9}, {"max_tokens": 9}),
    (Tgi, "generate", {"max_tokens": 9}, {"max_new_tokens": 9}),
    (Toolkit, "tasks", {"max_tokens": 9}, {"parameters": {"max_new_tokens": 9}}),
    (LlamaCpp, "infill", {"max_tokens": 9}, {"n_predict": 9}),
    # top_p
    *[(e, "chat", {"top_p": 0.9}, {"top_p": 0.9}) for e in OPENAI_STYLE],
    *[(e, "chat", {"top_p": 1.0}, {"top_p": 1.0}) for e in OPENAI_STYLE],
    *[
        (Tgi, route, {"top_p": value}, {})
        for route in ("chat", "completions", "generate")
        for value in (1, 1.0, 0, 0.0, 0.99999999999)
    ],
    (Tgi, "chat", {"top_p": 0.9}, {"top_p": 0.9}),
    (Tgi, "generate", {"top_p": 0.9}, {"top_p": 0.9, "do_sample": True}),
    (Vllm, "chat", {"top_p": 0.0}, {}),
    (Sglang, "chat", {"top_p": 0.0}, {}),
    # top_k
    *[(e, "chat", {"top_k": 40}, {"top_k": 40}) for e in OPENAI_STYLE],
    *[(e, "chat", {"top_k": 0}, {}) for e in OPENAI_STYLE[:-1]],
    (LlamaCpp, "chat", {"top_k": 0}, {"top_k": 0}),
    (Tgi, "chat", {"top_k": 40}, {}),
    (Tgi, "completions", {"top_k": 40}, {}),
    (Tgi, "generate", {"top_k": 40}, {"top_k": 40, "do_sample": True}),
    (Tgi, "generate", {"top_k": 0}, {}),
    # repetition_penalty
    *[
        (e, "chat", {"repetition_penalty": 1.1}, {"repetition_penalty": 1.1})
        for e in OPENAI_STYLE[:-1]
    ],
    (LlamaCpp, "chat", {"repetition_penalty": 1.1}, {"repeat_penalty": 1.1}),
    (LlamaCpp, "infill", {"repetition_penalty": 1.1}, {"repeat_penalty": 1.1}),
    (Tgi, "chat", {"repetition_penalty": 1.1}, {}),
    (
        Tgi,
        "completions",
        {"repetition_penalty": 1.1},
        {"repetition_penalty": 1.1},
    ),
    (Tgi, "generate", {"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
    (Transformers, "chat", {"repetition_penalty": 1.1}, {}),
    (Sglang, "chat", {"repetition_penalty": 5.0}, {"repetition_penalty": 2}),
    # stop
    *[(e, "chat", {"stop": MANY}, {"stop": [*MANY[:4]]}) for e in OPENAI_STYLE],
    (Tgi, "chat", {"stop": MANY[:2]}, {"stop": [*MANY[:2]]}),
    (Tgi, "generate", {"stop": MANY}, {"stop": [*MANY[:4]]}),
    (Tgi, "completions", {"stop": MANY}, {"stop": [*MANY[:4]]}),
    (Tgi, "generate", {"stop": ()}, {}),
    (Toolkit, "tasks", {"stop": MANY}, {}),
    # presence_penalty
    *[
        (e, "chat", {"presence_penalty": 0.5}, {"presence_penalty": 0.5})
        for e in OPENAI_STYLE
    ],
    *[
        (kind, route, {"presence_penalty": value}, {})
        for kind in (Tgi, HfInference)
        for route in ("chat", "completions", "generate")
        for value in (0, 0.5, -1)
    ],
    # the others
    *[
        (e, "chat", {"presence_penalty": 0, "frequency_penalty": 0.0}, {})
        for e in SERVERS
    ],
    *[
        (e, "chat", {"frequency_penalty": -2}, {"frequency_penalty": -2})
        for e in (*OPENAI_STYLE, Tgi)
    ],
    *[(e, "chat", {"min_p": 0.1}, {"min_p": 0.1}) for e in OPENAI_STYLE],
    (Tgi, "generate", {"min_p": 0.1}, {}),
    *[(e, "chat", {"seed": 7}, {"seed": 7}) for e in (*OPENAI_STYLE, Tgi)],
    (Tgi, "generate", {"seed": -1}, {}),
    (LlamaCpp, "chat", {"seed": -1}, {"seed": -1}),
]


@pytest.mark.parametrize(("kind", "route", "asked", "leaves"), CELLS)
def test_what_leaves(
    kind: type[Server],
    route: str,
    asked: dict[str, object],
    leaves: dict[str, object],
) -> None:
    """Each option leaves under the server's name, or not at all."""
    assert sent(kind, route, **asked) == leaves


@pytest.mark.parametrize(
    ("kind", "route", "asked", "named"),
    [
        (Tgi, "chat", {"top_k": 40}, "top_k"),
        (Tgi, "chat", {"repetition_penalty": 1.2}, "repetition_penalty"),
        (Tgi, "chat", {"min_p": 0.2}, "min_p"),
        (Tgi, "chat", {"presence_penalty": 0.5}, "presence_penalty"),
        (Tgi, "chat", {"top_p": 0.0}, "top_p"),
        (Tgi, "chat", {"seed": -5}, "seed"),
        (Toolkit, "tasks", {"stop": ("a",)}, "stop"),
        (Toolkit, "tasks", {"seed": 1}, "seed"),
        (Vllm, "chat", {"stop": MANY}, "stop texts"),
        (Sglang, "chat", {"repetition_penalty": 9.0}, "repetition_penalty"),
        (Server, "chat", {"max_tokens": 2**40}, "max_tokens"),
        (Server, "chat", {"repetition_penalty": math.inf}, "repetition_penalty"),
    ],
)
def test_what_is_dropped_or_changed_is_told_by_name(
    kind: type[Server], route: str, asked: dict[str, object], named: str
) -> None:
    """One sentence for each, with the name that the caller gave."""
    (note,) = ask(kind, route, **asked).notes
    assert named in note
    assert note.endswith(".")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"prompt_caching": True},
            "未发送 prompt_caching：OpenAI 风格的服务器（chat）不接受它。",
        ),
        ({"top_p": 1.5}, "未发送 top_p 1.5：它必须不小于 0 且不大于 1。"),
        ({"max_tokens": 2**40}, "max_tokens 按 2.14748e+09 发送，这是允许的最大值。"),
        (
            {"keep_alive": 5},
            "未发送 keep_alive：此处已知的服务器都不支持它，只有 Ollama 支持。",
        ),
        (
            {"stop": MANY},
            "6 个停止文本中只发送了 4 个，这是服务器能接受的数量；回答在本端截断。",
        ),
    ],
)
def test_a_note_can_be_said_in_chinese(asked: dict[str, object], said: str) -> None:
    """With the server's name, the range and the reason that are its facts."""
    (note,) = ask(Server, **asked).notes
    assert render(note, "zh") == said


def test_what_says_nothing_is_dropped_without_a_word() -> None:
    """Neutral values lose nothing, so nobody is told."""
    found = ask(
        Tgi,
        top_p=1.0,
        top_k=0,
        min_p=0,
        repetition_penalty=1,
        presence_penalty=0,
        frequency_penalty=0,
    )
    assert found == SupportedOptions()


def test_the_danger_of_the_presence_penalty_is_explained() -> None:
    """TGI's chat turns p into a repetition penalty of p + 2."""
    assert "p + 2" in ask(Tgi, presence_penalty=0.5).notes[0]
    assert "p + 2" not in ask(Tgi, "generate", presence_penalty=0.5).notes[0]


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_a_temperature_of_zero_before_2_0_4_is_the_least_one(route: str) -> None:
    """Older OpenAI routes of TGI always sample and refuse 0."""
    old = ask(Tgi, route, version=(2, 0, 3), temperature=0)
    assert old.body == {"temperature": 0.01}
    assert old.notes
    new = ask(Tgi, route, version=(2, 0, 4), temperature=0)
    assert new == SupportedOptions({"temperature": 0})


def test_the_first_chat_of_tgi_gets_no_frequency_penalty() -> None:
    """1.4.0 made a repetition penalty of f + 2 of it."""
    old = ask(Tgi, version=(1, 4, 0), frequency_penalty=1)
    assert old.body == {}
    assert "f + 2" in old.notes[0]
    new = ask(Tgi, version=(1, 4, 1), frequency_penalty=1)
    assert new.body == {"frequency_penalty": 1}


def test_stops_that_an_old_chat_ignores_are_cut_here() -> None:
    """TGI's chat reads stop from 1.4.4 on."""
    old = ask(Tgi, version=(1, 4, 3), stop=("a",))
    assert (old.body, old.cuts) == ({}, ("a",))


@pytest.mark.parametrize("kind", SERVERS)
def test_stops_beyond_the_limit_are_all_cut_here(kind: type[Server]) -> None:
    """Four are sent, or as many as the server says; which one comes is not known."""
    assert ask(kind, stop=MANY).cuts == MANY
    assert ask(kind, stop=MANY, max_stops=2).cuts == MANY


def test_the_servers_own_limit_of_stops_counts() -> None:
    """A probe may have found another limit than four, or that none is taken."""
    assert ask(Tgi, stop=MANY, max_stops=6).body == {"stop": [*MANY]}
    assert ask(Tgi, stop=MANY, max_stops=0).body == {}


@pytest.mark.parametrize(
    ("kind", "cuts"),
    [
        (Tgi, ("a", "b")),
        (Transformers, ("a", "b")),
        (Router, ("a", "b")),
        (Vllm, ()),
        (LlamaCpp, ()),
    ],
)
def test_a_server_that_leaves_stops_in_is_cut_after(
    kind: type[Server], cuts: tuple[str, ...]
) -> None:
    """Where the server cuts by itself nothing is done twice."""
    assert ask(kind, stop=("a", "", "b", "a")).cuts == cuts


# Lowest and highest that each server documents, and whether they are excluded.
DOCUMENTED: dict[str, tuple[float, float, bool, bool]] = {
    "temperature": (0, 2, False, False),
    "max_tokens": (1, 2**32, False, True),
    "top_p": (0, 1, False, False),
    "top_k": (1, 2**31, False, True),
    "min_p": (0, 1, False, False),
    "repetition_penalty": (0, math.inf, True, True),
    "repeat_penalty": (0, math.inf, True, True),
    "presence_penalty": (-2, 2, False, False),
    "frequency_penalty": (-2, 2, False, False),
    "seed": (-(2**63), 2**63, False, True),
}
TGI_DOCUMENTED = DOCUMENTED | {
    "temperature": (0, 100, True, False),
    "top_p": (0, 1, True, True),
    "max_new_tokens": (1, 2**32, False, True),
    "seed": (0, 2**64, False, True),
}
BY_ENGINE = {
    Vllm: DOCUMENTED | {"top_p": (0, 1, True, False)},
    Sglang: DOCUMENTED
    | {"top_p": (0, 1, True, False), "repetition_penalty": (0, 2, True, False)},
    LlamaCpp: DOCUMENTED
    | {"top_k": (0, 2**31, False, True), "seed": (-1, 2**32, False, True)},
    Tgi: TGI_DOCUMENTED,
    HfInference: TGI_DOCUMENTED,
}
TAKEN = {
    "chat": {"temperature", "max_tokens", "top_p", "frequency_penalty", "seed"},
    "generate": {
        "temperature",
        "max_new_tokens",
        "top_p",
        "top_k",
        "repetition_penalty",
        "frequency_penalty",
        "seed",
    },
    "tasks": {
        "temperature",
        "max_new_tokens",
        "top_p",
        "top_k",
        "repetition_penalty",
    },
}
TAKEN["completions"] = TAKEN["chat"] | {"repetition_penalty"}


def numbers(low: float, high: float) -> st.SearchStrategy[float | None]:
    edges = st.sampled_from([low, high])
    return st.none() | edges | st.floats(low, high)


LEGAL_OPTIONS = st.builds(
    dict,
    temperature=numbers(0, 2),
    max_tokens=st.none() | st.integers(1),
    top_p=numbers(0, 1),
    top_k=st.none() | st.integers(0),
    min_p=numbers(0, 1),
    repetition_penalty=st.none() | st.floats(0, exclude_min=True),
    presence_penalty=numbers(-2, 2),
    frequency_penalty=numbers(-2, 2),
    seed=st.none() | st.integers(),
    stop=st.none() | st.lists(st.text(min_size=1, max_size=LONGEST_STOP), max_size=8),
)


ROUTES = [
    *((kind, route) for kind in SERVERS for route in ("chat", "completions")),
    *((kind, "generate") for kind in (Tgi, HfInference)),
    *((kind, "tasks") for kind in (Toolkit, HfInference)),
]


@given(
    LEGAL_OPTIONS,
    st.sampled_from(ROUTES),
    st.none() | st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 7)),
)
def test_whatever_the_schema_allows_what_leaves_is_in_the_servers_ranges(
    asked: dict[str, object],
    way: tuple[type[Server], str],
    version: tuple[int, int, int] | None,
) -> None:
    """Every number is inside, no null or other surprise leaves, and it is JSON."""
    kind, route = way
    options = merge_options(CompletionOptions(), None, asked)
    server = kind(version=version)
    found = supported_options(options, server, route)
    body: dict[str, Any] = json.loads(json_body(found.body))
    nested = route in ("generate", "tasks")
    leaves = dict(body.pop("parameters", {}) if nested else body)
    assert len(leaves.pop("stop", [])) <= 4
    sampled = leaves.pop("do_sample", None)
    assert sampled is None or nested
    leaves.pop("return_full_text", None)
    leaves.pop("details", None)
    tgi_like = nested or kind in (Tgi, HfInference)
    ranges = TGI_DOCUMENTED if nested else BY_ENGINE.get(kind, DOCUMENTED)
    if tgi_like:
        assert set(leaves) <= TAKEN[route]
    if tgi_like and not nested and leaves.get("temperature") == 0:
        assert version is None or version >= (2, 0, 4)
        assert "top_p" not in leaves
        del leaves["temperature"]
    for name, value in leaves.items():
        low, high, above, below = ranges[name]
        assert low <= value <= high
        assert not (above and value == low)
        assert not (below and value == high)
    stops = options.stop or ()
    if len(set(stops)) > 4:
        assert set(found.cuts) == set(stops)
