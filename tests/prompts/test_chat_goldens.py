"""The rendered text of every family, to the letter.

The strings are those of the templates in the models' own repositories; what a template
refuses (a system message where there is no such role) is put before the first question.
"""

from __future__ import annotations

import pytest

from bytebuddy_provider_hf.prompts.chat import render_chat
from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.prompts.family import ModelKind
from bytebuddy_provider_hf.types import Message

FAMILIES = load_families().by_name

QUESTION = [Message("user", "Hi")]
THREE = [*QUESTION, Message("assistant", "Hello."), Message("user", "And now?")]
SYSTEM = Message("system", "Be brief.")

_DEEPSEEK = (
    "You are an AI programming assistant, utilizing the Deepseek Coder model, "
    "developed by Deepseek Company, and you only answer questions related to computer "
    "science. For politically sensitive questions, security and privacy issues, and "
    "other non-computer science questions, you will refuse to answer\n"
)
_ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
)
_XWIN = (
    "<system>: You are an AI coding assistant that helps people with programming. "
    "Write a response that appropriately completes the user's request.\n"
)
_LLAVA = (
    "A chat between a curious user and an artificial intelligence assistant. The "
    "assistant gives helpful, detailed, and polite answers to the user's questions.\n"
)
_HEAD = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
_OPEN = "<|start_header_id|>assistant<|end_header_id|>\n\n"
_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
_IM = "<|im_start|>{}\n{}<|im_end|>\n"
_IM_OPEN = "<|im_start|>assistant\n"
_ROLE = "<|start_of_role|>{}<|end_of_role|>{}<|end_of_text|>\n"
_ROLE_OPEN = "<|start_of_role|>assistant<|end_of_role|>"


def _turns(form: str, *turns: tuple[str, str]) -> str:
    return "".join(form.format(*turn) for turn in turns)


_U, _A, _V = ("user", "Hi"), ("assistant", "Hello."), ("user", "And now?")
_S = ("system", "Be brief.")

