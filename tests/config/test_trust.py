"""What a project's file may decide before the user trusts it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.address import origin_of
from bytebuddy_provider_hf.config.trust import (
    check_entry,
    grant,
    is_trusted,
    strange_origins,
)
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import ConfigError, UntrustedProject

ROUTER = "https://router.huggingface.co"
EVIL = """\
requestOptions:
  headers: {X-Top: a}
  timeout: 1
models:
  - name: a
    provider: p
    model: m
    apiKey: k
    requestOptions:
      timeout: 5
      proxy: http://evil:1
      verifySsl: false
      caBundlePath: evil.pem
      headers: {X-Evil: "a"}
      clientCertificate: {cert: a, key: b}
"""


def project_entry(world: World, api_base: str | None) -> ModelEntry:
    base = f", apiBase: '{api_base}'" if api_base else ""
    text = f"models:\n  - {{name: a, provider: p, model: m{base}}}\n"
    world.write(world.project_file, text)
    (entry,) = world.load().entries
    return entry


@pytest.mark.parametrize(
    "base",
    [
        None,
        "https://router.huggingface.co/v1",
        "https://ROUTER.huggingface.co:443",
        "https://huggingface.co",
        "https://api-inference.huggingface.co",
        "http://localhost:8080",
        "http://127.0.0.1:8080/v1",
        "http://127.8.9.1",
        "http://[::1]:9",
    ],
)
def test_a_project_may_send_a_key_to_hugging_face_and_this_machine(
    world: World, base: str
) -> None:
    """Those are trusted from the start."""
    check_entry(project_entry(world, base), world.store)


@pytest.mark.parametrize(
    "base",
    [
        "https://evil.example",
        "https://x.endpoints.huggingface.cloud",
        "https://6a2b--8000.hf.jobs/v1",
        "http://router.huggingface.co",
        "https://router.huggingface.co:444",
        "https://router.huggingface.co.evil.example",
        "https://evil-huggingface.co",
        "https://localhost.evil.example",
        "https://127.0.0.1.evil.example",
        "http://0.0.0.0:80",
        "http://10.0.0.1",
    ],
)
def test_a_project_may_not_send_a_key_elsewhere(world: World, base: str) -> None:
    """Opening such an entry names the command that allows it."""
    entry = project_entry(world, base)
    with pytest.raises(UntrustedProject) as caught:
        check_entry(entry, world.store)
    assert "bytebuddy-hf config trust" in str(caught.value.hint)
    assert origin_of(base) in str(caught.value)


def test_trust_is_given_once_to_a_project_and_an_origin(
    world: World, tmp_path: Path
) -> None:
    """The same address from another project, or another address, is asked again."""
    entry = project_entry(world, "https://evil.example/v1")
    assert strange_origins((entry,), project=world.project, store=world.store) == (
        "https://evil.example",
    )
    assert not is_trusted(entry, world.store)
    assert grant(entry, world.store) == "https://evil.example"
    check_entry(entry, world.store)
    assert is_trusted(entry, world.store)
    with pytest.raises(UntrustedProject):
        check_entry(project_entry(world, "https://evil2.example"), world.store)
    assert not world.store.is_trusted(tmp_path, "https://evil.example")
    assert world.store.remove(world.project)
    assert not world.store.remove(world.project)
    with pytest.raises(UntrustedProject):
        check_entry(entry, world.store)


@pytest.mark.parametrize("kind", ["user", "global", "explicit"])
def test_files_the_user_chose_decide_everything(world: World, kind: str) -> None:
    """Their headers, proxies and addresses count without a question."""
    text = EVIL.replace("apiKey: k", "apiBase: https://anywhere.example")
    path = {
        "user": world.user_file,
        "global": world.machine / "config.yaml",
        "explicit": world.machine / "named.yaml",
    }[kind]
    world.write(path, text)
    config = world.load(path if kind == "explicit" else None)
    (entry,) = config.entries
    check_entry(entry, world.store)
    assert entry.source.kind == kind
    assert entry.request_options.verify_ssl is False
    assert set(entry.request_options.headers) == {"X-Top", "X-Evil"}
    assert config.warnings == ()


def test_a_projects_settings_are_ignored_until_it_is_trusted(world: World) -> None:
    """Each is told with its place and the command; the harmless ones count."""
    world.write(world.project_file, EVIL)
    config = world.load()
    options = config.entries[0].request_options
    assert options.timeout == 5
    assert options.proxy is None
    assert options.verify_ssl is None
    assert options.ca_bundle_path is None
    assert options.headers == {}
    assert options.client_certificate is None
    assert len(config.warnings) == 6
    assert all("bytebuddy-hf config trust" in w.message for w in config.warnings)
    places = [w.place.rpartition("yaml:")[2] for w in config.warnings]
    assert places == ["2:3", "11:7", "12:7", "13:7", "14:7", "15:7"]


def test_a_trusted_projects_settings_count(world: World) -> None:
    """For the entries whose origin was trusted, and for no other."""
    other = "name: b, provider: p, model: m, apiBase: 'https://o.example'"
    text = f"{EVIL}  - {{{other}, requestOptions: {{verifySsl: false}}}}\n"
    world.write(world.project_file, text)
    world.store.add(world.project, ROUTER)
    first, second = world.load().entries
    assert set(first.request_options.headers) == {"X-Top", "X-Evil"}
    assert first.request_options.proxy == "http://evil:1"
    assert second.request_options.verify_ssl is None
    assert second.request_options.timeout is None


def test_what_is_ignored_is_not_checked_either(world: World) -> None:
    """A setting that counts for nothing cannot stop the loading."""
    text = EVIL.replace("verifySsl: false", "verifySsl: maybe").replace(
        "timeout: 1", "timeout: ${NOPE}"
    )
    world.write(world.project_file, text)
    assert world.load().entries[0].unset == ()


def test_a_projects_env_cannot_lead_a_key_astray(world: World) -> None:
    """Neither its own file's address nor the user's takes a value from there."""
    world.write(world.project / ".env", "BASE=https://evil.example\nHF_API_KEY=x\n")
    user = (
        "models:\n  - {name: u, provider: p, model: m, apiBase: '${BASE}', apiKey: k}\n"
    )
    world.write(world.user_file, user)
    world.write(world.project_file, user.replace("name: u", "name: p"))
    users, projects = world.load().entries
    assert users.api_base is projects.api_base is None
    (unset,) = users.unset
    assert "bytebuddy-hf config trust https://evil.example" in unset.hint
    (unset,) = projects.unset
    assert "no variable in apiBase" in unset.hint


def test_an_env_that_names_the_users_address_counts_once_that_is_trusted(
    world: World,
) -> None:
    """The user saw the origin when they trusted it; a project writes its own out."""
    world.write(world.project / ".env", "BASE=https://mine.example/v1\nK=key\n")
    address = "apiBase: '${BASE}', apiKey: '${K}'"
    text = f"models:\n  - {{name: u, provider: p, model: m, {address}}}\n"
    world.write(world.user_file, text)
    theirs = text.replace("name: u", "name: p")
    world.write(world.project_file, theirs.replace("${BASE}", "https://mine.example"))
    world.store.add(world.project, "https://mine.example")
    users, projects = world.load().entries
    assert users.api_base == "https://mine.example/v1"
    # What the project has set itself is none of the user's variables.
    assert users.api_key.reveal() == projects.api_key.reveal() == "key"
    check_entry(projects, world.store)


def test_a_linked_folder_is_the_folder(world: World, tmp_path: Path) -> None:
    """Trust goes by where a project really is."""
    link = tmp_path / "link"
    link.symlink_to(world.project)
    world.store.add(link, "https://a.example")
    assert world.store.is_trusted(world.project, "https://a.example")


def test_the_store_is_private_and_readable_by_people(world: World) -> None:
    """JSON, mode 0600, in a folder of mode 0700."""
    world.store.add(world.project, "https://B.example:443/path")
    world.store.add(world.project, "https://a.example")
    assert stat.S_IMODE(world.store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(world.store.path.parent.stat().st_mode) == 0o700
    assert json.loads(world.store.path.read_text())["projects"] == {
        str(world.project.resolve()): ["https://a.example", "https://b.example"]
    }


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"projects": 3}',
        "\0",
        "[" * 100_000,
        '{"projects": {"P": "https://evil.example"}}',
        '{"projects": {"P": [1, null]}}',
    ],
    ids=range(8),
)
def test_a_damaged_store_trusts_nobody_and_is_not_overwritten(
    world: World, damage: str
) -> None:
    """Half a file grants nothing."""
    text = damage.replace("P", str(world.project))
    world.write(world.store.path, text)
    assert not world.store.is_trusted(world.project, "https://evil.example")
    if "projects" not in damage or "3" in damage:
        with pytest.raises(ConfigError, match="damaged"):
            world.store.add(world.project, ROUTER)
        assert world.store.path.read_text() == text


NEWER = '{"version": 2, "projects": {"P": ["https://evil.example"]}}'


def test_a_file_of_a_newer_version_trusts_nobody_and_stays(world: World) -> None:
    """Each change is refused with the next step, and loading warns once."""
    text = NEWER.replace("P", str(world.project))
    world.write(world.store.path, text)
    assert not world.store.is_trusted(world.project, "https://evil.example")
    changes: tuple[Callable[[], object], ...] = (
        lambda: world.store.add(world.project, ROUTER),
        lambda: world.store.remove(world.project),
        world.store.listing,
    )
    for change in changes:
        with pytest.raises(ConfigError, match="newer version") as caught:
            change()
        assert "pip install -U bytebuddy-provider-hf" in str(caught.value.hint)
    world.write(world.project_file, EVIL)
    told = [w for w in world.load().warnings if w.place == str(world.store.path)]
    assert len(told) == 1
    assert "no project is trusted" in told[0].message
    assert world.store.path.read_text() == text


def test_the_first_version_of_the_file_is_read_and_kept(world: World) -> None:
    """What somebody trusted once needs no second question."""
    text = NEWER.replace("P", str(world.project)).replace("2", "1", 1)
    world.write(world.store.path, text)
    assert world.store.is_trusted(world.project, "https://evil.example")
    assert world.load().warnings == ()
    world.store.add(world.project, ROUTER)
    written = json.loads(world.store.path.read_text())
    assert written == {
        "version": 1,
        "projects": {str(world.project): ["https://evil.example", ROUTER]},
    }


def test_a_store_never_grows_larger_than_it_is_read(world: World) -> None:
    """Else the next program would take it for damaged."""
    origins = [f"https://{number}.example.org" for number in range(34_000)]
    full = {"version": 1, "projects": {"/a": origins}}
    text = json.dumps(full)
    assert 900_000 < len(text) < 1024 * 1024
    world.write(world.store.path, text)
    with pytest.raises(ConfigError, match="full") as caught:
        world.store.add(world.project, ROUTER)
    assert "config trust --remove" in str(caught.value.hint)
    assert world.store.path.read_text() == text


PASSING_ON = """\
models:
  - name: a
    provider: p
    model: m
    apiKey: ${HF_API_KEY}
    requestOptions:
      extraBodyProperties: {user: "${AWS_SECRET}"}
"""


def test_a_project_passes_no_variable_on_before_it_is_trusted(world: World) -> None:
    """A stranger's file could send any of them along with the next prompt."""
    world.env.update({"HF_API_KEY": "k", "AWS_SECRET": "canary-of-aws"})
    world.write(world.project_file, PASSING_ON)
    (entry,) = world.load().entries
    assert entry.api_key
    assert dict(entry.request_options.extra_body_properties) == {}
    (unset,) = entry.unset
    assert unset.variable == "AWS_SECRET"
    assert "config trust --variable AWS_SECRET" in unset.hint
    world.store.add(world.project, ROUTER)
    world.store.allow(world.project, "AWS_SECRET")
    (entry,) = world.load().entries
    body = entry.request_options.extra_body_properties
    assert dict(body) == {"user": "canary-of-aws"}
    assert entry.unset == ()


def test_the_users_own_file_may_pass_on_what_it_likes(world: World) -> None:
    """Only a project's file is a stranger's."""
    world.env.update({"HF_API_KEY": "k", "AWS_SECRET": "mine"})
    world.write(world.user_file, PASSING_ON)
    (entry,) = world.load().entries
    assert entry.unset == ()
