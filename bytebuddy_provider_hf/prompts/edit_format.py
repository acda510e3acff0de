"""How a base model of code is asked for a change, as data."""

from __future__ import annotations

from attrs import frozen


@frozen
class EditFormat:
    """One format of commits; the model writes the new code until one of ``stops``."""

    name: str
    before: str
    message: str
    after: str
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
