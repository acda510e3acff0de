"""Find out what stands behind a bare base URL: reply in, next request or server out.

The order of questions: the list of models, which every OpenAI-style server has and in
which most name themselves; then ``/info`` of TGI and TEI; then the same list of servers
whose OpenAI routes stand at the root; then ``/health`` of whatever is left. Below a
path that an address names only lists are asked for: who has none there is taken for an
OpenAI-style server, as everywhere. Nothing is sent here, so every path is a table in
the tests.
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
from bytebuddy_provider_hf.wire.http_request import HttpRequest, root_path, root_url
from bytebuddy_provider_hf.wire.server import OPENAI_BASE, Server, positive_int

# What a probe reads of an answer: lists of models can be long, the others are not.
MAX_LIST: Final = 4 * 1024 * 1024
MAX_INFO: Final = 64 * 1024

_MODELS: Final = "/v1/models"
_ROOT_MODELS: Final = "/models"
_INFO: Final = "/info"
_HEALTH: Final = "/health"
# The questions for a whole host, and those below a path, which is another's host.
_QUESTIONS: Final = (_MODELS, _INFO, _ROOT_MODELS, _HEALTH)
_BELOW_A_PATH: Final = (_MODELS, _ROOT_MODELS)
_LISTS: Final = {_MODELS: OPENAI_BASE, _ROOT_MODELS: ""}
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
        self._named_path = bool(root_path(target))
        self._questions = [*(_BELOW_A_PATH if self._named_path else _QUESTIONS)]
        self._listed: Server | None = None
        self.server: Server | None = None

    @property
    def call(self) -> HttpRequest | None:
        """The next question."""
        if self.server is not None:
            return None
        return HttpRequest(root_url(self._target, self._questions[0]), method="GET")

    @property
    def most(self) -> int:
        """How many bytes the answer to the next question may have."""
        return MAX_LIST if self._questions[0] in _LISTS else MAX_INFO

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> errors.APIError | None:
        """Take the answer to ``call``; return the error that ends the probing.

        401 and 403 are the token's, 402 the account's, 400 "paused", 502 and 503 of
        an endpoint that wakes, and 5xx in general, are what they are for any call;
        a list of models that cannot be made does not end it.
        """
        asked = self._questions.pop(0)
        if status == _OK:
            value = loads(body)
            self._read(asked, value if isinstance(value, dict) else {})
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
        broken = body.strip() == _BROKEN and asked == _MODELS
        absent = broken or status in _ABSENT or type(failure) is errors.BadRequest
        cold = isinstance(failure, errors.ModelLoading)
        if self._named_path and not cold:
            # A gateway may let nobody list its models: the call itself is another.
            absent = not isinstance(failure, errors.EndpointPaused)
        # The proxy of a job that starts says 404 to every question.
        if not absent or (cold and not self._questions):
            return failure
        self._settle()
        return None

    def _read(self, asked: str, found: Mapping[str, object]) -> None:
        """Take what an answer tells."""
        if asked == _INFO:
            told = (kind.from_info(found) for kind in SERVERS)
            self.server = next((server for server in told if server), None)
        elif asked in _LISTS:
            self._listed = _from_models(found, _LISTS[asked])
            # TGI and TEI list their model too and say more in /info.
            last = self._named_path or asked == _ROOT_MODELS
            if self._listed is not None and (self._listed.owners or last):
                self.server = self._listed
        if self.server is None:
            self._settle()

    def _settle(self) -> None:
        """Ask on, or settle for what is left: a list of models is all some tell."""
        if self._listed is not None and _INFO not in self._questions:
            self.server = self._listed
        elif not self._questions:
            unknown = Toolkit(routes=Toolkit.usual_routes)
            self.server = Server() if self._named_path else unknown


def _from_models(found: Mapping[str, object], openai_base: str) -> Server | None:
    """Return what a list of models tells, or ``None`` where it is no such list."""
    models = found.get("data")
    if not isinstance(models, list):
        return None
    first = models[0] if models and isinstance(models[0], dict) else {}
    owner = (lenient_text(first.get("owned_by")) or "").lower()
    kind = next((kind for kind in SERVERS if owner in kind.owners), Server)
    meta = first.get("meta")
    context = meta.get("n_ctx") if isinstance(meta, dict) else None
    listed = [m for m in models[:_MOST_NAMES] if isinstance(m, dict)]
    named = {n: m for m in listed if isinstance(n := m.get("id"), str)}
    able = ((name, kind.abilities_listed(model)) for name, model in named.items())
    return kind(
        model=lenient_text(first.get("id")) or None,
        model_names=tuple(named),
        context_length=positive_int(first.get("max_model_len"))
        or positive_int(context),
        routes=kind.usual_routes,
        openai_base=openai_base,
        abilities=tuple((name, abilities) for name, abilities in able if abilities),
    )
