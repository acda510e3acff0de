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
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.values import ClientCertificate, RequestOptions
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.texts import option_name, text

_log: Final = logging.getLogger(__name__)
_said: Final[set[str]] = set()


_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATES: Final = frozenset({".pem", ".crt", ".cer"})

# Codes of X509_verify_cert: https://docs.openssl.org/3.0/man3/
# X509_STORE_CTX_get_error/.
_OUTDATED: Final = frozenset({9, 10})
_OTHER_HOST: Final = frozenset({62, 64})
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21, 24, 27, 33})

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

    ``ca_bundle_path`` adds to the system's authorities. Without it ``SSL_CERT_FILE``
    and ``SSL_CERT_DIR`` take their place, as for OpenSSL, or else
    ``REQUESTS_CA_BUNDLE``.
    """
    if options.ca_bundle_path:
        named = tuple(
            (option_name("ca_bundle_path"), path) for path in options.ca_bundle_path
        )
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
            "verify_ssl is False: the certificate of %s is NOT checked. Whoever stands "
            "between can read the token and the prompts and change the answers. Name "
            "the server's authority in request_options.ca_bundle_path instead.",
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
        # Of a folder OpenSSL reads whatever is in it.
        for each in (path, *files):
            check_exposed(each)
        if path.is_dir():
            made.load_verify_locations(capath=path)
        else:
            read_regular_file(path, 0)
            made.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        # An SSLError is an OSError too; its strerror is OpenSSL's code for the line.
        known = not isinstance(error, ssl.SSLError)
        missing = getattr(error, "strerror", None) if known else None
    else:
        return
    reason = missing or text("transport.no_pem_certificate")
    raise InvalidOption(
        text("transport.authority_not_loaded", name=name, path=path, reason=reason),
        hint=text("transport.pem_hint"),
    )


def _load_client_cert(made: ssl.SSLContext, certificate: ClientCertificate) -> None:
    cert, key = (Path(p).expanduser() for p in (certificate.cert, certificate.key))
    for path in (cert, key):
        problem = None
        try:
            check_exposed(path)
            # OpenSSL would wait for a pipe, and the whole loop with it.
            read_regular_file(path, 0)
        except OSError as error:
            problem = error.strerror
        if problem:
            raise InvalidOption(
                text("transport.client_file_not_loaded", path=path, problem=problem),
                hint=text("transport.pem_hint"),
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
            text(
                "transport.client_key_mismatch",
                key=certificate.key,
                cert=certificate.cert,
            ),
            hint=text("transport.client_key_mismatch_hint"),
        )
    if not encrypted:
        return InvalidOption(
            text(
                "transport.client_pair_not_loaded",
                cert=certificate.cert,
                key=certificate.key,
            ),
            hint=text("transport.client_pair_hint"),
        )
    if not certificate.passphrase:
        return InvalidOption(
            text("transport.client_key_encrypted", key=certificate.key),
            hint=text("transport.client_key_encrypted_hint"),
        )
    return InvalidOption(
        text("transport.client_passphrase_wrong", key=certificate.key),
        hint=text("transport.client_passphrase_wrong_hint"),
    )


def handshake_failed(
    error: ssl.SSLError, host: str, *, shows_certificate: bool
) -> errors.ConnectionFailed:
    """Return our error for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_refused(error, host)
    refused = client_refused(error, host, shows_certificate=shows_certificate)
    if refused is not None:
        return refused
    reason = _name(error)
    if "EOF" in reason or isinstance(error, ssl.SSLZeroReturnError):
        return broken_off(host)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        return errors.TlsFailed(
            text("transport.not_tls", host=host),
            hint=text("transport.not_tls_hint"),
        )
    said = reason.replace("_", " ").lower()
    return errors.TlsFailed(
        text("transport.tls_failed_because", host=host, said=said)
        if said
        else text("transport.tls_failed", host=host),
        hint=text("transport.tls_failed_hint"),
    )


def _certificate_refused(
    error: ssl.SSLCertVerificationError, host: str
) -> errors.ConnectionFailed:
    """Return our error for a server's certificate that this client refused."""
    said = error.verify_message.rstrip(".")
    if error.verify_code in _OUTDATED:
        return errors.CertificateExpired(
            text("transport.certificate_outdated", host=host, said=said),
            hint=text("transport.certificate_outdated_hint"),
        )
    if error.verify_code in _OTHER_HOST:
        return errors.CertificateForOtherHost(
            text("transport.certificate_other_host", host=host),
            hint=text("transport.certificate_other_host_hint"),
        )
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return errors.UnknownAuthority(
            text("transport.unknown_authority", host=host, said=said),
            hint=text("transport.unknown_authority_hint"),
        )
    return errors.TlsFailed(
        text("transport.certificate_refused", host=host, said=said),
        hint=text("transport.certificate_refused_hint"),
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
            text("transport.client_wanted", host=host),
            hint=text("transport.client_wanted_hint"),
        )
    said = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
    return errors.ClientCertificateRefused(
        text("transport.client_refused", host=host, said=said),
        hint=text("transport.client_refused_hint"),
    )


def broken_off(host: str) -> errors.ConnectionLost:
    """Return the error for a handshake that ended without a word; try it again."""
    return errors.ConnectionLost(
        text("transport.handshake_broken_off", host=host),
        hint=text("transport.handshake_broken_off_hint"),
    )


def _name(error: ssl.SSLError) -> str:
    reason: object = error.reason
    name = reason if isinstance(reason, str) else ""
    return name.upper().replace(" ", "_")
