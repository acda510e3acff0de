"""Check servers' certificates, show the client's, and say why a handshake failed."""

from __future__ import annotations

import logging
import os
import re
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.config.values import ClientCertificate, RequestOptions
from bytebuddy_provider_hf.errors import InvalidOption

_log: Final = logging.getLogger(__name__)
_said: Final[set[str]] = set()

_PEM: Final = "Name a readable PEM file."
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATES: Final = frozenset({".pem", ".crt", ".cer"})

# Codes of X509_verify_cert: https://docs.openssl.org/3.0/man3/
# X509_STORE_CTX_get_error/.
_REFUSALS: Final = (
    (
        {9, 10},
        errors.CertificateExpired,
        "The certificate of {host} does not count today: {said}.",
        (
            "Check this machine's clock; if it is right, the server's owner must renew "
            "the certificate."
        ),
    ),
    (
        {62, 64},
        errors.CertificateForOtherHost,
        "The certificate that {host} showed was made for another host.",
        "Check the host name; write the one that the certificate names.",
    ),
    (
        {2, 18, 19, 20, 21, 24, 27, 33},
        errors.UnknownAuthority,
        "No authority that is trusted here vouches for {host}: {said}.",
        (
            "Name the PEM file of a private authority, or of a company's proxy, in "
            "requestOptions.caBundlePath."
        ),
    ),
)

# Alerts are known by their names, which differ a little between versions of OpenSSL:
# https://www.rfc-editor.org/rfc/rfc8446#section-6.2.
_ABSENT: Final = "CERTIFICATE_REQUIRED"
_REFUSED: Final = (
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)


@frozen
class CaBundle:
    """Name who vouches for servers: files and folders, each with what named it.

    ``system``: the authorities of the system count as well.
    """

    paths: tuple[tuple[str, str], ...] = ()
    system: bool = True


def ca_bundle(options: RequestOptions, env: Mapping[str, str]) -> CaBundle:
    """Return who vouches for servers.

    ``caBundlePath`` adds to the system's authorities. Without it ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR`` take their place, as for OpenSSL, or else ``REQUESTS_CA_BUNDLE``.
    """
    if options.ca_bundle_path:
        named = tuple(("caBundlePath", path) for path in options.ca_bundle_path)
        return CaBundle(named)
    folders = env.get("SSL_CERT_DIR", "").split(os.pathsep)
    said = [("SSL_CERT_FILE", env.get("SSL_CERT_FILE", ""))]
    said += [("SSL_CERT_DIR", folder) for folder in folders]
    said = [each for each in said if each[1]]
    if not said and (bundle := env.get("REQUESTS_CA_BUNDLE")):
        said = [("REQUESTS_CA_BUNDLE", bundle)]
    return CaBundle(tuple(said), system=not said)


def context(
    origin: str, options: RequestOptions, trusted: CaBundle
) -> ssl.SSLContext | bool:
    """Return what aiohttp takes as ``ssl``; reads the files that are named.

    ``True`` is its own shared context and ``False`` no check at all. Raises
    ``InvalidOption``, which names the file.
    """
    unchecked = options.verify_ssl is False
    if unchecked and origin not in _said:
        _said.add(origin)
        _log.warning(
            "verifySsl is false: the certificate of %s is NOT checked. Whoever stands "
            "between can read the token and the prompts and change the answers. Name "
            "the server's authority in requestOptions.caBundlePath instead.",
            origin,
        )
    certificate = options.client_certificate
    if certificate is None and (unchecked or not trusted.paths):
        return not unchecked
    if certificate is None:
        return _shared(trusted)
    if unchecked:
        made = _base_context()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made = _verifying_context(trusted)
    _load_client_cert(made, certificate)
    return made


def _verifying_context(trusted: CaBundle) -> ssl.SSLContext:
    made = _base_context()
    if trusted.system:
        made.load_default_certs()
    for name, path in trusted.paths:
        _load_ca(made, name, Path(path).expanduser())
    return made


# A system's bundle takes 50 ms to read.
_shared: Final = lru_cache(maxsize=16)(_verifying_context)


def _base_context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As ssl.create_default_context of Python 3.13, which also loads authorities: a
    # server's own certificate may stand in a bundle.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if sys.version_info >= (3, 13):
        made.verify_flags |= ssl.VERIFY_X509_STRICT
    # What aiohttp's own context asks for.
    made.set_alpn_protocols(("http/1.1",))
    return made


