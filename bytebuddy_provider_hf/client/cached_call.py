"""Give kept answers again: which requests are looked up, and which answers are kept.

What is kept is what the server sent, byte for byte; it is read anew by the plan of
whoever asks, so that stop texts and the judging of edits are that call's own. A
request's key stands for all that decides its answer: who asks, who pays, where, which
model of which revision, and the body, its JSON in one form.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec
from attrs import define, evolve, field

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.client.endpoint import SESSION_ID, Endpoint
from bytebuddy_provider_hf.client.served import PROVIDER_HEADER, read_provider
from bytebuddy_provider_hf.config.values import CacheOptions, ModelEntry
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.json_cost import USUAL, JsonBound
from bytebuddy_provider_hf.money import Cost
from bytebuddy_provider_hf.outcomes import Embeddings, GeneratedText, Scores, TaskReply
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.answers_file import KeptValue
from bytebuddy_provider_hf.storage.result_cache import ResultCache, open_result_cache
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.types import CacheUse, Choice, Reply, Role, Served, Usage
from bytebuddy_provider_hf.wire.server import Server

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.attempts import Sent
    from bytebuddy_provider_hf.client.plan import AnyReply, Draws
    from bytebuddy_provider_hf.client.runtime import LoopState
    from bytebuddy_provider_hf.transport.http_client import Response

# Another number drops what was kept under other rules.
_VERSION: Final = b"bytebuddy answers 1"
_MEGABYTE: Final = 1_000_000
_USUAL_SIZE: Final = 256
# Bytes of one answer: what is longer is read as always, and not kept.
LARGEST: Final = 4 * 1024 * 1024
_PIECE: Final = 64 * 1024
# What of an answer's headers a reply is made of. Those of its bill are left: an answer
# that is given again costs nothing.
_HEADERS: Final = ("content-type", "x-request-id", PROVIDER_HEADER)
_GOOD: Final = 200
NOTHING_USED: Final = Usage(0, 0, 0, 0, 0)
_COMPLETE: Final = frozenset({"stop", "length", "tool_calls"})
_FREE: Final = Cost(estimated=0)
# llama.cpp draws a seed of its own for -1, which is this as 32 bits without a sign.
_RANDOM_SEED: Final = 2**32 - 1
# Roles whose answers are vectors and scores.
_COMPUTED: Final = frozenset({Role.EMBED, Role.RERANK})
# Routes of one server, each whole and streamed.
_MOST_KINDS: Final = 64
# Seconds that a call waits for one that reads the same stream and does not read on.
_PATIENCE: Final = 1.0

_decode: Final = msgspec.json.Decoder().decode
_decode_head: Final = msgspec.json.Decoder(dict[str, str]).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class KeptResponse:
    """Replay an answer as the server sent it; it is the transport's ``Response``."""

    def __init__(self, headers: Mapping[str, str], body: bytes, at: float) -> None:
        self.status = _GOOD
        self.headers = headers
        self.body = body
        self.at = at

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, others having their turn between two of them."""
        for start in range(0, len(self.body), _PIECE):
            if start:
                await asyncio.sleep(0)
            yield self.body[start : start + _PIECE]

    async def read(self, limit: int, bound: JsonBound = USUAL) -> bytes:
        """Return the whole body; raises ``ResponseTooLarge``."""
        del limit  # what is kept is smaller
        # Others may write the file that it comes from.
        bound.begin().feed(self.body)
        return self.body

    def abort(self, error: Exception) -> None:
        """Do nothing: no read can last."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def pack(self) -> bytes:
        """Return it as one value for the storage."""
        return b"%s\n%s" % (_encode(self.headers), self.body)

    @classmethod
    def unpack(cls, kept: KeptValue) -> KeptResponse | None:
        """Return the answer in a value, ``None`` for what is none."""
        head, found, body = kept.value.partition(b"\n")
        try:
            return cls(_decode_head(head), body, kept.at) if found else None
        except msgspec.MsgspecError:
            return None


