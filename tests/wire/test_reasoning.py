"""Whether, how much and how long to reason, in each server's words."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.types import CompletionOptions, Message
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.openai import ChatRequest, build_chat
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.supported_options import (
    SupportedOptions,
    supported_options,
    takers,
)

ON = {"enable_thinking": True, "thinking": True}
OFF = {"enable_thinking": False, "thinking": False}


def ask(engine: Engine, route: str = "chat", **options: Any) -> SupportedOptions:  # noqa: ANN401 - options of any type
    return supported_options(
        CompletionOptions(**options), Server(engine), route, base={}
    )


# One row a cell: engine, what was asked, what leaves, which options are noted.
CELLS: list[tuple[Engine, dict[str, object], dict[str, object], list[str]]] = [
    *[
        (engine, asked, leaves, noted)
        for engine in (Engine.ROUTER, Engine.OPENAI)
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
        (engine, asked, leaves, [])
        for engine in (Engine.VLLM, Engine.SGLANG)
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
        Engine.VLLM,
        {"reasoning_budget_tokens": 9},
        {"thinking_token_budget": 9},
        ["reasoningBudgetTokens"],
    ),
    (Engine.SGLANG, {"reasoning_budget_tokens": 9}, {}, ["reasoningBudgetTokens"]),
    (Engine.VLLM, {"prompt_caching": True}, {}, ["promptCaching"]),
    (
        Engine.LLAMA_CPP,
        {"reasoning": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
        [],
    ),
    (
        Engine.LLAMA_CPP,
        {"reasoning_effort": "low"},
        {
            "reasoning_effort": "low",
            "chat_template_kwargs": {"reasoning_effort": "low"},
        },
        [],
    ),
    (
        Engine.LLAMA_CPP,
        {"reasoning_effort": "none"},
        {
            "reasoning_effort": "none",
            "chat_template_kwargs": {"enable_thinking": False},
        },
        [],
    ),
    (
        Engine.LLAMA_CPP,
        {"reasoning_budget_tokens": 0},
        {"thinking_budget_tokens": 0},
        ["reasoningBudgetTokens"],
    ),
    (Engine.LLAMA_CPP, {"prompt_caching": False}, {"cache_prompt": False}, []),
    *[
        (engine, {name: value}, {}, [key])
        for engine in (Engine.TGI, Engine.HF_INFERENCE, Engine.TRANSFORMERS)
        for name, value, key in (
            ("reasoning", False, "reasoning"),
            ("reasoning_effort", "low", "reasoningEffort"),
            ("reasoning_budget_tokens", 9, "reasoningBudgetTokens"),
            ("prompt_caching", True, "promptCaching"),
        )
    ],
    *[
        (engine, {name: value}, {}, [key])
        for engine in Engine
        for name, value, key in (
            ("keep_alive", 60, "keepAlive"),
            ("stream", 1, "stream"),
        )
    ],
]


@pytest.mark.parametrize(("engine", "asked", "leaves", "noted"), CELLS)
def test_what_leaves_in_a_chat(
    engine: Engine,
    asked: dict[str, object],
    leaves: dict[str, object],
    noted: list[str],
) -> None:
    """Each option leaves in the server's own form, and what may be lost is told."""
    found = ask(engine, **asked)
    assert found.body == leaves
    assert [n.option for n in found.notes if isinstance(n, Note)] == noted
    assert len(found.notes) == len(noted)


@pytest.mark.parametrize("engine", [Engine.ROUTER, Engine.VLLM, Engine.LLAMA_CPP])
@pytest.mark.parametrize(("switch", "effort"), [(False, "high"), (True, "none")])
def test_the_effort_counts_where_two_options_differ(
    engine: Engine, switch: bool, effort: str
) -> None:
    """As if the other had not been written, apart from a note."""
    both = ask(engine, reasoning=switch, reasoning_effort=effort)
    alone = ask(engine, reasoning_effort=effort, reasoning=not switch)
    assert both.body == alone.body
    (note,) = both.notes
    assert note == f"reasoning is not sent: reasoningEffort {effort} says otherwise."


@pytest.mark.parametrize("off", [{"reasoning": False}, {"reasoning_effort": "none"}])
@pytest.mark.parametrize("engine", [Engine.VLLM, Engine.LLAMA_CPP])
def test_no_budget_is_sent_for_reasoning_that_is_off(
    engine: Engine, off: dict[str, object]
) -> None:
    """It would say that there is some."""
    found = ask(engine, reasoning_budget_tokens=100, **off)
    assert found.body == ask(engine, **off).body
    assert found.notes == ("reasoningBudgetTokens is not sent: reasoning is off.",)


@pytest.mark.parametrize(
    ("engine", "route"),
    [
        (Engine.VLLM, "completions"),
        (Engine.SGLANG, "completions"),
        (Engine.LLAMA_CPP, "completions"),
        (Engine.LLAMA_CPP, "infill"),
        (Engine.OPENAI, "completions"),
        (Engine.TGI, "completions"),
        (Engine.TGI, "generate"),
        (Engine.TOOLKIT, "tasks"),
    ],
)
def test_a_raw_prompt_is_sent_without_them(engine: Engine, route: str) -> None:
    """Its reasoning, if any, stands in the prompt; each of the options is told."""
    options = {
        "reasoning": False,
        "reasoning_effort": "none",
        "reasoning_budget_tokens": 1,
    }
    found = ask(engine, route, **options)
    assert found.body == ask(engine, route).body
    assert [n.partition(" ")[0] for n in found.notes] == [
        "reasoning",
        "reasoningEffort",
        "reasoningBudgetTokens",
    ]


@pytest.mark.parametrize("route", ["completions", "infill"])
def test_llama_cpp_caches_raw_prompts_too(route: str) -> None:
    """As its README says of every completion."""
    assert ask(Engine.LLAMA_CPP, route, prompt_caching=True).body == {
        "cache_prompt": True
    }


def test_it_is_known_to_whom_an_option_is_sent() -> None:
    """Nobody takes keepAlive; the cache is llama.cpp's."""
    assert takers("keep_alive", 5) == ()
    assert takers("prompt_caching", True) == (Engine.LLAMA_CPP,)
    assert takers("reasoning", True) == (Engine.VLLM, Engine.SGLANG, Engine.LLAMA_CPP)


def test_a_user_s_own_template_variables_stand_beside_ours() -> None:
    """Where both name one, the user's has the last word."""
    request = ChatRequest(
        (Message("user", "hi"),),
        CompletionOptions(reasoning=False),
        extra={"chat_template_kwargs": {"thinking": True, "mine": 1}},
    )
    call = build_chat(request, resolve("a/b"), stream=False, server=Server(Engine.VLLM))
    assert json.loads(call.body or b"")["chat_template_kwargs"] == {
        "enable_thinking": False,
        "thinking": True,
        "mine": 1,
    }


def test_a_note_is_a_text_that_keeps_its_option() -> None:
    """Replies are copied and pickled by hosts, and printed as JSON."""
    (note,) = ask(Engine.TGI, reasoning=True).notes
    again = pickle.loads(pickle.dumps(note))  # noqa: S301 - our own bytes
    assert isinstance(again, Note)
    assert (again, again.option) == (note, "reasoning")
    assert json.loads(json.dumps([note])) == [str(note)]
