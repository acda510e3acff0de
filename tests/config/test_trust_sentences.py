"""What a project's file may name and decide: a test for each sentence on it.

The docstring of a test is the sentence that it proves.
"""

# ruff: noqa: D205 - a sentence of the design is longer than a line
from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve
from config_world import World
from page_blocks import BLOCKS, flat
from recorded import recorded

from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config import exposure
from bytebuddy_provider_hf.config.schema import CALLERS_OWN
from bytebuddy_provider_hf.config.trust import check_entry, strange_origins
from bytebuddy_provider_hf.config.values import LogOptions, RequestOptions
from bytebuddy_provider_hf.errors import (
    ConfigError,
    ConfigInvalid,
    InvalidOption,
    UntrustedProject,
)
from bytebuddy_provider_hf.logs.file import RotatingFile
from bytebuddy_provider_hf.plugins.discovery import discover
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.storage.answers_file import AnswersFile
from bytebuddy_provider_hf.storage.database import open_file, open_to_read
from bytebuddy_provider_hf.storage.identity import read_key
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Recorded
from bytebuddy_provider_hf.transport.credentials import VARIABLES, find_token
from bytebuddy_provider_hf.transport.tls import CaBundle, context
from bytebuddy_provider_hf.wire.server import Server

ROUTER: Final = "https://router.huggingface.co"
EVIL: Final = "https://evil.example"
HEAD: Final = (
    "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n    model: org/name\n"
)
on_posix: Final = pytest.mark.skipif(
    sys.platform == "win32", reason="modes are for POSIX"
)
as_root: Final = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away"
)


def opened(world: World, below: str = "") -> ModelRegistry:
    world.write(world.project_file, f"{HEAD}{below}")
    return ModelRegistry.load(cwd=world.project, home=world.home, env=world.env)


@pytest.mark.asyncio
async def test_a_key_is_tied_to_an_origin(world: World) -> None:
    """A key is tied to an origin."""
    registry = opened(world, f"    apiKey: hf_x\n    apiBase: {EVIL}/v1\n")
    world.store.add(world.project, EVIL)
    async with registry:
        endpoint = registry["m"]._endpoint  # type: ignore[attr-defined]
        assert endpoint.destination.origin == EVIL
        assert endpoint.destination.credential.reveal() == "hf_x"
        # Other ways that the model knows carry none.
        assert endpoint.hub is None
        assert endpoint.catalogue is None


@pytest.mark.parametrize("kind", ["user", "global", "explicit"])
def test_files_that_the_user_chose_decide_everything(world: World, kind: str) -> None:
    """Files that the user chose decide everything."""
    text = (
        f"{HEAD}    apiBase: {EVIL}\n"
        "    apiKey: ${ANY_NAME}\n    billTo: ${ANY_NAME}\n"
        "    requestOptions: {noProxy: [x], extraBodyProperties: {model: other}}\n"
    )
    world.env["ANY_NAME"] = "mine"
    path = {
        "user": world.user_file,
        "global": world.machine / "config.yaml",
        "explicit": world.machine / "named.yaml",
    }[kind]
    world.write(path, text)
    config = world.load(path if kind == "explicit" else None)
    (entry,) = config.entries
    check_entry(entry, world.store)
    assert (entry.unset, config.warnings) == ((), ())
    assert entry.api_key is not None
    assert (entry.api_key.reveal(), entry.bill_to) == ("mine", "mine")
    assert entry.request_options.no_proxy == ("x",)
    assert entry.request_options.extra_body_properties == {"model": "other"}