class RecordedResponse:
    """Pass an answer on as it comes, and keep a copy of its bytes up to a size."""

    def __init__(self, response: Response) -> None:
        self._inner = response
        self.status = response.status
        self.headers = response.headers
        self._pieces: list[bytes] = []
        self._size = 0
        # None where it is too large, or broke.
        self.is_whole = True
        self._streamed = False

    @property
    def body(self) -> bytes | None:
        """What came, ``None`` where it is not worth keeping."""
        return b"".join(self._pieces) if self.is_whole else None

    def chunks(self) -> RecordedResponse:
        """Return the body, chunk by chunk, as it arrives."""
        self._streamed = True
        self._chunks = aiter(self._inner.chunks())
        return self

    def __aiter__(self) -> RecordedResponse:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
        except ByteBuddyError:
            self.is_whole = False
            raise
        self._add(chunk)
        return chunk

    async def read(self, limit: int, bound: JsonBound = USUAL) -> bytes:
        """Return the whole body, or what is left of a stream."""
        body = await self._inner.read(limit, bound)
        if not self._streamed:
            self._add(body)
        return body

    def abort(self, error: Exception) -> None:
        """Make the read under way raise ``error``."""
        self._inner.abort(error)

    def close(self) -> None:
        """Give the connection back."""
        self._inner.close()

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LARGEST:
            self.is_whole = False
            self._pieces.clear()
        elif self.is_whole:
            self._pieces.append(piece)


@define(eq=False)
class Flight:
    """A request under way whose answer others wait for.

    The answer is ``None`` where it cannot be shared; cancelled: whoever asked left.
    ``held_since`` is when its reader got events and did not ask for more yet.
    """

    answer: asyncio.Future[KeptValue | None]
    held_since: float | None = None


@define(eq=False)
class ModelCache:
    """Say what is kept of a model's answers, and where."""

    endpoint: Endpoint
    options: CacheOptions
    store: ResultCache
    # A digest of what its requests have in common; copied for each.
    common: hashlib._Hash = field(repr=False)
    uses: dict[CacheUse | None, ModelCache] = field(init=False, factory=dict)
    # What requests of one kind have in common beyond that, for one server.
    _kinds: dict[object, hashlib._Hash] = field(init=False, factory=dict)
    _server: Server | None = field(init=False, default=None)

    @classmethod
    def of(cls, endpoint: Endpoint, options: CacheOptions, folder: Path) -> ModelCache:
        """Return the cache of a model in a folder."""
        return cls(endpoint, options, open_result_cache(folder), _common(endpoint))

    def used_as(self, use: CacheUse | None) -> ModelCache:
        """Return it as one call wants it; ``None``: as its entry says."""
        made = self.uses.get(use)
        if made is None:
            options = self.options
            mode = options.mode if options.mode != "off" else "on"
            if use in ("on", "all"):
                options = evolve(options, mode=use, access="read_write")
            elif use in ("read_only", "write_only"):
                options = evolve(options, mode=mode, access=use)
            made = self.uses[use] = evolve(self, options=options)
        return made

    def call(self, state: LoopState, *, may_wait: bool) -> CachedCall:
        """Return what looks one call up; ``may_wait``: for the same one under way."""
        return CachedCall(self, state, may_wait=may_wait)

    @property
    def reads(self) -> bool:
        """Whether kept answers are given."""
        return self.options.access != "write_only"

    def key(self, sent: Sent[Any]) -> bytes | None:
        """Return the key of a request, ``None`` for one whose answer is not kept."""
        request, server = sent.plan.http_request, sent.server
        try:
            body = _decode(request.body)
        except (msgspec.DecodeError, RecursionError):
            return None
        if self.options.mode == "on" and not is_repeatable(body, sent.planner.draws):
            return None
        canonical = _encode(body)
        # Of a name that was written twice one is lost: then only the same bytes are the
        # same.
        exact = len(canonical) != len(request.body)
        kind = (request.url, request.method, request.accept, request.headers, exact)
        if server is not self._server:
            self._server, self._kinds = server, {}
        found = self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            found = self._kinds[kind] = self.common.copy()
            model = (server.model, server.loaded_model, server.revision)
            # Texts and numbers: no two of them are written alike.
            told = repr((server.name, server.version, model, kind)).encode()
            found.update(b"%d:%s" % (len(told), told))
        found = found.copy()
        found.update(request.body if exact else canonical)
        return found.digest()


