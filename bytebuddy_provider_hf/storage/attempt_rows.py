"""Write attempts into the usage file, and the sums of their days with them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from bytebuddy_provider_hf.money import Price, Unpriced
from bytebuddy_provider_hf.storage.attempt import Attempt, Outcome, Payer
from bytebuddy_provider_hf.storage.database import DAY
from bytebuddy_provider_hf.types import Usage

# What only asks about a server: an attempt, but no call.
PROBE: Final = "probe"
# What stands for "" where there is no estimate: a reason is always named.
NO_REASON: Final[Unpriced] = "no price"

# More than any call has: such a figure is taken for unknown, and no sum of a day
# leaves SQLite's 64 bits.
_MOST_TOKENS: Final = 10**9
_MOST_MONEY: Final = 10**13
_MOST_IN_BATCH: Final = 10**14
# Servers say who served a call: beyond so many keys all are one.
_MOST_KEYS: Final = 5_000
_OTHER: Final = "other"
_LONGEST: Final = 300
_NO_USAGE: Final = Usage()
# The places of tokens and money in a row.
_FIGURES: Final = (8, 9, 10, 11, 12, 14)
_KEY_BYTES: Final = 6


class AttemptRow(NamedTuple):
    """One attempt as the file keeps it, a JSON array; money in 10⁻⁹ USD."""

    at: float
    session: str
    number: int
    waited: float
    seconds: float
    outcome: Outcome
    status: int | None
    failure: str
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    estimated: int | None
    priced_on: str
    reported: int | None
    is_ceiling: bool
    is_pending: bool
    unpriced: Unpriced

    @property
    def is_charged(self) -> bool:
        """Whether it was answered with success: nothing else is ever charged for."""
        return self.status is not None and is_charged(self.status)

    def repriced(self, price: Price, priced_on: str) -> AttemptRow:
        """Return it with its estimate, if its price was not asked for yet."""
        is_free = self.status is not None and not self.is_charged
        if self.unpriced != "not asked yet" or is_free:
            return self
        if self.outcome == "cut":
            return self._replace(unpriced="answer cut")
        prompt, answer = self.prompt_tokens, self.completion_tokens
        if prompt is None or answer is None:
            return self._replace(unpriced="tokens unknown")
        estimated = price.of(prompt, answer)
        if estimated > _MOST_MONEY:
            return self._replace(unpriced=NO_REASON)
        return self._replace(
            estimated=estimated,
            is_ceiling=bool(self.cached_tokens),
            priced_on=priced_on,
            unpriced="",
        )


class AttemptKey(NamedTuple):
    """What attempts are summed up by, beside their day: the columns of a table."""

    identity: str
    bill_to: str
    origin: str
    model: str
    provider: str
    role: str

    @property
    def id(self) -> int:
        """Its number, the same in every process: none has to ask for it."""
        digest = hashlib.sha256("\0".join(self).encode()).digest()
        # Short, as each row of the other tables has it.
        return int.from_bytes(digest[:_KEY_BYTES], "big")


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(list[AttemptRow])
_Row: TypeAlias = tuple[Any, ...]
# Who pays, the provider, the role, and the rest of it as a row.
Recorded: TypeAlias = tuple[Payer, str, str, _Row]
_Groups: TypeAlias = dict[tuple[int, Payer, str, str], list[_Row]]

ADD_TO_DAY: Final = """
INSERT INTO days (
    day, key, attempts, calls, failed, absorbed, cut, prompt_tokens, cached_tokens,
    completion_tokens, reasoning_tokens, tokens_unknown, seconds, waited, estimated,
    priced, ceilings, reported, reports
) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (day, key) DO UPDATE SET
    attempts = attempts + excluded.attempts, calls = calls + excluded.calls,
    failed = failed + excluded.failed, absorbed = absorbed + excluded.absorbed,
    cut = cut + excluded.cut, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
    tokens_unknown = tokens_unknown + excluded.tokens_unknown,
    seconds = seconds + excluded.seconds, waited = waited + excluded.waited,
    estimated = estimated + excluded.estimated, priced = priced + excluded.priced,
    ceilings = ceilings + excluded.ceilings, reported = reported + excluded.reported,
    reports = reports + excluded.reports
