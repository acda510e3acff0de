"""Find out what stands behind a bare base URL: reply in, next request or server out.

The order of questions: the list of models, which every OpenAI-style server has and in
which most name themselves; then ``/info`` of TGI and TEI; then ``/health`` of whatever
is left. Nothing is sent here, so every path is a table in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.lenient_json import lenient_text, loads
from bytebuddy_provider_hf.wire.dialects import SERVERS
from bytebuddy_provider_hf.wire.dialects.toolkit import Toolkit
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Server, positive_int

# What a probe reads of an answer; lists of models can be long.
MAX_ANSWER: Final = 4 * 1024 * 1024

_MODELS: Final = "/v1/models"
_INFO: Final = "/info"
_OK: Final = 200
_BROKEN: Final = b"Internal Server Error"
# Wrong route, wrong method: the next question may fit better.
_ABSENT: Final = frozenset({404, 405, 501})
_MOST_NAMES: Final = 1_000


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
        self._asked = _MODELS
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
            value = loads(body)
            found = value if isinstance(value, dict) else {}
            if self._asked == _MODELS:
                self._listed = _from_models(found)
                # TGI and TEI list their model too and say more in /info.
                if self._listed is not None and self._listed.owners:
                    self.server = self._listed
            elif self._asked == _INFO:
                told = (kind.from_info(found) for kind in SERVERS)
                self.server = next((server for server in told if server), None)
            if self.server is None:
                self._next()
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
        broken = body.strip() == _BROKEN and self._asked == _MODELS
        if broken or status in _ABSENT or type(failure) is errors.BadRequest:
            self._next()
            return None
        return failure

    def _next(self) -> None:
        """Ask the next question, or settle for what is left."""
        if self._asked == _MODELS:
            self._asked = _INFO
        elif self._asked == _INFO and self._listed is None:
            self._asked = "/health"
        else:
            # A server that lists models, or one of which nothing is known.
            self.server = self._listed or Toolkit(routes=Toolkit.usual_routes)


def _from_models(found: Mapping[str, object]) -> Server | None:
    """Return what a list of models tells, or ``None`` where it is no such list."""
    models = found.get("data")
    if not isinstance(models, list):
        return None
    first = models[0] if models and isinstance(models[0], dict) else {}
    owner = (lenient_text(first.get("owned_by")) or "").lower()
    kind = next((kind for kind in SERVERS if owner in kind.owners), Server)
    meta = first.get("meta")
    context = meta.get("n_ctx") if isinstance(meta, dict) else None
    names = (m.get("id") for m in models[:_MOST_NAMES] if isinstance(m, dict))
    return kind(
        model=lenient_text(first.get("id")) or None,
        model_names=tuple(name for name in names if isinstance(name, str)),
        context_length=positive_int(first.get("max_model_len"))
        or positive_int(context),
        routes=kind.usual_routes,
    )
