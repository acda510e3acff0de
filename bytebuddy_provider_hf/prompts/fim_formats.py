"""The infilling formats of the families that were trained to fill a gap."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.prompts.fim_format import FimFormat

_FIM: Final = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>")
_BAR_FIM: Final = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>")
_END: Final = "<|endoftext|>"

STARCODER: Final = FimFormat(
    "starcoder",
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stops=(_END, "<filename>", *_FIM),
    specials=(_END, *_FIM, "<reponame>", "<filename>", "<gh_stars>"),
    source="card of bigcode/tiny_starcoder_py; huggingface/llm-vscode",
)
STARCODER2: Final = FimFormat(
    "starcoder2",
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stops=(_END, "<file_sep>", *_FIM),
    specials=(_END, *_FIM, "<repo_name>", "<file_sep>"),
    repository="<repo_name>{repository}",
    file="<file_sep>{path}\n{text}",
    here="<file_sep>",
    # The paper writes the path of the file to fill after the token, not before it.
    path="{path}\n",
    source="bigcode-project/starcoder2 issue 10; arXiv 2402.19173, 5.1",
)
SANTACODER: Final = FimFormat(
    "santacoder",
    prefix="<fim-prefix>",
    suffix="<fim-suffix>",
    middle="<fim-middle>",
    stops=(_END,),
    specials=(_END, "<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"),
    source="huggingface/text-generation-inference santacoder.py",
)
CODEGEN2: Final = FimFormat(
    "codegen2",
    prefix="",
    suffix="<mask_1>",
    middle=f"{_END}<sep><mask_1>",
    stops=("<eom>", _END),
    specials=(_END, "<mask_1>", "<mask_2>", "<sep>", "<eom>"),
    source="card of Salesforce/codegen2-1B, Infill sampling",
)
CODELLAMA: Final = FimFormat(
    "codellama",
    prefix="<PRE> ",
    suffix=" <SUF>",
    middle=" <MID>",
    # The piece is "▁<EOT>": where a server shows it, its space is shown with it.
    stops=(" <EOT>", "<EOT>"),
    specials=("<PRE>", "<SUF>", "<MID>", "<EOT>", "<s>", "</s>"),
    source="meta-llama/codellama generation.py, infilling_prompt_tokens",
)
DEEPSEEK_CODER: Final = FimFormat(
    "deepseek-coder",
    prefix="<｜fim▁begin｜>",
    suffix="<｜fim▁hole｜>",
    middle="<｜fim▁end｜>",
    stops=("<｜end▁of▁sentence｜>",),
    specials=(
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<|EOT|>",
    ),
    source="README of deepseek-ai/DeepSeek-Coder",
)
CODEQWEN: Final = FimFormat(
    "codeqwen",
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stops=(_END, "<file_sep>", *_FIM),
    specials=(_END, *_FIM, "<reponame>", "<file_sep>", "<|im_start|>", "<|im_end|>"),
    repository="<reponame>{repository}\n",
    file="<file_sep>{path}\n{text}\n",
    here="<file_sep>{path}\n",
    source="README of QwenLM/CodeQwen1.5",
)
QWEN_CODER: Final = FimFormat(
    "qwen-coder",
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    # Either of the first two may end the middle: ggml-org/llama.cpp issue 9606; the
    # last is written now and then: continuedev/continue issue 3372.
    stops=(
        _END,
        "<|im_end|>",
        "<|file_sep|>",
        "<|repo_name|>",
        *_BAR_FIM,
        "<|cursor|>",
    ),
    specials=(
        _END,
        *_BAR_FIM,
        "<|repo_name|>",
        "<|file_sep|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|cursor|>",
    ),
    repository="<|repo_name|>{repository}\n",
    file="<|file_sep|>{path}\n{text}\n",
    here="<|file_sep|>{path}\n",
    source="README of QwenLM/Qwen2.5-Coder; arXiv 2409.12186",
)
CODEGEMMA: Final = FimFormat(
    "codegemma",
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    stops=("<|file_separator|>", "<eos>", "<end_of_turn>", *_BAR_FIM[:3]),
    specials=(
        *_BAR_FIM[:3],
        "<|file_separator|>",
        "<bos>",
        "<eos>",
        "<start_of_turn>",
        "<end_of_turn>",
    ),
    # The separator stands between files: none before the first.
    file="{path}\n{text}\n<|file_separator|>",
    here="{path}\n",
    source="ai.google.dev, codegemma/prompt-structure; arXiv 2406.11409, figure 2",
)
CODESTRAL: Final = FimFormat(
    "codestral",
    prefix="[PREFIX]",
    suffix="[SUFFIX]",
    middle="",
    suffix_first=True,
    stops=("</s>", "[PREFIX]", "[SUFFIX]", "[MIDDLE]"),
    specials=("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "[INST]", "[/INST]", "<s>", "</s>"),
    source="mistralai/mistral-common, SpecialTokens and encode_fim",
)
STABLE_CODE: Final = FimFormat(
    "stable-code",
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stops=(_END, *_FIM),
    specials=(_END, *_FIM),
    source="card of stabilityai/stable-code-3b",
)
GRANITE_CODE: Final = FimFormat(
    "granite-code",
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stops=(_END, "<filename>", *_FIM),
    specials=(_END, *_FIM, "<reponame>", "<filename>", "<gh_stars>"),
    source="ggml-org/llama.cpp src/llama-vocab.cpp, remark at <fim_prefix>",
)
GRANITE_4: Final = FimFormat(
    "granite-4",
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    stops=("<|end_of_text|>", *_BAR_FIM),
    specials=(
        "<|end_of_text|>",
        *_BAR_FIM,
        "<|start_of_role|>",
        "<|end_of_role|>",
    ),
    source="ibm.com/granite/docs, fill in the middle",
)
CODEGEEX4: Final = FimFormat(
    "codegeex4",
    prefix="<|code_prefix|>",
    suffix="<|code_suffix|>",
    middle="<|code_middle|><|assistant|>\n",
    suffix_first=True,
    stops=(_END, "<|user|>", "<|assistant|>", "<|observation|>"),
    specials=(
        "<|code_prefix|>",
        "<|code_suffix|>",
        "<|code_middle|>",
        "<|user|>",
        "<|assistant|>",
        "<|system|>",
        "<|observation|>",
        _END,
    ),
    head="<|user|>\n",
    label="###PATH:{path}\n###LANGUAGE:{language}\n###MODE:BLOCK\n",
    file="###REFERENCE:\n###PATH:{path}\n{text}\n",
    source="THUDM/CodeGeeX4, guides/Infilling_guideline",
)
SEED_CODER: Final = FimFormat(
    "seed-coder",
    prefix="<[fim-prefix]>",
    suffix="<[fim-suffix]>",
    middle="<[fim-middle]>",
    # Trained in this order only, whatever editors send.
    suffix_first=True,
    stops=("<[end▁of▁sentence]>", "<[fim-suffix]>", "<[fim-prefix]>"),
    specials=(
        "<[fim-prefix]>",
        "<[fim-suffix]>",
        "<[fim-middle]>",
        "<[begin▁of▁sentence]>",
        "<[end▁of▁sentence]>",
        "<[PAD▁TOKEN]>",
        "<[SEP▁TOKEN]>",
    ),
    source="arXiv 2506.03524, Seed-Coder, fill-in-the-middle",
)

ALL: Final = (
    STARCODER,
    STARCODER2,
    SANTACODER,
    CODEGEN2,
    CODELLAMA,
    DEEPSEEK_CODER,
    CODEQWEN,
    QWEN_CODER,
    CODEGEMMA,
    CODESTRAL,
    STABLE_CODE,
    GRANITE_CODE,
    GRANITE_4,
    CODEGEEX4,
    SEED_CODER,
)