@pytest.mark.parametrize(
    ("base", "allowed"),
    [
        ("https://huggingface.co", True),
        (ROUTER, True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        (EVIL, False),
        ("http://192.168.0.1", False),
    ],
)
def test_a_project_may_send_a_key_to_three_places(
    world: World, base: str, allowed: bool
) -> None:
    """A project's ``./config.yaml`` may send a key only to huggingface.co,
    router.huggingface.co and loopback.
    """
    world.write(world.project_file, f"{HEAD}    apiBase: '{base}'\n")
    (entry,) = world.load().entries
    if allowed:
        check_entry(entry, world.store)
        return
    with pytest.raises(UntrustedProject):
        check_entry(entry, world.store)


SETTINGS: Final = {
    "headers": "{X-A: b}",
    "proxy": "http://evil.example:1",
    "noProxy": "[router.huggingface.co]",
    "verifySsl": "false",
    "caBundlePath": "evil.pem",
    "clientCertificate": "{cert: a, key: b}",
}


@pytest.mark.parametrize("key", SETTINGS)
def test_a_projects_settings_count_for_nothing_until_it_is_trusted(
    world: World, key: str
) -> None:
    """Its ``headers``, ``proxy``, ``noProxy``, ``verifySsl`` and ``caBundlePath`` count
    for nothing, until the user trusts (project path, origin) once.
    """
    text = f"{HEAD}    requestOptions: {{{key}: {SETTINGS[key]}}}\n"
    world.write(world.project_file, text)
    config = world.load()
    assert config.entries[0].request_options == RequestOptions()
    (warning,) = config.warnings
    assert f"models[0].requestOptions.{key}" in warning.message
    world.store.add(world.project, ROUTER)
    config = world.load()
    assert config.entries[0].request_options != RequestOptions()
    assert config.warnings == ()


def test_a_projects_env_counts_for_nothing_until_it_is_trusted(world: World) -> None:
    """Its ``.env`` counts for nothing, until the user trusts it."""
    world.write(world.project / ".env", "HF_API_KEY=theirs\n")
    world.write(world.project_file, f"{HEAD}    apiKey: ${{HF_API_KEY}}\n")
    assert world.load().entries[0].api_key is None
    world.store.add(world.project, ROUTER)
    assert world.load().entries[0].api_key.reveal() == "theirs"  # type: ignore[union-attr]


def test_a_projects_top_options_count_for_nothing_until_it_is_trusted(
    world: World,
) -> None:
    """Its top-level ``requestOptions`` count for nothing, until the user trusts it."""
    world.write(world.project_file, f"requestOptions: {{timeout: 7}}\n{HEAD}")
    config = world.load()
    assert config.entries[0].request_options.timeout is None
    assert len(config.warnings) == 1
    world.store.add(world.project, ROUTER)
    assert world.load().entries[0].request_options.timeout == 7


def test_a_project_does_not_replace_what_the_caller_said_until_it_is_trusted(
    world: World,
) -> None:
    """``extraBodyProperties`` that replace what the caller said count for nothing,
    until the user trusts it; others count.
    """
    body = "{model: x, messages: [], temperature: 2, tools: [], user: me}"
    text = f"{HEAD}    requestOptions: {{extraBodyProperties: {body}}}\n"
    world.write(world.project_file, text)
    config = world.load()
    options = config.entries[0].request_options
    assert dict(options.extra_body_properties) == {"user": "me"}
    assert [w.message.partition(" ")[0] for w in config.warnings] == [
        f"models[0].requestOptions.extraBodyProperties.{name}:"
        for name in ("model", "messages", "temperature", "tools")
    ]
    world.store.add(world.project, ROUTER)
    options = world.load().entries[0].request_options
    assert len(options.extra_body_properties) == 5


def test_every_member_of_a_body_is_known_to_be_the_callers() -> None:
    """What servers are sent for a caller's words stands in one list."""
    from bytebuddy_provider_hf.wire import dialects
    from bytebuddy_provider_hf.wire.server import Server

    assert dialects  # every kind of server is a subclass by now
    found: set[str] = set()
    kinds: list[type[Server]] = [Server]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        server = kind()
        for route in ("chat", "completions", "generate", "infill", "embeddings"):
            try:
                found |= set(server.options_for(route).names.values())
            except KeyError:
                continue
    source = Path(str(dialects.__file__)).parent.parent
    written = re.compile(r'body\["(\w+)"\]|"(\w+)": (?:request|query|inputs|truncate)')
    for file in ("openai.py", "tgi.py", "llamacpp.py", "tei.py", "tasks.py"):
        for pair in written.findall((source / file).read_text("utf-8")):
            found |= set(filter(None, pair))
    found |= {"messages", "prompt", "model", "stream_options", "n", "response_format"}
    assert found <= CALLERS_OWN, sorted(found - CALLERS_OWN)


@pytest.mark.parametrize(
    "base",
    ["https://x.us-east-1.aws.endpoints.huggingface.cloud", "https://6a--1.hf.jobs"],
)
def test_a_rented_name_gets_the_key_only_after_a_question(
    world: World, base: str
) -> None:
    """Anyone can rent an ``endpoints.huggingface.cloud`` or ``hf.jobs`` name: the key
    goes there only after the user was asked.
    """
    registry = opened(world, f"    apiKey: hf_x\n    apiBase: {base}\n")
    with pytest.raises(UntrustedProject) as caught:
        registry["m"]
    assert "bytebuddy-hf config trust" in str(caught.value.hint)
    world.store.add(world.project, base)
    registry["m"]


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("above", "below", "named"),
    [
        ("log: {path: x.log}\n", "", "log"),
        ("alerts: {command: [evil]}\n", "", "alerts"),
        ("cacheDir: /x\nledgerPath: /x\n", "", "cacheDir"),
        ("ledger: off\n", "", "ledger"),
        ("", "    billTo: theirs\n", "billTo"),
        ("", "    fallbacks: [other]\n", "fallback"),
    ],
)
def test_some_keys_never_count_from_a_projects_file(
    world: World, above: str, below: str, named: str, trusted: bool
) -> None:
    """Never from a project's file, trusted or not: ``log``, the command of an alert,
    folders of cache and ledger, ``billTo``, ``fallbacks`` that leave the entry's
    origin. They are named as ignored.
    """
    other = f"  - name: other\n    provider: x\n    model: a/b\n    apiBase: {EVIL}\n"
    world.write(world.project_file, f"{above}{HEAD}{below}{other}")
    if trusted:
        world.store.add(world.project, ROUTER)
        world.store.add(world.project, EVIL)
    config = world.load()
    assert (config.log, config.alerts, config.ledger) == (None, None, True)
    assert (config.entries[0].bill_to, config.entries[0].fallbacks) == (None, ())
    told = [w.message for w in config.warnings]
    assert any(named in each for each in told), told


