"""No call reads a file in the loop: a slow disk would hold every other call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from servers.engines import FakeVllm
from servers.engines_tei import FakeTei

import bytebuddy_provider_hf
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.failures.table import failure_table
from bytebuddy_provider_hf.prompts.families import load_families
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import Handler
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.texts import rows_of

PACKAGE: Final = Path(bytebuddy_provider_hf.__file__).parent
BEFORE: Final = "def area(radius):\n    return 3 * radius**2\n"
AFTER: Final = "def area(radius):\n    return math.pi * radius**2\n"


async def streamed(model: HuggingFaceModel) -> None:
    async with model.chat("Hello") as events:
        async for _ in events:
            pass


CALLS: Final[dict[str, tuple[Callable[[], Handler], Callable[..., Awaitable[object]]]]]
CALLS = {
    "chat": (lambda: FakeHub().handle, lambda model: model.chat("Hello")),
    "chat, streamed": (lambda: FakeHub().handle, streamed),
    "complete": (lambda: FakeHub().handle, lambda model: model.complete("Once")),
    "fill": (lambda: FakeHub().handle, lambda model: model.fill("def f(", "\n")),
    # The answer repeats the instruction.
    "edit": (lambda: FakeHub().handle, lambda model: model.edit("x = 1\n", "x = 2\n")),
    "apply": (lambda: FakeHub().handle, lambda model: model.apply(BEFORE, AFTER)),
    "vLLM": (FakeVllm, lambda model: model.chat("Hello")),
    "embed": (FakeTei, lambda model: model.embed(["one", "two"])),
    "rerank": (
        lambda: FakeTei(kind="reranker"),
        lambda model: model.rerank("one", ["one", "two"]),
    ),
}


@pytest.fixture(scope="module")
def tables() -> None:
    """Read the package's own tables, as an import reads its files: once a process."""
    load_families()
    failure_table()
    for table in (PACKAGE / "data" / "texts").glob("*.toml"):
        rows_of(table.stem)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("tables")
@pytest.mark.asyncio
async def test_a_call_reads_no_file_in_the_loop(name: str, tmp_path: Path) -> None:
    """Neither the token's, nor what is kept of servers, answers, use and the Hub."""
    make_server, call = CALLS[name]
    token = tmp_path / "hub" / "token"
    token.parent.mkdir()
    token.write_text("hf_BcDeFgHiJkLmNoPqRsTuVwXyZ012345678")
    async with serve(make_server()) as base:
        for _ in ("nothing is kept yet", "all is kept"):
            with blockbuster_ctx(["bytebuddy_provider_hf"]):
                model = open_model(
                    "org/name",
                    api_base=base,
                    env={"HF_HOME": str(token.parent), "HOME": str(tmp_path)},
                    state_dir=tmp_path / "state",
                    ledger=True,
                    cache="all",
                    cache_dir=tmp_path / "cache",
                )
                async with model:
                    await call(model)


@pytest.mark.asyncio
async def test_a_file_that_is_read_in_the_loop_is_seen(tmp_path: Path) -> None:
    """So the test before can fail."""
    path = tmp_path / "file"
    path.write_text("text")
    with blockbuster_ctx(["bytebuddy_provider_hf"]), pytest.raises(BlockingError):
        read_regular_file(path)
