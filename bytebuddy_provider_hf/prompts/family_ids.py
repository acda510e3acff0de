"""The models of the Hub, by family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

# A line that starts at the margin says the family, its window in tokens of prompt and
# answer together, and the owner; the names of that owner's models follow. "-" is a
# window that no card or configuration documents, or a model without an owner.
_TABLE: Final = """
llama-2 4096 meta-llama
    Llama-2-7b-chat-hf Llama-2-13b-chat-hf Llama-2-70b-chat-hf
llama-2 4096 NousResearch
    Llama-2-7b-chat-hf Llama-2-13b-chat-hf
llama-2-base 4096 meta-llama
    Llama-2-7b-hf Llama-2-13b-hf Llama-2-70b-hf
llama-3 8192 meta-llama
    Meta-Llama-3-8B-Instruct Meta-Llama-3-70B-Instruct
llama-3.1 131072 meta-llama
    Llama-3.1-8B-Instruct Llama-3.1-70B-Instruct Llama-3.1-405B-Instruct
    Meta-Llama-3.1-8B-Instruct Meta-Llama-3.1-70B-Instruct
    Meta-Llama-3.1-405B-Instruct Llama-3.2-1B-Instruct Llama-3.2-3B-Instruct
    Llama-3.3-70B-Instruct
llama-3-base 8192 meta-llama
    Meta-Llama-3-8B Meta-Llama-3-70B
llama-3-base 131072 meta-llama
    Llama-3.1-8B Llama-3.1-70B Llama-3.1-405B Meta-Llama-3.1-8B Meta-Llama-3.1-70B
    Meta-Llama-3.1-405B Llama-3.2-1B Llama-3.2-3B
codellama 16384 codellama
    CodeLlama-7b-Instruct-hf CodeLlama-13b-Instruct-hf
codellama 16384 meta-llama
    CodeLlama-7b-Instruct-hf CodeLlama-13b-Instruct-hf
codellama-34b 16384 codellama
    CodeLlama-34b-Instruct-hf
codellama-34b 16384 meta-llama
    CodeLlama-34b-Instruct-hf
codellama-70b - codellama
    CodeLlama-70b-Instruct-hf
codellama-70b - meta-llama
    CodeLlama-70b-Instruct-hf
codellama-base 16384 codellama
    CodeLlama-7b-hf CodeLlama-13b-hf
codellama-base 16384 meta-llama
    CodeLlama-7b-hf CodeLlama-13b-hf
codellama-base-no-infilling 16384 codellama
    CodeLlama-34b-hf CodeLlama-7b-Python-hf CodeLlama-13b-Python-hf
    CodeLlama-34b-Python-hf
codellama-base-no-infilling 16384 meta-llama
    CodeLlama-34b-hf CodeLlama-7b-Python-hf CodeLlama-13b-Python-hf
    CodeLlama-34b-Python-hf
codellama-base-no-infilling - codellama
    CodeLlama-70b-hf CodeLlama-70b-Python-hf
codellama-base-no-infilling - meta-llama
    CodeLlama-70b-hf CodeLlama-70b-Python-hf
mistral-v0.1 8192 mistralai
    Mistral-7B-Instruct-v0.1
mistral-v1 32768 mistralai
    Mistral-7B-Instruct-v0.2
mixtral 32768 mistralai
    Mixtral-8x7B-Instruct-v0.1
mistral-v3 32768 mistralai
    Mistral-7B-Instruct-v0.3
mistral-v3 65536 mistralai
    Mixtral-8x22B-Instruct-v0.1
mistral-v3 131072 mistralai
    Mistral-Large-Instruct-2407
mistral-v3 32768 mistralai
    Mistral-Small-Instruct-2409
mistral-v3-tekken 131072 mistralai
    Mistral-Nemo-Instruct-2407
mistral-v7 131072 mistralai
    Mistral-Large-Instruct-2411
mistral-v7-tekken 32768 mistralai
    Mistral-Small-24B-Instruct-2501
mistral-v7-tekken 131072 mistralai
    Mistral-Small-3.1-24B-Instruct-2503 Mistral-Small-3.2-24B-Instruct-2506
