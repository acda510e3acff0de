"""``login`` takes a token in secret, tries it, and keeps it where it is found."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import get_args

import pytest
from cli.process import CANARY, OpenTerminal, Run, serving

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.cli.login import HUB, TOKEN_PAGE, hub_origin
from bytebuddy_provider_hf.errors import InvalidEndpoint
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.hub.billing import parse_whoami
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.failures import unauthorized
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler
from bytebuddy_provider_hf.transport.credentials import VARIABLES, Place

INFERENCE = "inference.serverless.write"


def account(role: str = "fineGrained", **granted: object) -> dict[str, object]:
    token = {"displayName": "laptop", "role": role, "fineGrained": granted}
    return {"name": "ada", "type": "user", "auth": {"accessToken": token}}


def scope(*permissions: str) -> dict[str, object]:
    return {"entity": {"type": "user", "name": "ada"}, "permissions": permissions}


def knows(answer: dict[str, object]) -> Handler:
    async def handler(request: FakeRequest) -> FakeReply:
        sent = request.headers.get("authorization")
        if request.path != "/api/whoami-v2" or sent != f"Bearer {CANARY}":
            return unauthorized()
        return json_reply(answer)

    return handler


def kept(home: Path) -> Path:
    return home / ".bytebuddy" / ".env"


def test_a_piped_token_is_tried_and_kept(run: Run, home: Path) -> None:
    """The user is greeted, the file is for the owner only, nothing shows the token."""
    with serving(knows(account(**{"global": [INFERENCE]}))) as hub:
        ran = run("login", "--hub", hub, stdin=f"{CANARY}\n")
    assert ran.code == 0
    assert "ada" in ran.err
    assert "may call models" in ran.err
    assert CANARY not in ran.out + ran.err
    assert kept(home).read_text() == f"HF_API_KEY={CANARY}\n"
    assert stat.S_IMODE(kept(home).stat().st_mode) == 0o600


def test_the_kept_token_is_found(run: Run, hub: FakeHub, base: str, home: Path) -> None:
    """After a login the configuration's ``${HF_API_KEY}`` is the token."""
    run("login", "--no-check", stdin=CANARY)
    (home / ".bytebuddy" / "config.yaml").write_text(
        "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        f'    model: org/name\n    apiBase: "{base}"\n    apiKey: "${{HF_API_KEY}}"\n'
    )
    assert run("chat", "hi").code == 0
    assert hub.requests[-1].headers["authorization"] == f"Bearer {CANARY}"


def test_a_refused_token_is_not_kept(run: Run, home: Path) -> None:
    """A token the Hub does not know ends with 4 and leaves no file."""
    with serving(knows(account())) as hub:
        ran = run("login", "--hub", hub, stdin="hf_anotherone")
    assert ran.code == 4
    assert "hf_anotherone" not in ran.out + ran.err
    assert TOKEN_PAGE in ran.err
    assert not kept(home).exists()


def test_a_token_without_the_permission_is_warned_of(run: Run) -> None:
    """It is kept, and the link to a better one is shown."""
    with serving(knows(account(scoped=[scope("repo.write")]))) as hub:
        ran = run("login", "--hub", hub, stdin=CANARY)
    assert ran.code == 0
    assert f"lacks the permission {INFERENCE}" in ran.err
    assert TOKEN_PAGE in ran.err


@pytest.mark.parametrize(
    "typed",
    [
        *("", " \n", "hf two words", "hf_né", "short", "hf_\x00abcde", "x" * 4_097),
        "hf_\udcff\udcfeabcdef",  # bytes that are no text
    ],
)
def test_what_cannot_be_a_token_is_refused(run: Run, home: Path, typed: str) -> None:
    """Nothing is asked of the Hub and nothing kept."""
    ran = run("login", "--no-check", stdin=typed, LC_ALL="C.UTF-8")
    assert ran.code == 4
    assert not kept(home).exists()


