"""A model's way: target, credential and request options, resolved once at opening."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import define, evolve, field, frozen

from bytebuddy_provider_hf.address import HUB, ROUTER, HostKind, Target, parse
from bytebuddy_provider_hf.config.values import AlertOptions, Budget, RequestOptions
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    InvalidEndpoint,
    InvalidOption,
)
from bytebuddy_provider_hf.plugins.pending_reply import ReaderTask
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.texts import LocalizedText, text
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.transport.http_client import Destination, destination_for

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.cached_call import ModelCache
    from bytebuddy_provider_hf.client.fallbacks import CallLimits
    from bytebuddy_provider_hf.client.metering import Meter

_E = TypeVar("_E", bound=ByteBuddyError)

TIMEOUT: Final = 600.0
COLD_START_TIMEOUT: Final = 300.0
IDLE_TIMEOUT: Final = 60.0
NO_DATA_TIMEOUT: Final = 300.0
MAX_ATTEMPTS: Final = 3

MIRROR: Final = "HF_ENDPOINT"
BILL_TO: Final = "X-HF-Bill-To"
SESSION_ID: Final = "X-HF-Session-id"
_LONGEST_TOLD: Final = 256
_PAYER: Final = re.compile(rf"[\x21-\x7e]{{1,{_LONGEST_TOLD}}}")
# With blanks inside: it may be the title of a conversation.
_SESSION: Final = re.compile(rf"(?! )[\x20-\x7e]{{1,{_LONGEST_TOLD}}}(?<! )")

# What was told once; a process has one such variable.
_IGNORED_MIRRORS: Final[set[str]] = set()
_log: Final = logging.getLogger(__name__)

_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})


@frozen
class Endpoint:
    """Everything about a model's calls that does not change from call to call.

    ``hub`` is the way to huggingface.co, for models that Hugging Face serves, and
    ``catalogue`` the one to the router's list of models, for those it is asked for: no
    token, header or certificate of the model's goes there.
    """

    target: Target
    destination: Destination
    credential: Credential | None
    timeout: float
    cold_start_timeout: float
    idle_timeout: float
    no_data_timeout: float
    first_byte_timeout: float
    max_attempts: int
    wait_for_server: bool
    extra: Mapping[str, object]
    hub: Destination | None = None
    catalogue: Destination | None = None
    allow_dearer: bool = False

    def scrub(self, text: str, *, parts: bool = True) -> str:
        """Return ``text`` without this route's secrets, should a server echo one."""
        return self.destination.scrub(text, parts=parts)

    def scrubbed(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return an answer's headers without what :meth:`scrub` takes out."""
        told = [(name.lower(), text) for name, text in headers.items()]
        masked = [(name, self.scrub(text)) for name, text in told]
        return headers if masked == told else dict(masked)

    def scrubbed_note(self, note: str) -> str:
        """Return a sentence without secrets, which still knows its row."""
        scrubbed = self.scrub(note)
        if scrubbed == note or not isinstance(note, LocalizedText):
            return note if scrubbed == note else scrubbed
        # Its facts and not the sentence, so that it can be said in Chinese too.
        facts = {name: self.scrub(fact) for name, fact in note.facts.items()}
        return LocalizedText(note.id, facts)

    def scrubbed_error(self, failure: _E) -> _E:
        """Mask what an error quotes of its answer, and return it.

        The answer was masked before it was read; since then its parts were unescaped,
        and cut. What the model itself said is left as it is.
        """
        for name, value in [*vars(failure).items()]:
            if isinstance(value, str) and name != "partial":
                setattr(failure, name, self.scrubbed_note(value))
            elif isinstance(value, tuple) and all(isinstance(it, str) for it in value):
                setattr(failure, name, tuple(map(self.scrubbed_note, value)))
        # Exceptions show their arguments in a repr.
        failure.args = (failure.message,)
        return failure


@frozen
class MeterOptions:
    """What a model's calls are counted with: the ledger's folder, budgets, alerts."""

    folder: Path
    budgets: tuple[Budget, ...] = ()
    alerts: AlertOptions | None = None


@define  # made once a call: 0.4 µs, frozen 1.9
class CallSpec:
    """Where a call goes, and how long it may take.

    Without ``wait`` a model that is not ready, or an account that is limited, is an
    error at once. ``window`` is the configured context length. ``part`` is one of
    several for one call, which logs its own failure. Calls of one ``session`` keep the
    router's provider that answered first. With a ``meter`` every request is counted.
    ``cache`` says which answers are kept and given again, ``None`` that none are.
    ``limits`` are those of an entry with fallbacks, or of a fallback; whoever asks them
    in turn tells of the failures.
    """

    endpoint: Endpoint
    timeout: float
    notes: tuple[str, ...] = ()
    on_event: OnEvent | None = None
    wait: bool = True
    window: int | None = None
    reader_task: ReaderTask = field(factory=ReaderTask)
    part: bool = False
    session: str | None = None
    meter: Meter | None = None
    cache: ModelCache | None = None
    limits: CallLimits | None = None


def endpoint_for(
    target: Target,
    credential: Credential | None,
    options: RequestOptions,
    *,
    env: Mapping[str, str],
    bill_to: str | None = None,
) -> Endpoint:
    """Return the route to ``target``, with the built-in defaults filled in.

    ``env`` may name a proxy, authorities and who pays; ``bill_to`` counts before it.
    Raises ``InvalidOption`` for what no header can carry.
    """
    # The key is bound to this origin here: nothing below can send it elsewhere.
    secret = None if credential is None else credential.secret
    routed = target.host_kind is HostKind.ROUTER
    told = _told_headers(target, options, bill_to, env)
    destination = destination_for(target.origin, secret, options, env=env, told=told)
    patience = options.cold_start_timeout
    if patience is None:  # 0 is a wish: not to wait
        patience = COLD_START_TIMEOUT
    return Endpoint(
        target=target,
        destination=destination,
        credential=credential,
        timeout=options.timeout or TIMEOUT,
        cold_start_timeout=patience,
        idle_timeout=options.idle_timeout or IDLE_TIMEOUT,
        no_data_timeout=options.no_data_timeout or NO_DATA_TIMEOUT,
        # Bounded by the call's own time: a long prompt may be read for minutes.
        first_byte_timeout=options.first_byte_timeout or math.inf,
        max_attempts=options.max_attempts or MAX_ATTEMPTS,
        wait_for_server=bool(options.wait_for_server),
        extra=options.extra_body_properties,
        hub=anonymous_way(HUB, options, env) if target.is_hugging_face else None,
        catalogue=anonymous_way(ROUTER, options, env) if routed else None,
        allow_dearer=bool(options.allow_dearer),
    )


def _told_headers(
    target: Target,
    options: RequestOptions,
    bill_to: str | None,
    env: Mapping[str, str],
) -> tuple[tuple[str, str], ...]:
    """Return the headers that tell Hugging Face who pays, and for which job.

    https://huggingface.co/docs/inference-providers/pricing. Not to a dedicated
    endpoint: anyone can rent one, and calls are not billed there.
    """
    if target.host_kind not in (HostKind.ROUTER, HostKind.HUB):
        return ()
    told = []
    written = {name.lower() for name in options.headers}
    # A header that somebody wrote counts before what merely lies in the environment.
    if bill_to is None and BILL_TO.lower() not in written:
        bill_to = env.get("HF_BILL_TO", "").strip() or None
    if bill_to is not None:
        if not _PAYER.fullmatch(bill_to):
            raise InvalidOption(
                text("calls.bill_to_wrong", most=_LONGEST_TOLD),
                hint=text("calls.bill_to_wrong_hint"),
            )
        told.append((BILL_TO, bill_to))
    if target.host_kind is HostKind.ROUTER and SESSION_ID.lower() not in written:
        told.append((SESSION_ID, _job_id()))
    return tuple(told)


@cache
def _job_id() -> str:
    """Return one id for all that this process asks: the bill is grouped by it."""
    return urandom(16).hex()


def check_session(session: object) -> None:
    """Raise ``InvalidOption`` for what is no name of a session."""
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise InvalidOption(text("roles.session_wrong", most=_LONGEST_TOLD))


def is_offline(env: Mapping[str, str]) -> bool:
    """Return whether the environment says that the Hub is not to be asked."""
    offline = env.get("HF_HUB_OFFLINE") or env.get("TRANSFORMERS_OFFLINE", "")
    return offline.upper() in _TRUE


def mirror_of(env: Mapping[str, str]) -> str | None:
    """Return the origin of the Hub's mirror that ``HF_ENDPOINT`` names, if it may be.

    It is asked about models, which are public, and never gets a token: whoever sets
    the variable for downloads did not mean that. Plain http to another machine and
    what is no address do not count, and a warning says so once.
    """
    origin, reason = examine_mirror(env)
    written = env.get(MIRROR, "")
    if reason and written not in _IGNORED_MIRRORS:
        _IGNORED_MIRRORS.add(written)
        _log.warning("%s", text("calls.mirror_ignored", reason=reason))
    return origin


def examine_mirror(env: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what :func:`mirror_of` does, and why the variable does not count."""
    written = env.get(MIRROR, "").strip()
    if not written:
        return None, ""
    try:
        address = parse(written)
    except InvalidEndpoint as error:
        # The whole message is about an apiBase.
        said = error.message
        reason = said.facts["reason"] if isinstance(said, LocalizedText) else said
        return None, reason
    plain = address.origin.startswith("http://")
    if plain and address.host_kind is not HostKind.LOOPBACK:
        return None, text("calls.mirror_plain")
    return (None if address.origin == HUB else address.origin), ""


def anonymous_way(
    origin: str, options: RequestOptions, env: Mapping[str, str]
) -> Destination | None:
    """Return the way to what tells of models, unless its own clients must keep off it.

    That of the Hub leads to its mirror, where the environment names one.
    The variables that say so are those of huggingface_hub 2.4 (``constants.py``).
    """
    if origin == HUB:
        origin = mirror_of(env) or HUB
    if is_offline(env):
        return None
    # Headers and certificates are for the model's server, and may be secrets.
    plain = evolve(options, headers={}, client_certificate=None)
    # A proxy that the model's own way does not need must not keep it from opening.
    with suppress(InvalidOption):
        return destination_for(origin, None, plain, env=env)
    return None
