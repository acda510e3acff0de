"""``embed`` in a process of its own, against a real socket."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field
from cli.process import COMMAND, OpenTerminal, Run, serving
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.testing.answers import simulated_vector
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Recorded


@define
class Slow:
    """TEI that is busy from the second batch on."""

    batches: int = 0
    delay: float = 60.0
    inner: FakeTei = field(factory=FakeTei)

    async def __call__(self, request: FakeRequest) -> FakeReply:
        reply = await self.inner(request)
        if request.method == "POST":
            self.batches += 1
        if self.batches <= 32:
            return reply
        return FakeReply(body=reply.body, headers=reply.headers, delay=self.delay)


@pytest.fixture
def tei() -> Recorded:
    return Recorded(FakeTei())


@pytest.fixture
def at(tei: Recorded) -> Iterator[list[str]]:
    with serving(tei) as url:
        yield ["--base", url, "-m", "any"]


def test_one_line_for_each_text(run: Run, at: list[str]) -> None:
    """Dimensions, the first numbers, and the text; nothing on stderr."""
    ran = run("embed", *at, "a cat", "a dog")
    first = " ".join(f"{number:+.4f}" for number in simulated_vector("a cat")[:4])
    lines = ran.out.splitlines()
    assert lines[0] == f"8 dimensions  {first} …  a cat"
    assert lines[1].endswith("  a dog")
    assert (len(lines), ran.err, ran.code) == (2, "", 0)


def test_json_is_one_vector_a_line_and_then_what_holds_for_all(
    run: Run, at: list[str]
) -> None:
    """The whole vector, its text and place; the last line counts."""
    ran = run("embed", *at, "--json", "a", "b")
    rows = [json.loads(each) for each in ran.out.splitlines()]
    assert [row["type"] for row in rows] == ["vector", "vector", "done"]
    assert [(row["index"], row["text"]) for row in rows[:2]] == [(0, "a"), (1, "b")]
    assert rows[1]["vector"] == simulated_vector("b")
    assert (rows[2]["count"], rows[2]["dimensions"]) == (2, 8)


def test_lines_of_a_file_are_texts(run: Run, at: list[str], tmp_path: Path) -> None:
    """After the arguments; empty lines are none, CRLF and a BOM are no part of them."""
    file = tmp_path / "lines.txt"
    file.write_bytes("\ufeffone\r\n\r\n  \r\ntwo\r\nthree".encode())
    ran = run("embed", *at, "--json", "--file", str(file), "zero")
    rows = [json.loads(each) for each in ran.out.splitlines()[:-1]]
    assert [row["text"] for row in rows] == ["zero", "one", "two", "three"]


def test_what_is_piped_in_is_lines_too(run: Run, at: list[str]) -> None:
    """With no argument and no file, or where the file is "-"."""
    for arguments in ([], ["--file", "-"]):
        ran = run("embed", *at, *arguments, stdin="one\ntwo\n")
        assert len(ran.out.splitlines()) == 2


def test_nothing_to_embed_is_wrong_usage(run: Run, at: list[str]) -> None:
    """It ends with 2 and says how to give texts."""
    ran = run("embed", *at, stdin="\n\n")
    assert ran.code == 2
    assert "--file" in ran.err


def test_query_and_prefix_reach_the_server(
    run: Run, tei: Recorded, at: list[str], home: Path
) -> None:
    """The first entry with the role embed is asked, with its prefix of queries."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        "models:\n  - name: chatty\n    provider: huggingfaceinferenceapi\n"
        f'    model: a/b\n    apiBase: "{at[1]}"\n'
        "  - name: mine\n    provider: huggingfaceinferenceapi\n"
        f'    model: org/name\n    apiBase: "{at[1]}"\n    roles: [embed]\n'
        "    embedOptions:\n      embeddingPrefixes:\n"
        '        chunk: "p: "\n        query: "q: "\n'
    )
    assert run("embed", "--query", "a").code == 0
    assert tei.requests[-1].value("inputs") == ["q: a"]


def test_10_000_lines_come_out_in_order(run: Run, at: list[str]) -> None:
    """Portion after portion, every line once."""
    texts = [f"t{n}" for n in range(10_000)]
    ran = run("embed", *at, "--json", stdin="\n".join(texts))
    rows = [json.loads(each) for each in ran.out.splitlines()]
    assert [row["text"] for row in rows[:-1]] == texts
    assert [row["index"] for row in rows[:-1]] == list(range(10_000))
    assert rows[-1]["count"] == 10_000
    assert rows[7_777]["vector"] == simulated_vector("t7777")


def test_a_failure_is_one_block_or_one_object(run: Run) -> None:
    """A reranker gives no vectors: exit 2, the way out, JSON where asked for."""
    with serving(FakeTei(kind="reranker")) as url:
        ran = run("embed", "--base", url, "-m", "any", "a")
        told = run("embed", "--base", url, "-m", "any", "--json", "a")
    assert (ran.code, ran.out) == (2, "")
    assert "gives no vectors here" in ran.err
    assert (told.code, told.err) == (2, "")
    assert json.loads(told.out)["error"]["type"] == "UnsupportedRole"


def test_a_file_that_is_not_there_is_told(run: Run, at: list[str]) -> None:
    """By its name, with where it was sought, as wrong usage; so is a folder."""
    for name, told in (
        ("missing.txt", "error: There is no file missing.txt.\n"),
        (".", "error: . is not a file.\n"),
    ):
        ran = run("embed", *at, "--file", name)
        assert ran.code == 2
        assert ran.err.startswith(told)


def test_ctrl_c_ends_it_and_keeps_what_came(environment: dict[str, str]) -> None:
    """Whole lines stay on stdout; the last says how many there are; 130."""
    with (
        serving(Slow()) as url,
        subprocess.Popen(
            [*COMMAND, "embed", "--base", url, "-m", "any", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n".join(f"t{n}" for n in range(3_000)).encode())
        process.stdin.close()
        first = process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 130
    rows = [json.loads(each) for each in (first + rest).splitlines()]
    assert len(rows) == 1_025
    assert rows[-1] == {"stopped": True, "count": 1_024}


def test_progress_is_drawn_on_a_terminal_and_taken_away(
    terminal: OpenTerminal, tmp_path: Path
) -> None:
    """How many of how many, while they are on their way."""
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(f"t{n}" for n in range(3_000)))
    with serving(Slow(delay=0.3)) as url:
        shown = terminal("embed", "--base", url, "-m", "any", "--file", str(file))
        shown.read_until("1,024 of 3,000 texts")
        assert shown.end() == 0
    assert shown.text.rstrip().endswith("t2999")


def test_no_control_sequence_of_a_text_passes(run: Run, at: list[str]) -> None:
    """What is embedded may come from anywhere."""
    ran = run("embed", *at, "a\x1b]0;title\x07b\u202ec")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