def test_what_the_hub_says_of_a_token_is_one_short_line(run: Run) -> None:
    """A name cannot add lines of its own, fill the screen or steer the terminal."""
    answer = account("read")
    token = answer["auth"]["accessToken"]  # type: ignore[index]  # as made above
    token["displayName"] = "mine\n\x1b[31mwarning: x" + "x" * 100_000
    with serving(knows(answer)) as hub:
        ran = run("login", "--hub", hub, stdin=CANARY)
    assert ran.code == 0
    assert '("mine [31mwarning: x' in ran.err
    assert "\x1b" not in ran.err
    assert max(len(line) for line in ran.err.split("\n")) < 300


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_no_token_goes_into_a_folder_that_everybody_can_write_to(
    run: Run, home: Path
) -> None:
    """They could put a key or an address of theirs in the place of this file."""
    kept(home).parent.mkdir()
    kept(home).parent.chmod(0o777)
    refused = run("login", "--no-check", stdin=CANARY)
    assert refused.code == 3
    assert f"chmod go-w {kept(home).parent}" in refused.err
    assert not kept(home).exists()
    kept(home).parent.chmod(0o755)
    assert "chmod" not in run("login", "--no-check", stdin=CANARY).err


def test_a_typed_token_is_not_shown(terminal: OpenTerminal, home: Path) -> None:
    """On a terminal the link comes first, and what is typed is not echoed."""
    shown = terminal("login", "--no-check")
    assert TOKEN_PAGE in shown.read_until("hidden")
    shown.read_until(": ")
    shown.type(f"{CANARY}\r")
    assert shown.end() == 0
    assert CANARY not in shown.text
    assert CANARY in kept(home).read_text()


def test_ctrl_c_keeps_nothing(terminal: OpenTerminal, home: Path) -> None:
    """Changing one's mind ends with 130."""
    shown = terminal("login", "--no-check")
    shown.read_until("hidden")
    shown.read_until(": ")
    shown.type("\x03")
    assert shown.end() == 130
    assert not kept(home).exists()


