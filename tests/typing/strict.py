# pyright: strict
# ruff: noqa: T201 - it is a program
"""A small program of a user, which pyright reads in its strict mode; never run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bytebuddy_provider_hf import (
    ByteBuddyError,
    Choice,
    CompletionOptions,
    Done,
    Event,
    ImagePart,
    Loading,
    Message,
    ModelRegistry,
    Reply,
    Text,
    TextPart,
    Tool,
    as_tool,
    event_from_dict,
    open_model,
    sync,
)


def weather(city: str, days: int = 1) -> str:
    """Tell the weather of a city."""
    return f"{city}: fine for {days} days"


def told(event: Event) -> None:
    match event:
        case Loading(elapsed=elapsed):
            print(f"{elapsed:.0f} s")
        case Text(text=text):
            print(text, end="")
        case Done(reply=reply):
            print(reply.finish_reason)
        case _:
            pass


def script(config: Path) -> None:
    with sync.SyncRegistry.load(config, env={"HF_TOKEN": "hf_example"}) as registry:
        names = list(registry)
        model = registry.chat(names[0])
        answer = model.chat("Hello", tools=[weather], on_event=told, max_tokens=10)
        print(answer.text, answer.usage, model.usage().attempts)
        for event in model.chat_events("Hello", options=CompletionOptions(seed=1)):
            told(event)
        vectors = registry.embed().embed(["a", "b"], query=True).vectors
        print(len(vectors), registry.rerank().rerank("a", ["b"]).scores)
        for name, used in registry.usage().items():
            print(name, used.attempts)
    with sync.open_model("org/name", api_base="http://127.0.0.1:8080/v1") as own:
        print(own.complete("def f(", stop=[")"]).text, own.core.name)
    with sync.SyncCatalogue() as catalogue:
        for found in catalogue.search("llama", sort="price").models:
            print(found.id, found.context_length)


def kept(history: list[Message], reply: Reply) -> list[Message]:
    picture = ImagePart.from_bytes(b"...")
    history.append(Message("user", (TextPart("What is this?"), picture)))
    written = json.dumps([turn.to_dict() for turn in history])
    again = [Message.from_dict(turn) for turn in json.loads(written)]
    choices = [Choice.from_dict(each.to_dict()) for each in reply.choices]
    print(len(choices), event_from_dict(Done(reply).to_dict()))
    print(Tool.from_dict(as_tool(weather).to_dict()).name)
    return again


async def host() -> None:
    async with ModelRegistry.load() as registry:
        print((await registry.chat().chat("Hello", on_event=told)).text)
    async with open_model("org/name") as model, model.chat("Hello") as events:
        async for event in events:
            told(event)


if __name__ == "__main__":
    try:
        script(Path("config.yaml"))
        asyncio.run(host())
    except ByteBuddyError as error:
        print(error, error.hint)
