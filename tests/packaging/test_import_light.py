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
print(json.dumps({{
    "tops": sorted({{name.split(".")[0] for name in set(sys.modules) - before}}),
    "ours": sorted(name for name in sys.modules if name.startswith("bytebuddy_")),
    "noted": noted,
}}))
"""

LIGHT = [
    "import bytebuddy_provider_hf.plugin",
    "import bytebuddy_provider_hf",
    "import bytebuddy_provider_hf.plugins.spec",
    "import bytebuddy_provider_hf as package; dir(package)",
]


def probe(statement: str) -> dict[str, list[str]]:
    command = [sys.executable, "-W", "error", "-c", PROBE.format(statement=statement)]
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
