"""A placeholder is told, with its step, and sent to nobody of Hugging Face's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from cli.process import Run, serving
from doctor_world import TOKEN, World, entry, first_problem, hub

from bytebuddy_provider_hf.client.reconcile import reconcile
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import InvalidToken
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.transport.credentials import Credential, hub_token

PLACEHOLDERS = ("hf_xxx", "YOUR_TOKEN", "<token>", "<your token>", "hf_...")
# Where one may stand, and how that is told.
Placing = Callable[[Path, str], dict[str, str]]


def in_a_variable(_home: Path, placeholder: str) -> dict[str, str]:
    return {"HF_TOKEN": placeholder}


def in_the_login(home: Path, placeholder: str) -> dict[str, str]:
    folder = home / ".bytebuddy"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / ".env").write_text(f"HF_API_KEY='{placeholder}'\n", encoding="utf-8")
    (folder / ".env").chmod(0o600)
    return {}


def in_the_file_of_others(home: Path, placeholder: str) -> dict[str, str]:
    folder = home / ".cache" / "huggingface"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "token").write_text(placeholder, encoding="utf-8")
    (folder / "token").chmod(0o600)
    return {}


PLACES: Final[dict[Placing, str]] = {
    in_a_variable: "`unset HF_TOKEN`",
    in_the_login: "`bytebuddy-hf login`: its token is used in place of HF_API_KEY in",
    in_the_file_of_others: "goes before that of",
}


def tokens_sent(hub: FakeHub) -> list[str]:
    told = [request.headers.get("authorization", "") for request in hub.requests]
    return [each for each in told if each]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize(
    ("place", "config"),
    [
        *((place, config) for place in PLACES for config in ("", entry())),
    ],
)
def test_doctor_names_it_first_and_sends_it_nowhere(
    placeholder: str, place: Placing, config: str, tmp_path: Path
) -> None:
    """Not to whoami, not to the bill, and no call is made with it."""
    made = hub()
    env = place(tmp_path, placeholder)
    found = World(tmp_path, made, config=config, env=env).examine(calls=True)
    told = [each for each in found if each.id == "token.placeholder"]
    assert [each.id for each in found if each.part == "token"] == ["token.placeholder"]
    _, (step, *_) = told[0].words()
    assert PLACES[place] in step
    if config:
        assert first_problem(found) is told[0]
    assert tokens_sent(made) == []


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_an_entry_that_names_the_variable_is_not_helped_by_a_login(
    placeholder: str, tmp_path: Path
) -> None:
    """The login's token has another name: the variable is replaced, or not named."""
    made = hub()
    config = entry('apiKey: "${HF_TOKEN}"')
    env = in_a_variable(tmp_path, placeholder)
    found = World(tmp_path, made, config=config, env=env).examine(calls=True)
    first = first_problem(found)
    assert [each.id for each in found if each.part == "token"] == [first.id]
    assert first.id == "token.placeholder"
    _, (step, *_) = first.words()
    assert step.startswith("Replace it there (HF_TOKEN) by a token from ")
    assert "what in the configuration names it" in step
    assert tokens_sent(made) == []


def test_doctor_calls_a_model_of_the_hub_with_none(tmp_path: Path) -> None:
    """A model without an entry has the token of the world that is looked at."""
    made = hub()
    world = World(tmp_path, made, env={"HF_TOKEN": "hf_xxx"})
    found = world.examine("other/name", calls=True)
    call = next(each for each in found if each.id == "entry.call")
    assert isinstance(call.error, InvalidToken)
    assert tokens_sent(made) == []
    world = World(tmp_path, made)
    world.examine("org/name", calls=True)
    assert f"Bearer {TOKEN}" in tokens_sent(made)


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_whoami_does_not_ask_with_it(
    placeholder: str, place: Placing, lang: str, run: Run, home: Path
) -> None:
    """The step says which variable or file; the value is not printed."""
    made = hub()
    with serving(made.handle) as base:
        env = place(home, placeholder)
        ran = run("whoami", "--hub", base, "--lang", lang, **env)
    assert (ran.code, made.requests) == (4, ())
    if lang == "en":
        assert PLACES[place] in ran.err
        assert "placeholder" in ran.err
    else:
        assert "占位文字" in ran.err
        assert " in " not in ran.err
    assert "bytebuddy-hf login" in ran.err
    assert placeholder not in ran.out + ran.err


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("options", [(), ("--no-check",)])
def test_login_neither_asks_with_it_nor_keeps_it(
    placeholder: str, options: tuple[str, ...], run: Run, home: Path
) -> None:
    """Whoever pastes the example's line is told so."""
    made = hub()
    with serving(made.handle) as base:
        ran = run("login", "--hub", base, *options, stdin=placeholder)
    assert (ran.code, made.requests) == (4, ())
    assert "an example's placeholder" in ran.err
    assert placeholder not in ran.out + ran.err
    assert not (home / ".bytebuddy" / ".env").exists()


def test_the_bill_is_not_asked_for_with_it(tmp_path: Path) -> None:
    """Neither by the command line nor by a program."""
    made = hub()

    async def main() -> None:
        async with Runtime(connect=MemoryConnect(made)) as runtime:
            await reconcile(
                tmp_path,
                credential=Credential(Secret("hf_xxx"), "HF_TOKEN", "variable"),
                since=date(2026, 9, 1),
                until=date(2026, 9, 30),
                runtime=runtime,
                env={},
            )

    with pytest.raises(InvalidToken, match="HF_TOKEN") as told:
        asyncio.run(main())
    assert "`unset HF_TOKEN`" in str(told.value.hint)
    assert made.requests == ()


def test_another_token_is_not_used_in_its_place(tmp_path: Path) -> None:
    """The one that is found first is told of, as calls would use it."""
    in_the_login(tmp_path, TOKEN)
    folder = tmp_path / ".bytebuddy"
    with pytest.raises(InvalidToken, match="HF_TOKEN"):
        hub_token({"HF_TOKEN": "<token>"}, state_dir=folder)
    found = hub_token({}, state_dir=folder)
    assert found is not None
    assert found.secret.reveal() == TOKEN


def test_a_header_that_is_written_counts_as_well(tmp_path: Path) -> None:
    """It is sent in place of the token; a server of one's own may take any word."""
    made = hub()
    header = 'requestOptions:\n  headers:\n    Authorization: "Bearer {}"'
    world = World(
        tmp_path, made, config=entry(f"apiKey: {TOKEN}\n{header.format('hf_xxx')}")
    )
    found = world.examine(calls=True)
    told = next(each for each in found if each.id == "token.placeholder")
    assert "requestOptions.headers.Authorization" in told.words()[0]
    assert told.fix is None
    assert all("hf_xxx" not in sent for sent in tokens_sent(made))
    world.config = entry(header.format(TOKEN))
    assert "token.placeholder" not in {each.id for each in world.examine()}