class CachedCall:
    """Look one call up, wait for the same one under way, and keep its answer."""

    def __init__(self, cache: ModelCache, state: LoopState, *, may_wait: bool) -> None:
        self._cache = cache
        self._state = state
        self._may_wait = may_wait
        self._sent: Sent[Any] | None = None
        self._key: bytes | None = None
        self._flight: Flight | None = None
        self._recorded: RecordedResponse | None = None
        self._is_new = False
        # The answer that is given again.
        self.kept: KeptResponse | None = None

    def recall(self, sent: Sent[Any]) -> KeptResponse | None:
        """Return a kept answer to a request that is in memory."""
        self._is_new = self._turn_to(sent) and self._cache.reads
        if not self._is_new or self._key is None:
            return None
        max_age = self._cache.options.max_age
        return self._give(self._cache.store.recall(self._key, max_age=max_age))

    async def find(self) -> KeptResponse | None:
        """Return a kept answer to the request, or that of the same one under way.

        Each request that a call has is looked up once.
        """
        key = self._key
        if not self._is_new or key is None:
            return None
        kept = await self._from_others(key)
        if kept is None:
            self._lead()
            max_age = self._cache.options.max_age
            kept = await self._cache.store.find(key, max_age=max_age)
            if kept is not None:
                self._land(kept)
        return self._give(kept)

    def _give(self, kept: KeptValue | None) -> KeptResponse | None:
        self.kept = None if kept is None else KeptResponse.unpack(kept)
        return self.kept

    def bind(self, sent: Sent[Any]) -> None:
        """Note the request that is sent now: its answer is kept under its key."""
        self.kept = None
        if self._turn_to(sent) and self._cache.reads:
            self._lead()

    def record(self, response: Response) -> Response:
        """Return an answer that is copied while it is read, if it may be kept."""
        if self._key is None or response.status != _GOOD:
            return response
        self._recorded = RecordedResponse(response)
        return self._recorded

    def hold(self, *, held: bool) -> None:
        """Note whether the reader has events and does not ask for more."""
        if self._flight is not None:
            self._flight.held_since = self._state.loop.time() if held else None

    def accept(self, reply: AnyReply) -> bool:
        """Return whether what was kept makes a whole answer; then nothing is used."""
        if not is_whole(reply):
            return False
        if not isinstance(reply, TaskReply):
            # Made for this call, as in ``plan.finished``.
            object.__setattr__(reply, "usage", NOTHING_USED)
        return True

    def keep(self, reply: AnyReply) -> None:
        """Keep the answer that was read, where it is whole; give it to who waits."""
        recorded, key, cache = self._recorded, self._key, self._cache
        body = None if recorded is None else recorded.body
        if recorded is None or key is None or body is None or not is_whole(reply):
            return self._land(None)
        told = recorded.headers
        headers = {name: told[name] for name in _HEADERS if name in told}
        # Its end is known: a stream that was whole ends well again.
        headers["content-length"] = str(len(body))
        answer = KeptResponse(headers, body, cache.store.now())
        kept = KeptValue(answer.pack(), answer.at)
        if cache.options.access != "read_only":
            limit = (cache.options.size or _USUAL_SIZE) * _MEGABYTE
            clean = partial(_holds_no_secret, cache.endpoint, kept.value)
            cache.store.keep(key, kept, limit=limit, allowed=clean)
        return self._land(kept)

    def served(self, kept: KeptResponse, *, elapsed: float) -> Served:
        """Return how a call was served by a kept answer."""
        age = max(0.0, self._cache.store.now() - kept.at)
        provider = None
        if PROVIDER_HEADER in kept.headers:
            provider = read_provider(kept.headers, self._cache.endpoint)
        # What it once cost, and the number on that bill, are not this call's.
        return Served(provider, elapsed=elapsed, cost=_FREE, cached=age)

    def close(self, *, cancelled: bool) -> None:
        """Tell who waits that no answer comes, if none came."""
        flight = self._flight
        if flight is not None and cancelled:
            self._drop()
            flight.answer.cancel()
        self._land(None)

    def _turn_to(self, sent: Sent[Any]) -> bool:
        """Take a request for the one that is asked now; return whether it is new."""
        if sent is self._sent:
            return False
        key, self._sent = self._cache.key(sent), sent
        if key is not None and key == self._key:
            return False
        if self._flight is not None:
            # Who waits for the request before asks anew: this one is another.
            self.close(cancelled=True)
        self._key = key
        return True

    async def _from_others(self, key: bytes) -> KeptValue | None:
        """Return the answer to the same request of another call that is under way."""
        loop, flights = self._state.loop, self._state.flights
        while self._may_wait and (flight := flights.get(key)) is not None:
            await asyncio.wait((flight.answer,), timeout=_PATIENCE)
            if flight.answer.done():
                if flight.answer.cancelled():
                    continue
                return flight.answer.result()
            # Its reader may itself wait for this call.
            held = flight.held_since
            if held is not None and loop.time() - held >= _PATIENCE:
                break
        return None

    def _lead(self) -> None:
        """Let the same requests of others wait for this one."""
        key, flights = self._key, self._state.flights
        if key is not None and key not in flights:
            flights[key] = self._flight = Flight(self._state.loop.create_future())

    def _land(self, kept: KeptValue | None) -> None:
        """Give who waits the answer."""
        flight = self._flight
        if flight is not None:
            self._drop()
            flight.answer.set_result(kept)

    def _drop(self) -> None:
        self._flight = None
        if self._key is not None:
            del self._state.flights[self._key]