"""
ADD_UNPRICED: Final = """
INSERT INTO unpriced VALUES (?, ?, ?, ?)
ON CONFLICT (day, key, reason) DO UPDATE SET attempts = attempts + excluded.attempts
"""


def is_charged(status: int) -> bool:
    """Whether an answer of this status may cost something."""
    return 200 <= status < 400  # noqa: PLR2004 - as Hugging Face bills them


def read_rows(rows: str) -> list[AttemptRow]:
    """Return the attempts of a batch. Raises ``ValueError`` for a damaged one."""
    try:
        return _decoder.decode(rows)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def recorded(attempt: Attempt) -> Recorded:
    """Return an attempt as it is written: in the caller's thread, where it was made.

    Another one finds nothing of it in its processor's cache, and would take twice as
    long.
    """
    usage = attempt.usage or _NO_USAGE
    cost = attempt.cost
    # In the order of AttemptRow, whose own making takes twice as long.
    row = (
        attempt.at,
        attempt.session,
        attempt.number,
        attempt.waited,
        attempt.seconds,
        attempt.outcome,
        attempt.status,
        attempt.failure,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        cost.estimated,
        cost.priced_on,
        cost.reported,
        cost.is_ceiling,
        cost.is_pending,
        cost.unpriced,
    )
    return attempt.payer, attempt.provider, attempt.role, row


def write_attempts(
    connection: sqlite3.Connection,
    attempts: Sequence[Recorded],
    *,
    least_day: int,
    known: set[int],
) -> None:
    """Write attempts and add them to the sums of their days (UTC).

    One that seems to be sent before ``least_day`` counts as of it. ``known`` are the
    numbers of keys that this process has written.
    """
    groups = _grouped(attempts, least_day)
    columns = [_columns(rows) for rows in groups.values()]
    try:
        figures = (
            list(filter(None, each[place])) for each in columns for place in _FIGURES
        )
        is_sound = all(
            min(known, default=0) >= 0 and sum(known) <= _MOST_IN_BATCH
            for known in figures
        )
        encoded = (
            [_encoder.encode(rows) for rows in groups.values()] if is_sound else None
        )
    except (UnicodeEncodeError, OverflowError):
        encoded = None
    if encoded is None:
        groups = _grouped(map(_bounded, attempts), least_day)
        columns = [_columns(rows) for rows in groups.values()]
        encoded = [_encoder.encode(rows) for rows in groups.values()]
    found = zip(groups, columns, encoded, strict=True)
    for (day, payer, provider, role), each, text in found:
        key = AttemptKey(
            payer.identity, payer.bill_to, payer.origin, payer.model, provider, role
        )
        number = put_key(connection, key, known)
        connection.execute(
            "INSERT INTO attempts (day, key, attempts, rows) VALUES (?, ?, ?, ?)",
            (day, number, len(each[0]), text.decode()),
        )
        _add_to_day(connection, day, number, each, is_probe=role == PROBE)


def put_key(connection: sqlite3.Connection, key: AttemptKey, known: set[int]) -> int:
    """Write a key, if it is not there, and return its number."""
    key = AttemptKey(*map(_text, key))
    number = key.id
    if number not in known:
        if len(known) < _MOST_KEYS:
            known.add(number)
        else:
            key = key._replace(provider=_OTHER)
            number = key.id
    # Each time: whoever forgets usage removes keys as well.
    connection.execute(
        "INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *key)
    )
    return number


def reprice(
    connection: sqlite3.Connection,
    *,
    origin: str,
    model: str,
    provider: str,
    price: Price,
    priced_on: str,
    today: int,
) -> None:
    """Give today's attempts whose price was not asked for yet their estimate."""
    found = connection.execute(
        "SELECT id FROM keys WHERE origin = ? AND model = ? AND provider = ?",
        (origin, model, provider),
    )
    keys = {key for (key,) in found}
    # The newest first: none is read that is older. A batch may be written late.
    batches = connection.execute(
        "SELECT id, day, key, rows FROM attempts ORDER BY id DESC"
    )
    changed = []
    for number, day, key, text in batches:
        if day < today - 1:
            break
        if day == today and key in keys and '"not asked yet"' in text:
            changed.append((number, key, read_rows(text)))
    for number, key, rows in changed:
        priced = [row.repriced(price, priced_on) for row in rows]
        connection.execute(
            "UPDATE attempts SET rows = ? WHERE id = ?",
            (_encoder.encode(priced).decode(), number),
        )
        gained = [b for a, b in zip(rows, priced, strict=True) if a is not b]
        estimates = [row.estimated for row in gained if row.estimated is not None]
        connection.execute(
            "UPDATE days SET estimated = estimated + ?, priced = priced + ?,"
            " ceilings = ceilings + ? WHERE day = ? AND key = ?",
            (
                sum(estimates),
                len(estimates),
                sum(row.is_ceiling for row in gained),
                today,
                key,
            ),
        )
        reasons = Counter(row.unpriced for row in gained if row.unpriced)
        reasons["not asked yet"] -= len(gained)
        for reason, attempts in reasons.items():
            connection.execute(ADD_UNPRICED, (today, key, reason, attempts))
    connection.execute("DELETE FROM unpriced WHERE attempts <= 0")


