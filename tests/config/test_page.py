"""The provider page's own configuration, as it reads and as it is copied."""

from __future__ import annotations

import re
import textwrap

import pytest
from config_world import World
from page_blocks import BASIC, BLOCKS, KEYS, SEVERAL, flat

from bytebuddy_provider_hf.types import Role


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_of_the_page_loads_as_written(world: World, name: str) -> None:
    """A block of the page is a configuration, without one warning."""
    block, count = BLOCKS[name]
    config = world.read(block, KEYS)
    assert len(config.entries) == count
    assert config.warnings == ()
    assert all(entry.unset == () and entry.api_key for entry in config.entries)


def test_a_block_means_what_it_says(world: World) -> None:
    """Names, roles and options arrive as the page gives them."""
    entry = world.read(SEVERAL, KEYS).entries[2]
    assert (entry.name, entry.model) == ("hf-multilingual", "google/flan-t5-xxl")
    assert entry.roles == (Role.CHAT,)
    assert entry.default_completion_options.temperature == 0.5
    assert entry.default_completion_options.max_tokens == 1024
    assert entry.api_key is not None
    assert entry.api_key.reveal() == "hf_one"
    assert entry.api_key_origin == "HF_API_KEY"
    assert (entry.source.line, entry.source.column) == (18, 5)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_pasted_flat_is_printed_as_it_should_be(
    world: World, name: str
) -> None:
    """The page's text has lost its indentation: the error holds the block restored."""
    block, _ = BLOCKS[name]
    (problem,) = world.problems(flat(block))
    message, printed = problem.split("\n\n", 1)
    assert printed == block
    assert message.startswith("chosen.yaml:3:1: the key provider stands at top level")


def test_the_restored_block_can_be_pasted_as_it_is(world: World) -> None:
    """What the error prints loads."""
    (problem,) = world.problems(flat(SEVERAL))
    assert len(world.read(problem.split("\n\n", 1)[1], KEYS).entries) == 3


def test_the_word_yaml_above_a_copied_block_does_no_harm(world: World) -> None:
    """The page's copy button brings the language's name along."""
    (problem,) = world.problems("yaml\n" + flat(SEVERAL))
    assert problem.split("\n\n", 1)[1] == SEVERAL


def test_a_half_indented_block_is_restored_too(world: World) -> None:
    """Only the entry's keys slipped to the margin."""
    text = textwrap.dedent("""\
        models:
          - name: "x"
        provider: "p"
        model: "a/b"
        requestOptions:
        headers:
        X-Team: "secret-canary"
        timeout: 5
        env:
        A: "secret-canary"
        roles:
        - chat
        """)
    (problem,) = world.problems(text)
    assert problem.split("\n\n", 1)[1] == textwrap.dedent("""\
        models:
          - name: "x"
            provider: "p"
            model: "a/b"
            requestOptions:
              headers:
                X-Team: "**********"
              timeout: 5
            env:
              A: "**********"
            roles:
              - chat
        """)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('"sk-canary"', '"**********"'),
        ("sk-canary", '"**********"'),
        ('"${KEY}"', '"${KEY}"'),
        ("${{ secrets.KEY }}", "${{ secrets.KEY }}"),
        ('"${KEY:-sk-canary}"', '"**********"'),
        ('"sk-canary${KEY}"', '"**********"'),
    ],
)
def test_a_restored_block_shows_references_and_no_keys(
    world: World, written: str, shown: str
) -> None:
    """A literal key is masked, a reference is kept."""
    (problem,) = world.problems(flat(BASIC).replace('"${HF_API_KEY}"', written))
    assert f"apiKey: {shown}\n" in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    "line",
    [
        *("apikey: {}", "api_key: {}", "apiKye: {}", "apiKey : {}", "API_KEY: {}"),
        *("token: '{}'", "authorization: Bearer {}", "x-api-key: {}", "pin: {}"),
        *("# apiKey: {}", "# the old one was {}", "# key = {}", "#apikye:{}"),
        *("title: mine  # apiKey: {}", "apiKey: ${{HF_API_KEY}}  # or {}"),
        *("defaultCompletionOptions:\nstop: {}", "contextLength: 8192 # {}"),
        *("requestOptions:\nheaders:\nX-Some: {}", "env:\nSOME: {}"),
        *("requestOptions:\nproxy: http://u:{}@h:1", "keys:\n- {}"),
        *("requestOptions:\nheaders: {{X-Some: {}}}", "apiKey: >-\n{}"),
        *("apiKey: |\n{}", 'apiKey: "{}\n{}"', "apiBase: https://u:{}@h.example/v1"),
        "apiBase: https://u:a/{}@h.example/v1",
        "apiBase: https://h.example/v1?code={}",
        *("apiBase: https://h.example/v1?a=b&k={}", "{}: x"),
    ],
)
@pytest.mark.parametrize(
    "key",
    [
        *("Canary4711OfTheKey", "hf_Canary4711OfTheKey"),
        "ca4a4747-1111-4222-8333-ca4a4747ca4a",
    ],
)
def test_no_key_stands_in_the_block_wherever_it_was_put(
    world: World, line: str, key: str
) -> None:
    """At a misspelt name, in a comment, a header, an address, over several lines."""
    lines = "".join(f"{each}\n" for each in line.format(key, key).splitlines())
    for problem in world.problems(flat(BASIC) + lines):
        assert key not in problem
        assert "ca4a47" not in problem
        assert "Canary47" not in problem


@pytest.mark.parametrize(
    "line",
    [
        *("contextLength: 8192", "# read by the whole team"),
        "apiBase: https://h.example/v1?api-version=2024-10-21",
        "apiKey: ${OTHER_KEY}",
    ],
)
def test_what_is_no_key_stays_in_the_block(world: World, line: str) -> None:
    """A block of masks alone would help nobody."""
    (problem,) = world.problems(flat(BASIC).replace("apiKey", "# apiKey") + line + "\n")
    assert f"{line}\n" in problem


def test_a_flat_block_that_cannot_be_restored_gets_an_example(world: World) -> None:
    """A text of several lines cannot be told from keys: no guess is printed."""
    text = flat(BASIC) + "chatOptions:\nbaseSystemMessage: |\n  be: kind\n  or else\n"
    (problem,) = world.problems(text)
    assert "An entry reads like this:" in problem
    assert re.search(r"\n\nmodels:\n  - name:", problem)
