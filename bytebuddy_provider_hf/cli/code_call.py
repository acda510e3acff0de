"""Call a model for a changed text: take its doubts, tell why it was asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, cast

from bytebuddy_provider_hf.cli.options import CallSettings
from bytebuddy_provider_hf.errors import (
    ApplyFailed,
    ByteBuddyError,
    ConfigNotFound,
    Doubt,
    EditDoubtful,
    MissingToken,
    UnknownName,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Reply

F = TypeVar("F", bound=Callable[..., object])


def returning_doubts(method: F) -> F:
    """Return ``method`` so that it returns a change in doubt, where it knows how to.

    The method of another provider's model may not know the keyword; it raises
    ``EditDoubtful``, or has no doubts.
    """
    try:
        known = "doubts" in inspect.signature(method).parameters
    except ValueError:  # compiled, without a signature
        known = False
    return cast("F", partial(method, doubts="return")) if known else method


def reply_in_doubt(error: EditDoubtful) -> Reply:
    """Return the change that a model raised instead of returning it.

    Raises ``error`` itself where it has no change.
    """
    if not error.result:
        raise error
    # Unknown is never success: without a reason it is in doubt all the same.
    doubts = error.doubts or (Doubt("unknown", error.message),)
    notes = tuple(getattr(error, "__notes__", ()))
    return Reply(error.result, finish_reason="stop", notes=notes, doubts=doubts)


@contextmanager
def after_rules(
    settings: CallSettings, original: str, suggestion: str, *, unplaced: tuple[str, ...]
) -> Iterator[None]:
    """Tell in every failure of a call that the rules were tried before it.

    Where there is no model to ask, the failure is that of the rules: ``ApplyFailed``
    with what has no place, and what a model would need.
    """
    try:
        yield
    except (ApplyFailed, EditDoubtful):
        raise
    except (ConfigNotFound, MissingToken, UnknownName) as error:
        # What somebody named and is not there is a failure of its own.
        named = (isinstance(error, ConfigNotFound) and settings.config is not None) or (
            isinstance(error, UnknownName) and settings.model is not None
        )
        if named:
            error.add_note(text("cli.asked_after_rules"))
            raise
        failure = ApplyFailed(
            text("cli.no_rule_no_model", why=error.message),
            hint=error.hint or text("cli.let_a_model"),
        )
        failure.original, failure.suggestion = original, suggestion
        failure.unplaced = unplaced
        failure.add_note(text("cli.other_form"))
        raise failure from error
    except ByteBuddyError as error:
        error.add_note(text("cli.asked_after_rules"))
        raise
