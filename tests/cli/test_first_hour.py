"""The first hour: each common mistake is named first, and its next step leads on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from attrs import field, frozen
from cli.fitting import too_wide
from cli.process import serving
from first_hour import (
    BAD,
    ENDPOINT,
    ERROR,
    GATED,
    GOOD,
    LANGUAGES,
    MASKS,
    MODEL,
    RETIRED,
    Ran,
    World,
    entry,
)
from page_blocks import BASIC, flat
from ruamel.yaml import YAML
from servers.tls import Authority, chat_server
from two_languages import CHINESE, copied

from bytebuddy_provider_hf.cli import demo_server
from bytebuddy_provider_hf.cli.root import COMMANDS
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

WIDTHS: Final = (50, 80, 160)
ONCE: Final = "requestOptions: {maxAttempts: 1}"
CHAT: Final = ("chat", "hi")

# Makes a world; what it yields is to be closed.
Make: TypeAlias = Callable[[World, ExitStack], None]
# Does what was printed; returns the command to run then, ``None`` for the same.
Mend: TypeAlias = Callable[[World, Ran], tuple[str, ...] | None]


@frozen
class Mistake:
    """What somebody did, what is said of it, and how the printed step is followed.

    ``cause`` is how the message begins in English and in Chinese, ``names`` what it
    names in both, ``step`` what the lines below it name. ``found`` are the ids of
    doctor's findings, one of which stands first, of ``doctor`` with such options.
    """

    make: Make
    command: tuple[str, ...]
    code: int
    cause: tuple[str, str]
    names: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    mend: Mend | None = None
    found: tuple[str, ...] = ()
    doctor: tuple[str, ...] = field(default=())


def having(config: str = "", **variables: str) -> Make:
    """Return what makes a world with a configuration and variables."""

    def make(world: World, _: ExitStack) -> None:
        if config:
            world.write(config)
        world.variables.update(variables)

    return make


def logged_in(token: str, config: str = "", **variables: str) -> Make:
    """Return what makes a world in which ``login`` kept a token."""

    def make(world: World, stack: ExitStack) -> None:
        having(config, **variables)(world, stack)
        world.keep(token)

    return make


def in_env_file(lines: str | bytes, config: str) -> Make:
    """Return what makes a world whose ``.env`` holds some lines."""

    def make(world: World, stack: ExitStack) -> None:
        logged_in(GOOD, config)(world, stack)
        written = lines if isinstance(lines, bytes) else lines.encode()
        world.config.with_name(".env").write_bytes(written)

    return make


def at_endpoint(state: str) -> Make:
    """Return what makes a world with a dedicated endpoint."""

    def make(world: World, stack: ExitStack) -> None:
        having(entry(f"apiBase: {ENDPOINT}"), HF_TOKEN=GOOD)(world, stack)
        world.site.set_endpoint(state)

    return make


def offline(world: World, stack: ExitStack) -> None:
    having(entry(), HF_TOKEN=GOOD)(world, stack)
    world.site.is_reached = False


def behind_an_authority(world: World, stack: ExitStack) -> None:
    authority = Authority(world.home)
    port = stack.enter_context(chat_server(authority.server()))
    base = f"https://127.0.0.1:{port}/v1"
    having(entry(f"apiBase: {base}\n{ONCE}"), HF_TOKEN=GOOD)(world, stack)


def with_a_server(world: World, stack: ExitStack) -> None:
    """Let a server run, at another port than the entry says."""
    base = stack.enter_context(serving(FakeHub({MODEL: Behaviour()}).handle))
    (world.home / "server").write_text(f"{base}/v1")
    having(entry(f"apiBase: http://127.0.0.1:9/v1\n{ONCE}"))(world, stack)


# What somebody does who reads the step.


def follow(wanted: str) -> Mend:
    """Run the printed command that begins so."""

    def mend(world: World, ran: Ran) -> None:
        (command,) = {each for each in ran.commands if each.startswith(wanted)}
        world.follow(command)

    return mend


def take_a_suggestion(world: World, ran: Ran) -> None:
    """Run ``models suggest``, and write the first of its models into the entry."""
    (command,) = {each for each in ran.commands if "suggest" in each}
    told = world.follow(command)
    better = told.out.splitlines()[1].split("\t")[0]
    world.edit(f"model: {command.split()[-1]}", f"model: {better}")


def write_what_it_should_read(world: World, ran: Ran) -> None:
    """Copy the block that is printed into the file."""
    lines = ran.err.splitlines()
    block = lines[lines.index("models:") :]
    world.write("\n".join(block) + "\n")


def write_the_new_name(world: World, ran: Ran) -> None:
    (new,) = re.findall(r"model: (\S+)", ran.flat)
    world.edit("model: org/old", f"model: {new}")


def accept_the_licence(world: World, ran: Ran) -> None:
    (page,) = set(
        re.findall(
            r"accept\w* .*?(https://huggingface\.co/\S+?)[,\s]", ran.flat, re.IGNORECASE
        )
    )
    world.site.hub.set(page.removeprefix("https://huggingface.co/"), Behaviour())


def run_the_task(_: World, ran: Ran) -> tuple[str, ...]:
    (command,) = (each for each in ran.commands if " task " in each)
    return (*command.split()[1:-1], "a [MASK]")


def add_the_role(world: World, ran: Ran) -> None:
    (role,) = re.findall(r"has the role (\w+)", ran.flat)
    world.edit("roles: [chat]", f"roles: [chat, {role}]")


def name_the_authority(world: World, ran: Ran) -> None:
    assert "requestOptions.caBundlePath" in ran.flat
    bundle = world.home / "authority.pem"
    world.edit("maxAttempts: 1", f"maxAttempts: 1, caBundlePath: {bundle}")


def unset_the_proxy(world: World, ran: Ran) -> None:
    name = next(
        each for each in world.variables if each in ran.flat and "PROXY" in each
    )
    del world.variables[name]


def go_online(world: World, _: Ran) -> None:
    world.site.is_reached = True


def correct_the_port(world: World, _: Ran) -> None:
    world.edit("http://127.0.0.1:9/v1", (world.home / "server").read_text())


def correct_the_path(world: World, _: Ran) -> tuple[str, ...]:
    return (*CHAT, "--config", str(world.config))


def put_the_file_there(_: World, ran: Ran) -> None:
    (folder,) = re.findall(r"looked for in (\S+)\.$", ran.err, re.MULTILINE)
    Path(folder, "fib.py").write_text("x = 1\n")


def begin_a_file(world: World, _: Ran) -> tuple[str, ...]:
    """Begin one, and do what each command says is next, up to the chat."""
    command = "bytebuddy-hf config init"
    while command != "bytebuddy-hf chat":
        said = world.follow(command).commands
        command = next(each for each in said if each.startswith("bytebuddy-hf"))
    return CHAT


def mean_the_near_one(_: World, ran: Ran) -> tuple[str, ...]:
    (near,) = re.findall(r"Did you mean '?(\w+)'?\?", ran.flat)
    return ("chat", "hi", "-m", near) if near == "mine" else (near, "hi")


def write_an_ascii_colon(world: World, ran: Ran) -> None:
    assert "U+FF1A" in ran.flat
    world.edit("model：", "model: ")


def take_out_the_placeholder(world: World, ran: Ran) -> None:
    assert "or remove it and run" in ran.flat
    world.edit('    apiKey: "your-huggingface-api-key"\n', "")
    follow("bytebuddy-hf login")(world, ran)


def replace_it_in_its_place(world: World, ran: Ran) -> None:
    """Neither ``unset`` nor ``login`` gives the entry another key."""
    assert "bytebuddy-hf login" not in ran.flat
    assert "unset" not in ran.flat
    env = world.config.with_name(".env")
    if "MY_KEY" in world.variables:
        world.variables["MY_KEY"] = GOOD
    else:
        env.write_text(env.read_text().replace(BAD, GOOD))


def save_it_as_utf_8(world: World, _: Ran) -> None:
    env = world.config.with_name(".env")
    env.write_text(env.read_bytes().decode("gbk"), "utf-8")


def name_the_kept_token(world: World, ran: Ran) -> None:
    (line,) = set(re.findall(r'apiKey: "\S+"', ran.flat))
    world.edit('apiKey: "${HF_TOKEN}"', line)
    follow("bytebuddy-hf login")(world, ran)


def pipe_a_good_token(world: World, _: Ran) -> None:
    world.follow("bytebuddy-hf login")


ON_TIME: Final = {"HF_TOKEN": GOOD}
MISTAKES: Final[dict[str, Mistake]] = {
    "a wrong key": Mistake(
        logged_in(GOOD, entry(), HF_API_KEY=BAD),
        CHAT,
        4,
        ("The token was refused", "令牌被拒绝"),
        ("401", "HF_API_KEY"),
        ("`unset HF_API_KEY`", "https://huggingface.co/settings/tokens/new"),
        follow("unset"),
        ("token.refused",),
    ),
    "a wrong key, at whoami": Mistake(
        logged_in(GOOD, entry(), HF_API_KEY=BAD),
        ("whoami",),
        4,
        ("Hugging Face does not know this token", "Hugging Face 不认识这个令牌"),
        ("HF_API_KEY",),
        ("`unset HF_API_KEY`",),
        follow("unset"),
    ),
    "a placeholder in a variable": Mistake(
        logged_in(GOOD, entry(), HF_API_KEY="YOUR_TOKEN"),
        CHAT,
        4,
        ("What stands in HF_API_KEY", "HF_API_KEY 中是"),
        ("HF_API_KEY",),
        ("`unset HF_API_KEY`",),
        follow("unset"),
        ("token.placeholder",),
    ),
    "a placeholder in a variable, at whoami": Mistake(
        logged_in(GOOD, entry(), HF_API_KEY="<token>"),
        ("whoami",),
        4,
        ("What stands in HF_API_KEY", "HF_API_KEY 中是"),
        ("HF_API_KEY",),
        ("`unset HF_API_KEY`",),
        follow("unset"),
    ),
    "a missing key": Mistake(
        having(entry()),
        ("complete", "hi"),
        4,
        ("Hugging Face's router needs a token", "Hugging Face 的路由器需要令牌"),
        (),
        ("`bytebuddy-hf login`",),
        lambda world, _: follow("bytebuddy-hf login")(world, _) or CHAT,
        ("entry.unfit",),
    ),
    "a missing key, at whoami": Mistake(
        having(),
        ("whoami",),
        4,
        ("No token was found", "没有找到令牌"),
        (),
        ("`bytebuddy-hf login`", "https://huggingface.co/settings/tokens/new"),
        follow("bytebuddy-hf login"),
    ),
    "an expired key": Mistake(
        logged_in(BAD, entry(roles="embed")),
        ("embed", "hi"),
        4,
        ("The token was refused", "令牌被拒绝"),
        ("401", ".env"),
        ("`bytebuddy-hf login`", "https://huggingface.co/settings/tokens/new"),
        follow("bytebuddy-hf login"),
        ("token.refused",),
    ),
    "an expired key, at login": Mistake(
        having(entry()),
        ("login",),
        4,
        ("Hugging Face does not know this token", "Hugging Face 不认识这个令牌"),
        (),
        ("https://huggingface.co/settings/tokens/new",),
        lambda world, _: pipe_a_good_token(world, _) or CHAT,
    ),
    "a placeholder for a key": Mistake(
        having(entry('apiKey: "your-huggingface-api-key"')),
        CHAT,
        4,
        ("What stands in apiKey in", "apiKey"),
        ("config.yaml:6",),
        ("`bytebuddy-hf login`",),
        take_out_the_placeholder,
        ("token.placeholder",),
    ),
    "a variable that is not set": Mistake(
        having(entry('apiKey: "${HF_API_KEY}"')),
        CHAT,
        3,
        ("", ""),
        ("HF_API_KEY", "config.yaml:6"),
        ("`bytebuddy-hf login`",),
        follow("bytebuddy-hf login"),
        ("entry.unset",),
    ),
    "a variable that is not set, and that login does not write": Mistake(
        having(entry('apiKey: "${HF_TOKEN}"')),
        CHAT,
        3,
        ("", ""),
        ("HF_TOKEN", "config.yaml:6"),
        ("`bytebuddy-hf login`", 'apiKey: "${HF_API_KEY}"'),
        name_the_kept_token,
        ("entry.unset",),
    ),
    "a wrong key in a variable that the entry names": Mistake(
        logged_in(GOOD, entry('apiKey: "${MY_KEY}"'), MY_KEY=BAD),
        CHAT,
        4,
        ("The token was refused", "令牌被拒绝"),
        ("401", "MY_KEY"),
        ("https://huggingface.co/settings/tokens/new",),
        replace_it_in_its_place,
        ("token.refused",),
    ),
    "a wrong key in .env, in a variable that login does not write": Mistake(
        in_env_file(f"MY_KEY={BAD}\n", entry('apiKey: "${MY_KEY}"')),
        CHAT,
        4,
        ("The token was refused", "令牌被拒绝"),
        ("401", "MY_KEY", ".env"),
        ("https://huggingface.co/settings/tokens/new",),
        replace_it_in_its_place,
        ("token.refused",),
    ),
    "a token in a line that sets nothing": Mistake(
        in_env_file(f"HF_API_KEY=“{BAD}”\n", entry()),
        CHAT,
        4,
        ("Hugging Face's router needs a token", "Hugging Face 的路由器需要令牌"),
        (".env:1", "“"),
        ("`bytebuddy-hf login`",),
        follow("bytebuddy-hf login"),
        ("entry.unfit",),
    ),
    "a token in a line that sets nothing, at whoami": Mistake(
        in_env_file(f"HF_TOKEN＝{BAD}\n", ""),
        ("whoami",),
        4,
        ("No token was found", "没有找到令牌"),
        (".env:1", "U+FF1D"),
        ("`bytebuddy-hf login`",),
        follow("bytebuddy-hf login"),
    ),
    "a token in a file of another encoding": Mistake(
        in_env_file(f"# 令牌\nHF_API_KEY={GOOD}\n".encode("gbk"), entry()),
        CHAT,
        4,
        ("Hugging Face's router needs a token", "Hugging Face 的路由器需要令牌"),
        (".env", "UTF-8"),
        (),
        save_it_as_utf_8,
        ("entry.unfit",),
    ),
    "a model that nobody serves": Mistake(
        having(entry(model="org/unserved"), **ON_TIME),
        CHAT,
        5,
        ("This model is not served", "无人提供此模型"),
        ("org/unserved",),
        ("`bytebuddy-hf models suggest org/unserved`",),
        take_a_suggestion,
        ("model.unserved",),
    ),
    "a model that nobody serves, to be added": Mistake(
        having(entry(), **ON_TIME),
        ("models", "add", "org/unserved", "--yes"),
        2,
        ("", ""),
        ("org/unserved",),
        ("`bytebuddy-hf models suggest org/unserved`",),
        lambda world, ran: (
            "models",
            "add",
            world.follow(ran.commands[0]).out.splitlines()[1].split("\t")[0],
            "--yes",
        ),
    ),
    "a renamed model": Mistake(
        having(entry(model="org/old"), **ON_TIME),
        CHAT,
        5,
        ("This model is not served", "无人提供此模型"),
        ("org/old",),
        (f"model: {MODEL}",),
        write_the_new_name,
        ("model.renamed",),
    ),
    "a gated model": Mistake(
        having(entry(model=GATED), **ON_TIME),
        CHAT,
        4,
        ("The model is gated", "该模型受限"),
        (GATED, "403"),
        (f"https://huggingface.co/{GATED}",),
        accept_the_licence,
        ("entry.call", "model.unserved"),
        ("--calls",),
    ),
    "a retired model": Mistake(
        having(entry(model=RETIRED), **ON_TIME),
        CHAT,
        5,
        ("This model is not served", "无人提供此模型"),
        (RETIRED,),
        (f"`bytebuddy-hf models suggest {RETIRED}`",),
        take_a_suggestion,
        ("model.unserved",),
    ),
    "a role that the model lacks": Mistake(
        having(entry(model=MASKS), **ON_TIME),
        CHAT,
        2,
        (f"{MASKS} cannot chat", f"{MASKS} 无法进行对话"),
        (),
        (f"`bytebuddy-hf task fill-mask -m {MASKS} TEXT`",),
        run_the_task,
        ("entry.role",),
        ("--offline",),
    ),
    "a role that no entry has": Mistake(
        having(entry(), **ON_TIME),
        ("rerank", "hi", "a", "b"),
        3,
        ("No model has the role rerank", "没有承担角色 rerank 的模型"),
        ("chat",),
        ("config.yaml",),
        add_the_role,
    ),
    "a paused endpoint": Mistake(
        at_endpoint("paused"),
        CHAT,
        7,
        ("The endpoint is paused", "端点已暂停"),
        (ENDPOINT.partition("://")[2],),
        ("`hf endpoints resume NAME`", "https://endpoints.huggingface.co"),
        follow("hf endpoints resume"),
        ("endpoint.paused",),
    ),
    "an endpoint that sleeps": Mistake(
        at_endpoint("scaledToZero"),
        (*CHAT, "--no-wait"),
        7,
        ("The model is still loading", "模型仍在加载"),
        (ENDPOINT.partition("://")[2],),
        ("coldStartTimeout",),
        lambda _world, _ran: CHAT,
        ("endpoint.scaledToZero",),
    ),
    "no network": Mistake(
        offline,
        CHAT,
        8,
        ("There is no host named router", "不存在名为 router"),
        ("router.huggingface.co",),
        ("DNS", "VPN", "HTTPS_PROXY"),
        go_online,
        ("network.hub",),
    ),
    "a proxy that is down": Mistake(
        having(entry(ONCE), HTTPS_PROXY="http://127.0.0.1:9", **ON_TIME),
        CHAT,
        8,
        ("No connection to the proxy", "无法连接到代理"),
        ("127.0.0.1:9",),
        ("HTTPS_PROXY", "requestOptions.proxy"),
        unset_the_proxy,
        ("network.hub",),
    ),
    "an unknown authority": Mistake(
        behind_an_authority,
        CHAT,
        8,
        ("No authority that is trusted here", "本机信任的证书颁发机构"),
        ("127.0.0.1",),
        ("requestOptions.caBundlePath",),
        name_the_authority,
        ("network.server",),
    ),
    "a server that is not there": Mistake(
        with_a_server,
        CHAT,
        8,
        ("Nothing listens at", "127.0.0.1:9"),
        ("127.0.0.1:9",),
        ("apiBase",),
        correct_the_port,
        ("network.server",),
    ),
    "a block without its indentation": Mistake(
        having(flat(entry()), **ON_TIME),
        CHAT,
        3,
        ("1 problem in", ""),
        ("config.yaml:", "provider"),
        ("models:",),
        write_what_it_should_read,
        ("config.invalid",),
    ),
    "a line that is indented wrongly": Mistake(
        having(entry().replace("    model:", "   model:"), **ON_TIME),
        CHAT,
        3,
        ("1 problem in", ""),
        ("config.yaml:4",),
        ("models:",),
        write_what_it_should_read,
        ("config.invalid",),
    ),
    "a colon of full width": Mistake(
        having(entry().replace("model: ", "model："), **ON_TIME),
        CHAT,
        3,
        ("1 problem in", ""),
        ("config.yaml:4", "U+FF1A"),
        (),
        write_an_ascii_colon,
        ("config.invalid",),
    ),
    "a configuration that is not there": Mistake(
        having(entry(), **ON_TIME),
        (*CHAT, "--config", "nope.yaml"),
        3,
        ("", ""),
        ("nope.yaml",),
        ("--config",),
        correct_the_path,
        ("config.unreadable",),
        ("--config", "nope.yaml"),
    ),
    "no configuration": Mistake(
        having(**ON_TIME),
        CHAT,
        3,
        ("no model was named and there is no configuration file", "没有指定模型"),
        (),
        ("bytebuddy-hf config init",),
        begin_a_file,
        ("config.missing",),
    ),
    "a configuration without a model": Mistake(
        logged_in(GOOD, "models: []\n"),
        CHAT,
        3,
        ("There is no model in the configuration", "配置中没有模型"),
        (),
        ("bytebuddy-hf models add",),
        lambda world, ran: (
            world.follow(
                re.findall(r"(bytebuddy-hf models add \S+)", ran.flat)[0] + " --yes"
            )
            and None
        ),
        ("config.empty",),
    ),
    "a file that is not there": Mistake(
        having(entry(roles="chat, autocomplete"), **ON_TIME),
        ("fill", "fib.py:1:1"),
        2,
        ("There is no file fib.py", "文件 fib.py 不存在"),
        (),
        ("/project",),
        put_the_file_there,
    ),
    "a file that is not there, to be edited": Mistake(
        having(entry(roles="chat, edit"), **ON_TIME),
        ("edit", "fib.py", "-i", "y", "--diff"),
        2,
        ("There is no file fib.py", "文件 fib.py 不存在"),
        (),
        ("/project",),
    ),
    "a file that is not there, to be changed": Mistake(
        having(entry(), **ON_TIME),
        ("apply", "fib.py"),
        2,
        ("There is no file fib.py", "文件 fib.py 不存在"),
        (),
        ("/project",),
    ),
    "an entry of another name": Mistake(
        having(entry(), **ON_TIME),
        (*CHAT, "-m", "mien"),
        5,
        ("", ""),
        ("mien",),
        ("mine",),
        mean_the_near_one,
        ("entry.unknown",),
        ("-m", "mien"),
    ),
    "a misspelt command": Mistake(
        having(entry(), **ON_TIME),
        ("chta", "hi"),
        2,
        ("No such command 'chta'", "没有命令“chta”"),
        ("chat",),
        ("`bytebuddy-hf --help`",),
        mean_the_near_one,
    ),
}


@contextmanager
def world_of(
    mistake: Mistake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with ExitStack() as stack, monkeypatch.context() as patched:
        world = World(folder, patched)
        mistake.make(world, stack)
        yield world


@pytest.mark.parametrize("name", MISTAKES)
def test_the_cause_stands_first_and_its_step_leads_on(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both languages, within any terminal; then it is done, and all is well."""
    mistake = MISTAKES[name]
    told: dict[str, Ran] = {}
    with world_of(mistake, tmp_path / "home", monkeypatch) as world:
        typed = BAD if "login" in mistake.command else ""
        for lang in LANGUAGES:
            for width in WIDTHS:
                ran = world.run(*mistake.command, lang=lang, width=width, stdin=typed)
                assert_told(mistake, ran, lang)
                assert not too_wide(ran.lines, width)
            told[lang] = world.run(*mistake.command, lang=lang, stdin=typed)
        assert copied(told["en"].flat) == copied(told["zh"].flat)
        if mistake.mend is not None:
            then = mistake.mend(world, told["en"]) or mistake.command
            again = world.run(*then)
            assert again.code == 0, (again, told["en"])
            assert ERROR["en"] not in again.err


