"""A model at a simulated engine, asked in every way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeRequest, Handler, Recorded
from bytebuddy_provider_hf.types import CompletionOptions, Done, Reply, Text, Tool

Way: TypeAlias = Literal["chat", "complete"]
WAYS: Final[Sequence[Way]] = ("chat", "complete")
ENDPOINT: Final = "https://x.endpoints.huggingface.cloud"


@frozen
class Stand:
    """A model, and the requests that its engine was given."""

    model: HuggingFaceModel
    engine: Recorded

    @property
    def asked(self) -> FakeRequest:
        """The last question, the probe's aside."""
        return [r for r in self.engine.requests if r.method == "POST"][-1]

    @property
    def sent(self) -> dict[str, object]:
        """The body of the last question."""
        body = self.asked.json
        assert isinstance(body, dict)
        return body


@frozen
class Asking:
    """How to ask: which call, streamed or whole, with what."""

    way: Way = "chat"
    streamed: bool = False
    tools: tuple[Tool, ...] = ()
    options: CompletionOptions = field(factory=CompletionOptions)

    async def __call__(
        self, model: HuggingFaceModel, text: str = "please count"
    ) -> Reply:
        """Return the reply; a stream's text must add up to it."""
        if self.way == "chat":
            call = model.chat(text, options=self.options, tools=self.tools)
        else:
            call = model.complete(text, options=self.options)
        if not self.streamed:
            return await call
        async with call as events:
            seen = [event async for event in events]
        assert isinstance(seen[-1], Done)
        reply = seen[-1].reply
        pieces = "".join(event.text for event in seen if isinstance(event, Text))
        assert pieces == reply.text
        return reply


def at(
    handler: Handler, *, name: str = "org/name", base: str = ENDPOINT, key: str = "hf_x"
) -> Stand:
    """Return a model at ``base``, behind which ``handler`` answers."""
    engine = Recorded(handler)
    model = open_model(
        name,
        api_key=key,
        api_base=base,
        runtime=Runtime(connect=MemoryConnect(engine)),
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )
    return Stand(model, engine)


def counting(request: FakeRequest) -> str:
    """Answer with six words."""
    return "one two three four five six"
