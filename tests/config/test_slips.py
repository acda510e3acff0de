"""Signs that only look like YAML's own, and paths as Windows writes them."""

from __future__ import annotations

import time

import pytest
from config_world import ENTRY, World

HEAD = f"models:\n{ENTRY}"
OPTIONS = f"{HEAD}    requestOptions:\n"

# What is written, and the place and sign of each finding.
SLIPS: dict[str, list[str]] = {
    HEAD.replace(":", "："): [f"{n} U+FF1A" for n in ("1:7", "2:9", "3:13", "4:10")],
    HEAD.replace(": ", "："): [f"{n} U+FF1A" for n in ("2:9", "3:13", "4:10")],
    f"{HEAD}    roles: 【chat，edit】\n": ["5:12 U+3010", "5:17 U+FF0C", "5:22 U+3011"],
    f'{HEAD}    roles: ["chat"，"edit"]\n': ["5:19 U+FF0C"],
    f"{HEAD}    roles: [chat、edit]\n": ["5:17 U+3001"],
    f"{HEAD}    roles: ［chat, edit］\n": ["5:12 U+FF3B", "5:23 U+FF3D"],
    f"{HEAD}    roles:\n      － chat\n": ["6:7 U+FF0D"],
    f"{HEAD}    defaultCompletionOptions: ｛maxTokens：5， topK： 3｝\n": [
        "5:31 U+FF5B",
        "5:41 U+FF1A",
        "5:43 U+FF0C",
        "5:49 U+FF1A",
        "5:52 U+FF5D",
    ],
    f"{HEAD}    contextLength: ４０９６\n": ["5:20 U+FF14"],
    f"{HEAD}    contextLength: 4096 ＃ tokens\n": ["5:25 U+FF03"],
    f"{HEAD}    roles: [chat] ＃ only\n": ["5:19 U+FF03"],
    f"＃ mine\n{HEAD}": ["1:1 U+FF03"],
    f"models:\n{ENTRY.replace('-', '－')}": ["2:3 U+FF0D"],
    f"models:\n{ENTRY.replace('-', '—')}": ["2:3 U+2014"],
    f"models:\n{ENTRY.replace('- ', '•')}": ["2:3 U+2022"],
    HEAD.replace("model:", "ｍｏｄｅｌ:"): ["4:5 U+FF4D"],
    HEAD.replace("models", "ｍodels"): ["1:1 U+FF4D"],
    HEAD.replace("model:", "model\u200b:"): ["4:10 U+200B"],
    HEAD.replace("org", "\u200borg"): ["4:12 U+200B"],
    HEAD.replace("org", "\u00a0org"): ["4:12 U+00A0"],
    HEAD.replace("    p", "\u3000\u3000p"): ["3:1 U+3000"],
    HEAD.replace("org/name", "“org/name”"): ["4:12 “ and ”"],
    HEAD.replace("org/name", "‘org/name’"): ["4:12 ‘ and ’"],
    HEAD.replace("org/name", "「org/name」"): ["4:12 「 and 」"],
    HEAD.replace("org/name", '"org/name”'): ["4:21 U+201D"],
    HEAD.replace("org/name", "org／name"): ["4:15 U+FF0F"],
    HEAD.replace("name:", "“name”:"): ["2:5 “ and ”"],
    f"{HEAD}    apiBase: https：//x.example\n": ["5:19 U+FF1A"],
    f"{HEAD}    apiKey: “hf_canary”\n": ["5:13 “ and ”"],
    f"{OPTIONS}      headers:\n        X-A：b\n": ["7:12 U+FF1A"],
    # In quotes, where no key, number or id has such a sign either.
    f'{HEAD}    apiKey: "＄｛K｝"\n': ["5:14 U+FF04", "5:15 U+FF5B", "5:17 U+FF5D"],
    f"{HEAD}    apiKey: '$｛K｝'\n": ["5:15 U+FF5B", "5:17 U+FF5D"],
    f'{HEAD}    apiKey: "“${{K}}”"\n': ["5:14 “ and ”"],
    f'{HEAD}    apiBase: "https：//x.example"\n': ["5:20 U+FF1A"],
    f'{HEAD}    roles: ["ｃhat"]\n': ["5:14 U+FF43"],
    HEAD.replace("org/name", '"org/name\u200b"'): ["4:21 U+200B"],
    HEAD.replace("org/name", '"org/name\u2028"'): ["4:21 U+2028"],
    # A quote of the one kind with one of the other, at the end of a line.
    HEAD.replace("name: m\n", 'name: "m”\n'): ["2:13 U+201D"],
    # Line breaks to YAML's parser, and to no editor.
    HEAD.replace("\n    model", "\u2028    model"): ["3:38 U+2028"],
    HEAD.replace("\n    model", "\u0085    model"): ["3:38 U+0085"],
    HEAD.replace("org/name\n", "org/name\u2029\n"): ["4:20 U+2029"],
    f"# mine\u2028\n{HEAD}": ["1:7 U+2028"],
}