def assert_told(mistake: Mistake, ran: Ran, lang: str) -> None:
    """Assert that one cause is named, first, and then the step."""
    assert ran.code == mistake.code, ran
    assert ran.out == "", ran
    begin = ERROR[lang]
    # A path that is longer than the line has one of its own.
    assert ran.err.startswith(begin.rstrip()), ran
    assert ran.flat.count(begin) == 1, ran
    cause = mistake.cause[LANGUAGES.index(lang)]
    assert cause.replace(" ", "") in ran.err.replace(" ", "").replace("\n", "")
    for each in (*mistake.names, *mistake.step):
        assert each in ran.flat, (each, ran)
    # A server's own words, and a name, stay as they are; the sentence is ours.
    assert (lang == "zh") is bool(CHINESE.search(ran.err))
    for token in (GOOD, BAD):
        assert token not in ran.flat


@pytest.mark.parametrize("name", [each for each in MISTAKES if MISTAKES[each].found])
def test_doctor_names_the_same_cause_first(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before what follows from it, and as its last word, in a terminal of any width."""
    mistake = MISTAKES[name]
    with world_of(mistake, tmp_path / "home", monkeypatch) as world:
        ran = world.run("doctor", "--json", *mistake.doctor)
        found = json.loads(ran.out)["findings"]
        levels = ("problem", "warning", "note")
        first = next(
            each for level in levels for each in found if each["level"] == level
        )
        assert first["id"] in mistake.found, found
        assert first["steps"]
        for lang in LANGUAGES:
            shown = world.run("doctor", *mistake.doctor, lang=lang, width=50)
            assert not too_wide(shown.lines, 50)


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_usage_names_the_cause_first_and_the_help(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every command; the help that it names is there."""
    world = World(tmp_path / "home", monkeypatch)
    for lang in LANGUAGES:
        for width in WIDTHS:
            ran = world.run(name, "--bogus", lang=lang, width=width)
            assert (ran.code, ran.out) == (2, "")
            first = ran.err.splitlines()[0]
            assert first.startswith(ERROR[lang])
            assert "--bogus" in first
            said = first.removeprefix(ERROR[lang])
            assert (lang == "zh") is bool(CHINESE.search(said))
            assert not too_wide(ran.lines, width)
            (command,) = ran.commands
            assert command == f"bytebuddy-hf {name} --help"
    world.follow(command)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_mirror_that_cannot_be_used_is_told(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unasked: whoever set the variable would wait for what it does."""
    world = World(tmp_path / "home", monkeypatch)
    # Each address is told once in a process.
    world.variables["HF_ENDPOINT"] = f"hf-mirror-{lang}.example"
    first = world.run("models", "show", MODEL, lang=lang).err.splitlines()[0]
    told = {
        "en": "warning: HF_ENDPOINT is ignored: ",
        "zh": "警告：已忽略 HF_ENDPOINT：",
    }
    assert first.startswith(told[lang])
    assert "https://" in first
    assert "apiBase" not in first


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "line", ["chat -m", "config trust --variable", "models search --limit"]
)
def test_a_value_that_is_missing_names_the_help_of_the_command(
    line: str, lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of all commands, where the option is not listed."""
    world = World(tmp_path / "home", monkeypatch)
    ran = world.run(*line.split(), lang=lang)
    option = line.rsplit(maxsplit=1)[-1]
    assert (ran.code, ran.commands) == (
        2,
        [f"bytebuddy-hf {line.removesuffix(option)}--help"],
    )
    assert option in world.follow(ran.commands[0]).out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_models_fit_the_terminal(
    lang: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``~`` for the home, no word broken; a program gets the whole path."""
    world = World(tmp_path / "home", monkeypatch)
    world.write(entry(model=RETIRED, roles="chat, edit, apply, summarize"))
    shown = world.run("models", lang=lang, width=width)
    assert not too_wide(shown.lines, width)
    for whole in (RETIRED, "chat,edit,apply,summarize", "~/.bytebuddy/config.yaml:2:5"):
        assert any(whole in line for line in shown.lines), (whole, shown)
    assert str(world.config) in world.run("models", lang=lang).out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_four_steps_lead_to_a_first_own_chat(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is printed by the step before; the file has the form of the page's block."""
    monkeypatch.setattr(demo_server, "_SIMULATED_LOAD", 0.1)
    monkeypatch.setattr(demo_server, "_SIMULATED_GAP", 0)
    world = World(tmp_path / "home", monkeypatch)
    shown = world.run("demo", "--simulated", lang=lang, width=80)
    assert shown.code == 0, shown
    assert not too_wide(shown.lines[-8:], 80)
    command = re.findall(r"^  (bytebuddy-hf .*?)  ", shown.out, re.MULTILINE)[0]
    taken = []
    while command != "bytebuddy-hf chat":
        taken.append(command)
        ran = world.follow(command, lang)
        (command,) = ran.commands
    taken.append(command)
    assert taken == [
        "bytebuddy-hf login",
        "bytebuddy-hf config init",
        "bytebuddy-hf chat",
    ]
    answered = world.run("chat", "Hello", lang=lang)
    assert (answered.code, answered.err) == (0, "")
    assert "Hello" in answered.out
    (own,), (page,) = (
        YAML(typ="safe").load(StringIO(each))["models"]
        for each in (world.config.read_text("utf-8"), BASIC)
    )
    assert own.keys() == page.keys()
    assert own["apiKey"] == page["apiKey"] == "${HF_API_KEY}"


def test_a_check_that_only_reads_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither whose a token is, nor what was told of models; doctor itself does."""
    kept: list[str] = []
    monkeypatch.setattr(KeptAnswers, "put", lambda _, key, __: kept.append(key))
    world = World(tmp_path / "home", monkeypatch)
    world.write(entry())
    world.keep(GOOD)
    before = sorted(tmp_path.rglob("*"))
    told = json.loads(world.run("doctor", "--lint", "--json").out)
    assert told["exit"] == 0
    assert "model.served" in {each["id"] for each in told["findings"]}
    assert kept == []
    assert sorted(tmp_path.rglob("*")) == before
    world.run("doctor")
    assert any(key.startswith("whoami") for key in kept)
