"""Replies and events are written as plain dicts, and read again as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, get_args, get_type_hints

import attrs
import pytest

from bytebuddy_provider_hf import event_from_dict, outcomes, types
from bytebuddy_provider_hf.errors import Doubt, InvalidOption
from bytebuddy_provider_hf.errors.dict_form import DictForm
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.outcomes import (
    Answer,
    Consumption,
    Embeddings,
    Entity,
    Features,
    Filling,
    GeneratedText,
    Label,
    Labels,
    Outcome,
    Scores,
    Similarities,
    TableAnswer,
    TaskReply,
    Turn,
)
from bytebuddy_provider_hf.prompts.messages import read_messages
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    Choice,
    CompletionOptions,
    Done,
    Event,
    ImagePart,
    Loading,
    Message,
    Progress,
    Reasoning,
    Reply,
    Served,
    Text,
    TextPart,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)

SERVED = Served(
    provider="groq",
    inference_id="1",
    reported_nano_usd=12,
    compute=(("x-compute-time", "0.1"),),
    attempts=2,
    waited=0.5,
    elapsed=1.0,
    parts=(Served(attempts=1), Served(cached=3.5)),
    cost=Cost(estimated=7, is_ceiling=True, unpriced="no price"),
    entry="other",
)
CALL = ToolCall("c1", "weather", '{"city": "Paris"}')
LOGPROBS = (TokenLogprob("a", -0.5, (("a", -0.5), ("b", -1.5))),)
REPLY = Reply(
    "Hi",
    model="org/name",
    finish_reason="stop",
    usage=Usage(1, 2, 3, cached_tokens=1),
    reasoning="hm",
    tool_calls=(CALL,),
    id="r",
    request_id="q",
    notes=(text("calls.model_was_closed"), "plain"),
    logprobs=LOGPROBS,
    choices=(Choice("Hi", "stop", logprobs=LOGPROBS), Choice("Ho", tool_calls=(CALL,))),
    diff="-a\n+b\n",
    doubts=(Doubt("gone", text("calls.open_it_again"), ("x = 1",)),),
    raw_finish_reason="eos",
    served=SERVED,
)
OUTCOMES: tuple[Outcome, ...] = (
    GeneratedText("a", "length", 3),
    Turn("a", ("b",), ("c",)),
    Filling("a", 0.5, 7, "abc"),
    Label("good", 0.25),
    Entity("PER", 0.5, "Ada", 0, 3),
    Answer("a", 0.5, 0, 1),
    TableAnswer("a", ("1",), ((0, 1),), "SUM"),
    Features(((0.5, 1.0),), pooled=True),
    Similarities((0.5, 0.25)),
)
EVENTS: tuple[Event, ...] = (
    Loading(0.5, 20.0, 2, "waking", "other"),
    BudgetAlert("b", 80, 8, 10, "calls", 1e9),
    Text("a", 1),
    Progress(3, 1),
    Reasoning("hm"),
    ToolCallDelta(0, "c1", "weather", "{"),
    Done(REPLY),
)
ANSWERS: tuple[DictForm, ...] = (
    REPLY,
    Reply("bare"),
    Embeddings(((0.5, 1.0), (0.0, -1.0)), "m", Usage(3), served=SERVED),
    Scores((0.5, -1.0), "m", notes=("n",), served=SERVED),
    TaskReply((OUTCOMES, ()), ("w",), served=SERVED),
    Usage(1),
)
PARTS = (TextPart("What is this?"), ImagePart("https://host/cat.png"))
MESSAGES = (
    Message("user", "Hi"),
    Message("user", PARTS, name="ada"),
    Message("assistant", tool_calls=(CALL,)),
    Message("tool", "21 degrees", tool_call_id="c1"),
)
# What replies and requests are made of.
PIECES: tuple[DictForm, ...] = (
    *MESSAGES,
    *PARTS,
    *OUTCOMES,
    *REPLY.choices,
    *REPLY.logprobs,
    *REPLY.doubts,
    CALL,
    SERVED,
    SERVED.cost,
    Tool("weather", "Tell it.", {"type": "object", "required": ["city"]}, strict=True),
    CompletionOptions(0.5, 10, stop=("a", "b"), reasoning_effort="low"),
    Consumption(date(2026, 1, 1), date(2026, 1, 31), 2, unpriced={"no price": 1}),
    Labels(((Label("good", 0.5),), ())),
)


def all_equal(found: object, value: object) -> bool:
    """Return whether two values are equal, parts that ``==`` passes over too."""
    return attrs.asdict(found) == attrs.asdict(value) and found == value  # type: ignore[call-overload]


def made_of(kind: object) -> Iterator[type]:
    """Yield the classes of ours that a type names, and those of their fields."""
    if isinstance(kind, type) and attrs.has(kind):
        yield kind
        for name, hint in get_type_hints(kind).items():
            if name in attrs.fields_dict(kind) and hint is not kind:
                yield from made_of(hint)
    for each in get_args(kind):
        if each != Served:
            yield from made_of(each)


def test_every_value_of_a_call_has_a_dict_form() -> None:
    """What is given, what comes back, and whatever these are made of."""
    declared = {
        kind
        for module in (types, outcomes)
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__.startswith("bytebuddy")
        if attrs.has(kind)
    }
    declared |= {each for kind in declared for each in made_of(kind)}
    assert {Message, Choice, ToolCall, Cost, Doubt, Served, Usage} <= declared
    tried = {type(each) for each in (*ANSWERS, *EVENTS, *PIECES)}
    assert {kind.__name__ for kind in declared - tried} == set()
    assert {kind for kind in declared if not issubclass(kind, DictForm)} == set()


@pytest.mark.parametrize(
    "value", [*ANSWERS, *EVENTS, *PIECES], ids=lambda it: type(it).__name__
)
def test_a_round_trip_gives_an_equal_value(value: DictForm) -> None:
    """By way of JSON, with every field: how it was served, too."""
    data = value.to_dict()
    assert all_equal(type(value).from_dict(data), value)
    written = json.dumps(data, allow_nan=False)
    assert json.loads(written) == data
    assert all_equal(type(value).from_dict(json.loads(written)), value)


def test_only_plain_values_are_written() -> None:
    """No subclass of str, no tuple, no object of ours: msgspec takes it, too."""

    def check(value: object) -> None:
        assert type(value) in (dict, list, str, int, float, bool, type(None))
        inside = value.values() if isinstance(value, dict) else value
        for each in inside if isinstance(value, dict | list) else ():
            check(each)

    for value in (*ANSWERS, *EVENTS, *PIECES):
        check(value.to_dict())


def test_every_event_and_outcome_tells_its_type() -> None:
    """They come as one of several kinds; the dict says which."""
    assert {type(each) for each in EVENTS} == set(get_args(Event))
    assert {type(each) for each in OUTCOMES} == set(get_args(Outcome))
    assert [each.to_dict()["type"] for each in EVENTS] == [
        "loading",
        "budget_alert",
        "text",
        "progress",
        "reasoning",
        "tool_call_delta",
        "done",
    ]
    assert [event_from_dict(each.to_dict()) for each in EVENTS] == [*EVENTS]


def test_a_sentence_becomes_plain_english() -> None:
    """What knows its translation is text in a dict."""
    told = REPLY.to_dict()["notes"]
    assert told == ["The model was closed.", "plain"]
    assert type(told[0]) is str


def test_a_conversation_that_was_kept_is_asked_with() -> None:
    """What ``to_dict`` wrote of messages is taken where messages are."""
    kept = json.loads(json.dumps([each.to_dict() for each in MESSAGES]))
    assert read_messages(kept) == MESSAGES


def test_what_has_a_default_may_be_left_out() -> None:
    """An older version wrote fewer fields."""
    assert Reply.from_dict({"text": "a"}) == Reply("a")
    # JavaScript writes 1.0 as 1.
    assert Scores.from_dict({"scores": [1]}).scores == (1.0,)


@pytest.mark.parametrize(
    ("make", "data", "place"),
    [
        (Reply.from_dict, {}, "Reply: text is missing"),
        (Reply.from_dict, {"text": 1}, "Reply.text: expected str, not 1"),
        (Reply.from_dict, {"text": "a", "txt": ""}, "Reply: unknown keys 'txt'"),
        (Reply.from_dict, [], r"Reply: expected Reply, not \[\]"),
        (Reply.from_dict, {"text": "a", "finish_reason": "so"}, "Reply.finish_reason"),
        (
            Reply.from_dict,
            {"text": "a", "usage": {"prompt_tokens": True}},
            "Reply.usage.prompt_tokens: expected int, not True",
        ),
        (
            Reply.from_dict,
            {"text": "a", "served": {"compute": [["a"]]}},
            r"Reply.served.compute\[0\]",
        ),
        (Reply.from_dict, {"text": "a", "notes": "n"}, "Reply.notes"),
        (event_from_dict, {"text": "a"}, "type is none of loading"),
        (event_from_dict, {"type": "end"}, "type is none of loading"),
        (event_from_dict, "text", "type is none of"),
        (Text.from_dict, {"type": "reasoning", "text": "a"}, "type is none of text"),
        (Message.from_dict, {"content": "a"}, "Message: role is missing"),
        (Message.from_dict, {"role": "me"}, "Message.role"),
        (Message.from_dict, {"role": "user", "text": ""}, "unknown keys 'text'"),
        (Message.from_dict, {"role": "user", "content": 1}, "Message.content"),
        (
            Message.from_dict,
            {"role": "user", "content": ["a"]},
            r"Message.content\[0\]: its type is none of text_part, image_part",
        ),
        (
            Message.from_dict,
            {"role": "assistant", "tool_calls": [{"id": "1", "name": "f"}]},
            r"Message.tool_calls\[0\]: arguments is missing",
        ),
        (Choice.from_dict, {"text": "a", "n": 1}, "Choice: unknown keys 'n'"),
        (Tool.from_dict, {"name": "f", "parameters": {1: 2}}, "Tool.parameters"),
        (Tool.from_dict, {"name": "f", "parameters": {"a": {1}}}, "parameters.a"),
        (CompletionOptions.from_dict, {"stop": "a"}, "CompletionOptions.stop"),
        (
            Consumption.from_dict,
            {"since": "2026-02-30", "until": "2026-02-01"},
            "Consumption.since: expected date",
        ),
        (TaskReply.from_dict, {"groups": [[{"label": "x"}]]}, r"groups\[0\]\[0\]"),
    ],
)
def test_what_does_not_fit_is_named(
    make: Callable[[Any], object], data: object, place: str
) -> None:
    """Unknown is never success: the error says where, and what stands there."""
    with pytest.raises(InvalidOption, match=place):
        make(data)


def test_a_hostile_value_makes_a_short_error() -> None:
    """What stands in its place is shown, cut; however deep it is."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (["x" * 100_000], deep, {"a": deep}):
        with pytest.raises(InvalidOption) as caught:
            Reply.from_dict({"text": value})
        assert len(str(caught.value)) < 400
    with pytest.raises(InvalidOption, match=r"Tool\.parameters\.a"):
        Tool.from_dict({"name": "f", "parameters": {"a": deep}})
    while deep:  # or Python takes it apart by recursion
        deep = deep.pop()  # type: ignore[assignment]
