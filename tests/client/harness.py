"""A model over a simulated hub in memory, and what must be zero afterwards."""

from __future__ import annotations

import asyncio
import gc
import random
from pathlib import Path

from attrs import define

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import LoopState, Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.scheduling.coordinator import Counters
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect

MODEL = "org/name"
IDLE = Counters(permits=0, queued=0, queues_active=0)


def leftover_tasks() -> list[asyncio.Task[object]]:
    """Return the tasks that run beside the current one.

    A runtime that an earlier round of the test dropped without closing it is closed
    by the garbage collector, at any time, in a task of its own: that is no leftover.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return [task for task in others if not _closes_dropped(task)]


def _closes_dropped(task: asyncio.Task[object]) -> bool:
    life = LoopState._lived.__code__
    held = gc.get_referents(task.get_coro())
    return any(getattr(each, "ag_code", None) is life for each in held)


@define
class Bench:
    """A model, its runtime, and the hub it talks to."""

    hub: FakeHub
    connect: MemoryConnect
    runtime: Runtime
    model: HuggingFaceModel

    def settled(self) -> None:
        """Assert that nothing is held any more: permits, connections, tasks."""
        assert self.runtime.counters() == IDLE
        assert self.connect.open == 0
        assert not leftover_tasks()

    @property
    def statuses(self) -> list[int | None]:
        """The status of every answer, oldest first."""
        return [record.status for record in self.hub.records]


def bench(
    behaviour: Behaviour | None = None,
    *,
    seed: int = 0,
    base: str | None = None,
    request_options: RequestOptions | None = None,
) -> Bench:
    """Return a model of a simulated hub; nothing has been sent."""
    hub = FakeHub({MODEL: behaviour or Behaviour()})
    connect = MemoryConnect(hub)
    runtime = Runtime(connect=connect, jitter=random.Random(seed).random)
    model = open_model(
        MODEL,
        api_key="hf_test_key",
        api_base=base,
        runtime=runtime,
        request_options=request_options,
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    return Bench(hub, connect, runtime, model)
