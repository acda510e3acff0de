"""A configuration's models answer calls that wait; what was opened is closed."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from catalogue_world import HuggingFace

from bytebuddy_provider_hf.client.catalogue import Catalogue
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    Closed,
    ConfigNotFound,
    NoModelForRole,
    ProviderFailed,
    UnknownModel,
    UnsupportedRole,
)
from bytebuddy_provider_hf.plugin import bytebuddy_providers
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.sync import Events, SyncCatalogue, SyncModel, SyncRegistry
from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.types import Done, Role, Text


@contextmanager
def serving(hub: FakeHub) -> Iterator[str]:
    """Serve a hub on a real socket, in a thread with a loop of its own."""
    begun: list[str] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with hub.serve() as url:
            begun.append(url)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert is_up.wait(10)
    try:
        yield begun[0]
    finally:
        is_over.set()
        thread.join()


@pytest.fixture
def echoing(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give the plugin of a second provider, which says the question again."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "plugins"))
    yield import_module("echo_provider")
    del sys.modules["echo_provider"]


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub(
        {"org/echo": Behaviour(answer=echo), "org/slow": Behaviour(delay=20)}
    )


@pytest.fixture
def registry(
    hub: FakeHub, echoing: ModuleType, tmp_path: Path
) -> Iterator[SyncRegistry]:
    with serving(hub) as url:
        entry = {"provider": "huggingfaceinferenceapi", "apiBase": f"{url}/v1"}
        entries = [
            {"name": "mine", "model": "org/echo", **entry},
            {"name": "slow", "model": "org/slow", "roles": ["autocomplete"], **entry},
            {"name": "foreign", "model": "m", "provider": "echo", "roles": ["embed"]},
            {"name": "later", "model": "m", "provider": "echo-later"},
        ]
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"models": entries}), "utf-8")
        with SyncRegistry.load(
            config,
            plugins=[echoing, OurPlugin],
            cwd=tmp_path,
            home=tmp_path,
            env={"HF_TOKEN": "hf_test_key"},
        ) as found:
            yield found
    assert threads() == []


class OurPlugin:
    """This package's own plugin, without looking for others."""

    bytebuddy_providers = staticmethod(bytebuddy_providers)


def threads() -> list[str]:
    return [
        each.name for each in threading.enumerate() if each.name == "bytebuddy-sync"
    ]


def test_models_are_opened_by_name_and_by_role(registry: SyncRegistry) -> None:
    """As from ``ModelRegistry``: each once, also one whose provider awaits."""
    assert [*registry] == ["mine", "slow", "foreign", "later"]
    assert (len(registry), "mine" in registry, "other" in registry) == (4, True, False)
    mine = registry["mine"]
    assert isinstance(mine, SyncModel)
    assert (mine.name, mine.model) == ("mine", "org/echo")
    assert Role.CHAT in mine.roles
    assert registry.open("mine") is registry.chat() is registry.for_role("chat") is mine
    slow = registry["slow"]
    assert slow is registry.for_role(Role.AUTOCOMPLETE) is registry.fill()
    assert mine.chat("hi").text == "hi"
    assert registry["later"].chat("from afar").text == "from afar"
    assert registry.entry_for_role("embeddings").name == "foreign"
    with pytest.raises(UnknownModel):
        registry["other"]
    with pytest.raises(NoModelForRole):
        registry.rerank()


def test_events_come_one_by_one(registry: SyncRegistry) -> None:
    """Of a model of ours, and of another provider's."""
    for name in ("mine", "foreign"):
        events = registry[name].chat_events("a b")
        assert isinstance(events, Events)
        seen = list(events)
        assert "".join(it.text for it in seen if isinstance(it, Text)) == "a b"
        assert isinstance(seen[-1], Done)


def test_what_a_foreign_model_lacks_is_said(registry: SyncRegistry) -> None:
    """When it is asked for, and when it is called all the same."""
    with pytest.raises(UnsupportedRole, match="embed"):
        registry.embed()
    with pytest.raises(UnsupportedRole, match="fill"):
        registry["foreign"].fill("a")
    with pytest.raises(UnsupportedRole, match="fill"):
        registry["foreign"].fill_events("a")
    with pytest.raises(UnsupportedRole, match="usage"):
        registry["foreign"].usage()


def test_it_says_what_the_configuration_says(registry: SyncRegistry) -> None:
    """Whatever ``ModelRegistry`` tells, with the same words."""
    core = registry.core
    told = {
        name for name, it in vars(ModelRegistry).items() if isinstance(it, property)
    }
    for name in told:
        assert getattr(registry, name) == getattr(core, name), name
    assert registry.entry("mine") is core.entry("mine")
    assert registry.provider("parrot") is core.provider("echo")
    registry.check("mine")
    with pytest.raises(UnknownModel):
        registry.check("other")
    assert repr(registry) == "<SyncRegistry of 4 models, 3 providers>"


def test_usage_is_that_of_the_open_models(registry: SyncRegistry) -> None:
    """By the names of their entries; nothing of those that are not open."""
    registry.chat("mine").chat("hi")
    today = datetime.now(UTC).date()
    found = registry.usage(since=today, until=today)
    assert [*found] == ["mine"]
    assert found["mine"].attempts == 1


