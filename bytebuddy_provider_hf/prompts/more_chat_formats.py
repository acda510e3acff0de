"""More chat templates: DeepSeek, Granite, OpenChat, and those of older models."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from bytebuddy_provider_hf.prompts.chat_format import (
    ChatFormat,
    SystemPlace,
    ToolStyle,
)

_END: Final = "<|endoftext|>"
_DEEPSEEK_BOS: Final = "<｜begin▁of▁sentence｜>"
_DEEPSEEK_EOS: Final = "<｜end▁of▁sentence｜>"

# The system message ends its line, as the default one does that the model learned.
DEEPSEEK_CODER: Final = ChatFormat(
    name="deepseek-coder",
    user=("### Instruction:\n", "\n"),
    assistant=("### Response:\n", "\n<|EOT|>\n"),
    generation_prompt="### Response:\n",
    system=("", "\n"),
    default_system=(
        "You are an AI programming assistant, utilizing the Deepseek Coder model, "
        "developed by Deepseek Company, and you only answer questions related to "
        "computer science. For politically sensitive questions, security and privacy "
        "issues, and other non-computer science questions, you will refuse to answer"
    ),
    bos=_DEEPSEEK_BOS,
    stops=("<|EOT|>",),
    specials=(
        _DEEPSEEK_BOS,
        _DEEPSEEK_EOS,
        "<|EOT|>",
        "### Instruction:",
        "### Response:",
    ),
    source="tokenizer_config of deepseek-ai/deepseek-coder-33b-instruct",
)

DEEPSEEK_V2: Final = ChatFormat(
    name="deepseek-v2",
    user=("User: ", "\n\n"),
    assistant=("Assistant: ", _DEEPSEEK_EOS),
    generation_prompt="Assistant:",
    system=("", "\n\n"),
    bos=_DEEPSEEK_BOS,
    stops=(_DEEPSEEK_EOS,),
    specials=(_DEEPSEEK_BOS, _DEEPSEEK_EOS, "\nUser:", "\nAssistant:"),
    source="tokenizer_config of deepseek-ai/deepseek-llm-7b-chat",
)

DEEPSEEK_V3: Final = ChatFormat(
    name="deepseek-v3",
    user=("<｜User｜>", ""),
    assistant=("<｜Assistant｜>", _DEEPSEEK_EOS),
    generation_prompt="<｜Assistant｜>",
    bos=_DEEPSEEK_BOS,
    stops=(_DEEPSEEK_EOS,),
    specials=(
        _DEEPSEEK_BOS,
        _DEEPSEEK_EOS,
        "<｜User｜>",
        "<｜Assistant｜>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁call▁end｜>",
        "<｜tool▁outputs▁begin｜>",
        "<｜tool▁outputs▁end｜>",
        "<｜tool▁output▁begin｜>",
        "<｜tool▁output▁end｜>",
        "<｜tool▁sep｜>",
    ),
    source="tokenizer_config of deepseek-ai/DeepSeek-R1",
)

_GRANITE_TOKENS: Final = (
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|end_of_text|>",
    "<|tool_call|>",
)

GRANITE: Final = ChatFormat(
    name="granite",
    user=("<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"),
    assistant=("<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"),
    generation_prompt="<|start_of_role|>assistant<|end_of_role|>",
    system=("<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"),
    stops=("<|end_of_text|>",),
    specials=_GRANITE_TOKENS,
    source="llama.cpp src/llama-chat.cpp; ibm.com/granite/docs",
)

GRANITE_3_0: Final = ChatFormat(
    name="granite-3.0",
    user=GRANITE.user,
    assistant=GRANITE.assistant,
    generation_prompt=GRANITE.generation_prompt,
    system=GRANITE.system,
    definitions=(
        "<|start_of_role|>available_tools<|end_of_role|>\n",
        "<|end_of_text|>\n",
    ),
    calls=(
        "<|start_of_role|>assistant<|end_of_role|><|tool_call|>",
        "<|end_of_text|>\n",
    ),
    tool=("<|start_of_role|>tool_response<|end_of_role|>", "<|end_of_text|>\n"),
    tools=ToolStyle.GRANITE,
    stops=GRANITE.stops,
    specials=_GRANITE_TOKENS,
    source="tokenizer_config of ibm-granite/granite-3.0-8b-instruct",
)

GRANITE_CODE: Final = ChatFormat(
    name="granite-code",
    user=("Question:\n", "\n\n"),
    assistant=("Answer:\n", "\n\n"),
    generation_prompt="Answer:\n",
    system=("System:\n", "\n\n"),
    stops=(_END, "\nQuestion:\n"),
    specials=(_END, "\nQuestion:\n", "\nAnswer:\n", "\nSystem:\n"),
    source="tokenizer_config of ibm-granite/granite-3b-code-instruct-2k",
)

OPENCHAT: Final = ChatFormat(
    name="openchat",
    user=("GPT4 Correct User: ", "<|end_of_turn|>"),
    assistant=("GPT4 Correct Assistant: ", "<|end_of_turn|>"),
    generation_prompt="GPT4 Correct Assistant:",
    system=("GPT4 Correct System: ", "<|end_of_turn|>"),
    bos="<s>",
    stops=("<|end_of_turn|>",),
    specials=("<s>", "</s>", "<|end_of_turn|>"),
    source="tokenizer_config of openchat/openchat-3.5-0106",
)

# A dialogue is its turns and nothing else; persons are told apart by their order.
DIALOGPT: Final = ChatFormat(
    name="dialogpt",
    user=("", _END),
    assistant=("", _END),
    generation_prompt="",
    system_place=SystemPlace.NOWHERE,
    strict_alternation=True,
    stops=(_END,),
    specials=(_END,),
    source="card of microsoft/DialoGPT-large",
)

ALPACA: Final = ChatFormat(
    name="alpaca",
    user=("### Instruction:\n", "\n\n"),
    assistant=("### Response:\n", "\n\n"),
    generation_prompt="### Response:\n",
    system=("", "\n\n"),
    default_system=(
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request."
    ),
    stops=("\n### Instruction:", "</s>"),
    specials=("<s>", "</s>", "### Instruction:", "### Response:"),
    source="tatsu-lab/stanford_alpaca README",
)

PHI_2: Final = ChatFormat(
    name="phi-2",
    user=("Instruct: ", "\n"),
    assistant=("Output: ", "\n"),
    generation_prompt="Output:",
    system_place=SystemPlace.FIRST,
    strict_alternation=True,
    stops=(_END, "\nInstruct:"),
    specials=(_END, "\nInstruct:", "\nOutput:"),
    source="card of microsoft/phi-2",
)

PHIND: Final = ChatFormat(
    name="phind",
    user=("### User Message\n", "\n\n"),
    assistant=("### Assistant\n", "\n\n"),
    generation_prompt="### Assistant\n",
    system=("### System Prompt\n", "\n\n"),
    stops=("</s>", "\n### User Message"),
    specials=(
        "<s>",
        "</s>",
        "### System Prompt",
        "### User Message",
        "### Assistant",
    ),
    source="card of Phind/Phind-CodeLlama-34B-v2",
)

XWIN_CODER: Final = ChatFormat(
    name="xwin-coder",
    user=("<user>: ", "\n"),
    assistant=("<AI>: ", "\n"),
    generation_prompt="<AI>: ",
    system=("<system>: ", "\n"),
    default_system=(
        "You are an AI coding assistant that helps people with programming. Write a "
        "response that appropriately completes the user's request."
    ),
    stops=("</s>", "\n<user>:"),
    specials=("<s>", "</s>", "\n<user>:", "\n<AI>:"),
    source="card of Xwin-LM/XwinCoder-13B",
)

NEURAL_CHAT: Final = ChatFormat(
    name="neural-chat",
    user=("### User:\n", "\n"),
    assistant=("### Assistant:\n", "\n"),
    generation_prompt="### Assistant:\n",
    system=("### System:\n", "\n"),
    stops=("</s>", "\n### User:"),
    specials=("<s>", "</s>", "### System:", "### User:", "### Assistant:"),
    source="card of Intel/neural-chat-7b-v3-1",
)

LLAVA: Final = ChatFormat(
    name="llava",
    user=("USER: ", "\n"),
    assistant=("ASSISTANT: ", "\n"),
    generation_prompt="ASSISTANT:",
    system=("", "\n"),
    default_system=(
        "A chat between a curious user and an artificial intelligence assistant. The "
        "assistant gives helpful, detailed, and polite answers to the user's questions."
    ),
    stops=("</s>", "\nUSER:"),
    specials=("<s>", "</s>", "<image>", "\nUSER:", "\nASSISTANT:"),
    source="card of llava-hf/llava-1.5-7b-hf",
)

# No model was trained on it: what a base model goes on with best.
TRANSCRIPT: Final = ChatFormat(
    name="transcript",
    user=("User: ", "\n"),
    assistant=("Assistant: ", "\n"),
    generation_prompt="Assistant:",
    system=("", "\n\n"),
    stops=("\nUser:",),
    specials=(
        "\nUser:",
        "\nAssistant:",
        "<s>",
        "</s>",
        "<bos>",
        "<eos>",
        _END,
        "<|begin_of_text|>",
        "<|end_of_text|>",
        _DEEPSEEK_BOS,
        _DEEPSEEK_EOS,
    ),
    source="a choice of this package",
)

# One question is given as it is; only several turns need names.
INSTRUCTION: Final = evolve(
    TRANSCRIPT,
    name="instruction",
    specials=(
        "\nUser:",
        "\nAssistant:",
        "<pad>",
        "</s>",
        "<unk>",
        *(f"<extra_id_{number}>" for number in range(100)),
    ),
    source="card of google/flan-t5-xxl; transformers T5 documentation",
)