# One question alone, and a system message with three turns.
GOLDEN: dict[str, tuple[str, str]] = {
    "llama-2": (
        "[INST] Hi [/INST]",
        (
            "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>"
            "[INST] And now? [/INST]"
        ),
    ),
    "codellama-70b": (
        "Source: user\n\n Hi <step> Source: assistant\nDestination: user\n\n ",
        (
            "Source: system\n\n Be brief. <step> Source: user\n\n Hi <step> "
            "Source: assistant\n\n Hello. <step> Source: user\n\n And now? <step> "
            "Source: assistant\nDestination: user\n\n "
        ),
    ),
    "mistral-v0.1": (
        "[INST] Hi [/INST]",
        "[INST] Be brief.\n\nHi [/INST]Hello.</s> [INST] And now? [/INST]",
    ),
    "mixtral": (
        "[INST] Hi [/INST]",
        "[INST] Be brief.\n\nHi [/INST]Hello.</s>[INST] And now? [/INST]",
    ),
    "mistral-v1": (
        " [INST] Hi [/INST]",
        " [INST] Be brief.\n\nHi [/INST] Hello.</s> [INST] And now? [/INST]",
    ),
    "mistral-v3": (
        "[INST] Hi[/INST]",
        "[INST] Hi[/INST] Hello.</s>[INST] Be brief.\n\nAnd now?[/INST]",
    ),
    "mistral-v3-tekken": (
        "[INST]Hi[/INST]",
        "[INST]Hi[/INST]Hello.</s>[INST]Be brief.\n\nAnd now?[/INST]",
    ),
    "mistral-v7": (
        "[INST] Hi[/INST]",
        (
            "[SYSTEM_PROMPT] Be brief.[/SYSTEM_PROMPT][INST] Hi[/INST] Hello.</s>"
            "[INST] And now?[/INST]"
        ),
    ),
    "mistral-v7-tekken": (
        "[INST]Hi[/INST]",
        (
            "[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hi[/INST]Hello.</s>"
            "[INST]And now?[/INST]"
        ),
    ),
    "zephyr": (
        "<|user|>\nHi</s>\n<|assistant|>\n",
        (
            "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\nHello.</s>\n"
            "<|user|>\nAnd now?</s>\n<|assistant|>\n"
        ),
    ),
    "stablelm-zephyr": (
        "<|user|>\nHi<|endoftext|>\n<|assistant|>\n",
        (
            "<|system|>\nBe brief.<|endoftext|>\n<|user|>\nHi<|endoftext|>\n"
            "<|assistant|>\nHello.<|endoftext|>\n<|user|>\nAnd now?<|endoftext|>\n"
            "<|assistant|>\n"
        ),
    ),
    "chatml": (
        _turns(_IM, _U) + _IM_OPEN,
        _turns(_IM, _S, _U, _A, _V) + _IM_OPEN,
    ),
    "qwen1.5": (
        _turns(_IM, ("system", "You are a helpful assistant"), _U) + _IM_OPEN,
        _turns(_IM, _S, _U, _A, _V) + _IM_OPEN,
    ),
    "qwen2.5": (
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
        "assistant.<|im_end|>\n" + _turns(_IM, _U) + _IM_OPEN,
        _turns(_IM, _S, _U, _A, _V) + _IM_OPEN,
    ),
    "qwen3": (
        _turns(_IM, _U) + _IM_OPEN,
        _turns(_IM, _S, _U, _A, _V) + _IM_OPEN,
    ),
    "llama-3": (
        _turns(_HEAD, _U) + _OPEN,
        _turns(_HEAD, _S, _U, _A, _V) + _OPEN,
    ),
    "llama-3.1": (
        _turns(_HEAD, ("system", _DATES), _U) + _OPEN,
        _turns(_HEAD, ("system", _DATES + "Be brief."), _U, _A, _V) + _OPEN,
    ),
    "gemma": (
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
        (
            "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"
            "Hello.<end_of_turn>\n<start_of_turn>user\nAnd now?<end_of_turn>\n"
            "<start_of_turn>model\n"
        ),
    ),
    "phi-2": (
        "Instruct: Hi\nOutput:",
        "Instruct: Be brief.\n\nHi\nOutput: Hello.\nInstruct: And now?\nOutput:",
    ),
    "phi-3": (
        "<|user|>\nHi<|end|>\n<|assistant|>\n",
        (
            "<|user|>\nBe brief.\n\nHi<|end|>\n<|assistant|>\nHello.<|end|>\n"
            "<|user|>\nAnd now?<|end|>\n<|assistant|>\n"
        ),
    ),
    "phi-3-system": (
        "<|user|>\nHi<|end|>\n<|assistant|>\n",
        (
            "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello."
            "<|end|>\n<|user|>\nAnd now?<|end|>\n<|assistant|>\n"
        ),
    ),
    "phi-4": (
        "<|im_start|>user<|im_sep|>Hi<|im_end|><|im_start|>assistant<|im_sep|>",
        (
            "<|im_start|>system<|im_sep|>Be brief.<|im_end|>"
            "<|im_start|>user<|im_sep|>Hi<|im_end|><|im_start|>assistant<|im_sep|>Hello.<|im_end|><|im_start|>user"
            "<|im_sep|>And now?<|im_end|><|im_start|>assistant<|im_sep|>"
        ),
    ),
    "phi-4-mini": (
        "<|user|>Hi<|end|><|assistant|>",
        (
            "<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello.<|end|>"
            "<|user|>And now?<|end|><|assistant|>"
        ),
    ),
    "deepseek-coder-instruct": (
        f"{_DEEPSEEK}### Instruction:\nHi\n### Response:\n",
        (
            "Be brief.\n### Instruction:\nHi\n### Response:\nHello.\n<|EOT|>\n"
            "### Instruction:\nAnd now?\n### Response:\n"
        ),
    ),
    "deepseek-v2": (
        "User: Hi\n\nAssistant:",
        (
            "Be brief.\n\nUser: Hi\n\nAssistant: Hello.<｜end▁of▁sentence｜>"
            "User: And now?\n\nAssistant:"
        ),
    ),
    "deepseek-v3": (
        "<｜User｜>Hi<｜Assistant｜>",
        (
            "Be brief.<｜User｜>Hi<｜Assistant｜>Hello.<｜end▁of▁sentence｜>"
            "<｜User｜>And now?<｜Assistant｜>"
        ),
    ),
    "granite": (
        _turns(_ROLE, _U) + _ROLE_OPEN,
        _turns(_ROLE, _S, _U, _A, _V) + _ROLE_OPEN,
    ),
    "granite-code-instruct": (
        "Question:\nHi\n\nAnswer:\n",
        (
            "System:\nBe brief.\n\nQuestion:\nHi\n\nAnswer:\nHello.\n\n"
            "Question:\nAnd now?\n\nAnswer:\n"
        ),
    ),
    "openchat": (
        "GPT4 Correct User: Hi<|end_of_turn|>GPT4 Correct Assistant:",
        (
            "GPT4 Correct System: Be brief.<|end_of_turn|>GPT4 Correct User: Hi"
            "<|end_of_turn|>GPT4 Correct Assistant: Hello.<|end_of_turn|>"
            "GPT4 Correct User: And now?<|end_of_turn|>GPT4 Correct Assistant:"
        ),
    ),
    "dialogpt": (
        "Hi<|endoftext|>",
        "Hi<|endoftext|>Hello.<|endoftext|>And now?<|endoftext|>",
    ),
    "alpaca": (
        f"{_ALPACA}### Instruction:\nHi\n\n### Response:\n",
        (
            "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello.\n\n"
            "### Instruction:\nAnd now?\n\n### Response:\n"
        ),
    ),
    "phind": (
        "### User Message\nHi\n\n### Assistant\n",
        (
            "### System Prompt\nBe brief.\n\n### User Message\nHi\n\n### Assistant\n"
            "Hello.\n\n### User Message\nAnd now?\n\n### Assistant\n"
        ),
    ),
    "xwin-coder": (
        f"{_XWIN}<user>: Hi\n<AI>: ",
        "<system>: Be brief.\n<user>: Hi\n<AI>: Hello.\n<user>: And now?\n<AI>: ",
    ),
    "neural-chat": (
        "### User:\nHi\n### Assistant:\n",
        (
            "### System:\nBe brief.\n### User:\nHi\n### Assistant:\nHello.\n"
            "### User:\nAnd now?\n### Assistant:\n"
        ),
    ),
    "llava": (
        f"{_LLAVA}USER: Hi\nASSISTANT:",
        "Be brief.\nUSER: Hi\nASSISTANT: Hello.\nUSER: And now?\nASSISTANT:",
    ),
    "flan-t5": (
        "Hi",
        "Be brief.\n\nUser: Hi\nAssistant: Hello.\nUser: And now?\nAssistant:",
    ),
}
# These write as another family does.
SAME = {
    "codellama": "llama-2",
    "codellama-34b": "llama-2",
    "codestral": "mistral-v3",
    "codeqwen1.5-chat": "qwen1.5",
    "qwen2.5-coder-instruct": "qwen2.5",
    "qwen3-coder": "qwen3",
    "deepseek-coder-v2-instruct": "deepseek-v2",
    "codegemma-instruct": "gemma",
    "granite-3.0": "granite",
    "granite-4": "granite",
}
_TRANSCRIPT = (
    "User: Hi\nAssistant:",
    "Be brief.\n\nUser: Hi\nAssistant: Hello.\nUser: And now?\nAssistant:",
)
CASES = (
    GOLDEN
    | {name: GOLDEN[like] for name, like in SAME.items()}
    | {
        n: _TRANSCRIPT
        for n, family in FAMILIES.items()
        if family.kind is ModelKind.BASE
    }
)


def test_every_family_that_writes_is_here() -> None:
    """A new family needs a golden rendering."""
    writing = {
        name
        for name, family in FAMILIES.items()
        if family.kind not in {ModelKind.MASK, ModelKind.EMBEDDING}
    }
    assert set(CASES) == writing


@pytest.mark.parametrize("name", CASES)
def test_one_question(name: str) -> None:
    """Without a system message, up to where the model begins."""
    assert render_chat(FAMILIES[name], QUESTION).prompt == CASES[name][0]


@pytest.mark.parametrize("name", CASES)
def test_several_turns_after_a_system_message(name: str) -> None:
    """With what parts the turns, up to where the model begins."""
    assert render_chat(FAMILIES[name], [SYSTEM, *THREE]).prompt == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_the_end_of_a_turn_stops_the_answer(name: str) -> None:
    """A stop is there, but for the one family that ends by itself."""
    rendered = render_chat(FAMILIES[name], QUESTION)
    assert bool(rendered.stops) is (name != "flan-t5")
