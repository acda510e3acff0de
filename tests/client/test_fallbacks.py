"""Other entries answer where one fails: which failures, in what time, and told how."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, evolve
from client.harness import IDLE, leftover_tasks
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.client.fallbacks import (
    FALLBACK_AFTER,
    CallLimits,
    FallbackTo,
    ModelWithFallbacks,
    ProtocolArguments,
    fallback_to,
)
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.schema import SECTIONS
from bytebuddy_provider_hf.config.values import (
    EmbeddingPrefixes,
    EmbedOptions,
    ModelEntry,
    RequestOptions,
    Source,
)
from bytebuddy_provider_hf.errors import (
    APIError,
    BudgetExceeded,
    ByteBuddyError,
    Closed,
    ColdStartTimeout,
    ConnectionRefused,
    ContextTooLong,
    EditDoubtful,
    InvalidOption,
    ModelNotSupported,
    QuotaExhausted,
    ServerOverloaded,
    StreamInterrupted,
)
from bytebuddy_provider_hf.failures.table import failure_table
from bytebuddy_provider_hf.plugins.protocols import Model, OpenContext, ReplyCall
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_stream
from bytebuddy_provider_hf.testing.behaviour import Behaviour, loads
from bytebuddy_provider_hf.testing.failures import (
    ESTIMATES,
    asleep,
    loading,
    not_supported,
    omitted,
    overloaded,
    paused,
    quota_exhausted,
    rate_limited,
    string_error,
)
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import run, virtual_time
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Done,
    Event,
    Loading,
    Reply,
    Role,
    Text,
)

NOWHERE: Final = Path("/nonexistent/.bytebuddy")
ELSEWHERE: Final = "https://other.example/v1"
CODE: Final = "def add(a, b):\n    return a\n"
FIXED: Final = "def add(a, b):\n    return a + b\n"
# What no rule can place: the line is there twice.
TWICE: Final = "x = 1\ny = 2\nx = 1\n"
WANTED: Final = "x = 1\ny = 2\nx = 3\n"
FINE: Final = Behaviour(answer=lambda _: "fine")
BUSY: Final = Behaviour(always=overloaded())
UNSERVED: Final = Behaviour(always=not_supported())
# Not ready for so long that nobody tells how long.
COLD: Final = Behaviour(cold_for=300, cold_reply=loads(omitted))
CUT: Final = chat_stream(["one ", "two ", "three"])
BROKEN: Final = Behaviour(always=CUT.cut_after(len(CUT.content) // 2))

# Which fallbacks each class of errors is worth. One that is new must decide.
WORTH: Final[dict[FallbackTo, str]] = {
    FallbackTo.ANY: (
        "AnonymousLimit BadGateway BudgetExceeded ColdStartTimeout ConnectionLost "
        "EndpointPaused FirstByteTimeout GatewayTimeout GenerationFailed "
        "GenerationIncomplete IdleTimeout JobEnded MalformedResponse ModelDisabled "
        "ModelLoading ModelNotFound ModelNotSupported ModelOverloaded ModelTooLarge "
        "NoDataTimeout OutOfMemory OutputRejected Overloaded PipelineFailed "
        "QuotaExhausted RateLimited RouteNotFound RouteNotSupported ServerBusy "
        "ServerError ServerOverloaded ServerUnhealthy ServiceRetired StreamFailed "
        "StreamInterrupted UnexpectedStatus WrongServedModel"
    ),
    FallbackTo.OTHER_WAY: (
        "CertificateExpired CertificateForOtherHost ConnectTimeout ConnectionFailed "
        "ConnectionRefused HostLookupFailed HostNotFound HostUnreachable ProxyFailed "
        "TlsFailed UnknownAuthority"
    ),
    FallbackTo.LONGER_CONTEXT: "ContextTooLong",
    FallbackTo.NONE: (
        "APIError AccessPending ApplyFailed AuthenticationFailed BadRequest "
        "BatchTooLarge BodyRefused ByteBuddyError CallTimeout ClientCertificateNeeded "
        "ClientCertificateRefused Closed ConfigError ConfigInvalid ConfigNotFound "
        "DeadlineExceeded EditDoubtful GatedModel GatedPermission ImagesNotSupported "
        "InputRefused InsecureEndpoint InvalidEndpoint InvalidModelId InvalidOption "
        "NotAwaited "
        "InvalidToken MissingPermission MissingToken NoModelForRole OrganizationPolicy "
        "ParameterRefused PermissionDenied ProOnly ProviderFailed "
        "ProxyAuthenticationFailed Redirected RegistryError RequestError "
        "RequestTooLarge ResponseError ResponseTooLarge StreamingNotSupported "
        "TemplateFailed TemplateMissing TokenInvalid TokenMissing TokenRevoked "
        "ToolsRefused UnknownModel UnknownName UnknownProvider UnprocessableRequest "
        "UnsetVariable UnsupportedRole UntrustedProject"
    ),
}
DECIDED: Final = {name: to for to, names in WORTH.items() for name in names.split()}


@define
class Stand:
    """Models at one hub in memory: the first has the others as its fallbacks."""

    hub: FakeHub
    connect: MemoryConnect
    runtime: Runtime
    models: list[HuggingFaceModel]

    @property
    def first(self) -> HuggingFaceModel:
        return self.models[0]

    def asked(self, name: str) -> int:
        """Return how many requests came for a model."""
        return sum(record.model == f"org/{name}" for record in self.hub.records)

    def settled(self) -> None:
        """Assert that nothing is held any more."""
        assert self.runtime.counters() == IDLE
        assert self.connect.open == 0
        assert not leftover_tasks()


def stand(
    *behaviours: Behaviour,
    after: float | None = None,
    keys: Sequence[str] = (),
    bases: Sequence[str | None] = (),
    roles: Sequence[Sequence[Role]] = (),
    windows: Sequence[int | None] = (),
    options: RequestOptions | None = None,
    more: Sequence[Model] = (),
    seed: int = 0,
) -> Stand:
    """Return models a, b, c, …; ``more`` are further fallbacks of the first."""
    names = "abcdef"[: len(behaviours)]
    hub = FakeHub(
        {f"org/{name}": it for name, it in zip(names, behaviours, strict=True)}
    )
    connect = MemoryConnect(hub)
    runtime = Runtime(connect=connect, jitter=random.Random(seed).random)
    models: list[HuggingFaceModel] = []
    for index in reversed(range(len(names))):
        window = dict(enumerate(windows)).get(index)
        models.insert(
            0,
            open_model(
                f"org/{names[index]}",
                name=names[index],
                api_key=dict(enumerate(keys)).get(index, "hf_key"),
                api_base=dict(enumerate(bases)).get(index),
                roles=tuple(dict(enumerate(roles)).get(index, (Role.CHAT,))),
                options=CompletionOptions(context_length=window),
                request_options=options,
                runtime=runtime,
                env={},
                state_dir=NOWHERE,
                fallbacks=() if index else (*models, *more),
                fallback_after=None if index else after,
            ),
        )
    return Stand(hub, connect, runtime, models)


def now() -> float:
    return asyncio.get_running_loop().time()


def made(kind: type[ByteBuddyError]) -> ByteBuddyError:
    """Return an error of a class, whatever its own constructor wants."""
    error = kind.__new__(kind)
    base = APIError if isinstance(error, APIError) else ByteBuddyError
    base.__init__(error, "it went wrong")
    return error


async def read(call: ReplyCall, seen: list[Event] | None = None) -> list[Event]:
    """Return the events of a call; they are in ``seen`` also where it fails."""
    told = [] if seen is None else seen
    async with call as events:
        async for event in events:
            told.append(event)
    return told


# Which failures.


def test_every_class_of_errors_decides() -> None:
    """A class that is new has no place here until somebody thought of it."""
    found = {
        name: fallback_to(made(getattr(errors, name))) for name in failure_table().rows
    }
    assert found == DECIDED


@pytest.mark.parametrize("name", DECIDED)
@virtual_time
async def test_a_failure_is_made_good_or_raised(name: str) -> None:
    """Whatever the class: another answers, or the caller is told; nothing is held."""

    async def failing(_request: FakeRequest) -> FakeReply:
        raise made(getattr(errors, name))

    made_good = DECIDED[name] is not FallbackTo.NONE
    found = stand(
        Behaviour(always=failing),
        FINE,
        bases=(None, ELSEWHERE),
        windows=(100, 200),
    )
    if made_good:
        reply = await found.first.chat("hi")
        assert (reply.text, reply.served_by) == ("fine", "b")
    else:
        with pytest.raises(ByteBuddyError) as caught:
            await found.first.chat("hi")
        # A probe's trouble may have become what it means for the call.
        assert type(caught.value).__name__ == name
        assert not hasattr(caught.value, "__notes__")
    assert found.asked("b") == made_good
    found.settled()


@pytest.mark.parametrize(
    "reply",
    [
        not_supported(),
        paused(),
        quota_exhausted(),
        overloaded(),
        rate_limited(),
        rate_limited(retry_after=600),
        string_error(500, "Internal Server Error"),
        string_error(410, "gone"),
        FakeReply(dropped=True),
        asleep(),
        loading(600),
    ],
    ids=lambda reply: str(reply.status),
)
@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_what_servers_say_that_another_may_do(
    reply: FakeReply, streamed: bool
) -> None:
    """As they word it: not served, paused, no credits, overloaded, limited, asleep."""
    keys = ("hf_key", "hf_another")
    found = stand(Behaviour(always=reply), FINE, keys=keys)
    if streamed:
        *_, done = await read(found.first.chat("hi"))
        assert isinstance(done, Done)
        answer = done.reply
    else:
        answer = await found.first.chat("hi")
    assert (answer.text, answer.served_by) == ("fine", "b")
    note = answer.notes[0]
    assert note.startswith("'b' answered instead of 'a', which failed: ")
    found.settled()


@virtual_time
async def test_the_first_that_answers_is_not_told_of() -> None:
    """No name, no note, nothing asked of another."""
    found = stand(FINE, FINE)
    reply = await found.first.chat("hi")
    assert (reply.served_by, reply.notes, found.asked("b")) == (None, (), 0)


@virtual_time
async def test_a_wrong_key_is_not_hidden() -> None:
    """A call that always fell back would never be mended."""
    found = stand(Behaviour(always=string_error(401, "Invalid username")), FINE)
    with pytest.raises(errors.AuthenticationFailed):
        await found.first.chat("hi")
    assert found.asked("b") == 0


@virtual_time
async def test_a_hard_budget_gives_way_to_an_entry_with_its_own() -> None:
    """Where nobody has room, the first one's budget is the error."""

    async def refusing(_request: FakeRequest) -> FakeReply:
        raise BudgetExceeded("no", budget="a", unit="calls", used=9, limit=9, ends=0.0)

    found = stand(Behaviour(always=refusing), FINE)
    assert (await found.first.chat("hi")).served_by == "b"
    found = stand(Behaviour(always=refusing), Behaviour(always=refusing))
    with pytest.raises(BudgetExceeded) as caught:
        await found.first.chat("hi")
    assert "'b' was asked instead, and failed too: no" in caught.value.__notes__


