"""A real llama.cpp server in a child process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from servers.llama import HELLO, TINY_CHAT, HeldModel, KeyedServer
from servers.proxies import cutting_proxy, splitting_proxy

from bytebuddy_provider_hf.errors import ConnectionFailed, ConnectTimeout, InvalidOption
from bytebuddy_provider_hf.testing.gemma import find_gemma, gemma_installed
from bytebuddy_provider_hf.testing.llama_server import LocalServer, usual_threads

pytestmark = pytest.mark.asyncio
Make = Callable[..., LocalServer]

# Nothing else runs on the loops of these tests that a blocking start would hold up.
popen: Final = subprocess.Popen

MODULE: Final = "bytebuddy_provider_hf.testing.llama_server"


def question(text: str, **options: object) -> dict[str, object]:
    return {
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 60,
        **options,
    }


async def chat(url: str, text: str, **options: object) -> Any:  # noqa: ANN401  # JSON
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/v1/chat/completions", json=question(text, **options)
        ) as answer,
    ):
        return await answer.json()


def alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie was ended; whoever started it may not have asked yet.
    state = Path(f"/proc/{pid}/stat")
    return not (
        state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    )


async def gone(pid: int | None) -> None:
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110  # processes have no events
            await asyncio.sleep(0.01)


ANSWERS: Final = {
    "Say hello": HELLO,
    "Count to ten": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10.",
    "Give JSON": '{"name": "Ada", "age": 36}',
}


@pytest.mark.parametrize("asked", ANSWERS)
async def test_the_tiny_model_knows_its_answers(llama: str, asked: str) -> None:
    """A real server with the model of tests/data says what its README says."""
    answered = await chat(llama, asked)
    assert answered["choices"][0]["message"]["content"] == ANSWERS[asked]
    assert answered["model"] == "tiny-chat"


async def test_the_tiny_model_continues_a_text(llama: str) -> None:
    """Without a template it goes on with the story it knows."""
    body = {"prompt": "Once upon a time", "temperature": 0, "max_tokens": 40}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{llama}/v1/completions", json=body) as answer,
    ):
        said = (await answer.json())["choices"][0]["text"]
    assert said == " there was a tiny server that spoke JSON."


async def test_a_key_is_wanted(llama_auth: KeyedServer) -> None:
    """A server with keys answers 401 without one."""
    refused = await chat(llama_auth.url, "Say hello")
    assert refused["error"]["type"] == "authentication_error"
    header = {"authorization": f"Bearer {llama_auth.key}"}
    async with (
        aiohttp.ClientSession(headers=header) as session,
        session.post(
            f"{llama_auth.url}/v1/chat/completions", json=question("Say hello")
        ) as answer,
    ):
        assert answer.status == 200


def command_lines() -> list[bytes]:
    paths = Path("/proc").glob("[0-9]*/cmdline")
    lines = []
    for path in paths:
        with suppress(OSError):
            lines.append(path.read_bytes())
    return lines


async def test_keys_are_not_in_the_command_line(llama_auth: KeyedServer) -> None:
    """Other users of the machine cannot read the key in the list of processes."""
    ours = [line for line in command_lines() if b"llama_server" in line]
    if not Path("/proc/self/cmdline").exists():  # noqa: ASYNC240
        pytest.skip("this system has no /proc")
    assert ours
    assert all(llama_auth.key.encode() not in line for line in ours)


async def test_it_listens_before_the_model_is_loaded(
    llama_server: Make, held_model: HeldModel
) -> None:
    """The true 503 "Loading model" is seen, then the model answers."""
    server = llama_server(held_model.path)
    async with server:
        loading = [await chat(server.url, "Say hello") for _ in range(3)]
        assert server.returncode is None
        held_model.release()
        await server.wait_ready()
        answered = await chat(server.url, "Say hello")
    for reply in loading:
        assert (reply["error"]["code"], reply["error"]["message"]) == (
            503,
            "Loading model",
        )
    assert answered["choices"][0]["message"]["content"] == HELLO


async def streamed(url: str) -> tuple[bytes, bool]:
    got = bytearray()
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/v1/chat/completions", json=question("Say hello", stream=True)
        ) as answer,
    ):
        try:
            async for piece in answer.content.iter_any():
                got += piece
        except aiohttp.ClientError:
            return bytes(got), False
    return bytes(got), True


def text_of(stream: bytes) -> str:
    lines = stream.decode().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    deltas = [json.loads(line)["choices"][0]["delta"] for line in data]
    return "".join(delta.get("content") or "" for delta in deltas)


async def test_a_splitting_proxy_changes_no_byte(llama: str) -> None:
    """Through the proxy the same text comes, one byte at a time."""
    async with splitting_proxy(llama) as url:
        stream, whole = await streamed(url)
    assert whole
    assert text_of(stream) == HELLO


async def test_a_cutting_proxy_cuts(llama: str) -> None:
    """The connection ends after so many bytes; a cut stream is not whole."""
    async with cutting_proxy(llama, after=1_000) as url:
        stream, whole = await streamed(url)
    assert not whole
    assert 0 < len(stream) < 1_000
    async with cutting_proxy(llama, after=10**9) as url:
        assert text_of((await streamed(url))[0]) == HELLO


@pytest.mark.parametrize("end", ["stop", "kill", "leave"])
async def test_nothing_is_left_behind(llama_server: Make, end: str) -> None:
    """However it ends, the child is gone and nothing listens any more."""
    server = llama_server()
    async with server:
        await server.wait_ready()
        if end == "kill":
            server.kill()
            assert await server.wait() == -signal.SIGKILL
        elif end == "stop":
            await server.stop()
    assert not alive(server.pid)
    with pytest.raises(aiohttp.ClientConnectorError):
        await chat(server.url, "Say hello")


async def test_a_loading_server_stops_at_once(
    llama_server: Make, held_model: HeldModel
) -> None:
    """Stopping does not wait for the model to be loaded."""
    began = time.monotonic()
    async with llama_server(held_model.path) as server:
        pass
    assert not alive(server.pid)
    assert time.monotonic() - began < 4


PARENT = """
import asyncio, sys
from pathlib import Path
from bytebuddy_provider_hf.testing.llama_server import LocalServer

