"""``doctor`` names each cause first, with its step, and mends what is safe."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from doctor_world import MODEL, TOKEN, World, entry, first_problem, hub

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.doctor import situation
from bytebuddy_provider_hf.doctor.findings import Level
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.testing.answers import json_reply, models_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.hub_bill import USER_BILLING
from bytebuddy_provider_hf.testing.hub_endpoints import ManagedEndpoint
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

PAUSED = ManagedEndpoint("mine", "ada", state="paused")


def raising(error: errors.ByteBuddyError) -> Callable[[FakeRequest], object]:
    async def handler(_request: FakeRequest) -> FakeReply:
        raise error

    return handler


def answering(**paths: FakeReply) -> Callable[[FakeRequest], object]:
    """Return a healthy Hugging Face but for some paths, written with _ for /."""
    healthy = hub()

    async def handler(request: FakeRequest) -> FakeReply:
        for path, reply in paths.items():
            if request.path == path.replace("_", "/"):
                return reply
        return await healthy.handle(request)

    return handler


def with_state(state: str) -> FakeHub:
    made = hub()
    made.status = state
    made.affected = {"Inference Providers": state}
    return made


UNKNOWN_AUTHORITY = errors.UnknownAuthority(
    "The certificate is of an unknown authority."
)
PROXIED = "requestOptions:\n  proxy: http://127.0.0.1:9"

# A cause -> the id of the finding that stands first, a part of its next step, and what
# makes the world so.
CAUSES: dict[str, tuple[str, str, dict[str, object]]] = {
    "no file": ("config.missing", "config init", {"config": ""}),
    "an empty file": ("config.empty", "", {"config": "models: []\n"}),
    "a misspelt key": (
        "config.warning",
        "",
        {"config": entry("aipBase: https://x.example")},
    ),
    "wrong YAML": (
        "config.invalid",
        "config check",
        {"config": "models:\n - name: [\n"},
    ),
    "a missing key": (
        "config.invalid",
        "config check",
        {"config": "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"},
    ),
    "a variable that is not set": (
        "entry.unset",
        "NOBODY_SET_THIS",
        {"config": entry('apiKey: "${NOBODY_SET_THIS}"')},
    ),
    "a placeholder for a key": (
        "token.placeholder",
        "bytebuddy-hf login",
        {"config": entry('apiKey: "your-huggingface-api-key"')},
    ),
    "a key of another service": (
        "token.refused",
        "",
        {"config": entry('apiKey: "sk-proj-abcdefgh12345678"')},
    ),
    "no token": ("entry.unfit", "bytebuddy-hf login", {"env": {}}),
    "an unknown provider": (
        "entry.refused",
        "",
        {"config": entry().replace("huggingfaceinferenceapi", "nobodys")},
    ),
    "an address that is none": (
        "config.invalid",
        "config check",
        {"config": entry("apiBase: router.huggingface.co")},
    ),
    "a key over plain http": (
        "entry.unfit",
        "https",
        {"config": entry("apiBase: http://x.example\napiKey: abcdefgh12345678")},
    ),
    "a bad model id": ("entry.unfit", "", {"config": entry(model='"../../x"')}),
    "the retired host": (
        "entry.retired",
        "doctor --fix",
        {"config": entry("apiBase: https://api-inference.huggingface.co")},
    ),
    "no certificate check": (
        "entry.verify_ssl",
        "caBundlePath",
        {"config": entry("requestOptions:\n  verifySsl: false")},
    ),
    "a role that the model lacks": (
        "entry.role",
        "models search --task text-generation",
        {
            "config": entry(model="google-bert/bert-base-multilingual-cased"),
            "offline": True,
        },
    ),
    "a role that the router lacks": (
        "entry.role_at_router",
        "apiBase",
        {"config": entry(model="bigcode/starcoder", roles="edit"), "offline": True},
    ),
    "no such host": (
        "network.hub",
        "DNS",
        {"handler": raising(errors.HostNotFound("There is no host named x."))},
    ),
    "an unknown authority": (
        "network.hub",
        "caBundlePath",
        {"handler": raising(UNKNOWN_AUTHORITY)},
    ),
    "a proxy that is down": (
        "network.hub",
        "",
        {
            "handler": raising(errors.ProxyFailed("The proxy refuses.")),
            "config": entry(PROXIED),
        },
    ),
    "a slow clock": (
        "network.clock",
        "",
        {
            "handler": answering(
                _api_models=json_reply([]).with_headers(
                    {"date": "Mon, 21 Sep 2026 14:13:20 GMT"}
                )
            ),
            "now": 1_789_990_000.0,
        },
    ),
    "the Hub's rate limit": (
        "account.rate",
        "",
        {
            "handler": answering(
                _api_models=json_reply([]).with_headers({"ratelimit": '"api";r=0;t=55'})
            )
        },
    ),
    "a refused token": (
        "token.refused",
        "HF_TOKEN",
        {"env": {"HF_TOKEN": "hf_OtherOtherOtherOtherOtherOther0123"}},
    ),
    "a token without the permission": (
        "token.permission",
        "Make calls to Inference Providers",
        {"handler": hub(permissions=frozenset({USER_BILLING}))},
    ),
    "an organization of others": (
        "token.organization",
        "acme",
        {"config": entry("billTo: acme")},
    ),
    "no such model": (
        "model.missing",
        "models suggest",
        {
            "config": entry(model="org/nothing"),
            "handler": answering(
                _api_models_org_nothing=string_error(401, "Invalid username")
            ),
        },
    ),
    "a renamed model": (
        "model.renamed",
        f"model: {MODEL}",
        {"config": entry(model="org/old"), "handler": hub(renamed={"org/old": MODEL})},
    ),
    "a model that nobody serves": (
        "model.unserved",
        "models suggest",
        {
            "config": entry(model="org/unserved"),
            "handler": hub(facts={"org/unserved": {"pipeline_tag": "text-generation"}}),
        },
    ),
    "a provider that does not serve it": (
        "model.provider",
        "novita",
        {"config": entry(model=f'"{MODEL}:groq"')},
    ),
    "a paused endpoint": (
        "endpoint.paused",
        "hf endpoints resume",
        {
            "config": entry(f"apiBase: {PAUSED.url}\napiKey: {TOKEN}"),
            "handler": hub(endpoints=[PAUSED]),
        },
    ),
    "a server that is not there": (
        "network.server",
        "",
        {
            "config": entry("apiBase: http://127.0.0.1:8080/v1"),
            "handler": raising(errors.ConnectionRefused("Nothing listens there.")),
        },
    ),
    "a model that fails": (
        "entry.call",
        "",
        {
            "handler": hub(behaviour=Behaviour(always=string_error(400, "boom"))),
            "calls": True,
        },
    ),
    "credits used up": (
        "account.credits",
        "settings/billing",
        {"handler": hub(account={"included": 0, "limit": 0})},
    ),
    "an outage": (
        "status.page",
        "status.huggingface.co",
        {"handler": with_state("downtime")},
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_named_first(cause: str, tmp_path: Path) -> None:
    """Nothing that follows from it stands before it; its step is said in both."""
    name, step, changes = CAUSES[cause]
    settings = {k: v for k, v in changes.items() if k in ("offline", "calls", "now")}
    world = World(
        tmp_path,
        **{k: v for k, v in changes.items() if k not in settings},  # type: ignore[arg-type]
    )
    found = world.examine(**settings)  # type: ignore[arg-type]
    first = first_problem(found)
    assert first.id == name, [(each.id, each.words()) for each in found]
    assert first.level >= Level.WARNING
    said, steps = first.words()
    told, chinese = first.words("zh")
    assert said != told or first.id == "config.invalid"
    # What is wrong with a key says itself what to write.
    assert (steps and chinese) or first.id == "config.warning"
    if step:
        assert any(step in each for each in steps), steps
    copied = re.findall(r"`[^`]+`", " ".join(steps))
    assert copied == re.findall(r"`[^`]+`", " ".join(chinese))
    shown = repr(found) + "".join(str(each.words()) for each in found)
    assert TOKEN not in shown


def test_there_are_many_causes() -> None:
    """As the figure to reach says."""
    assert len(CAUSES) >= 25


def test_all_is_well(tmp_path: Path) -> None:
    """Of a healthy world nothing worse than a note is told, and each part is."""
    found = World(tmp_path).examine(calls=True)
    assert max(each.level for each in found) < Level.WARNING, found
    parts = [each.part for each in found]
    assert list(dict.fromkeys(parts)) == [
        *("config", "plugins", "entry", "network", "account", "token", "model"),
        *("status", "files", "versions"),
    ]
    assert "entry.call" in [each.id for each in found]


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    """Not even the status page."""
    asked = MemoryConnect(hub())
    world = World(tmp_path, handler=raising(errors.HostNotFound("asked")))
    found = world.examine(offline=True)
    assert asked.sent == 0
    assert max(each.level for each in found) < Level.WARNING
    assert [each.id for each in found if each.part == "network"] == ["network.hub"]


def test_a_paused_endpoint_is_not_woken(tmp_path: Path) -> None:
    """Its management page tells; the endpoint itself is asked nothing."""
    made = hub(endpoints=[PAUSED])
    World(
        tmp_path, handler=made, config=entry(f"apiBase: {PAUSED.url}\napiKey: {TOKEN}")
    ).examine()
    paths = [request.path for request in made.requests]
    assert not any(path.startswith("/v1") for path in paths), paths


def test_only_the_named_entries_are_examined(tmp_path: Path) -> None:
    """A model of the Hub needs no entry; a name that is none is told."""
    world = World(
        tmp_path, config=entry() + entry(model="a/b")[8:].replace("mine", "two")
    )
    found = world.examine("two", offline=True)
    assert {each.entry for each in found if each.entry} == {"two"}
    found = world.examine(MODEL, offline=True)
    assert {each.entry for each in found if each.entry} == {MODEL}
    assert "entry.unknown" in [each.id for each in world.examine("tow", offline=True)]


RETIRED = """\
# Mine: keep this.
models:
  - apiBase: https://api-inference.huggingface.co/models/x   # old
    name: first
    provider: huggingfaceinferenceapi
    model: org/name
    apiKey: hf_...  # from the page
    roles: [chat]
  - name: second
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: 'https://api-inference.huggingface.co'
    apiKey: your-huggingface-api-key
