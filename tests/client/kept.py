"""A model whose answers are kept, over a simulated hub in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field
from client.harness import IDLE, MODEL, leftover_tasks

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import CacheOptions, RequestOptions
from bytebuddy_provider_hf.plugins.protocols import ReplyCall
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeRequest, Handler
from bytebuddy_provider_hf.types import Event, Reply

KEY = "hf_test_key_of_nobody"


@define
class Kept:
    """A folder of answers, and the server whose answers they are."""

    folder: Path
    hub: FakeHub = field(
        factory=lambda: FakeHub({MODEL: Behaviour(answer=echo)}, default=Behaviour())
    )
    handler: Handler | None = None
    asked: list[FakeRequest] = field(factory=list)

    async def _answer(self, request: FakeRequest) -> object:
        if request.method == "POST":
            self.asked.append(request)
        return await (self.handler or self.hub.handle)(request)

    @asynccontextmanager
    async def model(
        self,
        cache: CacheOptions | None = CacheOptions("on"),  # noqa: B008 - frozen
        *,
        name: str = MODEL,
        base: str | None = None,
        key: str | None = KEY,
        requests: RequestOptions | None = None,
    ) -> AsyncIterator[HuggingFaceModel]:
        """Open the model as another program would: with a runtime of its own."""
        connect = MemoryConnect(self._answer)  # type: ignore[arg-type]  # a handler
        async with (
            Runtime(connect=connect) as runtime,
            open_model(
                name,
                api_key=key,
                api_base=base,
                runtime=runtime,
                env={},
                state_dir=Path("/nonexistent/.bytebuddy"),
                cache=cache,
                cache_dir=self.folder,
                request_options=requests,
            ) as model,
        ):
            yield model
            assert runtime.counters() == IDLE
            assert not runtime.state().flights
            assert connect.open == 0
            assert not leftover_tasks()


async def streamed(call: ReplyCall) -> list[Event]:
    async with call as events:
        return [event async for event in events]


Ask = Callable[[HuggingFaceModel, str], ReplyCall]


def asks(model: HuggingFaceModel, prompt: str = "Hello", **more: object) -> ReplyCall:
    """Ask so that the answer is the same each time."""
    return model.chat(prompt, temperature=0, **more)  # type: ignore[arg-type]  # tests pass what they mean


def plain(reply: Reply) -> tuple[object, ...]:
    """Return what an answer says, without what it cost."""
    return reply.text, reply.finish_reason, reply.tool_calls, reply.reasoning, reply.id
