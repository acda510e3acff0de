"""Whether, how much and how long to reason, in each server's words."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.texts import render
from bytebuddy_provider_hf.types import CompletionOptions, Message
from bytebuddy_provider_hf.wire.dialects import SERVERS
from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.dialects.llamacpp import LlamaCpp
from bytebuddy_provider_hf.wire.dialects.router import Router
from bytebuddy_provider_hf.wire.dialects.sglang import Sglang
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.dialects.transformers import Transformers
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.openai import ChatRequest, build_chat
from bytebuddy_provider_hf.wire.server import Server
from bytebuddy_provider_hf.wire.supported_options import (
    SupportedOptions,
    supported_options,
    takers,
)

ON = {"enable_thinking": True, "thinking": True}
OFF = {"enable_thinking": False, "thinking": False}


def ask(kind: type[Server], route: str = "chat", **options: Any) -> SupportedOptions:  # noqa: ANN401 - options of any type
    return supported_options(CompletionOptions(**options), kind(), route)


# One row a cell: kind, what was asked, what leaves, which options are noted.
CELLS: list[tuple[type[Server], dict[str, object], dict[str, object], list[str]]] = [
    *[
        (kind, asked, leaves, noted)
        for kind in (Router, Server)
        for asked, leaves, noted in (
            ({"reasoning": False}, {"reasoning_effort": "none"}, []),
            ({"reasoning": True}, {}, ["reasoning"]),
            ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}, []),
            ({"reasoning_effort": "none"}, {"reasoning_effort": "none"}, []),
            ({"reasoning_budget_tokens": 9}, {}, ["reasoningBudgetTokens"]),
            ({"prompt_caching": True}, {}, ["promptCaching"]),
        )
    ],
    *[
        (kind, asked, leaves, [])
        for kind in (Vllm, Sglang)
        for asked, leaves in (
            ({"reasoning": False}, {"chat_template_kwargs": OFF}),
            ({"reasoning": True}, {"chat_template_kwargs": ON}),
            ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
            (
                {"reasoning_effort": "none"},
                {"reasoning_effort": "none", "chat_template_kwargs": OFF},
            ),
            (
                {"reasoning_effort": "max", "reasoning": True},
                {"reasoning_effort": "max", "chat_template_kwargs": ON},
            ),
        )
    ],
    (
        Vllm,
        {"reasoning_budget_tokens": 9},
        {"thinking_token_budget": 9},
        ["reasoningBudgetTokens"],
    ),
    (Sglang, {"reasoning_budget_tokens": 9}, {}, ["reasoningBudgetTokens"]),
    (Vllm, {"prompt_caching": True}, {}, ["promptCaching"]),
    (
        LlamaCpp,
        {"reasoning": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
        [],
    ),
    (
        LlamaCpp,
        {"reasoning_effort": "low"},
        {
            "reasoning_effort": "low",
            "chat_template_kwargs": {"reasoning_effort": "low"},
        },
        [],
    ),
    (
        LlamaCpp,
        {"reasoning_effort": "none"},
        {
            "reasoning_effort": "none",
            "chat_template_kwargs": {"enable_thinking": False},
        },
        [],
    ),
    (
        LlamaCpp,
        {"reasoning_budget_tokens": 0},
        {"thinking_budget_tokens": 0},
        ["reasoningBudgetTokens"],
    ),
    (LlamaCpp, {"prompt_caching": False}, {"cache_prompt": False}, []),
    *[
        (kind, {name: value}, {}, [key])
        for kind in (Tgi, HfInference, Transformers)
        for name, value, key in (
            ("reasoning", False, "reasoning"),
            ("reasoning_effort", "low", "reasoningEffort"),
            ("reasoning_budget_tokens", 9, "reasoningBudgetTokens"),
            ("prompt_caching", True, "promptCaching"),
        )
    ],
    *[
        (kind, {name: value}, {}, [key])
        for kind in SERVERS
        for name, value, key in (
            ("keep_alive", 60, "keepAlive"),
            ("stream", 1, "stream"),
        )
    ],
]


@pytest.mark.parametrize(("kind", "asked", "leaves", "noted"), CELLS)
def test_what_leaves_in_a_chat(
    kind: type[Server],
    asked: dict[str, object],
    leaves: dict[str, object],
    noted: list[str],
) -> None:
    """Each option leaves in the server's own form, and what may be lost is told."""
    found = ask(kind, **asked)
    assert found.body == leaves
    assert [n.option for n in found.notes if isinstance(n, Note)] == noted
    assert len(found.notes) == len(noted)


