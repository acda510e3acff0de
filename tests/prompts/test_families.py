"""Which family a model belongs to."""

from __future__ import annotations

import pytest
from attrs import asdict, evolve

from bytebuddy_provider_hf.config.schema import CHAT_FAMILIES
from bytebuddy_provider_hf.prompts.families import (
    family_by_id,
    family_by_name,
    family_by_template,
    load_families,
    structure_families,
)
from bytebuddy_provider_hf.prompts.family import Family, ModelKind

TABLE = load_families()
FAMILIES = TABLE.by_name
PAGE = {
    "meta-llama/Llama-2-70b-chat-hf": ("llama-2", ModelKind.CHAT, 4096),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": ("mixtral", ModelKind.CHAT, 32768),
    "microsoft/DialoGPT-large": ("dialogpt", ModelKind.DIALOG, 1024),
    "bigcode/starcoder": ("starcoder", ModelKind.BASE, 8192),
    "Salesforce/codegen-16B-multi": ("codegen", ModelKind.BASE, 2048),
    "microsoft/CodeGPT-small-py": ("codegpt", ModelKind.BASE, 1024),
    "bigscience/bloom": ("bloom", ModelKind.BASE, 2048),
    "EleutherAI/gpt-neox-20b": ("gpt-neox", ModelKind.BASE, 2048),
    "facebook/opt-30b": ("opt", ModelKind.BASE, 2048),
    "google/flan-t5-xxl": ("flan-t5", ModelKind.SEQ2SEQ, None),
    "bert-base-multilingual-cased": ("bert", ModelKind.MASK, 512),
    "google-bert/bert-base-multilingual-cased": ("bert", ModelKind.MASK, 512),
}


def known(model_id: str) -> Family:
    family = family_by_id(model_id)
    assert family is not None
    return family


@pytest.mark.parametrize(("model_id", "facts"), PAGE.items())
def test_the_models_of_the_page(
    model_id: str, facts: tuple[str, ModelKind, int | None]
) -> None:
    """Each of the eleven has its family, kind and window."""
    family = known(model_id)
    assert (family.name, family.kind, family.window) == facts


def test_only_starcoder_learned_commits() -> None:
    """It is the one family that a commit message can ask for a change."""
    commit = known("bigcode/starcoder").edit
    assert commit is not None
    assert commit.name == "starcoder-commit"
    with_edit = {name for name, family in FAMILIES.items() if family.edit}
    assert with_edit == {"starcoder"}


@pytest.mark.parametrize(
    "spelling",
    [
        "mistralai/mixtral-8x7b-instruct-V0.1",
        "MISTRALAI/Mixtral-8x7B-Instruct-v0.1:featherless-ai",
    ],
)
def test_case_and_provider_do_not_count(spelling: str) -> None:
    """The Hub takes upper and lower case for one; a router's suffix is no name."""
    assert known(spelling).name == "mixtral"


@pytest.mark.parametrize(
    "stranger",
    [
        "somebody/Llama-2-70b-chat-hf",
        "meta-llama/Llama-2-70b-chat-hf-awq",
        "Llama-2-70b-chat-hf",
        "x/meta-llama/Llama-2-70b-chat-hf",
        "openai/gpt-oss-120b",
        "zai-org/GLM-4.6",
        "mycompany/starcoder-chat",
        "",
        ":novita",
    ],
)
def test_a_name_that_only_resembles_is_unknown(stranger: str) -> None:
    """Nothing is told from a part of a name."""
    assert family_by_id(stranger) is None


def test_mixtral_has_no_llama_system_marks() -> None:
    """Continue gives it <<SYS>>, which it never saw."""
    chat = known("mistralai/Mixtral-8x7B-Instruct-v0.1").chat
    assert chat is not None
    assert "<<SYS>>" not in "".join((*chat.system_in_user, *chat.specials))


@pytest.mark.parametrize(
    ("model_id", "chats"),
    [
        ("microsoft/DialoGPT-large", True),
        ("microsoft/CodeGPT-small-py", False),
        ("EleutherAI/gpt-neox-20b", False),
    ],
)
def test_gpt_in_a_name_means_nothing(model_id: str, chats: bool) -> None:
    """One of them was trained to chat, the others were not, none fills in."""
    family = known(model_id)
    assert (family.chat is not None) is chats
    assert family.fim is None


def test_starcoder_has_no_chat_template() -> None:
    """ChatML's tokens do not exist in it."""
    family = known("bigcode/starcoder")
    assert family.chat is None
    assert family.fim is TABLE.fim_formats["starcoder"]


