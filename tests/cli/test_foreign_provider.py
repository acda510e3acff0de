"""Another package's provider in the command line: answers, noise, faults."""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.process import COMMAND, PATIENCE, OpenTerminal

import bytebuddy_provider_hf
from bytebuddy_provider_hf.cli.root import cli

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
KEY = "canary-0123456789"

# What the model does is the id of its entry.
ODD = """
import asyncio, os, subprocess, sys, threading, time
from bytebuddy_provider_hf import Done, ProviderSpec, Reply, ReplyCall, Text, hookimpl
from bytebuddy_provider_hf.outcomes import Embeddings, Scores, TaskReply

def shout(where):
    print("printed", where)
    sys.__stdout__.write(f"written {where}\\n")
    os.write(1, f"by number {where}\\n".encode())

shout("at import")

async def answer(how, key):
    if how == "noise":
        shout("in a call")
        subprocess.run([sys.executable, "-S", "-c", "print('of a child')"], check=True)
        threading.Timer(0, shout, ["in a thread"]).start()
        await asyncio.sleep(0.1)
    yield Text("hello")
    if how == "raises":
        raise OSError(f"gone with {key}")
    if how == "exits":
        sys.exit(7)
    if how == "task exits":
        async def leave():
            sys.exit(7)
        task = asyncio.create_task(leave())
        await asyncio.sleep(60)
    if how == "hangs":
        await asyncio.sleep(3600)
    if how == "blocks":
        time.sleep(3600)
    if how == "stubborn":
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:
                pass
    yield Done(Reply("hello", finish_reason="stop"))

class Odd:
    capabilities = frozenset()
    def __init__(self, entry):
        self.name, self.model, self.roles = entry.name, entry.model, entry.roles
        self.key = entry.api_key.reveal() if entry.api_key else ""

    def chat(self, messages, **how):
        if self.model == "text":
            return "hello"
        if self.model == "coroutine":
            return asyncio.sleep(0)
        return ReplyCall.of(lambda: answer(self.model, self.key))

    complete = fill = edit = apply = chat

    async def embed(self, texts, **how):
        return Embeddings(((0.5, 1.0),) * (1 if self.model == "short" else len(texts)))

    async def rerank(self, query, documents, **how):
        return Scores((0.5,) * len(documents))

    async def aclose(self):
        if self.model == "no close":
            raise OSError(f"stuck with {self.key}")

class Plain(Odd):
    def chat(self, messages):
        return super().chat(messages)

def open_entry(entry, context):
    shout("at opening")
    if entry.model == "never opens":
        return asyncio.sleep(3600)
    return (Plain if entry.model == "plain" else Odd)(entry)

@hookimpl
def bytebuddy_providers():
    return (ProviderSpec("odd", "odd_plugin:open_entry"),)
"""
# Models that wait, block the event loop, and go on when they are cancelled.
UNENDING = ("hangs", "blocks", "stubborn")
# Python waits for the threads of such a pool before it exits.
HANGS = """
import time
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor().submit(time.sleep, 3600).result()
"""


def install(site: Path, module: str, text: str) -> None:
    """Install a distribution of one module that is a plugin."""
    info = site / f"{module}_dist-1.0.dist-info"
    info.mkdir(parents=True)
    name = module.replace("_", "-")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(f"[bytebuddy]\n{name} = {module}\n")
    (site / f"{module}.py").write_text(text)
    importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site"
    install(path, "odd_plugin", ODD)
    return path