def test_an_alert_is_a_list_of_arguments(world: World) -> None:
    """An alert's command is a list of arguments, never a shell line."""
    world.write(world.user_file, f"alerts: {{command: 'notify $(id)'}}\n{HEAD}")
    with pytest.raises(ConfigInvalid):
        world.load()
    world.write(world.user_file, f"alerts: {{command: [notify, $$HOME]}}\n{HEAD}")
    alerts = world.load().alerts
    assert alerts is not None
    assert alerts.command == ("notify", "$HOME")


@pytest.mark.parametrize("name", sorted({*VARIABLES, "HF_ENDPOINT_TOKEN"}))
def test_a_project_may_name_the_variables_of_tokens(world: World, name: str) -> None:
    """A project's file may name the variables of ``transport/credentials`` and
    ``HF_ENDPOINT_TOKEN``.
    """
    world.env[name] = "hf_mine"
    world.write(world.project_file, f"{HEAD}    apiKey: ${{{name}}}\n")
    (entry,) = world.load().entries
    assert entry.unset == ()
    assert entry.api_key is not None
    assert entry.api_key.reveal() == "hf_mine"


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "below",
    [
        "    apiKey: ${AWS_SECRET}\n",
        "    model: ${AWS_SECRET}\n",
        "    requestOptions: {extraBodyProperties: {user: '${AWS_SECRET}'}}\n",
        "    apiKey: ${{ secrets.AWS_SECRET }}\n",
    ],
)
def test_for_another_variable_the_message_shows_the_command(
    world: World, below: str, trusted: bool
) -> None:
    """For another the message shows the command that allows this one name for this
    project.
    """
    world.env["AWS_SECRET"] = "canary"
    world.write(world.home / ".bytebuddy/.env", "AWS_SECRET=canary\n")
    text = f"{HEAD}{below}"
    if "model: $" in below:
        text = text.replace("    model: org/name\n", "")
    world.write(world.project_file, text)
    if trusted:
        world.store.add(world.project, ROUTER)
    config = world.load()
    (entry,) = config.entries
    assert "canary" not in f"{entry!r} {entry.model} {entry.api_key!r}"
    (unset,) = entry.unset
    assert unset.refused
    assert "`bytebuddy-hf config trust --variable AWS_SECRET`" in unset.hint
    registry = ModelRegistry(config, discover(env={}), home=world.home, env=world.env)
    with pytest.raises(ConfigError, match="may not name there"):
        registry["m"]
    world.store.allow(world.project, "AWS_SECRET")
    world.store.add(world.project, ROUTER)
    assert world.load().entries[0].unset == ()
    # For this project and this name alone.
    elsewhere = evolve(world, project=world.machine)
    elsewhere.write(elsewhere.project_file, text)
    assert elsewhere.load().entries[0].unset[0].refused
    assert world.store.forbid(world.project, "AWS_SECRET")
    assert world.load().entries[0].unset[0].refused


