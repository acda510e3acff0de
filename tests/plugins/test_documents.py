"""The host author's page and the examples run as they are written."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import outcomes, types
from bytebuddy_provider_hf.plugins import protocols
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from conftest import Site

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hosts.md"
ADDRESS = "http://127.0.0.1:8080"
TOLD = """
try:
    test_shout_is_a_provider()
except AssertionError as error:
    print(error)
"""

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(not PAGE.exists(), reason="a checkout has the documents"),
]


def blocks(language: str) -> list[str]:
    text = PAGE.read_text() if PAGE.exists() else ""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


async def run(site: Site, home: Path, *arguments: str) -> str:
    """Run a program in a process of its own and return what it printed."""
    paths = [str(site.path), str(Path(bytebuddy_provider_hf.__path__[0]).parent)]
    kept = {
        name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ
    }
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", *arguments],
        cwd=home,
        env={**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(paths)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


@pytest.mark.parametrize("number", [0, 1])
async def test_the_page_s_host_answers(site: Site, tmp_path: Path, number: int) -> None:
    """With and without a loop: with the page's file, from a cold model, streamed."""
    (yaml,) = blocks("yaml")
    config = tmp_path / ".bytebuddy" / "config.yaml"
    config.parent.mkdir()
    async with FakeHub(default=Behaviour(cold_looks=1)).serve() as url:
        assert ADDRESS in yaml
        config.write_text(yaml.replace(ADDRESS, url))
        printed = await run(site, tmp_path, "-c", blocks("python")[number])
    assert printed.count("(simulated)") == 2
    assert "Error" not in printed
    assert "note:" not in printed


@pytest.mark.parametrize("number", [0, 1])
async def test_the_page_s_host_tells_what_is_wrong(
    site: Site, tmp_path: Path, number: int
) -> None:
    """Without the entry it asks for, it prints the typed error in one line."""
    config = tmp_path / ".bytebuddy" / "config.yaml"
    config.parent.mkdir()
    config.write_text(blocks("yaml")[0].replace("name: hf-llama", "name: hf-lama"))
    printed = await run(site, tmp_path, "-c", blocks("python")[number])
    assert "UnknownModel" in printed.splitlines()[-1]
    assert "Did you mean hf-lama?" in printed


async def test_the_page_s_plain_pluggy(site: Site, tmp_path: Path) -> None:
    """The third program lists our provider with nothing but pluggy."""
    printed = await run(site, tmp_path, "-c", blocks("python")[2])
    assert "huggingfaceinferenceapi (" in printed
    assert "echo" in printed


async def test_the_page_s_provider(site: Site, tmp_path: Path) -> None:
    """The fourth program is a provider that works."""
    program = tmp_path / "shout.py"
    program.write_text(blocks("python")[3])
    assert await run(site, tmp_path, str(program)) == "HELLO\n"


async def test_the_page_s_test_of_its_provider(site: Site, tmp_path: Path) -> None:
    """The fifth program passes, by pytest or by itself, and finds what is changed."""
    shout, test = tmp_path / "shout.py", tmp_path / "test_shout.py"
    shout.write_text(blocks("python")[3])
    test.write_text(blocks("python")[4])
    assert await run(site, tmp_path, str(test)) == ""
    quiet = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-q", str(test))
    assert "1 passed" in await run(site, tmp_path, "-m", "pytest", *quiet)
    # What the page shows of a finding is what is said.
    changed = blocks("python")[3].replace("= entry.name,", '= "shout",')
    shout.write_text(changed)
    checked = blocks("python")[4].partition("\nif ")[0]
    test.write_text(f"{checked}{TOLD}")
    assert await run(site, tmp_path, str(test)) == blocks("text")[-1]
    assert len(blocks("python")) == 5


async def test_the_example_host(site: Site, tmp_path: Path) -> None:
    """``examples/host.py`` waits for a simulated model and streams its answer."""
    printed = await run(site, tmp_path, str(ROOT / "examples" / "host.py"), "Who?")
    assert "(simulated)" in printed
    assert "[stop" in printed


async def test_the_example_of_plain_pluggy(site: Site, tmp_path: Path) -> None:
    """``examples/plain_pluggy.py`` opens a model without our registry."""
    printed = await run(site, tmp_path, str(ROOT / "examples" / "plain_pluggy.py"))
    assert printed.startswith("huggingface-tgi -> (simulated)")


async def test_the_page_lists_the_protocols() -> None:
    """Every protocol that a host may find, with its method and its roles."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)\((.*?)\)` \| (.*?) \| `(\w+)`",
        PAGE.read_text(),
        re.MULTILINE,
    )
    found = {
        name
        for name, value in vars(protocols).items()
        if getattr(value, "_is_protocol", False)
        and name not in ("Protocol", "Model", "Noticing", "Metered", "Windowed")
    }
    assert {row[0] for row in rows} == found
    roles: list[str] = []
    for name, method, arguments, served, given in rows:
        protocol = getattr(bytebuddy_provider_hf, name)
        names = list(inspect.signature(getattr(protocol, method)).parameters)
        assert names[1 : 1 + len(arguments.split(", "))] == arguments.split(", ")
        assert hasattr(types, given) or hasattr(outcomes, given)
        roles += [] if served == "-" else served.split(", ")
    assert sorted(roles) == sorted(Role)
