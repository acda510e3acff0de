"""One way to each error class, with the canary as the key in use."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from unittest import mock

from security.echoing import FORMS
from security.provoking import (
    CANARY,
    ENTRY,
    KEY,
    Trigger,
    World,
    at,
    configuration,
    environment,
    model_at,
    opening,
    project,
    said,
    status,
    stream,
)
from security.writing import WRITING
from servers.http_proxy import HttpProxy
from servers.tls import Authority, chat_server, expired

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.cli.login import whoami
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.opening import open_entry, open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.values import (
    Budget,
    BudgetOptions,
    ClientCertificate,
    ModelEntry,
    RequestOptions,
)
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.plugins.protocols import OpenContext
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.transport.pool import NameLookups, open_http_client


async def _closed(_world: World) -> object:
    model = open_model("a/b", api_key=KEY)
    await model.aclose()
    return await model.chat("a")


async def _not_awaited(_world: World) -> object:
    async with open_model("a/b", api_key=KEY) as model:
        call = model.chat("a")
        try:
            return call.text  # type: ignore[attr-defined]  # the mistake
        finally:
            call.close()


async def _budget(world: World) -> object:
    async def answer(_request: FakeRequest) -> FakeReply:
        return chat_reply("fine")

    async with serve(answer) as url:
        entry = ModelEntry(
            name="m",
            provider=PROVIDER,
            model="m",
            api_key=KEY,
            api_base=f"{url}/v1",
            budgets=(Budget("m", BudgetOptions(calls=1, hard=True)),),
        )
        context = OpenContext(
            source=entry.source,
            trusted=True,
            state_dir=world.folder,
            cache_dir=world.folder,
            log=logging.getLogger("tests"),
            clock=lambda: 0.0,
            ledger=True,
        )
        async with open_entry(entry, context) as model:
            await model.chat("a")
            return await model.chat("a")


async def _other_kind(_world: World) -> object:
    async with open_model(
        "google-bert/bert-base-uncased", api_key=KEY, api_base="http://127.0.0.1:9/v1"
    ) as model:
        return await model.chat("a")


async def _not_applied(_world: World) -> object:
    async def handler(_request: FakeRequest) -> FakeReply:
        return chat_reply("I cannot do that.")

    async with model_at(handler) as model:
        return await model.apply("x = 1\ny = 2\nx = 1\n", "x = 3")


async def _doubtful(_world: World) -> object:
    kept = "def a(x):\n    return x\n"

    async def handler(_request: FakeRequest) -> FakeReply:
        return chat_reply(f"```python\n{kept}```")

    async with model_at(handler) as model:
        gone = "\n\ndef b(x):\n    return x + 1\n"
        return await model.edit(kept + gone, "be polite", path="x.py")


async def _queue_full(_world: World) -> object:
    async def slow(_request: FakeRequest) -> FakeReply:
        return FakeReply(delay=60)

    options = RequestOptions(max_concurrency=1, max_queue=1)
    async with model_at(slow, options) as model:
        tasks = [asyncio.create_task(_chat(model)) for _ in range(2)]
        await asyncio.sleep(0.05)
        try:
            return await model.chat("a")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _chat(model: HuggingFaceModel) -> object:
    return await model.chat("a")


async def _job_ended(_world: World) -> object:
    async def handler(request: FakeRequest) -> FakeReply:
        return FakeReply(410, {}, said(request).encode())

    base = "https://6a2b--8000.hf.jobs/v1"
    runtime = Runtime(connect=MemoryConnect(handler))
    async with open_model("m", api_key=KEY, api_base=base, runtime=runtime) as model:
        return await model.chat("a")


def _not_connected(code: int) -> Trigger:
    async def trigger(_world: World) -> object:
        loop = asyncio.get_running_loop()

        async def refuse(*_args: object) -> None:
            raise OSError(code, os.strerror(code))

        loop.sock_connect = refuse  # type: ignore[method-assign]  # this loop ends with the test
        options = RequestOptions(max_attempts=1)
        async with open_model(
            "m", api_key=KEY, api_base="http://127.0.0.1:9", request_options=options
        ) as model:
            return await model.chat("a")

    return trigger


async def _stranger(_world: World) -> object:
    async def handler(request: FakeRequest) -> FakeReply:
        return FakeReply(401, {}, said(request).encode())

    async with serve(handler) as url:
        return await whoami(KEY, hub=url, connect=open_http_client)


async def opened_without_a_key(_world: World) -> object:
    """Call a server that wants a key, with the canary in a header instead."""

    async def handler(request: FakeRequest) -> FakeReply:
        return FakeReply(401, {}, str(request.headers.get("x-key")).encode())

    options = RequestOptions(headers={"x-key": KEY})
    async with (
        serve(handler) as url,
        open_model("m", api_base=url, request_options=options, env={}) as model,
    ):
        return await model.chat("a")


async def _anonymous(_world: World) -> object:
    body = KEY.scrub(f"Please log in, {CANARY}")
    raise classify(429, {}, body.encode(), resolve("a/b"))


async def _sent_on(_world: World) -> object:
    async def handler(request: FakeRequest) -> FakeReply:
        return FakeReply(302, {"location": f"https://h.example/?{said(request)}"})

    async with model_at(handler) as model:
        return await model.chat("a")


async def _loading(_world: World) -> object:
    body = KEY.scrub(f'{{"error":"loading for {CANARY}","estimated_time":1}}')
    raise classify(503, {}, body.encode(), resolve("a/b"))


async def _silent(request: FakeRequest) -> FakeReply:
    reply = chat_stream([said(request)])
    return FakeReply(200, reply.headers, reply.content, stall=10)


async def _pings(_request: FakeRequest) -> FakeReply:
    pieces = [*chat_stream(["a"]).body[:2], *[b": ping\n\n"] * 50]
    return FakeReply(
        200, {"content-type": "text/event-stream"}, pieces, gap=0.02, ending="chunked"
    )


async def _pings_only(_world: World) -> object:
    options = RequestOptions(no_data_timeout=0.2)
    async with model_at(_pings, options) as model, model.chat("a") as events:
        return [event async for event in events]


async def _lookup_fails(_world: World) -> object:
    async def fail(*_args: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

    options = RequestOptions(max_attempts=1)
    with mock.patch.object(NameLookups, "getaddrinfo", fail):
        async with open_model(
            "m", api_key=KEY, api_base="https://h.example", request_options=options
        ) as model:
            return await model.chat("a")


async def _idle(_world: World) -> object:
    options = RequestOptions(idle_timeout=0.05)
    async with model_at(_silent, options) as model, model.chat("a") as events:
        return [event async for event in events]


async def _large(_world: World) -> object:
    async def endless(_request: FakeRequest) -> FakeReply:
        return FakeReply(200, {"content-type": "application/json"}, [b" " * 2**20] * 65)

    async with model_at(endless) as model:
        return await model.chat("a")


async def _never_connects(_world: World) -> object:
    loop = asyncio.get_running_loop()

    async def wait(*_args: object) -> None:
        await asyncio.sleep(60)

    loop.sock_connect = wait  # type: ignore[method-assign]  # this loop ends with the test
    return await at("http://127.0.0.1:9", connect_timeout=0.05)(_world)


async def _missing(world: World) -> object:
    return load(
        world.folder / "none.yaml",
        cwd=world.folder,
        home=world.folder,
        env=environment(),
    )


async def _tls(_world: World) -> object:
    async def handler(_request: FakeRequest) -> FakeReply:
        return FakeReply()

    async with serve(handler) as url:
        base = url.replace("http://", "https://")
        async with open_model("m", api_key=KEY, api_base=base) as model:
            return await model.chat("a")


def certified(
    server: Callable[[Authority], ssl.SSLContext], *, client: bool = False
) -> Trigger:
    """Trigger by a server's TLS; its authority is known, a stranger's client is not."""

    async def trigger(world: World) -> object:
        authority = Authority(world.folder)
        certificate = None
        if client:
            paper = Authority(world.folder, "stranger").client(passphrase=CANARY)
            certificate = ClientCertificate(paper.cert, paper.key, KEY)
        options: dict[str, object] = {
            "ca_bundle_path": (authority.bundle,),
            "client_certificate": certificate,
        }
        with chat_server(server(authority)) as port:
            return await at(f"https://127.0.0.1:{port}", **options)(world)

    return trigger


async def _unknown_authority(world: World) -> object:
    with chat_server(Authority(world.folder).server()) as port:
        return await at(f"https://127.0.0.1:{port}")(world)


async def _proxy_down(world: World) -> object:
    return await _through(RequestOptions(proxy=_address(world.free_port)))


async def _proxy_wants_another(_world: World) -> object:
    async with HttpProxy(user="user", password="other").serve() as proxy:
        port = proxy.port
        # It notes what it was sent, and would show it among the local variables.
        del proxy
        return await _through(RequestOptions(proxy=_address(port)))


def _address(port: int) -> str:
    return f"http://user:{CANARY}@127.0.0.1:{port}"


async def _through(options: RequestOptions) -> object:
    async with open_model(
        "m", api_key=KEY, api_base="https://h.example", request_options=options, env={}
    ) as model:
        return await model.chat("a")


def _error_event(said: str) -> FakeReply:
    return FakeReply(
        200,
        {"content-type": "text/event-stream"},
        [
            b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
            f'data: {{"error":"{said}"}}\n\n'.encode(),
        ],
        gap=0.05,
        ending="chunked",
    )


def _cut(said: str) -> FakeReply:
    whole = chat_stream([said])
    return FakeReply(200, whole.headers, whole.content[:150])


TRIGGERS: Final[Mapping[type[errors.ByteBuddyError], Trigger]] = {
    **WRITING,
    errors.ConfigNotFound: _missing,
    errors.ConfigInvalid: configuration(
        ENTRY + "  defaultCompletionOptions:\n    temperature: 7\n", list
    ),
    errors.UnsetVariable: configuration(
        ENTRY.replace("CANARY", "${NOBODY_SET_THIS}"), lambda r: r["x"]
    ),
    errors.UntrustedProject: project(
        ENTRY + "  apiBase: https://evil.example\n", lambda r: r["x"]
    ),
    errors.UnknownModel: configuration(ENTRY, lambda r: r["y"]),
    errors.UnknownProvider: configuration(
        ENTRY.replace("broken", "nobody"), lambda r: r["x"]
    ),
    errors.NoModelForRole: configuration(ENTRY, lambda r: r.for_role("embed")),
    errors.ProviderFailed: configuration(ENTRY, lambda r: r["x"]),
    errors.Closed: _closed,
    errors.NotAwaited: _not_awaited,
    errors.InvalidModelId: opening("../x"),
    errors.InvalidEndpoint: opening(api_base="https://user:pass@h.example"),
    errors.InsecureEndpoint: opening(api_base="http://h.example"),
    errors.InvalidOption: at("https://127.0.0.1:9", ca_bundle_path=("/none.pem",)),
    errors.MissingToken: opening(api_key=None),
    errors.InvalidToken: opening(api_key=Secret(f"{CANARY} with a space")),
    errors.UnsupportedRole: _other_kind,
    errors.Overloaded: _queue_full,
    errors.BudgetExceeded: _budget,
    errors.BadRequest: status(400),
    errors.InputRefused: status(400, '{{"error":["Error in `inputs`: {said}"]}}'),
    errors.ModelNotSupported: status(
        400, '{{"error":"not supported by any provider {said}"}}'
    ),
    errors.RouteNotSupported: status(
        400, '{{"error":"not supported by provider x {said}"}}'
    ),
    errors.ModelTooLarge: status(403, '{{"error":"too large to be loaded {said}"}}'),
    errors.EndpointPaused: status(400, '{{"error":"The endpoint is paused {said}"}}'),
    errors.AuthenticationFailed: _stranger,
    errors.TokenInvalid: status(401),
    errors.TokenMissing: opened_without_a_key,
    errors.QuotaExhausted: status(402),
    errors.PermissionDenied: status(403),
    errors.MissingPermission: status(403, "no sufficient permissions, {said}"),
    errors.GatedPermission: status(403, "public gated repositories, {said}"),
    errors.GatedModel: status(403, "Access is restricted, {said}"),
    errors.AccessPending: status(403, "awaiting a review, {said}"),
    errors.OrganizationPolicy: status(403, "the organization token policy, {said}"),
    errors.TokenRevoked: status(403, "revoked by the organization, {said}"),
    errors.ProOnly: status(400, "requires a Pro subscription, {said}"),
    errors.ModelDisabled: status(403, "Access to this resource is disabled, {said}"),
    errors.ModelNotFound: status(404, "no such model, {said}"),
    errors.WrongServedModel: status(404, "The model `x` does not exist: {said}"),
    errors.RouteNotFound: status(404, "{said}"),
    errors.ServiceRetired: status(410),
    errors.JobEnded: _job_ended,
    errors.RequestTooLarge: status(413),
    errors.BatchTooLarge: status(413, "33 > maximum allowed batch size 32, {said}"),
    errors.UnprocessableRequest: status(422, '{{"detail":[{{"msg":"{said}"}}]}}'),
    errors.ContextTooLong: status(400, "maximum context length is 9, {said}"),
    errors.ParameterRefused: status(400, "Unknown parameter: 'x', {said}"),
    errors.StreamingNotSupported: status(400, "`stream` is not supported, {said}"),
    errors.BodyRefused: status(422, "missing field `inputs`, {said}"),
    errors.TemplateMissing: status(422, "template not found, {said}"),
    errors.TemplateFailed: status(422, "Template error: {said}"),
    errors.ToolsRefused: status(422, "Tool error: {said}"),
    errors.ImagesNotSupported: status(500, "image input is not supported, {said}"),
    errors.GenerationFailed: status(424),
    errors.OutOfMemory: status(424, "CUDA out of memory, {said}"),
    errors.OutputRejected: status(500, "output that does not match, {said}"),
    errors.RateLimited: status(429),
    errors.AnonymousLimit: _anonymous,
    errors.ModelOverloaded: status(429, "Model is overloaded, {said}"),
    errors.UnexpectedStatus: status(300),
    errors.Redirected: _sent_on,
    errors.ServerError: status(500, "<html><title>{said}</title></html>"),
    errors.ServerUnhealthy: status(503, "unhealthy, {said}"),
    errors.ServerBusy: status(500, "too busy, unable to get response, {said}"),
    errors.PipelineFailed: status(500, '{{"error":"unknown error: {said}"}}'),
    errors.GenerationIncomplete: status(500, "Incomplete generation, {said}"),
    errors.BadGateway: status(502),
    errors.ModelLoading: _loading,
    errors.ServerOverloaded: status(503, '{{"error":"overloaded {said}"}}'),
    errors.GatewayTimeout: status(504),
    errors.ColdStartTimeout: status(
        503, '{{"error":"loading {said}","estimated_time":9999}}'
    ),
    errors.ConnectTimeout: _never_connects,
    errors.DeadlineExceeded: stream(lambda _said: FakeReply(delay=60), timeout=0.05),
    errors.IdleTimeout: _idle,
    errors.NoDataTimeout: _pings_only,
    errors.FirstByteTimeout: stream(
        lambda _said: FakeReply(delay=60), first_byte_timeout=0.05
    ),
    errors.HostLookupFailed: _lookup_fails,
    errors.ConnectionFailed: _not_connected(errno.EADDRNOTAVAIL),
    errors.HostUnreachable: _not_connected(errno.ENETUNREACH),
    errors.ConnectionRefused: at("http://127.0.0.1:{port}"),
    errors.HostNotFound: at("https://no-such-host.invalid"),
    errors.TlsFailed: _tls,
    errors.CertificateExpired: certified(lambda ca: ca.server(ends=expired())),
    errors.CertificateForOtherHost: certified(lambda ca: ca.server("h.example")),
    errors.UnknownAuthority: _unknown_authority,
    errors.ClientCertificateNeeded: certified(lambda ca: ca.wanting_clients()),
    errors.ClientCertificateRefused: certified(
        lambda ca: ca.wanting_clients(), client=True
    ),
    errors.ProxyFailed: _proxy_down,
    errors.ProxyAuthenticationFailed: _proxy_wants_another,
    errors.ConnectionLost: stream(lambda _said: FakeReply(dropped=True)),
    errors.MalformedResponse: status(200, "<html>{said}</html>"),
    errors.ResponseTooLarge: _large,
    errors.StreamInterrupted: stream(_cut),
    errors.StreamFailed: stream(_error_event),
    errors.ApplyFailed: _not_applied,
    errors.EditDoubtful: _doubtful,
}

# Those whose server says what it was sent: in every form that is known of servers.
ECHOING: Final[Mapping[type[errors.ByteBuddyError], Trigger]] = {
    kind: trigger
    for kind, trigger in TRIGGERS.items()
    if getattr(trigger, "__qualname__", "").startswith(("status.", "stream."))
}

# A block that lost its indentation is printed as it should be, and the key with it.
_FLAT: Final = "models:\n- name: x\nprovider: broken\nmodel: a/b\nroles: [chat]\n{}\n"
MISPLACED: Final[Mapping[str, Trigger]] = {
    line: configuration(_FLAT.format(line), list)
    for line in (
        *("apiKey: CANARY", "apikey: CANARY", "api_key: CANARY", "apiKye: CANARY"),
        *("token: CANARY", "# apiKey: CANARY", "# it was CANARY", "CANARY: x"),
        *("requestOptions:\nheaders:\nX-Any: CANARY", "apiKey: >-\nCANARY"),
        *("requestOptions:\nheaders: {X-Any: CANARY}", "env:\nANY: CANARY"),
        *("apiBase: https://u:CANARY@h.example", "roles: [chat]  # CANARY"),
        *("apiBase: https://h.example?code=CANARY", 'apiKey: "a\nCANARY"'),
    )
}

# Providers of others, and what they make of the key in their own errors.
FOREIGN: Final[Mapping[str, Trigger]] = {
    form: configuration(ENTRY.replace("a/b", f"a/{number}"), lambda r: r["x"])
    for number, form in enumerate(FORMS)
}
