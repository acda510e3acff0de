"""A command speaks of its options, a program's call of its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from attrs import frozen
from click.testing import CliRunner

import bytebuddy_provider_hf
from bytebuddy_provider_hf import open_model, sync
from bytebuddy_provider_hf.cli.root import COMMANDS, cli
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.config import values
from bytebuddy_provider_hf.config.schema import KEYS
from bytebuddy_provider_hf.errors import ContextTooLong, InvalidOption
from bytebuddy_provider_hf.failures.next_steps import steps_of
from bytebuddy_provider_hf.failures.table import failure_table, row_of
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.texts import (
    in_file,
    key_of,
    option_name,
    render,
    rows_of,
    text,
)
from bytebuddy_provider_hf.types import CompletionOptions

ASKING = ("chat", "hi", "-m", "org/name")
TOKEN = {"HF_TOKEN": "hf_test_key"}
# What is said of the file, by commands, or to the authors of providers.
OF_THE_FILE = frozenset(
    {"cli", "config", "doctor", "explain", "kit", "logs", "models", "trust", "usage"}
)
TEXTS = Path(bytebuddy_provider_hf.__file__).parent / "data" / "texts"
ROOMS = sorted({path.stem for path in TEXTS.glob("*.toml")} - OF_THE_FILE)
OPTION = re.compile(r"\{option:([\w.]+)\}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--timeout", "inf"), "--timeout takes a number above 0"),
        (("--temperature", "nan"), "--temperature takes a number from 0 to 2"),
        (("--top-p", "nan"), "--top-p takes a number from 0 to 1"),
        (("--repetition-penalty", "nan"), "--repetition-penalty takes a number"),
        (("--stop", ""), "--stop takes a list of texts"),
    ],
)
def test_a_command_names_its_option(arguments: tuple[str, ...], said: str) -> None:
    """As it is written on the line, in both languages and in JSON."""
    for more in ((), ("--lang", "zh"), ("--json",)):
        done = CliRunner().invoke(cli, [*ASKING, *arguments, *more], env=TOKEN)
        assert done.exit_code == 2
        shown = done.output
        assert (said if "zh" not in more else f"{arguments[0]} 必须是") in shown


def test_a_call_names_its_parameter() -> None:
    """As it is written in Python."""
    model = open_model("org/name", api_key="hf_test_key", env={})
    for given, said in (
        ({"max_tokens": 0}, "max_tokens takes"),
        ({"repetition_penalty": 0}, "repetition_penalty takes"),
        ({"stop": [""]}, "stop takes"),
        ({"timeout": -1}, "timeout takes"),
    ):
        with pytest.raises(InvalidOption, match=said) as caught:
            model.chat("hi", **given)  # type: ignore[arg-type]  # wrong on purpose
        assert "--" not in str(caught.value)


def test_no_call_speaks_of_an_option_of_a_command() -> None:
    """Unless as a whole command to run, in backquotes."""
    options = {
        option
        for name in COMMANDS
        for option in re.findall(
            r"--[a-z-]+", CliRunner().invoke(cli, [name, "--help"]).output
        )
    }
    assert "--max-tokens" in options
    for name, said in api_texts():
        # llama.cpp and hf jobs have options of these names.
        found = {*re.findall(r"--[a-z-]+", re.sub(r"`[^`]*`", "", said))}
        assert not (found - {"--timeout"}) & options, name


def api_texts() -> Iterator[tuple[str, str]]:
    """Yield each sentence that a call of the Python interface may say, as it stands."""
    for room in ROOMS:
        for name, row in rows_of(room).items():
            yield from ((f"{room}.{name}", said) for said in row.values())
    for name, row in failure_table().rows.items():
        for words in (row.en, row.zh):
            steps = (each for alternatives in words.steps for each in alternatives)
            for said in (words.title, words.meaning, words.lead, *words.hint, *steps):
                yield name, said


def known_options() -> set[str]:
    """Return the options that a program gives: to a call, or in a value for one."""
    found = {*inspect.signature(open_model).parameters}
    for name in ("chat", "complete", "fill", "edit", "apply", "embed", "rerank"):
        found |= {*inspect.signature(getattr(HuggingFaceModel, name)).parameters}
    for kind in (
        *(CompletionOptions, values.ModelEntry, values.RequestOptions),
        *(values.EmbedOptions, values.ClientCertificate, values.PromptTemplates),
    ):
        found |= {each.name for each in attrs.fields(kind)}
    return found


def test_no_call_speaks_of_a_key_of_the_file() -> None:
    """It names what a program gives; but for a sentence that is about a file."""
    keys = {key.name for key in KEYS if re.search("[A-Z]", key.name)}
    assert {"maxTokens", "apiBase", "firstByteTimeout"} <= keys
    pattern = re.compile(rf"(?<![A-Za-z])({'|'.join(keys)})(?![A-Za-z])")
    wrong = {
        (name, *pattern.findall(said))
        for name, said in api_texts()
        if pattern.search(said) and not re.search("file|文件", said)
    }
    assert wrong == set()


def test_an_option_of_a_sentence_is_one_of_the_interface() -> None:
    """It exists in Python, and in the file by the name that is made of it."""
    known, keys = known_options(), {key.name for key in KEYS}
    named = {each for _, said in api_texts() for each in OPTION.findall(said)}
    assert {"max_tokens", "api_base", "request_options.proxy"} <= named
    for option in named:
        for name in option.split("."):
            assert name in known, option
            assert key_of(name) in keys | {"key", "headers"}, option
    for room in OF_THE_FILE:
        for name, row in rows_of(room).items():
            assert not OPTION.search(row["en"]), (room, name)


def test_a_sentence_is_spelled_for_who_reads_it() -> None:
    """One row, and the facts in it too: as ``str`` it is Python's."""
    note = text("wire.sent_as_highest", key=option_name("top_k"), nearest="5")
    assert "top_k" in note
    assert "topK" in render(note, "en", in_file)
    assert "topK" in render(note, "zh", in_file)
    (step, *_) = steps_of(row_of(ContextTooLong), {})
    assert "(max_tokens)" in step
    assert "（maxTokens）" in render(step, "zh", in_file)