@pytest.mark.parametrize("written", SLIPS)
def test_each_sign_is_named_once_by_character_and_place(
    world: World, written: str
) -> None:
    """With what to type instead, and nothing that only comes of it."""
    problems = world.problems(written)
    found = [problem.removeprefix("chosen.yaml:") for problem in problems]
    assert len(found) == len(SLIPS[written])
    for said, wanted in zip(found, SLIPS[written], strict=True):
        place, sign = wanted.split(" ", 1)
        assert said.startswith(f"{place}: ")
        assert sign in said
        assert " write " in said or "remove it" in said
        assert "canary" not in said


@pytest.mark.parametrize("value", ["https：//x.example", '"https：//x.example"'])
def test_a_colon_in_a_value_is_told_without_a_blank(world: World, value: str) -> None:
    """Written as told, the address is one."""
    (problem,) = world.problems(f"{HEAD}    apiBase: {value}\n")
    assert problem.endswith("U+FF1A (：) is a mere letter to YAML; write :")


MISSING = {
    HEAD.replace("- name", "-name"): ["2:3: put a blank after this dash"],
    f"models:\n{ENTRY.replace(': ', ':')}    env:\n      A: 1\n": [
        f"{place}: put a blank after this colon" for place in ("2:9", "3:13", "4:10")
    ],
    f'{HEAD}    apiKey:"x"\n': ["5:11: put a blank after this colon"],
    f"```yaml\n{HEAD}```\n": [
        f"{line}:1: this line belongs to the page or the chat; remove it"
        for line in (1, 6)
    ],
    f"把下面的内容复制到 config.yaml：\n\n{HEAD}": [
        "1:1: this line is no YAML; remove it, or begin it with #"
    ],
    f"Copy this into config.yaml\n{HEAD}": [
        "1:1: this line is no YAML; remove it, or begin it with #"
    ],
}


@pytest.mark.parametrize("written", MISSING)
def test_what_breaks_the_file_is_named_not_what_comes_of_it(
    world: World, written: str
) -> None:
    """A missing blank, and lines that were copied with the block."""
    problems = world.problems(written)
    assert [each.removeprefix("chosen.yaml:") for each in problems] == MISSING[written]


def test_what_else_is_wrong_is_told_too(world: World) -> None:
    """The rest is judged as it was meant."""
    first, second = world.problems(f"{HEAD}    contextLength：-1\n")
    assert "U+FF1A" in first
    assert "contextLength: expected a whole number" in second


TEXTS = """\
name: 我的“配置”，一号：好
models:
  - name: 通义（千问）：“好”
    provider: huggingfaceinferenceapi
    model: "org/name"
    sourceFile: 数据：【一】，二＃三
    chatOptions: {baseSystemMessage: 你好，世界：【好】}
    promptTemplates:
      edit: |
        注意：name：x
        “a”，\u3000\u00a0
        model：y
      apply: "name：x，
        model：y -name:x
        ``` 他说“好”
        name:x"
      autocomplete: 请续写
        provider：代码，
    defaultCompletionOptions:
      stop: ["。", "，", ：, "Q:\\n"]
    env: {A: 甲，乙}  # 注意：， “
rules:
  - Note：简洁
  - name：x
"""


def test_a_text_may_hold_any_of_them(world: World) -> None:
    """Names, prompts and comments in Chinese, and what other programs read."""
    config = world.read(TEXTS)
    assert config.warnings == ()
    (entry,) = config.entries
    assert entry.name == "通义（千问）：“好”"
    assert entry.default_completion_options.stop == ("。", "，", "：", "Q:\n")


def test_texts_are_left_where_something_else_is_wrong(world: World) -> None:
    """The same, beside a mistake of another kind."""
    problems = world.problems(
        TEXTS.replace("defaultC", "contextLength: x\n    defaultC")
    )
    assert len(problems) == 1
    assert "contextLength" in problems[0]


