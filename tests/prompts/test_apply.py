from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import pytest
from edits.generated import diff_of, edits, lazy_of
from rounds import rounds

from bytebuddy_provider_hf.edits.lines import is_distinctive
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts.apply import (
    apply_messages,
    checked,
    render_apply_template,
)

FILE: Final = "".join(f"line {n}\n" for n in range(1, 13))
LAZY: Final = "# ...\nline 3\nnew\nline 5\n# ...\n"
GOOD: Final = FILE.replace("line 4\n", "new\n")
DIFF: Final = "@@ @@\n line 3\n-line 4\n+new\n line 5\n"


def test_the_model_is_asked_for_the_whole_file() -> None:
    """One turn with both texts, in fences that neither can close."""
    prompt = apply_messages("a\n```\n", "````\nb\n````\n", path="x.py", language="")
    (message,) = prompt.messages
    assert message.role == "user"
    content = str(message.content)
    assert "`````py\na\n```\n`````" in content
    assert "`````\n````\nb\n````\n`````" in content
    assert prompt.prefill == "`````py\n"


def test_the_entrys_own_template_is_rendered() -> None:
    """promptTemplates.apply with the names that Continue gives."""
    template = "{{{original_code}}}\n---\n{{new_code}}"
    assert render_apply_template(template, "a", "{{b}}") == "a\n---\n{{b}}"
    with pytest.raises(InvalidOption):
        render_apply_template("{{original}}", "a", "b")


@pytest.mark.parametrize("suggestion", [LAZY, DIFF, GOOD, f"Do:\n```py\n{LAZY}```\n"])
def test_a_good_answer_lost_nothing(suggestion: str) -> None:
    """What the suggestion replaced may go; nothing else went."""
    assert checked(FILE, suggestion, GOOD) == ()


@pytest.mark.parametrize("suggestion", [LAZY, DIFF, GOOD])
@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (FILE, "new"),
        (GOOD.replace("line 9\n", ""), "line 9"),
        (GOOD.replace("line 1\n", ""), "line 1"),
        (GOOD.replace("line 12\n", ""), "line 12"),
        (GOOD.replace("line 9\nline 10\n", "other\n"), "line 10"),
        ("", "new"),
        ("new\n", "line 9"),
        (LAZY, "line 9"),
    ],
)
def test_a_lost_line_is_named(suggestion: str, answer: str, lost: str) -> None:
    """A line of the suggestion, or one of the file that nothing touched."""
    assert lost in checked(FILE, suggestion, answer)


def test_a_diff_names_every_line_that_goes() -> None:
    """Another line that went with it is lost."""
    said = "@@ @@\n-line 4\n+new\n"
    assert checked(FILE, said, GOOD) == ()
    assert checked(FILE, said, GOOD.replace("line 5\n", "")) == ("line 5",)


def test_a_marker_in_the_answer_is_no_code() -> None:
    """The model copied it instead of the lines that it stands for."""
    answer = GOOD.replace("line 9\n", "# ...\nline 9\n")
    assert checked(FILE, LAZY, answer) == ("# ...",)


def test_lines_that_moved_are_not_lost() -> None:
    """They are somewhere else."""
    moved = FILE.replace("line 4\n", "") + "line 4\n"
    said = "# ...\nline 3\nline 5\n# ...\nline 12\nline 4\n"
    assert checked(FILE, said, moved) == ()


def test_a_line_wanted_twice_has_to_be_there_twice() -> None:
    """One copy does not stand for two."""
    assert checked("a1\nb1\n", "x = 1\nb1\nx = 1\n", "a1\nx = 1\nb1\n") == ("x = 1",)


@pytest.mark.parametrize("way", ["diff", "lazy", "whole"])
def test_generated_edits_are_checked(way: str, figure: Callable[[str], None]) -> None:
    """The intended file passes; without one of its lines it nearly never does."""
    rng = random.Random(way)
    alarms = caught = 0
    made = list(edits(6, rounds(140, long=3_500)))
    for edit in made:
        lines = edit.changed.split("\n")
        suggestion = {
            "diff": diff_of(edit),
            "lazy": lazy_of(rng, edit, 2),
            "whole": edit.changed,
        }[way]
        alarms += bool(checked(edit.original, suggestion, edit.changed))
        at = rng.choice([at for at, line in enumerate(lines) if is_distinctive(line)])
        short = "\n".join([*lines[:at], *lines[at + 1 :]])
        caught += bool(checked(edit.original, suggestion, short))
    figure(f"{alarms} false alarms, {caught} lost lines seen, of {len(made)}")
    assert alarms <= len(made) * 0.03
    assert caught >= len(made) * 0.93
