"""A value that came from a variable is shown by its name, wherever it goes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.cli.config_text import config_object, config_text
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    ConfigInvalid,
    UntrustedProject,
)
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import MASK, Secret, mark, redact
from bytebuddy_provider_hf.texts import LocalizedText, text

HOST = "Tenant-Canary.example"
ENV = {
    "NAME": "canary-name",
    "MODEL": "canary/model",
    "SHORT": "gpt2",
    "HOST": HOST,
    "BASE": f"https://{HOST}:443/v1",
    "USER_ID": "canary-user",
    "TEMP": "0.125",
    "STOP": "canary-stop",
}
FILE = """\
models:
  - name: ${NAME}
    provider: huggingfaceinferenceapi
    model: ${MODEL}
    apiBase: https://${HOST}/v1
    family: ${SHORT}
    capabilities: ["${SHORT}", tool_use]
    defaultCompletionOptions: {temperature: "${TEMP}", stop: ["${STOP}", plain]}
    requestOptions: {extraBodyProperties: {user: "of ${USER_ID}", d: {a: ["${SHORT}"]}}}
"""


def hidden(shown: str) -> bool:
    return "canary" not in shown.lower() and "gpt2" not in shown


def test_the_repr_of_an_entry_and_of_a_list_of_them_shows_names(world: World) -> None:
    """Also of numbers and short words, which nothing else would tell from others."""
    entry = world.read(FILE, ENV).entries[0]
    for shown in (repr(entry), f"{[entry]}", f"{ {'a': entry} }"):
        assert hidden(shown)
        assert "0.125" not in shown
        for name in ("NAME", "MODEL", "HOST", "SHORT", "TEMP", "STOP", "USER_ID"):
            assert f"${{{name}}}" in shown
        assert "'plain'" in shown
        assert "'of ${USER_ID}'" in shown
    # What is shown is not what is sent.
    assert entry.model == "canary/model"
    assert entry.default_completion_options.temperature == 0.125


@pytest.mark.parametrize("base", ["https://${HOST}/v1", "${BASE}"])
def test_the_origin_of_an_address_is_shown_by_the_variables_name(
    world: World, base: str
) -> None:
    """In lower case, without its port and path, it is still what the variable holds."""
    text_ = FILE.replace("https://${HOST}/v1", base).replace(
        "requestOptions: {", "requestOptions: {verifySsl: false, "
    )
    config = world.read(text_, ENV)
    registry = ModelRegistry(config, discover(env={}), home=world.home, env={})
    said = [str(warning) for warning in registry.warnings]
    assert any("verifySsl is false" in each for each in said)
    assert all(map(hidden, said))
    assert hidden(str(ByteBuddyError(f"https://{HOST.lower()}/v1/models: refused")))
    assert f"${{{base[2:6] if base[0] == '$' else 'HOST'}}}" in "".join(said)


def test_a_path_from_a_variable_leaves_the_origin_as_it_is(world: World) -> None:
    """Only what came from a variable is hidden."""
    world.read(FILE.replace("${HOST}/v1", "open.example/${USER_ID}/v1"), ENV)
    error = ByteBuddyError("https://open.example/canary-user/v1 refused")
    assert str(error) == "https://open.example/${USER_ID}/v1 refused"


def test_errors_of_a_file_and_of_opening_show_names(world: World) -> None:
    """A misspelled provider, and an untrusted project's entry."""
    world.env.update(ENV)
    world.write(world.user_file, FILE.replace("huggingfaceinferenceapi", "${USER_ID}"))
    registry = ModelRegistry.load(cwd=world.project, home=world.home, env=world.env)
    with pytest.raises(ByteBuddyError) as caught:
        registry["canary-name"]
    assert hidden(f"{caught.value} {caught.value!r} {caught.value.args}")
    with pytest.raises(ConfigInvalid) as invalid:
        world.read(FILE.replace("${TEMP}", "${USER_ID}"))
    assert hidden(f"{invalid.value} {invalid.value.problems}")
    world.store.allow(world.project, "NAME")
    world.write(
        world.project_file,
        "models:\n  - name: p\n    provider: huggingfaceinferenceapi\n"
        "    model: a/b\n    apiKey: ${HF_TOKEN}\n    apiBase: https://x.example\n",
    )
    registry = ModelRegistry.load(
        cwd=world.project, home=world.home, env={**ENV, "HF_TOKEN": "canary-token"}
    )
    with pytest.raises(UntrustedProject) as refused:
        registry["p"]
    assert hidden(str(refused.value))


def test_config_show_and_its_json_show_what_is_written(world: World) -> None:
    """A number and a short name too; so it is a configuration again."""
    config = world.read(FILE, ENV)
    shown = config_text(config, {})
    assert hidden(shown)
    assert "temperature: ${TEMP}" in shown
    assert "model: ${MODEL}" in shown
    as_json = json.dumps(config_object(config, {}))
    assert hidden(as_json)
    assert "0.125" not in as_json


def test_values_of_the_top_level_keep_their_mark(world: World) -> None:
    """Where an entry says the same itself, it is the entry's."""
    text_ = (
        'requestOptions: {timeout: "${TEMP}", extraBodyProperties: {u: "${SHORT}"}}\n'
        "models:\n  - {name: a, provider: p, model: m}\n"
        "  - {name: b, provider: p, model: m, requestOptions: {timeout: 0.125}}\n"
    )
    first, second = world.read(text_, ENV).entries
    assert "timeout='${TEMP}'" in repr(first)
    assert "'u': '${SHORT}'" in repr(first)
    assert "timeout=0.125" in repr(second)


def test_a_line_of_the_log_shows_names(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a module logs goes through one formatter."""
    from bytebuddy_provider_hf.logs.line_format import LineFormatter

    world.read(FILE, ENV)
    record = logging.LogRecord(
        "x", logging.WARNING, "f", 1, "%s at %s", ("canary/model", HOST), None
    )
    assert hidden(LineFormatter().format(record))


def test_an_error_that_hides_a_value_can_be_said_in_chinese() -> None:
    """The row stays, with the name in the place of the value."""
    mark(Secret("canary-value"), "${V}")
    error = ByteBuddyError(text("config.no_file", path="/x/canary-value"))
    assert isinstance(error.message, LocalizedText)
    assert "${V}" in error.message.render("zh")
    assert "canary" not in error.message.render("zh")


def test_the_longest_value_is_hidden_first_and_short_ones_are_words() -> None:
    """Else a part of it would be left."""
    for value, name in (("abcdefgh", "A"), ("abcdefghij", "B"), ("ollama", "C")):
        mark(Secret(value), f"${{{name}}}")
    assert redact("abcdefghij abcdefgh ollama") == "${B} ${A} ollama"
    assert redact(f"{MASK}") == MASK