@pytest.mark.parametrize("kind", [Router, Vllm, LlamaCpp])
@pytest.mark.parametrize(("switch", "effort"), [(False, "high"), (True, "none")])
def test_the_effort_counts_where_two_options_differ(
    kind: type[Server], switch: bool, effort: str
) -> None:
    """As if the other had not been written, apart from a note."""
    both = ask(kind, reasoning=switch, reasoning_effort=effort)
    alone = ask(kind, reasoning_effort=effort, reasoning=not switch)
    assert both.body == alone.body
    (note,) = both.notes
    assert note == f"reasoning is not sent: reasoning_effort {effort} says otherwise."


@pytest.mark.parametrize("off", [{"reasoning": False}, {"reasoning_effort": "none"}])
@pytest.mark.parametrize("kind", [Vllm, LlamaCpp])
def test_no_budget_is_sent_for_reasoning_that_is_off(
    kind: type[Server], off: dict[str, object]
) -> None:
    """It would say that there is some."""
    found = ask(kind, reasoning_budget_tokens=100, **off)
    assert found.body == ask(kind, **off).body
    assert found.notes == ("reasoning_budget_tokens is not sent: reasoning is off.",)


@pytest.mark.parametrize(
    ("kind", "route"),
    [
        (Vllm, "completions"),
        (Sglang, "completions"),
        (LlamaCpp, "completions"),
        (LlamaCpp, "infill"),
        (Server, "completions"),
        (Tgi, "completions"),
        (Tgi, "generate"),
        (Toolkit, "tasks"),
    ],
)
def test_a_raw_prompt_is_sent_without_them(kind: type[Server], route: str) -> None:
    """Its reasoning, if any, stands in the prompt; each of the options is told."""
    options = {
        "reasoning": False,
        "reasoning_effort": "none",
        "reasoning_budget_tokens": 1,
    }
    found = ask(kind, route, **options)
    assert found.body == ask(kind, route).body
    assert [n.partition(" ")[0] for n in found.notes] == [
        "reasoning",
        "reasoning_effort",
        "reasoning_budget_tokens",
    ]


@pytest.mark.parametrize("route", ["completions", "infill"])
def test_llama_cpp_caches_raw_prompts_too(route: str) -> None:
    """As its README says of every completion."""
    assert ask(LlamaCpp, route, prompt_caching=True).body == {"cache_prompt": True}


def test_it_is_known_to_whom_an_option_is_sent() -> None:
    """Nobody takes keepAlive; the cache is llama.cpp's."""
    assert takers("keep_alive", 5, SERVERS) == []
    assert takers("prompt_caching", True, SERVERS) == ["llama.cpp"]
    assert takers("reasoning", True, SERVERS) == ["vLLM", "SGLang", "llama.cpp"]


def test_a_user_s_own_template_variables_stand_beside_ours() -> None:
    """Where both name one, the user's has the last word."""
    request = ChatRequest(
        (Message("user", "hi"),),
        CompletionOptions(reasoning=False),
        extra={"chat_template_kwargs": {"thinking": True, "mine": 1}},
    )
    call = build_chat(request, resolve("a/b"), stream=False, server=Vllm())
    assert json.loads(call.body or b"")["chat_template_kwargs"] == {
        "enable_thinking": False,
        "thinking": True,
        "mine": 1,
    }


def test_a_note_is_a_text_that_keeps_its_option() -> None:
    """Replies are copied and pickled by hosts, and printed as JSON."""
    (note,) = ask(Tgi, reasoning=True).notes
    again = pickle.loads(pickle.dumps(note))  # noqa: S301 - our own bytes
    assert isinstance(again, Note)
    assert (again, again.option) == (note, "reasoning")
    assert render(again, "zh") == render(note, "zh") != note
    assert json.loads(json.dumps([note])) == [str(note)]


def test_a_plain_note_has_no_other_language() -> None:
    """A plugin may write one; it too can be pickled."""
    note = pickle.loads(pickle.dumps(Note("Something.", "stop")))  # noqa: S301 - our own bytes
    assert (note, note.option, render(note, "zh")) == (
        "Something.",
        "stop",
        "Something.",
    )
