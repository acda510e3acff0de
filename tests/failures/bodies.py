"""Error answers as they were seen or documented, each with what it must become.

``bodies.json`` has them with their origins: public issues, recorded test suites, the
servers' own sources and documents, and runs of the servers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from attrs import field, frozen


@frozen
class Row:
    """An answer from ``place``, its class, a piece of the hint, and attributes."""

    origin: str
    status: int
    place: str
    kind: str
    hint: str
    body: str
    headers: dict[str, str] = field(factory=dict)
    told: dict[str, object] = field(factory=dict)


@frozen
class EventRow:
    """An event inside a stream, its class, and the status it stands for."""

    origin: str
    status: int | None
    kind: str
    data: str


_DATA: Final = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

ANSWERS: Final = tuple(Row(**row) for row in _DATA["answers"])
EVENTS: Final = tuple(EventRow(**row) for row in _DATA["events"])
