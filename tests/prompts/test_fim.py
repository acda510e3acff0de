"""The prompt of every infilling family, character by character."""

from __future__ import annotations

import pytest

from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.prompts.family import FimFormat
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.fim import continuation, render_fim, render_template
from bytebuddy_provider_hf.prompts.special_tokens import escape, unescape

FORMATS = load_families().fim_formats

PLAIN = FillContext(prefix="def f():\n    ", suffix="\n    return x\n")
EMPTY = FillContext(prefix="def f():\n    ")
FILES = FillContext(
    prefix="import a\n",
    suffix="\nb()\n",
    path="src/main.py",
    language="python",
    repository="me/tool",
    files=(("src/a.py", "A = 1\n"), ("src/b.py", "B = 2\n")),
)

P, S = PLAIN.prefix, PLAIN.suffix
WITH_SUFFIX = {
    "starcoder": f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>",
    "starcoder2": f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>",
    "santacoder": f"<fim-prefix>{P}<fim-suffix>{S}<fim-middle>",
    "codegen2": f"{P}<mask_1>{S}<|endoftext|><sep><mask_1>",
    "codellama": f"<PRE> {P} <SUF>{S} <MID>",
    "deepseek-coder": (
        f"<\uff5cfim\u2581begin\uff5c>{P}<\uff5cfim\u2581hole\uff5c>{S}"
        "<\uff5cfim\u2581end\uff5c>"
    ),
    "codeqwen": f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>",
    "qwen-coder": f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>",
    "codegemma": f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>",
    "codestral": f"[SUFFIX]{S}[PREFIX]{P}",
    "stable-code": f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>",
    "granite-code": f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>",
    "granite-4": f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>",
    "codegeex4": (
        "<|user|>\n###PATH:\n###LANGUAGE:\n###MODE:BLOCK\n"
        f"<|code_suffix|>{S}<|code_prefix|>{P}<|code_middle|><|assistant|>\n"
    ),
    "seed-coder": f"<[fim-suffix]>{S}<[fim-prefix]>{P}<[fim-middle]>",
}
WITHOUT_SUFFIX = {
    "starcoder": f"<fim_prefix>{P}<fim_suffix><fim_middle>",
    "starcoder2": f"<fim_prefix>{P}<fim_suffix><fim_middle>",
    "santacoder": f"<fim-prefix>{P}<fim-suffix><fim-middle>",
    "codegen2": f"{P}<mask_1><|endoftext|><sep><mask_1>",
    "codellama": f"<PRE> {P} <SUF> <MID>",
    "deepseek-coder": f"<｜fim▁begin｜>{P}<｜fim▁hole｜><｜fim▁end｜>",
    "codeqwen": f"<fim_prefix>{P}<fim_suffix><fim_middle>",
    "qwen-coder": f"<|fim_prefix|>{P}<|fim_suffix|><|fim_middle|>",
    "codegemma": f"<|fim_prefix|>{P}<|fim_suffix|><|fim_middle|>",
    "codestral": f"[SUFFIX][PREFIX]{P}",
    "stable-code": f"<fim_prefix>{P}<fim_suffix><fim_middle>",
    "granite-code": f"<fim_prefix>{P}<fim_suffix><fim_middle>",
    "granite-4": f"<|fim_prefix|>{P}<|fim_suffix|><|fim_middle|>",
    "codegeex4": (
        "<|user|>\n###PATH:\n###LANGUAGE:\n###MODE:BLOCK\n"
        f"<|code_suffix|><|code_prefix|>{P}<|code_middle|><|assistant|>\n"
    ),
    "seed-coder": f"<[fim-suffix]><[fim-prefix]>{P}<[fim-middle]>",
}
WITH_FILES = {
    "starcoder2": (
        "<repo_name>me/tool<file_sep>src/a.py\nA = 1\n<file_sep>src/b.py\nB = 2\n"
        "<file_sep><fim_prefix>src/main.py\nimport a\n<fim_suffix>\nb()\n<fim_middle>"
    ),
    "codeqwen": (
        "<reponame>me/tool\n<file_sep>src/a.py\nA = 1\n\n<file_sep>src/b.py\nB = 2\n\n"
        "<file_sep>src/main.py\n"
        "<fim_prefix>import a\n<fim_suffix>\nb()\n<fim_middle>"
    ),
    "qwen-coder": (
        "<|repo_name|>me/tool\n<|file_sep|>src/a.py\nA = 1\n\n"
        "<|file_sep|>src/b.py\nB = 2\n\n<|file_sep|>src/main.py\n"
        "<|fim_prefix|>import a\n<|fim_suffix|>\nb()\n<|fim_middle|>"
    ),
    "codegemma": (
        "src/a.py\nA = 1\n\n<|file_separator|>src/b.py\nB = 2\n\n<|file_separator|>"
        "src/main.py\n<|fim_prefix|>import a\n<|fim_suffix|>\nb()\n<|fim_middle|>"
    ),
    "codegeex4": (
        "<|user|>\n###REFERENCE:\n###PATH:src/a.py\nA = 1\n\n"
        "###REFERENCE:\n###PATH:src/b.py\nB = 2\n\n"
        "###PATH:src/main.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
        "<|code_suffix|>\nb()\n<|code_prefix|>import a\n"
        "<|code_middle|><|assistant|>\n"
    ),
}
each_format = pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))


