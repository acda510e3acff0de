"""Help and usage errors in Chinese say what the English ones say."""

from __future__ import annotations

import ast
import functools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from cli.process import Run
from click.testing import CliRunner
from rich.cells import cell_len
from two_languages import CHINESE, copied, names, numbers, quoted

from bytebuddy_provider_hf.cli.exit_codes import MEANINGS
from bytebuddy_provider_hf.cli.language import asked_language
from bytebuddy_provider_hf.cli.localized_help import (
    help_table,
    in_chinese,
    long_name,
    said,
)
from bytebuddy_provider_hf.cli.root import COMMANDS, cli
from bytebuddy_provider_hf.cli.wrapping import _CLOSING

# Tables that belong to no command.
SHARED = {"words", "metavars", "sentences", "exit_codes", "options"}
PROGRAM = "bytebuddy-hf"


class Page(NamedTuple):
    """A command, how it is called, and click's context of its parents."""

    path: str
    command: click.Command
    ctx: click.Context

    @property
    def arguments(self) -> list[str]:
        return self.path.split()

    @property
    def options(self) -> dict[str, click.Option]:
        """Those that help shows."""
        return {
            long_name(each): each
            for each in self.command.params
            if isinstance(each, click.Option) and not each.hidden
        }

    @property
    def beside(self) -> list[str]:
        """What stands beside the lines of the epilog."""
        epilog = self.command.epilog or ""
        found = re.findall(r"^ *\S.*? {2,}(\S.*)$", epilog, re.MULTILINE)
        return [str(each) for each in found]

    @property
    def examples(self) -> list[str]:
        """What the epilog tells to type, without what it is beside."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.command.epilog or "")
        lines = [re.split(r" {3,}", each.strip())[0] for each in joined.splitlines()]
        return [each for each in lines if each.startswith(PROGRAM) or "|" in each]


@functools.cache
def pages() -> tuple[Page, ...]:
    root = click.Context(cli, info_name=PROGRAM)
    return tuple(_below(Page("", cli, root)))


def _below(page: Page) -> Iterator[Page]:
    yield page
    if isinstance(page.command, click.Group):
        for name in page.command.list_commands(page.ctx):
            found = page.command.get_command(page.ctx, name)
            assert found is not None
            ctx = click.Context(found, info_name=name, parent=page.ctx)
            yield from _below(Page(f"{page.path} {name}".strip(), found, ctx))


# Of the table, as reading it imports no command; a test compares it with those.
PATHS = [path for path in help_table() if path not in SHARED]


def page_of(path: str) -> Page:
    return next(each for each in pages() if each.path == path)


def short_of(page: Page) -> str:
    if page.path in COMMANDS:
        return COMMANDS[page.path][2]
    return page.command.get_short_help_str(1000) if page.path else ""


def shown(*arguments: str, width: int = 80, lang: str = "zh") -> str:
    ran = CliRunner().invoke(
        cli,
        [*arguments, "--help", "--lang", lang],
        prog_name=PROGRAM,
        terminal_width=width - 2,
    )
    assert ran.exit_code == 0
    return ran.output


def same(english: str, chinese: str) -> None:
    """Compare what a reader copies or looks up."""
    assert CHINESE.search(chinese), chinese
    for told in (copied, numbers, names, quoted):
        assert told(english) == told(chinese), (english, chinese)


@pytest.mark.parametrize("path", PATHS)
def test_a_command_has_all_its_help_in_chinese(path: str) -> None:
    """The same names, numbers, links and quoted words; and no row is left over."""
    page, row = page_of(path), help_table()[path]
    assert page.command.help
    same(page.command.help, row["help"])
    # An emphasised list keeps its lines: as many as in English.
    assert page.command.help.count("\b") == row["help"].count("\b")
    if path:
        same(short_of(page), row["short"])
    beside: dict[str, str] = row.get("beside", {})
    assert set(page.beside) == set(beside)
    for english, chinese in beside.items():
        same(english, chinese)
    own: dict[str, str] = row.get("options", {})
    said_by = {name: each.help or "" for name, each in page.options.items()}
    said_by.pop("--version", None)
    assert own.keys() <= said_by.keys()
    for name, english in said_by.items():
        same(english, own.get(name) or help_table()["options"][name])
    assert row.keys() <= {"short", "help", "options", "beside"}


def test_the_table_has_a_row_for_each_command_and_none_beside() -> None:
    """Nothing is left over of a command that is gone."""
    assert {page.path for page in pages()} == set(PATHS)
    assert set(PATHS) >= COMMANDS.keys()
    codes = help_table()["exit_codes"]
    assert list(codes) == [str(int(code)) for code in MEANINGS]
    for code, english in MEANINGS.items():
        same(english, codes[str(int(code))])


def test_options_that_share_a_sentence_share_it_in_english() -> None:
    """Else a new option of an old name would be explained as the old one."""
    english: dict[str, set[str]] = {}
    for page in pages():
        own = help_table()[page.path].get("options", {})
        for name, option in page.options.items():
            if name not in own and name != "--version":
                english.setdefault(name, set()).add(option.help or "")
    assert {name for name, said_by in english.items() if len(said_by) > 1} == set()
    assert set(english) == set(help_table()["options"])


# What is no sentence: what is copied or quoted, names, options, files and the like.
NO_SENTENCE = re.compile(
    r"`[^`]*`|\"[^\"]*\"|'[^']*'|\[[^\]]*\]"
    r"|Hugging Face|SEARCH/REPLACE|aider|Cline|Gemma 3 270M|JSON schema"
)
ENGLISH = re.compile(r"(?<![-\w])[A-Za-z]['A-Za-z]*(?:[ ,]+[A-Za-z]['A-Za-z]*)+")


@pytest.mark.parametrize("path", PATHS)
def test_no_english_sentence_is_left(path: str) -> None:
    """Names, metavars and examples stay; two English words in a row are a sentence."""
    page = page_of(path)
    lines = shown(*page.arguments, width=160).splitlines()
    kept = [each for each in lines if PROGRAM not in each and "  -m " not in each]
    left: list[str] = []
    for line in NO_SENTENCE.sub("·", "\n".join(kept)).splitlines():
        # The name of an option and what it takes stand before the gap, or alone.
        name, _, meaning = line.strip().partition("  ")
        left += ENGLISH.findall(meaning or ("" if name.startswith("-") else name))
    assert left == []


@pytest.mark.parametrize("width", [50, 80, 160])
@pytest.mark.parametrize("path", PATHS)
def test_help_fits_the_terminal(path: str, width: int) -> None:
    """By cells, with no mark at a line's begin that ends a phrase; code is not cut."""
    page = page_of(path)
    commands = {line.strip() for line in (page.command.epilog or "").splitlines()}
    for line in shown(*page.arguments, width=width).splitlines():
        words = line.strip()
        # A command may be longer than a terminal of 50; its explanation is below it.
        is_command = any(each.startswith(words) for each in commands if words)
        assert is_command or cell_len(line) <= width, line
        assert not words.startswith(tuple(_CLOSING)), line