mistral-base 8192 mistralai
    Mistral-7B-v0.1
mistral-base 32768 mistralai
    Mistral-7B-v0.3 Mixtral-8x7B-v0.1
mistral-base 65536 mistralai
    Mixtral-8x22B-v0.1
mistral-base 131072 mistralai
    Mistral-Nemo-Base-2407
codestral 32768 mistralai
    Codestral-22B-v0.1
zephyr - HuggingFaceH4
    zephyr-7b-alpha zephyr-7b-beta
stablelm-zephyr 4096 stabilityai
    stablelm-zephyr-3b
chatml - teknium
    OpenHermes-2-Mistral-7B OpenHermes-2.5-Mistral-7B
chatml - NousResearch
    Nous-Hermes-2-Mixtral-8x7B-DPO Nous-Hermes-2-Mistral-7B-DPO Nous-Hermes-2-Yi-34B
chatml - cognitivecomputations
    dolphin-2.5-mixtral-8x7b dolphin-2.9-llama3-8b
chatml 16384 stabilityai
    stable-code-instruct-3b
openchat 8192 openchat
    openchat_3.5 openchat-3.5-1210 openchat-3.5-0106
openchat 8192 berkeley-nest
    Starling-LM-7B-alpha
neural-chat - Intel
    neural-chat-7b-v3 neural-chat-7b-v3-1 neural-chat-7b-v3-2 neural-chat-7b-v3-3
phind - Phind
    Phind-CodeLlama-34B-v2
xwin-coder - Xwin-LM
    XwinCoder-7B XwinCoder-13B XwinCoder-34B
llava 4096 llava-hf
    llava-1.5-7b-hf llava-1.5-13b-hf
qwen1.5 32768 Qwen
    Qwen1.5-0.5B-Chat Qwen1.5-1.8B-Chat Qwen1.5-4B-Chat Qwen1.5-7B-Chat
    Qwen1.5-14B-Chat Qwen1.5-32B-Chat Qwen1.5-72B-Chat
codeqwen1.5-chat 65536 Qwen
    CodeQwen1.5-7B-Chat
codeqwen1.5 65536 Qwen
    CodeQwen1.5-7B
qwen2.5 32768 Qwen
    Qwen2.5-0.5B-Instruct Qwen2.5-1.5B-Instruct Qwen2.5-3B-Instruct
    Qwen2.5-7B-Instruct Qwen2.5-14B-Instruct Qwen2.5-32B-Instruct
    Qwen2.5-72B-Instruct
qwen2.5-coder-instruct 32768 Qwen
    Qwen2.5-Coder-0.5B-Instruct Qwen2.5-Coder-1.5B-Instruct
    Qwen2.5-Coder-3B-Instruct Qwen2.5-Coder-7B-Instruct Qwen2.5-Coder-14B-Instruct
    Qwen2.5-Coder-32B-Instruct
qwen2.5-coder 32768 Qwen
    Qwen2.5-Coder-0.5B Qwen2.5-Coder-1.5B Qwen2.5-Coder-3B Qwen2.5-Coder-7B
    Qwen2.5-Coder-14B Qwen2.5-Coder-32B
qwen3 32768 Qwen
    Qwen3-0.6B Qwen3-1.7B Qwen3-4B Qwen3-8B Qwen3-14B Qwen3-32B Qwen3-30B-A3B
    Qwen3-235B-A22B
qwen3-coder 262144 Qwen
    Qwen3-Coder-30B-A3B-Instruct Qwen3-Coder-480B-A35B-Instruct
qwen-base 32768 Qwen
    Qwen2.5-0.5B Qwen2.5-1.5B Qwen2.5-3B Qwen1.5-7B Qwen1.5-14B Qwen1.5-72B
qwen-base 131072 Qwen
    Qwen2.5-7B Qwen2.5-14B Qwen2.5-32B Qwen2.5-72B
deepseek-coder-instruct 16384 deepseek-ai
    deepseek-coder-1.3b-instruct deepseek-coder-6.7b-instruct
    deepseek-coder-33b-instruct
deepseek-coder 16384 deepseek-ai
    deepseek-coder-1.3b-base deepseek-coder-6.7b-base deepseek-coder-33b-base