def write_entry(home: Path, model: str, provider: str = "odd") -> None:
    folder = home / ".bytebuddy"
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(
        f"models:\n  - {{name: loud, provider: {provider}, model: {model}, "
        f"apiKey: {KEY}, roles: [chat, autocomplete, edit, apply, embed, rerank]}}\n"
    )


Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def invoke(
    site: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Invoke:
    """Run a command in this process; only what is about processes wants another."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    for name in ("HF_TOKEN", "BYTEBUDDY_PLUGINS", "BYTEBUDDY_BLOCK", "BYTEBUDDY_LANG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("odd_plugin", "shout"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def run(model: str, *arguments: str) -> tuple[int, str, str]:
        write_entry(home, model)
        code = cli.main(list(arguments), "bytebuddy-hf", standalone_mode=False)
        told = capfd.readouterr()
        return int(code or 0), told.out, told.err

    return run


FAULTS = {
    "raises": "failed in chat of loud: OSError: gone with **********",
    "exits": "failed in chat of loud: SystemExit: 7",
    "text": "a str where a ReplyCall belongs",
    "coroutine": "a coroutine where a ReplyCall belongs",
    "plain": "unexpected keyword argument 'options'",
}


@pytest.mark.parametrize(("model", "words"), FAULTS.items(), ids=FAULTS)
def test_a_fault_names_the_provider_and_its_package(
    invoke: Invoke, model: str, words: str
) -> None:
    """As an error for a person, and as JSON where that was asked; no key in either."""
    code, _, err = invoke(model, "chat", "hi")
    assert code == 1
    assert words in err
    assert "provider odd of distribution odd-plugin-dist" in err
    code, out, more = invoke(model, "chat", "hi", "--json")
    error = json.loads(out.splitlines()[-1])["error"]
    assert (code, error["type"]) == (1, "ProviderFailed")
    assert words in error["message"]
    assert (error["provider"], error["distribution"]) == ("odd", "odd-plugin-dist")
    assert KEY not in err + out + more


def test_a_task_of_a_plugin_that_exits_is_told(invoke: Invoke) -> None:
    """The program does not end in silence with a code that a plugin chose."""
    code, _, err = invoke("task exits", "chat", "hi")
    assert code == 1
    assert "A plugin's code asked this program to end (SystemExit: 7)" in err


def test_vectors_that_are_too_few_are_no_answer(invoke: Invoke) -> None:
    """``embed`` prints no vector beside a text that it is not of."""
    code, out, _ = invoke("short", "embed", "a", "b", "--json")
    assert code == 1
    assert (
        "1 parts for 2 inputs" in json.loads(out.splitlines()[-1])["error"]["message"]
    )


def test_an_answer_stands_where_closing_fails(invoke: Invoke) -> None:
    """The answer is whole: that its model did not close is a warning, without a key."""
    code, out, err = invoke("no close", "chat", "hi", "--json")
    assert (code, json.loads(out.splitlines()[-1])["text"]) == (0, "hello")
    assert "A model did not close: loud: OSError: stuck with ******" in err
    assert "distribution odd-plugin-dist" in err
    assert KEY not in err
    code, _, err = invoke("no close", "config", "check")
    assert code == 0
    assert "A model did not close" in err


def test_opening_is_within_the_time_limit(invoke: Invoke) -> None:
    """A provider that never opens its model is told after ``--timeout``."""
    code, _, err = invoke("never opens", "chat", "hi", "--timeout", "0.1")
    assert code == 8
    assert "The provider odd did not open loud within 0.1 s" in err


@pytest.mark.skipif(not PAGE.exists(), reason="a checkout has the documents")
def test_the_page_s_provider_serves_every_command(
    invoke: Invoke, site: Path, home: Path, tmp_path: Path
) -> None:
    """``docs/hosts.md``, installed as it is printed, works with the command line."""
    page = PAGE.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    install(site, "shout", blocks[3])
    config = tmp_path / "shout.yaml"
    config.write_text("models: [{name: loud, provider: yell, model: any}]\n")
    code = tmp_path / "a.py"
    code.write_text("x = 1\n")
    change = tmp_path / "change.txt"
    change.write_text("y = 2\n")
    wanted = {
        ("chat", "hello"): "HELLO",
        ("chat", "hello", "--json"): '"text": "HELLO"',
        ("chat", "hello", "--json", "--stream"): '"type": "done"',
        ("edit", str(code), "-i", "louder", "--diff"): "+X = 1",
        ("apply", str(code), str(change), "--diff"): "+Y = 2",
        ("fill", f"{code}:1:3", "-m", "loud"): "X ",
        ("models",): "ready",
        ("config", "check"): "",
        ("config", "show"): "loud",
        ("usage",): "",
    }
    for arguments, words in wanted.items():
        more = () if arguments == ("usage",) else ("--config", str(config))
        done, out, err = invoke("any", *arguments, *more)
        assert (done, "rror" in err) == (0, False), (arguments, out, err)
        assert words in out, arguments
    # What it does not have is told as wrong usage, not as a crash.
    for arguments in (("embed", "a"), ("rerank", "a", "b"), ("complete", "a")):
        done, _, err = invoke("any", *arguments, "-m", "loud", "--config", str(config))
        assert done == 2, (arguments, err)
        assert "the model loud" in err


@pytest.fixture
def process(
    site: Path, home: Path, environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begin the command in a process of its own that has the plugins."""
    root = str(Path(bytebuddy_provider_hf.__path__[0]).parent)
    env = {**environment, "PYTHONPATH": os.pathsep.join([str(site), root])}
    begun: list[subprocess.Popen[str]] = []

    def begin(model: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
        # A file of its own: several run at the same time.
        folder = home / str(len(begun))
        folder.mkdir()
        write_entry(folder, model)
        running = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, "HOME": str(folder), **more},
            cwd=folder,
            text=True,
        )
        begun.append(running)
        return running

    yield begin
    for running in begun:
        # Where a test fails, its command may never end.
        running.kill()
        running.communicate()


