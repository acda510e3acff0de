"""Writing: comments stay, nobody sees half, and nobody else can read it."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from config_world import World

from bytebuddy_provider_hf.config.dotenv import read_env
from bytebuddy_provider_hf.config.files import write_private
from bytebuddy_provider_hf.config.write import (
    init,
    write_secret,
)
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.secret import Secret


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    """Modes must not depend on the umask."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_starter_loads_and_is_private(world: World) -> None:
    """``config init`` writes a file that works as it stands, with mode 0600."""
    init(world.user_file)
    assert (mode(world.user_file), mode(world.user_file.parent)) == (0o600, 0o700)
    config = world.load()
    assert [e.name for e in config.entries] == ["hf-llama"]
    assert config.warnings == ()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_the_starter_never_overwrites(world: World, kind: str) -> None:
    """Not a file, not the file behind a link, nor one that does not exist yet."""
    path = world.machine / "c.yaml"
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(world.machine / "elsewhere")
    else:
        path.mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        init(path)
    assert not (world.machine / "elsewhere").exists()


def test_an_exclusive_write_loses_to_one_that_came_first(world: World) -> None:
    """Two programs that start at once do not overwrite each other."""
    path = world.write(world.machine / "c.yaml", "first")
    with pytest.raises(ConfigError, match="exists already"):
        write_private(path, Secret("second"), exclusive=True)
    assert path.read_text() == "first"
    assert [p.name for p in world.machine.iterdir()] == ["c.yaml"]


def test_a_secret_goes_into_the_env_file_where_loading_finds_it(world: World) -> None:
    """``bytebuddy-hf login`` and ``${HF_API_KEY}`` meet there."""
    path = world.home / ".bytebuddy/.env"
    write_secret(path, "HF_API_KEY", Secret("hf_x"))
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert world.entry("apiKey: ${HF_API_KEY}").api_key.reveal() == "hf_x"


def test_other_lines_of_an_env_file_stay(world: World) -> None:
    """The old value goes, the comment and the neighbours do not."""
    raw = b"# mine\nexport K=old\nOTHER=1\n\xc3\xa9 odd\nKK=2"
    path = world.write(world.machine / ".env", raw)
    path.chmod(0o644)
    write_secret(path, "K", Secret("new"))
    assert path.read_bytes() == b"# mine\nOTHER=1\n\xc3\xa9 odd\nKK=2\nK=new\n"
    assert mode(path) == 0o600


@pytest.mark.parametrize("raw", [b"A=1\n\xff odd\n", "A=1\n".encode("utf-16")])
def test_a_secret_that_would_not_be_found_is_not_written(
    world: World, raw: bytes
) -> None:
    """A file that loading cannot read is left as it is, and the next step told."""
    path = world.write(world.machine / ".env", raw)
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        write_secret(path, "K", Secret("sk-canary"))
    assert path.read_bytes() == raw
    assert "Save it as UTF-8" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["plain", "a b", 'a"b\\c', "a#b", "#x", "a'b", "$x${Y}", "é"]
)
def test_a_secret_is_read_as_it_was_written(world: World, value: str) -> None:
    """Quotes, blanks and signs survive the way through the file."""
    path = world.machine / ".env"
    write_secret(path, "K", Secret(value))
    assert read_env(path).values["K"].reveal() == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("K", ""), ("K", "a\nB=1"), ("K", "a\0"), ("a b", "x"), ("", "x"), ("K\n", "x")],
)
def test_a_secret_of_several_lines_is_refused(
    world: World, name: str, value: str
) -> None:
    """Nothing can slip a second variable in; the value is not shown."""
    path = world.machine / ".env"
    with pytest.raises(ConfigError):
        write_secret(path, name, Secret(value))
    assert not path.exists()


def test_a_link_stays_a_link(world: World) -> None:
    """Files kept in a repository of dotfiles are written where they really are."""
    real = world.write(world.machine / "real.env", "A=1\n")
    link = world.machine / ".env"
    link.symlink_to(real)
    write_secret(link, "K", Secret("v"))
    assert link.is_symlink()
    assert real.read_text() == "A=1\nK=v\n"


def test_a_write_that_fails_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs neither the old file nor a stray one."""
    path = world.write(world.machine / ".env", "A=1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_secret(path, "K", Secret("v"))
    assert path.read_text() == "A=1\n"
    assert [p.name for p in world.machine.iterdir()] == [".env"]


def test_a_reader_sees_only_whole_files(world: World) -> None:
    """A thousand writes, and a reader that never meets a half."""
    path = world.user_file
    texts = [
        "models:\n"
        + "".join(f"  - {{name: m{i}, provider: p, model: v{v}}}\n" for i in range(4))
        for v in (1, 2)
    ]
    write_private(path, Secret(texts[0]))
    done = threading.Event()

    def write() -> None:
        for turn in range(1_000):
            write_private(path, Secret(texts[turn % 2]))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or reads == 0:
        assert len({e.model for e in world.load().entries}) == 1
        reads += 1
    writer.join()
    assert reads > 0


def test_what_the_starter_offers_can_be_had(world: World) -> None:
    """Its commented keys, their marks taken away, are valid and mean what they say."""
    init(world.user_file)
    before, mark, offered = world.user_file.read_text().partition("\n# What every call")
    assert mark
    keys = [
        line.removeprefix("# ")
        for line in offered.splitlines()
        if line.startswith(("# ledger:", "# budget:", "# alerts:", "#   "))
    ]
    world.user_file.write_text("\n".join([before, *keys, ""]))
    config = world.load()
    assert config.warnings == ()
    assert not config.ledger
    assert [budget.options.dollars for budget in config.entries[0].budgets] == [
        5 * 10**9
    ]
    assert config.alerts is not None
