"""An entry is added to a file of which every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bytebuddy_provider_hf.config.new_entry import (
    NewEntry,
    free_name,
    name_of,
    names_in,
    with_entry,
)
from bytebuddy_provider_hf.config.write import STARTER
from bytebuddy_provider_hf.errors import ConfigError

PROVIDER = "huggingfaceinferenceapi"
ENTRY = NewEntry("new", PROVIDER, "a/b:cheapest", ("chat", "edit"))
ITEM = """\
  - name: "new"
    provider: "huggingfaceinferenceapi"
    model: "a/b:cheapest"
    apiKey: "${HF_API_KEY}"
    roles: ["chat", "edit"]
"""
BEGUN = "models:\n  - name: x # one\n    model: 'c/d'\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"models:\n{ITEM}"),
        ("# mine\n", f"# mine\nmodels:\n{ITEM}"),
        ("models:\n", f"models:\n{ITEM}"),
        ("models: []  # none yet\n", f"models:  # none yet\n{ITEM}"),
        ("models: null\nlog: {path: x}\n", f"models:\n{ITEM}log: {{path: x}}\n"),
        ("log:\n  path: x", f"log:\n  path: x\nmodels:\n{ITEM}"),
        (BEGUN, f"{BEGUN}{ITEM}"),
        # Comments of what follows stay there; blank lines between entries are kept.
        (
            f"{BEGUN}\n  - name: y\n\n# the log\nlog: {{path: x}}\n",
            f"{BEGUN}\n  - name: y\n\n{ITEM}\n# the log\nlog: {{path: x}}\n",
        ),
        (
            f"{BEGUN}    text: |\n      a\n\n      b\n\n\n",
            f"{BEGUN}    text: |\n      a\n\n      b\n\n{ITEM}\n\n",
        ),
    ],
)
def test_the_entry_stands_behind_the_last_one(before: str, after: str) -> None:
    """In the indentation of the list, with nothing else changed."""
    assert with_entry(before, ENTRY) == after


def test_another_indentation_and_line_ends_are_kept() -> None:
    """Those that the file has already."""
    flat = "models:\r\n- name: x\r\n  model: c/d\r\n# end\r\n"
    item = "".join(line[2:] + "\r\n" for line in ITEM.splitlines())
    assert with_entry(flat, ENTRY) == flat.replace("# end", f"{item}# end")


def test_the_first_configuration_takes_one() -> None:
    """Its comments stay where they are."""
    after = with_entry(STARTER, ENTRY)
    assert after.replace(f"{ITEM}\n", "") == STARTER
    assert names_in(after) == ("hf-llama", "new")


@pytest.mark.parametrize(
    "before",
    [
        "{models: [{name: x}]}",
        "models: [{name: x, model: c/d}] # all\nlog: {path: x} # here\n",
    ],
)
def test_a_list_in_one_line_is_written_anew(before: str) -> None:
    """Comments of other lines are kept."""
    after = with_entry(before, ENTRY)
    assert names_in(after) == ("x", "new")
    assert [word for word in ("# all", "# here") if word in before] == [
        word for word in ("# all", "# here") if word in after
    ]


@pytest.mark.parametrize(
    "before", ["models: 5\n", "- a\n", "a: [\n", "models:\n  x: y\n", "x\n", "\x00"]
)
def test_what_is_no_configuration_is_refused(before: str) -> None:
    """And nothing is written."""
    with pytest.raises(ConfigError):
        with_entry(before, ENTRY)


@pytest.mark.parametrize("tail", ["...\n", "---\nmodels: []\n"])
def test_the_end_of_a_document_is_no_trap(tail: str) -> None:
    """The result is read again: it says all of before, and the entry, or is refused."""
    try:
        after = with_entry(f"a: 1\n{tail}", ENTRY)
    except ConfigError:
        return
    assert YAML(typ="safe", pure=True).load(after)["models"] == [ENTRY.value]


_NAMES = st.text(max_size=8).filter(str.isprintable)
_FILES = st.builds(
    lambda names, gap, dash, tail: (
        "models:\n"
        + gap.join(f"{dash}- name: {name!r}\n{dash}  model: a/b\n" for name in names)
        + tail
    ),
    st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=3),
    st.sampled_from(["", "\n", "  # c\n", "# c\n\n"]),
    st.sampled_from(["", "  ", "    "]),
    st.sampled_from(["", "\n", "# end", "log: {path: x}\n", "\n# c\nx: |\n  - a\n"]),
)


@given(_FILES, _NAMES)
def test_every_line_of_before_is_there_after(before: str, name: str) -> None:
    """In order; and the file says what it said, and the entry."""
    entry = NewEntry(name, PROVIDER, "a/b", ("chat",))
    try:
        after = with_entry(before, entry)
    except ConfigError:
        return
    lines = iter(after.splitlines())
    assert all(line in lines for line in before.splitlines())
    read = YAML(typ="safe", pure=True).load
    assert read(after) == {
        **read(before),
        "models": [*read(before)["models"], entry.value],
    }


def test_a_name_is_made_of_the_id() -> None:
    """Without owner and provider, in small letters."""
    assert name_of("Qwen/Qwen3-32B:groq") == "qwen3-32b"
    assert name_of("a/___") == "model"
    assert free_name("x", ["X", "x-2"]) == "x-3"
    assert free_name("y", ["x"]) == "y"
