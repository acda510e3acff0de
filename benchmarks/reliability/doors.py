"""Measure whether every request that leaves is counted, by whatever door (R48).

    python -m benchmarks.reliability.doors [--library | --commands]

Each role is called through the library, at the router (in memory) and at a server
whose kind has to be found out, with retries, a cold start, a cut stream, a call that is
left in its middle, a failure and a fallback; then each command is run as a process of
its own. After each the ledger's count is compared with that of the server. The public
catalogues (`/v1/models` of the router, `/api/models` of the Hub) are no model's
requests, and are left out on both sides. Prints one line of JSON; exit code 1: a count
differs, or a door sent nothing at all.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from attrs import define, field

from benchmarks.reliability.figures import parser, tell
from bytebuddy_provider_hf import ByteBuddyError, ModelRegistry, plugin
from bytebuddy_provider_hf.address import HUB, ROUTER
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.stored_files import user_folder
from bytebuddy_provider_hf.storage.ledger import open_ledger
from bytebuddy_provider_hf.storage.usage_report import read_usage
from bytebuddy_provider_hf.testing.answers import (
    json_reply,
    simulated_score,
    simulated_vector,
    task_reply,
)
from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import constant, not_found, overloaded
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryClient, MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.testing.virtual_time import run
from bytebuddy_provider_hf.transport.http_client import Destination

Door: TypeAlias = Callable[[HuggingFaceModel], Awaitable[object]]

_LOCAL: Final = "http://127.0.0.1:8080"
_TOKEN: Final = "hf_" + "mNbVcXzLkJ" * 3 + "hGfD"
_CODE: Final = "def add(a, b):\n    return a - b\n"
_SUGGESTION: Final = "Change the minus in add to a plus, please."
_PATIENCE: Final = 60.0
_CONFIG: Final = """\
models:
  - {{name: model, provider: huggingfaceinferenceapi, model: org/name,
      apiKey: {token}, roles: [chat, edit, apply, autocomplete, embed, rerank],
      requestOptions: {{maxAttempts: 3}}}}
  - {{name: local, provider: huggingfaceinferenceapi, model: org/name,
      apiBase: "{local}", apiKey: {token}}}
  - {{name: falls, provider: huggingfaceinferenceapi, model: org/broken,
      apiKey: {token}, fallbacks: [model], requestOptions: {{maxAttempts: 1}}}}
"""


@define(eq=False)
class Server:
    """A hub, and a server of every other role; requests are counted by origin."""

    hub: FakeHub = field(init=False)
    counts: Counter[str] = field(factory=Counter)

    def __attrs_post_init__(self) -> None:
        cold = loads(constant(0.0))
        self.hub = FakeHub(
            {
                "org/broken": Behaviour(always=overloaded()),
                "org/busy": Behaviour(replies=[overloaded(), overloaded()]),
                "org/cold": Behaviour(cold_looks=1, cold_reply=cold),
                "org/cut": Behaviour(cut=300),
            }
        )

    def connect(self, destination: Destination) -> MemoryClient:
        """Return a client whose requests are counted for its origin."""
        origin = destination.origin

        async def counted(request: FakeRequest) -> FakeReply:
            self.count(origin, request)
            return await self.answer(request)

        return MemoryConnect(counted)(destination)

    def count(self, origin: str, request: FakeRequest) -> None:
        """Count a request, unless it asks a public catalogue."""
        catalogue = request.method == "GET" and origin in (ROUTER, HUB)
        self.counts[origin] += not catalogue

    async def answer(self, request: FakeRequest) -> FakeReply:
        """Answer as a hub, or as a server of vectors, scores and tasks."""
        inputs = request.value("input")
        texts = inputs if isinstance(inputs, list) else [inputs]
        if request.path == "/v1/embeddings":
            vectors = [
                {"object": "embedding", "index": at, "embedding": simulated_vector(t)}
                for at, t in enumerate(map(str, texts))
            ]
            return json_reply({"object": "list", "data": vectors, "model": "org/name"})
        if request.path == "/v1/rerank":
            query, documents = request.value("query"), request.value("documents")
            listed = documents if isinstance(documents, list) else []
            scores = [
                {"index": at, "relevance_score": simulated_score(str(query), str(text))}
                for at, text in enumerate(listed)
            ]
            return json_reply({"results": scores})
        if request.method == "POST" and request.path == "/":
            return task_reply("feature-extraction", request, "")
        if request.method == "GET" and request.path == "/info":
            return not_found()
        return await self.hub.handle(request)


async def _stream(model: HuggingFaceModel) -> None:
    async with model.chat("Hello") as events:
        async for _ in events:
            pass


async def _leave(model: HuggingFaceModel) -> None:
    async with model.chat("Hello") as events:
        async for _ in events:
            break


LIBRARY: Final[Mapping[str, tuple[str, Door]]] = {
    "chat": ("model", lambda model: model.chat("Hello")),
    "chat, streamed": ("model", _stream),
    "chat, left": ("model", _leave),
    "chat, 64 at once": (
        "model",
        lambda model: asyncio.gather(*(model.chat(f"Hello {n}") for n in range(64))),
    ),
    "complete": ("local", lambda model: model.complete("Once upon")),
    "fill": ("model", lambda model: model.fill("def add(a, b):\n    ", "\n")),
    "fill, found out": (
        "local",
        lambda model: model.fill("def add(a, b):\n    ", "\n"),
    ),
    "edit": ("model", lambda model: model.edit(_CODE, "Add, do not subtract.")),
    "apply": ("model", lambda model: model.apply(_CODE, _SUGGESTION)),
    "embed": ("model", lambda model: model.embed([f"text {n}" for n in range(200)])),
    "embed, found out": ("local", lambda model: model.embed(["a", "b"])),
    "rerank": ("model", lambda model: model.rerank("red", ["a", "red fish"])),
    "rerank, found out": ("local", lambda model: model.rerank("red", ["a", "b"])),
    "task": ("model", lambda model: model.task("feature-extraction", "a")),
    "retries": ("busy", lambda model: model.chat("Hello")),
    "cold start": ("cold", lambda model: model.chat("Hello")),
    "cut stream": ("cut", _stream),
    "failure": ("broken", lambda model: model.chat("Hello")),
    "fallback": ("falls", lambda model: model.chat("Hello")),
}
# Each with its arguments, and what it reads from its standard input.
COMMANDS: Final[Mapping[str, tuple[Sequence[str], str]]] = {
    "chat": (("chat", "Hello"), ""),
    "chat --json": (("chat", "--json", "Hello"), ""),
    "complete": (("complete", "Once upon"), ""),
    "fill": (("fill", "code.py:2:5"), ""),
    "edit": (("edit", "code.py", "-i", "Add, do not subtract.", "--diff"), ""),
    "apply": (("apply", "code.py", "--diff"), _SUGGESTION),
    "embed": (("embed", "a", "b"), ""),
    "rerank": (("rerank", "red", "a", "red fish"), ""),
    "task": (("task", "feature-extraction", "a"), ""),
}


@asynccontextmanager
async def opened(server: Server, folder: Path) -> AsyncIterator[ModelRegistry]:
    """Open the models of the library's doors, their ledger in ``folder``."""
    config = _CONFIG.format(token=_TOKEN, local=_LOCAL)
    for name in ("busy", "cold", "cut", "broken"):
        config += (
            f"  - {{name: {name}, provider: huggingfaceinferenceapi, "
            f"model: org/{name}, apiKey: {_TOKEN}}}\n"
        )
    path = folder / "config.yaml"
    await asyncio.to_thread(path.write_text, config, "utf-8")
    await asyncio.to_thread(path.chmod, 0o600)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(Runtime(connect=server.connect))
        yield await stack.enter_async_context(
            ModelRegistry.load(
                path, plugins=[plugin], cwd=folder, home=folder, runtime=runtime, env={}
            )
        )


