"""What probes found out outlives the process, for a day and no longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime, server_cache_file
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.failures import object_error
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi

URL = "https://x.endpoints.huggingface.cloud/v1/chat/completions"
SERVER = Tgi(
    version=(3, 0, 1),
    model="tgi",
    model_names=("a", "b"),
    loaded_model="org/loaded",
    context_length=4_096,
    routes=frozenset({"chat", "generate"}),
    openai_base="",
    abilities=(("a", ("embed",)), ("b", ())),
)


def test_a_kept_server_is_read_back_with_its_age(tmp_path: Path) -> None:
    """Every field, and how old it is; after a day it is gone."""
    now = [1_000.0]
    server_cache = ServerCache(tmp_path / "deep" / "servers.json", clock=lambda: now[0])
    assert server_cache.get(URL) is None
    server_cache.put(URL, SERVER)
    now[0] += 60
    assert server_cache.get(URL) == (SERVER, 60.0)
    now[0] += 86_400
    assert server_cache.get(URL) is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes are for POSIX")
def test_nobody_else_reads_or_writes_the_kept_servers(tmp_path: Path) -> None:
    """Whatever the umask says; who could write them could send prompts astray."""
    before = os.umask(0)
    try:
        ServerCache(tmp_path / "cache" / "servers.json").put(URL, SERVER)
    finally:
        os.umask(before)
    modes = [p.stat().st_mode & 0o777 for p in (tmp_path / "cache").rglob("*")]
    assert modes == [0o600]
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_key_in_an_address_is_not_kept(tmp_path: Path) -> None:
    """The query is no part of what is kept."""
    server_cache = ServerCache(tmp_path / "servers.json")
    server_cache.put(f"{URL}?api-key=Canary4711", SERVER)
    assert "Canary4711" not in (tmp_path / "servers.json").read_text()
    assert server_cache.get(URL)


def test_a_relative_cache_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's project, stood in by chance, must not say what servers are."""
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert server_cache_file() == tmp_path / ".cache" / "bytebuddy-hf" / "servers.json"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert server_cache_file() == tmp_path / "x" / "bytebuddy-hf" / "servers.json"


def test_a_kept_server_from_the_future_does_not_count(tmp_path: Path) -> None:
    """A clock that was set back makes nothing eternal."""
    now = [1_000.0]
    server_cache = ServerCache(tmp_path / "servers.json", clock=lambda: now[0])
    server_cache.put(URL, SERVER)
    now[0] = 10.0
    assert server_cache.get(URL) is None


def test_a_forgotten_server_is_gone(tmp_path: Path) -> None:
    """What proved wrong is not read again."""
    server_cache = ServerCache(tmp_path / "servers.json")
    server_cache.put(URL, SERVER)
    server_cache.delete(URL)
    assert server_cache.get(URL) is None


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    """Five hundred addresses, the newest."""
    path = tmp_path / "servers.json"
    server_cache = ServerCache(path)
    server_cache.put(URL, SERVER)
    (said,) = json.loads(path.read_text())["servers"].values()
    many = {f"{URL}{number}": said for number in range(500)}
    path.write_text(json.dumps({"version": 2, "servers": many}))
    server_cache.put(f"{URL}500", SERVER)
    kept = json.loads(path.read_text())["servers"]
    assert list(kept) == [f"{URL}{n}" for n in range(1, 501)]
    assert server_cache.get(f"{URL}500")