@pytest.mark.parametrize("path", PATHS)
def test_the_commands_of_examples_are_the_same(path: str) -> None:
    """And each command shows at least one."""
    page = page_of(path)
    translated = in_chinese(page.command, path)
    assert Page(path, translated, page.ctx).examples == page.examples
    assert page.examples
    head = (translated.epilog or "").splitlines()[1]
    assert head in {"示例：", "开始使用："} or path == "config path"


@pytest.mark.parametrize("path", PATHS)
def test_an_example_is_a_command_that_there_is(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its options and arguments are read without complaint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.gguf").touch()
    for example in page_of(path).examples:
        typed = shlex.split(example)
        for at in (at for at, word in enumerate(typed) if word == PROGRAM):
            ends = [n for n, w in enumerate(typed) if n > at and w in {"|", "<", ">"}]
            command: click.Command = cli
            words = typed[at + 1 : min(ends, default=len(typed))]
            ctx = cli.make_context(PROGRAM, list(words))
            with ctx:
                while isinstance(command, click.Group) and words:
                    name, *words = words
                    found = command.get_command(ctx, name)
                    assert found is not None, example
                    command = found
                    ctx = command.make_context(name, list(words), parent=ctx)
                    words = [] if not isinstance(command, click.Group) else words


def test_an_option_says_what_it_does() -> None:
    """Each that is shown, in a sentence."""
    for page in pages():
        for option in page.options.values():
            assert option.help, (page.path, option.name)
            assert option.help.endswith((".", "…")), option.help


@pytest.mark.parametrize(
    ("arguments", "lang"),
    [
        (["--lang", "zh", "chat"], "zh"),
        (["chat", "hi", "--lang=zh"], "zh"),
        (["--lang", "en", "chat", "--lang", "zh"], "zh"),
        (["chat", "--lang", "zh", "--lang=en"], "en"),
        (["chat", "--", "--lang", "zh"], None),
        (["chat", "--lang", "fr"], None),
        (["chat", "--lang"], None),
        (["chat", "zh", "--lang="], None),
        ([], None),
    ],
)
def test_the_language_is_asked_for_anywhere(
    arguments: list[str], lang: str | None
) -> None:
    """Before or after the command, the last one counts; ``--`` ends the options."""
    assert asked_language(arguments) == lang


def test_help_is_chinese_wherever_lang_stands(run: Run) -> None:
    """And where the locale or the variable says so."""
    asked = (
        run("chat", "--help", "--lang", "zh"),
        run("chat", "--lang=zh", "--help"),
        run("--lang", "zh", "chat", "--help"),
        run("chat", "--help", BYTEBUDDY_LANG="zh"),
    )
    assert {each.out for each in asked} == {asked[0].out}
    assert asked[0].out.startswith(f"用法：{PROGRAM} chat [选项] [PROMPT]\n")
    assert run("chat", "--help", "--lang", "en", BYTEBUDDY_LANG="zh").out.startswith(
        f"Usage: {PROGRAM} chat [OPTIONS] [PROMPT]\n"
    )


def test_chinese_help_leaves_the_english_alone() -> None:
    """A program may run commands in both languages."""
    before = shown("models", "search", lang="en")
    assert "用法" in shown("models", "search")
    assert shown("models", "search", lang="en") == before


USAGE_ERRORS = {
    "没有选项 '--modle'。是否想输入 '--model'？": ["chat", "--modle", "x"],
    "没有选项 '--xyzzy'。": ["chat", "--xyzzy"],
    "选项 '-m' 需要一个值。": ["chat", "-m"],
    "选项 '--debug' 不带值。": ["chat", "--debug=yes"],
    "缺少参数 'FILE'。": ["edit", "-i", "x"],
    "缺少选项 '-i' / '--instruction'。": ["edit", "app.py"],
    "'--top-k' 的值无效：-1 不在范围 x>=0 内。": ["chat", "--top-k", "-1", "x"],
    "'--top-k' 的值无效：'x' 不是有效的整数。": ["chat", "--top-k", "x"],
    "'--seed' 的值无效：'x' 不是有效的整数。": ["edit", "a", "--seed", "x"],
    "'--timeout' 的值无效：'soon' 不是有效的数字。": ["chat", "--timeout", "soon"],
    "'--lang' 的值无效：'fr' 不是 'en', 'zh' 之一。": ["chat", "--lang", "fr"],
    "多出了参数（there）": ["chat", "hi", "there"],
    "多出了参数（you there）": ["chat", "hi", "you", "there"],
    "没有命令 'shwo'。是否想输入 'show'？": ["config", "shwo"],
    "没有命令 'xyzzy'。": ["config", "xyzzy"],
    "没有命令“chta”。是否想输入“chat”？": ["chta"],
    "缺少命令。": ["--debug"],
    "'--gguf' 的值无效：文件 'none.gguf' 不存在。": ["demo", "--gguf", "none.gguf"],
    "'--gguf' 的值无效：文件 '.' 是目录。": ["demo", "--gguf", "."],
    "'--parameters' 的值无效：这里需要 JSON 对象，例如 {\"top_k\": 3}": [
        *("task", "x", "y", "--parameters", "[]"),
    ],
    "指令为空：请用 -i 说明要改什么": ["edit", "app.py", "-i", " "],
}


@pytest.mark.parametrize(("told", "arguments"), USAGE_ERRORS.items())
def test_wrong_usage_is_said_in_chinese(told: str, arguments: list[str]) -> None:
    """First what is wrong, then where to read more; with code 2."""
    asked = {"BYTEBUDDY_LANG": "zh"}
    ran = CliRunner().invoke(cli, arguments, prog_name=PROGRAM, env=asked)
    assert (ran.exit_code, ran.stdout) == (2, "")
    error, hint = ran.stderr.splitlines()
    assert error == f"错误：{told}"
    assert re.fullmatch(rf"  用法请见：`{PROGRAM}[a-z ]* --help`", hint)


def test_a_process_says_wrong_usage_in_chinese(run: Run) -> None:
    """On stderr, and with code 2, also where the language is asked for too late."""
    ran = run("chat", "--modle", "x", "--lang", "zh")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "错误：没有选项 '--modle'。是否想输入 '--model'？\n"
        f"  用法请见：`{PROGRAM} chat --help`\n"
    )


