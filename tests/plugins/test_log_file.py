"""A registry writes the log that its configuration asks for."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bytebuddy_provider_hf import plugin
from bytebuddy_provider_hf.errors import AuthenticationFailed
from bytebuddy_provider_hf.logs import install
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import string_error
from bytebuddy_provider_hf.testing.hub import FakeHub

ENTRY = """\
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: org/name
    apiKey: a-key-of-mine
    apiBase: {url}/v1
"""


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    install.close()


def load(folder: Path, log: str = "", url: str = "http://127.0.0.1:9") -> ModelRegistry:
    path = folder / "config.yaml"
    path.write_text(log + ENTRY.format(url=url))
    return ModelRegistry.load(path, plugins=[plugin], cwd=folder, home=folder, env={})


async def call(registry: ModelRegistry) -> None:
    async with registry:
        with pytest.raises(AuthenticationFailed):
            await registry["mine"].chat("my prompt")


@pytest.mark.asyncio
async def test_a_failed_call_is_one_line(tmp_path: Path) -> None:
    """Class, status, origin, model, the one-line message; no key, no prompt."""
    refused = Behaviour(always=string_error(401, "a-key-of-mine is wrong"))
    async with FakeHub(default=refused).serve() as url:
        await call(load(tmp_path, "log: {path: logs/a.log}\n", url))
    (line,) = (tmp_path / "logs" / "a.log").read_text().splitlines()
    said = f"a call failed: TokenInvalid, status 401, {url}, model org/name"
    assert said in line
    assert " WARNING bytebuddy_provider_hf.client." in line
    assert "a-key-of-mine" not in line
    assert "my prompt" not in line


@pytest.mark.asyncio
async def test_a_file_loaded_again_without_the_key_writes_no_more(
    tmp_path: Path,
) -> None:
    """A host reads its configuration anew when somebody edits it."""
    log = tmp_path / "a.log"
    refused = Behaviour(always=string_error(401, "no"))
    async with FakeHub(default=refused).serve() as url:
        for text, lines in ((f"log: {{path: {log}}}\n", 1), ("", 1)):
            await call(load(tmp_path, text, url))
            assert len(log.read_text().splitlines()) == lines


def test_a_log_that_cannot_be_opened_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is one of the registry's warnings, and one in the log of the host."""
    registry = load(tmp_path, f"log: {{path: {tmp_path}}}\n")
    (warning,) = registry.warnings
    assert warning.place == f"{tmp_path / 'config.yaml'}:1:1"
    assert "cannot be opened" in warning.message
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert list(registry) == ["mine"]


SILENT = """
import asyncio, logging, sys
from bytebuddy_provider_hf import ByteBuddyError, ModelRegistry, open_model

async def main():
    async with open_model("m", api_base="http://127.0.0.1:1/v1", env={}) as model:
        try:
            await model.chat("x", wait=False)
        except ByteBuddyError as error:
            print(type(error).__name__)

asyncio.run(main())
print("logging.handlers" in sys.modules)
for name in ("bytebuddy_provider_hf.x", "bytebuddy.other"):
    logging.getLogger(name).warning("unasked")
"""


def test_a_program_that_asks_for_no_log_sees_none(tmp_path: Path) -> None:
    """Nothing on stderr, no file handler imported; the error is raised as ever."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SILENT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("ConnectionRefused\nFalse\n", "")
    assert list(tmp_path.iterdir()) == []