@each_format
def test_the_prompt_with_a_suffix(form: FimFormat) -> None:
    """Prefix and suffix stand between the family's own tokens, nothing else added."""
    assert render_fim(form, PLAIN).prompt == WITH_SUFFIX[form.name]


@each_format
def test_the_prompt_without_a_suffix(form: FimFormat) -> None:
    """An empty suffix keeps all tokens of the format."""
    assert render_fim(form, EMPTY).prompt == WITHOUT_SUFFIX[form.name]


@each_format
def test_the_prompt_with_other_files(form: FimFormat) -> None:
    """Files are written where the family was trained on them, else it is said."""
    rendered = render_fim(form, FILES)
    expected = WITH_FILES.get(form.name)
    if expected is None:
        alone = FillContext(prefix=FILES.prefix, suffix=FILES.suffix)
        assert rendered.prompt == render_fim(form, alone).prompt
        assert [n for n in rendered.notes if "Other files were left out (2)" in n]
    else:
        assert rendered.prompt == expected
        assert rendered.notes == ()


@each_format
def test_tokens_in_the_users_code_do_not_act(form: FimFormat) -> None:
    """A prompt has the family's tokens exactly as often as without the user's."""
    code = "".join(f"x = '{token}'\n" for token in form.specials)
    context = FillContext(
        prefix=code,
        suffix=code,
        path=form.specials[0],
        repository=form.specials[-1],
        files=((form.specials[0], code),),
    )
    bare = FillContext("", path="p", repository="r", files=(("q", ""),))
    rendered = render_fim(form, context)
    for token in form.specials:
        expected = render_fim(form, bare).prompt.count(token)
        assert rendered.prompt.count(token) == expected
    assert form.specials[0] in rendered.notes[-1]


@each_format
def test_every_token_of_a_format_is_special(form: FimFormat) -> None:
    """What renders a prompt or ends an answer is broken where a user writes it."""
    for text in (form.prefix, form.suffix, *form.stops):
        assert any(token in text for token in form.specials) or text == ""


def test_a_path_alone_adds_no_context() -> None:
    """A path changes the prompt only together with files or the repository's name."""
    context = FillContext("a", "b", path="x.py")
    rendered = render_fim(FORMATS["qwen-coder"], context)
    assert rendered.prompt == "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"


def test_a_repository_without_files() -> None:
    """The repository's name alone is context enough."""
    context = FillContext("a", "b", path="x.py", repository="me/r")
    rendered = render_fim(FORMATS["starcoder2"], context)
    assert rendered.prompt == (
        "<repo_name>me/r<file_sep><fim_prefix>x.py\na<fim_suffix>b<fim_middle>"
    )


def test_a_path_stays_on_its_line() -> None:
    """Line ends in a path cannot begin a line of the prompt."""
    context = FillContext("a", path="x\n###MODE:LINE", files=(("y", "z"),))
    assert "x ###MODE:LINE\n" in render_fim(FORMATS["codegeex4"], context).prompt


def test_braces_in_code_are_text() -> None:
    """Code that looks like a place of the format is not filled in."""
    context = FillContext(
        "{path}", "{text}", path="{repository}", files=(("{path}", "{0}"),)
    )
    prompt = render_fim(FORMATS["qwen-coder"], context).prompt
    assert prompt.startswith("<|file_sep|>{path}\n{0}\n<|file_sep|>{repository}\n")


def test_an_own_template_is_filled_in() -> None:
    """All five variables of promptTemplates.autocomplete are known."""
    template = "{{{reponame}}}|{{{filename}}}|{{{language}}}|{{{prefix}}}^{{{suffix}}}"
    assert render_template(template, FILES).prompt == (
        "me/tool|src/main.py|python|import a\n^\nb()\n"
    )


def test_an_own_template_keeps_the_familys_stops() -> None:
    """Stops and tokens to break come from the family where it is known."""
    context = FillContext("'<fim_suffix>'")
    rendered = render_template("{{{prefix}}}", context, FORMATS["starcoder"])
    assert rendered.stops == FORMATS["starcoder"].stops
    assert "<fim_suffix>" not in rendered.prompt


def test_a_continuation_is_the_prefix() -> None:
    """A base model goes on, and the caller learns that it did not see the suffix."""
    rendered = continuation(PLAIN)
    assert rendered.prompt == PLAIN.prefix
    assert "has not seen what follows" in rendered.notes[0]


def test_a_continuation_without_a_suffix_has_nothing_to_say() -> None:
    """Blanks after the cursor are nothing that could be seen."""
    assert continuation(FillContext("a", " \n")).notes == ()


def test_a_continuation_breaks_the_models_tokens() -> None:
    """The end of text in somebody's source does not end the text."""
    rendered = continuation(FillContext("'<|endoftext|>'"), specials=("<|endoftext|>",))
    assert "<|endoftext|>" not in rendered.prompt
    assert unescape(rendered.prompt, ("<|endoftext|>",)) == "'<|endoftext|>'"


def test_defused_names_what_it_found() -> None:
    """Tokens are named once, in the order of the text."""
    _, found = escape("<b><a><b>", ("<a>", "<b>", "<c>"))
    assert found == ("<b>", "<a>")
