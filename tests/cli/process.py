"""The command in a process of its own, and servers that it can ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cli.forking import ForkedProcess, Forks

from bytebuddy_provider_hf.testing.script import Handler
from bytebuddy_provider_hf.testing.serve import serve

COMMAND = [sys.executable, "-m", "bytebuddy_provider_hf.cli"]
CANARY = "hf_CanaryCanaryCanaryCanaryCanary0123"
PATIENCE = 30.0


@contextlib.contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """Serve ``handler`` from a thread; the value is the base URL."""
    started = threading.Event()
    place: list[str] = []
    stop: list[Callable[[], object]] = []

    async def main() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with serve(handler) as base:
            place.append(base)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield place[0]
    finally:
        stop[0]()
        thread.join(PATIENCE)


class Ran:
    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()


Run = Callable[..., Ran]


class Terminal:
    """The command on a pseudo-terminal, its output gathered as it comes."""

    def __init__(
        self,
        arguments: list[str],
        env: dict[str, str],
        cwd: Path,
        forks: Forks | None = None,
    ) -> None:
        import pty

        self._parent, child = pty.openpty()
        env = {"COLUMNS": "80", "LINES": "24", **env}
        self.process: subprocess.Popen[bytes] | ForkedProcess
        if forks is None:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=child,
                stdout=child,
                stderr=child,
                env=env,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_take_terminal,  # noqa: PLW1509  # so that Ctrl-C is delivered
            )
        else:
            self.process = forks.begin(arguments, terminal=child, env=env, cwd=cwd)
        os.close(child)
        self._seen = 0
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._parent, text.encode())

    def read_until(self, wanted: str) -> str:
        """Return what came since the last call, up to ``wanted``."""
        until = time.monotonic() + PATIENCE
        while (at := self.text.find(wanted, self._seen)) < 0:
            assert time.monotonic() < until, f"no {wanted!r} in {self.text!r}"
            self._read()
        came = self.text[self._seen : at + len(wanted)]
        self._seen = at + len(wanted)
        return came

    def end(self) -> int:
        """Wait for the command's end; return its exit code."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until, f"still running: {self.text!r}"
            self._read()
        while self._read():
            pass
        assert self.process.returncode is not None
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._parent)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._parent], [], [], 0.05)
        if not ready:
            return False
        try:
            data = os.read(self._parent, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


OpenTerminal = Callable[..., Terminal]
