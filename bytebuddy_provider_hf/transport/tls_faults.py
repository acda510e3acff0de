"""What OpenSSL refuses, or is refused, becomes one of our errors.

The codes are those of X509_verify_cert: https://docs.openssl.org/3.0/man3/
X509_STORE_CTX_get_error/. Alerts are known by their names, which differ a little
between versions of OpenSSL: https://www.rfc-editor.org/rfc/rfc8446#section-6.2.
"""

from __future__ import annotations

import ssl
from typing import Final

from bytebuddy_provider_hf import errors

_OUT_OF_TIME: Final = frozenset({9, 10})
_OTHER_HOST: Final = frozenset({62, 64})
_UNKNOWN: Final = frozenset({2, 18, 19, 20, 21, 24, 27, 33})

# What a server says about a client's certificate, or about its absence.
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


def handshake_failed(
    error: ssl.SSLError, host: str, *, shows_certificate: bool
) -> errors.ConnectionFailed:
    """Return our error for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_trusted(error, host)
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


def _not_trusted(error: ssl.SSLCertVerificationError, host: str) -> errors.TlsFailed:
    said = error.verify_message.rstrip(".")
    if error.verify_code in _OUT_OF_TIME:
        return errors.CertificateExpired(
            f"The certificate of {host} does not count today: {said}.",
            hint="Check this machine's clock; if it is right, the server's owner must "
            "renew the certificate.",
        )
    if error.verify_code in _OTHER_HOST:
        return errors.CertificateForOtherHost(
            f"The certificate that {host} showed was made for another host.",
            hint="Check the host name; write the one that the certificate names.",
        )
    if error.verify_code in _UNKNOWN:
        return errors.UnknownAuthority(
            f"No authority that is trusted here vouches for {host}: {said}.",
            hint="Name the PEM file of a private authority, or of a company's proxy, "
            "in requestOptions.caBundlePath.",
        )
    return errors.TlsFailed(
        f"The certificate of {host} was refused: {said}.",
        hint="The server's owner must mend the certificate.",
    )


def _name(error: ssl.SSLError) -> str:
    reason: object = error.reason
    text = reason if isinstance(reason, str) else ""
    return text.upper().replace(" ", "_")
