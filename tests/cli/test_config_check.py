"""``config check``, ``show``, ``path``, ``trust --remove``: all, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import CANARY, Run
from click.testing import CliRunner, Result

from bytebuddy_provider_hf.cli.root import cli

HEAD = "models:\n  - name: x\n    provider: huggingfaceinferenceapi\n"
ENTRY = f"{HEAD}    model: a/b\n"
KEYED = f"{ENTRY}    apiKey: ${{HF_API_KEY}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    folder = tmp_path / "project"
    (home / ".bytebuddy").mkdir(parents=True)
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    for name in ("HF_API_KEY", "HF_TOKEN", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def user_file(project: Path) -> Path:
    return project.parent / "home" / ".bytebuddy" / "config.yaml"


def call(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=variables)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY, "needs a token and none was found"),
        (f"{HEAD}    model: ../../etc\n    apiKey: k0000000\n", "not a model id"),
        (KEYED + "    promptTemplates: {chat: anthropic}\n", "no family 'anthropic'"),
        (KEYED + "    requestOptions: {proxy: 'ftp://u:p4@h'}\n", "proxy"),
        (ENTRY + '    apiKey: "a\\nb"\n', "cannot be a token"),
        (ENTRY + "    apiKey: hf_xxxxxxxx\n", "is an example's placeholder"),
        (ENTRY + "    apiKey: <your key>\n", "is an example's placeholder"),
    ],
    ids=["token", "model", "family", "proxy", "line-break", "xxx", "your"],
)
def test_check_finds_what_opening_would(user_file: Path, text: str, said: str) -> None:
    """A model that cannot be opened is not counted as one; its place is told."""
    user_file.write_text(text)
    done = call("config", "check", HF_API_KEY=CANARY)
    if "token" in said and text == ENTRY:
        done = call("config", "check")
    assert done.exit_code == 3
    assert said in done.stderr
    assert str(user_file) in done.stderr.splitlines()[0]
    assert "0 of 1 models can be opened" in done.stderr
    assert CANARY not in done.output


def test_another_word_for_the_provider_is_one_problem(user_file: Path) -> None:
    """With our name as what is meant, and nothing that comes of it."""
    user_file.write_text(KEYED.replace("huggingfaceinferenceapi", "huggingface"))
    done = call("config", "check", "--json", HF_API_KEY=CANARY)
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    (problem,) = found["problems"]
    assert "Did you mean huggingfaceinferenceapi?" in problem
    assert f"{user_file}:2:5" in problem
    assert found["warnings"] == []


@pytest.mark.parametrize("written", [None, "models: []\n"], ids=["none", "empty"])
def test_check_of_no_model_is_no_success(user_file: Path, written: str | None) -> None:
    """Whoever has no model yet is told so, with the ways to one, and exits with 3."""
    if written is not None:
        user_file.write_text(written)
    done = call("config", "check")
    assert done.exit_code == 3
    assert "There is no model in the configuration." in done.stderr
    # A file that is there is not begun anew: that would be refused.
    way = "config init" if written is None else "models add"
    assert f"bytebuddy-hf {way}" in done.stderr
    assert "can be opened" not in done.stderr
    found = call("config", "check", "--json")
    assert found.exit_code == 3
    problems = json.loads(found.stdout)["problems"]
    assert problems == ["There is no model in the configuration."]


IDLE = """\
    useResponsesApi: true
    apiBase: {base}
    defaultCompletionOptions: {{keepAlive: 5, promptCaching: true, reasoning: true}}