def test_a_token_goes_to_the_hub_or_to_this_machine() -> None:
    """No other address is asked about a token."""
    assert hub_origin("https://huggingface.co/") == HUB
    assert hub_origin("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    for other in ("https://huggingface.co.evil.example", "http://huggingface.co"):
        with pytest.raises(InvalidEndpoint):
            hub_origin(other)


@pytest.mark.parametrize(
    ("answer", "may"),
    [
        (account("read"), True),
        (account("write"), True),
        (account(**{"global": [INFERENCE]}), True),
        (account(scoped=[scope(INFERENCE)]), True),
        (account(scoped=[None], **{"global": None}), False),
        ({"name": "ada"}, None),
    ],
)
def test_the_permission_is_found_in_both_places(
    answer: dict[str, object], may: bool | None
) -> None:
    """Read and write tokens imply it; a fine-grained one names it."""
    holder = parse_whoami(json.dumps(answer).encode())
    assert holder is not None
    assert holder.may_infer is may


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff"])
def test_an_odd_answer_is_an_error(body: bytes) -> None:
    """What names nobody is malformed, and the token is not kept."""
    assert parse_whoami(body) is None


def test_a_hub_that_names_nobody_is_told(run: Run, home: Path) -> None:
    """Another server answers there, such as a hotel's."""
    with serving(knows({"hello": "guest"})) as hub:
        ran = run("login", "--hub", hub, stdin=CANARY)
    assert (ran.code, kept(home).exists()) == (9, False)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_outranks_the_login_is_named(run: Run, variable: str) -> None:
    """Whichever it is, with what to do: else the login has no effect."""
    ran = run("login", "--no-check", stdin=CANARY, **{variable: "hf_another_one"})
    assert f"`unset {variable}`" in ran.err


def test_an_entry_with_a_key_of_its_own_is_named(run: Run, home: Path) -> None:
    """It goes on with that key, whoever logs in."""
    kept(home).parent.mkdir(mode=0o700)
    (kept(home).parent / "config.yaml").write_text(
        "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        "    model: org/name\n    apiKey: hf_abcdefghijkl\n"
    )
    said = run("login", "--no-check", stdin=CANARY).err
    assert "config.yaml:2:5: the entry mine has an apiKey of its own" in said
    assert "hf_abcdefghijkl" not in said


@pytest.mark.parametrize("kept_there", ["", "HF_TOKEN=hf_another_one\n"])
def test_an_entry_that_names_another_variable_is_named(
    run: Run, home: Path, kept_there: str
) -> None:
    """Login does not write that one: else the next call fails as the last one did."""
    kept(home).parent.mkdir(mode=0o700)
    (kept(home).parent / "config.yaml").write_text(
        "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        '    model: org/name\n    apiKey: "${HF_TOKEN}"\n'
        "  - name: theirs\n    provider: huggingfaceinferenceapi\n    model: any\n"
        '    apiKey: "${THEIR_KEY}"\n    apiBase: "https://models.example/v1"\n'
        "  - name: good\n    provider: huggingfaceinferenceapi\n"
        '    model: org/name\n    apiKey: "${HF_API_KEY}"\n'
    )
    kept(home).write_text(kept_there)
    kept(home).chmod(0o600)
    said = run("login", "--no-check", stdin=CANARY).err
    assert "config.yaml:2:5: the entry mine takes its key from HF_TOKEN" in said
    assert 'apiKey: "${HF_API_KEY}"' in said
    assert "theirs" not in said
    assert "good" not in said


def test_a_login_goes_through_the_proxy_of_the_file(run: Run, home: Path) -> None:
    """As every request does; a broken file stands in no way."""
    kept(home).parent.mkdir(mode=0o700)
    file = kept(home).parent / "config.yaml"
    file.write_text("requestOptions:\n  proxy: http://127.0.0.1:9\n")
    ran = run("login", stdin=CANARY)
    assert (ran.code, "127.0.0.1:9" in ran.err) == (8, True), ran.err
    file.write_text("models: [")
    assert run("login", "--no-check", stdin=CANARY).code == 0


def test_whoami_tells_whose_token_is_used(run: Run) -> None:
    """Where it was found, what it may do, in words and as JSON."""
    answer = account(scoped=[scope(INFERENCE, "repo.read")])
    answer["orgs"] = [{"type": "org", "name": "acme"}]
    with serving(knows(answer)) as hub:
        ran = run("whoami", "--hub", hub, HF_TOKEN=CANARY)
        told = json.loads(run("whoami", "--hub", hub, "--json", HF_TOKEN=CANARY).out)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "ada"
    for said in ("HF_TOKEN", "laptop", "acme", INFERENCE):
        assert said in ran.out
    assert (told["name"], told["source"]) == ("ada", "HF_TOKEN")
    assert told["permissions"] == [INFERENCE, "repo.read"]
    assert told["may_call_models"] is True
    assert CANARY not in ran.out + ran.err


def test_whoami_without_a_token(run: Run) -> None:
    """The page to make one is told."""
    ran = run("whoami")
    assert (ran.code, TOKEN_PAGE in ran.err) == (4, True)


def test_logout_forgets_what_login_kept(run: Run, home: Path) -> None:
    """Other variables of the file stay; what is still used is named."""
    run("login", "--no-check", stdin=CANARY)
    with kept(home).open("a") as file:
        file.write("OTHER=1\n")
    ran = run("logout", HF_TOKEN="hf_another_one")
    assert ran.code == 0
    assert kept(home).read_text() == "OTHER=1\n"
    assert stat.S_IMODE(kept(home).stat().st_mode) == 0o600
    assert "`unset HF_TOKEN`" in ran.err
    again = run("logout").err
    assert "keeps no token" in again
    assert "stays valid" not in again


def test_the_next_step_of_a_refused_token_depends_on_where_it_was() -> None:
    """A variable is unset, a line of the file replaced, a kept token logged in anew."""
    steps = {}
    for place in get_args(Place):
        target = resolve("org/name")
        error = classify(401, {}, b"", target, token_source="HF_TOKEN")
        error.found_as = place
        steps[place] = next_step(error) or ""
        assert "HF_TOKEN" in steps[place]
        assert TOKEN_PAGE in steps[place]
    assert "`unset HF_TOKEN`" in steps["variable"]
    assert "remove that line" in steps["line"]
    assert "`hf auth login`" in steps["file"]
    assert "and run `bytebuddy-hf login`" in steps["login"]
    assert "login" not in steps["argument"]
    assert len(set(steps.values())) == len(steps)


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        (f'"{CANARY}"', "more than a token"),
        (f"'{CANARY}'", "more than a token"),
        (f"HF_TOKEN={CANARY}", "more than a token"),
        (f"Bearer {CANARY}", "it has spaces"),
        (f"export HF_TOKEN={CANARY}", "it has spaces"),
    ],
)
def test_a_token_with_something_around_it_is_not_kept(
    pasted: str, words: str, run: Run, home: Path
) -> None:
    """It would be sent like that; and it is no placeholder."""
    ran = run("login", "--no-check", stdin=pasted)
    assert (ran.code, words in ran.err) == (4, True), ran.err
    assert CANARY not in ran.err
    assert not kept(home).exists()