def test_a_default_counts_where_a_variable_may_not_be_read(world: World) -> None:
    """A default stands for a variable that is not told, and that is said."""
    world.env["LIMIT"] = "9"
    world.write(
        world.project_file,
        f"{HEAD}    defaultCompletionOptions: {{maxTokens: '${{LIMIT:-5}}'}}\n",
    )
    config = world.load()
    assert config.entries[0].default_completion_options.max_tokens == 5
    (warning,) = config.warnings
    assert "config trust --variable LIMIT" in warning.message
    del world.env["LIMIT"]
    assert world.load().warnings == ()


def test_what_the_project_has_set_itself_is_not_the_users(world: World) -> None:
    """Its own ``.env`` counts once trusted, and no value of the user's beside it."""
    world.env["K"] = "users"
    world.write(world.project / ".env", "K=theirs\n")
    world.write(world.project_file, f"{HEAD}    apiKey: ${{K}}\n")
    world.store.add(world.project, ROUTER)
    (entry,) = world.load().entries
    assert entry.api_key is not None
    assert entry.api_key.reveal() == "theirs"


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("base", ["${HF_TOKEN}", "https://${HF_TOKEN}.evil.example"])
def test_no_variable_stands_in_the_address_of_a_project(
    world: World, base: str, trusted: bool
) -> None:
    """None in ``apiBase``."""
    world.env["HF_TOKEN"] = "https://canary"
    world.write(world.project_file, f"{HEAD}    apiBase: '{base}'\n")
    world.write(world.project / ".env", "HF_TOKEN=https://evil.example\n")
    if trusted:
        world.store.add(world.project, EVIL)
        world.store.add(world.project, ROUTER)
        world.store.allow(world.project, "HF_TOKEN")
    (entry,) = world.load().entries
    assert entry.api_base is None
    (unset,) = entry.unset
    assert unset.refused
    assert "names no variable in apiBase" in unset.hint


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "a\n", "x" * 300])
def test_only_a_name_is_allowed(world: World, name: str) -> None:
    """What is no name of a variable is not written into the file."""
    with pytest.raises(InvalidOption):
        world.store.allow(world.project, name)
    assert not world.store.path.exists()


@pytest.mark.asyncio
async def test_the_blocks_of_the_page_work_from_a_project(world: World) -> None:
    """All nine blocks of the provider page work from ``./config.yaml`` after one
    ``config trust``.
    """
    assert len(BLOCKS) == 9
    world.env.update(HF_API_KEY="hf_one", HF_ENDPOINT_TOKEN="hf_two")
    blocks = [block.removeprefix("models:\n") for block, _ in BLOCKS.values()]
    world.write(world.project_file, "models:\n" + "".join(blocks))
    entries = world.load().entries
    assert len(entries) == 11
    # What `config trust` without an address does.
    wanted = strange_origins(entries, project=world.project, store=world.store)
    for origin in wanted:
        world.store.add(world.project, origin)
    config = world.load()
    assert config.warnings == ()
    answer = {
        "id": "1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi"},
            }
        ],
    }

    async def reply(_: FakeRequest) -> FakeReply:
        return json_reply(answer)

    handler = Recorded(reply)
    runtime = Runtime(connect=MemoryConnect(handler))
    registry = ModelRegistry(
        config, discover(env={}), home=world.home, env=world.env, runtime=runtime
    )
    async with runtime, registry:
        for entry in config.entries:
            assert entry.unset == ()
            assert entry.api_key is not None
            assert registry[entry.name].name == entry.name
            # The other two have no chat template, whoever's file names them.
            if entry.model not in ("bigcode/starcoder", "google/flan-t5-xxl"):
                reply_ = await registry.chat(entry.name).chat("hello")
                assert reply_.text == "hi"
    chats = [each for each in handler.requests if each.path.endswith("/completions")]
    assert len(chats) == 6


def test_those_are_the_blocks_of_the_page() -> None:
    """All nine blocks of the provider page."""
    path = recorded("reference", "provider-page.zh.txt")
    page = "".join(path.read_text("utf-8").split())
    assert page.count("models:-name:") == 9
    for block, _ in BLOCKS.values():
        assert "".join(flat(block).split()) in page


def test_a_value_of_a_variable_keeps_its_mark(world: World) -> None:
    """A value from a variable keeps its mark wherever it goes."""
    world.env["HF_TOKEN"] = "canary-value"
    world.store.add(world.project, ROUTER)
    below = "    sourceFile: ${HF_TOKEN}\n    family: x-${HF_TOKEN}\n"
    world.write(world.project_file, f"{HEAD}{below}")
    (entry,) = world.load().entries
    assert "canary" not in repr([entry])
    assert str(ConfigError("canary-value is wrong")) == "${HF_TOKEN} is wrong"


