"""Make attempts for the ledger, and start processes that record them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.money import Cost, Price
from bytebuddy_provider_hf.storage.attempt import Attempt, Payer
from bytebuddy_provider_hf.storage.ledger import Ledger
from bytebuddy_provider_hf.types import Usage

PAYER: Final = Payer("0123456789abcdef", "", "https://router.huggingface.co", "a/b")
PRICE: Final = Price(100_000_000, 300_000_000)
USAGE: Final = Usage(28, 100, 128)
EACH: Final = PRICE.of(28, 100)
ROOT: Final = Path(__file__).parents[2]


def attempt(at: float, session: str = "s") -> Attempt:
    """Return an attempt that was answered and costs ``EACH``."""
    return Attempt(
        PAYER,
        "chat",
        at,
        session=session,
        seconds=0.25,
        outcome="complete",
        status=200,
        provider="groq",
        usage=USAGE,
        cost=Cost(estimated=EACH, priced_on="2026-11-30", is_pending=True),
    )


async def count(ledger: Ledger) -> None:
    """Count a request, as a call does."""
    if not ledger.try_count():
        await ledger.count()


def worker(module: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process of a module of this folder; it prints what it has to tell."""
    command = [
        *(sys.executable, "-W", "error", "-m", f"benchmarks.reliability.{module}"),
        *map(str, arguments),
    ]
    return subprocess.Popen(  # noqa: S603 - of this project
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