deepseek-coder 131072 deepseek-ai
    DeepSeek-Coder-V2-Lite-Base DeepSeek-Coder-V2-Base
deepseek-coder-v2-instruct 131072 deepseek-ai
    DeepSeek-Coder-V2-Lite-Instruct DeepSeek-Coder-V2-Instruct
deepseek-v2 4096 deepseek-ai
    deepseek-llm-7b-chat deepseek-llm-67b-chat
deepseek-v2 131072 deepseek-ai
    DeepSeek-V2-Chat
deepseek-v2 32768 deepseek-ai
    DeepSeek-V2-Lite-Chat
deepseek-v3 131072 deepseek-ai
    DeepSeek-V3 DeepSeek-V3-0324 DeepSeek-R1 DeepSeek-R1-0528
deepseek-v3 131072 deepseek-ai
    DeepSeek-R1-Distill-Qwen-1.5B DeepSeek-R1-Distill-Qwen-7B
    DeepSeek-R1-Distill-Qwen-14B DeepSeek-R1-Distill-Qwen-32B
    DeepSeek-R1-Distill-Llama-8B DeepSeek-R1-Distill-Llama-70B
deepseek-base 4096 deepseek-ai
    deepseek-llm-7b-base deepseek-llm-67b-base
codegeex4 131072 THUDM
    codegeex4-all-9b
codegeex4 131072 zai-org
    codegeex4-all-9b
seed-coder 32768 ByteDance-Seed
    Seed-Coder-8B-Base
gemma 8192 google
    gemma-2b-it gemma-7b-it gemma-1.1-2b-it gemma-1.1-7b-it
gemma 8192 google
    gemma-2-2b-it gemma-2-9b-it gemma-2-27b-it
gemma 32768 google
    gemma-3-270m-it gemma-3-1b-it
gemma 131072 google
    gemma-3-4b-it gemma-3-12b-it gemma-3-27b-it
gemma-base 8192 google
    gemma-2b gemma-7b gemma-2-2b gemma-2-9b gemma-2-27b
gemma-base 32768 google
    gemma-3-270m gemma-3-1b-pt
gemma-base 131072 google
    gemma-3-4b-pt gemma-3-12b-pt gemma-3-27b-pt
codegemma-instruct 8192 google
    codegemma-7b-it codegemma-1.1-7b-it
codegemma 8192 google
    codegemma-2b codegemma-7b codegemma-1.1-2b
flan-t5 - google
    flan-t5-small flan-t5-base flan-t5-large flan-t5-xl flan-t5-xxl
phi-2 2048 microsoft
    phi-2
phi-3 4096 microsoft
    Phi-3-mini-4k-instruct Phi-3-medium-4k-instruct
phi-3 131072 microsoft
    Phi-3-mini-128k-instruct Phi-3-medium-128k-instruct
phi-3-system 8192 microsoft
    Phi-3-small-8k-instruct
phi-3-system 131072 microsoft
    Phi-3-small-128k-instruct Phi-3.5-mini-instruct Phi-3.5-MoE-instruct
phi-4 16384 microsoft
    phi-4
phi-4-mini 131072 microsoft
    Phi-4-mini-instruct
codegpt 1024 microsoft
    CodeGPT-small-py CodeGPT-small-py-adaptedGPT2
codegpt 1024 microsoft
    CodeGPT-small-java CodeGPT-small-java-adaptedGPT2
dialogpt 1024 microsoft
    DialoGPT-small DialoGPT-medium DialoGPT-large
granite-3.0 4096 ibm-granite
    granite-3.0-2b-instruct granite-3.0-8b-instruct
granite 131072 ibm-granite
    granite-3.1-2b-instruct granite-3.1-8b-instruct granite-3.2-2b-instruct
    granite-3.2-8b-instruct granite-3.3-2b-instruct granite-3.3-8b-instruct
granite-base 4096 ibm-granite
    granite-3.0-2b-base granite-3.0-8b-base
granite-4 131072 ibm-granite
    granite-4.0-micro granite-4.0-h-micro granite-4.0-h-tiny granite-4.0-h-small
