"""Several who write at once, and users whose home folder is odd."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.config.dotenv import read_env
from bytebuddy_provider_hf.config.files import home_folder, sole_writer
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.write import (
    init,
    write_secret,
)
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.secret import Secret

PROCESSES = 4
TIMES = 6

WRITER = """\
import pathlib, sys
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.write import write_secret
from bytebuddy_provider_hf.secret import Secret

folder, me, times = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for turn in range(times):
    name = f"N{me}_{turn}"
    write_secret(folder / ".env", name, Secret("x"))
    TrustStore(folder / "trust.json").add(folder / name, "https://a.example")
"""


def writer(folder: Path, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(number), str(TIMES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="folders are locked on POSIX only")
def test_what_several_processes_add_is_all_there(world: World) -> None:
    """Nobody writes back a file from before another one's addition."""
    folder = world.home / ".bytebuddy"
    writers = [writer(folder, number) for number in range(PROCESSES)]
    for each in writers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in writers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in writers:
        each.communicate(timeout=60)
        assert each.returncode == 0
    wanted = PROCESSES * TIMES
    assert len(read_env(folder / ".env").values) == wanted
    assert len(TrustStore(folder / "trust.json").entries()) == wanted
    assert sorted(p.name for p in folder.iterdir()) == [
        ".env",
        "trust.json",
    ]


def test_a_folder_that_cannot_be_locked_is_written_to_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network disks lock nothing; the write itself is whole in any case."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(45, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    write_secret(world.home / ".env", "K", Secret("v"))
    assert read_env(world.home / ".env").values["K"].reveal() == "v"


def test_a_block_that_fails_lets_the_next_one_in(world: World) -> None:
    """The lock goes with the block, however it ends."""
    with pytest.raises(KeyboardInterrupt), sole_writer(world.home / "a"):
        raise KeyboardInterrupt
    with sole_writer(world.home / "a"):
        pass


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this process no home, as a container's unknown user has none."""

    def none() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.setattr(Path, "home", none)
    return home_folder()


def test_a_user_without_a_home_reads_the_other_files(
    world: World, homeless: Path
) -> None:
    """Nothing is found there, nothing fails; the environment says the rest."""
    world.write(
        world.machine / "config.yaml",
        "models:\n  - {name: a, provider: p, model: m, apiKey: '${K}'}\n",
    )
    config = load(
        cwd=world.project,
        home=homeless,
        env={"K": "v"},
        global_path=world.machine / "config.yaml",
    )
    assert [entry.unset for entry in config.entries] == [()]
    assert config.warnings == ()
    store = TrustStore(homeless / ".bytebuddy" / "trust.json")
    assert store.listing() == {}


def test_a_user_without_a_home_cannot_keep_anything(homeless: Path) -> None:
    """Writing there is one error that names the place."""
    folder = homeless / ".bytebuddy"
    for write in (
        lambda: init(folder / "config.yaml"),
        lambda: write_secret(folder / ".env", "K", Secret("v")),
        lambda: TrustStore(folder / "trust.json").add(Path("/p"), "https://a.example"),
    ):
        with pytest.raises(ConfigError, match=r"\.bytebuddy"):
            write()


def test_trust_is_taken_back_for_one_origin(world: World) -> None:
    """The others stay; with the last one the project goes from the list."""
    world.store.add(world.project, "https://a.example")
    world.store.add(world.project, "https://b.example/v1")
    assert world.store.remove(world.project, "HTTPS://B.example:443/other")
    assert not world.store.remove(world.project, "https://b.example")
    assert world.store.is_trusted(world.project, "https://a.example")
    assert not world.store.is_trusted(world.project, "https://b.example")
    assert world.store.remove(world.project, "https://a.example")
    found = json.loads((world.home / ".bytebuddy/trust.json").read_text())
    assert found["projects"] == {}
