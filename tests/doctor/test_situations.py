"""Broken situations that users meet: each has its finding, and none is false."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from doctor_world import MODEL, TOKEN, Hosts, World, entry, first_problem, hub

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HUB, ROUTER
from bytebuddy_provider_hf.doctor.diagnosis import diagnose
from bytebuddy_provider_hf.doctor.findings import Finding, Level
from bytebuddy_provider_hf.hub.status_page import STATUS
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

MIRROR = "https://mirror.example"
ENDPOINTS = "https://api.endpoints.huggingface.cloud"
MINE = ManagedEndpoint("mine", "ada", state="running")


async def silent(_: FakeRequest) -> FakeReply:
    """Take a question and never answer it."""
    await asyncio.sleep(1e6)
    raise AssertionError


async def refusing(_: FakeRequest) -> FakeReply:
    raise errors.ConnectionRefused("Nothing listens there.")


async def failing(_: FakeRequest) -> FakeReply:
    return json_reply({"error": "boom"}, status=502)


async def portal(_: FakeRequest) -> FakeReply:
    """Answer everything with a page of one's own, as a network's sign-in does."""
    return FakeReply(200, {"content-type": "text/html"}, b"<html>Sign in</html>")


def one(found: Sequence[Finding], name: str) -> Finding:
    (it,) = [each for each in found if each.id == name]
    return it


@pytest.mark.parametrize(
    ("origin", "name", "level"),
    [
        (HUB, "network.hub", Level.PROBLEM),
        (ROUTER, "network.router", Level.PROBLEM),
        (MIRROR, "network.mirror", Level.WARNING),
        (STATUS, "status.page", Level.UNKNOWN),
    ],
)
def test_a_host_that_never_answers_holds_nobody_up(
    origin: str, name: str, level: Level, tmp_path: Path
) -> None:
    """After 20 s it is told, in both languages, and the others are asked."""
    world = World(tmp_path, Hosts(hub(), {origin: silent}))
    world.env["HF_ENDPOINT"] = MIRROR
    told = one(world.examine(virtual=True), name)
    said, steps = told.words()
    host = origin.partition("://")[2]
    assert told.level is level
    assert said == f"{host} took a question and did not answer it within 20 s."
    assert "https://status.huggingface.co" in steps[0]
    assert "20 秒" in told.words("zh")[0]


def test_endpoints_that_are_not_told_are_not_waited_for(tmp_path: Path) -> None:
    """Their state is not known then."""
    made = Hosts(hub(endpoints=[MINE]), {ENDPOINTS: silent})
    world = World(tmp_path, made, entry(f"apiBase: {MINE.url}\napiKey: {TOKEN}"))
    told = one(world.examine(virtual=True), "endpoint.state")
    assert told.level is Level.UNKNOWN


def test_a_router_that_is_down_is_a_problem(tmp_path: Path) -> None:
    """The Hub answers, and calls go to the router all the same."""
    found = World(tmp_path, Hosts(hub(), {ROUTER: refusing})).examine()
    assert one(found, "network.hub").level is Level.OK
    assert first_problem(found) is one(found, "network.router")


def test_what_the_router_did_not_tell_is_not_known(tmp_path: Path) -> None:
    """Nobody says that a model cannot chat, or is not served, without its list."""
    facts = {"org/quiet": {"pipeline_tag": "text-generation"}}
    made = Hosts(hub(facts=facts), {ROUTER: refusing})
    found = World(tmp_path, made, entry(model="org/quiet")).examine()
    assert one(found, "model.untold").level is Level.UNKNOWN
    names = {each.id for each in found}
    assert not names & {"model.unserved", "entry.role", "entry.role_at_router"}


def test_a_router_that_fails_is_told(tmp_path: Path) -> None:
    """By its status, with the page that may say why."""
    told = one(
        World(tmp_path, Hosts(hub(), {ROUTER: failing})).examine(), "network.router"
    )
    assert (told.level, "502" in told.words()[0]) == (Level.WARNING, True)


def test_a_mirror_that_is_down_is_told_by_its_variable(tmp_path: Path) -> None:
    """It is no reason not to ask huggingface.co about the token."""
    made = Hosts(hub(), {MIRROR: refusing})
    world = World(tmp_path, made, env={"HF_TOKEN": TOKEN, "HF_ENDPOINT": MIRROR})
    found = world.examine()
    told = first_problem(found)
    assert told.id == "network.mirror"
    said, steps = told.words()
    assert said.startswith("mirror.example, which HF_ENDPOINT names, does not answer")
    assert "`unset HF_ENDPOINT`" in steps[0]
    assert one(found, "token.owner").level is Level.OK


def test_a_page_that_is_no_mirror_is_told(tmp_path: Path) -> None:
    """A portal answers everything with a page of its own."""
    made = Hosts(hub(), {MIRROR: portal})
    world = World(tmp_path, made, env={"HF_TOKEN": TOKEN, "HF_ENDPOINT": MIRROR})
    said, _ = one(world.examine(), "network.mirror").words()
    assert "status 200, and no list of models" in said


def test_a_mirror_that_answers_gets_no_token(tmp_path: Path) -> None:
    """Where the Hub itself is not reached, it tells of the model."""
    made = hub()
    hosts = Hosts(refusing, {MIRROR: made, ROUTER: made})
    world = World(tmp_path, hosts, env={"HF_TOKEN": TOKEN, "HF_ENDPOINT": MIRROR})
    found = world.examine()
    assert first_problem(found).id == "network.hub"
    assert one(found, "network.mirror").level is Level.OK
    assert one(found, "model.served").level is Level.OK
    assert all("authorization" not in request.headers for request in made.requests)


@pytest.mark.parametrize("written", ["http://mirror.example", "mirror.example", "x y"])
def test_a_mirror_that_does_not_count_is_told(written: str, tmp_path: Path) -> None:
    """And the Hub itself is asked."""
    env = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": written}
    found = World(tmp_path, env=env).examine()
    told = one(found, "network.mirror")
    assert told.level is Level.WARNING
    assert told.words()[0].startswith("HF_ENDPOINT names no mirror and is ignored: ")
    assert one(found, "network.hub").level is Level.OK


def test_a_configuration_that_is_a_folder(tmp_path: Path) -> None:
    """No line of it can be mended."""
    path = tmp_path / ".bytebuddy" / "config.yaml"
    path.mkdir(mode=0o700, parents=True)
    first = first_problem(World(tmp_path, config="").examine(offline=True))
    assert first.id == "config.invalid"
    assert first.words()[1] == (f"Move it away: `mv {path} {path}.old`",)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_a_model_of_the_hub_needs_no_configuration(tmp_path: Path) -> None:
    """Whoever asks about one hears of it, though the file is broken."""
    found = World(tmp_path, config="models: [").examine(MODEL)
    assert first_problem(found).id == "config.invalid"
    assert one(found, "model.served").entry == MODEL


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_a_login_that_others_can_change_is_told(tmp_path: Path) -> None:
    """Where no entry asks for a token, either."""
    folder = tmp_path / ".bytebuddy"
    folder.mkdir(mode=0o700)
    (folder / ".env").write_text(f"HF_TOKEN={TOKEN}\n")
    (folder / ".env").chmod(0o666)
    found = World(tmp_path, config="", env={}).examine(offline=True)
    told = one(found, "token.unread")
    assert (told.level, "chmod go-w" in told.words()[0]) == (Level.PROBLEM, True)


def test_budgets_of_a_damaged_file_are_not_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a finding, and no line that names the home beside them."""
    folder = tmp_path / ".bytebuddy"
    folder.mkdir(mode=0o700)
    (folder / "usage.db").write_bytes(b"no database" * 999)
    (folder / "usage.db").chmod(0o600)
    with caplog.at_level(logging.WARNING):
        found = World(tmp_path).examine(offline=True)
    assert one(found, "account.budget").level is Level.UNKNOWN
    assert one(found, "files.damaged").level is Level.WARNING
    assert caplog.messages == []
    assert {each.name for each in folder.iterdir()} == {"config.yaml", "usage.db"}


