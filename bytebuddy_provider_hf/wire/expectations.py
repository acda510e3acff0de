"""What was asked for, as far as the reading of an answer depends on it."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class Expectations:
    """How an answer is to be read.

    ``n`` answers were asked for, and ``logprobs`` with them. ``tool`` is the one that
    is called where the server gives the call no name. ``json`` is what the text must
    be. ``split`` tells reasoning from text by the marks in it; ``opened`` is the mark
    with which the prompt ended, where the template opens the reasoning itself.
    """

    n: int = 1
    logprobs: bool = False
    tool: str = ""
    json: bool = False
    split: bool = True
    opened: str = ""


NO_EXPECTATIONS: Final = Expectations()
# The continuation of a prompt, as it stands.
RAW: Final = Expectations(split=False)
