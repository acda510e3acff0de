"""What a file may look like that was copied from a page, a chat or a slide."""

from __future__ import annotations

import textwrap

import pytest
from config_world import ENTRY, World

LOST = "models:\n  - name: a\n    provider: p\n    model: m\n"
TWO = LOST + "  - name: b\n    provider: p\n    model: m\n"


def flat(block: str) -> str:
    return "".join(f"{line.strip()}\n" for line in block.splitlines())


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        pytest.param(flat(LOST).partition("\n")[2], LOST, id="no-models"),
        pytest.param(flat(TWO).partition("\n")[2], TWO, id="two-no-models"),
        pytest.param("name: a\nprovider: p\nmodel: m\n", LOST, id="no-dash"),
        pytest.param(textwrap.indent(flat(LOST), "    "), LOST, id="indented"),
        pytest.param(textwrap.indent(flat(TWO), "    "), TWO, id="two-indented"),
        pytest.param("\n\n" + textwrap.indent(flat(TWO), "\t"), TWO, id="tabs"),
        pytest.param(f"yaml\n{flat(TWO)}  ", TWO, id="blanks-at-the-end"),
        pytest.param(
            f"name: mine\n{flat(LOST)}", f"name: mine\n{LOST}", id="name-above"
        ),
    ],
)
def test_a_flat_block_is_restored_and_loads(
    world: World, text: str, restored: str
) -> None:
    """However little was copied: what the error prints is a configuration."""
    (problem,) = world.problems(text)
    message, block = problem.split("\n\n", 1)
    assert "the indentation of this block was lost" in message
    assert block == restored
    assert world.read(block).entries[0].name == "a"


def test_the_place_of_a_lost_key_is_where_it_stands(world: World) -> None:
    """Line and column count in the file, not in the block without its margin."""
    (problem,) = world.problems("\n" + textwrap.indent(flat(TWO), "    "))
    assert problem.startswith("chosen.yaml:4:5: the key provider")


def test_what_cannot_be_restored_to_entries_is_not_printed(world: World) -> None:
    """A restored block without a name would not load: an example stands there."""
    (problem,) = world.problems("provider: p\nmodel: m\n")
    assert "An entry reads like this:" in problem
    assert world.read(problem.split("\n\n", 1)[1]).entries


HINTS = {
    "modles:\n" + ENTRY: "1:1: models: expected a list of entries, found nothing;"
    " write models instead of modles",
    "model:\n" + ENTRY: "1:1: models: expected a list of entries, found nothing;"
    " write models instead of model",
    "models:\n  name: a\n  provider: p\n": "2:3: models: expected a list of entries,"
    " found a mapping; begin each entry with a dash: - name: …",
    "- name: a\n  provider: p\n": "1:1: expected a mapping with models, found a list;"
    " write models: above the list",
    'models:\n  - name:"a"\n    provider:"p"\n': "2:5: models[0]: expected a mapping"
    " with name, provider and model, found a single value; put a blank after each"
    " colon",
    f"models:\n{ENTRY}".replace("provider", "Provider"): "3:5: models[0].Provider:"
    " unknown key Provider; do you mean provider?",
    f"models:\n{ENTRY}".replace("model: ", "modle: "): "4:5: models[0].modle:"
    " unknown key modle; do you mean model?",
    "name: [a]\nversion: {b: 1}\nmodels:\n" + ENTRY: "1:7: name: expected text, found"
    " a list",
}


