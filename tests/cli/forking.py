"""The command in forks of one process that has imported everything.

Starting Python and importing costs ten times what most commands cost. A fork is a
process of its own all the same: its descriptors, environment and exit are real. What
the interpreter reads while it starts (``PYTHON…``, closed streams) wants a new one.

Run as a program with the descriptor of a socket, this is the process that forks.
"""

from __future__ import annotations

import gc
import importlib
import json
import locale
import os
import pkgutil
import signal
import socket
import subprocess
import sys
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

    def close(self) -> None:
        """End the process; no command is running."""
        self._said.close()
        self._socket.close()
        self._process.communicate()

    def _answer(self) -> str:
        line = self._said.readline()
        assert line, self._process.communicate()[1].decode()
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
        pid = os.fork()
        if not pid:
            channel.close()
            _become(json.loads(message), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        channel.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        channel.sendall(f"{status}\n".encode())


def _become(request: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Be as a new process of these arguments, environment and streams is."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = ["bytebuddy-hf", *request["arguments"]]  # type: ignore[misc]  # a list
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[arg-type]  # a mapping
    os.chdir(str(request["cwd"]))
    with suppress(locale.Error):  # a locale that this machine lacks is none
        locale.setlocale(locale.LC_CTYPE, "")
    runtime = importlib.import_module(f"{PACKAGE}.client.runtime")
    # The place of its file was chosen by the environment of the import.
    runtime.shared_runtime._server_cache._path = runtime.server_cache_file()


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