def is_repeatable(body: object, draws: Draws) -> bool:
    """Whether a server would answer a request the same each time, as far as it says.

    ``draws`` tells of requests that do not say: the default of a server that is asked
    for text is not known.
    """
    if draws == "never":
        return True
    if not isinstance(body, dict):
        return False
    said = dict(body)
    for name in ("parameters", "generate_parameters"):
        if isinstance(nested := said.get(name), dict):
            said |= nested
    seed, heat = said.get("seed"), said.get("temperature")
    fixed = _is_number(seed) and seed >= 0 and seed != _RANDOM_SEED
    sampled = said.get("do_sample")
    if not fixed:
        greedy = sampled is False or (_is_number(heat) and heat == 0)
        if sampled is True or not (greedy or (draws == "if asked" and heat is None)):
            return False
    return not _names_pictures(said.get("messages"))


def cache_verdict(
    entry: ModelEntry, target: Target
) -> tuple[bool, LocalizedText] | None:
    """Return whether an entry's cache keeps anything as it stands, and the sentence.

    ``None`` for an entry without one. A call may always ask otherwise.
    """
    from bytebuddy_provider_hf.wire.dialects.router import Router
    from bytebuddy_provider_hf.wire.supported_options import supported_options

    if entry.cache is None or entry.cache.mode == "off":
        return None
    if entry.cache.mode == "all":
        return True, text("cache.keeps_all")
    if {*entry.roles} <= _COMPUTED:
        return True, text("cache.keeps_scores")
    server = Router() if target.host_kind is HostKind.ROUTER else Server()
    options = supported_options(entry.default_completion_options, server, "chat")
    body = {**options.body, **entry.request_options.extra_body_properties}
    if is_repeatable(body, "by default"):
        return True, text("cache.keeps_texts")
    heat = body.get("temperature")
    if not _is_number(heat):
        return False, text("cache.keeps_no_text_unsaid")
    return False, text("cache.keeps_no_text", temperature=f"{heat:g}")


def is_whole(reply: AnyReply) -> bool:
    """Whether an answer is complete, ended for a known reason, and is not empty."""
    match reply:
        case Reply(choices=()):
            return _is_complete(reply)
        case Reply():
            return all(map(_is_complete, reply.choices))
        case Embeddings():
            return bool(reply.vectors)
        case Scores():
            return bool(reply.scores)
        case TaskReply():
            return bool(reply.groups) and all(
                bool(group)
                and not any(
                    isinstance(one, GeneratedText)
                    # A reason that is not known; most tell none at all.
                    and (
                        not one.text
                        or (one.raw_finish_reason and not one.finish_reason)
                    )
                    for one in group
                )
                for group in reply.groups
            )


def _is_complete(one: Reply | Choice) -> bool:
    return one.finish_reason in _COMPLETE and bool(one.text or one.tool_calls)


def _common(endpoint: Endpoint) -> hashlib._Hash:
    """Return a digest of who asks, who pays, where, and for which model."""
    destination = endpoint.destination
    headers = {
        name.lower(): _hidden(value)
        for name, value in destination.options.headers.items()
    }
    # As on the wire, where the headers of this package count last.
    headers |= {name.lower(): said.encode() for name, said in destination.told}
    # One conversation, or one program, is no other asker.
    headers.pop(SESSION_ID.lower(), None)
    credential = destination.credential
    found = hashlib.sha256(_VERSION)
    told = repr(
        (
            destination.origin,
            endpoint.target.model,
            None if credential is None else _hidden(credential),
            sorted(headers.items()),
        )
    ).encode()
    found.update(b"%d:%s" % (len(told), told))
    return found


def _hidden(secret: Secret) -> bytes:
    """Return what stands for a secret; the file has an HMAC of what is made of it."""
    return hmac.digest(
        _VERSION, secret.reveal().encode("utf-8", "surrogateescape"), "sha256"
    )


def _holds_no_secret(endpoint: Endpoint, value: bytes) -> bool:
    said = value.decode("utf-8", "replace")
    return endpoint.scrub(said, parts=False) == said


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names_pictures(messages: object) -> bool:
    """Whether pictures are only named: another one may stand there tomorrow."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            place = image.get("url") if isinstance(image, dict) else image
            if isinstance(place, str) and place[:5] != "data:":
                return True
    return False
