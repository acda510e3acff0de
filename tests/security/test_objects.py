"""No object that a host holds shows the key, or carries it out of the process."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable
from logging import getLogger
from pathlib import Path

import attrs
import pytest
from rich.pretty import pretty_repr
from security.provoking import CANARY, KEY
from security.sinks import shown

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.endpoint import endpoint_for
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import (
    ClientCertificate,
    ModelEntry,
    RequestOptions,
    Source,
)
from bytebuddy_provider_hf.errors import APIError
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.secret import Environment
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.pool import open_http_client

ENV = Environment({"HF_TOKEN": CANARY})
OPTIONS = RequestOptions(
    headers={"x-key": KEY},
    proxy=f"http://user:{CANARY}@127.0.0.1:9",
    client_certificate=ClientCertificate("a.pem", "b.pem", KEY),
)
ENTRY = ModelEntry(
    name="x",
    provider=PROVIDER,
    model="a/b",
    api_key=KEY,
    api_base=f"https://h.example/v1?api-key={CANARY}",
    request_options=OPTIONS,
)


def registry(folder: Path) -> ModelRegistry:
    file = folder / "config.yaml"
    file.write_text(
        f"models:\n- name: x\n  provider: {PROVIDER}\n  model: a/b\n"
        f"  apiKey: {CANARY}\n"
    )
    found = ModelRegistry.load(file, cwd=folder, home=folder, env=ENV)
    assert found["x"].name == "x"
    return found


def route(_folder: Path) -> object:
    target = resolve("a/b", ENTRY.api_base)
    options = attrs.evolve(OPTIONS, client_certificate=None)
    return endpoint_for(target, Credential(KEY, "apiKey"), options, env=ENV)


def model(folder: Path) -> object:
    return open_model("a/b", api_key=KEY, runtime=Runtime(), env=ENV, state_dir=folder)


def context(folder: Path) -> OpenContext:
    return OpenContext(
        source=Source(),
        trusted=True,
        state_dir=folder,
        cache_dir=folder,
        log=getLogger("x"),
        clock=time.monotonic,
        env=ENV,
    )


HOLDERS: dict[str, Callable[[Path], object]] = {
    "registry": registry,
    "model": model,
    "entry": lambda _: ENTRY,
    "options": lambda _: OPTIONS,
    "context": context,
    "environment": lambda _: ENV,
    "route": route,
    "credential": lambda _: Credential(KEY, "apiKey"),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_what_holds_the_key_does_not_show_it(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    """repr, str, format, its attributes, and as rich expands it."""
    held = make(tmp_path)
    texts = [repr(held), str(held), f"{held}", pretty_repr(held)]
    texts += [repr(getattr(held, "__dict__", {})), pretty_repr([{"a": held}])]
    assert not [text for text in texts if CANARY in text]


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_holds_the_key_is_not_pickled(
    make: Callable[[Path], object], protocol: int, tmp_path: Path
) -> None:
    """A pickle leaves the process: in a queue, a cache, another worker."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(make(tmp_path), protocol)


def test_a_copy_of_a_secret_is_refused_too() -> None:
    """Copies are made as pickles are; the secret itself can be shared."""
    for held in (KEY, ENV):
        with pytest.raises(TypeError):
            copy.deepcopy(held)


@pytest.mark.asyncio
async def test_a_channel_does_not_show_the_key() -> None:
    """Its headers stand in aiohttp's session, which does not show them."""
    target = resolve("a/b")
    way = endpoint_for(target, Credential(KEY, "k"), RequestOptions(), env={})
    client = open_http_client(way.destination)
    try:
        assert CANARY not in pretty_repr([client, vars(client)])
    finally:
        await client.aclose()


@pytest.mark.parametrize("name", ["api-key", "key", "access_token", "sig", "X-Auth"])
@pytest.mark.asyncio
async def test_a_key_in_the_address_shows_in_no_error(name: str) -> None:
    """Some gateways want it there; the address stands in many variables."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply(400, {}, b"{}")

    query = f"{name}={CANARY}"
    async with serve(handler) as url:
        bases = [f"{url}/v1?{query}", f"{url}?a=b&{query}"]
        for base in bases:
            async with open_model("m", api_base=base, env={}) as held:
                with pytest.raises(APIError) as caught:
                    await held.chat("a")
            del base
    del query, bases
    assert not [sink for sink, text in shown(caught.value) if CANARY in text]