async def library(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what the server and the ledger counted at each door of the library."""
    found: dict[str, tuple[int, int]] = {}
    server, before, state = Server(), (0, 0), user_folder(folder)
    async with opened(server, folder) as registry:
        for name, (entry, door) in LIBRARY.items():
            model = await registry.open(entry)
            if not isinstance(model, HuggingFaceModel):
                raise TypeError(entry)
            # Some are meant to fail, and what a simulated model writes is no code.
            with suppress(ByteBuddyError):
                await door(model)
            await open_ledger(state).flush()
            counted, _ = await asyncio.to_thread(attempts, state)
            now = (server.counts.total(), counted)
            found[name] = (now[0] - before[0], now[1] - before[1])
            before = now
    open_ledger(state).close()
    return found


async def commands(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what the server and the ledger counted for each command."""
    found: dict[str, tuple[int, int]] = {}
    server, state = Server(), user_folder(folder)

    async def answer(request: FakeRequest) -> FakeReply:
        server.count(_LOCAL, request)
        return await server.answer(request)

    await asyncio.to_thread((folder / "code.py").write_text, _CODE, "utf-8")
    # The package that is measured here, wherever another may be installed.
    package = str(Path(plugin.__file__).parents[1])
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": package}
    env |= {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
    async with serve(answer) as url:
        before = (0, 0)
        for name, (arguments, given) in COMMANDS.items():
            first, *rest = arguments
            await asyncio.to_thread(
                subprocess.run,
                [
                    *(sys.executable, "-m", "bytebuddy_provider_hf.cli", first),
                    *("--base", url, "-m", "org/name", *rest),
                ],
                input=given.encode(),
                env=env,
                cwd=folder,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
            counted, left = await asyncio.to_thread(attempts, state)
            # Nothing runs any more: what is left over was counted in vain.
            now = (server.counts.total(), counted + left)
            found[name] = (now[0] - before[0], now[1] - before[1])
            before = now
    return found


def attempts(folder: Path) -> tuple[int, int]:
    """Return how many requests a ledger has written down, and how many it only counted.

    The latter are those of a program that still runs, or was killed.
    """
    today = datetime.now(UTC).date()
    since, until = today - timedelta(days=1), today + timedelta(days=1)
    report = read_usage(folder, since=since, until=until, by="origin")
    return report.total.attempts, report.unaccounted


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    only = options_of.add_mutually_exclusive_group()
    only.add_argument("--library", action="store_true", help="only the library")
    only.add_argument("--commands", action="store_true", help="only the commands")
    options = options_of.parse_args(arguments)
    doors: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if not options.commands:
            made = run(library(Path(folder)))
            doors |= {f"library: {name}": found for name, found in made.items()}
    with tempfile.TemporaryDirectory() as folder:
        if not options.library:
            made = asyncio.run(commands(Path(folder)))
            doors |= {f"command: {name}": found for name, found in made.items()}
    wrong = [name for name, (sent, counted) in doors.items() if sent != counted]
    silent = [name for name, (sent, _) in doors.items() if not sent]
    figures = {
        "figure": "R48",
        "doors": len(doors),
        "sent": sum(sent for sent, _ in doors.values()),
        "counted": sum(counted for _, counted in doors.values()),
        "each": doors,
        "missed": wrong + silent,
        "missed_bound": "none",
        "met": not wrong + silent,
    }
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
