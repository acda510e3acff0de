from __future__ import annotations

import pytest

from bytebuddy_provider_hf.edits.formats.elision_markers import (
    ElisionKind,
    classify_line,
)
from bytebuddy_provider_hf.edits.placing.elided import apply_elided

FILE = "".join(f"line {n}\n" for n in range(1, 13))

MARKERS = """\
// ... existing code ...
# ... rest of the code ...
    # ...
/* ... */
/* ... existing code ... */
{/* ... existing code ... */}
<!-- ... existing code ... -->
<!-- ... -->
-- ...
;; ... existing code ...
% ... unchanged ...
(* ... *)
{{! ... existing code ... }}
{# ... rest of the template ... #}
…
// … остальное …
# ... (unchanged)
// [... existing code ...]
# ...existing code...
... existing code ...
// rest of the code remains unchanged
// existing code
# The rest of the file stays the same.
// ... 其余代码不变 ...
// rest of the function...""".splitlines()

UNSURE = """\
...
    ...
// ... imports
# keep this...
# other helper functions...
# Loading ...
foo();  // ... existing code
... more code
# 其余代码不变
# the original file""".splitlines()

CODE = """\
# Loading...
...rest,
const a = [...rest];
x = [1, ..., 3]
# remaining items are sorted
# --- section ---
//
#!/usr/bin/env python
# Keep the same order as the list has
print("...")
# previous value""".splitlines()


@pytest.mark.parametrize("line", MARKERS)
def test_markers_are_known_in_any_comment(line: str) -> None:
    """Whatever the language, however it is said."""
    assert classify_line(line) is ElisionKind.MARKER


@pytest.mark.parametrize("line", UNSURE)
def test_what_may_be_a_marker_is_not_decided(line: str) -> None:
    """It is neither dropped nor written into a file."""
    assert classify_line(line) is ElisionKind.UNSURE
    result = apply_elided(FILE, f"line 1\n// ...\nline 3\n{line}\nline 4\n// ...\n")
    assert (result.text, result.unplaced) == (None, (line,))


@pytest.mark.parametrize("line", CODE)
def test_code_is_code(line: str) -> None:
    """Dots and words of markers stand in code too."""
    assert classify_line(line) is ElisionKind.CODE


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_stands_for_what_is_between(marker: str) -> None:
    """Lines between anchors are replaced, all others stay."""
    said = f"{marker}\nline 3\nnew\nline 5\n{marker}\nline 9\nline 11\n{marker}\n"
    wanted = FILE.replace("line 4\n", "new\n").replace("line 10\n", "")
    assert apply_elided(FILE, said).text == wanted


def test_a_suggestion_begins_and_ends_where_the_file_does() -> None:
    """Without a marker at an edge, the edge is that of the file."""
    said = "first\nline 1\n# ...\nline 12\nlast\n"
    assert apply_elided(FILE, said).text == f"first\n{FILE}last\n"


UNPLACED = {
    "an anchor that is not there": "# ...\nline 3\nnew\nline FIVE\n# ...\n",
    "a new line beside a marker": "# ...\nnew\nline 5\n# ...\n",
    "a last line that is new": "# ...\nline 5\nnew\n# ...\n",
    "the first line is left out": "line 2\nline 3\n# ...\n",
    "the first line is another": "line one\nline 2\n# ...\n",
    "the last line is left out": "# ...\nline 10\nline 11\n",
    "the last line is another": "# ...\nline 11\nline twelve\n",
    "segments in another order": "# ...\nline 8\nx\nline 9\n# ...\nline 3\n# ...\n",
    "nothing changes": "# ...\nline 3\nline 4\n# ...\n",
    "markers only": "# ...\n",
    "no line in common": "# ...\nfoo\n# ...\n",
}


@pytest.mark.parametrize("name", UNPLACED)
def test_what_is_not_certain_is_not_placed(name: str) -> None:
    """There is no text then, and the piece is named."""
    result = apply_elided(FILE, UNPLACED[name])
    assert result.text is None
    assert result.unplaced


def test_an_anchor_that_is_there_twice_is_none() -> None:
    """Unless the order leaves one place for it."""
    original = "a\nx = 1\nb\nc\nx = 1\nd\n"
    assert apply_elided(original, "# ...\nx = 1\nnew\nd\n").text is None
    said = "# ...\nc\nx = 1\nnew\nx = 2\n# ...\n"
    assert apply_elided(original, said).text is None
    said = "# ...\nc\nnew\nx = 1\n# ...\n"
    assert apply_elided(original, said).text == "a\nx = 1\nb\nc\nnew\nx = 1\nd\n"
    # A part that shows lines and changes none shows where something went.
    said = "a\n# ...\nc\nnew\nx = 1\n# ...\n"
    assert apply_elided(original, said).text is None


def test_a_file_that_holds_markers_is_left_alone() -> None:
    """Nobody knows which of them are meant."""
    original = FILE.replace("line 6", "# ...")
    assert apply_elided(original, "# ...\nline 3\nnew\nline 5\n# ...\n").text is None


def test_brackets_alone_tell_no_place() -> None:
    """The anchor is a line that says something; brackets have to be next to it."""
    original = "f {\n  a\n}\n\ng {\n  b\n}\n\nh {\n  c\n}\n"
    said = "// ...\n}\n\ng {\n  b\n  new\n}\n// ...\n"
    assert apply_elided(original, said).text is None
    said = "// ...\n\ng {\n  new\n  b\n}\n\n// ...\n"
    assert apply_elided(original, said).text == original.replace("  b", "  new\n  b")
    said = "// ...\ng {\n  new\n  b\n}\n\n// ...\n"
    assert apply_elided(original, said).text is not None
    nested = original.replace("}\n\nh", "}\n}\n}\n\nh")
    said = "// ...\ng {\n  new\n  b\n}\n}\n}\n// ...\n"
    assert apply_elided(nested, said).text is None
    said = "// ...\n}\ng {\n  new\n  b\n}\n// ...\n"
    assert apply_elided(original, said).text is None


def test_many_lines_are_not_dropped_on_the_word_of_two() -> None:
    """Two anchors far apart are rather a marker forgotten."""
    original = "".join(f"line {n}\n" for n in range(100))
    assert (
        apply_elided(original, "line 0\n# ...\nline 9\nline 80\n# ...\n").text is None
    )


def test_a_new_definition_is_put_at_the_end() -> None:
    """All new, whole, at the margin, and like nothing that is there."""
    original = "def f(x):\n    return 1\n"
    new = "\n\ndef other():\n    return 2\n"
    assert (
        apply_elided(original, f"# ... existing code ...\n{new}").text == original + new
    )
    for doubtful in (
        "\n\ndef f(x, y):\n    return 2\n",
        "\n\n    def other(self):\n        return 2\n",
        "\n\nvoid other() {\n    return 2;\n",
        "\n\nother = 2\n",
    ):
        said = f"# ... existing code ...\n{doubtful}"
        assert apply_elided(original, said).text is None, doubtful


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_line_ends_stay(end: str) -> None:
    """The suggestion has line feeds, as models write."""
    original = FILE.replace("\n", "\r\n").removesuffix("\r\n") + end
    said = "# ...\nline 3\nnew\nline 4\n# ...\n"
    assert apply_elided(original, said).text == original.replace(
        "line 4", "new\r\nline 4"
    )