"""
LOCAL = "http://127.0.0.1:8080"
ROUTER = "https://router.huggingface.co/v1"


@pytest.mark.parametrize(
    ("base", "caching", "reasoning"),
    [
        (
            LOCAL,
            "promptCaching is sent to llama.cpp only.",
            "reasoning is sent to vLLM, SGLang, llama.cpp only.",
        ),
        (ROUTER, "promptCaching is not sent: ", "reasoning is not sent: "),
    ],
)
def test_check_warns_of_what_is_never_sent(
    user_file: Path, base: str, caching: str, reasoning: str
) -> None:
    """With the entry's place: known of the router, else to whom it would be sent."""
    user_file.write_text(KEYED + IDLE.format(base=base))
    done = call("config", "check", "--json", HF_API_KEY=CANARY)
    assert done.exit_code == 0
    found = json.loads(done.stdout)["warnings"]
    place = f"{user_file}:2:5: x: "
    assert all(warning.startswith(place) for warning in found)
    for said in (
        "useResponsesApi is not used: ",
        "keepAlive is not sent: ",
        caching,
        reasoning,
    ):
        assert sum(said in warning for warning in found) == 1
    assert len(found) == 4
    plain = call("config", "check", HF_API_KEY=CANARY).stderr
    assert all(warning in plain for warning in found)


def test_check_is_silent_about_what_is_sent(user_file: Path) -> None:
    """Options that the server takes, and switches that are off."""
    user_file.write_text(
        KEYED
        + "    useResponsesApi: false\n"
        + "    defaultCompletionOptions: {reasoningEffort: low, temperature: 0.5}\n"
    )
    done = call("config", "check", "--json", HF_API_KEY=CANARY)
    assert json.loads(done.stdout)["warnings"] == []


def test_a_wrong_effort_is_told_with_its_place(user_file: Path) -> None:
    """And with the words there are."""
    options = "    defaultCompletionOptions: {reasoningEffort: hgih}\n"
    user_file.write_text(KEYED + options)
    done = call("config", "check")
    assert done.exit_code == 3
    assert f"{user_file}:6:49: " in done.stderr
    assert "one of none, minimal, low, medium, high, xhigh, max" in done.stderr
    assert "do you mean high?" in done.stderr


def test_check_leaves_nothing_behind(user_file: Path) -> None:
    """It opens every model, and writes no file for it."""
    user_file.write_text(KEYED)
    home = user_file.parent.parent
    before = sorted(home.rglob("*"))
    assert call("config", "check", HF_API_KEY=CANARY).exit_code == 0
    assert sorted(home.rglob("*")) == before


def test_check_tells_every_variable_and_the_provider_too(user_file: Path) -> None:
    """Opening stops at the first thing that is wrong; nobody wants to try thrice."""
    user_file.write_text(
        ENTRY.replace("huggingfaceinferenceapi", "nowhere")
        + "    apiKey: ${A}\n    requestOptions: {headers: {X: '${B}'}}\n"
    )
    found = json.loads(call("config", "check", "--json").stdout)["problems"]
    assert [f"{user_file}:5:13", f"{user_file}:6:35"] == [
        problem.partition(": ")[0] for problem in found[:2]
    ]
    assert "nowhere" in found[2]


def test_path_tells_each_file_s_state_whatever_it_is(
    user_file: Path, project: Path
) -> None:
    """A broken file is where one looks first, so that it cannot stop the listing."""
    user_file.write_text("models: [\n")
    (project / "config.yaml").write_text("site: another program's\n")
    done = call("config", "path")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:2] == [
        f"invalid  {user_file}",
        f"skipped  {project / 'config.yaml'}",
    ]
    listed = json.loads(call("config", "path", "--json").stdout)["files"]
    assert [file["state"] for file in listed][:2] == ["invalid", "skipped"]


def test_path_of_a_named_file_that_is_not_there_fails(project: Path) -> None:
    """The path is told, and that it is missing."""
    done = call("config", "path", "--config", str(project / "no.yaml"))
    assert done.exit_code == 3
    assert done.stdout == f"missing  {project / 'no.yaml'}\n"