@on_posix
@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_file_that_everybody_can_write_to_is_refused(
    world: World, where: str
) -> None:
    """Files: refused where they hold a key or an address and are world-writable."""
    world.write(world.user_file, HEAD)
    place = world.user_file if where == "file" else world.user_file.parent
    place.chmod(place.stat().st_mode | stat.S_IWOTH)
    with pytest.raises(ConfigInvalid) as caught:
        world.load()
    assert f"`chmod go-w {place}`" in caught.value.problems[0]


@on_posix
def test_a_projects_file_that_everybody_can_write_to_is_skipped(world: World) -> None:
    """It stops nobody's work, and is told."""
    world.write(world.project_file, HEAD).chmod(0o666)
    config = world.load()
    assert config.entries == ()
    (warning,) = config.warnings
    assert f"`chmod go-w {world.project_file}`" in warning.message


@on_posix
def test_a_shared_folder_with_the_sticky_bit_is_none(world: World) -> None:
    """In it only the owner of a file can replace it, as in ``/tmp``."""
    world.write(world.project_file, HEAD)
    world.project.chmod(0o1777)
    assert world.load().warnings == ()
    # One above is enough to be led elsewhere.
    above = world.project.parent
    before = above.stat().st_mode
    above.chmod(0o777)
    try:
        (warning, *_) = world.load().warnings
    finally:
        above.chmod(before)
    assert f"`chmod go-w {above}`" in warning.message


@on_posix
def test_a_link_does_not_hide_who_can_write(world: World, tmp_path: Path) -> None:
    """The file that it leads to is looked at, and the folder it stands in."""
    shared = tmp_path / "shared"
    shared.mkdir()
    target = world.write(shared / "real.yaml", HEAD)
    world.user_file.parent.mkdir()
    world.user_file.symlink_to(target)
    assert len(world.load().entries) == 1
    shared.chmod(0o777)
    with pytest.raises(ConfigInvalid, match=re.escape(str(shared))):
        world.load()


@as_root
@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_file_of_another_user_is_refused(world: World, where: str) -> None:
    """Or owned by another user than this one and root."""
    world.write(world.user_file, HEAD)
    place = world.user_file if where == "file" else world.user_file.parent
    os.chown(place, 4711, -1)
    with pytest.raises(ConfigInvalid) as caught:
        world.load()
    assert f"`chown 0 {place}`" in caught.value.problems[0]


@as_root
def test_a_file_of_roots_is_read_by_everybody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user than this one and root: root's are the machine's."""
    world.write(world.user_file, HEAD)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert len(world.load().entries) == 1


@on_posix
def test_a_file_of_a_group_is_warned_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warned of where a group with other members may write."""
    world.write(world.user_file, HEAD).chmod(0o660)
    # A group of one's own, as many systems give each user, has nobody else in it.
    monkeypatch.setattr(exposure, "_has_others", lambda _: False)
    assert world.load().warnings == ()
    monkeypatch.setattr(exposure, "_has_others", lambda _: True)
    config = world.load()
    assert len(config.entries) == 1
    (warning,) = config.warnings
    assert f"`chmod go-w {world.user_file}`" in warning.message


@as_root
@pytest.mark.parametrize(("group", "told"), [(0, 0), (54_321, 1)])
def test_members_of_a_group_are_counted(world: World, group: int, told: int) -> None:
    """A group with other members: root is none, an unknown group may have some."""
    world.write(world.user_file, HEAD).chmod(0o660)
    os.chown(world.user_file, -1, group)
    assert len(world.load().warnings) == told


@on_posix
@pytest.mark.parametrize(
    ("disk", "told"),
    [("vfat", False), ("drvfs", False), ("exfat", False), ("ext4", True), ("", True)],
)
def test_file_systems_without_modes_say_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, disk: str, told: bool
) -> None:
    """Neither on file systems without modes (drvfs, FAT, Windows)."""
    world.write(world.project_file, HEAD).chmod(0o666)
    monkeypatch.setattr(exposure, "disk_of", lambda _: disk)
    assert bool(world.load().warnings) == told


def test_a_disk_of_windows_is_known_in_wsl() -> None:
    """WSL 2 mounts it as a network disk of another name."""
    from bytebuddy_provider_hf.config.disks import disk_of

    line = "96 80 0:61 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs;path=C:\\;uid=1000\n"
    assert disk_of(Path("/mnt/c/x"), line) == "drvfs"
    assert disk_of(Path("/mnt/c/x"), line.replace("drvfs", "share")) == "9p"


