"""Run llama.cpp's own HTTP server, in a child process.

It speaks JSON lines on standard output: first ``{"url", "pid"}``, just before it
begins to listen (some 0.1 s; from then on every path answers 503 "Loading model"),
then ``{"ready": true}`` when the model is loaded, or ``{"error"}``. What llama.cpp
itself prints goes to standard error. It ends when its standard input does, and on
SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TextIO, TypeAlias, get_args

from bytebuddy_provider_hf.testing.gemma import INSTALL

Pooling: TypeAlias = Literal["mean", "cls", "last", "rank"]

HOST: Final = "127.0.0.1"
# Out of the command line, which every user of the machine can read.
KEYS_VARIABLE: Final = "BYTEBUDDY_LLAMA_API_KEYS"
# Only where a port cannot be held; another program may take it meanwhile.
_ATTEMPTS: Final = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends; return the exit code."""
    options = _parser().parse_args(arguments)
    # The default action works at once, even while llama.cpp holds the interpreter
    # to load a model; a handler in Python would have to wait for it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _watch_parent(watch=True)
    # Whatever others print on standard output goes to standard error.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if not options.model.is_file():
        return _failed(out, f"There is no model at {options.model}.")
    try:
        # Compiled and without types: pyright finds no names in it.
        import xllamacpp
    except ImportError:
        return _failed(out, f"xllamacpp is not installed. {INSTALL}")
    for _attempt in range(1 if options.port else _ATTEMPTS):
        held, port = _port(options.port)
        params = _params(options, port)
        _say(out, {"url": f"http://{HOST}:{port}", "pid": os.getpid()})
        try:
            server = xllamacpp.Server(params)  # pyright: ignore[reportAttributeAccessIssue]
        except RuntimeError:
            if held is None and not _is_free(port):
                continue
            return _failed(out, f"llama.cpp could not serve {options.model}.")
        _watch_parent(watch=False)
        _say(out, {"ready": True})
        while options.stay or sys.stdin.buffer.read(4_096):
            if options.stay:
                signal.pause()
        return _leave(server)
    return _failed(out, "No free port was found.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bytebuddy_provider_hf.testing.llama_server",
        description="Run llama.cpp's HTTP server on loopback (extra: local).",
    )
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--context", type=int, default=2048, help="tokens a slot")
    parser.add_argument("--parallel", type=int, default=1, help="slots")
    parser.add_argument("--alias", default="", help="the model's name in answers")
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--pooling", choices=get_args(Pooling))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument(
        "--stay", action="store_true", help="do not end with standard input"
    )
    return parser


def _params(options: argparse.Namespace, port: int) -> object:
    import xllamacpp

    params = xllamacpp.CommonParams()  # pyright: ignore[reportAttributeAccessIssue]
    params.model.path = str(options.model)
    params.hostnames = [HOST]
    params.port = port
    params.reuse_port = _can_hold()
    # The context is shared out among the slots.
    params.n_ctx = options.context * options.parallel
    params.n_parallel = options.parallel
    # It would measure the memory first and may choose a smaller context.
    params.fit_params = False
    params.n_threads_http = 8
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.verbosity = 3 if options.verbose else 0
    params.embedding = options.embedding
    if options.pooling:
        name = f"LLAMA_POOLING_TYPE_{options.pooling.upper()}"
        kinds = xllamacpp.llama_pooling_type  # pyright: ignore[reportAttributeAccessIssue]
        params.pooling_type = getattr(kinds, name)
        # A text is pooled in one go: what does not fit into one batch is refused.
        params.n_batch = params.n_ubatch = options.context
    if options.alias:
        params.model_alias = {options.alias}
    # Popped, so that no child of this process inherits them.
    keys = os.environ.pop(KEYS_VARIABLE, "")
    if keys:
        params.api_keys = keys.split(",")
    return params


def _can_hold() -> bool:
    return hasattr(socket, "SO_REUSEPORT") and sys.platform != "win32"


def _port(wanted: int) -> tuple[socket.socket | None, int]:
    """Return a port and, where the system can, a socket that keeps it ours.

    A bound socket that does not listen gets no connection, but nobody else's
    program can take its port before llama.cpp does.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if _can_hold():
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        holder.bind((HOST, wanted))
    except OSError:
        holder.close()
        return None, wanted
    port = int(holder.getsockname()[1])
    if _can_hold():
        return holder, port
    holder.close()
    return None, port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _say(out: TextIO, message: dict[str, object]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _failed(out: TextIO, message: str) -> int:
    _say(out, {"error": message})
    return 1


def _watch_parent(*, watch: bool) -> None:
    """Let the kernel end this process when the other end of stdin is closed.

    Reading standard input does the same, but not while llama.cpp loads a model and
    holds the interpreter.
    """
    if sys.platform == "win32" or not stat.S_ISFIFO(os.fstat(0).st_mode):
        return
    import fcntl

    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC if watch else flags & ~os.O_ASYNC)


def _leave(_server: object) -> int:
    """End this process while the server still lives.

    Its destructor waits for requests that are being answered, and for ever (some 3 in
    100 times) where the server began to serve only a moment ago.
    """
    sys.stderr.flush()
    os._exit(0)
