"""Name the errors of time, of connections, and of answers that cannot be used."""

from __future__ import annotations

from attrs import frozen

from bytebuddy_provider_hf.errors.base import ByteBuddyError
from bytebuddy_provider_hf.errors.dict_form import DictForm


# No CallTimeout: the call was never begun, and a longer wait may do.
class ColdStartTimeout(ByteBuddyError):
    """A model did not become ready in the time allowed for it."""


# No TimeoutError: that is what a caller's own ``asyncio.timeout`` raises.
class CallTimeout(ByteBuddyError):
    """Time ran out."""


class ConnectTimeout(CallTimeout):
    """No connection within ``connect_timeout``."""


class FirstByteTimeout(CallTimeout):
    """The answer did not begin within ``first_byte_timeout``."""


# The caller's patience ended: it says nothing of the server.
class DeadlineExceeded(CallTimeout):
    """The call as a whole took longer than ``timeout``."""


class IdleTimeout(CallTimeout):
    """A stream sent nothing for too long; ``partial`` is the text that came."""

    partial: str = ""


# Proxies and servers send comments as signs of life; they are no answer.
class NoDataTimeout(CallTimeout):
    """A stream sent keep-alives but no data for too long; ``partial`` is the text."""

    partial: str = ""


class ConnectionFailed(ByteBuddyError):
    """There is no usable connection to the endpoint."""


class ConnectionRefused(ConnectionFailed):
    """Nothing listens at that address."""


class HostUnreachable(ConnectionFailed):
    """No way leads to that address: the network, or the VPN, may be down."""


class HostNotFound(ConnectionFailed):
    """There is no host of that name."""


# EAI_AGAIN, unlike the EAI_NONAME of HostNotFound: worth another try.
class HostLookupFailed(ConnectionFailed):
    """The name service did not answer; the name may well exist."""


# The classes below are apart because each is mended elsewhere: by the server's owner,
# in the address, in ca_bundle_path, in client_certificate.
class TlsFailed(ConnectionFailed):
    """The certificate or the handshake was refused."""


class CertificateExpired(TlsFailed):
    """The server's certificate is past its time, or its time has not begun."""


class CertificateForOtherHost(TlsFailed):
    """The server showed a certificate that names another host."""


class UnknownAuthority(TlsFailed):
    """The server's certificate is self-signed, or of an authority not trusted here."""


class ClientCertificateNeeded(TlsFailed):
    """The server wants a certificate from this client, and none is configured."""


class ClientCertificateRefused(TlsFailed):
    """The server did not accept the certificate of this client."""


class ProxyFailed(ConnectionFailed):
    """The proxy cannot be reached, or gives no way to the server."""


class ProxyAuthenticationFailed(ProxyFailed):
    """407: the proxy wants a user name and password, or other ones."""


# The server may have done the work; what it wrote is gone.
class ConnectionLost(ConnectionFailed):
    """The connection broke before the answer was whole."""


class ResponseError(ByteBuddyError):
    """An answer arrived that cannot be used; ``partial`` is the text before it."""

    partial: str = ""


class MalformedResponse(ResponseError):
    """The answer is not what the protocol describes."""


# Bounds what a hostile or broken server can make this process hold.
class ResponseTooLarge(ResponseError):
    """The answer is larger than this client accepts."""


# Some servers end without a mark; a decoder knows which those are.
class StreamInterrupted(ResponseError):
    """A stream ended without its end mark; ``partial`` is the text that came."""


class StreamFailed(ResponseError):
    """The server reported an error inside a stream; ``partial`` is what came first.

    ``event`` is the start of what it sent, secrets masked.
    """

    event: str = ""


# Both texts are kept: whoever asked may place the change by hand.
class ApplyFailed(ResponseError):
    """A suggested change could not be worked into a text; nothing was changed.

    ``original`` and ``suggestion`` are both texts as they were given, ``unplaced`` the
    parts of the suggestion that have no place.
    """

    original: str = ""
    suggestion: str = ""
    unplaced: tuple[str, ...] = ()


@frozen
class Doubt(DictForm):
    """A reason not to write a changed text unread: ``message`` tells it to a person.

    ``kind`` names it for programs ("gone", "rewritten", "unparsable", "controls"),
    ``lines`` are those it is about.
    """

    kind: str
    message: str
    lines: tuple[str, ...] = ()


# Unread, a change that lost code looks like one that was meant.
class EditDoubtful(ResponseError):
    """A change was made that may not be what was meant; nothing was written.

    ``result`` is the whole changed text, ``diff`` the unified diff from ``original``
    to it, ``doubts`` the reasons to look at it first.
    """

    original: str = ""
    result: str = ""
    diff: str = ""
    doubts: tuple[Doubt, ...] = ()