def test_of_many_the_first_are_told_and_the_others_counted(world: World) -> None:
    """A file that was pasted whole has one on every line."""
    lines = "".join(f"    key{n}：1\n" for n in range(100))
    problems = world.problems(HEAD + lines)
    assert len(problems) == 21
    assert problems[-1].endswith("80 more such characters follow")


def test_a_projects_file_with_such_signs_is_ours(world: World) -> None:
    """What it was meant as tells whose it is."""
    world.write(world.project_file, HEAD.replace(":", "："))
    with pytest.raises(Exception, match="U\\+FF1A"):
        world.load()


PATHS = {
    f'{OPTIONS}      caBundlePath: "C:\\Users\\me\\ca.pem"\n': ["6:21"],
    f'{OPTIONS}      caBundlePath: "C:\\temp\\new.pem"\n': ["6:21"],
    f'{OPTIONS}      caBundlePath: ["D:\\a.pem", "\\\\srv\\b.pem"]\n': ["6:22", "6:34"],
    f'{OPTIONS}      caBundlePath:\n        - "certs\\ca.pem"\n': ["7:11"],
    f'{OPTIONS}      clientCertificate: {{cert: "C:\\n.pem", key: k}}\n': ["6:33"],
    f'{HEAD}    sourceFile: "C:\\dir\\"\n': ["5:17"],
    f'{HEAD}    custom: "C:\\Users\\me"\n': ["5:13"],
    f'log:\n  path: "C:\\Users\\me\\new.log"\n{HEAD}': ["2:9"],
}


@pytest.mark.parametrize("written", PATHS)
def test_a_path_of_windows_in_double_quotes_is_told(world: World, written: str) -> None:
    """Whether its backslashes make no escape, or make a tab in silence."""
    problems = world.problems(written)
    assert [":".join(each.split(":")[1:3]) for each in problems] == PATHS[written]
    for problem in problems:
        assert "put the path in single quotes, or write / instead" in problem


@pytest.mark.parametrize(
    "written",
    [
        f"{OPTIONS}      caBundlePath: 'C:\\temp\\new.pem'\n",
        f'{OPTIONS}      caBundlePath: "C:\\\\temp\\\\new.pem"\n',
        f'{OPTIONS}      caBundlePath: "C:/temp/new.pem"\n',
        f"{OPTIONS}      caBundlePath: C:\\temp\\new.pem\n",
        f'{HEAD}    defaultCompletionOptions: {{stop: ["Q:\\n", "A:\\t"]}}\n',
        f'{HEAD}    promptTemplates: {{edit: "\\\\d+ \\\\w"}}\n',
    ],
)
def test_a_backslash_that_is_meant_is_left(world: World, written: str) -> None:
    """Doubled, in single quotes, or the end of a line in a text."""
    assert world.read(written).warnings == ()


@pytest.mark.parametrize("value", ["%MY_KEY%", "{{ MY_KEY }}", "{{MY_KEY}} # mine"])
def test_a_variable_that_breaks_the_yaml_is_named_all_the_same(
    world: World, value: str
) -> None:
    """Plain, a percent sign begins a directive and two braces a mapping."""
    (problem,) = world.problems(f"{HEAD}    apiKey: {value}\n")
    assert problem.startswith("chosen.yaml:5:13: models[0].apiKey: expected ${MY_KEY}")


def test_a_template_in_another_place_stays_an_error(world: World) -> None:
    """Only what can be meant as a variable is read as one."""
    (problem,) = world.problems(f"{HEAD}    sourceFile: {{{{ X }}}}\n")
    assert "a key must be a word" in problem


@pytest.mark.measured
@pytest.mark.parametrize(
    "text",
    [
        "：" * 80_000,
        "model: " + "“" * 80_000,
        "roles: [" + "，" * 80_000,
        "roles: [" + '"a”，' * 20_000,
        "a: [" + "｛" * 80_000,
        "－" * 80_000,
        "apiKey: {{" + " " * 200_000,
        "apiKey: '$" + " " * 200_000 + "'",
        "a：1\n" * 20_000,
        '"C:\\' * 50_000,
    ],
    ids=range(10),
)
def test_a_text_of_such_signs_is_read_quickly(world: World, text: str) -> None:
    """No pattern slows down with what a stranger can make large."""
    world.problems("a: 1")
    begin = time.process_time()
    world.problems(text)
    assert time.process_time() - begin < 1
