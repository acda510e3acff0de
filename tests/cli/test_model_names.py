"""A name that only its server knows, on the command line and in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import Run, serving
from servers.engines import FakeVllm

from bytebuddy_provider_hf.testing.script import Recorded


@pytest.mark.parametrize("name", ["qwen3.6-27b@iq4_xs", "My Model (1)", "C:\\x.gguf"])
def test_a_server_of_ones_own_is_asked_for_its_model_by_any_name(
    name: str, run: Run, home: Path
) -> None:
    """As ``-m`` with ``--base``, and in a file, which ``config check`` finds good."""
    with serving(Recorded(FakeVllm(model=name))) as url:
        ran = run("chat", "--base", f"{url}/v1", "-m", name, "hello")
        assert (ran.code, ran.err) == (0, "")
        folder = home / ".bytebuddy"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(
            "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n"
            f"    model: {json.dumps(name)}\n    apiBase: {url}/v1\n"
        )
        for command in (("config", "check"), ("chat", "hello")):
            ran = run(*command)
            assert ran.code == 0, ran.err
        assert name in run("models").out
