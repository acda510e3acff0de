"""What stands where a file of ours belongs is never waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.dotenv import EnvFile, read_env
from bytebuddy_provider_hf.config.stored_files import USAGE_COUNTS, USAGE_KEY
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.variables import Variables, named_in
from bytebuddy_provider_hf.config.write import write_secret
from bytebuddy_provider_hf.errors import ConfigError
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.counter import read_counts
from bytebuddy_provider_hf.storage.identity import read_key
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.transport.credentials import find_token

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here"),
    pytest.mark.timeout(30),
]


def trusted(path: Path) -> object:
    """Read the list of trusted projects, which must say that it is none."""
    with pytest.raises(ConfigError):
        TrustStore(path).listing()
    return None


def saved(path: Path) -> object:
    """Add a variable to a file that cannot be read."""
    with pytest.raises(ConfigError, match="not a regular file"):
        write_secret(path, "HF_TOKEN", Secret("hf_of_a_test"))
    return None


def named(path: Path) -> object:
    """Look for the variables that a configuration names."""
    return named_in([path], Variables({}, EnvFile(path), ()))


def token(path: Path) -> object:
    """Look for the token in the file that a variable names."""
    return find_token({"HF_TOKEN_PATH": str(path)}, state_dir=path.parent / "none")


READERS: dict[str, tuple[str, Callable[[Path], object], object]] = {
    "servers": ("servers.json", lambda path: ServerCache(path).get("http://a/b"), None),
    "trust": ("trust.json", trusted, None),
    "env": (".env", lambda path: dict(read_env(path).values), {}),
    "saved": (".env", saved, None),
    "named": (
        "a.yaml",
        lambda path: named_in([path], Variables({}, EnvFile(path), ())),
        {},
    ),
    "token": ("token", token, None),
    "counts": (USAGE_COUNTS.name, lambda path: read_counts(path.parent), b""),
    "key": (USAGE_KEY.name, lambda path: len(read_key(path.parent)), 32),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "endless device"])
def test_no_reader_waits(tmp_path: Path, reader: str, kind: str) -> None:
    """A pipe that nobody writes to is as a file that cannot be read; so is a device."""
    name, read, found = READERS[reader]
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert read(path) == found


def test_a_kept_answer_is_not_waited_for(tmp_path: Path) -> None:
    """It is as none, and the loop goes on."""

    async def put() -> None:
        KeptAnswers(tmp_path).put("key", b"answer")

    async def get() -> object:
        return await KeptAnswers(tmp_path).get("key")

    # The end of a loop waits for what was begun to be written.
    asyncio.run(put())
    assert asyncio.run(get()) is not None
    (file,) = tmp_path.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert asyncio.run(get()) is None


def test_so_many_bytes_are_read_and_no_more(tmp_path: Path) -> None:
    """A folder is told as a folder."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert (read_regular_file(path), read_regular_file(path, 2)) == (b"abc", b"ab")
    with pytest.raises(IsADirectoryError):
        read_regular_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "none")
