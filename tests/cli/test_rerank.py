"""``rerank`` in a process of its own, against a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cli.process import Run, serving
from servers.engines_tei import FakeTei


@pytest.fixture
def at() -> Iterator[list[str]]:
    with serving(FakeTei(kind="reranker", max_input=6)) as url:
        yield ["--base", url, "-m", "any"]


def test_documents_come_best_first(run: Run, at: list[str]) -> None:
    """With their scores; equal ones keep their order."""
    ran = run("rerank", *at, "red fish", "a cat", "a red dog", "red fish", "a tree")
    assert ran.out.splitlines() == [
        "1.000000  red fish",
        "0.500000  a red dog",
        "0.000000  a cat",
        "0.000000  a tree",
    ]
    assert (ran.err, ran.code) == ("", 0)


def test_json_keeps_the_order_given(run: Run, at: list[str]) -> None:
    """One object with a score for each document."""
    ran = run("rerank", *at, "--json", "red", "blue", "red")
    found = json.loads(ran.out)
    assert [each["score"] for each in found["results"]] == [0.0, 1.0]
    assert [each["index"] for each in found["results"]] == [0, 1]


def test_piped_lines_are_documents(run: Run, at: list[str]) -> None:
    """As many as there are: 3,000 in batches of 32."""
    lines = [f"red {n}" if n == 1_999 else f"blue {n}" for n in range(3_000)]
    ran = run("rerank", *at, "red", stdin="\n".join(lines))
    shown = ran.out.splitlines()
    assert len(shown) == 3_000
    assert shown[0] == "1.000000  red 1999"


def test_a_cut_is_told_on_stderr(run: Run, at: list[str]) -> None:
    """Once, and the scores stay on stdout."""
    ran = run("rerank", *at, "red", "red a b c d e f g", "blue")
    assert len(ran.out.splitlines()) == 2
    assert ran.err.count("the server cut what did not fit") == 1


def test_no_documents_is_wrong_usage(run: Run, at: list[str]) -> None:
    """It ends with 2."""
    assert run("rerank", *at, "red").code == 2


def test_an_embedding_model_is_told(run: Run) -> None:
    """Which server would do is in the hint."""
    with serving(FakeTei()) as url:
        ran = run("rerank", "--base", url, "-m", "any", "q", "d")
    assert ran.code == 2
    assert "scores no documents here" in ran.err
    assert "--reranking" in ran.err
