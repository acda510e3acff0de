"""``models``: what Hugging Face tells, at every width, in both languages."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from catalogue_world import GONE, LLAMA, OLD, QWEN, SMALL, HuggingFace
from cli.fitting import too_wide
from cli.process import CANARY, OpenTerminal, Run
from click.testing import CliRunner, Result

from bytebuddy_provider_hf.cli import add_model, config, screen, tables
from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

GOLDEN = Path(__file__).parent / "golden"
# After a change: BYTEBUDDY_GOLDEN=1 pytest, and read what git shows.
WRITES = bool(os.environ.get("BYTEBUDDY_GOLDEN"))
WIDTHS = (60, 80, 160)
COMMANDS = {
    "search": ["search", "instruct"],
    "show": ["show", OLD, "--prompt-tokens", "4000"],
    "show-unserved": ["show", GONE],
    "suggest": ["suggest", GONE],
    "suggest-mask": ["suggest", "bert-base-multilingual-cased"],
}
DAY = 86_400
LOCAL = """\
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: local
    apiBase: http://127.0.0.1:9
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HuggingFace:
    """Hugging Face behind every address, and a home with nothing in it."""
    made = HuggingFace()
    behind(made, monkeypatch)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_API_KEY", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "BYTEBUDDY_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return made


def behind(handler: object, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = MemoryConnect(handler)  # type: ignore[arg-type]  # any handler
    monkeypatch.setattr(
        "bytebuddy_provider_hf.transport.pool.open_http_client", connect
    )


def call(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=variables)


def at_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tables, screen):
        monkeypatch.setattr(module, "columns_of", lambda _: width)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_output_fits_the_terminal(
    site: HuggingFace, monkeypatch: pytest.MonkeyPatch, name: str, width: int, lang: str
) -> None:
    """As it was read and found good; no line too wide, every id and word whole."""
    del site
    at_width(width, monkeypatch)
    done = call("--lang", lang, "models", *COMMANDS[name])
    assert done.exit_code == 0, done.output
    shown = f"{done.stdout}--- stderr\n{done.stderr}"
    path = GOLDEN / f"models-{name}-{lang}-{width}.txt"
    if WRITES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, "utf-8")
    assert shown == path.read_text("utf-8")
    lines = shown.splitlines()
    assert not too_wide(lines, width)
    assert not any(line.endswith(" ") for line in lines)
    # Whatever is an id or an address in the widest form is one here, too.
    wide = (GOLDEN / f"models-{name}-{lang}-160.txt").read_text("utf-8")
    for word in re.findall(r"[\w.:/-]+/[\w./-]+[\w]", wide):
        assert any(word in line for line in lines), word


@pytest.mark.parametrize("arguments", COMMANDS.values())
def test_a_pipe_gets_no_padding_and_no_colour(
    site: HuggingFace, arguments: Sequence[str]
) -> None:
    """Cells are between tabs; JSON has all of it, and no float for money."""
    del site
    done = call("models", *arguments)
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "  \n" not in done.stdout
    assert re.search(r"\S {2,}\S", done.stdout) is None
    told = json.loads(call("models", *arguments, "--json").stdout)
    amounts = re.findall(r'"\w*nano_usd": ([^,}]+)', json.dumps(told))
    assert all(re.fullmatch(r"\d+|null", each) for each in amounts)


def test_no_token_is_sent_and_none_is_shown(site: HuggingFace) -> None:
    """The fake refuses a request that carries one."""
    done = call("models", "show", LLAMA, HF_API_KEY=CANARY)
    assert done.exit_code == 0
    assert site.asked
    assert CANARY not in done.output


def test_a_search_says_what_is_wrong(site: HuggingFace) -> None:
    """A price that is none; nothing that fits; half of the sources silent."""
    assert call("models", "search", "--max-price", "much").exit_code == 2
    none = call("models", "search", "no-such-model")
    assert (none.exit_code, none.stdout) == (0, "")
    assert "No model fits" in none.stderr
    site.is_down = True
    down = call("models", "search", "llama")
    assert down.exit_code == 0  # the router's list is kept
    assert "Only one of router and Hub" in down.stderr


def test_nobody_told_anything(site: HuggingFace) -> None:
    """Without network and without a kept answer: the exit code of a connection."""
    site.is_down = True
    for arguments in (["search", "x"], ["show", LLAMA], ["add", LLAMA]):
        done = call("models", *arguments)
        assert done.exit_code == 8
        assert "no answer from the router or the Hub" in done.stderr
    near = call("models", "suggest", GONE)
    assert near.exit_code == 0
    assert "the package's own list" in near.stderr


