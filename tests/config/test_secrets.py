"""What a configuration's errors, warnings and values show: never a secret."""

from __future__ import annotations

import traceback

import pytest
from config_world import World

from bytebuddy_provider_hf.errors import ConfigInvalid

HEAD = "models:\n  - name: m\n    provider: p\n    model: org/m\n"

SECRETS = """\
models:
  - name: m
    provider: p
    model: org/m
    apiKey: {key}
    apiBase: "https://user:sk-canary@host/"
    env: {env}
    requestOptions:
      proxy: {key}
      headers: {headers}
      clientCertificate: {{cert: c, key: k, passphrase: {key}}}
    defaultCompletionOptions: {{temperature: hf_canaryCANARYcanary}}
"""


@pytest.mark.parametrize(
    "key",
    [
        "[sk-canary]",
        "{a: sk-canary}",
        '"sk-canary\\nx"',
        "{apiKey:sk-canary}",
        "sk-canary",
    ],
)
@pytest.mark.parametrize(
    "env", ["sk-canary", "[sk-canary]", "{a: [sk-canary]}", "{a: {b: sk-canary}}"]
)
@pytest.mark.parametrize(
    "headers",
    [
        "sk-canary",
        "[sk-canary]",
        "{a: [sk-canary]}",
        '{a: "sk-canary\\n"}',
        '{"a:sk-canary": 1}',
    ],
)
def test_no_error_shows_a_secret(
    world: World, key: str, env: str, headers: str
) -> None:
    """Not in problems, not in ``str``, not in a traceback that shows locals."""
    text = SECRETS.format(key=key, env=env, headers=headers)
    path = world.write(world.machine / "chosen.yaml", text)
    world.env["HF_API_KEY"] = "sk-canary"
    world.write(world.home / ".bytebuddy/.env", "OTHER=sk-canary\n")
    with pytest.raises(ConfigInvalid) as caught:
        world.load(path)
    error = caught.value
    shown = [str(error), repr(error), *error.problems, str(error.args)]
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [
        frame for frame in trace.stack if "/bytebuddy_provider_hf/" in frame.filename
    ]
    assert ours
    shown += [f"{frame.locals}" for frame in ours]
    assert "canary" not in "".join(shown).lower().replace("hf_**********", "")
    assert error.__context__ is None
    assert error.__cause__ is None


def test_a_loaded_configuration_shows_no_secret(world: World) -> None:
    """``repr`` of what was read holds masks."""
    text = (
        HEAD + "    apiKey: sk-canary\n    env: {A: sk-canary}\n    other: sk-canary\n"
        "    requestOptions: {proxy: http://u:sk-canary@h, headers: {A: sk-canary},"
        " clientCertificate: {cert: c, key: k, passphrase: sk-canary}}\n"
        "    apiKey:sk-canary: 1\n"
    )
    config = world.read(text)
    assert "canary" not in repr(config)
    assert "canary" not in "".join(map(str, config.warnings))


def test_control_sequences_of_a_file_do_not_reach_the_screen(world: World) -> None:
    """Escapes in keys and values are shown as blanks."""
    text = HEAD + '    "a\\e[31m": 1\n    roles: ["\\e]0;x\\a"]\n'
    (problem,) = world.problems(text)
    assert "\x1b" not in problem
    warning = str(world.read(HEAD + '    "a\\e[31m\\x9b": 1\n').warnings[0])
    assert "\x1b" not in warning
    assert "\x9b" not in warning


@pytest.mark.parametrize(
    "line",
    [
        "apiBase: sk-c4narycanary",
        'apiBase: "https://host/?key=c4nary x"',
        "contextLength: sk-c4narycanary",
        "roles: [sk-c4narycanary]",
        "defaultCompletionOptions: {temperature: eyJ.c4narycanaryX.x}",
    ],
)
def test_a_key_in_the_wrong_place_is_not_shown(world: World, line: str) -> None:
    """Somebody who swaps two lines has a key where a number or an address belongs."""
    (problem,) = world.problems(f"{HEAD}    {line}\n")
    assert "found a value that is not shown" in problem
    assert "nary" not in problem


@pytest.mark.parametrize(
    "written",
    ["localhost:8080", "abc1def2ghi3jkl4.us-east-1.aws.endpoints.huggingface.cloud/"],
)
def test_an_address_without_its_scheme_is_shown(world: World, written: str) -> None:
    """It is what people forget, and holds no key."""
    (problem,) = world.problems(f"{HEAD}    apiBase: {written}\n")
    assert problem.endswith(f"found {written}")


def test_a_key_in_the_query_of_an_address_is_masked(world: World) -> None:
    """``repr`` of an entry shows the address without it."""
    entry = world.entry('apiBase: "https://host/v1?key=sk-canary&x=1"')
    assert "x=1" in repr(entry)
    assert "canary" not in repr(entry)


@pytest.mark.parametrize("place", ["", "    "])
@pytest.mark.parametrize("before", ["", "a*af_", "apiKeyhf", "apiKey:"])
def test_no_unknown_key_shows_a_token_without_its_beginning(
    world: World, before: str, place: str
) -> None:
    """A slip of the hand makes a key of it: the warning names its first letters."""
    token = "k3yThatNobodyMaySee0123456789abcd"
    written = f"{HEAD}{place}{before}{token}: 1\n"
    config = world.load(world.write(world.machine / "chosen.yaml", written))
    (said,) = map(str, config.warnings)
    assert token[8:16] not in said
    assert "\u2026" in said


def test_an_unknown_key_of_words_is_shown_whole(world: World) -> None:
    """Also a long one, and one with a number."""
    written = f"{HEAD}    myOwnSettingForThisModel: 1\n    my_setting_2: 1\n"
    config = world.load(world.write(world.machine / "chosen.yaml", written))
    said = " ".join(map(str, config.warnings))
    assert "myOwnSettingForThisModel" in said
    assert "my_setting_2" in said
