"""Every recorded answer gives the value or the error that tapes.toml lists for it."""

from __future__ import annotations

import functools
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import pytest
from reading import read_generated, read_reply
from recorded import recorded

from bytebuddy_provider_hf import outcomes as outcome
from bytebuddy_provider_hf.address import Target, resolve
from bytebuddy_provider_hf.errors import APIError, ByteBuddyError, StreamFailed
from bytebuddy_provider_hf.failures.classify import classify, classify_event
from bytebuddy_provider_hf.types import Event, Reasoning, Reply, Text
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream
from bytebuddy_provider_hf.wire.tasks_reply import read_task
from bytebuddy_provider_hf.wire.tgi_reply import TgiStream

Record: TypeAlias = Mapping[str, Any]
Entry: TypeAlias = Mapping[str, str]

LISTED: Final[Mapping[str, Mapping[str, Entry]]] = tomllib.loads(
    (Path(__file__).parents[1] / "tapes.toml").read_text("utf-8")
)
# Nothing in these may be left out.
WHOLE: Final = ("errors", "sse_streams", "chat_completions", "text_generation")
SHOWN: Final = 40


@functools.cache
def tapes(name: str) -> Mapping[str, Record]:
    path = recorded("tapes", f"{name}.json")
    return {record["id"]: record for record in json.loads(path.read_text("utf-8"))}


def in_scope(name: str) -> Mapping[str, Entry]:
    return {key: entry for key, entry in LISTED[name].items() if "out" not in entry}


def body_of(record: Record) -> bytes:
    """Return the bytes of the answer.

    Of bodies that were compressed only the length was recorded: bytes as many, which
    are no text either, stand for them.
    """
    body = record["body"]
    if isinstance(body, dict):
        return b"\x1b" + b"\xff" * (body["__binary_len__"] - 1)
    return str(body).encode()


def target_of(record: Record) -> Target:
    return resolve("org/name", f"https://{urlsplit(record['url']).netloc}")


def is_stream(record: Record) -> bool:
    kind = (record["headers"] or {}).get("content-type", "")
    return bool(kind.startswith("text/event-stream"))


def sent(record: Record) -> object:
    """Return the inputs of the request, where it was recorded and is JSON."""
    try:
        asked = json.loads(record["request_body"] or "null")
    except ValueError:
        return None
    return asked.get("inputs") if isinstance(asked, dict) else None


def play(record: Record, size: int | None = None) -> tuple[list[Event], Reply]:
    """Read a stream, whole or in pieces of ``size`` bytes."""
    # Some chats were asked for at the model's own address.
    chat = "openai-chunk" in record["shape"] or "/chat/" in record["url"]
    stream = (OpenAIStream if chat else TgiStream)(model="m")
    data = body_of(record)
    events: list[Event] = []
    for start in range(0, len(data), size or len(data)):
        events += stream.feed(data[start : start + (size or len(data))])
    last, reply = stream.close(), stream.reply()
    return events + last, reply


def read(record: Record, entry: Entry, size: int | None = None) -> str:
    """Return what a good answer says, in the words of tapes.toml."""
    data, inputs = body_of(record), sent(record)
    if is_stream(record):
        return words_of_reply(play(record, size)[1])
    if "task" in entry:
        count = len(inputs) if isinstance(inputs, list) else None
        return words_of_task(read_task(entry["task"], data, count=count))
    if "generated_text" in record["shape"]:
        prompt = inputs if isinstance(inputs, str) else ""
        return words_of_reply(read_generated(data, prompt=prompt))
    return words_of_reply(read_reply(data, model="m"))


def refused(record: Record) -> APIError:
    headers = {key.lower(): value for key, value in (record["headers"] or {}).items()}
    return classify(record["status"], headers, body_of(record), target_of(record))


def replay(record: Record, entry: Entry, size: int | None = None) -> Entry:
    """Return the entry that the record deserves."""
    if record["status"] >= 300:
        return {"error": type(refused(record)).__name__}
    try:
        return {**entry, "value": read(record, entry, size)}
    except StreamFailed as failed:
        meant = classify_event(failed.event.encode(), target_of(record))
        return {"error": f"{type(meant).__name__} in stream"}
    except ByteBuddyError as error:
        return {"error": type(error).__name__}