@settings(deadline=None)  # a disk that others write to is slow
@given(st.binary(max_size=80) | st.just(b"[" * 100_000))
def test_a_file_that_is_not_ours_is_as_none(content: bytes) -> None:
    """Whatever stands in it, and it can be written over."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "servers.json"
        path.write_bytes(content)
        server_cache = ServerCache(path)
        assert server_cache.get(URL) is None
        server_cache.put(URL, SERVER)
        assert server_cache.get(URL)


def test_a_file_in_the_folder_of_before_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier program kept in ``bytebuddy``, without a version, is not read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = tmp_path / "bytebuddy" / "servers.json"
    before.parent.mkdir()
    text = json.dumps({URL: {"at": 1_000.0, "server": {"engine": "tgi"}}})
    before.write_text(text)
    server_cache = ServerCache(server_cache_file(), clock=lambda: 1_000.0)
    assert server_cache.get(URL) is None
    server_cache.put(URL, SERVER)
    assert server_cache.get(URL) == (SERVER, 0.0)
    assert before.read_text() == text


@pytest.mark.parametrize(
    "shape",
    [
        lambda servers: servers,  # as the first files were, without a version
        lambda servers: {"version": 1, "servers": servers},
        lambda servers: {"version": "2", "servers": servers},
        lambda servers: {"version": 2, "servers": list(servers)},
        lambda servers: {"version": 2, "names": servers},
        lambda servers: [servers],
    ],
)
def test_a_file_of_another_shape_is_dropped(
    shape: Callable[[dict[str, object]], object], tmp_path: Path
) -> None:
    """It is a cache: no error, and the next server is written over it."""
    path = tmp_path / "servers.json"
    ServerCache(path).put(URL, SERVER)
    servers = json.loads(path.read_text())["servers"]
    path.write_text(json.dumps(shape(servers)))
    server_cache = ServerCache(path)
    assert server_cache.get(URL) is None
    server_cache.put(f"{URL}/other", SERVER)
    kept = json.loads(path.read_text())
    assert kept["version"] == 2
    assert list(kept["servers"]) == [f"{URL}/other"]


def test_a_file_of_a_newer_version_is_left_untouched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program's: nothing is read or written, and one warning says so."""
    path = tmp_path / "servers.json"
    text = json.dumps({"version": 3, "servers": {URL: {"at": 0}}})
    path.write_text(text)
    server_cache = ServerCache(path)
    for _ in range(2):
        assert server_cache.get(URL) is None
        server_cache.put(URL, SERVER)
        server_cache.delete(URL)
    assert path.read_text() == text
    (warning,) = caplog.records
    assert (warning.levelname, str(path) in warning.message) == ("WARNING", True)


def test_a_place_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    """The next start asks again; nothing else is lost."""
    (tmp_path / "file").write_text("x")
    ServerCache(tmp_path / "file" / "servers.json").put(URL, SERVER)


class Vllm:
    """A server whose model may be swapped for another."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.paths: list[str] = []

    async def handle(self, request: FakeRequest) -> FakeReply:
        self.paths.append(request.path)
        if request.path == "/v1/models":
            return json_reply({"data": [{"id": self.name, "owned_by": "vllm"}]})
        asked = request.value("model")
        if asked != self.name:
            text = f"The model `{asked}` does not exist."
            return object_error(404, text, kind="NotFoundError", code=404)
        return chat_reply("fine")


async def ask(server: Vllm, path: Path) -> str:
    runtime = Runtime(
        connect=MemoryConnect(server.handle), server_cache=ServerCache(path)
    )
    async with runtime:
        model = open_model(
            "org/name",
            api_key="hf_x",
            api_base="https://x.endpoints.huggingface.cloud",
            runtime=runtime,
            env={},
            state_dir=path.parent,
        )
        return (await model.chat("a")).text


@virtual_time
async def test_the_next_process_asks_nobody(tmp_path: Path) -> None:
    """One question in the first, none in the second."""
    server = Vllm("served/one")
    for _ in range(2):
        assert await ask(server, tmp_path / "servers.json") == "fine"
    assert server.paths.count("/v1/models") == 1


@virtual_time
async def test_a_server_that_changed_is_asked_again(tmp_path: Path) -> None:
    """A model swapped behind the address: its 404 is the cue, the caller sees none."""
    server = Vllm("served/one")
    assert await ask(server, tmp_path / "servers.json") == "fine"
    server.name = "served/two"
    assert await ask(server, tmp_path / "servers.json") == "fine"
    assert server.paths.count("/v1/models") == 2


@pytest.mark.parametrize("port", [1, 2])
@virtual_time
async def test_a_local_port_is_not_remembered(port: int, tmp_path: Path) -> None:
    """Another server may listen there tomorrow."""
    server = Vllm("served/one")
    path = tmp_path / "servers.json"
    runtime = Runtime(
        connect=MemoryConnect(server.handle), server_cache=ServerCache(path)
    )
    async with runtime:
        model = open_model(
            "m", api_base=f"http://127.0.0.1:{port}", runtime=runtime, env={}
        )
        await model.chat("a")
    assert not path.exists()


def test_a_user_without_a_home_can_import_the_engine() -> None:
    """Containers run as users nobody has heard of: no place to keep, no failure."""
    code = (
        "import pathlib\n"
        "def nowhere(): raise RuntimeError('no home')\n"
        "pathlib.Path.home = staticmethod(nowhere)\n"
        "from bytebuddy_provider_hf.client import runtime\n"
        "from bytebuddy_provider_hf.wire.server import Server\n"
        "runtime.shared_runtime._server_cache.put('u', Server())\n"
        "assert runtime.shared_runtime._server_cache.get('u') is None\n"
    )
    kept = {name: value for name, value in os.environ.items() if name[:3] != "XDG"}
    subprocess.run([sys.executable, "-c", code], check=True, env=kept)