def test_stdout_is_the_answer_s(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    """What a plugin prints at import, at opening, in a call or a thread is on stderr.

    Also what it writes to descriptor 1, and what a process that it starts prints.
    """
    running = process("noise", "chat", "hi")
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (0, "hello\n")
    for words in ("printed", "written", "by number"):
        for where in ("at import", "at opening", "in a call", "in a thread"):
            assert f"{words} {where}" in err
    assert "of a child" in err


def test_stdout_is_the_answer_s_where_nothing_is_called(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    """A listing or a check imports plugins, too: its JSON is whole."""
    commands = (("models", "--json"), ("config", "check", "--json"))
    for running in [process("noise", *command) for command in commands]:
        out, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 0
        assert json.loads(out)
        assert "printed at import" in err


def test_a_plugin_that_hangs_is_named_and_not_waited_for(
    process: Callable[..., subprocess.Popen[str]], site: Path
) -> None:
    """After the bound the command goes on without it; its exit waits for nobody."""
    install(site, "hang_plugin", HANGS)
    running = process("fine", "chat", "hi", BYTEBUDDY_PLUGIN_TIMEOUT="1")
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (0, "hello\n")
    assert "plugin hang-plugin of distribution hang-plugin-dist" in err
    assert "still being imported" in err
    assert "did not end within 1 s: going on without it" in err


def test_the_time_limit_holds(
    process: Callable[..., subprocess.Popen[str]],
) -> None:
    """Also for code that blocks the event loop, or goes on when it is cancelled."""
    limited = ("chat", "hi", "--json", "--timeout", "0.3")
    # At the same time: each waits for a signal of its own.
    begun = [process(model, *limited) for model in UNENDING]
    for running in begun:
        out, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 8, err
        error = json.loads(out.splitlines()[-1])["error"]
        assert error["type"] == "DeadlineExceeded"
        assert "provider odd of distribution odd-plugin-dist" in error["message"]


def test_ctrl_c_ends_a_call(process: Callable[..., subprocess.Popen[str]]) -> None:
    """One Ctrl-C is enough, whatever the provider's code does with it."""
    begun = [process(model, "chat", "hi") for model in UNENDING]
    for running in begun:
        assert running.stdout is not None
        assert running.stdout.read(5) == "hello"
        running.send_signal(signal.SIGINT)
    for running in begun:
        _, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130, err
        assert "stopped" in err


def test_a_talk_goes_on_after_a_fault(
    terminal: OpenTerminal, site: Path, home: Path
) -> None:
    """On a terminal a fault ends a turn; what is typed is shown as ever."""
    root = str(Path(bytebuddy_provider_hf.__path__[0]).parent)
    write_entry(home, "raises")
    path = os.pathsep.join([str(site), root])
    talk = terminal("chat", PYTHONPATH=path, COLUMNS="300")
    for _ in range(2):
        talk.read_until("> ")
        talk.type("hi\r")
        talk.read_until("failed in chat of loud: OSError: gone with **********")
    talk.read_until("> ")
    talk.type("/quit\r")
    assert talk.end() == 0
    assert KEY not in talk.text