@on_posix
def test_a_variable_allows_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``BYTEBUDDY_ALLOW_MODES=1`` for the rest."""
    world.write(world.user_file, HEAD).chmod(0o666)
    for value in ("", "0", "yes"):
        monkeypatch.setenv("BYTEBUDDY_ALLOW_MODES", value)
        with pytest.raises(ConfigInvalid):
            world.load()
    monkeypatch.setenv("BYTEBUDDY_ALLOW_MODES", "1")
    assert len(world.load().entries) == 1


@on_posix
def test_tokens_that_everybody_can_write_are_not_used(world: World) -> None:
    """The login's file and that of Hugging Face's own programs hold a key."""
    state = world.home / ".bytebuddy"
    login = world.write(state / ".env", "HF_TOKEN=hf_one\n")
    assert find_token({}, state_dir=state) is not None
    login.chmod(0o666)
    with pytest.raises(ConfigError, match=f"chmod go-w {login}"):
        find_token({}, state_dir=state)
    (warning,) = world.load().warnings
    assert f"`chmod go-w {login}`" in warning.message
    login.unlink()
    token = world.write(world.home / ".cache/huggingface/token", "hf_two")
    assert find_token({}, state_dir=state) is not None
    token.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=f"chmod go-w {token.parent}"):
        find_token({}, state_dir=state)
    # One of the environment needs no file.
    assert find_token({"HF_TOKEN": "hf_x"}, state_dir=state) is not None


@on_posix
def test_a_list_of_trust_that_everybody_can_write_trusts_nobody(world: World) -> None:
    """It decides where keys go."""
    world.store.add(world.project, EVIL)
    world.store.path.chmod(0o666)
    assert not world.store.is_trusted(world.project, EVIL)
    with pytest.raises(ConfigError, match="chmod go-w"):
        world.store.add(world.project, ROUTER)
    (warning,) = world.load().warnings
    assert "no project is trusted" in warning.message


@on_posix
def test_a_cache_that_a_group_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write it can answer in a server's place."""
    path = tmp_path / "answers.db"
    AnswersFile(path).close()
    path.chmod(0o660)
    monkeypatch.setattr(exposure, "_has_others", lambda _: True)
    with pytest.raises(PermissionError, match="chmod go-w"):
        AnswersFile(path)
    monkeypatch.setattr(exposure, "_has_others", lambda _: False)
    AnswersFile(path).close()


@on_posix
def test_an_authority_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    """Whoever adds one to it can stand between."""
    pem = tmp_path / "ca.pem"
    pem.write_text("")
    pem.chmod(0o666)
    bundle = CaBundle((("caBundlePath", str(pem)),))
    with pytest.raises(InvalidOption, match="chmod go-w"):
        context(EVIL, RequestOptions(), bundle)


@on_posix
@pytest.mark.parametrize("name", ["usage.db", "usage.db-wal", "usage.key"])
def test_counts_that_everybody_can_write_are_not_believed(
    tmp_path: Path, name: str
) -> None:
    """They hold addresses, budgets and the key that tells tokens apart."""
    open_file(tmp_path).connection.close()
    before = read_key(tmp_path)
    (tmp_path / name).touch()
    (tmp_path / name).chmod(0o666)
    if name == "usage.key":
        assert read_key(tmp_path) != before
        return
    with pytest.raises(PermissionError, match="chmod go-w"):
        open_file(tmp_path)
    if name == "usage.db":
        with pytest.raises(PermissionError, match="chmod go-w"):
            open_to_read(tmp_path)


@on_posix
def test_what_servers_told_is_not_read_from_a_file_of_everybodys(
    tmp_path: Path,
) -> None:
    """Who writes it says what kind of server an address is."""
    path = tmp_path / "servers.json"
    ServerCache(path).put(EVIL, Server())
    assert ServerCache(path).get(EVIL) is not None
    path.chmod(0o666)
    cache = ServerCache(path)
    assert cache.get(EVIL) is None
    cache.put(EVIL, Server())
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


@on_posix
def test_no_log_is_written_where_everybody_could_put_a_link(tmp_path: Path) -> None:
    """It would lead to any file of this user's."""
    shared = tmp_path / "shared"
    shared.mkdir()
    options = LogOptions(str(shared / "x.log"))
    RotatingFile(options).close()
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match="chmod go-w"):
        RotatingFile(options)