@pytest.mark.parametrize("text", HINTS)
def test_a_near_miss_says_what_is_missing(world: World, text: str) -> None:
    """The commonest slips are named, not only what the parser made of them."""
    assert world.problems(text)[0] == f"chosen.yaml:{HINTS[text]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modles:\n" + ENTRY, "write models instead of modles"),
        ("models:\n  name: a\n  provider: p\n", "begin each entry with a dash"),
        ("- name: a\n  provider: p\n", "write models: above the list"),
        (f"models:\n{ENTRY}".encode("utf-16"), "the file is UTF-16"),
        (b"models:\n  - name: caf\xe9\n", "byte 0xE9 is not UTF-8"),
        ("x" * 300_000, "larger than 256 KiB"),
    ],
    ids=range(6),
)
def test_a_projects_file_is_skipped_with_what_it_lacks(
    world: World, text: str | bytes, said: str
) -> None:
    """It may be ours all the same, so that the reason is more than "not ours"."""
    world.write(world.project_file, text)
    (warning,) = world.load().warnings
    assert "skipped" in warning.message
    assert said in warning.message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models:\n\u00a0\u00a0- name: a\n", "2:1: the character U+00A0 is no blank"),
        ("models:\n\u3000- name: a\n", "2:1: the character U+3000 is no blank"),
        ("models:\n  -\u00a0name: a\n", "2:4: the character U+00A0 is no blank"),
        ("models:\n  - \u00a0name: a\n", "2:5: the character U+00A0 is no blank"),
        ("models:\n  - name:\u00a0a\n", "2:10: the character U+00A0 is no blank"),
        ("models：\n  - name: a\n", "1:7: the character U+FF1A (：) is no colon"),
        ("models:\n  - name： a\n", "2:9: the character U+FF1A (：) is no colon"),
    ],
)
def test_a_sign_that_only_looks_right_is_named_first(
    world: World, text: str, problem: str
) -> None:
    """Pages and keyboards have blanks and colons that YAML takes for letters."""
    assert world.problems(text)[0].startswith(f"chosen.yaml:{problem}")


def test_such_a_sign_within_a_text_is_a_part_of_it(world: World) -> None:
    """A prompt in Chinese is no mistake."""
    below = "chatOptions:\n  baseSystemMessage: |\n    注意：简洁\n    名：\u3000字"
    entry = world.entry(below)
    assert "注意：" in entry.chat_options.base_system_message


@pytest.mark.parametrize("quotes", ["“”", "‘’", "”“", "「」"])
def test_quotes_that_are_none_are_a_warning_where_any_text_may_stand(
    world: World, quotes: str
) -> None:
    """A word processor's quotes become a part of the value; the text is not shown."""
    left, right = quotes
    text = f"models:\n{ENTRY}    sourceFile: {left}sk-canary{right}\n"
    (warning,) = world.read(text).warnings
    assert warning.place.endswith("chosen.yaml:5:17")
    assert warning.message.startswith(f"models[0].sourceFile: the quotes {left} and")
    assert "canary" not in str(warning)


DEPTHS = {
    "keys at the dash": "models:\n  - name: a\n  provider: p\n  model: m\n",
    "keys too deep": "models:\n  - name: a\n      provider: p\n      model: m\n",
    "one blank too few": "models:\n  - name: a\n   provider: p\n    model: m\n",
    "one blank too many": "models:\n  - name: a\n    provider: p\n     model: m\n",
    "no models": "- name: a\n  provider: p\n  model: m\n",
    "no dash": "models:\n  name: a\n  provider: p\n  model: m\n",
    "the dash less deep": "  models:\n- name: a\n  provider: p\n  model: m\n",
    "tabs": "models:\n\t- name: a\n\t  provider: p\n\t  model: m\n",
}


@pytest.mark.parametrize("slip", DEPTHS)
def test_the_commonest_slips_are_shown_as_the_block_they_should_be(
    world: World, slip: str
) -> None:
    """One problem with its place, and below it what to paste over the file."""
    (problem,) = world.problems(DEPTHS[slip])
    message, block = problem.split("\n\n", 1)
    assert message.startswith("chosen.yaml:")
    assert message.endswith(". It should read:")
    assert block == LOST
    assert world.read(block).entries[0].name == "a"


def test_no_key_is_shown_in_such_a_block(world: World) -> None:
    """Neither where it counts nor where it is commented out."""
    text = (
        "models:\n  - name: a\n  provider: p\n  model: m\n  apiKey: canary-1\n"
        "  # apiKey: canary-2\n  #X-Mine: canary-3\n  # contextLength: 4096\n"
        "  requestOptions:\n  headers:\n  X-Key: canary-4\n"
    )
    (problem,) = world.problems(text)
    assert "canary" not in problem
    assert '    # apiKey: "**********"\n' in problem
    assert "    # contextLength: 4096\n" in problem
    assert '        X-Key: "**********"\n' in problem
    assert world.read(problem.split("\n\n", 1)[1]).entries


def test_what_is_wrong_in_another_way_has_no_block(world: World) -> None:
    """A text that cannot be read as entries, or that fills the screen, is not shown."""
    for text in (
        "models:\n  - name: 'a\n  provider: p\n  model: m\n",
        DEPTHS["keys at the dash"] + "  # x\n" * 2_000,
    ):
        (problem,) = world.problems(text)
        assert "\n" not in problem
