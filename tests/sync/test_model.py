"""Code without an event loop calls models, and nothing of theirs is left behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bytebuddy_provider_hf import sync
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.errors import (
    Closed,
    InvalidOption,
    RateLimited,
    StreamInterrupted,
)
from bytebuddy_provider_hf.sync import loop_thread
from bytebuddy_provider_hf.types import Done, Event, Reply, Text


class Server(ThreadingHTTPServer):
    """Answer chats: what the last message asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.left = threading.Event()
        self.asked = threading.Event()
        self.is_warm = False
        self.base = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(404, {"error": "no"})

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(length))
        said = body["messages"][-1]["content"]
        self.server.asked.set()
        if said == "wait":
            # Until the caller is gone.
            self.connection.settimeout(20)
            if not self.rfile.read(1):
                self.server.left.set()
            self.close_connection = True
        elif said == "cold" and not self.server.is_warm:
            self.server.is_warm = True
            self.answer(503, {"error": "is loading", "estimated_time": 0.05})
        elif said == "refuse":
            self.answer(429, {"error": "slow down"})
        elif body.get("stream"):
            self.stream(endless=said == "endless", cut=said == "cut")
        else:
            choice = {"message": {"content": f"re: {said}"}, "finish_reason": "stop"}
            self.answer(200, {"choices": [choice]})

    def answer(self, status: int, told: object) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, *, endless: bool, cut: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        part = {"choices": [{"delta": {"content": "word "}, "finish_reason": None}]}
        end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        try:
            for _ in range(1_000_000 if endless else 3):
                self.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
        except OSError:
            self.server.left.set()
            return
        if not cut:
            self.wfile.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(running: Server) -> Server:
    running.left.clear()
    running.asked.clear()
    running.is_warm = False
    return running


def opened(server: Server, **more: Any) -> sync.SyncModel:  # noqa: ANN401 - keywords
    return sync.open_model("org/name", api_base=server.base, env={}, **more)


def threads() -> list[str]:
    return [
        each.name for each in threading.enumerate() if each.name == "bytebuddy-sync"
    ]


def test_a_call_waits_for_its_reply(server: Server) -> None:
    """No event loop is in sight; afterwards there is no thread either."""
    with opened(server) as model:
        reply = model.chat("hi", temperature=0.2)
        assert isinstance(reply, Reply)
        assert reply.text == "re: hi"
        assert (model.name, model.model) == ("org/name", "org/name")
        assert threads() == ["bytebuddy-sync"]
    assert threads() == []


def test_events_come_one_by_one(server: Server) -> None:
    """As in the asynchronous form, up to ``Done``; then there are none."""
    with opened(server) as model:
        events = model.chat_events("stream")
        seen: list[Event] = list(events)
        assert [it.text for it in seen if isinstance(it, Text)] == ["word "] * 3
        assert isinstance(seen[-1], Done)
        assert next(events, None) is None


def test_a_loop_that_is_left_closes_the_connection(server: Server) -> None:
    """After ``break``, ``close`` and a block, with more than fits into the queue."""
    with opened(server) as model:
        count = 0
        for event in model.chat_events("endless"):
            count += isinstance(event, Text)
            if count == 500:
                break
        del event
        gc.collect()
        assert server.left.wait(5)
        server.left.clear()
        with model.chat_events("endless") as events:
            next(events)
        assert server.left.wait(5)
        assert next(events, None) is None


def test_errors_are_raised_where_the_call_is(server: Server) -> None:
    """Those of arguments at once; those of servers from the call, or the events."""
    with opened(server) as model:
        with pytest.raises(InvalidOption, match="temperature"):
            model.chat_events("hi", temperature=9)
        with pytest.raises(InvalidOption, match="temperature"):
            model.chat("hi", temperature=9)
        with pytest.raises(RateLimited):
            model.chat("refuse", wait=False)
        with pytest.raises(RateLimited):
            list(model.chat_events("refuse", wait=False))
        with pytest.raises(StreamInterrupted) as caught:
            list(model.chat_events("cut"))
        assert caught.value.partial == "word word word "
    with pytest.raises(InvalidOption):
        opened(server, fallback_after="soon", fallbacks=[model.core])
    assert threads() == []


def interrupt_when(asked: threading.Event) -> threading.Thread:
    """Press Ctrl-C as soon as the server was asked."""

    def press() -> None:
        asked.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.parametrize("form", ["reply", "events"])
def test_ctrl_c_ends_the_call(server: Server, form: str) -> None:
    """The connection is closed, and the model can be asked again."""
    with opened(server) as model:
        model.chat("hi")
        server.asked.clear()
        pressing = interrupt_when(server.asked)
        with pytest.raises(KeyboardInterrupt):
            _ = (
                model.chat("wait")
                if form == "reply"
                else next(model.chat_events("wait"))
            )
        pressing.join()
        assert server.left.wait(5)
        assert model.chat("again").text == "re: again"


