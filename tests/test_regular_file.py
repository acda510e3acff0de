"""What stands where a file of ours belongs is never waited for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import pytest

from bytebuddy_provider_hf.cli.arguments import read_texts
from bytebuddy_provider_hf.cli.textfile import (
    read_input_file,
    read_text_file,
    replace_text,
)
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.dotenv import EnvFile, read_env
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.stored_files import USAGE_COUNTS, USAGE_KEY
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.values import ClientCertificate, RequestOptions
from bytebuddy_provider_hf.config.variables import Variables, named_in
from bytebuddy_provider_hf.config.write import write_secret
from bytebuddy_provider_hf.errors import ByteBuddyError, ConfigError, InvalidOption
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.counter import read_counts
from bytebuddy_provider_hf.storage.identity import read_key
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers
from bytebuddy_provider_hf.transport import tls
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


def test_a_pipe_as_env_is_told(tmp_path: Path) -> None:
    """Passed over in silence, its user would look for the fault elsewhere."""
    path = tmp_path / ".env"
    assert read_env(path).complaint is None
    # Python's own environments are folders of this name.
    path.mkdir()
    assert read_env(path).complaint is None
    path.rmdir()
    os.mkfifo(path)
    assert read_env(path).complaint == "cannot be read: it is no regular file"


def test_a_pipe_in_place_of_a_token_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, in the log, whoever looks for the token."""
    path, login = tmp_path / "token", tmp_path / ".env"
    os.mkfifo(path)
    os.mkfifo(login)
    for _ in range(2):
        assert find_token({"HF_TOKEN_PATH": str(path)}, state_dir=tmp_path) is None
    assert caplog.messages == [
        f"no token was read from {login}: cannot be read: it is no regular file",
        f"no token was read from {path}: it is no regular file",
    ]


@pytest.mark.parametrize("kind", ["authority", "certificate", "key"])
def test_no_certificate_is_waited_for(tmp_path: Path, kind: str) -> None:
    """OpenSSL would wait for a pipe, and with it all that the loop does."""
    pipe, other = str(tmp_path / "pipe"), str(tmp_path / "other")
    os.mkfifo(pipe)
    Path(other).touch()
    options = RequestOptions(
        ca_bundle_path=(pipe,) if kind == "authority" else (),
        client_certificate=None
        if kind == "authority"
        else ClientCertificate(
            cert=pipe if kind == "certificate" else other,
            key=pipe if kind == "key" else other,
        ),
    )
    with pytest.raises(InvalidOption, match="not a regular file"):
        tls.context("https://a.test", options, tls.ca_bundle(options, {}))


def test_a_file_that_became_a_pipe_is_not_written(tmp_path: Path) -> None:
    """It is no longer as it was read, and nobody waits to find that out."""
    path = tmp_path / "code.py"
    path.write_text("a\n")
    source = read_text_file(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ByteBuddyError, match="was changed or removed"):
        replace_text(source, "b\n")


def written(path: Path, content: bytes) -> threading.Thread:
    """Write into a pipe, as another program does."""

    def write() -> None:
        # Who has read enough goes away.
        with suppress(BrokenPipeError):
            path.write_bytes(content)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def listed(path: Path) -> str:
    """Read the texts of a file that is named on the command line."""
    return "\n".join(read_texts((), path, "texts"))


NAMED: dict[str, Callable[[Path], str]] = {
    "texts": listed,
    "suggestion": lambda path: read_input_file(path).text,
    "config": lambda path: load(path, cwd=path, home=path, env={}).name or "",
}


@pytest.mark.parametrize("reader", NAMED)
def test_what_somebody_names_may_be_a_pipe(tmp_path: Path, reader: str) -> None:
    """As a shell's ``<(…)`` is one: all of it is read."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = b"name: mine\nmodels: []\n" if reader == "config" else b"mine"
    thread = written(path, content)
    assert NAMED[reader](path) == "mine"
    thread.join()


@pytest.mark.parametrize("reader", NAMED)
def test_of_an_endless_device_no_more_is_read_than_allowed(reader: str) -> None:
    """It is too large, as any file may be."""
    with pytest.raises((click.UsageError, ByteBuddyError)):
        NAMED[reader](Path("/dev/zero"))


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
