from __future__ import annotations

import pytest
from edits.placing import placed

from bytebuddy_provider_hf.edits.formats.hunks import Numbers
from bytebuddy_provider_hf.edits.formats.search_replace import read_search_replace

FILE = "import os\n\n\ndef main():\n    size = area(2, 3)\n    print(size)\n"
WANTED = FILE.replace("2, 3", "20, 30")
KNOWN = frozenset(FILE.split("\n"))
OLD = "def main():\n    size = area(2, 3)\n"
NEW = "def main():\n    size = area(20, 30)\n"
BLOCK = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"

FORMS = {
    "bare": BLOCK,
    "prose round it": f"Change it so:\n\n{BLOCK}\nIt is larger now.\n",
    "aider": f"a.py\n```python\n{BLOCK}```\n",
    "name in the fence": f"```python\na.py\n{BLOCK}```\n",
    "cline": f"------- SEARCH\n{OLD}=======\n{NEW}+++++++ REPLACE\n",
    "cline in tags": "<replace_in_file>\n<path>a.py</path>\n<diff>\n"
    f"------- SEARCH\n{OLD}=======\n{NEW}+++++++ REPLACE\n"
    "</diff>\n</replace_in_file>\n",
    "roo": BLOCK.replace("SEARCH\n", "SEARCH\n:start_line:4\n:end_line:5\n-------\n"),
    "six signs": f"<<<<<< SEARCH\n{OLD}======\n{NEW}>>>>>> REPLACE\n",
    "nine signs": f"<<<<<<<<< SEARCH\n{OLD}=========\n{NEW}>>>>>>>>> REPLACE\n",
    "no space": f"<<<<<<<SEARCH\n{OLD}=======\n{NEW}>>>>>>>REPLACE\n",
    "small letters": BLOCK.lower(),
    "original and updated": BLOCK.replace("SEARCH", "ORIGINAL").replace(
        "REPLACE", "UPDATED"
    ),
    "numbered": BLOCK.replace("SEARCH", "SEARCH 1").replace("REPLACE", "REPLACE 1"),
    "under a heading": f"### Change 1\n\n{BLOCK}",
    "name after the marker": BLOCK.replace("SEARCH", "SEARCH src/a.py"),
    "in a list": "1. Here:\n" + "".join(f"   {x}\n" for x in BLOCK.splitlines()),
    "numbered lines": "<<<<<<< SEARCH\n4 | def main():\n5 |     size = area(2, 3)\n"
    "=======\n4 | def main():\n5 |     size = area(20, 30)\n>>>>>>> REPLACE\n",
    "numbered lines, old only": "<<<<<<< SEARCH\n4 | def main():\n"
    f"5 |     size = area(2, 3)\n=======\n{NEW}>>>>>>> REPLACE\n",
    "a fence in each half": f"<<<<<<< SEARCH\n```python\n{OLD}```\n=======\n"
    f"```python\n{NEW}```\n>>>>>>> REPLACE\n",
    "no last marker, fenced": f"```\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}```\n",
    "no last marker, at the end": BLOCK.removesuffix(">>>>>>> REPLACE\n"),
    "CR LF": BLOCK.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_block_is_read_however_it_is_written(form: str) -> None:
    """Markers, fences, names, numbers and prose are no part of the code."""
    patch = read_search_replace(FORMS[form], KNOWN)
    assert patch is not None
    assert placed(FILE, patch) == WANTED


def test_equal_lines_are_context() -> None:
    """Only what differs between the halves goes and comes."""
    patch = read_search_replace(BLOCK, KNOWN)
    assert patch is not None
    assert [(x.sign, x.text.strip()) for x in patch.hunks[0].lines] == [
        (" ", "def main():"),
        ("-", "size = area(2, 3)"),
        ("+", "size = area(20, 30)"),
    ]


def test_several_blocks_are_several_hunks_each_with_its_file() -> None:
    """A file holds for all blocks until the next is named."""
    other = BLOCK.replace("size", "x")
    text = f"a.py\n```\n{BLOCK}\n{BLOCK}```\nand\n**`src/b.py`**\n```\n{other}```\n"
    patch = read_search_replace(text, KNOWN)
    assert patch is not None
    assert [hunk.file for hunk in patch.hunks] == ["a.py", "a.py", "src/b.py"]
    assert patch.files == {"a.py", "src/b.py"}


def test_a_stated_line_counts_the_growth_before_it() -> None:
    """The new side begins as many lines later as the blocks before have added."""
    first = (
        "<<<<<<< SEARCH\n:start_line:1\n-------\na\n=======\na\nb\n>>>>>>> REPLACE\n"
    )
    second = "<<<<<<< SEARCH\n:start_line:9\n-------\nc\n=======\nd\n>>>>>>> REPLACE\n"
    patch = read_search_replace(first + second)
    assert patch is not None
    assert [hunk.numbers for hunk in patch.hunks] == [
        Numbers(1, 1, 1, 2),
        Numbers(9, 1, 10, 1),
    ]


def test_an_empty_search_gives_a_hunk_without_old_lines() -> None:
    """Where such lines go, the block does not say."""
    patch = read_search_replace("<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n", KNOWN)
    assert patch is not None
    assert [hunk.old for hunk in patch.hunks] == [()]


def test_escaped_markers_are_code() -> None:
    """Roo writes a backslash before a line that only looks like a marker."""
    text = "Title\n=======\n"
    patch = read_search_replace(
        "<<<<<<< SEARCH\nTitle\n\\=======\n=======\nName\n\\=======\n>>>>>>> REPLACE\n",
        frozenset(text.split("\n")),
    )
    assert patch is not None
    assert placed(text, patch) == "Name\n=======\n"


def test_of_several_dividers_the_one_counts_before_which_all_is_known() -> None:
    """A conflict can be what a block replaces."""
    conflict = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\nd\n"
    block = f"<<<<<<< SEARCH\n{conflict}=======\na\nc\nd\n>>>>>>> REPLACE\n"
    patch = read_search_replace(block, frozenset(conflict.split("\n")))
    assert patch is not None
    assert placed(conflict, patch) == "a\nc\nd\n"


UNREADABLE = {
    "no divider": f"<<<<<<< SEARCH\n{OLD}>>>>>>> REPLACE\n",
    "no end before the next": f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}\n{BLOCK}",
    "no end, and prose": f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}\nIt is larger now.\n",
    "two dividers that may count": "<<<<<<< SEARCH\nimport os\n=======\n=======\nx\n"
    ">>>>>>> REPLACE\n",
    "numbers with a gap": "<<<<<<< SEARCH\n4 | def main():\n6 |     print(size)\n"
    "=======\nx\n>>>>>>> REPLACE\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_block_that_is_not_certain_leaves_no_hunk(name: str) -> None:
    """Half a suggestion is nothing that anybody intended."""
    patch = read_search_replace(UNREADABLE[name], KNOWN)
    assert patch is not None
    assert patch.hunks == ()


CODE = {
    "in a string": FILE + f'TEXT = """\n{BLOCK}"""\n',
    "in a string, fenced": f"```python\n{FILE}TEXT = '''\n{BLOCK}'''\n```\n",
    "in the middle of lines": 'x = "<<<<<<< SEARCH"\n# =======\n# >>>>>>> REPLACE\n',
    "comments of SQL": "----- OLD -----\nselect 1;\n----- NEW -----\n",
    "a title": "Search\n=======\n\ntext\n",
    "heredoc": "cat <<EOF\nSEARCH\n=======\nEOF\n",
    "a table": "+++++++\n=======\n-------\n",
}


@pytest.mark.parametrize("name", CODE)
def test_ordinary_code_has_no_blocks(name: str) -> None:
    """Whatever it quotes."""
    assert read_search_replace(CODE[name], KNOWN) is None


def test_markers_of_the_original_are_text() -> None:
    """A file about the format stays what it is."""
    assert read_search_replace(BLOCK, frozenset(BLOCK.split("\n"))) is None
