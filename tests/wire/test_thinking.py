"""The rules for telling reasoning from text by the marks that models write."""

from __future__ import annotations

import gc
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.types import Reasoning, Text
from bytebuddy_provider_hf.wire.thinking import MARKS, ThinkSplitter

HARMONY = (
    "<|channel|>analysis<|message|>They greet.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Hello!<|return|>"
)


def split(text: str, *, opened: str = "") -> tuple[str, str]:
    splitter = ThinkSplitter(opened=opened)
    pieces = splitter.feed(text) + splitter.close()
    thought = "".join(each.text for each in pieces if isinstance(each, Reasoning))
    return thought, "".join(each.text for each in pieces if isinstance(each, Text))


def pieces(
    parts: list[str], *, opened: str = "", choice: int = 0
) -> list[Text | Reasoning]:
    """Return what a splitter passes on of an answer in parts."""
    splitter = ThinkSplitter(opened=opened, choice=choice)
    found = [piece for part in parts for piece in splitter.feed(part)]
    return found + splitter.close()


def told(parts: list[str], *, opened: str = "") -> tuple[str, str]:
    """Return reasoning and text, each joined."""
    found = pieces(parts, opened=opened)
    return (
        "".join(each.text for each in found if isinstance(each, Reasoning)),
        "".join(each.text for each in found if isinstance(each, Text)),
    )


@pytest.mark.parametrize(("opening", "closing"), MARKS.items())
def test_each_spelling_is_told_apart(opening: str, closing: str) -> None:
    """What stands between the marks is reasoning, the white space round it dropped."""
    text = f"\n{opening}\nIt is 4.\n\nSure.\n{closing}\n\nThe answer: 4\n"
    assert split(text) == ("It is 4.\n\nSure.", "The answer: 4\n")


def test_every_cut_gives_the_same() -> None:
    """In one piece, at each place in two, and character by character."""
    for opening, closing in MARKS.items():
        text = f" {opening} a < b {closing} c {closing}"
        whole = split(text)
        assert whole == ("a < b", f"c {closing}")
        assert told(list(text)) == whole
        for cut in range(len(text)):
            assert told([text[:cut], text[cut:]]) == whole


def test_a_mark_later_in_the_text_is_text() -> None:
    """Only at the beginning, after white space, does a model begin to think."""
    for text in (
        "The tag <think> opens it, </think> closes it.",
        "  x <think>y</think>",
        "`<think>` is a tag",
        "</think> alone",
        "<thinker>no</thinker>",
    ):
        assert split(text) == ("", text)
        assert told(list(text)) == ("", text)


def test_a_second_block_is_text() -> None:
    """After the first closing mark nothing is looked for any more."""
    assert split("<think>a</think>b<think>c</think>") == ("a", "b<think>c</think>")


def test_a_beginning_that_is_no_mark_after_all_is_not_lost() -> None:
    """Neither at the end of the answer nor before other text."""
    for text in ("<thi", "<", "  <thin", " \n", "[", "<|start|>assistant", ""):
        assert told(list(text)) == ("", text)


def test_a_mark_that_never_closes_makes_all_of_it_reasoning() -> None:
    """The answer was cut while the model was thinking."""
    assert told(["<think>a", " b</thi"]) == ("a b</thi", "")
    assert split("<think>  ") == ("", "")


def test_an_empty_block_is_nothing() -> None:
    """Qwen 3 writes one when it is told not to think."""
    assert split("<think>\n\n</think>\n\nHi") == ("", "Hi")


def test_a_template_that_opens_the_reasoning_leaves_only_its_end() -> None:
    """Only where the caller says so; a mark that comes all the same is dropped."""
    text = "\nIt is 4.\n</think>\n\n4"
    assert split(text) == ("", text)
    assert split(text, opened="<think>") == ("It is 4.", "4")
    assert told(list(text), opened="<think>") == ("It is 4.", "4")
    assert split("<think>a</think>b", opened="<think>") == ("a", "b")
    assert split("a[/THINK]b", opened="[THINK]") == ("a", "b")
    assert split("cut short", opened="<think>") == ("cut short", "")


