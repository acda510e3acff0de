"""A host that lives long meets many addresses; it keeps what it used last."""

from __future__ import annotations

from pathlib import Path

from rounds import rounds
from servers.engines import FakeVllm

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.bounded import MOST_KEPT
from bytebuddy_provider_hf.types import Done, Event
from bytebuddy_provider_hf.wire.server import Server

ADDRESSES = rounds(1_200, long=3_000)


def at(number: int, runtime: Runtime) -> HuggingFaceModel:
    return open_model(
        "org/name",
        api_key="hf_x",
        api_base=f"https://h{number}.example.com",
        runtime=runtime,
        env={},
        state_dir=Path("/nonexistent/.bytebuddy"),
    )


@virtual_time
async def test_thousands_of_addresses_leave_a_bounded_memory() -> None:
    """A stream that began at the first of them ends well after the last."""
    connect = MemoryConnect(FakeVllm("org/name"))
    async with Runtime(connect=connect) as runtime:
        seen: list[Event] = []
        async with at(0, runtime).chat("a") as events:
            seen.append(await anext(events))
            for number in range(1, ADDRESSES):
                assert (await at(number, runtime).chat("a")).text
            seen += [event async for event in events]
        assert isinstance(seen[-1], Done)
        state = runtime.state()
        assert len(state.clients) <= MOST_KEPT
        assert len(state.detector._addresses) <= MOST_KEPT
        assert len(state.detector._records) <= MOST_KEPT
        # An address that was forgotten is asked again, and answers.
        assert (await at(1, runtime).chat("a")).text
    assert connect.open == 0


def test_the_file_of_servers_stays_as_long_as_is_read(tmp_path: Path) -> None:
    """Servers that list many models push out others, never all of them."""
    path = tmp_path / "servers.json"
    server_cache = ServerCache(path)
    server = Server(model_names=tuple(f"organisation/model-{n}" for n in range(1_000)))
    for number in range(60):
        server_cache.put(f"https://h{number}.example.com", server)
        assert path.stat().st_size <= 1024 * 1024
    found = [server_cache.get(f"https://h{number}.example.com") for number in range(60)]
    assert found[-1] is not None
    assert sum(each is not None for each in found) > 10
