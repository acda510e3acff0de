"""TLS servers for tests, each with its own authority and its own fault."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from attrs import frozen
from cryptography.hazmat.primitives import serialization

from bytebuddy_provider_hf.testing.answers import chat_reply

_BLOCK = 65_536
_OK = chat_reply("fine").content
_REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    + f"content-length: {len(_OK)}\r\n\r\n".encode()
    + _OK
)


@frozen
class Paper:
    """Files of a client's certificate."""

    cert: str
    key: str


class Authority:
    """A certificate authority of one test, with its files in ``folder``."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._ca = trustme.CA(organization_name=name)
        self._folder = folder
        self._name = name
        self.bundle = str(folder / f"{name}.pem")
        self._ca.cert_pem.write_to_path(self.bundle)

    def server(
        self, host: str = "127.0.0.1", *, ends: datetime | None = None
    ) -> ssl.SSLContext:
        """Return a server's context, with a certificate for ``host``."""
        begins = None if ends is None else ends - timedelta(days=9)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf = self._ca.issue_cert(host, not_before=begins, not_after=ends)
        leaf.configure_cert(context)
        return context

    def wanting_clients(
        self, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ) -> ssl.SSLContext:
        """Return a server's context that lets in this authority's clients only."""
        context = self.server()
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        self._ca.configure_trust(context)
        return context

    def client(self, *, passphrase: str | None = None, days: int = 9) -> Paper:
        """Write a client's certificate and key, the key encrypted or not."""
        ends = datetime.now(UTC) + timedelta(days=days)
        leaf = self._ca.issue_cert(
            "client.test", not_before=ends - timedelta(days=20), not_after=ends
        )
        cert = self._folder / f"{self._name}-client.crt"
        key = self._folder / f"{self._name}-client.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(_encrypted(leaf.private_key_pem.bytes(), passphrase))
        return Paper(str(cert), str(key))


def expired() -> datetime:
    """Return a moment that has passed."""
    return datetime.now(UTC) - timedelta(days=1)


def _encrypted(pem: bytes, passphrase: str | None) -> bytes:
    if passphrase is None:
        return pem
    key = serialization.load_pem_private_key(pem, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )


@contextmanager
def chat_server(
    tls: ssl.SSLContext | None, *, heads: list[str] | None = None, raw: bytes = b""
) -> Iterator[int]:
    """Answer every request with a reply, or with ``raw``; the value is the port.

    A thread and plain sockets, because asyncio's servers hang up on a bad handshake
    without the alert that others send.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    reply = raw or _REPLY

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            with plain:
                plain.settimeout(5)
                _converse(plain, tls, reply, [] if heads is None else heads)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake a thread that accepts.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _converse(
    plain: socket.socket, tls: ssl.SSLContext | None, reply: bytes, heads: list[str]
) -> None:
    talk = plain
    try:
        if tls is not None:
            talk = tls.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
            talk.do_handshake()
        head = b""
        while b"\r\n\r\n" not in head and (block := talk.recv(_BLOCK)):
            head += block
        heads.append(head.decode("latin-1"))
        talk.sendall(reply)
    except OSError:
        # Unread bytes would turn the close into a reset, and the alert would be lost.
        with suppress(OSError):
            talk.settimeout(0.2)
            while socket.socket.recv(talk, _BLOCK):
                pass
    finally:
        talk.close()
