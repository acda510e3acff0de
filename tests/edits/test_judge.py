from __future__ import annotations

import random
from collections.abc import Callable
from time import process_time
from typing import Final

import pytest
from edits.generated import diff_of, edits, lazy_of
from rounds import rounds

from bytebuddy_provider_hf.edits.judging.judge import Fault, judge_answer
from bytebuddy_provider_hf.edits.lines import is_distinctive

FILE: Final = "".join(f"line {n}\n" for n in range(1, 13))
LAZY: Final = "# ...\nline 2\nline 3\nnew\nline 5\nline 6\n# ...\n"
GOOD: Final = FILE.replace("line 4\n", "new\n")
DIFF: Final = "@@ @@\n line 3\n-line 4\n+new\n line 5\n"

C_FILE: Final = """\
int classify(int n)
{
    switch (n) {
    case 0:
        puts("zero");
        break;
    case 1:
        puts("one");
        break;
    }
    return n;
}

int main(void)
{
    printf("%d", classify(1));
    return 0;
}
"""
# One bracket of the context is missing, and one of its words is wrong.
C_DIFF: Final = """\
@@ -14,4 +14,4 @@
 int main(none)
-    printf("%d", classify(1));
+    printf("%d\\n", classify(1));
     return 0;
"""
C_GOOD: Final = C_FILE.replace('printf("%d",', 'printf("%d\\n",')


@pytest.mark.parametrize("suggestion", [LAZY, DIFF, GOOD, f"Do:\n```py\n{LAZY}```\n"])
def test_a_right_answer_is_explained(suggestion: str) -> None:
    """What the suggestion replaced may go; nothing else went."""
    assert judge_answer(FILE, suggestion, GOOD).text == GOOD


@pytest.mark.parametrize("suggestion", [LAZY, DIFF, GOOD])
@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace("line 9\n", ""),
        GOOD.replace("line 1\n", ""),
        GOOD.replace("line 12\n", ""),
        GOOD.replace("line 9\nline 10\n", "other\n"),
        GOOD.replace("line 9\nline 10\n", "line 10\nline 9\n"),
        GOOD + "line 3\n",
        GOOD.replace("new\n", "new\nline 4\n"),
        GOOD.replace("new\n", "    new\n"),
        FILE.replace("line 9\n", "new\n"),
        GOOD.replace("line 9\n", "# ... existing code ...\nline 9\n"),
        FILE,
        "",
        "new\n",
        LAZY,
        DIFF,
    ],
)
def test_a_damaged_answer_is_refused(suggestion: str, answer: str) -> None:
    """Lines lost, moved, doubled or put in by nobody; or nothing done at all."""
    verdict = judge_answer(FILE, suggestion, answer)
    # Of a part, a line that stays may have been left out by it.
    assert verdict.text is None or verdict.doubts
    assert verdict.message or verdict.doubts


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (FILE, "unchanged"),
        (GOOD.replace("new", "# ... existing code ..."), "marker"),
        (GOOD.replace("line 9\n", ""), "lost"),
        (GOOD + "another\n", "added"),
        (FILE.replace("line 4\n", ""), "missing"),
        (FILE.replace("line 4\n", "").replace("line 9\n", "new\nline 9\n"), "moved"),
    ],
)
def test_what_is_wrong_is_told(answer: str, fault: Fault) -> None:
    """With the lines, where some are too many or too few."""
    verdict = judge_answer(FILE, DIFF, answer)
    assert verdict.fault == fault
    assert bool(verdict.lines) == (fault not in ("unchanged", "moved"))


def test_context_is_no_duty_of_a_model() -> None:
    """What a diff states wrongly of the file stays as the file has it."""
    assert judge_answer(C_FILE, C_DIFF, C_GOOD, path="x.c").text == C_GOOD


@pytest.mark.parametrize(
    "answer",
    [
        C_GOOD.replace(
            '        puts("zero");\n        break;\n', '        puts("zero");\n'
        ),
        C_GOOD[:-2],
        C_GOOD.replace("    }\n    return n;\n", "    return n;\n"),
        C_GOOD.replace(
            '    case 0:\n        puts("zero");\n',
            '        puts("zero");\n    case 0:\n',
        ),
        C_GOOD.replace("    ", "\t"),
        C_GOOD.replace("    return n;\n", "    exit(1);\n    return n;\n"),
    ],
    ids=["a break", "last bracket", "a bracket", "order", "tabs", "added"],
)
def test_lines_without_a_word_of_their_own_count(answer: str) -> None:
    """A bracket, an order and an indentation are code as much as a name is."""
    assert judge_answer(C_FILE, C_DIFF, answer, path="x.c").text is None