async def elsewhere(_: FakeRequest) -> FakeReply:
    return FakeReply(302, {"location": "http://portal.example/"}, b"")


@pytest.mark.parametrize(
    ("handler", "level", "words"),
    [
        (portal, Level.PROBLEM, "is not Hugging Face's API (status 200)"),
        (elsewhere, Level.PROBLEM, "is not Hugging Face's API (status 302)"),
        (failing, Level.WARNING, "answers with status 502"),
    ],
)
@pytest.mark.parametrize(
    ("origin", "name"), [(HUB, "network.hub"), (ROUTER, "network.router")]
)
def test_whatever_answers_is_not_taken_for_hugging_face(
    tmp_path: Path, *, origin: str, name: str, handler: object, level: Level, words: str
) -> None:
    """A page of the network is no "reached"; then no token is sent to it, either."""
    made = hub()
    world = World(tmp_path, Hosts(made, {origin: handler}))
    found = world.examine()
    told = one(found, name)
    assert (told.level, words in told.words()[0]) == (level, True)
    asked = [each.id for each in found if each.part == "token"]
    assert asked == ([] if origin == HUB else ["token.owner", "token.permission"])


@pytest.mark.parametrize(
    ("status", "level", "words", "step"),
    [
        (500, Level.WARNING, "(status 500)", "status.huggingface.co"),
        (429, Level.UNKNOWN, "asked too often", "Wait some minutes"),
        (200, Level.WARNING, "cannot be read", "in a browser"),
    ],
)
def test_a_token_that_nobody_tells_of(
    status: int, level: Level, words: str, step: str, tmp_path: Path
) -> None:
    """It is told as that: neither of a bill, nor with an option of login."""
    made = hub()

    async def handler(request: FakeRequest) -> FakeReply:
        if request.path == "/api/whoami-v2":
            return json_reply({"error": "x"}, status=status)
        return await made.handle(request)

    told = one(World(tmp_path, handler).examine(), "token.owner")
    said, steps = told.words()
    assert (told.level, words in said, "HF_TOKEN" in said) == (level, True, True)
    assert step in steps[0]
    assert "bill" not in said
    assert "--no-check" not in " ".join(steps)