@pytest.mark.parametrize("form", ["reply", "events"])
def test_ctrl_c_ends_a_call_that_has_just_begun(
    server: Server, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread may be interrupted before it waits, with the request under way."""
    with opened(server) as model:
        model.chat("hi")
        events = model.chat_events("wait")
        server.asked.clear()
        begin = loop_thread.Job.start

        def interrupted(job: loop_thread.Job[object]) -> None:
            begin(job)
            assert server.asked.wait(10)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(loop_thread.Job, "start", interrupted)
            with pytest.raises(KeyboardInterrupt):
                _ = model.chat("wait") if form == "reply" else next(events)
        assert server.left.wait(5)
        events.close()


def test_several_threads_call_at_once(server: Server) -> None:
    """Each gets its own answer; models share the loop until the last one closes."""
    with opened(server) as first, opened(server) as second:

        def ask(number: int) -> str:
            return (first, second)[number % 2].chat(str(number)).text

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(16)))
        assert found == [f"re: {number}" for number in range(16)]
        first.close()
        with pytest.raises(Closed, match="Open it again"):
            first.chat("hi")
        assert second.chat("hi").text == "re: hi"
    first.close()
    assert threads() == []


def test_closing_ends_the_calls_of_other_threads(server: Server) -> None:
    """They are told so, and do not wait for ever."""
    model = opened(server)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(model.chat, "wait")
        reading = pool.submit(lambda: list(model.chat_events("wait")))
        assert server.asked.wait(10)
        started = time.monotonic()
        model.close()
        assert time.monotonic() - started < 6
        for each in (waiting, reading):
            with pytest.raises((Closed, StreamInterrupted)):
                each.result(10)
    assert threads() == []


def test_it_works_where_a_loop_runs(server: Server) -> None:
    """As in a notebook: its own loop is another one."""

    async def cell() -> str:
        with opened(server) as model:
            return model.chat("hi").text

    assert asyncio.run(cell()) == "re: hi"


def test_a_callback_cannot_wait_for_a_call(server: Server) -> None:
    """It runs on the loop: told, instead of waiting for ever."""
    told: list[BaseException] = []

    with opened(server) as model:

        def ask_again(_: Event) -> None:
            try:
                model.chat("again")
            except InvalidOption as error:
                told.append(error)

        model.chat("cold", on_event=ask_again)
    assert "for ever" in str(told[0])


def test_context_variables_are_those_of_the_caller(server: Server) -> None:
    """A host's own variables reach the callbacks of its calls."""
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("mine")
    seen: list[str] = []
    with opened(server) as model:
        model.chat("cold", on_event=lambda _: seen.append(variable.get()))
    assert set(seen) == {"mine"}


def test_a_model_that_is_never_closed_is_told(server: Server) -> None:
    """As of an open file; events that nobody begins are told as calls are."""
    model = opened(server)
    with pytest.warns(RuntimeWarning, match="never iterated"):
        model.chat_events("hi")
    core, loop = model.core, model.loop
    kept = [model]
    del model
    with pytest.warns(ResourceWarning, match="was never closed"):
        kept.clear()
    sync.SyncModel(core, loop).close()
    assert threads() == []


def test_a_fork_begins_anew(server: Server) -> None:
    """What was opened before is refused, not waited for; a new one works."""
    with opened(server) as model:
        with warnings.catch_warnings():
            # Python warns of forks beside threads: this is the test of one.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            code = 1
            try:
                try:
                    model.chat("hi")
                except Closed as error:
                    assert "forked" in str(error)  # noqa: PT017 - in a child
                    with opened(server) as own:
                        code = 0 if own.chat("hi").text == "re: hi" else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


LEFT = """
import sys
from bytebuddy_provider_hf import sync
model = sync.open_model("org/name", api_base=sys.argv[1], env={})
print(model.chat("hi").text)
events = model.chat_events("endless")
next(events)
"""


def test_a_process_ends_though_nothing_was_closed(server: Server) -> None:
    """A script that forgets it is not held up."""
    command = [sys.executable, "-c", LEFT, server.base]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout) == (0, "re: hi\n")
    assert done.stderr == ""


def test_every_call_of_the_model_has_its_form() -> None:
    """A new call of the asynchronous model is not forgotten here."""
    calls = {
        name
        for name, member in inspect.getmembers(HuggingFaceModel, inspect.isfunction)
        if not name.startswith("_") and name not in {"aclose", "limited"}
    }
    offered = {name for name in vars(sync.SyncModel) if not name.startswith("_")}
    assert calls <= offered
    for name in calls:
        plain = getattr(HuggingFaceModel, name)
        given = inspect.signature(getattr(sync.SyncModel, name))
        assert given.parameters == inspect.signature(plain).parameters
        gives_reply = "PendingReply" in str(inspect.signature(plain).return_annotation)
        assert (given.return_annotation == "Reply") is gives_reply
        assert (f"{name}_events" in offered) is gives_reply
        assert "Args:" in (inspect.getdoc(getattr(sync.SyncModel, name)) or "")
