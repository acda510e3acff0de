"""``docs/roles.md`` says what the code does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from client.page import MODELS, ROLES, ROUTES
from config_world import World
from package_sources import PACKAGE, Sources
from servers.engines import FakeVllm

from bytebuddy_provider_hf.client import model_family
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.roles import fill
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts import families
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.texts import in_file, rows_of
from bytebuddy_provider_hf.types import CompletionOptions, Message

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "roles.md").read_text("utf-8")
PROSE: Final = " ".join(TEXT.split())
PROGRAMS: Final = re.findall(
    r"```python\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL
)
MET: Final = tomllib.loads(
    (Path(__file__).parent / "page_models.toml").read_text("utf-8")
)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below ``heading``, without its head."""
    part = TEXT.partition(f"## {heading}\n")[2].lstrip().partition("\n\n")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]


def word(role: str, met: dict[str, object]) -> str:
    """Return what the page calls a request, or a refusal."""
    if "refused" in met:
        return "-"
    path, asked = str(met["path"]), str(met["asked"])
    if role == "chat":
        plain = "transcript" if "\nAssistant:" in asked else "text"
        return "turns" if path == "/v1/chat/completions" else plain
    if asked == "def add(a, b):\n":
        return "prefix"
    marks = {
        "<commit_before>": "commit",
        "<fim_prefix>": "infill",
        '"input_prefix"': "infill",
        "<FILL>": "instruction",
        "Change the code as told": "instruction",
        "Work the suggested change": "instruction",
    }
    return next(told for mark, told in marks.items() if mark in asked)


def cell(model: str, role: str) -> str:
    """Return what the page must say of a model in a role, by what leaves for it."""
    words = {route: word(role, MET[model][role][route]) for route in ROUTES}
    said = {words[route] for route in ROUTES if route != "router"}
    assert len(said) == 1, (model, role, words)
    (here,) = said
    return here if words["router"] == here else rf"{here} \*"


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_page_prints_what_it_says(number: int, tmp_path: Path) -> None:
    """Each block is a program of its own; its output stands below it."""
    program, printed = PROGRAMS[number]
    script = tmp_path / "block.py"
    script.write_text(program, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "HF_TOKEN": ""},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == printed


def test_the_page_has_its_blocks() -> None:
    """The pattern finds them; an empty list would pass everything."""
    assert len(PROGRAMS) == TEXT.count("```python\n") == 3


@pytest.mark.parametrize("model", MODELS)
def test_the_table_of_models_is_what_leaves(model: str) -> None:
    """Each cell says what the requests of ``page_models.toml`` are."""
    table = {row[0]: row[1:] for row in rows("The models of the provider's page")}
    assert table[model] == [cell(model, role) for role in ROLES]
    assert len(table) == len(MODELS)


def test_every_word_of_the_table_is_explained() -> None:
    """And no other."""
    part = TEXT.partition("| written | what is sent |")[2].partition("\n\n")[0]
    told = {line.strip("|").split("|")[0].strip() for line in part.splitlines()[2:]}
    used = {cell(model, role) for model in MODELS for role in ROLES}
    assert told == {each.removesuffix(r" \*") for each in used} | {r"\*"}


@pytest.mark.parametrize("why", [row[1] for row in rows("What is refused")])
def test_a_reason_of_the_page_is_one_that_is_given(why: str, strings: set[str]) -> None:
    """The words of a refusal are written so in the package."""
    for part in why.removeprefix("it ").split("…"):
        assert any(part.strip() in each for each in strings), part


@pytest.mark.parametrize("note", [row[0] for row in rows("What the notes say")])
def test_a_note_of_the_page_is_one_that_is_given(note: str, strings: set[str]) -> None:
    """What stands between the gaps is written so in the package."""
    for part in filter(None, (part.strip() for part in note.split("…"))):
        assert any(part in each for each in strings), part


@pytest.fixture(scope="session")
def strings(sources: Sources) -> set[str]:
    """Return every text in the package's code and tables but its documentation."""
    rooms = ("client/", "prompts/", "wire/", "edits/", "failures/")
    nodes = [
        node
        for path, all_nodes in sources.items()
        if path.startswith(rooms)
        for node in all_nodes
    ]
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    tables = [path.stem for path in (PACKAGE / "data" / "texts").glob("*.toml")]
    rows = [row["en"] for table in tables for row in rows_of(table).values()]
    # The page is for the readers of a file.
    options = re.compile(r"\{option:([\w.]+)\}")
    said = {options.sub(lambda it: in_file(it[1]), each) for each in rows}
    return said | {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    }


def test_the_file_of_the_page_loads_and_its_family_exists(tmp_path: Path) -> None:
    """It can be copied, and is not told by the words in the model's name."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    config = World(tmp_path, tmp_path, tmp_path).read(block)
    assert config.warnings == ()
    found = model_family.family_of_entry(config.entries[0])
    assert found is not None
    assert (found.name, found.window) == ("llama-3", 8192)
    assert families.family_by_id(config.entries[0].model) is None


def test_the_family_of_an_entry_is_one_that_exists() -> None:
    """A wrong name is an error that lists all of them."""
    assert families.family_by_name("qwen2.5-coder") is not None
    with pytest.raises(InvalidOption, match=r"llama-2, .*, none") as caught:
        model_family.family_of_entry(ModelEntry("x", "p", "a/b", family="qwen-2.5"))
    assert all(name in str(caught.value) for name in families.load_families().by_name)


def test_the_figures_are_those_of_the_code() -> None:
    """Models, seconds, tokens, temperature."""
    for said in (
        f"a table of {len(families.load_families().by_id)} models",
        f"has no template (up to {model_family._FOR_CHAT:.0f} s)",
        f"can be sent (up to {model_family._FOR_FILL:.0f} s)",
        f"Up to {fill._PROMPT_TOKENS:,} tokens of code are shown",
        f"{fill._ANSWER_TOKENS} come back ({fill._LINE_TOKENS} for one line)",
        f"at temperature {fill._TEMPERATURE}, unless",
    ):
        assert said in PROSE, said


@virtual_time
async def test_whole_exchanges_go_and_the_last_turn_stays() -> None:
    """As the page tells it: the system message, and what was asked last."""
    talk = [Message("system", "Be brief.")]
    for number in range(10):
        talk.append(Message("user", f"Question {number}: " + "and then " * 20))
        talk.append(Message("assistant", "No."))
    talk.append(Message("user", "And now?"))
    small = CompletionOptions(context_length=200, max_tokens=50)
    server = Recorded(FakeVllm("any"))
    runtime = Runtime(connect=MemoryConnect(server))
    base = "http://127.0.0.1:8080"
    async with open_model(
        "any", api_base=base, options=small, runtime=runtime, env={}
    ) as model:
        reply = await model.chat(talk)
    sent = server.requests[-1].value("messages")
    assert isinstance(sent, list)
    assert [m["role"] for m in sent] == ["system", *["user", "assistant"] * 2, "user"]
    assert sent[-1]["content"] == "And now?"
    (note,) = reply.notes
    assert (
        note == "16 earlier messages were left out: the model's window is 200 tokens."
    )
