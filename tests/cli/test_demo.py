"""``demo`` shows the whole way and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.process import COMMAND, OpenTerminal, Run
from servers.llama import TINY_CHAT

from bytebuddy_provider_hf.testing.demo_prompts import APPLY, CHAT, FILL, PROMPTS
from bytebuddy_provider_hf.testing.llama_server import gemma_installed

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
if sys.platform != "win32":
    SIGNALS.append((signal.SIGHUP, 143))

WITHOUT_EXTRA = """
import sys
from importlib import util
find = util.find_spec
hidden = ("xllamacpp", "gemma3_270m")
util.find_spec = lambda name, *rest: (
    None if name.startswith(hidden) else find(name, *rest)
)
sys.argv = ["bytebuddy-hf", "demo"]
from bytebuddy_provider_hf.cli import demo_server
from bytebuddy_provider_hf.cli.__main__ import main
demo_server._SIMULATED_LOAD, demo_server._SIMULATED_GAP = 0.1, 0
main()
"""


def loaded_for(shown: str) -> float:
    found = re.search(r"the model loaded for ([0-9.]+) s", shown)
    assert found, shown
    return float(found[1])


def test_every_simulated_reply_says_so(run: Run) -> None:
    """The same three steps, each marked, after a wait for a cold model."""
    ran = run("demo", "--simulated")
    assert ran.code == 0
    assert "no model runs" in ran.out
    for step in PROMPTS:
        assert f"{step.title} (simulated reply)" in ran.out
        assert step.prompt + step.seen in ran.out
    assert ran.out.count("simulated]") == len(PROMPTS)
    assert "tokens/s" not in ran.out
    for role in (CHAT, FILL):
        assert f"{role.title} (simulated reply)" in ran.out
        assert role.seen.strip() in ran.out
    # To apply, no model is asked: nothing of it is simulated.
    assert f"{APPLY.title}\n--- original" in ran.out
    assert "no model was asked" in ran.out
    assert loaded_for(ran.out) > 1
    assert "is loading…" in ran.err
    # The page's configuration is shown as it is, and it is gone afterwards.
    assert 'provider: "huggingfaceinferenceapi"' in ran.out
    assert "found the provider huggingfaceinferenceapi by its entry point" in ran.out
    path = re.search(r"^(/.*config\.yaml)$", ran.out, re.MULTILINE)
    assert path
    assert not Path(path[1]).exists()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_its_last_lines_say_what_next(run: Run, lang: str) -> None:
    """The commands to a first own chat, each printed by the step before."""
    ran = run("demo", "--simulated", "--lang", lang)
    assert ran.code == 0
    _, _, after = ran.out.rpartition(
        "no model was asked" if lang == "en" else "模型。]"
    )
    commands = re.findall(r"^  bytebuddy-hf (\w+)", after, re.MULTILINE)
    assert commands == ["login", "config", "chat", "demo", "doctor"]


def test_the_server_can_be_kept(terminal: OpenTerminal, run: Run, home: Path) -> None:
    """Its entry, pasted as it is printed, is answered until Ctrl-C."""
    shown = terminal("demo", "--simulated", "--serve")
    before = shown.read_until("Ctrl-C ends the server.")
    entry = before[before.index("models:") : before.index("Or without a file")]
    (home / ".bytebuddy").mkdir(mode=0o700)
    config = home / ".bytebuddy" / "config.yaml"
    config.write_text(entry.replace("\r", ""))
    ran = run("chat", CHAT.asked)
    assert (ran.code, ran.out.strip()) == (0, CHAT.seen.strip()), ran.err
    shown.type("\x03")
    assert shown.end() == 130


def test_without_the_extra_it_says_so(environment: dict[str, str]) -> None:
    """It names the extra and its platforms, then goes on with a simulation."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA],
        capture_output=True,
        env=environment,
        text=True,
        timeout=60,
        check=True,
    )
    assert "pip install 'bytebuddy-provider-hf[local]'" in done.stderr
    for platform in ("Linux", "macOS", "Windows"):
        assert platform in done.stderr
    assert "(simulated reply)" in done.stdout


def test_the_wait_is_drawn_on_a_terminal(terminal: OpenTerminal) -> None:
    """The line with the elapsed seconds is redrawn and erased."""
    shown = terminal("demo", "--simulated")
    assert shown.end() == 0
    assert "\x1b[2Klocal-gemma is loading… 1 s" in shown.text


@pytest.mark.usefixtures("xllamacpp")
def test_a_real_server_answers(run: Run) -> None:
    """With a model's file, llama.cpp runs in a child process, which ends with us."""
    ran = run("demo", "--gguf", str(TINY_CHAT))
    assert ran.code == 0, ran.err
    assert "simulated" not in ran.out
    for step in PROMPTS:
        assert f"{step.title}\n{step.prompt}" in ran.out
    assert_gone(child_of(ran.out))


@pytest.mark.usefixtures("xllamacpp")
def test_a_file_that_is_no_model_is_named(run: Run, tmp_path: Path) -> None:
    """What llama.cpp cannot load is told, not the refused connection after it."""
    (tmp_path / "odd.gguf").write_text("not a model")
    ran = run("demo", "--gguf", str(tmp_path / "odd.gguf"))
    assert ran.code == 8
    assert "it cannot load odd.gguf" in ran.err


@pytest.mark.usefixtures("xllamacpp")
@pytest.mark.skipif(sys.platform == "win32", reason="signals are for POSIX")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_leaves_no_process(
    environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the child process too."""
    # With --serve it cannot have ended by itself before the signal.
    with subprocess.Popen(
        [*COMMAND, "demo", "--serve", "--gguf", str(TINY_CHAT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        os.killpg(process.pid, number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in complaint
    assert_gone(child_of(first))


@pytest.mark.slow
@pytest.mark.usefixtures("xllamacpp")
@pytest.mark.skipif(not gemma_installed(), reason="needs the extra local")
def test_gemma_is_waited_for_and_answers(run: Run, tmp_path: Path) -> None:
    """Gemma 3 270M: a true wait while it loads, then three answers that are text."""
    ran = run("demo", XDG_CACHE_HOME=str(tmp_path))
    assert ran.code == 0, ran.err
    assert loaded_for(ran.out) > 0
    assert "local-gemma is loading…" in ran.err
    for step in PROMPTS:
        after = ran.out.split(step.prompt)[1].split("\n  [")[0]
        assert after.strip()
    assert ran.out.count("tokens/s") == len(PROMPTS)
    assert_gone(child_of(ran.out))


def child_of(shown: str) -> int:
    found = re.search(r"process (\d+)", shown)
    assert found, shown
    return int(found[1])


def assert_gone(pid: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")
