"""English: what each error means that arose on this side, or on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.description import ErrorDescription

_CHECK: Final = (("Run `bytebuddy-hf config check`.",),)
_AGAIN: Final = (("Try again.",),)
_BASE: Final = (("Check apiBase.",),)
_AUTHORITY: Final = (
    ("Name your company's or server's authority in requestOptions.caBundlePath.",),
)

HERE: Final[Mapping[str, ErrorDescription]] = {
    "ByteBuddyError": ErrorDescription("An error", "Something went wrong.", _AGAIN),
    "ConfigError": ErrorDescription("The configuration", "A file is wrong.", _CHECK),
    "ConfigNotFound": ErrorDescription(
        "No such file",
        "The configuration file that was named cannot be read.",
        (("Begin one: `bytebuddy-hf config init`.",),),
    ),
    "ConfigInvalid": ErrorDescription(
        "The configuration has errors",
        "Each is listed with its file, line and column.",
        _CHECK,
    ),
    "UnsetVariable": ErrorDescription(
        "A variable is not set",
        "An entry of the configuration names an environment variable without a value.",
        (("Set {variable}.",), _CHECK[0]),
    ),
    "UntrustedProject": ErrorDescription(
        "The project is not trusted",
        "A file of this folder wants a key sent somewhere you have not agreed to.",
        (("Read the file; to agree: `bytebuddy-hf config trust`.",),),
    ),
    "RegistryError": ErrorDescription(
        "The models", "What was asked for is not there.", _CHECK
    ),
    "UnknownName": ErrorDescription("No such name", "Nothing has that name.", _CHECK),
    "UnknownModel": ErrorDescription(
        "No such entry",
        "No entry of the configuration has that name.",
        (("List them: `bytebuddy-hf models`.",),),
    ),
    "UnknownProvider": ErrorDescription(
        "Provider not installed",
        "An entry names a provider that no installed plugin offers.",
        (("Install its package, or correct the entry's provider.",),),
    ),
    "NoModelForRole": ErrorDescription(
        "Nobody in that role",
        "No entry of the configuration carries that role.",
        (("Add the role to an entry's roles.",),),
    ),
    "ProviderFailed": ErrorDescription(
        "A provider failed",
        "A plugin's own code raised an error while it opened an entry.",
        (("Tell its authors; --debug shows where.",),),
    ),
    "Closed": ErrorDescription(
        "Already closed",
        "The model, registry or runtime was used after its end.",
        (("Keep it open (async with) for as long as it is used.",),),
    ),
    "RequestError": ErrorDescription(
        "Not sent", "The request was refused here.", _AGAIN
    ),
    "InvalidModelId": ErrorDescription(
        "Not a model id",
        "The id has characters or a form that no model has.",
        (("Write it as on huggingface.co: owner/name.",),),
    ),
    "InvalidEndpoint": ErrorDescription(
        "Not a usable address", "apiBase is no http or https URL.", _BASE
    ),
    "InsecureEndpoint": ErrorDescription(
        "The token would travel in the open",
        "Plain http to another machine can be read on the way.",
        (("Write apiBase with https://.",),),
    ),
    "InvalidOption": ErrorDescription(
        "Invalid option",
        "An option is outside its range, or a message is malformed.",
        _CHECK,
    ),
    "UnsupportedRole": ErrorDescription(
        "The model cannot do that",
        "The model, or the server behind the address, cannot do what was asked.",
        (("Use a model made for it; the message names what this one can do.",),),
    ),
    "MissingToken": ErrorDescription(
        "No token found",
        "This endpoint needs a token, and there is none in the entry, the environment "
        "or the token file.",
        (("Run `bytebuddy-hf login`, or set HF_API_KEY.",),),
    ),
    "InvalidToken": ErrorDescription(
        "That is no token",
        "What was found has spaces, line breaks or other characters in it.",
        (("Copy it again from {tokens}",),),
    ),
    "Overloaded": ErrorDescription(
        "Too many are waiting",
        "More calls wait here than maxQueue allows.",
        (("Send fewer at once, or raise requestOptions.maxQueue.",),),
    ),
    "ColdStartTimeout": ErrorDescription(
        "Not ready in time",
        "The model did not become ready within coldStartTimeout.",
        (("Raise requestOptions.coldStartTimeout, or try again later.",),),
    ),
    "CallTimeout": ErrorDescription("Out of time", "The call took too long.", _AGAIN),
    "ConnectTimeout": ErrorDescription(
        "No connection in time",
        "The server did not accept a connection within connectTimeout.",
        (("Check the address, the network and the proxy.",),),
    ),
    "FirstByteTimeout": ErrorDescription(
        "No first byte in time",
        "The answer did not begin within firstByteTimeout.",
        (("Raise requestOptions.firstByteTimeout, or ask for fewer tokens.",),),
    ),
    "DeadlineExceeded": ErrorDescription(
        "The deadline passed",
        "The whole call took longer than its timeout.",
        (("Stream, ask for fewer tokens, or raise requestOptions.timeout.",),),
    ),
    "IdleTimeout": ErrorDescription(
        "The stream fell silent",
        "No byte came for idleTimeout; the text before is kept in partial.",
        _AGAIN,
    ),
    "NoDataTimeout": ErrorDescription(
        "Signs of life, no data",
        "The stream sent keep-alives and no text for too long.",
        _AGAIN,
    ),
    "ConnectionFailed": ErrorDescription(
        "No connection", "The server cannot be reached.", _BASE
    ),
    "ConnectionRefused": ErrorDescription(
        "Connection refused",
        "The machine is there, and nothing listens at that port.",
        (("Start the server, or correct the port in apiBase.",),),
    ),
    "HostUnreachable": ErrorDescription(
        "No way to the host",
        "The network, or the VPN, does not lead to that address.",
        (("Check the network, and whether only a proxy leads out.",),),
    ),
    "HostNotFound": ErrorDescription("No such host", "The name does not exist.", _BASE),
    "HostLookupFailed": ErrorDescription(
        "The name could not be looked up",
        "The name service did not answer; the name may well exist.",
        (("Check the network connection and try again.",),),
    ),
    "TlsFailed": ErrorDescription(
        "No secure connection",
        "The certificate or the handshake was refused.",
        (("Check whether apiBase should begin with http:// or https://.",),),
    ),
    "CertificateExpired": ErrorDescription(
        "The certificate is out of date",
        "The server's certificate has expired, or this machine's clock is wrong.",
        (("Check the clock; otherwise the server needs a new certificate.",),),
    ),
    "CertificateForOtherHost": ErrorDescription(
        "A certificate for another host",
        "The server showed a certificate that does not name the host in apiBase.",
        (("Use the name in the certificate as apiBase's host.",),),
    ),
    "UnknownAuthority": ErrorDescription(
        "An unknown authority",
        "The certificate is self-signed, or signed by nobody this machine trusts.",
        _AUTHORITY,
    ),
    "ClientCertificateNeeded": ErrorDescription(
        "A client certificate is needed",
        "The server wants a certificate from this side.",
        (("Name it in requestOptions.clientCertificate.",),),
    ),
    "ClientCertificateRefused": ErrorDescription(
        "The client certificate was refused",
        "The server did not accept the certificate of this side.",
        (("Check requestOptions.clientCertificate with the server's owner.",),),
    ),
    "ProxyFailed": ErrorDescription(
        "No way through the proxy",
        "The proxy cannot be reached, or does not let this through.",
        (("Check requestOptions.proxy and HTTPS_PROXY.",),),
    ),
    "ProxyAuthenticationFailed": ErrorDescription(
        "The proxy wants to know who you are",
        "The proxy refused the user name and password, or got none.",
        (("Write them into the proxy's URL: USER:PASSWORD@ before the host.",),),
    ),
    "ConnectionLost": ErrorDescription(
        "The connection broke", "It ended before the answer was whole.", _AGAIN
    ),
    "ResponseError": ErrorDescription(
        "An unusable answer", "An answer came, and cannot be used.", _BASE
    ),
    "MalformedResponse": ErrorDescription(
        "Not what the protocol says",
        "The answer has another form than this protocol's: often a page of a proxy.",
        _BASE,
    ),
    "ResponseTooLarge": ErrorDescription(
        "Too large an answer",
        "The answer exceeds what this client reads.",
        (("Ask for less at once.",),),
    ),
    "StreamInterrupted": ErrorDescription(
        "The stream broke off",
        "It ended without its end mark; the text before is kept in partial.",
        _AGAIN,
    ),
    "ApplyFailed": ErrorDescription(
        "The change could not be applied",
        "A part of the suggestion has no place in the text; nothing was changed.",
        (("Ask for a unified diff or for the whole file, and apply that.",),),
    ),
    "StreamFailed": ErrorDescription(
        "An error inside the stream",
        "The server began to answer and then reported an error.",
        _AGAIN,
    ),
}
