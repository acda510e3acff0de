"""The rules of certificates: the server's, and the client's."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from security.sinks import shown
from servers.tls import Authority, chat_server, expired

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import ClientCertificate, RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    CertificateExpired,
    CertificateForOtherHost,
    ClientCertificateNeeded,
    ClientCertificateRefused,
    ConnectionLost,
    InvalidOption,
    TlsFailed,
    UnknownAuthority,
)
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.transport.tls import CaBundle, ca_bundle, context

pytestmark = pytest.mark.asyncio

CANARY = "Canary4711OfTheKey"
PASSPHRASE = "Canary0815OfThePassphrase"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def asked(
    url: str, env: Mapping[str, str] | None = None, **options: object
) -> str:
    """Ask once and return the text."""
    request_options = RequestOptions(max_attempts=1, **options)  # type: ignore[arg-type]  # tests pass what they mean
    model = open_model(
        "m",
        api_key=CANARY,
        api_base=f"{url}/v1",
        env=env or {},
        request_options=request_options,
    )
    async with model:
        return (await model.chat("a")).text


async def refused(
    url: str,
    kind: type[ByteBuddyError],
    env: Mapping[str, str] | None = None,
    **options: object,
) -> ByteBuddyError:
    """Ask, and return the error, which shows neither key nor passphrase."""
    with pytest.raises(ByteBuddyError) as caught:
        await asked(url, env, **options)
    assert type(caught.value) is kind
    assert caught.value.hint
    for sink, text in shown(caught.value):
        assert CANARY not in text, sink
        assert PASSPHRASE not in text, sink
    return caught.value


def shows(cert: str, key: str, passphrase: str | None = None) -> ClientCertificate:
    secret = None if passphrase is None else Secret(passphrase)
    return ClientCertificate(cert, key, secret)


def hash_of(certificate: str) -> str:
    """Return the hash of a certificate's subject."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command makes the hash")
    command = [openssl, "x509", "-hash", "-noout", "-in", certificate]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return told.stdout.strip()


async def test_an_expired_certificate_is_told(authority: Authority) -> None:
    """The hint names the clock, and who must renew."""
    with chat_server(authority.server(ends=expired())) as port:
        error = await refused(
            f"https://127.0.0.1:{port}",
            CertificateExpired,
            ca_bundle_path=(authority.bundle,),
        )
    assert "has expired" in str(error)
    assert "clock" in str(error)


async def test_a_certificate_of_tomorrow_is_told(authority: Authority) -> None:
    """A time that has not begun is the clock's fault, or the server's, too."""
    later = datetime.now(UTC) + timedelta(days=30)
    with chat_server(authority.server(ends=later)) as port:
        error = await refused(
            f"https://127.0.0.1:{port}",
            CertificateExpired,
            ca_bundle_path=(authority.bundle,),
        )
    assert "not yet valid" in str(error)


@pytest.mark.parametrize("named", ["elsewhere.test", "127.0.0.2"])
async def test_a_certificate_for_another_host_is_told(
    authority: Authority, named: str
) -> None:
    """Another name and another address alike."""
    with chat_server(authority.server(named)) as port:
        error = await refused(
            f"https://127.0.0.1:{port}",
            CertificateForOtherHost,
            ca_bundle_path=(authority.bundle,),
        )
    assert f"127.0.0.1:{port}" in str(error)


async def test_an_unknown_authority_is_told(authority: Authority) -> None:
    """The hint names the key that makes it known; then the call goes through."""
    with chat_server(authority.server()) as port:
        url = f"https://127.0.0.1:{port}"
        error = await refused(url, UnknownAuthority)
        assert "request_options.ca_bundle_path" in str(error)
        assert await asked(url, ca_bundle_path=(authority.bundle,)) == "fine"


