"""Count the package's own functions that one call passes, with warm caches.

    python .ci/trace_calls.py [--json] [--verbose]

``bytebuddy_provider_hf`` is imported from the folder above this one, or from the one
that ``--checkout`` names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

PACKAGE: Final = "bytebuddy_provider_hf"
# Simulated servers are not part of a call.
LEFT_OUT: Final = "testing/"
# Where a name has been defined: the first module that has it is taken.
PLACES: Final = {
    "Runtime": ("client.runtime", "engine.runtime"),
    "FakeVllm": ("testing.engines", "servers.engines"),
    "FakeTei": ("testing.engines_tei", "servers.engines_tei", "servers.tei"),
    "FakeHub": ("testing.hub",),
    "Behaviour": ("testing.behaviour",),
    "MemoryConnect": ("testing.memory",),
}
CHAT_MODEL: Final = "meta-llama/Llama-3.1-8B-Instruct"
FILL_MODEL: Final = "Qwen/Qwen2.5-Coder-7B"
EMBED_MODEL: Final = "BAAI/bge-small-en-v1.5"
LOCAL: Final = "http://127.0.0.1:9"
MESSAGES: Final = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
)
PREFIX: Final = "def f(n):\n    return "
SUFFIX: Final = "\n\nprint(f(3))\n"
# Suspended and resumed frames are called again; only their first call counts.
RESUMABLE: Final = 0x20 | 0x80 | 0x100 | 0x200
UNNAMED: Final = ("<genexpr>", "<listcomp>", "<dictcomp>", "<lambda>")


class Step(NamedTuple):
    """A call of a function, and how many functions of the package are above it."""

    file: str
    function: str
    depth: int


class Figures(NamedTuple):
    """What one call passes."""

    calls: int
    functions: int
    files: int
    rooms: int
    room_changes: int
    file_changes: int
    objects: int
    depth: int


class Tracer:
    """Note each function of the package that begins, between ``start`` and ``stop``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.steps: list[Step] = []

    def start(self) -> None:
        """Forget what was noted, and note from now on."""
        self.steps = []
        sys.setprofile(self._profile)

    def stop(self) -> None:
        """Note nothing any more."""
        sys.setprofile(None)

    def _own(self, code: CodeType) -> str:
        """Return the file of ``code`` below the package, empty for another's."""
        if not code.co_filename.startswith(self.folder):
            return ""
        file = code.co_filename[len(self.folder) :]
        return "" if file.startswith(LEFT_OUT) else file

    def _profile(self, frame: FrameType, event: str, _value: object) -> None:
        if event != "call":
            return
        code = frame.f_code
        file = self._own(code)
        if not file or code.co_name == "<module>":
            return
        # The instruction at which a frame stands is past the first when it is resumed.
        if frame.f_lasti > 0 and code.co_flags & RESUMABLE:
            return
        depth, above = 1, frame.f_back
        while above is not None:
            depth += bool(self._own(above.f_code))
            above = above.f_back
        self.steps.append(Step(file, code.co_qualname, depth))


def figures(steps: list[Step]) -> Figures:
    """Return the figures of a call that took ``steps``."""
    named = [step for step in steps if not step.function.endswith(UNNAMED)]
    rooms = [step.file.split("/")[0] for step in named]
    return Figures(
        calls=len(named),
        functions=len({(step.file, step.function) for step in named}),
        files=len({step.file for step in named}),
        rooms=len(set(rooms)),
        room_changes=sum(one != other for one, other in pairwise(rooms)),
        file_changes=sum(one.file != other.file for one, other in pairwise(named)),
        objects=sum(step.function.endswith("__init__") for step in named),
        depth=max(step.depth for step in steps),
    )


def found(name: str) -> Any:  # noqa: ANN401 - classes of the checkout that is measured
    """Return the class called ``name``, wherever this state of the package has it."""
    for place in PLACES[name]:
        full = place if place.startswith("servers.") else f"{PACKAGE}.{place}"
        try:
            return getattr(import_module(full), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise SystemExit(f"{name} is in none of: {', '.join(PLACES[name])}")


Act = Callable[[Any], Awaitable[object]]


async def chat(model: Any) -> None:  # noqa: ANN401 - a model of the checkout
    """Ask for a whole answer."""
    await model.chat(list(MESSAGES), temperature=0.2)


async def chat_streamed(model: Any) -> None:  # noqa: ANN401 - as above
    """Ask for a streamed answer."""
    async with model.chat(list(MESSAGES), temperature=0.2) as events:
        async for _ in events:
            pass


async def fill(model: Any) -> None:  # noqa: ANN401 - as above
    """Ask for an infilling in one piece."""
    await model.fill(PREFIX, SUFFIX)


async def fill_streamed(model: Any) -> None:  # noqa: ANN401 - as above
    """Ask for a streamed infilling."""
    async with model.fill(PREFIX, SUFFIX) as events:
        async for _ in events:
            pass


async def edit(model: Any) -> None:  # noqa: ANN401 - as above
    """Ask for changed code."""
    await model.edit("x = 1\n", "make it 2")


async def embed(model: Any) -> None:  # noqa: ANN401 - as above
    """Ask for two vectors."""
    await model.embed(["a", "b"])


async def trace(tracer: Tracer) -> dict[str, list[Step]]:
    """Run each kind of call twice and return the steps of the second."""
    package = import_module(PACKAGE)
    runtime, connect = found("Runtime"), found("MemoryConnect")
    hub = connect(found("FakeHub")({CHAT_MODEL: found("Behaviour")()}))
    vllm = connect(found("FakeVllm")(model=FILL_MODEL))
    tei = connect(found("FakeTei")())
    router: dict[str, object] = {"api_key": "canary-0123456789"}
    local: dict[str, object] = {"api_base": LOCAL, "env": {}}
    calls: tuple[tuple[str, object, str, dict[str, object], Act], ...] = (
        ("chat, whole, router", hub, CHAT_MODEL, router, chat),
        ("chat, streamed, router", hub, CHAT_MODEL, router, chat_streamed),
        ("fill, whole, FIM on vLLM", vllm, FILL_MODEL, local, fill),
        ("fill, streamed, FIM on vLLM", vllm, FILL_MODEL, local, fill_streamed),
        ("edit, whole, router", hub, CHAT_MODEL, router, edit),
        ("embed of two texts, TEI", tei, EMBED_MODEL, local, embed),
    )
    steps = {}
    for title, server, name, options, act in calls:
        own = runtime(connect=server)
        async with package.open_model(name, runtime=own, **options) as model:
            await act(model)
            tracer.start()
            await act(model)
            tracer.stop()
        steps[title] = tracer.steps
    return steps


def main() -> None:
    """Print a table of figures, or JSON; with ``--verbose`` each step too."""
    parser = argparse.ArgumentParser(description="Count what one call passes.")
    parser.add_argument("--checkout", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    sys.path[:0] = [str(checkout), str(checkout / "tests")]
    steps = asyncio.run(trace(Tracer(f"{checkout / PACKAGE}/")))
    table = {title: figures(taken) for title, taken in steps.items()}
    if options.json:
        print(json.dumps({title: row._asdict() for title, row in table.items()}))
        return
    heads = [name.replace("_", " ") for name in Figures._fields]
    print(f"| call | {' | '.join(heads)} |")
    print("|---" * (len(heads) + 1) + "|")
    for title, row in table.items():
        print(f"| {title} | {' | '.join(map(str, row))} |")
        if options.verbose:
            for step in steps[title]:
                print(f"{' ' * step.depth}{step.file}:{step.function}")


if __name__ == "__main__":
    main()