def test_a_missing_argument_is_help(run: Run) -> None:
    """``explain`` and the program alone show their help, in Chinese too."""
    for ran in (run(BYTEBUDDY_LANG="zh"), run("explain", BYTEBUDDY_LANG="zh")):
        told = ran.out + ran.err
        assert told.startswith("用法：")
        assert "Usage" not in told


def test_wrong_usage_in_json_stays_english(run: Run) -> None:
    """As every message that a program reads."""
    ran = run("chat", "--top-k", "x", "--json", "--lang", "zh")
    message = json.loads(ran.out)["error"]["message"]
    assert message == "Invalid value for '--top-k': 'x' is not a valid integer range."


# What click says only of programs that are wrong, or of what this one does not use.
NOT_SAID = re.compile(
    r"deprecat|Deprecat|Name '|Boolean option|Could not determine|No options defined"
    r"|Arguments take|env var|\(dynamic\)|Choice\(|format|UUID|Invalid start"
    r"|unknown error|Could not open|Missing \{|Missing parameter:|Aborted|Positional"
)
# Words that are a part of a sentence there and of a whole one in the table.
PARTS = {
    "Did you mean {possibility}?": "{message} Did you mean {possibility}?",
    "(Did you mean one of: {possibilities}?)": (
        "{message} (Did you mean one of: {possibilities}?)"
    ),
    "(Possible options: {possibilities})": (
        "{message} (Possible options: {possibilities})"
    ),
    **{
        f"Missing {kind}": f"Missing {kind} {{hint}}."
        for kind in ("argument", "option")
    },
    "Missing parameter": "Missing parameter {hint}.",
    "Usage:": "Usage",
    "file": "File",
    "directory": "Directory",
    "path": "Path",
}
# What the facts are called there.
FACTS = {
    "{name} {filename}": "{kind} {filename}",
    "{number_type}": "{kind}",
    "valid boolean.": "valid {kind}.",
    "{len_type}": "{kind}",
    "{len_value}": "{count}",
}


