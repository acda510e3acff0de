"""What importing the package costs a host that only looks for plugins."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "cattrs", "msgspec", "ruamel", "yarl", "click", "rich"}

# Runs in a process of its own: imports, then tells what came with it.
PROBE = """
import json, sys
noted = []
def hook(event, args):
    if event.startswith("socket.") or event == "_thread.start_new_thread":
        noted.append(event)
sys.addaudithook(hook)
before = set(sys.modules)
{statement}
print(json.dumps({
    "tops": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
    "ours": sorted(name for name in sys.modules if name.startswith("bytebuddy_")),
    "noted": noted,
}))
"""

LIGHT = [
    "import bytebuddy_provider_hf.plugin",
    "import bytebuddy_provider_hf",
    "import bytebuddy_provider_hf.plugins.spec",
    "import bytebuddy_provider_hf as package; dir(package)",
    # Authors' code, which a host imports with a provider when its entry opens.
    "import bytebuddy_provider_hf.plugins.kit",
]


def probe(statement: str) -> dict[str, list[str]]:
    code = PROBE.replace("{statement}", statement)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("statement", LIGHT)
def test_nothing_heavy_is_imported(statement: str) -> None:
    """Looking for plugins brings in none of the heavy libraries."""
    found = probe(statement)
    assert "bytebuddy_provider_hf" in found["tops"]
    assert HEAVY.isdisjoint(found["tops"])


@pytest.mark.parametrize("statement", LIGHT)
def test_no_socket_and_no_thread(statement: str) -> None:
    """Importing opens no socket and starts no thread."""
    assert probe(statement)["noted"] == []


def test_importing_a_model_reads_no_table() -> None:
    """The families are read when the first call asks for one."""
    assert "tomllib" not in probe("import bytebuddy_provider_hf.client.model")["tops"]


OPEN = """
from bytebuddy_provider_hf import open_model
model = open_model("m/m", api_key="hf_of_nobody", env={})
"""
# The client plays the server: nothing is sent.
CHAT = """
import asyncio
from bytebuddy_provider_hf import open_model
from bytebuddy_provider_hf.client.runtime import Runtime

class Answer:
    status, headers = 200, {"content-type": "application/json"}
    async def read(self, limit, bound):
        return b'{"choices": [{"message": {"content": "Yes."}}]}'
    def close(self): pass

class Client:
    async def send(self, call, **_): return Answer()
    async def aclose(self): pass

async def main():
    async with Runtime(connect=lambda destination: Client()) as runtime:
        model = open_model("m/m", api_key="hf_of_nobody", runtime=runtime, env={})
        assert (await model.chat("Is it?")).text == "Yes."

asyncio.run(main())
"""


def imported(statement: str) -> set[str]:
    """Return our modules that came along, without the name of the package."""
    return {name.partition(".")[2] for name in probe(statement)["ours"]}


def test_opening_a_model_imports_what_opening_needs() -> None:
    """Prompts, edits, the Hub and what servers are wait for the first call."""
    found = imported(OPEN)
    assert "client.model" in found
    calls = ("edits", "prompts", "hub", "failures", "scheduling", "logs")
    wire = ("wire.dialects", "wire.openai", "wire.tei", "wire.server")
    assert not [name for name in found if name.startswith((*calls, *wire))]
    assert "client.call_loop" not in found


def test_opening_a_model_brings_no_http_stack() -> None:
    """Sockets are of the first request."""
    assert {"aiohttp", "yarl", "tomllib"}.isdisjoint(probe(OPEN)["tops"])


def test_the_first_chat_imports_no_other_role() -> None:
    """Each role brings its own prompts and its own way to read an answer."""
    found = imported(CHAT)
    roles = {name for name in found if name.startswith("client.roles.")}
    assert roles == {"client.roles.chat"}
    # The type of a filter of text; no filter.
    assert [name for name in found if name.startswith("edits.")] == [
        "edits.text_filter"
    ]
    others = {"prompts.edit", "prompts.fim", "prompts.fill_context"}
    replies = {"wire.tasks_reply", "wire.tgi_reply", "wire.infill_reply"}
    apis = {"wire.tgi", "wire.tei", "wire.tasks", "wire.vectors"}
    assert found.isdisjoint(others | replies | apis)


def test_the_probe_sees_what_it_looks_for() -> None:
    """The two tests above would notice: the engine does bring aiohttp."""
    found = probe("import aiohttp, socket; socket.socket().close()")
    assert "aiohttp" in found["tops"]
    assert "socket.__new__" in found["noted"]


def test_the_plugin_imports_few_of_our_modules() -> None:
    """Each module costs start-up time; the plugin needs four."""
    assert probe("import bytebuddy_provider_hf.plugin")["ours"] == [
        "bytebuddy_provider_hf",
        "bytebuddy_provider_hf.plugin",
        "bytebuddy_provider_hf.plugins",
        "bytebuddy_provider_hf.plugins.spec",
    ]
