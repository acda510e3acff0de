"""A month of usage with everything in it: free, priced, unpriced, cut, pending."""

from __future__ import annotations

from datetime import UTC, date, datetime

from attrs import evolve

from bytebuddy_provider_hf.storage.usage_report import (
    BillTotal,
    BudgetState,
    UsageReport,
    UsageRow,
)

JULY = (
    datetime(2026, 7, 1, tzinfo=UTC).timestamp(),
    datetime(2026, 8, 1, tzinfo=UTC).timestamp(),
)
NOON = datetime(2026, 7, 20, 12, tzinfo=UTC).timestamp()
EMPTY = UsageReport(
    date(2026, 7, 1), date(2026, 7, 31), "model", (), UsageRow("total"), ()
)

LLAMA = UsageRow(
    "meta-llama/Llama-3.3-70B-Instruct",
    attempts=120,
    calls=100,
    failed=3,
    absorbed=2,
    cut=1,
    prompt_tokens=1_200_345,
    cached_tokens=300_000,
    completion_tokens=200_120,
    reasoning_tokens=44_000,
    tokens_unknown=1,
    estimated=1_240_000_000,
    ceiling=True,
    reported=900_000_000,
    pending=5,
    unpriced={"no price": 2},
)
EMBEDDER = UsageRow(
    "sentence-transformers/all-MiniLM-L6-v2",
    attempts=20,
    calls=20,
    prompt_tokens=1_200,
    tokens_unknown=20,
    unpriced={"compute time": 20},
)
CHEAP = UsageRow(
    "deepseek-ai/DeepSeek-V3.1:cheapest",
    attempts=2_000,
    calls=1_900,
    failed=100,
    prompt_tokens=12_003_450,
    completion_tokens=2_001_200,
    reasoning_tokens=1_500_000,
    estimated=45_000,
    billed=30_000,
)
FREE = UsageRow(
    "google/gemma-3-270m",
    attempts=1,
    calls=1,
    prompt_tokens=12,
    completion_tokens=3,
    estimated=0,
)
TOTAL = UsageRow(
    "",
    attempts=2_141,
    calls=2_021,
    failed=103,
    absorbed=2,
    cut=1,
    prompt_tokens=13_205_007,
    cached_tokens=300_000,
    completion_tokens=2_201_323,
    reasoning_tokens=1_544_000,
    tokens_unknown=21,
    estimated=1_240_045_000,
    ceiling=True,
    reported=900_000_000,
    billed=30_000,
    pending=5,
    unpriced={"no price": 2, "compute time": 20},
)


def day(number: int) -> UsageRow:
    """Return a day of July: one without calls, some unpriced, whole or in part."""
    key = f"2026-07-{number:02}"
    if number < 3 or number > 20 or number == 7:
        return UsageRow(key)
    row = UsageRow(key, attempts=number * 3, calls=number * 2)
    if number % 5 == 0:
        return evolve(row, unpriced={"no price": number})
    return evolve(
        row,
        estimated=(number * 7_919 % 31) * 10_000_000,
        ceiling=number % 3 == 0,
        unpriced={"compute time": 1} if number == 11 else {},
    )


REPORT = UsageReport(
    date(2026, 7, 1),
    date(2026, 7, 31),
    "model",
    (LLAMA, CHEAP, FREE, EMBEDDER),
    TOTAL,
    tuple(map(day, range(1, 32))),
    (
        BudgetState(
            "hf-llama",
            "dollars",
            used=4_100_000_000,
            reserved=200_000_000,
            limit=4_000_000_000,
            hard=True,
            starts=JULY[0],
            ends=JULY[1],
            period="month",
            raised=1_000_000_000,
        ),
        BudgetState(
            "hf-llama",
            "calls",
            used=24_000,
            reserved=10,
            limit=30_000,
            hard=False,
            starts=JULY[0],
            ends=JULY[1],
            period="account",
            raised=0,
            is_assumed=True,
        ),
    ),
    unaccounted=64,
    first=date(2026, 7, 3),
    settlement={"billed": 2_000, "pending": 5, "unpriced": 22, "estimated": 114},
    bills=(
        BillTotal(
            "",
            "0" * 16,
            starts=JULY[0],
            ends=JULY[1],
            used=1_500_000_000,
            included=2_000_000_000,
            limit=None,
            requests=2_500,
            read_at=NOON,
        ),
    ),
)