async def test_several_bundles_count_together(tmp_path: Path) -> None:
    """Each file of the list adds its authorities."""
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    bundles = (first.bundle, second.bundle)
    for one in (first, second):
        with chat_server(one.server()) as port:
            url = f"https://127.0.0.1:{port}"
            assert await asked(url, ca_bundle_path=bundles) == "fine"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_a_bundle_of_the_environment_counts(
    authority: Authority, name: str
) -> None:
    """The file that a variable names is trusted."""
    with chat_server(authority.server()) as port:
        env = {name: authority.bundle}
        assert await asked(f"https://127.0.0.1:{port}", env) == "fine"


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "option"])
async def test_a_folder_of_authorities_counts(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    """Files named by the hash of their subject, as OpenSSL wants them."""
    folder = tmp_path / "certs"
    folder.mkdir()
    shutil.copy(authority.bundle, folder / f"{hash_of(authority.bundle)}.0")
    with chat_server(authority.server()) as port:
        url = f"https://127.0.0.1:{port}"
        if name == "option":
            assert await asked(url, ca_bundle_path=(str(folder),)) == "fine"
        else:
            assert await asked(url, {name: str(folder)}) == "fine"


@pytest.mark.parametrize(
    ("env", "bundles", "expected"),
    [
        ({}, None, CaBundle()),
        ({"SSL_CERT_FILE": ""}, None, CaBundle()),
        (
            {"SSL_CERT_FILE": "/a", "REQUESTS_CA_BUNDLE": "/b"},
            None,
            CaBundle((("SSL_CERT_FILE", "/a"),), system=False),
        ),
        (
            {"SSL_CERT_FILE": "/a", "SSL_CERT_DIR": "/c:/d"},
            None,
            CaBundle(
                (
                    ("SSL_CERT_FILE", "/a"),
                    ("SSL_CERT_DIR", "/c"),
                    ("SSL_CERT_DIR", "/d"),
                ),
                system=False,
            ),
        ),
        (
            {"SSL_CERT_FILE": "/a"},
            ("/e",),
            CaBundle((("ca_bundle_path", "/e"),), system=True),
        ),
    ],
)
async def test_what_decides_whom_to_trust(
    env: Mapping[str, str],
    bundles: tuple[str, ...] | None,
    expected: CaBundle,
) -> None:
    """The option, then OpenSSL's variables, then that of requests, then the system."""
    assert ca_bundle(RequestOptions(ca_bundle_path=bundles), env) == expected


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("there", [False, True])
async def test_a_file_that_holds_no_authority_is_named(
    tmp_path: Path, name: str, there: bool
) -> None:
    """The error names the variable and the file."""
    path = tmp_path / "authorities.txt"
    if there:
        path.write_text("no certificate")
    error = await refused("https://127.0.0.1:9", InvalidOption, {name: str(path)})
    assert name in str(error)
    assert str(path) in str(error)


async def test_a_server_may_want_a_client_certificate(authority: Authority) -> None:
    """The hint names the key; with the certificate the call goes through."""
    with chat_server(authority.wanting_clients()) as port:
        url = f"https://127.0.0.1:{port}"
        bundles = (authority.bundle,)
        error = await refused(url, ClientCertificateNeeded, ca_bundle_path=bundles)
        assert "request_options.client_certificate" in str(error)
        paper = authority.client()
        certificate = shows(paper.cert, paper.key)
        text = await asked(url, ca_bundle_path=bundles, client_certificate=certificate)
        assert text == "fine"


async def test_with_tls_1_2_the_wish_for_a_certificate_is_guessed(
    authority: Authority,
) -> None:
    """The alert says no more than "handshake failure"; the hint names the key."""
    version = ssl.TLSVersion.TLSv1_2
    with chat_server(authority.wanting_clients(version=version)) as port:
        error = await refused(
            f"https://127.0.0.1:{port}", TlsFailed, ca_bundle_path=(authority.bundle,)
        )
    assert "request_options.client_certificate" in str(error)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("fault", ["stranger", "expired"])
async def test_a_client_certificate_may_be_refused(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, fault: str
) -> None:
    """Of an authority the server does not know, or past its time."""
    stranger = Authority(tmp_path, "stranger")
    paper = stranger.client() if fault == "stranger" else authority.client(days=-1)
    with chat_server(authority.wanting_clients(version=version)) as port:
        error = await refused(
            f"https://127.0.0.1:{port}",
            ClientCertificateRefused,
            ca_bundle_path=(authority.bundle,),
            client_certificate=shows(paper.cert, paper.key),
        )
    assert ("unknown ca" if fault == "stranger" else "expired") in str(error)


async def test_a_passphrase_opens_the_key(authority: Authority) -> None:
    """The right one opens it; a wrong one, and none, are told apart; none is asked."""
    paper = authority.client(passphrase=PASSPHRASE)
    with chat_server(authority.wanting_clients()) as port:
        url = f"https://127.0.0.1:{port}"
        bundles = (authority.bundle,)

        def given(passphrase: str | None) -> dict[str, object]:
            certificate = shows(paper.cert, paper.key, passphrase)
            return {"ca_bundle_path": bundles, "client_certificate": certificate}

        assert await asked(url, **given(PASSPHRASE)) == "fine"
        wrong = await refused(url, InvalidOption, **given("wrong"))
        assert "client_certificate.passphrase does not open" in str(wrong)
        none = await refused(url, InvalidOption, **given(None))
        assert "is encrypted" in str(none)


async def test_a_certificate_that_cannot_be_used_is_named(
    authority: Authority, tmp_path: Path
) -> None:
    """A missing file, another's key, and something that is no certificate."""
    paper = authority.client()
    other = Authority(tmp_path, "other").client()
    text = tmp_path / "text"
    text.write_text("no certificate")
    for cert, key, said in (
        (f"{tmp_path}/none.crt", paper.key, "none.crt"),
        (paper.cert, f"{tmp_path}/none.key", "none.key"),
        (paper.cert, other.key, "is not the key of"),
        (str(text), paper.key, "PEM"),
    ):
        error = await refused(
            "https://127.0.0.1:9", InvalidOption, client_certificate=shows(cert, key)
        )
        assert said in str(error)


async def test_no_check_is_said_aloud_once(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning for each origin in a process, which says what is at stake."""
    paper = authority.client()
    certificate = shows(paper.cert, paper.key)
    said = []
    for server in (authority.server(), authority.wanting_clients()):
        with chat_server(server) as port:
            url = f"https://127.0.0.1:{port}"
            said.append(url)
            for _ in range(2):
                text = await asked(
                    url, verify_ssl=False, client_certificate=certificate
                )
                assert text == "fine"
    records = [
        r for r in caplog.records if r.name == "bytebuddy_provider_hf.transport.tls"
    ]
    assert [r.levelno for r in records] == [logging.WARNING] * 2
    for record, url in zip(records, said, strict=True):
        assert url in record.getMessage()
        assert "token" in record.getMessage()


async def test_no_check_of_plain_http_needs_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where there is no certificate, nothing is left unchecked."""
    async with FakeHub().serve() as url:
        assert await asked(url, verify_ssl=False)
    assert [
        r for r in caplog.records if r.name == "bytebuddy_provider_hf.transport.tls"
    ] == []


async def test_tls_spoken_to_a_plain_server_is_told() -> None:
    """The hint is to write http://."""
    async with FakeHub().serve() as url:
        error = await refused(url.replace("http://", "https://"), TlsFailed)
    assert "http:// instead" in str(error)


async def test_plain_http_spoken_to_a_tls_server_is_told(authority: Authority) -> None:
    """It hangs up without a word that HTTP knows; the hint is to write https://."""
    with chat_server(authority.server()) as port:
        error = await refused(f"http://127.0.0.1:{port}", ConnectionLost)
    assert "https:// instead" in str(error)


async def test_a_handshake_that_breaks_off_is_told() -> None:
    """It may pass, so it is no verdict about certificates; the hint names them."""

    async def hang_up(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(f"https://127.0.0.1:{port}", ConnectionLost)
    assert "handshake" in str(error)
    assert "request_options.client_certificate" in str(error)


async def test_a_context_of_ones_own_checks_all() -> None:
    """Without the system's authorities too: names, certificates, TLS 1.2 and above."""
    made = context("https://a.test", RequestOptions(), CaBundle((), system=True))
    assert made is True
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None:
        pytest.skip("this system has no file of authorities")
    trusted = CaBundle((("SSL_CERT_FILE", paths.cafile),), system=False)
    made = context("https://a.test", RequestOptions(), trusted)
    assert isinstance(made, ssl.SSLContext)
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