@pytest.mark.parametrize(
    "model_id",
    ["bigscience/bloom", "facebook/opt-30b", "Salesforce/codegen-16B-multi"],
)
def test_base_models_have_neither_template_nor_infilling(model_id: str) -> None:
    """They continue text, and nothing else."""
    family = known(model_id)
    assert (family.kind, family.chat, family.fim) == (ModelKind.BASE, None, None)


def test_flan_and_bert_do_not_fill_in() -> None:
    """One answers instructions, the other guesses masked words."""
    assert known("google/flan-t5-xxl").fim is None
    assert known("bert-base-multilingual-cased").fim is None


def test_santacoder_writes_hyphens() -> None:
    """Its tokens are not StarCoder's."""
    assert known("bigcode/santacoder").fim is TABLE.fim_formats["santacoder"]


@pytest.mark.parametrize("name", ["granite-34b-code-base", "granite-34b-code-base-8k"])
def test_granite_34b_is_not_granite_4(name: str) -> None:
    """The 4 is part of a number: Granite Code has StarCoder's spellings."""
    assert known(f"ibm-granite/{name}").fim is TABLE.fim_formats["granite-code"]
    assert known("ibm-granite/granite-4.0-h-tiny").fim is TABLE.fim_formats["granite-4"]


def test_phi_3_is_not_chatml() -> None:
    """Nor Phi-2, the one that Continue knows."""
    assert known("microsoft/Phi-3-mini-4k-instruct").name == "phi-3"


def test_codellama_fills_in_only_where_it_was_trained_to() -> None:
    """7B and 13B do; 34B, 70B and the Python ones do not."""
    assert known("codellama/CodeLlama-7b-hf").fim is TABLE.fim_formats["codellama"]
    assert (
        known("codellama/CodeLlama-13b-Instruct-hf").fim
        is TABLE.fim_formats["codellama"]
    )
    for model in ("34b-hf", "7b-Python-hf", "34b-Instruct-hf", "70b-Instruct-hf"):
        assert known(f"codellama/CodeLlama-{model}").fim is None


@pytest.mark.parametrize("name", CHAT_FAMILIES)
def test_every_template_name_of_continue_is_known(name: str) -> None:
    """All but anthropic, which no open model speaks."""
    assert (family_by_name(name) is None) is (name == "anthropic")


def test_every_family_can_be_named_and_says_its_source() -> None:
    """A fact without a source cannot be checked."""
    for name, family in FAMILIES.items():
        assert family_by_name(name.upper()) is family
        assert family.source
        assert family.name == name
        assert (
            family.kind in {ModelKind.CHAT, ModelKind.DIALOG, ModelKind.SEQ2SEQ}
        ) is (family.chat is not None)


def test_every_row_of_the_table_is_used_and_of_the_right_type() -> None:
    """Formats belong to families, rules of templates name them, texts are texts."""
    used = {
        id(form)
        for family in FAMILIES.values()
        for form in (family.chat, family.fim, family.edit)
    }
    forms = [*TABLE.chat_formats.values(), *TABLE.fim_formats.values()]
    assert [f.name for f in forms if id(f) not in used] == ["transcript"]
    for form in forms:
        assert form.source
        for name, value in asdict(form, recurse=False).items():
            texts = value if isinstance(value, tuple) else (value or "",)
            assert all(isinstance(text, str | bool) for text in texts), name
            assert name not in {"user", "assistant", "system"} or len(value) == 2
        # Where a mark is text, only one at the beginning of a line ends the answer.
        acting = {special.strip() for special in form.specials}
        assert all(stop.strip() in acting for stop in form.stops)
    for marks in TABLE.templates:
        assert marks.has
        assert marks.family in {"", *FAMILIES}
    assert len(TABLE.by_id) > 300
    for model_id, family in TABLE.by_id.items():
        assert model_id == model_id.lower()
        assert family == evolve(FAMILIES[family.name], window=family.window)


def changed(**tables: object) -> dict[str, object]:
    """Return a small table of families with some of its tables replaced."""
    row = {"user": ["", ""], "assistant": ["a", ""], "source": "s"}
    table: dict[str, object] = {
        "templates": [],
        "family": {"f": {"chat": "c", "models": "8 owner Name\n- - alone\n"}},
        "chat": {"c": row, "d": {"like": "c", "stops": "x y"}},
        "fim": {},
        "edit": {},
    }
    return {**table, **tables}


def test_a_row_like_another_says_what_differs() -> None:
    """A text of stops is split at blanks, a prompt ends as an answer begins."""
    table = structure_families(changed())
    own, like = table.chat_formats["c"], table.chat_formats["d"]
    assert like == evolve(own, name="d", stops=("x", "y"))
    assert own.generation_prompt == own.continue_prompt == "a"
    assert table.by_id["owner/name"].window == 8
    assert table.by_id["alone"].window is None
    assert (table.by_name["f"].kind, table.by_name["f"].source) == ("chat", "s")