"""
MENDED = """\
# Mine: keep this.
models:
  - apiBase: https://router.huggingface.co/v1   # old
    name: first
    provider: huggingfaceinferenceapi
    model: org/name
    # apiKey: hf_...  # from the page
    roles: [chat]
  - name: second
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: 'https://router.huggingface.co/v1'
    # apiKey: your-huggingface-api-key
"""


def test_a_fix_mends_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    """Lines and modes that nobody named stay as they are, byte by byte."""
    world = World(tmp_path, config=RETIRED)
    found = world.examine(offline=True)
    fixes = [each.fix for each in found if each.fix is not None]
    assert len(fixes) == 4
    path = tmp_path / ".bytebuddy" / "config.yaml"
    path.chmod(0o640)
    for fix in fixes:
        fix.apply()
    assert path.read_text(encoding="utf-8") == MENDED
    assert path.stat().st_mode & 0o777 == 0o640
    world.config = ""
    after = world.examine(offline=True)
    assert max(each.level for each in after) < Level.WARNING, after


def test_a_fix_that_no_longer_fits_changes_nothing(tmp_path: Path) -> None:
    """The file was edited meanwhile: that is said."""
    world = World(tmp_path, config=RETIRED)
    found = world.examine(offline=True)
    path = tmp_path / ".bytebuddy" / "config.yaml"
    path.write_text("models: []\n", encoding="utf-8")
    fix = next(each.fix for each in found if each.fix is not None)
    with pytest.raises(errors.ConfigError, match="by hand"):
        fix.apply()
    assert path.read_text(encoding="utf-8") == "models: []\n"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_a_mode_is_mended(tmp_path: Path) -> None:
    """A file that everybody may write is a problem until it is not."""
    world = World(tmp_path)
    world.examine(offline=True)
    world.config = ""
    path = tmp_path / ".bytebuddy" / "config.yaml"
    path.chmod(0o666)
    found = world.examine(offline=True)
    assert first_problem(found).id == "config.invalid"
    (fix,) = [each.fix for each in found if each.fix is not None]
    fix.apply()
    assert path.stat().st_mode & 0o777 == 0o644
    after = world.examine(offline=True)
    assert max(each.level for each in after) < Level.WARNING, after


def test_a_model_server_of_ones_own(tmp_path: Path) -> None:
    """What it serves is told, and Hugging Face is not asked."""
    listed = {"one": Behaviour(), "two": Behaviour()}

    async def handler(request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            return models_reply(listed)
        return json_reply({"error": "no"}, status=404)

    base = "apiBase: http://127.0.0.1:8080/v1"
    found = World(tmp_path, handler=handler, config=entry(base)).examine()
    first = first_problem(found)
    assert (first.id, first.level) == ("model.other", Level.WARNING)
    assert any("one, two" in step for step in first.words()[1])
    network = [each for each in found if each.id == "network.hub"]
    assert [each.level for each in network] == [Level.UNKNOWN]


def test_whose_a_token_is_is_asked_seldom(tmp_path: Path) -> None:
    """An answer of ten minutes is kept, without the token and without the address."""
    made = hub()
    world = World(tmp_path, handler=made)
    time = [1_790_000_000.0]
    kept = KeptAnswers(tmp_path / "kept", clock=lambda: time[0])

    def asked() -> int:
        world.examine(answers=kept)
        return sum(r.path == "/api/whoami-v2" for r in made.requests)

    assert (asked(), asked()) == (1, 1)
    found = [each for each in world.examine(answers=kept) if each.part == "token"]
    assert [each.id for each in found] == ["token.owner", "token.permission"]
    time[0] += 601
    assert asked() == 2
    for path in (tmp_path / "kept").iterdir():
        assert TOKEN.encode() not in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(b'"ada"', b"[1, 2]"))
    assert asked() == 3


REFUSED = string_error(429, "Too many").with_headers({"ratelimit": '"api";r=0;t=300'})
ROUTER_LIMIT = "router.huggingface.co refused a request"


@pytest.mark.parametrize(
    ("later", "level", "words"),
    [
        (
            30.0,
            Level.WARNING,
            "30 s ago: too many (429). It answers again in 5 minutes",
        ),
        (400.0, Level.NOTE, "7 minutes ago: too many (429). That time is over"),
        (100_000.0, None, ""),
        (-500.0, None, ""),
    ],
)
def test_the_limit_that_another_process_met_is_told(
    tmp_path: Path, later: float, level: Level | None, words: str
) -> None:
    """With its age, also offline; a warning while it lasts, for a day at most."""
    folder = tmp_path / ".cache" / "bytebuddy-hf" / "catalogue"

    async def call() -> None:
        made = hub(behaviour=Behaviour(always=REFUSED))
        kept = KeptAnswers(folder, clock=lambda: 1_790_000_000.0)
        async with (
            Runtime(connect=MemoryConnect(made), answers=kept) as runtime,
            open_model(MODEL, api_key=TOKEN, runtime=runtime, env={}) as model,
        ):
            with pytest.raises(errors.RateLimited):
                await model.chat("hi", wait=False)

    asyncio.run(call())
    assert all(TOKEN.encode() not in it.read_bytes() for it in folder.iterdir())
    found = World(tmp_path).examine(offline=True, now=1_790_000_000.0 + later)
    told = [each for each in found if each.id == "account.rate_told"]
    assert [each.level for each in told] == ([] if level is None else [level])
    for each in told:
        said, steps = each.words()
        assert said.startswith(ROUTER_LIMIT)
        assert words in said
        assert "`bytebuddy-hf usage --by model`" in steps[0]
        assert "429" in each.words("zh")[0]


def test_a_limit_that_is_near_is_told(tmp_path: Path) -> None:
    """By good answers of the Hub to questions about models, too."""
    folder = tmp_path / ".cache" / "bytebuddy-hf" / "catalogue"
    few = {
        "ratelimit": '"api";r=9;t=300',
        "ratelimit-policy": '"fixed window";"api";q=1000;w=300',
    }
    listed = answering(_api_models=json_reply([{"id": MODEL}]).with_headers(few))

    async def ask() -> None:
        kept = KeptAnswers(folder, clock=lambda: 1_790_000_000.0)
        connect = MemoryConnect(listed)  # type: ignore[arg-type]
        async with (
            Runtime(connect=connect, answers=kept) as runtime,
            Catalogue(runtime=runtime, env={}) as catalogue,
        ):
            await catalogue.search("name")

    asyncio.run(ask())
    found = World(tmp_path).examine(offline=True, now=1_790_000_060.0)
    (told,) = [each for each in found if each.id == "account.rate_told"]
    assert told.words()[0] == (
        "huggingface.co told 60 s ago that 9 of 1000 requests were left."
    )


def test_a_version_that_nobody_knows_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that is one file has the code and not what pip knows of it."""
    monkeypatch.setattr(situation, "_PACKAGES", ("bytebuddy-nobody", "aiohttp"))
    said, _ = situation.version_finding().words()
    assert said.startswith("bytebuddy-nobody ?, aiohttp 3.")
