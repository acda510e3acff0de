"""Where a token is found, and where it may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.errors import InsecureEndpoint, InvalidToken, MissingToken
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.transport.credentials import (
    VARIABLES,
    Credential,
    Place,
    credential_for,
    find_token,
    refuse_placeholder,
)

ROUTER = resolve("a/b")


def state(tmp_path: Path) -> Path:
    return tmp_path / ".bytebuddy"


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_is_looked_at(variable: str, tmp_path: Path) -> None:
    """The five names in use; which one held the token is remembered."""
    found = find_token({variable: "hf_a"}, state_dir=state(tmp_path))
    assert found == Credential(Secret("hf_a"), variable, "variable")


def test_the_first_variable_wins(tmp_path: Path) -> None:
    """HF_API_KEY is the page's own and comes first; an empty one does not count."""
    env = dict.fromkeys(VARIABLES, "hf_x") | {"HF_API_KEY": "hf_first"}
    found = find_token(env, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_first"
    found = find_token(
        {"HF_API_KEY": "  ", "HF_TOKEN": "hf_b"}, state_dir=state(tmp_path)
    )
    assert found
    assert found.source == "HF_TOKEN"


def test_the_login_comes_before_the_token_file(tmp_path: Path) -> None:
    """~/.bytebuddy/.env, then huggingface_hub's file."""
    hub = tmp_path / ".cache" / "huggingface" / "token"
    hub.parent.mkdir(parents=True)
    hub.write_text("hf_hub\n")
    found = find_token({}, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_hub"
    state(tmp_path).mkdir()
    (state(tmp_path) / ".env").write_text("HF_API_KEY=hf_login\n")
    found = find_token({}, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_login"


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("HF_TOKEN_PATH", "here"),
        ("HF_HOME", "home/token"),
        ("XDG_CACHE_HOME", "cache/huggingface/token"),
    ],
)
def test_the_token_file_is_where_huggingface_hub_puts_it(
    variable: str, path: str, tmp_path: Path
) -> None:
    """HF_TOKEN_PATH, HF_HOME and XDG_CACHE_HOME move it."""
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("hf_\r\nmoved\n")
    value = (
        file
        if variable == "HF_TOKEN_PATH"
        else tmp_path / path.split("/", maxsplit=1)[0]
    )
    found = find_token({variable: str(value)}, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_moved"


def test_no_token_for_the_router_is_an_error_with_the_way_on(tmp_path: Path) -> None:
    """The router refuses everybody without one, so nothing is sent."""
    with pytest.raises(MissingToken, match="bytebuddy-hf login"):
        credential_for(ROUTER, explicit=None, env={}, state_dir=state(tmp_path))


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1:8080", "http://localhost", "https://vllm.example"],
)
def test_a_token_that_lies_about_goes_to_hugging_face_only(
    base: str, tmp_path: Path
) -> None:
    """HF_TOKEN in the environment is not meant for servers of other people."""
    target = resolve("a/b", base)
    env = {"HF_TOKEN": "hf_a"}
    assert (
        credential_for(target, explicit=None, env=env, state_dir=state(tmp_path))
        is None
    )


@pytest.mark.parametrize("host", ["x.endpoints.huggingface.cloud", "6a2b--80.hf.jobs"])
def test_what_runs_at_hugging_face_gets_the_token_there_is(
    host: str, tmp_path: Path
) -> None:
    """A public endpoint works without one, the others and jobs with the account's."""
    target = resolve("a/b", f"https://{host}")
    arguments = {"explicit": None, "state_dir": state(tmp_path)}
    assert credential_for(target, env={}, **arguments) is None
    found = credential_for(target, env={"HF_TOKEN": "hf_a"}, **arguments)
    assert found
    assert found.source == "HF_TOKEN"


def test_a_token_never_travels_in_clear(tmp_path: Path) -> None:
    """Plain http is for this machine."""
    explicit = Credential(Secret("hf_a"), "apiKey")
    for base, refused in [("http://h.example", True), ("http://127.0.0.1", False)]:
        target = resolve("a/b", base)
        if refused:
            with pytest.raises(InsecureEndpoint):
                credential_for(
                    target, explicit=explicit, env={}, state_dir=state(tmp_path)
                )
        else:
            assert (
                credential_for(
                    target, explicit=explicit, env={}, state_dir=state(tmp_path)
                )
                == explicit
            )


@pytest.mark.parametrize("token", ["hf a", "hf\na", "hf_ä", "hf\x00"])
def test_what_cannot_be_a_token_is_named_by_its_place(
    token: str, tmp_path: Path
) -> None:
    """The place is named, the value is not."""
    explicit = Credential(Secret(token), "HF_API_KEY")
    with pytest.raises(InvalidToken, match="HF_API_KEY") as caught:
        credential_for(ROUTER, explicit=explicit, env={}, state_dir=state(tmp_path))
    assert token not in str(caught.value)


@pytest.mark.parametrize("variable", ["HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("path", ["~nobody_of_that_name/x", "a\0b", ".", "/dev/null"])
def test_a_place_that_cannot_be_read_holds_no_token(
    variable: str, path: str, tmp_path: Path
) -> None:
    """No such home, no such name, a folder, an empty file: the error is ours."""
    with pytest.raises(MissingToken):
        credential_for(
            ROUTER, explicit=None, env={variable: path}, state_dir=state(tmp_path)
        )


@pytest.mark.parametrize("size", [20_000, 10_000_000])
def test_a_file_too_long_for_a_token_is_refused(size: int, tmp_path: Path) -> None:
    """A part of it is never sent as if it were the whole."""
    file = tmp_path / "huge"
    file.write_text("x" * size)
    with pytest.raises(InvalidToken, match=r"huge .* longer than 8,000 characters"):
        credential_for(
            ROUTER,
            explicit=None,
            env={"HF_TOKEN_PATH": str(file)},
            state_dir=state(tmp_path),
        )


def test_a_byte_order_mark_is_no_part_of_a_token(tmp_path: Path) -> None:
    """Editors on Windows write one before the first letter."""
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbfhf_a\r\n")
    found = find_token({"HF_HOME": str(tmp_path)}, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_a"


def test_a_relative_cache_folder_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The XDG specification says so; whose project one stands in must not matter."""
    planted = tmp_path / "project" / "cache" / "huggingface" / "token"
    planted.parent.mkdir(parents=True)
    planted.write_text("hf_of_somebody_else")
    monkeypatch.chdir(tmp_path / "project")
    assert find_token({"XDG_CACHE_HOME": "cache"}, state_dir=state(tmp_path)) is None


def test_what_lies_beside_a_hosts_own_folder_is_not_read(tmp_path: Path) -> None:
    """A host may keep its state in a folder that all users write to."""
    planted = tmp_path / ".cache" / "huggingface" / "token"
    planted.parent.mkdir(parents=True)
    planted.write_text("hf_of_somebody_else")
    assert find_token({}, state_dir=tmp_path / "state-of-a-host") is None
    home = tmp_path / "home"
    assert (
        find_token({"HOME": str(home)}, state_dir=tmp_path / "state-of-a-host") is None
    )
    found = find_token({"HOME": str(tmp_path)}, state_dir=tmp_path / "state-of-a-host")
    assert found
    assert found.source == str(planted)


@pytest.mark.parametrize("blank", ["", "  ", r"\n"])
def test_a_blank_value_of_the_login_does_not_count(blank: str, tmp_path: Path) -> None:
    """As in the environment: the next name is looked at."""
    state(tmp_path).mkdir()
    (state(tmp_path) / ".env").write_text(f'HF_API_KEY="{blank}"\nHF_TOKEN=hf_b\n')
    found = find_token({}, state_dir=state(tmp_path))
    assert found
    assert found.secret.reveal() == "hf_b"


def test_space_around_a_written_key_is_dropped(tmp_path: Path) -> None:
    """A variable filled from a file ends with a line break; a blank key is none."""
    arguments = {"env": {"HF_TOKEN": "hf_found"}, "state_dir": state(tmp_path)}
    for text, token in [(" hf_a\r\n", "hf_a"), (" \n", "hf_found")]:
        explicit = Credential(Secret(text), "apiKey")
        found = credential_for(ROUTER, explicit=explicit, **arguments)
        assert found
        assert found.secret.reveal() == token


ADDRESSED = [
    "<your key>",
    "YOUR_API_KEY",
    "hf_your_token_here",
    "hf_...",
    "<HF_TOKEN>",
    "你的 API Key",
    "hf_你的令牌",
]
OWN = resolve("a/b", "http://127.0.0.1:8080/v1")


@pytest.mark.parametrize("place", ["line", "variable", "login", "argument"])
@pytest.mark.parametrize(
    "key", [*ADDRESSED, "hf_xxxxxxxxxxxxxxxx", "changeme", "hf_1234567890", "api_key"]
)
def test_no_placeholder_goes_to_hugging_face(key: str, place: Place) -> None:
    """Wherever it was found: the error names that, and not what stands there."""
    credential = Credential(Secret(key), "apiKey in the file", place)
    with pytest.raises(InvalidToken, match="apiKey in the file is an example") as told:
        refuse_placeholder(ROUTER, credential)
    assert key not in str(told.value)


@pytest.mark.parametrize("key", ADDRESSED)
def test_what_tells_its_reader_what_to_write_goes_to_no_server(key: str) -> None:
    """Unless it comes from a variable: there somebody has meant it."""
    secret = Secret(key)
    with pytest.raises(InvalidToken, match="comes from a variable"):
        refuse_placeholder(OWN, Credential(secret, "apiKey", "line"))
    refuse_placeholder(OWN, Credential(secret, "K", "variable"))


@pytest.mark.parametrize("key", ADDRESSED)
def test_a_placeholder_is_not_called_an_impossible_token(
    key: str, tmp_path: Path
) -> None:
    """A blank or a Chinese letter in it is not what is wrong with it."""
    given = Credential(Secret(key), "apiKey", "line")
    with pytest.raises(InvalidToken, match="is an example's placeholder"):
        refuse_placeholder(
            ROUTER, credential_for(ROUTER, explicit=given, env={}, state_dir=tmp_path)
        )


@pytest.mark.parametrize("key", ["ollama", "EMPTY", "changeme", "sk-1234", "x", "none"])
def test_a_server_of_ones_own_may_take_any_word(key: str) -> None:
    """Many are started with such a key."""
    refuse_placeholder(OWN, Credential(Secret(key), "apiKey", "line"))
    refuse_placeholder(OWN, None)


@pytest.mark.parametrize("begins", ["yourtokenhere", "abcQ", "ABc9", "123Q"])
def test_a_real_token_that_spells_a_word_is_none(begins: str) -> None:
    """Of 34 random letters some may."""
    token = Secret("hf_" + f"{begins}QkLmZrTbVwXyPdFgHjNsAeUiOcBvMxRt"[:34])
    refuse_placeholder(ROUTER, Credential(token, "apiKey", "line"))