@pytest.mark.parametrize(("off", "word"), [(-86_400.0, "slow"), (86_400.0, "fast")])
def test_a_clock_that_is_a_day_off(off: float, word: str, tmp_path: Path) -> None:
    """As people say it."""
    made = hub()

    async def dated(request: FakeRequest) -> FakeReply:
        reply = await made.handle(request)
        return reply.with_headers({"date": "Mon, 21 Sep 2026 14:13:20 GMT"})

    found = World(tmp_path, dated).examine(now=1_790_000_000.0 + off)
    told = one(found, "network.clock")
    assert told.words()[0] == f"The clock of this machine is 24 hours {word}."


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_authorities_that_are_not_there(variable: str, tmp_path: Path) -> None:
    """Each entry that goes by TLS is told of, also offline; nothing raises."""
    env = {"HF_TOKEN": TOKEN, variable: str(tmp_path / "nope.pem")}
    world = World(tmp_path, env=env)
    for offline in (True, False):
        first = first_problem(world.examine(offline=offline, calls=not offline))
        assert (first.id, first.entry) == ("entry.certificates", "mine")
        assert variable in first.words()[0]


def test_a_certificate_of_ones_own_that_is_not_there(tmp_path: Path) -> None:
    """The key of the configuration is named."""
    more = "apiBase: https://x.example/v1\nrequestOptions:\n  clientCertificate:\n"
    config = entry(f"{more}    cert: /nope.pem\n    key: /nope.key")
    first = first_problem(World(tmp_path, config=config).examine(offline=True))
    assert first.id == "entry.certificates"
    assert "clientCertificate" in first.words()[0]


