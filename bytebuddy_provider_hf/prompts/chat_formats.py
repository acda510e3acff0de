"""The chat templates of the families, string by string, each with its source.

Checked against the templates that the model repositories ship, as the tests of
huggingface.js (packages/jinja/test) and llama.cpp (tests/test-chat-template.cpp) quote
them. What a tokenizer adds by itself, a leading BOS, is left out.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.prompts.chat_format import (
    ChatFormat,
    SystemPlace,
    ToolStyle,
)

_END: Final = "<|endoftext|>"

LLAMA_2: Final = ChatFormat(
    name="llama-2",
    user=("[INST] ", " [/INST]"),
    assistant=(" ", " </s><s>"),
    generation_prompt="",
    system_place=SystemPlace.FIRST,
    system_in_user=("<<SYS>>\n", "\n<</SYS>>\n\n"),
    strict_alternation=True,
    strip=True,
    bos="<s>",
    stops=("</s>",),
    specials=("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
    source="meta-llama/codellama llama/generation.py; llama.com model cards",
)

CODELLAMA_70B: Final = ChatFormat(
    name="codellama-70b",
    user=("Source: user\n\n ", " <step> "),
    assistant=("Source: assistant\n\n ", " <step> "),
    generation_prompt="Source: assistant\nDestination: user\n\n ",
    continue_prompt="Source: assistant\nDestination: user\n\n ",
    system=("Source: system\n\n ", " <step> "),
    strict_alternation=True,
    strip=True,
    bos="<s>",
    stops=("<step>", "</s>"),
    specials=("<s>", "</s>", "<step>"),
    source="llama.com model cards; codellama/CodeLlama-70b-Instruct-hf",
)

_MISTRAL_TOKENS: Final = ("<s>", "</s>", "[INST]", "[/INST]")
_MISTRAL_TOOLS: Final = (
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)

MISTRAL_V0_1: Final = ChatFormat(
    name="mistral-v0.1",
    user=("[INST] ", " [/INST]"),
    assistant=("", "</s> "),
    generation_prompt="",
    system_place=SystemPlace.FIRST,
    strict_alternation=True,
    bos="<s>",
    stops=("</s>",),
    specials=_MISTRAL_TOKENS,
    source="tokenizer_config of mistralai/Mistral-7B-Instruct-v0.1",
)

MIXTRAL: Final = evolve(
    MISTRAL_V0_1,
    name="mixtral",
    assistant=("", "</s>"),
    source="tokenizer_config of mistralai/Mixtral-8x7B-Instruct-v0.1",
)

MISTRAL_V1: Final = evolve(
    MISTRAL_V0_1,
    name="mistral-v1",
    user=(" [INST] ", " [/INST]"),
    assistant=(" ", "</s>"),
    source="mistralai/cookbook, chat_templates.md, v1",
)

# From v3 on the official templates put the system message before the last question.
MISTRAL_V3: Final = evolve(
    MISTRAL_V0_1,
    name="mistral-v3",
    user=("[INST] ", "[/INST]"),
    assistant=(" ", "</s>"),
    system_place=SystemPlace.LAST,
    tools=ToolStyle.MISTRAL,
    definitions=("[AVAILABLE_TOOLS] ", "[/AVAILABLE_TOOLS]"),
    calls=("[TOOL_CALLS] ", "</s>"),
    tool=("[TOOL_RESULTS] ", "[/TOOL_RESULTS]"),
    stops=("</s>",),
    specials=(*_MISTRAL_TOKENS, *_MISTRAL_TOOLS),
    source="mistralai/cookbook, chat_templates.md, v3",
)

MISTRAL_TEKKEN: Final = evolve(
    MISTRAL_V3,
    name="mistral-v3-tekken",
    user=("[INST]", "[/INST]"),
    assistant=("", "</s>"),
    definitions=("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    calls=("[TOOL_CALLS]", "</s>"),
    tool=("[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    source="mistralai/cookbook, chat_templates.md, v3-tekken",
)

MISTRAL_V7: Final = evolve(
    MISTRAL_V3,
    name="mistral-v7",
    system=("[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"),
    system_place=SystemPlace.TURN,
    tools=None,
    definitions=None,
    calls=None,
    tool=None,
    specials=(
        *_MISTRAL_TOKENS,
        *_MISTRAL_TOOLS,
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
    ),
    source="card of mistralai/Mistral-Large-Instruct-2411, v7",
)

MISTRAL_V7_TEKKEN: Final = evolve(
    MISTRAL_V7,
    name="mistral-v7-tekken",
    user=("[INST]", "[/INST]"),
    assistant=("", "</s>"),
    system=("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    source="card of mistralai/Mistral-Small-3.1-24B-Instruct-2503, v7-tekken",
)

ZEPHYR: Final = ChatFormat(
    name="zephyr",
    user=("<|user|>\n", "</s>\n"),
    assistant=("<|assistant|>\n", "</s>\n"),
    generation_prompt="<|assistant|>\n",
    system=("<|system|>\n", "</s>\n"),
    bos="<s>",
    stops=("</s>",),
    specials=("<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"),
    source="tokenizer_config of HuggingFaceH4/zephyr-7b-beta",
)

STABLELM_ZEPHYR: Final = ChatFormat(
    name="stablelm-zephyr",
    user=("<|user|>\n", f"{_END}\n"),
    assistant=("<|assistant|>\n", f"{_END}\n"),
    generation_prompt="<|assistant|>\n",
    system=("<|system|>\n", f"{_END}\n"),
    stops=(_END,),
    specials=(_END, "<|system|>", "<|user|>", "<|assistant|>"),
    source="llama.cpp src/llama-chat.cpp",
)

CHATML: Final = ChatFormat(
    name="chatml",
    user=("<|im_start|>user\n", "<|im_end|>\n"),
    assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
    generation_prompt="<|im_start|>assistant\n",
    system=("<|im_start|>system\n", "<|im_end|>\n"),
    stops=("<|im_end|>",),
    specials=("<|im_start|>", "<|im_end|>", _END, "<s>", "</s>"),
    source="tokenizer_config of teknium/OpenHermes-2.5-Mistral-7B",
)

QWEN_1_5: Final = evolve(
    CHATML,
    name="qwen1.5",
    default_system="You are a helpful assistant",
    stops=("<|im_end|>", _END),
    source="tokenizer_config of Qwen/Qwen1.5-72B-Chat",
)

_TOOL_TAGS: Final = (
    "<tools>",
    "</tools>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)

QWEN_2_5: Final = evolve(
    QWEN_1_5,
    name="qwen2.5",
    default_system=(
        "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    ),
    tools=ToolStyle.HERMES,
    specials=("<|im_start|>", "<|im_end|>", _END, *_TOOL_TAGS),
    source="tokenizer_config of Qwen/Qwen2.5-7B-Instruct",
)

# The newer templates have no default; that of a Qwen3-Coder writes tools as XML.
QWEN_3: Final = evolve(
    QWEN_2_5,
    name="qwen3",
    default_system="",
    source="tokenizer_config of Qwen/Qwen3-0.6B",
)

QWEN_3_CODER: Final = evolve(QWEN_3, name="qwen3-coder", tools=None)

LLAMA_3: Final = ChatFormat(
    name="llama-3",
    user=("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
    assistant=("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
    generation_prompt="<|start_header_id|>assistant<|end_header_id|>\n\n",
    system=("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"),
    strip=True,
    bos="<|begin_of_text|>",
    stops=("<|eot_id|>", "<|end_of_text|>"),
    specials=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    source="llama.cpp tests/test-chat-template.cpp; llama.com model cards",
)

# The dates are the template's own where nobody gives it others.
LLAMA_3_1: Final = evolve(
    LLAMA_3,
    name="llama-3.1",
    system_head="Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
    tools=ToolStyle.LLAMA,
    tool=("<|start_header_id|>ipython<|end_header_id|>\n\n", "<|eot_id|>"),
    stops=("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"),
    specials=(*LLAMA_3.specials, "<|eom_id|>", "<|python_tag|>"),
    source="tokenizer_config of meta-llama/Llama-3.1-8B-Instruct",
)

GEMMA: Final = ChatFormat(
    name="gemma",
    user=("<start_of_turn>user\n", "<end_of_turn>\n"),
    assistant=("<start_of_turn>model\n", "<end_of_turn>\n"),
    generation_prompt="<start_of_turn>model\n",
    system_place=SystemPlace.FIRST,
    strict_alternation=True,
    strip=True,
    bos="<bos>",
    stops=("<end_of_turn>", "<eos>"),
    specials=("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    source="tokenizer_config of google/gemma-7b-it",
)

_PHI_TOKENS: Final = (
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
    _END,
)

PHI_3: Final = ChatFormat(
    name="phi-3",
    user=("<|user|>\n", "<|end|>\n"),
    assistant=("<|assistant|>\n", "<|end|>\n"),
    generation_prompt="<|assistant|>\n",
    system_place=SystemPlace.FIRST,
    strict_alternation=True,
    bos="<s>",
    stops=("<|end|>", _END),
    specials=("<s>", *_PHI_TOKENS),
    source="tokenizer_config of microsoft/Phi-3-mini-4k-instruct",
)

PHI_3_SYSTEM: Final = evolve(
    PHI_3,
    name="phi-3-system",
    system=("<|system|>\n", "<|end|>\n"),
    system_place=SystemPlace.TURN,
    strict_alternation=False,
    source="tokenizer_config of microsoft/Phi-3-small-8k-instruct",
)

PHI_4: Final = ChatFormat(
    name="phi-4",
    user=("<|im_start|>user<|im_sep|>", "<|im_end|>"),
    assistant=("<|im_start|>assistant<|im_sep|>", "<|im_end|>"),
    generation_prompt="<|im_start|>assistant<|im_sep|>",
    system=("<|im_start|>system<|im_sep|>", "<|im_end|>"),
    stops=("<|im_end|>", _END),
    specials=("<|im_start|>", "<|im_sep|>", "<|im_end|>", _END),
    source="tokenizer_config of microsoft/phi-4",
)

PHI_4_MINI: Final = ChatFormat(
    name="phi-4-mini",
    user=("<|user|>", "<|end|>"),
    assistant=("<|assistant|>", "<|end|>"),
    generation_prompt="<|assistant|>",
    system=("<|system|>", "<|end|>"),
    stops=("<|end|>", _END),
    specials=(*_PHI_TOKENS, "<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>"),
    source="card of microsoft/Phi-4-mini-instruct",
)
