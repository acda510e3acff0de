"""A suggestion is placed by rule before a model is asked, or even opened."""

from __future__ import annotations

from typing import get_args

import pytest

from bytebuddy_provider_hf.client.roles import by_rule
from bytebuddy_provider_hf.client.roles.by_rule import HOW, place_by_rule
from bytebuddy_provider_hf.edits.placed import How, Merged
from bytebuddy_provider_hf.errors import Doubt
from bytebuddy_provider_hf.types import Reply

CODE = "def greet(name):\n    return name\n"
DIFF = "@@ -1,2 +1,2 @@\n def greet(name):\n-    return name\n+    return name * 2\n"


def test_a_diff_is_placed_with_a_note() -> None:
    """The reply is that of a model: whole, with a diff, and a note that none spoke."""
    reply = place_by_rule(CODE, DIFF, path="greet.py", model="org/name")
    assert isinstance(reply, Reply)
    assert reply.text == "def greet(name):\n    return name * 2\n"
    assert (reply.finish_reason, reply.model) == ("stop", "org/name")
    assert reply.diff.startswith("--- a/greet.py\n")
    assert reply.notes == ("Worked in by rule (patch); no model was asked.",)


def test_what_has_no_place_is_returned() -> None:
    """Each part of it, so that an error can show it."""
    assert place_by_rule(CODE, "Somewhere:\n\n    return name * 3\n") != ()


@pytest.mark.parametrize("how", get_args(How))
def test_each_way_has_a_name(how: str) -> None:
    """A new format cannot end a command with a KeyError."""
    assert HOW[how]()


def test_doubts_come_with_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rule placed may be in doubt as well."""
    doubt = Doubt("gone", "Much is gone.")
    merged = Merged("x = 1\n", (), "whole", (doubt,))
    monkeypatch.setattr(by_rule, "merge", lambda *_, **__: merged)
    reply = place_by_rule(CODE, "x = 1\n")
    assert isinstance(reply, Reply)
    assert reply.doubts == (doubt,)
