"""``config`` and ``models`` on files of every kind."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cli.process import CANARY
from click.testing import CliRunner, Result

from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.config.load import load

PAGE = """\
models:
  - name: "hf-llama"
    provider: "huggingfaceinferenceapi"
    model: "meta-llama/Llama-2-70b-chat-hf"
    apiKey: "${HF_API_KEY}"
    roles: ["chat"]
    defaultCompletionOptions:
      temperature: 0.7
      maxTokens: 4096
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    folder = tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    for name in ("HF_API_KEY", "HF_TOKEN", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def user_file(project: Path) -> Path:
    path = project.parent / "home" / ".bytebuddy" / "config.yaml"
    path.parent.mkdir()
    return path


def call(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=variables)


def test_init_writes_a_file_that_loads(project: Path) -> None:
    """The first configuration is valid, private, and not written twice."""
    path = project.parent / "home" / ".bytebuddy" / "config.yaml"
    assert call("config", "init").exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load(path, cwd=project, home=project.parent / "home", env={})
    assert loaded.entries
    before = path.read_bytes()
    assert call("config", "init").exit_code == 3
    assert path.read_bytes() == before


def test_check_passes_the_page(user_file: Path) -> None:
    """The provider page's configuration has no problem once its variable is set."""
    user_file.write_text(PAGE)
    done = call("config", "check", HF_API_KEY=CANARY)
    assert (done.exit_code, "1 of 1 models" in done.stderr) == (0, True)


def test_check_names_every_problem_and_its_place(user_file: Path) -> None:
    """All problems at once, each with file, line and column; exit 3."""
    user_file.write_text(PAGE.replace("0.7", "7").replace("4096", '"many"'))
    done = call("config", "check")
    assert done.exit_code == 3
    assert f"{user_file}:8:20" in done.stderr
    assert f"{user_file}:9:18" in done.stderr


def test_check_reports_what_concerns_one_entry(user_file: Path) -> None:
    """An unset variable and a provider that is not installed are problems here."""
    other = PAGE.split("\n", 1)[1].replace("hf-llama", "b")
    user_file.write_text(
        PAGE
        + other.replace("huggingfaceinferenceapi", "nowhere").split("    apiKey")[0]
    )
    done = call("config", "check")
    assert done.exit_code == 3
    assert "HF_API_KEY" in done.stderr
    assert "nowhere" in done.stderr
    assert "0 of 2 models" in done.stderr
    found = json.loads(call("config", "check", "--json").stdout)
    assert len(found["problems"]) == 2


def test_a_broken_file_is_json_too(user_file: Path) -> None:
    """``check --json`` of a file that does not load lists its problems."""
    user_file.write_text("models: [")
    done = call("config", "check", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"]["problems"]


def test_show_says_who_wrote_what_and_no_secret(user_file: Path) -> None:
    """Each entry has its place; key, headers and env are masked; it is YAML again."""
    user_file.write_text(
        PAGE
        + "    requestOptions:\n      headers:\n"
        + f'        X-Odd: "{CANARY}"\n'
        + f'    env:\n      anything: "{CANARY}"\n'
    )
    done = call("config", "show", HF_API_KEY=CANARY)
    assert done.exit_code == 0
    assert f"# {user_file}:2:5 (user)" in done.stdout
    assert "temperature: 0.7" in done.stdout
    assert CANARY not in done.output
    again = user_file.with_name("again.yaml")
    again.write_text(done.stdout)
    # A mask is no key: it would be sent as one.
    masked = call("config", "check", "--config", str(again))
    assert "is an example's placeholder" in masked.stderr
    again.write_text(done.stdout.replace("*" * 10, CANARY))
    assert call("config", "check", "--config", str(again)).exit_code == 0


def test_path_lists_what_is_looked_for(user_file: Path) -> None:
    """The strongest place comes first, and the files that exist are marked."""
    user_file.write_text(PAGE)
    lines = call("config", "path").stdout.splitlines()
    assert lines[0] == f"read     {user_file}"
    assert any(line.startswith("missing") for line in lines)


def test_a_file_that_is_named_must_exist(project: Path) -> None:
    """``--config`` of nothing ends with 3."""
    assert call("models", "--config", str(project / "no.yaml")).exit_code == 3


def test_models_lists_state_and_place(user_file: Path) -> None:
    """What is in the way of an entry stands beside it."""
    user_file.write_text(PAGE)
    listed = call("models").stdout
    assert "hf-llama" in listed
    assert "HF_API_KEY is not set" in listed
    assert f"{user_file}:2:5" in listed
    ready = json.loads(call("models", "--json", HF_API_KEY=CANARY).stdout)
    assert ready["models"][0]["state"] == "ready"


def test_a_token_in_the_wrong_key_is_masked(user_file: Path) -> None:
    """A token that stands as a name or a model is in no listing and no complaint."""
    swapped = PAGE.replace('"hf-llama"', '"${HF_API_KEY}"')
    swapped = swapped.replace("meta-llama/Llama-2-70b-chat-hf", "o/${HF_API_KEY}")
    user_file.write_text(swapped.replace("inferenceapi", "typo"))
    for command in (
        ("models",),
        ("models", "--json"),
        ("config", "check"),
        ("config", "check", "--json"),
        ("config", "show"),
    ):
        done = call(*command, HF_API_KEY=CANARY)
        assert "${HF_API_KEY}" in done.output
        assert CANARY not in done.output


def test_models_without_a_file_says_how_to_begin(project: Path) -> None:
    """An empty configuration is no failure."""
    done = call("models")
    assert done.exit_code == 0
    assert "bytebuddy-hf config init" in done.stderr


STRANGE = PAGE + '    apiBase: "https://evil.example/x"\n'


def test_a_project_is_trusted_only_when_told(project: Path) -> None:
    """A program is told the command; ``--yes`` trusts; ``--remove`` takes it back."""
    (project / "config.yaml").write_text(STRANGE)
    assert "not trusted" in call("models", HF_API_KEY=CANARY).stdout
    refused = call("config", "trust")
    assert refused.exit_code == 3
    assert "--yes" in refused.stderr
    assert call("config", "trust", "--yes").exit_code == 0
    assert "ready" in call("models", HF_API_KEY=CANARY).stdout
    assert "https://evil.example" in call("config", "trust", "--list").stdout
    assert call("config", "trust", "--remove").exit_code == 0
    assert "not trusted" in call("models", HF_API_KEY=CANARY).stdout


def test_trust_takes_an_address(project: Path) -> None:
    """A named address is trusted as the origin it belongs to."""
    assert call("config", "trust", "--yes", "https://Good.example/v1").exit_code == 0
    listed = call("config", "trust", "--list").stdout
    assert listed == f"{project}  https://good.example\n"


def test_a_folder_without_entries_is_nothing_to_ask(project: Path) -> None:
    """Where no project's file names an address there is nothing to trust."""
    done = call("config", "trust")
    assert done.exit_code == 0
    assert "no address" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(project: Path) -> None:
    """A failure of the file system is told without a traceback."""
    blocked = project.parent / "home" / ".bytebuddy"
    blocked.write_text("a file where a folder should be")
    done = call("config", "init")
    assert done.exit_code in {1, 3}
    assert done.stderr.startswith("error: ")


def test_one_variable_is_allowed_to_one_project_by_a_command(
    user_file: Path, project: Path
) -> None:
    """Asked for, listed, and taken back; nobody to ask is an error."""
    (project / "config.yaml").write_text(ENTRY_OF_PROJECT)
    assert "config trust --variable MY_TOKEN" in call("config", "check").stderr
    refused = call("config", "trust", "--variable", "MY_TOKEN")
    assert (refused.exit_code, "--yes" in refused.stderr) == (3, True)
    assert "refused" in call("models", MY_TOKEN="hf_x").stdout
    assert call("config", "trust", "--variable", "MY_TOKEN", "--yes").exit_code == 0
    assert "${MY_TOKEN}" in call("config", "trust", "--list").stdout
    assert "ready" in call("models", MY_TOKEN="hf_x").stdout
    assert (user_file.parent / "trust.json").exists()
    gone = call("config", "trust", "--variable", "MY_TOKEN", "--remove")
    assert "no longer" in gone.stderr
    again = call("config", "trust", "--variable", "MY_TOKEN", "--remove")
    assert "was not allowed" in again.stderr
    assert call("config", "trust", ROUTER, "--variable", "X").exit_code == 2


def test_an_unchecked_certificate_is_told_at_each_start(
    user_file: Path,
) -> None:
    """By every command that uses the entry, also as a fallback, check and the list."""
    user_file.write_text(UNCHECKED)
    said = "verifySsl is false, so the certificate of http://127.0.0.1:9 is not checked"
    for command in (
        ("chat", "-m", "a", "--no-wait", "hello"),
        ("chat", "-m", "b", "--no-wait", "hello"),
        ("embed", "-m", "a", "--no-wait", "hello"),
        ("config", "check"),
        ("models",),
    ):
        assert call(*command).stderr.count(said) == 1, command
    assert said in call("models", "--json").stdout
    assert said in call("config", "check", "--json").stdout


ROUTER = "https://router.huggingface.co"
ENTRY_OF_PROJECT = """\
models:
  - name: x
    provider: huggingfaceinferenceapi
    model: a/b
    apiKey: ${MY_TOKEN}
"""
UNCHECKED = """\
models:
  - name: a
    provider: huggingfaceinferenceapi
    model: a/b
    apiBase: http://127.0.0.1:9
    requestOptions: {verifySsl: false, maxAttempts: 1}
  - name: b
    provider: huggingfaceinferenceapi
    model: a/c
    apiBase: http://127.0.0.1:9
    requestOptions: {maxAttempts: 1}
    fallbacks: [a]
"""
