"""Let no ledger of a test outlive it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bytebuddy_provider_hf.storage.ledger import Ledger


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every ledger that a test has made, before its folder goes."""
    made: list[Ledger] = []
    begin = Ledger.__init__

    def remember(self: Ledger, *args: object, **options: object) -> None:
        begin(self, *args, **options)  # type: ignore[arg-type]  # as it was called
        made.append(self)

    monkeypatch.setattr(Ledger, "__init__", remember)
    yield
    for ledger in made:
        ledger.close()