def test_lines_that_stay_are_those_of_the_file() -> None:
    """A model that trims the blanks of lines which nobody changed changes nothing."""
    original = "a = 1  \r\nb = 2\r\nc = 3\r\n"
    verdict = judge_answer(
        original, "@@ @@\n a = 1\n-b = 2\n+b = 4\n", "a = 1\nb = 4\nc = 3\n"
    )
    assert verdict.text == "a = 1  \r\nb = 4\r\nc = 3\r\n"


def test_lines_that_are_given_back_are_a_doubt() -> None:
    """A function without some of its lines says nothing of them; a model keeps them."""
    original = "".join(
        f"def f{n}(a):\n    one = a + {n}\n    two = one * {n}\n    return two\n\n\n"
        for n in range(4)
    )
    said = "def f2(a):\n    one = a + 2\n    print(one)\n    return two\n"
    answer = original.replace(
        "    two = one * 2\n", "    two = one * 2\n    print(one)\n"
    )
    verdict = judge_answer(original, said, answer, path="x.py")
    assert verdict.text is None or [doubt.kind for doubt in verdict.doubts] == [
        "restored"
    ]


def test_what_a_suggestion_leaves_out_unnamed_is_a_doubt() -> None:
    """A function that the whole file lacks may be forgotten, or meant to go."""
    original = "".join(f"def f{n}(a):\n    return a + {n}\n\n\n" for n in range(6))
    said = original.replace("def f3(a):\n    return a + 3\n\n\n", "")
    verdict = judge_answer(original, said, said, path="x.py")
    assert [(doubt.kind, doubt.lines) for doubt in verdict.doubts] == [
        ("gone", ("f3",))
    ]


def test_a_line_without_context_may_replace_one_like_it() -> None:
    """Which of them, the model chose; beside one it is not like it has no place."""
    original = "x = 1\ny = 2\nx = 1\n"
    assert judge_answer(original, "x = 3", "x = 3\ny = 2\nx = 1\n").text
    assert judge_answer(original, "x = 3", "x = 3\n").text is None


@pytest.mark.parametrize("form", ["diff", "lazy", "whole"])
def test_generated_edits_are_judged(form: str, figure: Callable[[str], None]) -> None:
    """The intended file passes; without one of its lines it hardly ever does.

    These files repeat few words, so that a part may explain another loss as well.
    """
    rng = random.Random(form)
    alarms = caught = 0
    made = list(edits(6, rounds(140, long=3_500)))
    for edit in made:
        lines = edit.changed.split("\n")
        suggestion = {
            "diff": diff_of(edit),
            "lazy": lazy_of(rng, edit, 2),
            "whole": edit.changed,
        }[form]
        alarms += judge_answer(edit.original, suggestion, edit.changed).text is None
        at = rng.choice([at for at, line in enumerate(lines) if is_distinctive(line)])
        short = "\n".join([*lines[:at], *lines[at + 1 :]])
        caught += judge_answer(edit.original, suggestion, short).text is None
    figure(f"{alarms} false alarms, {caught} lost lines seen, of {len(made)}")
    assert alarms <= len(made) * 0.06
    assert caught >= len(made) * (0.95 if form == "lazy" else 1)


def test_a_megabyte_is_judged_in_time() -> None:
    """A hundred hunks, in far less than the two seconds that people wait."""
    lines = [f"value_{n} = compute({n}, {n % 7})" for n in range(30_000)]
    changed = list(lines)
    for at in range(100, 30_000, 300):
        changed[at] = f"{changed[at]}  # seen"
    original, answer = ("\n".join(each) + "\n" for each in (lines, changed))
    diff = "".join(
        f"@@ @@\n {lines[at - 1]}\n-{lines[at]}\n+{changed[at]}\n {lines[at + 1]}\n"
        for at in range(100, 30_000, 300)
    )
    begun = process_time()
    assert judge_answer(original, diff, answer, path="x.py").text == answer
    # Measured 0.5 s of CPU; the bound is for a machine that is four times slower.
    assert process_time() - begun < 4
