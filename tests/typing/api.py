"""The public face as a host writes it: type-checked in CI, never run."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import assert_type

import bytebuddy_provider_hf
from bytebuddy_provider_hf import (
    SPEC_VERSION,
    Apply,
    BudgetAlert,
    ByteBuddyError,
    Chat,
    Choice,
    Complete,
    CompletionOptions,
    Conversation,
    Done,
    Edit,
    Embed,
    Embeddings,
    Event,
    Fill,
    Loading,
    Message,
    Model,
    ModelEntry,
    ModelFilter,
    ModelRegistry,
    PluginFailure,
    Progress,
    ProviderSpec,
    RateLimited,
    Reasoning,
    Reply,
    ReplyCall,
    RequestOptions,
    Rerank,
    Role,
    Scores,
    Secret,
    StreamInterrupted,
    TaskReply,
    Tasks,
    Text,
    Tool,
    ToolCallDelta,
    ToolLike,
    Usage,
    as_tool,
    event_from_dict,
    hookimpl,
    open_model,
    sync,
)
from bytebuddy_provider_hf.outcomes import Consumption
from bytebuddy_provider_hf.plugins.kit import message_text, read_messages, reply_call

assert_type(bytebuddy_provider_hf.__version__, str)
version: int = SPEC_VERSION


@hookimpl
def bytebuddy_providers() -> tuple[ProviderSpec, ...]:
    return (ProviderSpec(name="mine", target="my_package.model:factory"),)


class Mine:
    """A part of a provider, with the kit of authors."""

    def chat(self, messages: Conversation, **how: object) -> ReplyCall:
        last = message_text(read_messages(messages)[-1])

        async def events() -> AsyncGenerator[Event, None]:
            yield Done(Reply(last))

        return reply_call(events, how)


def show(event: Event) -> str:
    match event:
        case Loading(elapsed=elapsed, estimate=estimate):
            assert_type(elapsed, float)
            assert_type(estimate, float | None)
            return f"{elapsed:.0f} s"
        case BudgetAlert(percent=percent):
            assert_type(percent, int)
            return f"{percent} %"
        case Progress(characters=characters, lines=lines):
            assert_type(characters, int)
            return f"{lines} lines"
        case Text(text=text) | Reasoning(text=text):
            return text
        case ToolCallDelta(arguments=arguments):
            return arguments
        case Done(reply=reply):
            return reply.text


async def from_a_file(path: Path) -> None:
    async with ModelRegistry.load() as registry:
        assert_type(registry["hf-llama"], Model)
        assert_type(registry.chat("hf-llama"), Chat)
        assert_type(await registry.chat().chat("Hello"), Reply)
        assert_type((await registry.embed().embed("a")).model, str)
        assert_type(registry.complete("hf-llama"), Complete)
        assert_type(registry.tasks("hf-mask"), Tasks)
    async with ModelRegistry.load(
        path,
        plugins=None,
        blocked=("other",),
        allowed=None,
        cwd=path.parent,
        home=path.parent,
        env={"HF_TOKEN": "hf_example"},
        runtime=None,
    ) as registry:
        assert_type(registry.for_role(Role.CHAT), Model)
        opened = await registry.open("hf-llama")
        assert_type(opened.name, str)
        for failure in registry.failures:
            assert_type(failure, PluginFailure)
        for entry in registry.entries:
            assert_type(entry.name, str)
        for name, spec in registry.providers.items():
            assert_type(name, str)
            assert_type(spec, ProviderSpec)


async def without_a_file() -> None:
    model = open_model(
        "org/name",
        api_key=Secret("hf_example"),
        api_base="http://localhost:8080/v1",
        options=CompletionOptions(temperature=0.2),
        request_options=RequestOptions(timeout=30.0),
    )
    try:
        await stream(model)
        # Ours takes the common options one by one as well.
        call = model.complete("def add(a, b):", temperature=0.2, stop=["\n"])
        assert_type(await call, Reply)
    finally:
        await model.aclose()
    async with open_model("org/name", api_key="hf_example") as again:
        assert_type(await again.chat([Message("user", "Hello")]), Reply)


async def stream(model: Chat) -> str:
    text = ""
    seen: list[str] = []
    call: ReplyCall = model.chat(
        [{"role": "user", "content": "Hello"}],
        options=CompletionOptions(temperature=0.2, max_tokens=64, stop=("\n",)),
        tools=[Tool("get_weather")],
        timeout=60.0,
        on_event=lambda event: seen.append(show(event)),
    )
    try:
        async with call as events:
            async for event in events:
                assert_type(event, Event)
                text += show(event)
    except RateLimited as error:
        assert_type(error.retry_after, float | None)
    except StreamInterrupted as error:
        text = error.partial
    except ByteBuddyError as error:
        assert_type(error.hint, str | None)
    return text


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def as_json(reply: Reply, event: Event) -> tuple[Reply, Event]:
    data = reply.to_dict()
    assert_type(Reply.from_dict(data), Reply)
    return Reply.from_dict({"text": "a"}), event_from_dict(event.to_dict())


async def with_tools(model: Chat) -> None:
    mapping = {"type": "function", "function": {"name": "f", "parameters": {}}}
    tools: list[ToolLike] = [add, mapping, Tool("get_weather")]
    assert_type(as_tool(add), Tool)
    assert_type(await model.chat("Hello", tools=tools), Reply)
    assert_type(await open_model("org/name").chat("Hello", tools=[add]), Reply)


def without_a_loop() -> str:
    with sync.open_model("org/name", api_key="hf_example", context_length=8) as model:
        assert_type(model, sync.SyncModel)
        assert_type(model.chat("Hello", temperature=0.2, tools=[add]), Reply)
        assert_type(model.embed(["a", "b"], query=True), Embeddings)
        assert_type(model.rerank("a", ["b"]), Scores)
        assert_type(model.task("fill-mask", "Paris is [MASK]."), TaskReply)
        for event in model.chat_events([{"role": "user", "content": "Hello"}]):
            assert_type(event, Event)
        with model.fill_events("def add(", ")", multiline=False) as events:
            return "".join(map(show, events))


def asked_by_a_host(model: Model) -> tuple[Role, ...]:
    calls: list[ReplyCall] = []
    if isinstance(model, Chat):
        calls.append(model.chat("Hello"))
    if isinstance(model, Complete):
        calls.append(model.complete("x ="))
    if isinstance(model, Fill):
        calls.append(model.fill("def add(a, b):", "", path="add.py", multiline=False))
    if isinstance(model, Edit):
        calls.append(model.edit("x = 1", "make it 2"))
    if isinstance(model, Apply):
        calls.append(model.apply("x = 1", "x = 2"))
    assert_type(model.capabilities, frozenset[str])
    return model.roles


async def scored_by_a_host(model: Model) -> tuple[float, ...]:
    if isinstance(model, Embed):
        found = await model.embed(["a", "b"], query=True)
        assert_type(found.vectors, tuple[tuple[float, ...], ...])
    if isinstance(model, Tasks):
        done = await model.task("fill-mask", "Paris is [MASK].")
        assert_type(done.warnings, tuple[str, ...])
    return (await model.rerank("a", ["b"])).scores if isinstance(model, Rerank) else ()


def counted(reply: Reply) -> int:
    usage = reply.usage
    assert_type(usage, Usage | None)
    return 0 if usage is None else usage.total_tokens or 0


def without_a_loop_from_a_file(path: Path) -> None:
    with sync.SyncRegistry.load(path, plugins=None, env={}, cache=False) as registry:
        assert_type(registry, sync.SyncRegistry)
        assert_type(registry["hf-llama"], sync.SyncModel)
        assert_type(registry.open("hf-llama"), sync.SyncModel)
        assert_type(registry.for_role(Role.CHAT), sync.SyncModel)
        assert_type(registry.chat().chat("Hello", options=CompletionOptions()), Reply)
        assert_type(registry.tasks("hf-mask").task("fill-mask", "[MASK]"), TaskReply)
        assert_type(registry.usage(), Mapping[str, Consumption])
        assert_type(list(registry), list[str])
        assert_type(registry.entry("hf-llama"), ModelEntry)
        for failure in registry.failures:
            assert_type(failure, PluginFailure)
    with sync.SyncCatalogue(limit=5.0) as catalogue:
        found = catalogue.search("llama", wanted=ModelFilter(is_warm=True), limit=3)
        assert_type([each.id for each in found.models], list[str])
        assert_type(catalogue.show("org/name").is_served, bool)


def kept(history: list[Message], reply: Reply) -> str:
    turns = [each.to_dict() for each in history]
    assert_type([Message.from_dict(each) for each in turns], list[Message])
    assert_type(Choice.from_dict(reply.choices[0].to_dict()), Choice)
    assert_type(Tool.from_dict({"name": "f"}), Tool)
    return json.dumps([*turns, reply.to_dict()])