@pytest.mark.parametrize(
    ("tables", "error"),
    [
        ({"family": {"f": {"chat": "nothing"}}}, KeyError),
        ({"family": {"f": {"kind": "poem"}}}, ValueError),
        ({"family": {"f": {"models": "8 o a\n9 o A"}}}, ValueError),
        ({"family": {"f": {"aliases": ["a", "a"]}}}, ValueError),
        ({"chat": {"c": {"like": "later"}, "later": {}}}, KeyError),
        ({"fim": {"c": {"prefix": "", "suffix": "", "middle": "", "x": 1}}}, TypeError),
        ({"fim": {"c": {"prefix": ""}}}, TypeError),
    ],
)
def test_a_wrong_row_is_refused(tables: dict[str, object], error: type) -> None:
    """A slip in the file shows when it is read, not in a prompt."""
    with pytest.raises(error):
        structure_families(changed(**tables))


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("'<|im_start|>' + role + content + '<|im_end|>'", "chatml"),
        ("'<|im_start|>user<|im_sep|>' + content", "phi-4"),
        ("'<|im_start|>User: ' + x + '<end_of_utterance>'", None),
        (
            "<|im_start|> You are Qwen, created by Alibaba Cloud <tool_response>",
            "qwen2.5",
        ),
        ("<|im_start|> <tools> <tool_response> </think>", "qwen3"),
        ("<|im_start|> <tools> <function=", "qwen3-coder"),
        ("'[INST] ' + '<<SYS>>\\n' + content.strip() + ' [/INST]'", "llama-2"),
        ("'[INST] ' + x + ' [/INST]' + eos_token", "mixtral"),
        ("'[INST] ' + x + ' [/INST]' + eos_token + ' '", "mistral-v0.1"),
        ("' [INST] ' + system_message + x + ' [/INST]'", "mistral-v1"),
        ('"[AVAILABLE_TOOLS] [" ... "[INST] " + x + "[/INST]"', "mistral-v3"),
        ('"[AVAILABLE_TOOLS][" ... "[INST]" + x + "[/INST]"', "mistral-v3-tekken"),
        ("'[SYSTEM_PROMPT] ' + x + '[INST] '", "mistral-v7"),
        ("'[SYSTEM_PROMPT]' + x + '[INST]'", "mistral-v7-tekken"),
        ("'[AVAILABLE_TOOLS]' + tools + '[INST]'", None),
        ("'<|user|>\n' + x + '<|end|>\n' + '<|assistant|>\n'", "phi-3"),
        ("'<|' + message['role'] + '|>' + x + '<|end|>\n<|assistant|>", "phi-3-system"),
        ("'<|user|>' + x + '<|end|>' <|tool|> '<|assistant|>'", "phi-4-mini"),
        ("'<|user|>\n' + x + eos_token '<|assistant|>'", "zephyr"),
        ("'<|user|>\n' + x + '<|endoftext|>\n' '<|assistant|>'", "stablelm-zephyr"),
        ("'<start_of_turn>' + role", "gemma"),
        ("'GPT4 Correct ' + role", "openchat"),
        ("'### Instruction:\n' + x + '<|EOT|>'", "deepseek-coder-instruct"),
        ("'Assistant: ' + message['content'] + eos_token", "deepseek-v2"),
        ("<｜User｜> x <｜Assistant｜> y <｜end▁of▁sentence｜>", "deepseek-v3"),
        ("'<|start_header_id|>' '<|end_header_id|>' '<|eot_id|>'", "llama-3"),
        ("<|start_header_id|> Cutting Knowledge Date ipython", "llama-3.1"),
        ("'<|start_of_role|>' + role", "granite"),
        ("'<|start_of_role|>' assistant_tool_call", "granite-3.0"),
        ("'Question:\n' 'System:\n' 'Answer:\n'", "granite-code-instruct"),
        ("'Source: ' + role + ' <step> '", "codellama-70b"),
        ("[gMASK]<sop><|user|> <|assistant|> eos_token", None),
        ("{{ message.content }}{{ eos_token }}", None),
        ("", None),
    ],
)
def test_a_template_is_told_by_its_marks(template: str, name: str | None) -> None:
    """A server that shows its template needs no name; an unknown one stays unknown."""
    family = family_by_template(template)
    assert (family.name if family else None) == name


def test_a_template_tells_nothing_of_infilling() -> None:
    """Whatever else the models of that family learned, this one may be another."""
    family = family_by_template("<|im_start|> <tools> <function=")
    assert family is not None
    assert family.name == "qwen3-coder"
    assert FAMILIES["qwen3-coder"].fim is not None
    assert (family.fim, family.edit, family.window) == (None, None, None)
