"""A real llama.cpp server for tests: what to start, and whether it can be."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from bytebuddy_provider_hf.testing.llama_server import LocalServer

TINY_CHAT: Final = Path(__file__).parents[1] / "data" / "tiny-chat.gguf"
TINY_RERANK: Final = TINY_CHAT.with_name("tiny-rerank.gguf")
HELLO: Final = "Hello! I am a tiny model. Ça va? 你好 🤗"
KEY: Final = "hf_llama_test_key"


@frozen
class KeyedServer:
    """A server that wants ``key``."""

    url: str
    key: str


def need_xllamacpp() -> None:
    """Skip the test where the wheel cannot be imported, and only there."""
    tried = subprocess.run(
        [sys.executable, "-c", "import xllamacpp"],
        check=False,
        capture_output=True,
        text=True,
    )
    if tried.returncode != 0:
        reason = (tried.stderr.strip().splitlines() or [f"exit {tried.returncode}"])[-1]
        pytest.skip(f"xllamacpp cannot be imported: {reason}")


class HeldModel:
    """A copy of the tiny model that nobody can open before it is released.

    The kernel makes whoever opens a file with a write lease wait until the lease is
    given up, so a server that loads it answers its true 503 exactly that long
    (Linux; at most 45 s, /proc/sys/fs/lease-break-time).
    """

    def __init__(self, folder: Path) -> None:
        fcntl = pytest.importorskip("fcntl", reason="files are held back on POSIX")
        self.path = folder / "held.gguf"
        shutil.copyfile(TINY_CHAT, self.path)
        self._file = os.open(self.path, os.O_WRONLY)
        try:
            # The usual signal of a lease would end this process; nobody minds SIGURG.
            fcntl.fcntl(self._file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except (AttributeError, OSError) as error:
            self.release()
            pytest.skip(f"this system cannot hold a file back: {error}")

    def release(self) -> None:
        """Let it be loaded."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _run(work: object) -> None:
    # Not asyncio.run: it would take the event loop of pytest-asyncio away.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)  # type: ignore[arg-type]  # any awaitable
    finally:
        loop.close()


@contextmanager
def running(server: LocalServer) -> Iterator[LocalServer]:
    """Keep ``server`` running, its model loaded, from code that is not async."""

    async def up() -> None:
        await server.start()
        await server.wait_ready()

    try:
        _run(up())
        yield server
    finally:
        stop(server)


def stop(server: LocalServer) -> None:
    """Stop ``server`` if it runs."""
    _run(server.stop())