# In what order, and what is told.


@virtual_time
async def test_each_is_asked_in_turn_and_all_are_told() -> None:
    """The answer says who failed before it, and why; so does the log."""
    found = stand(UNSERVED, Behaviour(always=paused()), FINE)
    reply = await found.first.chat("hi")
    assert (reply.served_by, reply.served.entry) == ("c", "c")
    answered, failed = reply.notes[:2]
    assert answered.startswith("'c' answered instead of 'a', which failed: ")
    assert failed.startswith("'b' was asked instead, and failed too: ")
    assert [found.asked(name) for name in "abc"] == [1, 1, 1]
    # Nobody waits for who else serves the model: it is asked for where no one is left.
    assert {record.request.method for record in found.hub.records} == {"POST"}


@virtual_time
async def test_where_all_fail_the_first_error_has_the_notes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is what the caller asked for; the log tells it once, and each step."""
    found = stand(UNSERVED, Behaviour(always=paused()), BUSY)
    with (
        caplog.at_level(logging.WARNING, "bytebuddy_provider_hf.client.call_log"),
        pytest.raises(ModelNotSupported) as caught,
    ):
        await found.first.chat("hi")
    first, second = caught.value.__notes__
    assert first.startswith("'b' was asked instead, and failed too: ")
    assert second.startswith("'c' was asked instead, and failed too: ")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("b is asked instead of a: ModelNotSupported, status 400")
    assert lines[1].startswith("c is asked instead of b: EndpointPaused, status 400")
    assert lines[2].startswith("a call failed: ModelNotSupported, status 400")
    assert len(lines) == 3


@pytest.mark.parametrize("role", ["rerank", "apply", "task", "chat"])
@virtual_time
async def test_a_failure_made_good_is_no_failed_call(
    caplog: pytest.LogCaptureFixture, role: str
) -> None:
    """The log has one line, which names both."""
    fine = Behaviour(answer=lambda _: f"```python\n{WANTED}```")
    found = stand(UNSERVED, fine)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "chat": lambda: found.first.chat("hi"),
        "rerank": lambda: found.first.rerank("q", ["hi"]),
        "apply": lambda: found.first.apply(TWICE, "x = 3", doubts="return"),
        "task": lambda: found.first.task("feature-extraction", "hi"),
    }
    with caplog.at_level(logging.WARNING, "bytebuddy_provider_hf.client.call_log"):
        await calls[role]()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("b is asked instead of a: ")


@virtual_time
async def test_the_fallbacks_of_a_fallback_are_not_asked() -> None:
    """Else two entries that name each other would ask for ever."""
    inner = stand(BUSY, FINE)
    outer = stand(UNSERVED, more=[inner.first])
    with pytest.raises(ModelNotSupported):
        await outer.first.chat("hi")
    assert (inner.asked("a"), inner.asked("b")) == (3, 0)


@virtual_time
async def test_the_times_count_from_when_the_caller_asked() -> None:
    """Not from when the one was asked who answered."""
    found = stand(COLD, Behaviour(delay=2.0))
    began = now()
    reply = await found.first.chat("hi")
    assert reply.served.elapsed == pytest.approx(now() - began)
    assert reply.served.waited == pytest.approx(now() - began - 2.0)
    assert reply.served.attempts == 1


# How long.


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_cold_model_is_waited_for_so_long(streamed: bool) -> None:
    """Then the next is asked; the waits of both are told, the second by its name."""
    found = stand(COLD, Behaviour(cold_for=5))
    told: list[Event] = []
    began = now()
    if streamed:
        told = await read(found.first.chat("hi"))
    else:
        await found.first.chat("hi", on_event=told.append)
    assert FALLBACK_AFTER < now() - began < FALLBACK_AFTER + 10
    waits = [event for event in told if isinstance(event, Loading)]
    assert {event.entry for event in waits} == {None, "b"}
    assert {event.reason for event in waits} == {"loading"}
    assert found.asked("a") < 10
    found.settled()


@virtual_time
async def test_an_estimate_beyond_it_is_not_waited_for() -> None:
    """One request tells, and the model is asked again when that is due."""
    found = stand(Behaviour(cold_for=120), FINE, after=20)
    began = now()
    assert (await found.first.chat("hi")).served_by == "b"
    assert now() - began < 1
    assert found.asked("a") == 1
    # No storm of probes: of many calls in a row one at a time looks.
    for _ in range(50):
        assert (await found.first.chat("hi")).served_by == "b"
    assert found.asked("a") <= 3
    await asyncio.sleep(120)
    assert (await found.first.chat("hi")).served_by is None


@virtual_time
async def test_a_crowd_on_a_cold_model_probes_as_one() -> None:
    """Each gives its place back; those who come later find no wait of others."""
    found = stand(COLD, FINE)
    replies = await asyncio.gather(*(found.first.chat("hi") for _ in range(100)))
    assert {reply.served_by for reply in replies} == {"b"}
    assert found.asked("a") <= 8 + 10
    found.settled()


@virtual_time
async def test_a_model_that_is_ready_in_time_answers() -> None:
    """The wait is as without fallbacks."""
    found = stand(Behaviour(cold_for=20), FINE)
    assert (await found.first.chat("hi")).served_by is None
    assert found.asked("b") == 0


@virtual_time
async def test_no_wait_at_all() -> None:
    """``fallbackAfter: 0``, and a caller who does not wait."""
    cold = Behaviour(cold_for=20)
    found = stand(cold, FINE, after=0)
    began = now()
    assert (await found.first.chat("hi")).served_by == "b"
    found = stand(cold, FINE)
    assert (await found.first.chat("hi", wait=False)).served_by == "b"
    assert now() - began < 0.1


@virtual_time
async def test_the_last_one_is_waited_for_as_ever() -> None:
    """Nobody is left to be asked instead."""
    found = stand(UNSERVED, Behaviour(cold_for=100))
    began = now()
    assert (await found.first.chat("hi")).served_by == "b"
    assert now() - began >= 100
    found = stand(UNSERVED, Behaviour(cold_for=100), FINE)
    assert (await found.first.chat("hi")).served_by == "c"


@virtual_time
async def test_what_a_wait_was_too_short_for_is_told() -> None:
    """Where nobody answers, the hint names the key that ended the wait."""
    for behaviour in (COLD, Behaviour(cold_for=900)):
        found = stand(behaviour, UNSERVED)
        with pytest.raises(ColdStartTimeout, match="fallback_after"):
            await found.first.chat("hi")


@virtual_time
async def test_a_limit_longer_than_it_is_not_waited_out() -> None:
    """A shorter one is; one that holds is remembered for those who come after."""
    limited = rate_limited(retry_after=50)
    found = stand(Behaviour(replies=[limited]), FINE)
    began = now()
    assert (await found.first.chat("hi")).served_by == "b"
    assert (await found.first.chat("hi")).served_by == "b"
    assert (now() - began < 1, found.asked("a")) == (True, 1)
    await asyncio.sleep(50)
    assert (await found.first.chat("hi")).served_by is None
    found = stand(Behaviour(replies=[rate_limited(retry_after=5)]), FINE)
    assert (await found.first.chat("hi")).served_by is None
    assert found.asked("b") == 0


@virtual_time
async def test_a_pause_of_all_calls_is_not_waited_out_either() -> None:
    """That the origin rests for longer is known before anything is sent."""
    other = stand(FINE)
    found = stand(FINE, more=[other.first], after=3)
    queue = found.runtime.state().coordinator.model_queue(
        found.first._endpoint.destination, "org/a"
    )
    queue.limiter.pause_until(now() + 20)
    reply = await found.first.chat("hi")
    assert (reply.served_by, found.asked("a")) == ("a", 0)
    assert "longer than fallback_after allows" in reply.notes[0]


@virtual_time
async def test_a_call_that_queues_hears_of_a_pause_at_once() -> None:
    """Also one whose waiting nobody watches."""
    other = stand(FINE)
    one = RequestOptions(max_concurrency=1)
    found = stand(Behaviour(delay=60), more=[other.first], options=one)
    first = asyncio.create_task(found.first.chat("hi"))
    second = asyncio.create_task(found.first.chat("hi"))
    await asyncio.sleep(1)
    queue = found.runtime.state().coordinator.model_queue(
        found.first._endpoint.destination, "org/a"
    )
    began = now()
    queue.limiter.pause_until(now() + 100)
    assert (await second).served_by == "a"
    assert now() - began < 1
    assert (await first).served_by is None
    found.settled()


@virtual_time
async def test_a_busy_endpoint_is_not_waited_for_longer() -> None:
    """It sheds a call again and again without using up a retry."""
    found = stand(FINE, FINE, bases=("https://x.endpoints.huggingface.cloud/v1",))
    assert (await found.first.chat("hi")).served_by is None
    found.hub.set("org/a", Behaviour(always=asleep()))
    began = now()
    assert (await found.first.chat("hi")).served_by == "b"
    assert now() - began <= FALLBACK_AFTER + 1


@pytest.mark.parametrize("given", ["call", "entry"])
@virtual_time
async def test_all_share_one_deadline(given: str) -> None:
    """The call's, or the entry's; a fallback gets what is left of it."""
    options = RequestOptions(timeout=50, max_attempts=1)
    found = stand(
        Behaviour(always=overloaded().slow(0, delay=20)),
        Behaviour(always=overloaded().slow(0, delay=20)),
        Behaviour(delay=20),
        options=options if given == "entry" else evolve(options, timeout=None),
    )
    began = now()
    with pytest.raises(ServerOverloaded) as caught:
        await found.first.chat("hi", timeout=50 if given == "call" else None)
    assert now() - began == pytest.approx(50)
    assert [found.asked(name) for name in "abc"] == [1, 1, 1]
    told = caught.value.__notes__[1]
    assert told.startswith("'c' was asked instead, and failed too: No answer")
    found.settled()


@virtual_time
async def test_a_fallback_keeps_a_time_of_its_own_that_is_shorter() -> None:
    """What its entry says of it holds, whoever asks."""
    short = RequestOptions(timeout=5)
    slow = stand(Behaviour(delay=20), options=short)
    found = stand(UNSERVED, more=[slow.first])
    began = now()
    with pytest.raises(ModelNotSupported):
        await found.first.chat("hi")
    assert now() - began == pytest.approx(5)


@virtual_time
async def test_where_no_time_is_left_nobody_is_asked() -> None:
    """Who took all of it is the error."""
    found = stand(Behaviour(delay=20), FINE)
    with pytest.raises(errors.DeadlineExceeded):
        await found.first.chat("hi", timeout=10)
    assert found.asked("b") == 0


@pytest.mark.parametrize(
    ("first", "requests"),
    [(BUSY, [3, 1, 1]), (UNSERVED, [1, 3, 1]), (Behaviour(always=paused()), [1, 3, 1])],
)
@virtual_time
async def test_all_share_their_retries(first: Behaviour, requests: list[int]) -> None:
    """Of three attempts two are retries, whoever makes them."""
    found = stand(first, BUSY, BUSY)
    with pytest.raises(APIError):
        await found.first.chat("hi")
    assert [found.asked(name) for name in "abc"] == requests
    found.settled()


OUTCOMES: Final = st.sampled_from(
    [
        overloaded(),
        overloaded().slow(0, delay=30),
        not_supported(),
        paused(),
        rate_limited(),
        rate_limited(retry_after=7),
        rate_limited(retry_after=100),
        FakeReply(dropped=True),
        string_error(500, "Internal Server Error"),
        string_error(422, "Input validation error: no"),
        chat_stream(["one ", "two"]).cut_after(0),
    ]
)
BEHAVIOURS: Final = st.builds(
    Behaviour,
    replies=st.lists(OUTCOMES, max_size=4),
    cold_for=st.sampled_from([0.0, 0.0, 3.0, 40.0, 400.0]),
    cold_reply=st.sampled_from(list(ESTIMATES.values())).map(
        lambda estimate: (
            lambda model, left: loading(left, model=model, estimate=estimate)
        )
    ),
    delay=st.sampled_from([0.0, 1.0, 25.0]),
    answer=st.just(lambda _: "fine"),
)


@settings(max_examples=rounds(60, long=10_000), deadline=None)
@given(
    behaviours=st.lists(BEHAVIOURS, min_size=1, max_size=4),
    timeout=st.sampled_from([0.5, 5.0, 40.0, 120.0]),
    after=st.sampled_from([0.0, 2.0, 30.0]),
    streamed=st.booleans(),
    seed=st.integers(0, 3),
)
def test_no_call_passes_its_deadline(
    behaviours: list[Behaviour],
    timeout: float,
    after: float,
    streamed: bool,
    seed: int,
) -> None:
    """Whatever each does: in time, a bounded number of requests, nothing held."""

    async def call() -> None:
        found = stand(*behaviours, after=after, seed=seed)
        began = now()
        try:
            if streamed:
                events = await read(found.first.chat("hi", timeout=timeout))
                assert isinstance(events[-1], Done)
            else:
                await found.first.chat("hi", timeout=timeout)
        except ByteBuddyError:
            pass
        assert now() - began <= timeout + 1e-6
        # A wait for a cold model is no retry; all else is bounded together.
        sent = [r for r in found.hub.records if r.request.method == "POST"]
        warm = [record for record in sent if record.status != 503]
        assert len(warm) <= 3 + len(behaviours) - 1
        found.settled()

    run(call())


# Not where an answer has begun.


@virtual_time
async def test_nothing_is_asked_again_once_a_piece_was_seen() -> None:
    """The answer would begin anew behind it."""
    found = stand(BROKEN, FINE)
    seen: list[Event] = []
    with pytest.raises(StreamInterrupted) as caught:
        await read(found.first.chat("hi"), seen)
    assert any(isinstance(event, Text) for event in seen)
    assert caught.value.partial
    assert found.asked("b") == 0
    found.settled()


@virtual_time
async def test_a_stream_that_broke_unseen_is_begun_by_another() -> None:
    """Nobody saw a piece of it."""
    found = stand(Behaviour(always=chat_stream(["one"]).cut_after(0)), FINE)
    *events, done = await read(found.first.chat("hi"))
    assert "".join(e.text for e in events if isinstance(e, Text)) == "fine"
    assert isinstance(done, Done)
    assert done.reply.served_by == "b"


@virtual_time
async def test_a_fallback_that_breaks_off_is_the_error() -> None:
    """With the text that came, and a note of who gave it."""
    found = stand(UNSERVED, BROKEN, FINE)
    with pytest.raises(StreamInterrupted) as caught:
        await read(found.first.chat("hi"))
    assert caught.value.partial
    assert caught.value.__notes__[0].startswith("'b' answered instead of 'a'")
    assert found.asked("c") == 0


# Who may be asked.


@virtual_time
async def test_no_connection_is_not_tried_by_the_same_way() -> None:
    """Another entry at the address that cannot be reached would not reach it either."""

    async def refusing(_request: FakeRequest) -> FakeReply:
        raise ConnectionRefused("Nothing listens there.")

    down = Behaviour(always=refusing)
    found = stand(down, down, FINE, bases=(ELSEWHERE, ELSEWHERE))
    reply = await found.first.chat("hi")
    assert (reply.served_by, found.asked("b")) == ("c", 0)
    assert "'b' was not asked instead: it is reached by the same way" in reply.notes[1]


@virtual_time
async def test_an_account_without_credits_is_not_asked_again() -> None:
    """It is known of the account; another account may pay."""
    keys = ("hf_poor", "hf_poor", "hf_rich")
    found = stand(Behaviour(always=quota_exhausted()), FINE, FINE, keys=keys)
    reply = await found.first.chat("hi")
    assert (reply.served_by, found.asked("b")) == ("c", 0)
    found = stand(Behaviour(always=quota_exhausted()), FINE)
    with pytest.raises(QuotaExhausted):
        await found.first.chat("hi")


@pytest.mark.parametrize(
    ("windows", "served_by"),
    [
        ((None, 200, 20_000), "c"),
        ((None, None, 8_000), "c"),
        ((None, None, None), None),
        ((None, 4_096, 2_000), None),
    ],
)
@virtual_time
async def test_a_longer_window_must_be_known(
    windows: tuple[int | None, ...], served_by: str | None
) -> None:
    """Some servers cut what is too long, and say nothing."""
    too_long = string_error(
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
        "Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
        error_type="validation",
    )
    found = stand(Behaviour(always=too_long), FINE, FINE, windows=windows)
    if served_by is not None:
        assert (await found.first.chat("hi")).served_by == served_by
        assert found.asked("b") == 0
        return
    with pytest.raises(ContextTooLong) as caught:
        await found.first.chat("hi")
    assert "its context_length would tell" in caught.value.__notes__[0]
    assert found.asked("b") == found.asked("c") == 0


@virtual_time
async def test_an_entry_that_lacks_the_role_is_passed_over() -> None:
    """Unless the one that was asked lacks it as well."""
    both = (Role.CHAT, Role.EDIT)
    fixing = Behaviour(answer=lambda _: f"```python\n{FIXED}```")
    found = stand(UNSERVED, fixing, fixing, roles=(both, (Role.CHAT,), both))
    reply = await found.first.edit(CODE, "add")
    assert reply.served_by == "c"
    assert "'b' was not asked instead: its roles do not list edit." in reply.notes
    found = stand(UNSERVED, fixing)
    assert (await found.first.edit(CODE, "add")).served_by == "b"


# Every role.

CALLS: Final[dict[str, Callable[[HuggingFaceModel], Any]]] = {
    "chat": lambda model: model.chat("hi"),
    "complete": lambda model: model.complete("hi"),
    "fill": lambda model: model.fill("def add(a, b):\n    ", "\n"),
    "edit": lambda model: model.edit(CODE, "return the sum"),
    "apply": lambda model: model.apply(TWICE, "x = 3", doubts="return"),
}


def answer_of(request: FakeRequest) -> str:
    asked = request.body.decode()
    if "return the sum" in asked:
        return f"```python\n{FIXED}```"
    return f"```python\n{WANTED}```" if "x = 3" in asked else "fine"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("role", CALLS)
@virtual_time
async def test_every_role_that_writes(role: str, streamed: bool) -> None:
    """The fallback gets the arguments of the call, and asks in its own way."""
    found = stand(UNSERVED, Behaviour(answer=answer_of))
    call = CALLS[role](found.first)
    if streamed:
        *events, done = await read(call)
        assert isinstance(done, Done)
        reply = done.reply
        assert "".join(e.text for e in events if isinstance(e, Text)) == reply.text
    else:
        reply = await call
    assert reply.served_by == "b"
    plain = await CALLS[role](found.models[1])
    assert (reply.text, reply.diff) == (plain.text, plain.diff)
    found.settled()


@virtual_time
async def test_an_edit_that_is_doubtful_is_the_outcome() -> None:
    """The fallback answered: its text is in the error, and who gave it."""
    shortened = Behaviour(answer=lambda _: "```python\ndef add(a, b):\n```")
    others = "\n\ndef sub(a, b):\n    return a - b\n\n\ndef mul(a, b):\n    return 1\n"
    long = CODE + others
    found = stand(UNSERVED, shortened, FINE)
    with pytest.raises(errors.ResponseError) as caught:
        await found.first.edit(long, "return the sum")
    assert isinstance(caught.value, EditDoubtful) or caught.value.partial
    assert caught.value.__notes__[0].startswith("'b' answered instead of 'a'")
    assert found.asked("c") == 0


def same(*prefixes: str | None, models: Sequence[str]) -> Stand:
    """Return models at one hub with ids and prefixes of their own."""
    hub = FakeHub({"org/a": UNSERVED})
    hub.set(models[0], UNSERVED)
    connect = MemoryConnect(hub)
    runtime = Runtime(connect=connect)
    opened: list[HuggingFaceModel] = []

    async def models_by_name(name: str) -> Model:
        return next(each for each in opened if each.name == name)

    for index, (model, prefix) in enumerate(zip(models, prefixes, strict=True)):
        chosen = prefix and EmbedOptions(embedding_prefixes=EmbeddingPrefixes(prefix))
        entry = ModelEntry(
            f"m{index}",
            "huggingfaceinferenceapi",
            model,
            api_key=Secret(f"hf_key{index}"),
            roles=(Role.EMBED, Role.RERANK),
            embed_options=chosen or None,
            fallbacks=() if index else ("m1",),
        )
        opened.append(open_entry(entry, context(runtime, models_by_name)))
    return Stand(hub, connect, runtime, opened)


def context(
    runtime: Runtime, models: Callable[[str], Awaitable[Model]] | None
) -> OpenContext:
    return OpenContext(
        Source(),
        trusted=True,
        state_dir=NOWHERE,
        cache_dir=NOWHERE,
        log=logging.getLogger("test"),
        clock=lambda: 0.0,
        runtime=runtime,
        env={},
        models=models,
    )


@pytest.mark.parametrize(
    ("models", "prefixes", "answers"),
    [
        (("org/a", "org/a"), (None, None), True),
        (("org/a", "org/b"), (None, None), False),
        (("org/a", "org/a"), ("q: ", None), False),
        (("org/a", "org/a"), ("q: ", "q: "), True),
    ],
)
@virtual_time
async def test_vectors_are_of_one_model(
    models: tuple[str, str], prefixes: tuple[str | None, str | None], answers: bool
) -> None:
    """At another server or with another key; others of the same width mean nothing."""
    found = same(*prefixes, models=models)
    # The first one's key is refused its credits, the second's is not.
    served = FakeHub()

    async def handle(request: FakeRequest) -> FakeReply:
        if request.headers["authorization"].endswith("hf_key0"):
            return quota_exhausted()
        return await served.handle(request)

    found.connect._handler = handle
    if answers:
        vectors = await found.first.embed(["a", "b"])
        assert (len(vectors.vectors), vectors.served_by) == (2, "m1")
        return
    with pytest.raises(QuotaExhausted) as caught:
        await found.first.embed(["a", "b"])
    assert "do not compare with those of" in caught.value.__notes__[0]
    assert served.records == []


@virtual_time
async def test_scores_and_tasks_of_another_model_are_told() -> None:
    """They are of use by themselves, and not beside those of the first."""
    found = stand(UNSERVED, Behaviour(), keys=("hf_a", "hf_b"))
    scores = await found.first.rerank("q", ["a", "b", "c"])
    assert (len(scores.scores), scores.served_by) == (3, "b")
    assert "Scores of different models do not compare: these are of org/b." in (
        scores.notes
    )
    reply = await found.first.task("feature-extraction", "good")
    assert (reply.served_by, len(reply.groups)) == ("b", 1)
    found.settled()


# Models of other providers.


class Foreign:
    """A model of another provider: it has what the protocols say, and no more."""

    roles = (Role.CHAT,)
    capabilities: frozenset[str] = frozenset()
    model = "theirs"

    def __init__(
        self, name: str = "foreign", *, error: BaseException | None = None
    ) -> None:
        self.name = name
        self.error = error
        self.asked: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def chat(self, *args: object, **kwargs: object) -> ForeignCall:
        self.asked.append((args, kwargs))
        if self.error is not None and not isinstance(self.error, ByteBuddyError):
            raise self.error
        return ForeignCall(self.error)

    async def aclose(self) -> None:
        raise AssertionError


class ForeignCall:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def __await__(self) -> Generator[object, object, Reply]:
        return self._reply().__await__()

    async def _reply(self) -> Reply:
        await asyncio.sleep(1)
        if self.error is not None:
            raise self.error
        return Reply("theirs")

    async def __aenter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        yield Loading(0.0)
        reply = await self._reply()
        yield Text(reply.text)
        yield Done(reply)

    async def __aexit__(self, *exc: object) -> None:
        return None


@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_a_foreign_model_is_asked_by_its_protocol(streamed: bool) -> None:
    """Own keywords go into the options; what it cannot be told is noted."""
    foreign = Foreign()
    found = stand(UNSERVED, more=[foreign])
    call = found.first.chat(
        "hi", temperature=0.5, stop="x", logprobs=2, timeout=9, session="s"
    )
    if streamed:
        wait, *_, done = await read(call)
        assert isinstance(wait, Loading)
        assert isinstance(done, Done)
        assert wait.entry == "foreign"
        reply = done.reply
    else:
        reply = await call
    assert (reply.text, reply.served_by) == ("theirs", "foreign")
    assert "'foreign' was not told logprobs" in reply.notes[1]
    ((args, kwargs),) = foreign.asked
    assert args == ("hi",)
    assert kwargs.pop("timeout") == pytest.approx(9)
    options = CompletionOptions(temperature=0.5, stop=("x",))
    assert kwargs == {"options": options, "session": "s"}


def test_arguments_are_passed_as_the_protocol_has_them() -> None:
    """What a caller may give by position goes by position."""
    given = ProtocolArguments.of(
        "task", ("fill-mask", "in"), {"parameters": {"top_k": 2}, "wait": False}
    )
    assert given.args == ("fill-mask", "in", {"top_k": 2})
    assert (given.kwargs, given.left_out) == ({"wait": False}, ())
    given = ProtocolArguments.of("fill", ("a",), {"suffix": "b", "max_tokens": 4})
    assert given.args == ("a", "b")
    assert given.kwargs == {"options": CompletionOptions(max_tokens=4)}


@pytest.mark.parametrize(
    "error",
    [RuntimeError("secret hf_abcdefghijkl"), ServerOverloaded("Busy."), None],
)
@virtual_time
async def test_a_foreign_model_that_fails_is_passed_over(
    error: BaseException | None,
) -> None:
    """Whatever it raises; one that lacks the method is not asked."""
    foreign: Any = Foreign(error=error) if error else Foreign()
    last = stand(FINE)
    found = stand(UNSERVED, more=[foreign, last.first])
    if error is None:
        reply = await found.first.complete("hi")
        assert "'foreign' was not asked instead: its provider has no complete()." in (
            reply.notes
        )
    else:
        reply = await found.first.chat("hi")
        assert "abcdefghijkl" not in " ".join(reply.notes)
    assert reply.text == "fine"


class WrongCall:
    """A call that gives, or raises, whatever it was made with."""

    def __init__(self, given: object) -> None:
        self.given = given

    def __await__(self) -> Generator[object, object, object]:
        return self._answer().__await__()

    async def _answer(self) -> object:
        if isinstance(self.given, BaseException):
            raise self.given
        return self.given

    async def __aenter__(self) -> AsyncIterator[object]:
        return self._events()

    async def _events(self) -> AsyncIterator[object]:
        yield await self._answer()

    async def __aexit__(self, *exc: object) -> None:
        return None


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "given", [None, "text", SystemExit(3), asyncio.CancelledError()]
)
@virtual_time
async def test_a_foreign_model_that_is_given_is_watched(
    given: object, streamed: bool
) -> None:
    """What is no reply and no event reaches nobody, and its exit ends no program."""
    foreign: Any = Foreign()
    foreign.chat = lambda *_, **__: WrongCall(given)
    found = stand(UNSERVED, more=[foreign])
    call = found.first.chat("hi")
    with pytest.raises(ByteBuddyError) as told:
        await (read(call) if streamed else call)
    assert "foreign" in " ".join(told.value.__notes__)


@virtual_time
async def test_a_fault_of_ours_is_not_taken_for_a_failure() -> None:
    """A bug that another model hides is never found."""

    async def broken(_request: FakeRequest) -> FakeReply:
        raise ZeroDivisionError

    found = stand(Behaviour(always=broken), FINE)
    with pytest.raises(ZeroDivisionError):
        await found.first.chat("hi")


# Leaving.


@pytest.mark.parametrize("who", ["a", "b"])
@pytest.mark.parametrize("streamed", [False, True])
@virtual_time
async def test_whoever_is_asked_is_left_at_once(who: str, streamed: bool) -> None:
    """A cancelled call closes the connection of the one under way."""
    slow = Behaviour(delay=100)
    found = stand(slow if who == "a" else UNSERVED, slow)
    call = found.first.chat("hi")
    task = asyncio.ensure_future(read(call)) if streamed else asyncio.create_task(call)
    await asyncio.sleep(10)
    assert found.connect.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found.settled()
    assert found.asked("b") == (who == "b")


@pytest.mark.parametrize("who", ["a", "b"])
@virtual_time
async def test_a_task_that_reads_is_told_when_the_block_is_left(who: str) -> None:
    """By ``Closed``, as without fallbacks; and nothing more is asked."""
    slow = Behaviour(delay=100)
    found = stand(slow if who == "a" else UNSERVED, slow, FINE)

    async def reading(events: AsyncIterator[Event]) -> None:
        async for _ in events:
            pass

    async with found.first.chat("hi") as events:
        reader = asyncio.create_task(reading(events))
        await asyncio.sleep(10)
    with pytest.raises(Closed):
        await reader
    assert found.asked("c") == 0
    found.settled()


@virtual_time
async def test_the_task_that_waits_is_told_not_the_one_that_read_before() -> None:
    """One may read the first piece, and hand the rest to another."""
    words = Behaviour(answer=lambda _: "one two three four", gap=50.0)
    found = stand(UNSERVED, words)
    async with found.first.chat("hi") as events:
        await anext(events)

        async def reading() -> None:
            async for _ in events:
                pass

        reader = asyncio.create_task(reading())
        await asyncio.sleep(10)
    with pytest.raises(Closed):
        await reader
    assert asyncio.current_task() is not None
    found.settled()


@virtual_time
async def test_leaving_in_the_middle_of_a_fallbacks_answer() -> None:
    """Its connection is closed with the block."""
    words = Behaviour(answer=lambda _: "one two three four", gap=5.0)
    found = stand(UNSERVED, words)
    async with found.first.chat("hi") as events:
        async for event in events:
            if isinstance(event, Text):
                break
    found.settled()


@pytest.mark.asyncio
async def test_a_socket_is_closed_when_a_fallback_is_left() -> None:
    """On real sockets: the server sees the caller go."""
    words = Behaviour(answer=lambda _: "one two three four", gap=0.05)
    hub = FakeHub({"org/b": words})
    down = "http://127.0.0.1:9/v1"
    async with hub.serve() as url, Runtime() as runtime:
        one = RequestOptions(max_attempts=1)
        second = open_model(
            "org/b", name="b", api_base=f"{url}/v1", env={}, runtime=runtime
        )
        first = open_model(
            "org/a",
            api_base=down,
            env={},
            runtime=runtime,
            request_options=one,
            fallbacks=[second],
        )
        async with first.chat("hi") as events:
            async for event in events:
                if isinstance(event, Text):
                    break
        reply = await first.chat("hi")
        assert reply.served_by == "b"
        await asyncio.sleep(0.05)
    assert [record.closed_early for record in hub.records] == [True, False]


@virtual_time
async def test_a_call_that_is_never_begun_is_told_of_once(
    recwarn: pytest.WarningsRecorder,
) -> None:
    """As any; one that is closed is not."""
    found = stand(UNSERVED, FINE)
    found.first.chat("hi").close()
    assert len(recwarn) == 0
    call = found.first.chat("hi")
    with pytest.warns(RuntimeWarning, match="never awaited") as caught:
        del call
    assert len(caught) == 1
    again = found.first.chat("hi")
    await again
    with pytest.raises(RuntimeError):
        async with again:
            pass


@virtual_time
async def test_a_mistake_is_told_on_the_callers_line() -> None:
    """Before anything is asked, and a list may be changed after the call was made."""
    found = stand(UNSERVED, FINE)
    with pytest.raises(InvalidOption):
        found.first.chat("hi", temperature=-1)
    asked = [{"role": "user", "content": "hi"}]
    call = found.first.chat(asked)
    asked.clear()
    await call
    assert found.hub.records[-1].request.value("messages") == [
        {"role": "user", "content": "hi"}
    ]


# Opening.


def test_without_fallbacks_nothing_is_added() -> None:
    """The methods are the same functions, and the module is not even imported."""
    assert type(stand(FINE).first) is HuggingFaceModel
    code = (
        "import sys, asyncio; from bytebuddy_provider_hf import open_model; "
        "open_model('org/a', api_key='hf_x', env={}); "
        "print('bytebuddy_provider_hf.client.fallbacks' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    "name", ["chat", "complete", "fill", "edit", "apply", "embed", "rerank", "task"]
)
def test_the_methods_look_as_they_did(name: str) -> None:
    """Names, defaults, types and what kind of function it is."""
    plain, relayed = (
        getattr(kind, name) for kind in (HuggingFaceModel, ModelWithFallbacks)
    )
    assert inspect.signature(relayed) == inspect.signature(plain)
    assert relayed.__doc__ == plain.__doc__
    assert inspect.iscoroutinefunction(relayed) == inspect.iscoroutinefunction(plain)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fallbacks": ["b"]},
        {"fallback_after": -1},
        {"fallback_after": float("nan")},
        {"fallback_after": True},
        {"fallback_after": "30"},
    ],
)
def test_what_is_no_fallback_is_refused(wrong: dict[str, Any]) -> None:
    """By its type, when the model is opened."""
    given = {"fallbacks": stand(FINE).models, **wrong}
    with pytest.raises(InvalidOption, match="fallback"):
        open_model("org/a", api_key="hf_x", env={}, **given)


@virtual_time
async def test_a_fallback_stays_its_openers_to_close() -> None:
    """Closing the first leaves it usable; one that was closed is passed over."""
    found = stand(UNSERVED, FINE)
    first, second = found.models
    await first.aclose()
    assert (await second.chat("hi")).text == "fine"
    found = stand(UNSERVED, FINE)
    third = stand(FINE)
    first = stand(UNSERVED, more=[*found.models[1:], third.first]).first
    await found.models[1].aclose()
    reply = await first.chat("hi")
    assert reply.served_by == "a"
    assert "The model was closed." in reply.notes[1]


def test_an_entry_opened_by_no_registry_says_so() -> None:
    """Nothing in the file is dropped in silence."""
    entry = ModelEntry(
        "a", "huggingfaceinferenceapi", "org/a", Secret("hf_x"), fallbacks=("b",)
    )
    runtime = Runtime(connect=MemoryConnect(FakeHub()))
    model = open_entry(entry, context(runtime, None))
    assert "fallbacks are not asked: no registry opened this entry." in model.notices
    assert type(model) is HuggingFaceModel


@virtual_time
async def test_a_fallback_that_cannot_be_opened_is_told() -> None:
    """Its error is a note, and the next is asked; opening counts in the time."""
    second = stand(FINE).first

    async def models(name: str) -> Model:
        if name == "hangs":
            await asyncio.sleep(1_000)
        if name == "missing":
            raise errors.UnsetVariable("HF_X is not set.", variable="HF_X")
        return second

    hub = FakeHub({"org/a": UNSERVED})
    runtime = Runtime(connect=MemoryConnect(hub))
    entry = ModelEntry("a", "p", "org/a", Secret("hf_x"), fallbacks=("missing", "b"))
    reply = await open_entry(entry, context(runtime, models)).chat("hi")
    assert "'missing' was not asked instead: HF_X is not set." in reply.notes
    hanging = evolve(entry, fallbacks=("hangs", "b"))
    began = now()
    with pytest.raises(ModelNotSupported) as caught:
        await open_entry(hanging, context(runtime, models)).chat("hi", timeout=20)
    assert now() - began == pytest.approx(20)
    told = caught.value.__notes__[0]
    assert told == "'hangs' was not asked instead: no time was left."


def test_the_default_is_that_of_the_page() -> None:
    """One figure."""
    assert float(SECTIONS["models[]"]["fallbackAfter"].default) == FALLBACK_AFTER


@virtual_time
async def test_what_was_learned_of_a_model_is_kept() -> None:
    """A call for which it was bounded teaches the next one as any call does."""
    found = stand(UNSERVED, FINE)
    model = found.first
    twin = model.limited(CallLimits(lambda _failure: False))
    assert twin is not model
    assert twin._model_info is model._model_info
    twin._learned.batch_size = 7
    assert model._learned.batch_size == 7
    assert model._limits is None


@virtual_time
async def test_limits_tell_whether_a_failure_is_absorbed() -> None:
    """For those who count attempts: another may be asked, or this was the last."""
    found = stand(FINE, FINE)
    assert isinstance(found.first, ModelWithFallbacks)
    relay = found.first.relay("chat", (), {})
    limits = relay.limits(found.first)
    assert limits.absorbs(ServerOverloaded("x"))
    assert not limits.absorbs(errors.BadRequest("x"))
    relay.left.clear()
    assert not relay.limits(found.first).absorbs(ServerOverloaded("x"))
