"""Fixtures for every test: servers, and the mending of aioresponses."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import aiohttp
import pytest
import pytest_asyncio
from aioresponses import aioresponses
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Tests are imported by file (importmode importlib), so their helpers need a path.
sys.path.insert(0, str(Path(__file__).parent))
from package_sources import Sources, read_sources
from servers.llama import (
    KEY,
    TINY_CHAT,
    HeldModel,
    KeyedServer,
    need_xllamacpp,
    running,
    stop,
)

from bytebuddy_provider_hf.secret import forget_marks
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.llama_server import (
    LocalServer,
)

# With PYTHONDONTWRITEBYTECODE every process would rewrite the asserts of every file
# (12 s each, every time), and every child would compile the package.
sys.dont_write_bytecode = False

# How long one example takes says what else the machine does: pytest-timeout bounds a
# test, and what must be quick has a test of its own that counts CPU time.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# A shell's background job is started with Ctrl-C ignored, and so would the commands be
# that the tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FIGURE: Final = "figure"
# Fixtures that take long to start: with pytest-xdist, all tests that ask for one of
# them run in one process, which starts it once.
_SHARED: Final = {
    "llama": "llama",
    "llama_auth": "llama",
    "embedder": "llama",
    "reranker": "llama",
    "weights": "restarts",
    "wheel": "wheel",
    "community": "community",
    "sources": "sources",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than processors: some wait for servers and children.

    On two processors the tests take 156 s in three processes, 196 s in two.
    """
    usable = getattr(os, "sched_getaffinity", None)
    return (len(usable(0)) if usable else os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Keep the collector of garbage from a million objects that live to the end."""
    worker = getattr(session.config, "workerinput", None)
    if worker and worker["workerid"] == "gw0":
        # One process makes Hypothesis's table of characters; all find it in a file.
        st.text().validate()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each process of pytest-xdist begin elsewhere, and read what others compiled.

    Each collects every file. In one order, all would rewrite the same file at once.
    """
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker and isinstance(collector, pytest.Directory):
        number = int(worker["workerid"].removeprefix("gw"))
        first = len(report.result) * number // worker["workercount"]
        report.result = [*report.result[first:], *report.result[:first]]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Put tests that share a server, or measure, into one group of pytest-xdist."""
    if hasattr(config, "workerinput"):
        # The order that all processes agree on.
        items.sort(key=lambda item: item.path)
    for item in items:
        asked: Sequence[str] = getattr(item, "fixturenames", ())
        groups = {_SHARED[name] for name in asked if name in _SHARED}
        if item.get_closest_marker("measured"):
            groups.add("measured")
        for group in groups:
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    # pytest-xdist 3.8 writes the group into an attribute that pytest 9.2 does not read.
    for item in items:
        grouped = getattr(item, "_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = item._id.parse(grouped)  # type: ignore[attr-defined]  # as above


@pytest.fixture(scope="session")
def sources() -> Sources:
    """Give the syntax of the package's own files."""
    return read_sources()


@pytest.fixture(autouse=True)
def no_marks() -> Iterator[None]:
    """Forget what came from variables: it is an ordinary word in the next test."""
    yield
    forget_marks()


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a measured figure after the run, under the name of the test."""
    return functools.partial(record_property, _FIGURE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that the tests measured, whatever process they ran in."""
    figures = [
        f"{report.nodeid.rpartition('::')[2].partition('@')[0]}: {text}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, text in report.user_properties
        if name == _FIGURE
    ]
    if figures:
        terminalreporter.section("figures")
        for line in sorted(figures):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def xllamacpp() -> None:
    """Skip where llama.cpp's server cannot be started."""
    need_xllamacpp()


@pytest.fixture(scope="session")
def llama(xllamacpp: None) -> Iterator[str]:
    """Give the base URL of a real llama.cpp server with the tiny model, loaded."""
    server = LocalServer(TINY_CHAT, threads=1, parallel=4, alias="tiny-chat")
    with running(server):
        yield server.url


@pytest.fixture(scope="session")
def llama_auth(xllamacpp: None) -> Iterator[KeyedServer]:
    """Give a server that wants a key."""
    server = LocalServer(TINY_CHAT, threads=1, api_keys=[KEY], alias="tiny-chat")
    with running(server):
        yield KeyedServer(server.url, KEY)


@pytest.fixture
def llama_server(xllamacpp: None) -> Iterator[Callable[..., LocalServer]]:
    """Make a server of one's own, not yet started; it is stopped after the test."""
    made: list[LocalServer] = []

    def make(model: Path = TINY_CHAT, *, log: Path | None = None) -> LocalServer:
        made.append(LocalServer(model, threads=1, log=log))
        return made[-1]

    yield make
    for server in made:
        stop(server)


@pytest.fixture
def held_model(tmp_path: Path) -> Iterator[HeldModel]:
    """Give a model that stays "loading" until the test releases it."""
    model = HeldModel(tmp_path)
    yield model
    model.release()


@pytest.fixture
def fake_hub() -> FakeHub:
    """Give a simulated Hugging Face that answers everything at once."""
    return FakeHub()


@pytest_asyncio.fixture
async def fake_hub_url(fake_hub: FakeHub) -> AsyncIterator[str]:
    """Give the base URL of ``fake_hub`` on a real socket."""
    async with fake_hub.serve() as url:
        yield url


@pytest.fixture
def aiomock(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answer aiohttp's requests without a server, and record them.

    aioresponses 0.7.9 does not know the argument ``stream_writer`` that aiohttp 3.14
    wants (its issue 289).
    """
    monkeypatch.setattr(
        "aioresponses.core.ClientResponse",
        functools.partial(
            aiohttp.ClientResponse, stream_writer=SimpleNamespace(output_size=0)
        ),
    )
    with aioresponses() as mock:
        yield mock