def _load_ca(made: ssl.SSLContext, name: str, path: Path) -> None:
    files: list[Path] = []
    with suppress(OSError):  # no folder, or not readable: loading it says why
        files = [each for each in sorted(path.iterdir()) if each.is_file()]
    # In a folder OpenSSL looks for names made of a hash, as `openssl rehash` gives
    # them; people put company.crt there.
    if not any(_HASHED.fullmatch(each.name) for each in files):
        files = [each for each in files if each.suffix.lower() in _CERTIFICATES]
        for file in files:
            _load_ca(made, name, file)
        if files:
            return
    try:
        if path.is_dir():
            made.load_verify_locations(capath=path)
        else:
            made.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        # An SSLError is an OSError too; its strerror is OpenSSL's code for the line.
        known = not isinstance(error, ssl.SSLError)
        missing = getattr(error, "strerror", None) if known else None
    else:
        return
    reason = missing or "it holds no certificate in PEM form"
    raise InvalidOption(f"{name} {path} cannot be loaded: {reason}.", hint=_PEM)


def _load_client_cert(made: ssl.SSLContext, certificate: ClientCertificate) -> None:
    cert, key = (Path(p).expanduser() for p in (certificate.cert, certificate.key))
    for path in (cert, key):
        problem = None
        try:
            path.open("rb").close()
        except OSError as error:
            problem = error.strerror
        if problem:
            raise InvalidOption(
                f"clientCertificate {path} cannot be loaded: {problem}.", hint=_PEM
            )
    asked: list[bool] = []
    secret = certificate.passphrase

    def passphrase() -> str:
        # Always given: OpenSSL would ask on the terminal, and wait.
        asked.append(True)
        return "" if secret is None else secret.reveal()

    try:
        made.load_cert_chain(cert, key, passphrase)
    except (OSError, ValueError) as error:
        mismatch = "MISMATCH" in str(getattr(error, "reason", ""))
    else:
        return
    raise _not_loaded(certificate, mismatch=mismatch, encrypted=bool(asked))


def _not_loaded(
    certificate: ClientCertificate, *, mismatch: bool, encrypted: bool
) -> InvalidOption:
    if mismatch:
        return InvalidOption(
            f"clientCertificate.key {certificate.key} is not the key of "
            f"{certificate.cert}.",
            hint="Name the key that the certificate was made for.",
        )
    if not encrypted:
        return InvalidOption(
            f"clientCertificate {certificate.cert} and {certificate.key} cannot be "
            "loaded: one is not a certificate or key in PEM form.",
            hint="Name PEM files; convert a .p12 or .pfx with `openssl pkcs12`.",
        )
    if not certificate.passphrase:
        return InvalidOption(
            f"clientCertificate.key {certificate.key} is encrypted.",
            hint="Set requestOptions.clientCertificate.passphrase.",
        )
    return InvalidOption(
        f"clientCertificate.passphrase does not open {certificate.key}.",
        hint="Correct requestOptions.clientCertificate.passphrase.",
    )


def handshake_failed(
    error: ssl.SSLError, host: str, *, shows_certificate: bool
) -> errors.ConnectionFailed:
    """Return our error for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        for codes, kind, text, hint in _REFUSALS:
            if error.verify_code in codes:
                return kind(text.format(host=host, said=said), hint=hint)
        return errors.TlsFailed(
            f"The certificate of {host} was refused: {said}.",
            hint="The server's owner must mend the certificate.",
        )
    refused = client_refused(error, host, shows_certificate=shows_certificate)
    if refused is not None:
        return refused
    reason = _name(error)
    if "EOF" in reason or isinstance(error, ssl.SSLZeroReturnError):
        return broken_off(host)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        return errors.TlsFailed(
            f"{host} does not speak TLS.",
            hint="If it is a plain http server, write http:// instead of https://.",
        )
    said = reason.replace("_", " ").lower()
    return errors.TlsFailed(
        f"The TLS connection to {host} failed" + (f": {said}." if said else "."),
        hint="The server may want another version of TLS, or a client certificate: "
        "requestOptions.clientCertificate.",
    )


def client_refused(
    error: ssl.SSLError, host: str, *, shows_certificate: bool
) -> errors.TlsFailed | None:
    """Return our error where a server's alert is about this client's certificate.

    With TLS 1.3 it comes when the handshake is over, as the answer to the request.
    """
    reason = _name(error)
    if "ALERT" not in reason or not reason.endswith((_ABSENT, *_REFUSED)):
        return None
    if reason.endswith(_ABSENT) or not shows_certificate:
        return errors.ClientCertificateNeeded(
            f"{host} wants a client certificate and got none.",
            hint="Set requestOptions.clientCertificate: cert and key.",
        )
    said = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
    return errors.ClientCertificateRefused(
        f"{host} refused the client certificate: {said}.",
        hint="Check that it is valid today, and issued by an authority that this "
        "server knows.",
    )


def broken_off(host: str) -> errors.ConnectionLost:
    """Return the error for a handshake that ended without a word; try it again."""
    return errors.ConnectionLost(
        f"{host} broke off the TLS handshake.",
        hint="Try again. If it stays so, the server may want a client certificate "
        "(requestOptions.clientCertificate), or not speak TLS at all.",
    )


def _name(error: ssl.SSLError) -> str:
    reason: object = error.reason
    text = reason if isinstance(reason, str) else ""
    return text.upper().replace(" ", "_")
