"""``docs/network.md`` says what is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bytebuddy_provider_hf.address import HUB, ROUTER
from bytebuddy_provider_hf.client.endpoint import mirror_of
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.hub.status_page import STATUS
from bytebuddy_provider_hf.transport.proxies import proxy_for

PAGE = Path(__file__).parents[2] / "docs" / "network.md"
TEXT = PAGE.read_text("utf-8") if PAGE.is_file() else ""
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
VARIABLES = dict(re.findall(r"^export (\w+)=(\S+)$", TEXT, re.MULTILINE))

pytestmark = pytest.mark.skipif(not TEXT, reason="the pages are not installed")


@pytest.mark.parametrize("number", range(len(YAML)))
def test_a_block_is_a_configuration(number: int, tmp_path: Path) -> None:
    """It loads without a warning, and its options hold for what has no entry."""
    path = tmp_path / ".bytebuddy" / "config.yaml"
    path.parent.mkdir(mode=0o700)
    path.write_text(YAML[number], encoding="utf-8")
    env = {"HF_API_KEY": "hf_abcdefgh12345678"}
    found = load(cwd=path.parent, home=tmp_path, env=env)
    # A file of settings alone names no model.
    assert all("models" in str(each) for each in found.warnings)
    options = found.request_options
    assert options.proxy or options.ca_bundle_path
    for entry in found.entries:
        assert entry.request_options.proxy == options.proxy


def test_the_variables_are_read(tmp_path: Path) -> None:
    """Each as the page says: a proxy, hosts without one, a mirror."""
    options = load(cwd=tmp_path, home=tmp_path, env={}).request_options
    proxy = proxy_for(ROUTER, options, VARIABLES)
    assert proxy is not None
    assert VARIABLES["HTTPS_PROXY"] == proxy.url.rstrip("/")
    assert proxy_for("https://a.example.internal", options, VARIABLES) is None
    assert mirror_of(VARIABLES) == VARIABLES["HF_ENDPOINT"]


def test_the_hosts_are_those_that_are_asked() -> None:
    """All three are named."""
    for origin in (HUB, ROUTER, STATUS):
        assert f"`{origin.removeprefix('https://')}`" in TEXT
