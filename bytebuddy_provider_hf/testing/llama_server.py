"""llama.cpp's HTTP server in a child process, for demonstrations and tests.

Needs the extra ``local`` (xllamacpp). ``python -m
bytebuddy_provider_hf.testing.llama_server --model FILE`` runs it alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final
from urllib.parse import urlsplit

from bytebuddy_provider_hf.errors import ConnectionFailed, ConnectTimeout, InvalidOption
from bytebuddy_provider_hf.testing.gemma import INSTALL, find_gemma, gemma_installed
from bytebuddy_provider_hf.testing.llama_child import (
    HOST,
    KEYS_VARIABLE,
    Pooling,
    main,
)

__all__ = [
    "LocalServer",
    "find_gemma",
    "gemma_installed",
    "llama_installed",
    "usual_threads",
]

_ROOT: Final = str(Path(__file__).parents[2])
# Seconds for requests under way to be answered.
_GENTLE: Final = 5.0
# Seconds; a small model is loaded in some tenths of one.
_LOOK_AGAIN: Final = 0.01


def llama_installed() -> bool:
    """Tell whether llama.cpp's server can be started here."""
    return find_spec("xllamacpp") is not None


def usual_threads() -> int:
    """Return how many threads to generate with: half the processors, 1 to 4.

    More than are free makes llama.cpp slower, several times over: its threads wait
    for each other in busy loops.
    """
    return max(1, min(4, (os.cpu_count() or 1) // 2))


@final
class LocalServer:
    """llama.cpp's server with one model, on a free port of 127.0.0.1.

    Entering it, or :meth:`start`, returns as soon as it *listens*: the model is still
    being loaded and requests get a true 503 "Loading model" until
    :meth:`wait_ready` returns. Leaving it ends the child; so does the end of this
    process, however it comes. ``log`` keeps what llama.cpp prints. For embeddings say
    ``embedding`` and how tokens become one vector (``pooling="mean"``), for reranking
    ``pooling="rank"``.
    """

    def __init__(
        self,
        model: Path,
        *,
        threads: int | None = None,
        context: int = 2_048,
        parallel: int = 1,
        api_keys: Sequence[str] = (),
        embedding: bool = False,
        pooling: Pooling | None = None,
        alias: str = "",
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self._arguments = [
            *("--model", str(model)),
            *("--threads", str(threads or usual_threads())),
            *("--context", str(context)),
            *("--parallel", str(parallel)),
            *("--alias", alias),
            *("--port", str(port)),
            *(["--embedding"] if embedding else []),
            *(["--pooling", pooling] if pooling else []),
            *(["--verbose"] if log else []),
        ]
        self._keys = ",".join(api_keys)
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ready = False
        self._error = ""
        self.url = ""

    @property
    def pid(self) -> int | None:
        """The child's process id, or ``None`` where there is none."""
        return None if self._child is None else self._child.pid

    @property
    def returncode(self) -> int | None:
        """The child's exit code, or ``None`` while it runs."""
        return None if self._child is None else self._child.poll()

    async def start(self, *, timeout: float = 30.0) -> str:
        """Start the child, wait until it listens, return its base URL."""
        if not llama_installed():
            raise ConnectionFailed("xllamacpp is not installed.", hint=INSTALL)
        self._spawn()
        try:
            async with asyncio.timeout(timeout):
                # The URL is told a moment before the port accepts.
                while not await self._listens():
                    self._check()
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError as error:
            self._reap()
            message = f"llama.cpp's server did not listen within {timeout:g} s."
            raise ConnectTimeout(message, hint=self._hint()) from error
        except BaseException:
            self._reap()
            raise
        return self.url

    async def wait_ready(self, *, timeout: float = 120.0) -> None:
        """Wait until the model is loaded."""
        try:
            async with asyncio.timeout(timeout):
                while not self._ready:
                    self._check()
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError as error:
            message = f"The model was not loaded within {timeout:g} s."
            raise ConnectTimeout(message, hint=self._hint()) from error

    def kill(self) -> None:
        """End the child at once, as a crash would."""
        if self._child is not None:
            self._child.kill()

    async def wait(self) -> int:
        """Wait until the child has ended; return its exit code."""
        # A child has no future of its own that every loop can await.
        while self._child is not None and self._child.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN)
        return 0 if self._child is None else self._child.returncode

    async def stop(self) -> None:
        """End the child, forcibly if it does not go within 5 s."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            async with asyncio.timeout(_GENTLE):
                await self.wait()
        except TimeoutError:
            pass
        finally:
            self._reap()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _spawn(self) -> None:
        if self._child is not None and self._child.poll() is None:
            raise InvalidOption(
                "This server is already running.", hint="Stop it first."
            )
        self._ready, self._error, self.url = False, "", ""
        inherited = os.environ.get("PYTHONPATH")
        environment = {
            **os.environ,
            KEYS_VARIABLE: self._keys,
            # Wherever this package was found, and nothing of the current folder.
            "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, inherited))),
        }
        with open(self._log or os.devnull, "ab") as log:  # noqa: PTH123  # devnull is no Path
            self._child = subprocess.Popen(  # noqa: S603  # our own module
                # By the spec: run as a program, this module calls itself __main__.
                [sys.executable, "-P", "-m", __spec__.name, *self._arguments],
                # Closed by our end, however that comes; the child ends with it.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                # Ctrl-C in a terminal is for the parent, which then stops us.
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        child = self._child
        if child is None or child.stdout is None:
            return
        for line in child.stdout:
            said = json.loads(line)
            self.url = said.get("url", self.url)
            self._error = said.get("error", self._error)
            self._ready = said.get("ready", self._ready)

    def _check(self) -> None:
        if self._error or self.returncode is not None:
            message = self._error or "llama.cpp's server ended by itself."
            raise ConnectionFailed(message, hint=self._hint())

    async def _listens(self) -> bool:
        if not self.url:
            return False
        try:
            _reader, writer = await asyncio.open_connection(
                HOST, urlsplit(self.url).port
            )
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    def _hint(self) -> str:
        if self._log is not None:
            return f"See {self._log}."
        return "Pass log= to keep what llama.cpp prints."

    def _reap(self) -> None:
        child = self._child
        if child is None:
            return
        child.kill()
        child.wait()
        if self._reader is not None:
            self._reader.join()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


if __name__ == "__main__":
    sys.exit(main())