def test_the_end_of_a_block_closes_what_was_opened(registry: SyncRegistry) -> None:
    """The registry's models are closed with it, and told so; a second close is none."""
    mine = registry["mine"]
    assert threads() == ["bytebuddy-sync"]
    registry.close()
    registry.close()
    began = time.monotonic()
    with pytest.raises(Closed):
        mine.chat("hi")
    # At once: of a loop that has ended nothing can be waited for.
    assert time.monotonic() - began < 2
    with pytest.raises(Closed, match="registry"):
        registry.chat()
    with pytest.raises(Closed, match="registry"):
        registry.usage()


def test_a_model_may_be_closed_alone(registry: SyncRegistry) -> None:
    """The others, and the loop, go on."""
    with registry["mine"] as mine:
        mine.chat("hi")
    with pytest.raises(Closed):
        mine.chat("hi")
    assert registry["foreign"].chat("still here").text == "still here"


def test_ctrl_c_ends_the_call(registry: SyncRegistry, hub: FakeHub) -> None:
    """The server sees the connection closed, and the registry goes on."""
    model = registry.edit("slow")
    pressing = threading.Thread(target=press_ctrl_c_when, args=(hub, "org/slow"))
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        model.chat("wait")
    pressing.join()
    assert registry.chat().chat("again").text == "again"
    assert hub.closed_early == 1


def press_ctrl_c_when(hub: FakeHub, model: str) -> None:
    """Press Ctrl-C as soon as a model was asked for an answer."""
    while not any(it.model == model for it in hub.records):
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def test_several_threads_open_and_ask_at_once(registry: SyncRegistry) -> None:
    """Each gets its own answer, of one and the same model."""
    with ThreadPoolExecutor(8) as pool:
        models = set(pool.map(lambda _: registry.chat("mine"), range(16)))
        assert len(models) == 1
        (model,) = models
        found = list(pool.map(lambda n: model.chat(str(n)).text, range(16)))
    assert found == [str(number) for number in range(16)]


def test_what_cannot_be_loaded_leaves_no_thread(tmp_path: Path) -> None:
    """The error is that of ``ModelRegistry``."""
    with pytest.raises(ConfigNotFound):
        SyncRegistry.load(tmp_path / "none.yaml", home=tmp_path)
    assert threads() == []


@pytest.mark.parametrize("own", [None, KeyError])
def test_a_model_that_does_not_close_is_told(
    tmp_path: Path, own: type[Exception] | None, echoing: ModuleType
) -> None:
    """But for an error of the block, which is the one to report."""

    async def fail(_: object) -> None:
        message = "stuck"
        raise RuntimeError(message)

    echoing.EchoModel.aclose = fail
    config = tmp_path / "config.yaml"
    entry = {"name": "bad", "model": "m", "provider": "echo"}
    config.write_text(json.dumps({"models": [entry]}), "utf-8")

    def use_it() -> None:
        with SyncRegistry.load(config, plugins=[echoing], home=tmp_path) as found:
            assert found["bad"].chat("hi").text == "hi"
            if own is not None:
                raise own

    with pytest.raises(own or ProviderFailed):
        use_it()
    assert threads() == []


def test_a_registry_that_is_never_closed_is_told(tmp_path: Path) -> None:
    """As an open file; its models are not, they are closed with it."""
    config = tmp_path / "config.yaml"
    config.write_text("models: []\n", "utf-8")
    kept = [SyncRegistry.load(config, plugins=[], home=tmp_path)]
    core, loop = kept[0].core, kept[0].loop
    with pytest.warns(ResourceWarning, match="SyncRegistry .* was never closed"):
        kept.clear()
    SyncRegistry(core, loop).close()
    assert threads() == []


def test_every_call_of_the_registry_has_its_form() -> None:
    """A new method of ``ModelRegistry`` or ``Catalogue`` is not forgotten here."""
    for plain, waiting in ((ModelRegistry, SyncRegistry), (Catalogue, SyncCatalogue)):
        for name, member in vars(plain).items():
            if name.startswith("_") or name == "aclose":
                continue
            assert name in vars(waiting), name
            if isinstance(member, property):
                continue
            expected = inspect.signature(getattr(plain, name)).parameters
            given = inspect.signature(getattr(waiting, name)).parameters
            assert [*given.values()] == [*expected.values()], name
    plain_init = inspect.signature(Catalogue).parameters
    assert inspect.signature(SyncCatalogue).parameters == plain_init


def test_a_catalogue_answers_calls_that_wait(hub: FakeHub) -> None:
    """Of models on the Hub, and of a server of one's own."""
    runtime = Runtime(connect=MemoryConnect(HuggingFace()))
    with SyncCatalogue(runtime=runtime, env={}) as catalogue:
        assert catalogue.may_ask
        found = catalogue.search("llama")
        assert all("llama" in each.id.lower() for each in found.models)
        assert found.models
        page = catalogue.show(found.models[0].id)
        assert page.id == found.models[0].id
        assert catalogue.suggest(page.id, most=1).suggestions
        assert catalogue.live_models()
        assert repr(catalogue) == "<SyncCatalogue: asks>"
    with pytest.raises(Closed):
        catalogue.live_models()
    with serving(hub) as url, SyncCatalogue(env={"HF_HUB_OFFLINE": "1"}) as offline:
        assert not offline.may_ask
        served = offline.served_at(f"{url}/v1", api_key=None)
        assert served.models
    assert threads() == []