@pytest.mark.parametrize("config", ["", entry()])
def test_a_proxy_that_is_no_address(config: str, tmp_path: Path) -> None:
    """Nobody says that it is offline, and its password is not shown."""
    env = {"HF_TOKEN": TOKEN, "HTTPS_PROXY": "ht!tp://:::joe:S3cretPass@"}
    found = World(tmp_path, config=config, env=env).examine()
    assert one(found, "network.hub").level is Level.PROBLEM
    said = " ".join(" ".join((each.words()[0], *each.words()[1])) for each in found)
    assert "HTTPS_PROXY" in said
    assert "S3cretPass" not in said
    assert "HF_HUB_OFFLINE" not in said


def test_a_hub_that_is_not_to_be_asked(tmp_path: Path) -> None:
    """The variable is named, and nobody is asked, the status page neither."""
    made = hub()
    env = {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}
    told = one(World(tmp_path, made, env=env).examine(), "network.hub")
    assert (told.level, "HF_HUB_OFFLINE" in told.words()[0]) == (Level.UNKNOWN, True)
    assert made.requests == ()


def test_an_endpoint_that_is_nobodys(tmp_path: Path) -> None:
    """The list of endpoints may be read, and is empty: it is no matter of the token."""
    base = "https://abc.us-east-1.aws.endpoints.huggingface.cloud"
    world = World(tmp_path, config=entry(f"apiBase: {base}\napiKey: {TOKEN}"))
    said, steps = one(world.examine(), "endpoint.state").words()
    assert "or it was deleted" in said
    assert "Compare apiBase" in steps[0]


def test_a_model_that_is_only_named_has_no_roles(tmp_path: Path) -> None:
    """Nobody said what it is for: no role is missing."""
    facts = {"org/vectors": {"pipeline_tag": "feature-extraction"}}
    found = World(tmp_path, hub(facts=facts)).examine("org/vectors")
    assert not [each.id for each in found if each.id.startswith("entry.role")]
    assert one(found, "model.unserved").entry == "org/vectors"


def test_a_token_in_quotation_marks(tmp_path: Path) -> None:
    """A shell takes them away, an editor of variables does not."""
    found = World(tmp_path, env={"HF_TOKEN": f'"{TOKEN}"'}).examine()
    told = one(found, "token.form")
    assert "begins with a quotation mark" in told.words()[0]
    assert found.index(told) < found.index(one(found, "token.refused"))


OWN = "http://127.0.0.1:8080"


@pytest.mark.parametrize("base", [OWN, f"{OWN}/v1"])
def test_a_page_is_no_model_server(base: str, tmp_path: Path) -> None:
    """What lists no model is not known, until a call is made."""
    hosts = Hosts(hub(), {OWN: portal})
    world = World(tmp_path, hosts, entry(f"apiBase: {base}"))
    told = one(world.examine(), "network.server")
    assert (told.level, "lists no model" in told.words()[0]) == (Level.UNKNOWN, True)
    assert "--calls" in told.words()[1][0]


def test_of_a_model_that_nobody_serves_only_that_is_told(tmp_path: Path) -> None:
    """Whether it chats is known by who serves it: no role is called missing."""
    facts = {"org/quiet": {"pipeline_tag": "text-generation"}}
    config = entry(model="org/quiet", roles="chat, edit, apply")
    found = World(tmp_path, hub(facts=facts), config).examine()
    assert first_problem(found).id == "model.unserved"
    assert not [each.id for each in found if each.id.startswith("entry.role")]


def test_a_server_that_never_answers_its_call(tmp_path: Path) -> None:
    """The examination ends all the same."""
    world = World(tmp_path, Hosts(hub(), {OWN: silent}), entry(f"apiBase: {OWN}/v1"))
    found = world.examine(virtual=True, calls=True)
    assert first_problem(found) is one(found, "network.server")
    assert one(found, "entry.call").level is Level.PROBLEM


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use stays there")
def test_a_folder_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the rest of the configuration says is told all the same."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    async def main() -> list[Finding]:
        found = diagnose(
            offline=True, home=tmp_path, env={"HOME": str(tmp_path)}, now=1.0
        )
        return [each async for each in found]

    first = first_problem(asyncio.run(main()))
    assert first.id == "config.folder"
    assert first.words()[1] == ("Go to one that is there: `cd ~`",)
    monkeypatch.undo()