FREE = """\
    family: ${FAMILY}
    promptTemplates: {edit: "be ${S} {{userInput}}"}
    requestOptions: {extraBodyProperties: {user: "${{ secrets.FROM_FILE }}", n: 1}}
    custom: {inner: ["${S}"]}
"""


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_show_writes_references_for_what_variables_hold(
    user_file: Path, form: tuple[str, ...]
) -> None:
    """As they are written: a variable may hold a secret wherever it is named."""
    user_file.write_text(KEYED + FREE)
    (user_file.parent / ".env").write_text("FROM_FILE=kept-in-a-file\n")
    done = call(
        "config",
        "show",
        *form,
        S="odd-canary",
        HF_API_KEY="hf_other1",
        FAMILY="llama-3",
    )
    assert done.exit_code == 0
    assert "canary" not in done.output
    assert "kept-in-a-file" not in done.output
    assert "${{ secrets.FROM_FILE }}" in done.stdout
    assert "be ${S} {{userInput}}" in done.stdout
    assert "${FAMILY}" in done.stdout
    assert "llama-3" not in done.stdout


def test_show_as_json_says_where_and_what_is_unset(user_file: Path) -> None:
    """The same entries as the YAML, for programs."""
    user_file.write_text(KEYED)
    (entry,) = json.loads(call("config", "show", "--json").stdout)["models"]
    assert entry["name"] == "x"
    assert entry["written_in"] == f"{user_file}:2:5"
    assert entry["unset"] == ["HF_API_KEY"]
    assert "apiKey" not in entry


def test_show_masks_a_key_in_an_address(user_file: Path) -> None:
    """Some servers take it in the query."""
    user_file.write_text(ENTRY + '    apiBase: "https://h.example/v1?key=sk-canary"\n')
    for command in (("config", "show"), ("config", "check"), ("models", "--json")):
        assert "canary" not in call(*command).output


def test_one_origin_is_taken_back(project: Path) -> None:
    """``--remove`` with an address leaves the others trusted."""
    for origin in ("https://a.example", "https://b.example"):
        assert call("config", "trust", "--yes", origin).exit_code == 0
    done = call("config", "trust", "--remove", "https://a.example/v1")
    assert "no longer trusted with https://a.example" in done.stderr
    assert call("config", "trust", "--list").stdout == f"{project}  https://b.example\n"
    assert "is not trusted with" in (
        call("config", "trust", "--remove", "https://a.example").stderr
    )


def test_a_damaged_list_is_not_shown_as_an_empty_one(user_file: Path) -> None:
    """Who asks what is trusted hears that nobody can tell."""
    (user_file.parent / "trust.json").write_text("{")
    done = call("config", "trust", "--list")
    assert done.exit_code == 3
    assert "damaged" in done.stderr


def test_the_help_tells_how_to_begin_and_what_trust_means(project: Path) -> None:
    """The pages of ``config`` teach: the files, the first steps, what trust lets in."""
    assert project.exists()
    pages = " ".join(
        call("config", *command, "--help").stdout
        for command in ((), ("path",), ("trust",))
    )
    words = " ".join(pages.split())
    for said in (
        "/etc/bytebuddy/config.yaml",
        "bytebuddy-hf config init",
        "skipped it is another program's",
        "--remove",
        "its headers, proxy, certificates",
    ):
        assert said in words


def test_what_a_model_cannot_do_is_told_without_asking(run: Run, home: Path) -> None:
    """A role that it cannot take at the router, an answer longer than its window."""
    folder = home / ".bytebuddy"
    folder.mkdir(mode=0o700)
    (folder / "config.yaml").write_text(
        "models:\n"
        "  - name: star\n    provider: huggingfaceinferenceapi\n"
        "    model: bigcode/starcoder\n    apiKey: k0123456\n    roles: [edit]\n"
        "  - name: llama\n    provider: huggingfaceinferenceapi\n"
        "    model: meta-llama/Llama-2-70b-chat-hf\n    apiKey: k0123456\n"
        "    defaultCompletionOptions:\n      maxTokens: 4096\n"
    )
    ran = run("config", "check")
    assert ran.code == 0
    assert "config.yaml:2:5: star: bigcode/starcoder takes the role edit" in ran.err
    assert "`bytebuddy-hf models suggest bigcode/starcoder`" in ran.err
    assert "maxTokens is 4096" in ran.err
    for arguments in (("config", "check"), ("models",)):
        told = json.loads(run(*arguments, "--json").out)["warnings"]
        assert any("takes the role edit" in each for each in told), told
    assert "takes the role edit" in run("models").err