def add_bill(
    connection: sqlite3.Connection, day: int, key: int, *, billed: int, bills: int
) -> None:
    """Add what was billed to the sums of a day, which may have no attempt."""
    connection.execute(ADD_TO_DAY, (day, key, *[0] * (ADD_TO_DAY.count("?") - 2)))
    connection.execute(
        "UPDATE days SET billed = billed + ?, bills = bills + ?"
        " WHERE day = ? AND key = ?",
        (billed, bills, day, key),
    )


def _grouped(attempts: Iterable[Recorded], least_day: int) -> _Groups:
    groups: _Groups = {}
    payer = None
    provider = role = ""
    starts = ends = 0
    rows: list[_Row] = []
    for recorded in attempts:
        row = recorded[3]
        # Most follow one of the same key and day.
        if not (
            starts <= row[0] < ends
            and recorded[0] is payer
            and recorded[1] == provider
            and recorded[2] == role
        ):
            payer, provider, role, _ = recorded
            sent_on = int(row[0] // DAY)
            starts, ends = sent_on * DAY, sent_on * DAY + DAY
            group = (max(sent_on, least_day), payer, provider, role)
            rows = groups.setdefault(group, [])
        rows.append(row)
    return groups


def _columns(rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    # A sum of 48 figures takes less than adding two of them one by one.
    return list(zip(*rows, strict=True))


def _add_to_day(
    connection: sqlite3.Connection,
    day: int,
    key: int,
    columns: Sequence[tuple[Any, ...]],
    *,
    is_probe: bool,
) -> None:
    (_, _, numbers, waited, seconds, outcomes, statuses, _, *counts) = columns
    (prompts, cached, answers, reasoning, estimates, _, reported, *marks) = counts
    (ceilings, _, reasons) = marks
    unknown = 0
    if not is_probe and (None in prompts or None in answers):
        unknown = sum(
            status is not None and is_charged(status) and None in tokens
            for status, *tokens in zip(statuses, prompts, answers, strict=True)
        )
    total = len(numbers)
    connection.execute(
        ADD_TO_DAY,
        (
            day,
            key,
            total,
            0 if is_probe else numbers.count(1),
            outcomes.count("failed"),
            outcomes.count("absorbed"),
            outcomes.count("cut"),
            *(
                sum(filter(None, each))
                for each in (prompts, cached, answers, reasoning)
            ),
            unknown,
            sum(seconds),
            sum(waited),
            sum(filter(None, estimates)),
            total - estimates.count(None),
            sum(ceilings),
            sum(filter(None, reported)),
            total - reported.count(None),
        ),
    )
    if None in estimates:
        # What an error answered costs nothing, and needs no price.
        why = Counter(
            reason or NO_REASON
            for reason, estimate, status in zip(
                reasons, estimates, statuses, strict=True
            )
            if estimate is None and (status is None or is_charged(status))
        )
        connection.executemany(
            ADD_UNPRICED, [(day, key, reason, n) for reason, n in why.items()]
        )


def _bounded(recorded: Recorded) -> Recorded:
    """Return an attempt without figures and texts that no sound server sends."""
    row = AttemptRow(*recorded[3])
    estimated = _at_most(row.estimated, _MOST_MONEY)
    bounded = row._replace(
        session=_text(row.session),
        failure=_text(row.failure),
        prompt_tokens=_at_most(row.prompt_tokens, _MOST_TOKENS),
        cached_tokens=_at_most(row.cached_tokens, _MOST_TOKENS),
        completion_tokens=_at_most(row.completion_tokens, _MOST_TOKENS),
        reasoning_tokens=_at_most(row.reasoning_tokens, _MOST_TOKENS),
        estimated=estimated,
        reported=_at_most(row.reported, _MOST_MONEY),
        unpriced=row.unpriced if estimated == row.estimated else NO_REASON,
    )
    return *recorded[:3], tuple(bounded)


def _at_most(figure: int | None, most: int) -> int | None:
    return figure if figure is not None and 0 <= figure <= most else None


def _text(said: str) -> str:
    # A header may hold bytes that are no text.
    return said[:_LONGEST].encode("utf-8", "replace").decode()