def test_offline_the_age_is_told(site: HuggingFace, tmp_path: Path) -> None:
    """Two days later, without a network, what was told is shown with its age."""
    assert "as of now" in call("models", "show", LLAMA).stderr
    for file in (tmp_path / ".cache" / "bytebuddy-hf" / "catalogue").iterdir():
        head, _, answer = file.read_bytes().partition(b"\n")
        told = json.loads(head)
        told["at"] -= 2 * DAY
        file.write_bytes(json.dumps(told).encode() + b"\n" + answer)
    site.asked.clear()
    done = call("models", "show", LLAMA, HF_HUB_OFFLINE="1")
    assert "as of 2 days ago" in done.stderr
    assert site.asked == []
    assert (
        "2 天前"
        in call("--lang", "zh", "models", "show", LLAMA, HF_HUB_OFFLINE="1").stderr
    )


def test_private_servers_keep_it_at_home(site: HuggingFace, tmp_path: Path) -> None:
    """No question leaves, unless ``--online`` says so."""
    file = tmp_path / "project" / "local.yaml"
    file.write_text(LOCAL)
    done = call("models", "search", "llama", "--config", str(file))
    assert (done.exit_code, site.asked) == (8, [])
    assert "--online" in done.stderr
    # An option before the subcommand holds for it.
    assert call("models", "--config", str(file), "show", LLAMA).exit_code == 8
    assert site.asked == []
    assert (
        call("models", "show", LLAMA, "--config", str(file), "--online").exit_code == 0
    )


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    return tmp_path / ".bytebuddy" / "config.yaml"


def test_add_writes_after_a_yes(site: HuggingFace, user_file: Path) -> None:
    """The diff is shown; without ``--yes`` a program writes nothing."""
    del site
    shown = call("models", "add", SMALL, "--provider", "cheapest")
    assert shown.exit_code == 0
    assert '+    model: "Qwen/Qwen3-4B-Instruct-2507:cheapest"' in shown.stdout
    assert not user_file.exists()
    assert (
        call("models", "add", SMALL, "--provider", "cheapest", "--yes").exit_code == 0
    )
    listed = json.loads(call("models", "--json", HF_API_KEY=CANARY).stdout)["models"]
    assert [(it["name"], it["state"]) for it in listed] == [
        ("qwen3-4b-instruct-2507", "ready")
    ]
    assert user_file.stat().st_mode & 0o077 == 0
    assert CANARY not in user_file.read_text()


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "First: `bytebuddy-hf login`"), ("zh", "请先运行：`bytebuddy-hf login`")],
)
def test_add_names_login_where_its_entry_has_no_token(
    site: HuggingFace, lang: str, said: str
) -> None:
    """Before the next command; a token in another variable is none for the entry."""
    del site
    done = call("models", "add", SMALL, "--yes", "--lang", lang)
    assert done.exit_code == 0
    *_, login, then = done.stderr.splitlines()
    assert (said in login, "HF_API_KEY" in login, " chat -m " in then) == (True,) * 3
    again = call("models", "add", QWEN, "--yes", "--lang", lang, HF_API_KEY=CANARY)
    assert said not in again.stderr


def test_add_keeps_the_file(site: HuggingFace, user_file: Path) -> None:
    """Comments, layout and mode stay; a taken name is refused, a free one proposed."""
    del site
    assert call("config", "init").exit_code == 0
    before = user_file.read_text()
    done = call("models", "add", QWEN, "--name", "big", "--role", "chat", "--yes")
    assert done.exit_code == 0
    after = user_file.read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert '  - name: "big"' in added
    assert set(before.splitlines()) <= set(after.splitlines())
    again = call("models", "add", QWEN, "--name", "big", "--yes")
    assert again.exit_code == 3
    assert "--name big-2" in again.stderr
    assert user_file.read_text() == after
    told = json.loads(call("models", "add", QWEN, "--json").stdout)
    assert (told["name"], told["written"]) == ("qwen3-coder-480b-a35b-instruct", False)
    assert user_file.read_text() == after


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([GONE], "models suggest meta-llama/Llama-2-70b-chat-hf"),
        ([SMALL, "--provider", "groq"], "One of: cheapest, fastest, nscale"),
        ([SMALL, "--role", "embed"], "One of: chat, autocomplete, edit, apply"),
        (["FacebookAI/xlm-roberta-base"], "bytebuddy-hf task"),
        ([SMALL, "--name", "a\nb"], "letters, numbers"),
    ],
)
def test_add_refuses_what_could_only_fail(
    site: HuggingFace, user_file: Path, arguments: list[str], said: str
) -> None:
    """With what to do instead; nothing is written."""
    del site
    done = call("models", "add", *arguments, "--yes")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not user_file.exists()


@pytest.mark.parametrize(("answer", "written"), [(True, True), (False, False)])
def test_a_person_is_asked(
    site: HuggingFace,
    user_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    written: bool,
) -> None:
    """And only a yes writes."""
    del site
    monkeypatch.setattr(add_model.screen, "is_interactive", lambda _: True)
    monkeypatch.setattr(add_model, "agreed", lambda _: answer)
    assert call("models", "add", SMALL).exit_code == 0
    assert user_file.exists() is written


