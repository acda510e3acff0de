"""A command speaks of its options, a program's call of its parameters."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.cli.root import COMMANDS, cli
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import rows_of

ASKING = ("chat", "hi", "-m", "org/name")
TOKEN = {"HF_TOKEN": "hf_test_key"}
# What a call of the Python interface may say; the other rooms are of commands.
ROOMS = (
    *("address", "answer", "cache", "calls", "fallbacks", "prompts", "roles"),
    *("scheduling", "sync", "wire"),
)


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
    for room in ROOMS:
        for name, row in rows_of(room).items():
            plain = re.sub(r"`[^`]*`", "", row["en"])
            # hf jobs has an option of that name.
            found = {*re.findall(r"--[a-z-]+", plain)} - {"--timeout"}
            assert not found & options, (room, name)
