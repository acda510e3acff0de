"""What stands behind a bare base URL: reply in, next request or server out.

The order of questions: the list of models, which every OpenAI-style server has and in
which most name themselves; then ``/info`` of TGI and TEI; then ``/health`` of whatever
is left. Nothing is sent here, so every path is a table in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.lenient_json import loads
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Engine, Server

# What a probe reads of an answer; lists of models can be long.
MAX_ANSWER: Final = 4 * 1024 * 1024

_OK: Final = 200
_BROKEN: Final = b"Internal Server Error"
# Wrong route, wrong method: the next question may fit better.
_ABSENT: Final = frozenset({404, 405, 501})
_VERSION: Final = re.compile(
    r"v?([0-9]{1,6})\.([0-9]{1,6})(?:\.([0-9]{1,6}))?", re.ASCII
)
_MOST_NAMES: Final = 1_000
_LARGEST_WINDOW: Final = 2**31

_OWNERS: Final[Mapping[str, Engine]] = {
    "vllm": Engine.VLLM,
    "sglang": Engine.SGLANG,
    "llamacpp": Engine.LLAMA_CPP,
    "llama.cpp": Engine.LLAMA_CPP,
}
_CHATTING: Final = frozenset({"chat", "completions"})
_ROUTES: Final[Mapping[Engine, frozenset[str]]] = {
    Engine.VLLM: _CHATTING | {"embeddings", "rerank"},
    Engine.SGLANG: _CHATTING | {"embeddings"},
    Engine.LLAMA_CPP: _CHATTING | {"embeddings", "rerank", "infill"},
    Engine.TGI: _CHATTING | {"generate"},
    Engine.TEI: frozenset({"embed", "rerank", "embeddings"}),
    # Nothing said what it is: the OpenAI routes are worth a try all the same.
    Engine.TOOLKIT: _CHATTING | {"tasks"},
    Engine.OPENAI: _CHATTING,
}


class Probe:
    """Ask an unknown server what it is, one question at a time.

    ``call`` is the question to send, or ``None`` once there is a ``server``.
    ``token_source`` tells where the token in use was found; ``None``: none is sent.
    """

    def __init__(self, target: Target, *, token_source: str | None = None) -> None:
        self._target = target
        self._found_in = token_source
        self._base = target.chat_url.removesuffix("/v1/chat/completions")
        self._listed: Server | None = None
        self._asked = "/v1/models"
        self.server: Server | None = None

    @property
    def call(self) -> HttpRequest | None:
        """The next question."""
        if self.server is not None:
            return None
        return HttpRequest(f"{self._base}{self._asked}", method="GET")

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> errors.APIError | None:
        """Take the answer to ``call``; return the error that ends the probing.

        401 and 403 are the token's, 402 the account's, 400 "paused", 502 and 503 of
        an endpoint that wakes, and 5xx in general, are what they are for any call;
        a list of models that cannot be made does not end it.
        """
        if status == _OK:
            self._on_ok(loads(body))
            return None
        failure = classify(
            status,
            headers,
            body,
            self._target,
            token_sent=self._found_in is not None,
            token_source=self._found_in,
        )
        # transformers serve fails so where it has no folder of models to list.
        broken = body.strip() == _BROKEN and self._asked == "/v1/models"
        if broken or status in _ABSENT or type(failure) is errors.BadRequest:
            self._next()
            return None
        return failure

    def _on_ok(self, value: object) -> None:
        found = value if isinstance(value, dict) else {}
        if self._asked == "/v1/models":
            self._listed = _from_models(found)
            # TGI and TEI list their model too and say more in /info.
            if self._listed is None or self._listed.engine is Engine.OPENAI:
                self._next()
            else:
                self.server = self._listed
        elif self._asked == "/info":
            self.server = _from_info(found)
            if self.server is None:
                self._next()
        else:
            self.server = self._fallback()

    def _next(self) -> None:
        if self._asked == "/v1/models":
            self._asked = "/info"
        elif self._asked == "/info" and self._listed is None:
            self._asked = "/health"
        else:
            self.server = self._fallback()

    def _fallback(self) -> Server:
        """Return what is left: a server that lists models, or the toolkit."""
        if self._listed is not None:
            return self._listed
        return Server(Engine.TOOLKIT, routes=_ROUTES[Engine.TOOLKIT])


def _from_models(found: Mapping[str, object]) -> Server | None:
    """Return what a list of models tells, or ``None`` where it is no such list."""
    models = found.get("data")
    if not isinstance(models, list):
        return None
    first = models[0] if models and isinstance(models[0], dict) else {}
    owner = first.get("owned_by")
    engine = _OWNERS.get(owner.lower() if isinstance(owner, str) else "", Engine.OPENAI)
    meta = first.get("meta")
    context = meta.get("n_ctx") if isinstance(meta, dict) else None
    return Server(
        engine=engine,
        model=_text(first.get("id")),
        model_names=_names(models),
        context_length=_count(first.get("max_model_len")) or _count(context),
        routes=_ROUTES[engine],
    )


def _names(models: list[object]) -> tuple[str, ...]:
    found = (m.get("id") for m in models[:_MOST_NAMES] if isinstance(m, dict))
    return tuple(name for name in found if isinstance(name, str))


def _from_info(found: Mapping[str, object]) -> Server | None:
    """Return what ``/info`` tells: TEI names a model type, TGI its token limits."""
    if "model_type" in found:
        return Server(
            Engine.TEI,
            version=_version(found.get("version")),
            model=_text(found.get("model_id")),
            max_input=_count(found.get("max_input_length")),
            max_batch=_count(found.get("max_client_batch_size")),
            routes=_ROUTES[Engine.TEI],
        )
    tgi = "max_total_tokens" in found or "text-generation" in str(found.get("router"))
    if not tgi:
        return None
    version = _version(found.get("version"))
    return Server(
        Engine.TGI,
        version=version,
        model="tgi",
        loaded_model=_text(found.get("model_id")),
        context_length=_count(found.get("max_total_tokens")),
        max_input=_count(found.get("max_input_tokens"))
        or _count(found.get("max_input_length")),
        max_stops=_count(found.get("max_stop_sequences")),
        max_batch=_count(found.get("max_client_batch_size")),
        routes=_tgi_routes(version),
    )


def _tgi_routes(version: tuple[int, ...] | None) -> frozenset[str]:
    """Return the routes of a TGI: chat came with 1.4.0, completions with 1.4.5."""
    if version is None or version >= (1, 4, 5):
        return _ROUTES[Engine.TGI]
    return frozenset({"generate", "chat"} if version >= (1, 4) else {"generate"})


def _version(value: object) -> tuple[int, ...] | None:
    match = _VERSION.match(value) if isinstance(value, str) else None
    return None if match is None else tuple(int(n or 0) for n in match.groups())


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _LARGEST_WINDOW else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