async def vllm(request: FakeRequest) -> FakeReply:
    """Answer as a server of one's own."""
    if request.path != "/v1/models":
        return json_reply({}, status=404)
    listed = [
        {"id": name, "owned_by": "vllm", "max_model_len": 8192}
        for name in ("org/name", "org/name-lora")
    ]
    return json_reply({"data": listed})


def test_a_server_is_listed(site: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind, its window, and every name that it answers to."""
    del site
    behind(vllm, monkeypatch)
    arguments = ("models", "list", "--base", "http://127.0.0.1:8080/v1")
    shown = call(*arguments).stdout
    assert shown.startswith("server: vLLM\ncontext length: 8,192\nroutes: chat, ")
    assert shown.endswith("\nMODEL\norg/name\norg/name-lora\n")
    told = json.loads(call(*arguments, "--json").stdout)
    assert (told["server"], told["models"]) == ("vLLM", ["org/name", "org/name-lora"])
    assert call("models", "list").exit_code == 0
    router = call("models", "list", "--base", "https://router.huggingface.co/v1")
    assert router.exit_code == 2
    assert "models search" in router.stderr


def test_init_offers_living_models(
    site: HuggingFace, user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person chooses by number; Enter and nonsense keep the usual one."""
    monkeypatch.setattr(config, "is_interactive_session", lambda: True)
    usual = "meta-llama/Llama-3.1-8B-Instruct"
    for typed, written in (("2\n", SMALL), ("\n", usual), ("99\n", usual)):
        done = CliRunner().invoke(cli, ["config", "init"], input=typed)
        assert done.exit_code == 0, done.output
        assert f"1. {LLAMA} ($0.135 in, $0.40 out, groq, novita)" in done.stderr
        assert f'model: "{written}"' in user_file.read_text()
        user_file.unlink()
    # Where nobody tells, or nobody may be asked, nobody is asked to choose.
    site.is_down = True
    assert "1." not in call("config", "init").stderr
    assert user_file.exists()


def test_the_configuration_is_listed_at_every_width(
    site: HuggingFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aligned in a pipe; on a narrow terminal in blocks."""
    del site
    assert call("config", "init").exit_code == 0
    piped = call("models").stdout.splitlines()
    assert piped[0].startswith("NAME      PROVIDER                 MODEL")
    at_width(60, monkeypatch)
    narrow = call("models").stdout.splitlines()
    assert narrow[0] == "NAME: hf-llama"
    assert "MODEL: meta-llama/Llama-3.1-8B-Instruct" in narrow


@pytest.fixture
def kept_in(home: Path) -> Path:
    """Fill the cache of a command's home with answers of a moment ago."""
    folder = home / ".cache" / "bytebuddy-hf" / "catalogue"

    async def main() -> None:
        connect = MemoryConnect(HuggingFace())
        runtime = Runtime(connect=connect, answers=KeptAnswers(folder))
        async with Catalogue(runtime=runtime, env={}) as catalogue:
            await catalogue.show(LLAMA)
            await catalogue.search("instruct")

    asyncio.run(main())
    return folder


@pytest.mark.parametrize("width", WIDTHS)
def test_a_real_terminal_is_fitted(
    kept_in: Path, terminal: OpenTerminal, width: int
) -> None:
    """The command itself, offline, at its terminal's width."""
    assert list(kept_in.iterdir())
    for arguments in (["search", "instruct"], ["show", LLAMA], ["suggest", GONE]):
        screen = terminal(
            "models", *arguments, HF_HUB_OFFLINE="1", NO_COLOR="1", COLUMNS=str(width)
        )
        assert screen.end() == 0, screen.text
        assert not too_wide(screen.text.splitlines(), width)
        assert "as of now" in screen.text


def test_a_real_terminal_asks_before_it_writes(
    kept_in: Path, terminal: OpenTerminal, home: Path
) -> None:
    """The diff, the question, and the file after a yes."""
    del kept_in
    screen = terminal("models", "add", LLAMA, HF_HUB_OFFLINE="1", NO_COLOR="1")
    before = screen.read_until("+    model: ")
    assert "config.yaml" in before
    screen.read_until("[y/N]")
    screen.type("y\n")
    assert screen.end() == 0, screen.text
    assert LLAMA in (home / ".bytebuddy" / "config.yaml").read_text()


@pytest.mark.parametrize("name", ["search", "show", "add", "suggest", "list"])
def test_help_has_examples(run: Run, name: str) -> None:
    """Of each subcommand."""
    done = run("models", name, "--help")
    assert done.code == 0
    assert f"Examples:\n    bytebuddy-hf models {name}" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