async def main():
    server = LocalServer(Path(sys.argv[1]), threads=1)
    await server.start()
    if sys.argv[2] == "loaded":
        await server.wait_ready()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("state", ["loading", "loaded"])
async def test_it_dies_with_its_parent(
    xllamacpp: None, held_model: HeldModel, state: str
) -> None:
    """A parent that is killed takes the server with it, loading or loaded."""
    if state == "loaded":
        held_model.release()
    command = [sys.executable, "-c", PARENT, str(held_model.path), state]
    with popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert alive(pid)
        parent.kill()
    await gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_runs_alone_and_ends_quietly(
    xllamacpp: None, number: signal.Signals
) -> None:
    """As a program it prints its URL as JSON, and no traceback when it is ended."""
    command = [sys.executable, "-m", MODULE, "--model", str(TINY_CHAT)]
    pipe = subprocess.PIPE
    with popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdout is not None
        said = [json.loads(await asyncio.to_thread(child.stdout.readline))]
        said.append(json.loads(await asyncio.to_thread(child.stdout.readline)))
        child.send_signal(number)
        out, err = await asyncio.to_thread(child.communicate)
    assert said[0]["url"].startswith("http://127.0.0.1:")
    assert said[0]["pid"] == child.pid
    assert said[1] == {"ready": True}
    assert b"Traceback" not in out + err


async def test_a_program_alone_ends_with_its_input(xllamacpp: None) -> None:
    """The end of standard input is the end of the server, with exit code 0."""
    command = [sys.executable, "-m", MODULE, "--model", str(TINY_CHAT)]
    pipe = subprocess.PIPE
    with popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        for _ in range(2):
            await asyncio.to_thread(child.stdout.readline)
        child.stdin.close()
        assert await asyncio.to_thread(child.wait, 10) == 0


async def test_a_file_that_is_no_model_is_an_error(
    llama_server: Make, tmp_path: Path
) -> None:
    """The child says what is wrong, and is gone."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(TINY_CHAT.read_bytes()[:1_000])
    for path in (broken, tmp_path / "missing.gguf"):
        server = llama_server(path, log=tmp_path / "log")
        with pytest.raises(ConnectionFailed, match=path.name):
            async with server:
                await server.wait_ready()
        assert not alive(server.pid)


async def test_a_load_that_takes_too_long_is_an_error(
    llama_server: Make, held_model: HeldModel
) -> None:
    """Waiting for the model is bounded, and the error names where to look."""
    async with llama_server(held_model.path) as server:
        with pytest.raises(ConnectTimeout, match="log="):
            await server.wait_ready(timeout=0.1)


async def test_a_running_server_is_not_started_again(llama_server: Make) -> None:
    """Starting twice is refused instead of losing a child."""
    async with llama_server() as server:
        with pytest.raises(InvalidOption, match="already running"):
            await server.start()


async def test_what_llama_prints_is_kept(llama_server: Make, tmp_path: Path) -> None:
    """With ``log`` the server's own words can be read."""
    log = tmp_path / "llama.log"
    async with llama_server(log=log) as server:
        await server.wait_ready()
        # llama.cpp writes its log in a thread of its own.
        async with asyncio.timeout(10):
            while b"load" not in log.read_bytes():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


async def test_threads_are_few() -> None:
    """Half the processors, between one and four."""
    assert 1 <= usual_threads() <= 4


@pytest.mark.slow
async def test_gemma_is_put_together_once_and_checked(tmp_path: Path) -> None:
    """The file appears whole, is kept, and is written anew when it was damaged."""
    if not gemma_installed():
        pytest.skip("the extra local, which carries Gemma 3 270M, is not installed")
    first = await asyncio.to_thread(find_gemma, tmp_path)
    written = first.stat().st_mtime_ns
    assert await asyncio.to_thread(find_gemma, tmp_path) == first
    assert first.stat().st_mtime_ns == written
    with first.open("r+b") as file:
        file.write(b"XXXX")
    await asyncio.to_thread(find_gemma, tmp_path)
    assert first.read_bytes()[:4] == b"GGUF"
    assert os.listdir(tmp_path) == [first.name]  # noqa: PTH208


async def test_without_the_packages_gemma_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setattr(
        "bytebuddy_provider_hf.testing.gemma.find_spec", lambda _name: None
    )
    with pytest.raises(ConnectionFailed, match=r"\[local\]"):
        find_gemma(tmp_path)