def test_an_unknown_mark_is_refused() -> None:
    """With those that are known."""
    with pytest.raises(InvalidOption, match="does not open") as refused:
        ThinkSplitter(opened="<ponder>")
    assert "<think>" in str(refused.value.hint)


def test_gpt_oss_says_in_its_channels_what_is_for_whom() -> None:
    """Final is text, analysis and commentary are not, whatever the cut."""
    assert split(HARMONY) == ("They greet.", "Hello!")
    assert split("<|start|>assistant" + HARMONY) == ("They greet.", "Hello!")
    for cut in range(len(HARMONY)):
        assert told([HARMONY[:cut], HARMONY[cut:]]) == ("They greet.", "Hello!")
    assert told(list(HARMONY)) == ("They greet.", "Hello!")
    assert split("<|channel|>final<|message|>a < b") == ("", "a < b")


def test_what_has_no_place_in_the_channels_is_text() -> None:
    """A header without end, or words after the last message, are not lost."""
    long = "<|channel|>" + "x" * 300
    assert told(list(long)) == ("", "x" * 300)
    assert split(HARMONY + " more") == ("They greet.", "Hello! more")


def test_the_pieces_know_their_choice() -> None:
    """With several answers each splitter names its own."""
    found = pieces(["<think>a</think>", "b"], choice=2)
    assert found == [Reasoning("a", 2), Text("b", 2)]


def test_text_is_passed_on_at_once() -> None:
    """Nothing is held back once it is clear that the model does not think."""
    splitter = ThinkSplitter()
    assert splitter.feed(" \n") == []
    assert splitter.feed("H") == [Text(" \nH")]
    assert splitter.settled
    assert splitter.feed("<think>") == [Text("<think>")]


def test_reasoning_is_passed_on_but_for_what_may_be_its_end() -> None:
    """White space and the beginning of the mark wait, nothing else."""
    splitter = ThinkSplitter()
    assert splitter.feed("<think>a b ") == [Reasoning("a b")]
    assert splitter.feed("c</t") == [Reasoning(" c")]
    assert splitter.feed("x") == [Reasoning("</tx")]


def test_a_server_that_splits_itself_ends_the_search() -> None:
    """What was held back is text, and so is all that follows."""
    splitter = ThinkSplitter()
    splitter.feed(" <th")
    assert splitter.disable() == [Text(" <th")]
    assert splitter.feed("<think>") == [Text("<think>")]


FRAGMENTS = (
    *(*MARKS, *MARKS.values(), "<|start|>assistant", "<|channel|>", "final"),
    *("<|message|>", "<|end|>", "<", "</", "think>", " ", "\n", "a", "[", "◁"),
)
PARTS = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


@given(PARTS, st.data(), st.sampled_from(["", "<think>", "[THINK]"]))
def test_any_cutting_of_any_text_gives_the_same(
    text: str, data: st.DataObject, opened: str
) -> None:
    """The borders of the pieces say nothing."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    borders = [0, *cuts, len(text)]
    parts = [text[a:b] for a, b in pairwise(borders)]
    assert told(parts, opened=opened) == split(text, opened=opened)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_word_is_lost(thought: str, text: str) -> None:
    """What is between the marks and after them is all there, blanks aside."""
    if "</think>" in thought:
        return
    found = split(f"<think>{thought}</think>{text}")
    assert found == (thought.strip(), text.lstrip())


@pytest.mark.measured
@pytest.mark.parametrize(
    "text", ["<think>" + " " * 200_000, " " * 200_000, "<think>" + "</thin" * 40_000]
)
def test_a_long_answer_by_single_characters_takes_linear_time(text: str) -> None:
    """Four times as long takes about four times, not sixteen."""

    def seconds(of: str) -> float:
        pieces = list(of)
        # What other tests left behind is not to be looked through meanwhile.
        gc.disable()
        try:
            begun = time.process_time()
            told(pieces)
            return time.process_time() - begun
        finally:
            gc.enable()

    short = min(seconds(text[: len(text) // 4]) for _ in range(3))
    assert any(seconds(text) < 10 * short + 0.05 for _ in range(3))
