"""English: what each error means that arose on this side, or on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.entry import Words

_CHECK: Final = (("Run `bytebuddy-hf config check`.",),)
_AGAIN: Final = (("Try again.",),)
_BASE: Final = (("Check apiBase.",),)
_AUTHORITY: Final = (
    ("Name your company's or server's authority in requestOptions.caBundlePath.",),
)

HERE: Final[Mapping[str, Words]] = {
    "ByteBuddyError": Words("An error", "Something went wrong.", _AGAIN),
    "ConfigError": Words("The configuration", "A file is wrong.", _CHECK),
    "ConfigNotFound": Words(
        "No such file",
        "The configuration file that was named cannot be read.",
        (("Begin one: `bytebuddy-hf config init`.",),),
    ),
    "ConfigInvalid": Words(
        "The configuration has errors",
        "Each is listed with its file, line and column.",
        _CHECK,
    ),
    "UnsetVariable": Words(
        "A variable is not set",
        "An entry of the configuration names an environment variable without a value.",
        (("Set {variable}.",), _CHECK[0]),
    ),
    "UntrustedProject": Words(
        "The project is not trusted",
        "A file of this folder wants a key sent somewhere you have not agreed to.",
        (("Read the file; to agree: `bytebuddy-hf config trust`.",),),
    ),
    "RegistryError": Words("The models", "What was asked for is not there.", _CHECK),
    "UnknownName": Words("No such name", "Nothing has that name.", _CHECK),
    "UnknownModel": Words(
        "No such entry",
        "No entry of the configuration has that name.",
        (("List them: `bytebuddy-hf models`.",),),
    ),
    "UnknownProvider": Words(
        "Provider not installed",
        "An entry names a provider that no installed plugin offers.",
        (("Install its package, or correct the entry's provider.",),),
    ),
    "NoModelForRole": Words(
        "Nobody in that role",
        "No entry of the configuration carries that role.",
        (("Add the role to an entry's roles.",),),
    ),
    "ProviderFailed": Words(
        "A provider failed",
        "A plugin's own code raised an error while it opened an entry.",
        (("Tell its authors; --debug shows where.",),),
    ),
    "Closed": Words(
        "Already closed",
        "The model, registry or runtime was used after its end.",
        (("Keep it open (async with) for as long as it is used.",),),
    ),
    "RequestError": Words("Not sent", "The request was refused here.", _AGAIN),
    "InvalidModelId": Words(
        "Not a model id",
        "The id has characters or a form that no model has.",
        (("Write it as on huggingface.co: owner/name.",),),
    ),
    "InvalidEndpoint": Words(
        "Not a usable address", "apiBase is no http or https URL.", _BASE
    ),
    "InsecureEndpoint": Words(
        "The token would travel in the open",
        "Plain http to another machine can be read on the way.",
        (("Write apiBase with https://.",),),
    ),
    "InvalidOption": Words(
        "Invalid option",
        "An option is outside its range, or a message is malformed.",
        _CHECK,
    ),
    "UnsupportedRole": Words(
        "The model cannot do that",
        "The model, or the server behind the address, cannot do what was asked.",
        (("Use a model made for it; the message names what this one can do.",),),
    ),
    "MissingToken": Words(
        "No token found",
        "This endpoint needs a token, and there is none in the entry, the environment "
        "or the token file.",
        (("Run `bytebuddy-hf login`, or set HF_API_KEY.",),),
    ),
    "InvalidToken": Words(
        "That is no token",
        "What was found has spaces, line breaks or other characters in it.",
        (("Copy it again from {tokens}",),),
    ),
    "Overloaded": Words(
        "Too many are waiting",
        "More calls wait here than maxQueue allows.",
        (("Send fewer at once, or raise requestOptions.maxQueue.",),),
    ),
    "ColdStartTimeout": Words(
        "Not ready in time",
        "The model did not become ready within coldStartTimeout.",
        (("Raise requestOptions.coldStartTimeout, or try again later.",),),
    ),
    "CallTimeout": Words("Out of time", "The call took too long.", _AGAIN),
    "ConnectTimeout": Words(
        "No connection in time",
        "The server did not accept a connection within connectTimeout.",
        (("Check the address, the network and the proxy.",),),
    ),
    "FirstByteTimeout": Words(
        "No first byte in time",
        "The answer did not begin within firstByteTimeout.",
        (("Raise requestOptions.firstByteTimeout, or ask for fewer tokens.",),),
    ),
    "DeadlineExceeded": Words(
        "The deadline passed",
        "The whole call took longer than its timeout.",
        (("Stream, ask for fewer tokens, or raise requestOptions.timeout.",),),
    ),
    "IdleTimeout": Words(
        "The stream fell silent",
        "No byte came for idleTimeout; the text before is kept in partial.",
        _AGAIN,
    ),
    "NoDataTimeout": Words(
        "Signs of life, no data",
        "The stream sent keep-alives and no text for too long.",
        _AGAIN,
    ),
    "ConnectionFailed": Words("No connection", "The server cannot be reached.", _BASE),
    "ConnectionRefused": Words(
        "Connection refused",
        "The machine is there, and nothing listens at that port.",
        (("Start the server, or correct the port in apiBase.",),),
    ),
    "HostUnreachable": Words(
        "No way to the host",
        "The network, or the VPN, does not lead to that address.",
        (("Check the network, and whether only a proxy leads out.",),),
    ),
    "HostNotFound": Words("No such host", "The name does not exist.", _BASE),
    "HostLookupFailed": Words(
        "The name could not be looked up",
        "The name service did not answer; the name may well exist.",
        (("Check the network connection and try again.",),),
    ),
    "TlsFailed": Words(
        "No secure connection",
        "The certificate or the handshake was refused.",
        (("Check whether apiBase should begin with http:// or https://.",),),
    ),
    "CertificateExpired": Words(
        "The certificate is out of date",
        "The server's certificate has expired, or this machine's clock is wrong.",
        (("Check the clock; otherwise the server needs a new certificate.",),),
    ),
    "CertificateForOtherHost": Words(
        "A certificate for another host",
        "The server showed a certificate that does not name the host in apiBase.",
        (("Use the name in the certificate as apiBase's host.",),),
    ),
    "UnknownAuthority": Words(
        "An unknown authority",
        "The certificate is self-signed, or signed by nobody this machine trusts.",
        _AUTHORITY,
    ),
    "ClientCertificateNeeded": Words(
        "A client certificate is needed",
        "The server wants a certificate from this side.",
        (("Name it in requestOptions.clientCertificate.",),),
    ),
    "ClientCertificateRefused": Words(
        "The client certificate was refused",
        "The server did not accept the certificate of this side.",
        (("Check requestOptions.clientCertificate with the server's owner.",),),
    ),
    "ProxyFailed": Words(
        "No way through the proxy",
        "The proxy cannot be reached, or does not let this through.",
        (("Check requestOptions.proxy and HTTPS_PROXY.",),),
    ),
    "ProxyAuthenticationFailed": Words(
        "The proxy wants to know who you are",
        "The proxy refused the user name and password, or got none.",
        (("Write them into the proxy's URL: USER:PASSWORD@ before the host.",),),
    ),
    "ConnectionLost": Words(
        "The connection broke", "It ended before the answer was whole.", _AGAIN
    ),
    "ResponseError": Words(
        "An unusable answer", "An answer came, and cannot be used.", _BASE
    ),
    "MalformedResponse": Words(
        "Not what the protocol says",
        "The answer has another form than this protocol's: often a page of a proxy.",
        _BASE,
    ),
    "ResponseTooLarge": Words(
        "Too large an answer",
        "The answer exceeds what this client reads.",
        (("Ask for less at once.",),),
    ),
    "StreamInterrupted": Words(
        "The stream broke off",
        "It ended without its end mark; the text before is kept in partial.",
        _AGAIN,
    ),
    "ApplyFailed": Words(
        "The change could not be applied",
        "A part of the suggestion has no place in the text; nothing was changed.",
        (("Ask for a unified diff or for the whole file, and apply that.",),),
    ),
    "StreamFailed": Words(
        "An error inside the stream",
        "The server began to answer and then reported an error.",
        _AGAIN,
    ),
}