def words_of_reply(reply: Reply) -> str:
    said = f"{reply.finish_reason}, {len(reply.text)}"
    parts = [f"{said}: {reply.text[:SHOWN]}" if reply.text else said]
    if reply.reasoning:
        parts.append(f"thought {len(reply.reasoning)}")
    parts += [f"calls {call.name} {call.arguments}" for call in reply.tool_calls]
    if reply.usage:
        prompt, answer = reply.usage.prompt_tokens, reply.usage.completion_tokens
        parts.append(f"used {prompt} + {answer}")
    return "; ".join(parts)


def words_of_task(reply: outcome.TaskReply) -> str:
    first = reply.first
    if isinstance(first, outcome.Similarities):
        shown = " ".join(f"{score:.4f}" for score in first.scores)
    else:
        # Each kind of outcome names its text after what it is.
        names = ("word", "label", "text")
        text = next(str(getattr(first, n)) for n in names if hasattr(first, n))
        score = getattr(first, "score", None)
        shown = text[:SHOWN] + ("" if score is None else f" {score:.4f}")
    return f"{len(reply.groups)} x {len(reply.groups[0])}: {shown}"


@pytest.mark.parametrize("name", WHOLE)
def test_no_answer_to_a_chat_or_generation_is_left_out(name: str) -> None:
    """Errors, streams, chats and generated text are all in scope."""
    assert in_scope(name) == LISTED[name]


@pytest.mark.parametrize("name", LISTED)
def test_each_entry_is_a_value_an_error_or_a_reason(name: str) -> None:
    """It says one of the three, and a reason is never empty."""
    for key, entry in LISTED[name].items():
        assert len({"value", "error", "out"} & entry.keys()) == 1, key
        assert all(entry.values()), key


@pytest.mark.parametrize("name", LISTED)
def test_every_record_is_listed(name: str) -> None:
    """The list has the ids of the file, no more and no fewer."""
    assert tapes(name).keys() == LISTED[name].keys()


@pytest.mark.parametrize("name", LISTED)
def test_each_record_gives_what_is_listed(name: str) -> None:
    """Whatever reader its address and content type call for."""
    records = tapes(name)
    scope = in_scope(name)
    found = {key: replay(records[key], entry) for key, entry in scope.items()}
    assert found == scope


def test_streams_in_pieces_give_what_is_listed() -> None:
    """Cut every 7 bytes, inside characters and marks too."""
    records, scope = tapes("sse_streams"), LISTED["sse_streams"]
    found = {key: replay(records[key], entry, 7) for key, entry in scope.items()}
    assert found == scope


def test_the_events_of_a_stream_add_up_to_its_reply() -> None:
    """In pieces or not, they are the same events, and their text is the reply's."""
    records = tapes("sse_streams")
    for key, entry in LISTED["sse_streams"].items():
        if "value" not in entry:
            continue
        events, reply = play(records[key])
        assert (events, reply) == play(records[key], 7), key
        text = "".join(e.text for e in events if isinstance(e, Text))
        thought = "".join(e.text for e in events if isinstance(e, Reasoning))
        assert (text, thought) == (reply.text, reply.reasoning), key


def test_every_refusal_says_what_to_do_next() -> None:
    """In one line, with the status that came, and a hint."""
    for key, record in tapes("errors").items():
        error = refused(record)
        assert error.status == record["status"], key
        assert error.hint, key
        assert "\n" not in str(error), key


def test_the_records_are_counted(figure: Callable[[str], None]) -> None:
    """So many give a value, so many an error, and the rest is out of scope."""
    counts: Counter[str] = Counter()
    for name in LISTED:
        for key, record in tapes(name).items():
            entry = LISTED[name][key]
            if "out" in entry:
                counts["out"] += 1
            else:
                counts["value" if "value" in replay(record, entry) else "error"] += 1
    values, errors, out = (counts[kind] for kind in ("value", "error", "out"))
    figure(f"{values} values, {errors} errors, {out} out of scope")
    assert (values, errors, out) == (163, 36, 77)
