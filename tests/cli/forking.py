"""The command in forks of one process that has imported everything.

Starting Python and importing costs ten times what most commands cost. A fork is a
process of its own all the same: its descriptors, environment and exit are real. What
the interpreter reads while it starts (``PYTHON…``, closed streams) wants a new one.

Run as a program with the descriptor of a socket, this is the process that forks.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import locale
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

AVAILABLE = sys.platform == "linux"
PACKAGE = "bytebuddy_provider_hf"


class Forks:
    """A process to fork from; it ends with ``close``, or with this process."""

    def __init__(self, env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                # The forks' streams are made for pipes, as a new process's would be.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                pass_fds=[theirs.fileno()],
            )
        self._socket = ours
        self._said = ours.makefile("r", encoding="ascii")

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes,
        env: Mapping[str, str],
        cwd: Path,
        timeout: float,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command to its end, as ``subprocess.run`` would."""
        request = {"arguments": arguments, "env": dict(env), "cwd": str(cwd)}
        with ExitStack() as stack:
            pipes = [os.pipe() for _ in range(3)]
            theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            given = stack.enter_context(open(pipes[0][1], "wb"))  # noqa: PTH123  # a descriptor
            taken = [
                stack.enter_context(open(pipe[0], "rb"))  # noqa: PTH123  # a descriptor
                for pipe in pipes[1:]
            ]
            socket.send_fds(self._socket, [f"{json.dumps(request)}\n".encode()], theirs)
            for descriptor in theirs:
                os.close(descriptor)
            pid = int(self._answer())
            late = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            late.start()
            writing = _begin(_write, given, stdin)
            texts: list[list[bytes]] = [[], []]
            reading = [
                _begin(_read, file, text)
                for file, text in zip(taken, texts, strict=True)
            ]
            status = int(self._answer())
            late.cancel()
            for thread in (writing, *reading):
                thread.join()
        code = os.waitstatus_to_exitcode(status)
        out, err = (text[0] for text in texts)
        return subprocess.CompletedProcess(arguments, code, out, err)

    def begin(
        self,
        arguments: Sequence[str],
        *,
        terminal: int,
        env: Mapping[str, str],
        cwd: Path,
    ) -> ForkedProcess:
        """Begin the command on a terminal, whose side of it is that descriptor."""
        request = {
            "arguments": arguments,
            "env": dict(env),
            "cwd": str(cwd),
            "terminal": True,
        }
        told, tells = os.pipe()
        given = [terminal, tells]
        socket.send_fds(self._socket, [f"{json.dumps(request)}\n".encode()], given)
        os.close(tells)
        # Of the process that detaches the command: it begins, and ends at once.
        self._answer()
        self._answer()
        return ForkedProcess(arguments, told)

    def close(self) -> None:
        """End the process; no command that was begun need have ended."""
        self._said.close()
        self._socket.close()
        self._process.communicate()

    def _answer(self) -> str:
        line = self._said.readline()
        assert line, self._process.communicate()[1].decode()
        return line


class ForkedProcess:
    """A command that was begun; what ``subprocess.Popen`` says of one."""

    def __init__(self, arguments: Sequence[str], told: int) -> None:
        self._arguments = list(arguments)
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115  # a descriptor
        self._pid = int(self._line())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, ``None`` as long as it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises ``TimeoutExpired``."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0.0)
            self.returncode = os.waitstatus_to_exitcode(int(self._line()))
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            part = self._told.read(1)
            assert part, "nobody tells of the command any more"
            line += part
        return line


def _begin(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def _write(file: IO[bytes], text: bytes) -> None:
    # A command need not read all that it is given.
    with suppress(BrokenPipeError):
        file.write(text)
        file.flush()
    with suppress(BrokenPipeError):
        file.close()


def _read(file: IO[bytes], text: list[bytes]) -> None:
    text.append(file.read())


def _serve(channel: socket.socket) -> None:
    """Fork for each request; return in the fork, which is then the command."""
    while True:
        message, descriptors = b"", []
        while not message.endswith(b"\n"):
            part, more, _, _ = socket.recv_fds(channel, 65_536, 3)
            if not part:
                sys.exit()
            message, descriptors = message + part, descriptors + more
        request = json.loads(message)
        pid = os.fork()
        if not pid:
            channel.close()
            if "terminal" in request:
                _detach(descriptors)
            _become(request, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        channel.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        channel.sendall(f"{status}\n".encode())


def _detach(descriptors: list[int]) -> None:
    """Return in a fork of a fork, whose end its parent tells; this process ends.

    The descriptors become those of its streams: all are the terminal's.
    """
    terminal, tells = descriptors
    # Whoever forks commands waits for this process alone.
    if os.fork():
        os._exit(0)
    if pid := os.fork():
        os.close(terminal)
        os.write(tells, f"{pid}\n".encode())
        os.write(tells, f"{os.waitpid(pid, 0)[1]}\n".encode())
        os._exit(0)
    os.close(tells)
    os.setsid()
    # So that Ctrl-C is delivered.
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    descriptors[:] = [terminal, os.dup(terminal), os.dup(terminal)]


def _become(request: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Be as a new process of these arguments, environment and streams is."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if "terminal" in request:
        # Made for pipes, they would hold back what a terminal shows at once.
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            mode = "w" if number else "r"
            stream = open(number, mode, buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    sys.argv = ["bytebuddy-hf", *request["arguments"]]  # type: ignore[misc]  # a list
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[arg-type]  # a mapping
    os.chdir(str(request["cwd"]))
    with suppress(locale.Error):  # a locale that this machine lacks is none
        locale.setlocale(locale.LC_CTYPE, "")
    runtime = importlib.import_module(f"{PACKAGE}.client.runtime")
    # The places of its files were chosen by the environment of the import.
    runtime.shared_runtime._server_cache._path = runtime.server_cache_file()
    runtime.shared_runtime._answers._folder = runtime.answers_folder()


def _import_all() -> None:
    package = importlib.import_module(PACKAGE)
    for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if not found.name.endswith(("__main__", "testing.fixtures")):
            importlib.import_module(found.name)


if __name__ == "__main__":
    _import_all()
    gc.collect()
    # The forks' collector need not look at what is here, and thereby copy it.
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    importlib.import_module(f"{PACKAGE}.cli.__main__").main()