@frozen
class Asking:
    """A hub, its address, and the file that names it."""

    hub: FakeHub
    base: str
    config: Path


@pytest.fixture
def asking(hub: FakeHub, base: str, tmp_path: Path) -> Asking:
    return Asking(hub, base, tmp_path / "c.yaml")


ENTRY = """\
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: BASE
    defaultCompletionOptions: OPTIONS
"""


@pytest.mark.parametrize(
    ("options", "arguments", "said"),
    [
        (
            "{reasoningBudgetTokens: 5}",
            ("--reasoning-budget", "6"),
            "--reasoning-budget",
        ),
        ("{}", ("--reasoning-budget", "5"), "--reasoning-budget"),
        ("{reasoningBudgetTokens: 5}", (), "reasoningBudgetTokens"),
        # No command has an option for these.
        ("{keepAlive: 5}", (), "keepAlive"),
        ("{promptCaching: true}", (), "promptCaching"),
    ],
)
def test_a_note_names_the_key_where_the_file_says_it(
    tmp_path: Path, base: str, options: str, arguments: tuple[str, ...], said: str
) -> None:
    """The command's own option where that was given; in JSON as well."""
    config = tmp_path / "c.yaml"
    config.write_text(ENTRY.replace("OPTIONS", options).replace("BASE", base))
    call = ["chat", "hi", "--config", str(config), *arguments]
    for more, shown in (
        ((), f"{said} is not sent"),
        (("--lang", "zh"), f"未发送 {said}："),
        (("--json",), f'"{said} is not sent'),
    ):
        done = CliRunner().invoke(cli, [*call, *more], env=TOKEN)
        assert done.exit_code == 0, done.output
        assert shown in done.output


TOO_LONG = {"error": {"code": "context_length_exceeded", "message": "too long"}}


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ("{}", "", "--max-tokens"),
        ("{maxTokens: 9}", "", "maxTokens"),
        ("{maxTokens: 9}", "--max-tokens=8", "--max-tokens"),
    ],
)
def test_a_hint_names_what_its_reader_would_change(
    asking: Asking, options: str, given: str, said: str
) -> None:
    """On the line, or in the file; a program reads what it gives itself."""
    base, config = asking.base, asking.config
    asking.hub.set("org/name", Behaviour(always=json_reply(TOO_LONG, status=400)))
    config.write_text(ENTRY.replace("OPTIONS", options).replace("BASE", base))
    call = ["chat", "hi", "--config", str(config), *filter(None, [given])]
    for more in ((), ("--lang", "zh"), ("--json",)):
        done = CliRunner().invoke(cli, [*call, *more], env=TOKEN)
        assert done.exit_code != 0
        # The Chinese has brackets of its own.
        plain = done.output.replace("（", "(").replace("）", ")")
        assert f"({said})" in plain
    with (
        sync.open_model("org/name", api_base=base, env={}) as model,
        pytest.raises(ContextTooLong) as caught,
    ):
        model.chat("hi")
    assert "(max_tokens)" in str(caught.value)
    assert "(max_tokens)" in (caught.value.hint or "")


def test_a_server_named_on_the_line_is_named_so(asking: Asking) -> None:
    """``--base`` where that was given, ``apiBase`` where an entry was asked."""
    base, config = asking.base, asking.config
    gone = Behaviour(always=json_reply({"detail": "Not Found"}, status=404))
    asking.hub.set("org/name", gone)
    config.write_text(ENTRY.replace("OPTIONS", "{}").replace("BASE", base))
    for arguments, said in (
        (("--base", base, "-m", "org/name"), "Check --base"),
        (("--config", str(config)), "Check apiBase"),
    ):
        done = CliRunner().invoke(cli, ["chat", "hi", *arguments], env=TOKEN)
        assert said in done.output
