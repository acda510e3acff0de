from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from edits.generated import (
    Edit,
    bare,
    broken,
    diff_of,
    edits,
    fenced,
    lazy_of,
    stripped,
)
from rounds import rounds

from bytebuddy_provider_hf.edits.merge import merge

_EDITS: Final = rounds(210, long=4_200)

WAYS: Final[dict[str, Callable[[random.Random, Edit], str]]] = {
    "diff": lambda _, edit: diff_of(edit),
    "diff with wrong numbers": lambda rng, edit: broken(rng, diff_of(edit)),
    "diff without numbers": lambda rng, edit: bare(rng, diff_of(edit)),
    "diff with noise": lambda rng, edit: stripped(rng, diff_of(edit)),
    "diff with little context": lambda rng, edit: broken(rng, diff_of(edit, 1)),
    "diff in a fence": lambda rng, edit: fenced(rng, edit, diff_of(edit), "diff"),
    "lazy, one line round": lambda rng, edit: lazy_of(rng, edit, 1),
    "lazy, three lines round": lambda rng, edit: lazy_of(rng, edit, 3),
    "lazy in a fence": lambda rng, edit: fenced(
        rng, edit, lazy_of(rng, edit, 2), edit.language
    ),
    "whole file": lambda _, edit: edit.changed,
    "whole file in a fence": lambda rng, edit: fenced(
        rng, edit, edit.changed, edit.language
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_is_placed_as_intended_or_not_at_all(
    way: str, figure: Callable[[str], None]
) -> None:
    """Insert, delete, replace, move, rename, several; CR LF, tabs, no end, non-ASCII.

    Never a third thing; and well above four of five are placed.
    """
    rng = random.Random(way)
    placed = Counter[str]()
    total = Counter[str]()
    for edit in edits(4, _EDITS):
        merged = merge(edit.original, WAYS[way](rng, edit))
        total[edit.kind] += 1
        if merged.text is None:
            assert merged.unplaced
            continue
        assert merged.text == edit.changed, edit.kind
        placed[edit.kind] += 1
    share = placed.total() / total.total()
    kinds = ", ".join(f"{kind} {placed[kind]}/{total[kind]}" for kind in total)
    figure(f"{share:.1%} of {total.total()} placed, none wrong ({kinds})")
    assert share > 0.8


@pytest.mark.parametrize("context", [1, 2, 3])
def test_a_file_of_few_different_lines_is_no_trap(
    context: int, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """Lines that stand in many places: fewer are placed, none of them wrong."""
    monkeypatch.setattr("edits.generated._NOUNS", ["a", "b"])
    monkeypatch.setattr("edits.generated._VERBS", ["c", "d"])
    rng = random.Random(context)
    placed = 0
    for edit in edits(9, _EDITS):
        for suggestion in (
            lazy_of(rng, edit, context),
            broken(rng, diff_of(edit, context)),
            edit.changed,
        ):
            text = merge(edit.original, suggestion).text
            assert text in {None, edit.changed}
            placed += text is not None
    figure(f"{placed / _EDITS / 3:.1%} of {_EDITS * 3} placed, none wrong")


def test_the_generated_edits_are_what_they_should_be() -> None:
    """Every kind, both line ends, both last lines, tabs and non-ASCII are there."""
    made = list(edits(4, _EDITS))
    assert min(Counter(edit.kind for edit in made).values()) >= _EDITS // 7
    for has in (
        lambda text: "\r\n" in text,
        lambda text: "\r\n" not in text,
        lambda text: text.endswith("\n"),
        lambda text: not text.endswith("\n"),
        lambda text: "\t" in text,
        lambda text: not text.isascii(),
    ):
        assert sum(has(edit.original) for edit in made) > 50
