"""A host in one file: find the plugins, open a model, show its answer as it comes.

    python examples/host.py                                   # a simulated hub
    python examples/host.py --base-url http://127.0.0.1:8080  # a server of yours

The first form needs no token and no network: it talks to ``testing.FakeHub``, whose
replies are simulated. Its model is cold for two seconds, so that waiting can be seen.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from bytebuddy_provider_hf import (
    ByteBuddyError,
    Chat,
    Done,
    Loading,
    ModelRegistry,
    Text,
)
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

CONFIG = """\
name: Example host
version: 1.0.0
models:
  - name: example
    provider: huggingfaceinferenceapi
    model: {model}
    apiBase: {base_url}
    roles: [chat]
"""


async def answer(config: Path, question: str) -> None:
    """Stream the answer of the model that has the role ``chat``."""
    async with ModelRegistry.load(config) as registry:
        # Neither stops a host; both are for the user to see.
        for note in (*registry.failures, *registry.warnings):
            print(f"note: {note}", file=sys.stderr)
        model = registry.for_role("chat")
        if not isinstance(model, Chat):
            sys.exit(f"{model.name} cannot chat.")
        async with model.chat(question) as events:
            async for event in events:
                if isinstance(event, Loading):
                    print(f"loading … {event.elapsed:.1f} s", file=sys.stderr)
                elif isinstance(event, Text):
                    print(event.text, end="", flush=True)
                elif isinstance(event, Done):
                    print(f"\n[{event.reply.finish_reason}, {event.reply.usage}]")


@contextmanager
def written(base_url: str, model: str) -> Iterator[Path]:
    """Keep a configuration file while it is in use."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(CONFIG.format(model=model, base_url=base_url))
        yield config


async def run(base_url: str | None, model: str, question: str) -> None:
    """Ask a server at ``base_url``, or a simulated hub."""
    async with AsyncExitStack() as stack:
        if base_url is None:
            print("No --base-url: every reply is simulated.", file=sys.stderr)
            hub = FakeHub(default=Behaviour(cold_for=2.0))
            base_url = await stack.enter_async_context(hub.serve())
        await answer(stack.enter_context(written(base_url, model)), question)


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Ask a model one question.")
    parser.add_argument("--base-url", help="a server with an OpenAI-style API")
    parser.add_argument("--model", default="example/model")
    parser.add_argument("question", nargs="?", default="Hello, who is there?")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.base_url, given.model, given.question))
    except ByteBuddyError as error:
        # One line, without secrets, that ends with the next step.
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
