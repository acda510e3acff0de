"""Which family a model belongs to: an exact table, and what a server says of itself.

A name is never searched for words: ``granite-34b-code-base`` is not Granite 4, and
"gpt" in a name means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.prompts import chat_formats as chat
from bytebuddy_provider_hf.prompts import fim_formats as fim
from bytebuddy_provider_hf.prompts import more_chat_formats as more
from bytebuddy_provider_hf.prompts.chat_format import ChatFormat
from bytebuddy_provider_hf.prompts.edit_formats import STARCODER_COMMIT
from bytebuddy_provider_hf.prompts.family import Family, ModelKind
from bytebuddy_provider_hf.prompts.family_ids import listed_models
from bytebuddy_provider_hf.prompts.fim_format import FimFormat


def _chats(name: str, form: ChatFormat, gap: FimFormat | None = None) -> Family:
    return Family(name, ModelKind.CHAT, chat=form, fim=gap, source=form.source)


def _base(name: str, source: str, gap: FimFormat | None = None) -> Family:
    return Family(name, ModelKind.BASE, fim=gap, source=source)


def _all() -> Iterable[Family]:
    yield _chats("llama-2", chat.LLAMA_2)
    yield _base("llama-2-base", "card of meta-llama/Llama-2-7b-hf")
    yield _chats("llama-3", chat.LLAMA_3)
    yield _chats("llama-3.1", chat.LLAMA_3_1)
    yield _base("llama-3-base", "card of meta-llama/Meta-Llama-3-8B")
    yield _chats("codellama", chat.LLAMA_2, fim.CODELLAMA)
    yield _chats("codellama-34b", chat.LLAMA_2)
    yield _chats("codellama-70b", chat.CODELLAMA_70B)
    source = "meta-llama/codellama README: 7B and 13B fill in, 34B and -Python do not"
    yield _base("codellama-base", source, fim.CODELLAMA)
    yield _base("codellama-base-no-infilling", source)
    yield _chats("mistral-v0.1", chat.MISTRAL_V0_1)
    yield _chats("mixtral", chat.MIXTRAL)
    yield _chats("mistral-v1", chat.MISTRAL_V1)
    yield _chats("mistral-v3", chat.MISTRAL_V3)
    yield _chats("mistral-v3-tekken", chat.MISTRAL_TEKKEN)
    yield _chats("mistral-v7", chat.MISTRAL_V7)
    yield _chats("mistral-v7-tekken", chat.MISTRAL_V7_TEKKEN)
    yield _base("mistral-base", "card of mistralai/Mistral-7B-v0.1")
    yield _chats("codestral", chat.MISTRAL_V3, fim.CODESTRAL)
    yield _chats("zephyr", chat.ZEPHYR)
    yield _chats("stablelm-zephyr", chat.STABLELM_ZEPHYR)
    yield _chats("chatml", chat.CHATML)
    yield _base("stable-code", fim.STABLE_CODE.source, fim.STABLE_CODE)
    yield from _asian()
    yield from _american()
    yield from _older()


def _asian() -> Iterable[Family]:
    yield _chats("qwen1.5", chat.QWEN_1_5)
    yield _chats("codeqwen1.5-chat", chat.QWEN_1_5, fim.CODEQWEN)
    yield _base("codeqwen1.5", fim.CODEQWEN.source, fim.CODEQWEN)
    yield _chats("qwen2.5", chat.QWEN_2_5)
    yield _chats("qwen2.5-coder-instruct", chat.QWEN_2_5, fim.QWEN_CODER)
    yield _base("qwen2.5-coder", fim.QWEN_CODER.source, fim.QWEN_CODER)
    yield _chats("qwen3", chat.QWEN_3)
    yield _chats("qwen3-coder", chat.QWEN_3_CODER, fim.QWEN_CODER)
    yield _base("qwen-base", "card of Qwen/Qwen2.5-7B")
    yield _chats("deepseek-coder-instruct", more.DEEPSEEK_CODER, fim.DEEPSEEK_CODER)
    yield _base("deepseek-coder", fim.DEEPSEEK_CODER.source, fim.DEEPSEEK_CODER)
    yield _chats("deepseek-v2", more.DEEPSEEK_V2)
    yield _chats("deepseek-coder-v2-instruct", more.DEEPSEEK_V2, fim.DEEPSEEK_CODER)
    yield _chats("deepseek-v3", more.DEEPSEEK_V3)
    yield _base("deepseek-base", "card of deepseek-ai/deepseek-llm-7b-base")
    yield _base("codegeex4", fim.CODEGEEX4.source, fim.CODEGEEX4)
    yield _base("seed-coder", fim.SEED_CODER.source, fim.SEED_CODER)


def _american() -> Iterable[Family]:
    yield _chats("gemma", chat.GEMMA)
    yield _base("gemma-base", "card of google/gemma-7b")
    yield _chats("codegemma-instruct", chat.GEMMA)
    yield _base("codegemma", fim.CODEGEMMA.source, fim.CODEGEMMA)
    yield _chats("phi-2", more.PHI_2)
    yield _chats("phi-3", chat.PHI_3)
    yield _chats("phi-3-system", chat.PHI_3_SYSTEM)
    yield _chats("phi-4", chat.PHI_4)
    yield _chats("phi-4-mini", chat.PHI_4_MINI)
    yield _chats("granite", more.GRANITE)
    yield _chats("granite-3.0", more.GRANITE_3_0)
    yield _chats("granite-4", more.GRANITE, fim.GRANITE_4)
    yield _base("granite-4-base", fim.GRANITE_4.source, fim.GRANITE_4)
    yield _base("granite-base", "card of ibm-granite/granite-3.0-8b-base")
    yield _chats("granite-code-instruct", more.GRANITE_CODE, fim.GRANITE_CODE)
    yield _base("granite-code", fim.GRANITE_CODE.source, fim.GRANITE_CODE)
    yield _chats("openchat", more.OPENCHAT)
    yield _chats("neural-chat", more.NEURAL_CHAT)
    yield _chats("phind", more.PHIND)
    yield _chats("xwin-coder", more.XWIN_CODER)
    yield _chats("llava", more.LLAVA)
    yield _chats("alpaca", more.ALPACA)


def _older() -> Iterable[Family]:
    starcoder = _base("starcoder", fim.STARCODER.source, fim.STARCODER)
    yield evolve(starcoder, edit=STARCODER_COMMIT)
    yield _base("starcoder2", fim.STARCODER2.source, fim.STARCODER2)
    yield _base("santacoder", fim.SANTACODER.source, fim.SANTACODER)
    yield _base("codegen", "Salesforce/CodeGen README: left to right only")
    yield _base("codegen2", fim.CODEGEN2.source, fim.CODEGEN2)
    yield _base("codegpt", "card of microsoft/CodeGPT-small-py")
    yield _base("bloom", "card of bigscience/bloom")
    yield _base("gpt-neox", "card of EleutherAI/gpt-neox-20b")
    yield _base("gpt-2", "card of openai-community/gpt2")
    yield _base("opt", "card of facebook/opt-30b")
    yield evolve(_chats("dialogpt", more.DIALOGPT), kind=ModelKind.DIALOG)
    source = more.INSTRUCTION.source
    yield Family("flan-t5", ModelKind.SEQ2SEQ, chat=more.INSTRUCTION, source=source)
    bert = "card of google-bert/bert-base-multilingual-cased"
    yield Family("bert", ModelKind.MASK, source=bert)
    yield Family("embedding", ModelKind.EMBEDDING, source="the cards of the models")
    yield _base("none", "a choice of this package: no template at all")


FAMILIES: Final = {family.name: family for family in _all()}

# What Continue calls its chat templates (``promptTemplates.chat``). It lists anthropic
# too: no open model was trained on that one.
_CONTINUE: Final = {
    "llama2": "llama-2",
    "llama3": "llama-3",
    "phi2": "phi-2",
    "deepseek": "deepseek-coder-instruct",
}

# A template that holds every text of the first tuple and none of the second, by the
# order in which llama.cpp (src/llama-chat.cpp) tells templates apart.
_MARKS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("phi-4", ("<|im_start|>", "<|im_sep|>"), ()),
    ("", ("<|im_start|>", "<end_of_utterance>"), ()),
    ("qwen3-coder", ("<|im_start|>", "<function="), ()),
    (
        "qwen2.5",
        ("<|im_start|>", "You are Qwen, created by Alibaba Cloud", "<tool_response>"),
        (),
    ),
    ("qwen3", ("<|im_start|>", "<tools>", "<tool_response>", "</think>"), ()),
    ("chatml", ("<|im_start|>",), ()),
    ("mistral-v7", ("[INST]", "[SYSTEM_PROMPT] "), ()),
    ("mistral-v7-tekken", ("[INST]", "[SYSTEM_PROMPT]"), ()),
    ("mistral-v1", ("' [INST] ' + system_message",), ()),
    ("mistral-v3", ("[AVAILABLE_TOOLS] [", '"[INST] "'), ()),
    ("mistral-v3-tekken", ("[AVAILABLE_TOOLS][", '"[INST]"'), ()),
    ("llama-2", ("[INST]", "<<SYS>>"), ("[AVAILABLE_TOOLS]",)),
    ("mistral-v0.1", ("[INST]", "eos_token + ' '"), ("[AVAILABLE_TOOLS]",)),
    ("mixtral", ("[INST]", "[/INST]", "eos_token"), ("[AVAILABLE_TOOLS]",)),
    ("", ("[INST]",), ()),
    ("phi-4-mini", ("<|assistant|>", "<|end|>", "<|tool|>"), ()),
    ("phi-3-system", ("<|end|>", "'<|' + message['role'] + '|>'"), ()),
    ("phi-3-system", ("<|assistant|>", "<|end|>", "<|system|>"), ()),
    ("phi-3", ("<|assistant|>", "<|end|>"), ()),
    ("", ("[gMASK]",), ()),
    ("zephyr", ("<|assistant|>", "<|user|>", "+ eos_token"), ("bos_token",)),
    ("stablelm-zephyr", ("<|user|>", "<|endoftext|>"), ()),
    ("gemma", ("<start_of_turn>",), ()),
    ("openchat", ("GPT4 Correct ",), ()),
    ("deepseek-coder-instruct", ("### Instruction:", "<|EOT|>"), ()),
    ("llama-3.1", ("<|start_header_id|>", "ipython", "Cutting Knowledge Date"), ()),
    ("llama-3", ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), ()),
    ("deepseek-v2", ("'Assistant: ' + message['content'] + eos_token",), ()),
    ("deepseek-v3", ("<｜Assistant｜>", "<｜User｜>", "<｜end▁of▁sentence｜>"), ()),
    ("granite-3.0", ("<|start_of_role|>", "assistant_tool_call"), ("g4_default",)),
    ("granite", ("<|start_of_role|>",), ()),
    ("granite-code-instruct", ("'Question:", "'Answer:", "'System:"), ()),
    ("codellama-70b", ("Source: ", "<step>"), ()),
)


def family_by_id(model_id: str) -> Family | None:
    """Return the family of a model of the Hub, by its exact id.

    Upper and lower case are one, as on the Hub, and a router's ``:provider`` at the end
    is not part of the id.
    """
    return _table().get(model_id.partition(":")[0].strip().lower())


def family_by_name(name: str) -> Family | None:
    """Return the family called ``name`` here, or by Continue's ``promptTemplates``."""
    key = name.strip().lower()
    return FAMILIES.get(_CONTINUE.get(key, key))


def family_by_template(template: str) -> Family | None:
    """Return the family that a chat template in Jinja belongs to.

    ``template`` is what a server (llama.cpp's ``/props``) or ``tokenizer_config.json``
    shows. A template tells nothing of infilling or windows: both stay unknown.
    """
    for name, present, absent in _MARKS:
        if all(mark in template for mark in present) and not any(
            mark in template for mark in absent
        ):
            family = FAMILIES.get(name)
            return None if family is None else evolve(family, fim=None, edit=None)
    return None


@cache
def _table() -> dict[str, Family]:
    table: dict[str, Family] = {}
    for model in listed_models():
        family = FAMILIES[model.family]
        if model.window is not None:
            family = evolve(family, window=model.window)
        table[model.model_id.lower()] = family
    return table