def test_all_that_click_may_say_is_in_the_table() -> None:
    """Of the click that is installed: a new version may have new sentences."""
    folder = Path(click.__file__).parent
    known = {*help_table()["words"], *help_table()["sentences"]}
    lost = {
        sentence
        for name in ("core", "exceptions", "formatting", "parser", "types")
        for sentence in _sentences(ast.parse((folder / f"{name}.py").read_text()))
        if sentence not in known and not NOT_SAID.search(sentence)
    }
    assert lost == set()


def _sentences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"_", "ngettext"}:
            for each in node.args[: 1 if ast.unparse(node.func) == "_" else 2]:
                if isinstance(each, ast.Constant):
                    english = str(each.value).replace("!r}", "}")
                    for theirs, ours in FACTS.items():
                        if "Recognized" not in english:
                            english = english.replace(theirs, ours)
                    yield PARTS.get(english, english)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("No such option: --modle Did you mean --model?", None),
        (
            "Missing option '--x'. Choose from:\n\ta,\n\tb",
            "缺少选项 '--x'。可选：\n\ta,\n\tb",
        ),
        ("'x' is not 'y'.", "'x' 不是 'y'。"),
        ("Got unexpected extra argument (integer)", "多出了参数（integer）"),
        ("what nobody said before", "what nobody said before"),
    ],
)
def test_a_sentence_of_click_is_found(english: str, chinese: str | None) -> None:
    """Also one of click 8.1; what is not known stays, and what was typed does."""
    assert said(english) == (chinese or "没有选项 --modle。是否想输入 --model？")


def test_a_sentence_has_the_facts_of_the_english() -> None:
    """A fact too few would be lost."""
    sentences: dict[str, Any] = help_table()["sentences"]
    for english, chinese in sentences.items():
        for told in (copied, numbers):
            assert told(english) == told(chinese), english
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", chinese)
