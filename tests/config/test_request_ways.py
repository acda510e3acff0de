"""Every key of ``requestOptions`` about the way, from the file to the socket."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from config_world import ENTRY, World
from servers.http_proxy import HttpProxy
from servers.proxies import closing
from servers.tls import Authority, chat_server

from bytebuddy_provider_hf import ModelRegistry
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.errors import (
    ClientCertificateNeeded,
    ConnectTimeout,
    HostNotFound,
    UnknownAuthority,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["entry", "file"])
def level(request: pytest.FixtureRequest) -> str:
    """Say where the keys stand: in the entry, or at the file's top level."""
    return str(request.param)


async def asked(
    world: World, url: str, level: str, options: Mapping[str, object]
) -> str:
    """Ask the model of a file with these options once; JSON is YAML."""
    lines = f"requestOptions: {json.dumps({'maxAttempts': 1, **options})}\n"
    entry = f"models:\n{ENTRY}    apiBase: {url}/v1\n"
    text = lines + entry if level == "file" else entry + "    " + lines
    path = world.write(world.machine / "chosen.yaml", text)
    async with (
        Runtime() as runtime,
        ModelRegistry.load(
            path, cwd=world.project, home=world.home, env={}, runtime=runtime
        ) as registry,
    ):
        # A certificate that nobody checks is told, and nothing else.
        told = [each for each in registry.warnings if "verifySsl" not in each.message]
        assert told == []
        return (await registry["m"].chat("a")).text


async def test_ca_bundle_path(world: World, tmp_path: Path, level: str) -> None:
    """One path, and a list of them."""
    authority = Authority(tmp_path)
    with chat_server(authority.server()) as port:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(UnknownAuthority):
            await asked(world, url, level, {})
        for paths in (authority.bundle, [authority.bundle]):
            assert await asked(world, url, level, {"caBundlePath": paths}) == "fine"


async def test_verify_ssl(
    world: World, tmp_path: Path, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a check the call goes through, and is warned of."""
    with chat_server(Authority(tmp_path).server()) as port:
        url = f"https://127.0.0.1:{port}"
        with caplog.at_level(logging.WARNING):
            assert await asked(world, url, level, {"verifySsl": False}) == "fine"
        assert f"the certificate of {url} is NOT checked" in caplog.text
        with pytest.raises(UnknownAuthority):
            await asked(world, url, level, {"verifySsl": True})


async def test_client_certificate(world: World, tmp_path: Path, level: str) -> None:
    """Certificate, key and passphrase, all three."""
    authority = Authority(tmp_path)
    paper = authority.client(passphrase="opens it")
    shown = {"cert": paper.cert, "key": paper.key, "passphrase": "opens it"}
    trusted = {"caBundlePath": authority.bundle}
    with chat_server(authority.wanting_clients()) as port:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(ClientCertificateNeeded):
            await asked(world, url, level, trusted)
        options = {**trusted, "clientCertificate": shown}
        assert await asked(world, url, level, options) == "fine"


async def test_proxy_and_no_proxy(world: World, tmp_path: Path, level: str) -> None:
    """Through it with its user, and past it where the host is excepted."""
    authority = Authority(tmp_path)
    with chat_server(authority.server("model.test")) as port:
        proxy = HttpProxy(names={"model.test:443": port}, user="u", password="p@ss")
        async with proxy.serve():
            options = {
                "caBundlePath": authority.bundle,
                "proxy": proxy.url_for("u", "p%40ss"),
                "connectTimeout": 5,
            }
            url = "https://model.test"
            assert await asked(world, url, level, options) == "fine"
            for excepted in ("model.test", [".test"]):
                with pytest.raises(HostNotFound):
                    await asked(world, url, level, {**options, "noProxy": excepted})
    assert len(proxy.heads) == 1


async def test_connect_timeout(world: World, level: str) -> None:
    """A port that accepts and never speaks TLS is given up after so long."""

    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with closing(writer):
            await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        began, url = time.monotonic(), f"https://127.0.0.1:{port}"
        with pytest.raises(ConnectTimeout):
            await asked(world, url, level, {"connectTimeout": 0.2})
        assert 0.15 < time.monotonic() - began < 5