granite-4-base 131072 ibm-granite
    granite-4.0-micro-base granite-4.0-h-micro-base granite-4.0-h-tiny-base
    granite-4.0-h-small-base
granite-code-instruct 2048 ibm-granite
    granite-3b-code-instruct granite-3b-code-instruct-2k
granite-code-instruct 4096 ibm-granite
    granite-8b-code-instruct granite-8b-code-instruct-4k
granite-code-instruct 8192 ibm-granite
    granite-20b-code-instruct granite-20b-code-instruct-8k granite-34b-code-instruct
    granite-34b-code-instruct-8k
granite-code-instruct 131072 ibm-granite
    granite-3b-code-instruct-128k granite-8b-code-instruct-128k
granite-code 2048 ibm-granite
    granite-3b-code-base granite-3b-code-base-2k
granite-code 4096 ibm-granite
    granite-8b-code-base granite-8b-code-base-4k
granite-code 8192 ibm-granite
    granite-20b-code-base granite-20b-code-base-8k granite-34b-code-base
    granite-34b-code-base-8k
granite-code 131072 ibm-granite
    granite-3b-code-base-128k granite-8b-code-base-128k
starcoder 8192 bigcode
    starcoder starcoderbase starcoderbase-1b starcoderbase-3b starcoderbase-7b
    starcoderplus tiny_starcoder_py
starcoder2 16384 bigcode
    starcoder2-3b starcoder2-7b starcoder2-15b
santacoder 2048 bigcode
    santacoder
stable-code 16384 stabilityai
    stable-code-3b
codegen 2048 Salesforce
    codegen-350M-nl codegen-350M-multi codegen-350M-mono codegen-2B-nl
    codegen-2B-multi codegen-2B-mono codegen-6B-nl codegen-6B-multi codegen-6B-mono
    codegen-16B-nl codegen-16B-multi codegen-16B-mono
codegen2 2048 Salesforce
    codegen2-1B_P codegen2-3_7B_P codegen2-7B_P codegen2-16B_P
bloom 2048 bigscience
    bloom bloom-560m bloom-1b1 bloom-1b7 bloom-3b bloom-7b1
gpt-neox 2048 EleutherAI
    gpt-neox-20b
gpt-2 1024 openai-community
    gpt2 gpt2-medium gpt2-large gpt2-xl
gpt-2 1024 -
    gpt2 gpt2-medium gpt2-large gpt2-xl
opt 2048 facebook
    opt-125m opt-350m opt-1.3b opt-2.7b opt-6.7b opt-13b opt-30b opt-66b
bert 512 google-bert
    bert-base-multilingual-cased bert-base-multilingual-uncased bert-base-uncased
    bert-base-cased bert-large-uncased bert-large-cased
bert 512 -
    bert-base-multilingual-cased bert-base-multilingual-uncased bert-base-uncased
    bert-base-cased bert-large-uncased bert-large-cased
embedding 512 BAAI
    bge-small-en-v1.5 bge-base-en-v1.5 bge-large-en-v1.5 bge-small-zh-v1.5
    bge-base-zh-v1.5 bge-large-zh-v1.5
embedding 8192 BAAI
    bge-m3
embedding - sentence-transformers
    all-MiniLM-L6-v2 all-MiniLM-L12-v2 all-mpnet-base-v2
    paraphrase-multilingual-MiniLM-L12-v2
embedding 512 intfloat
    e5-small-v2 e5-base-v2 e5-large-v2 multilingual-e5-small multilingual-e5-base
    multilingual-e5-large
"""


@frozen
class ListedModel:
    """A model of the Hub; ``window`` counts tokens, where it is documented."""

    model_id: str
    family: str
    window: int | None


def listed_models() -> Iterator[ListedModel]:
    """Return every model of the table."""
    family, window, prefix = "", "-", ""
    for line in _TABLE.strip().splitlines():
        words = line.split()
        if line.startswith(" "):
            size = None if window == "-" else int(window)
            for word in words:
                yield ListedModel(prefix + word, family, size)
        else:
            family, window, owner = words
            prefix = "" if owner == "-" else f"{owner}/"
