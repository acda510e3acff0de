"""``docs/architecture.md`` describes the package as it is."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path
from types import FrameType

import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply

ROOT = Path(__file__).parents[2]
PACKAGE = Path(bytebuddy_provider_hf.__file__).parent
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
QUOTED = re.findall(r"`([^`\n]+)`", PAGE)
PATHS = [it for it in QUOTED if re.fullmatch(r"[\w./]+(/|\.(py|toml|md))", it)]
WAY = PAGE.partition("## The way of one call")[2].partition("\n## ")[0]
# `file` (`function`), and `Class.method` of the file named before.
STEPS = re.findall(r"`([\w/]+\.py)`\s\(`([\w.]+)`\)", WAY)


def rooms_of_the_page() -> list[list[str]]:
    """Return the rows of the diagram, without what is said of them."""
    diagram = PAGE.partition("```\n")[2].partition("```")[0]
    rows = (re.split(r" {2,}", line)[0] for line in diagram.splitlines())
    return [row.split(" | ") for row in rows]


def test_the_diagram_is_the_contract_of_the_layers() -> None:
    """The rows are those that ``make layers`` checks; rooms not built are left out."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = parser["importlinter:contract:layers"]["layers"].split("\n")
    rows = [
        [room for room in row.split(" | ") if not room.startswith("(")]
        for row in layers
        if row
    ]
    assert rooms_of_the_page() == rows


def test_the_diagram_has_every_room_once() -> None:
    """Each folder and file of the package; ``data`` holds no Python."""
    there = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    named = [room for row in rooms_of_the_page() for room in row]
    assert sorted(named) == sorted(there - {"__init__"})


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_a_path_of_the_page_is_there(path: str) -> None:
    """In the package, in its tables, or in the checkout."""
    places = (PACKAGE / path, PACKAGE / "data" / path, ROOT / path)
    in_sources = path.startswith((".ci/", "bytebuddy_provider_hf/"))
    if in_sources and not (ROOT / "bytebuddy_provider_hf").is_dir():
        pytest.skip("only a checkout has the sources")
    assert any(place.exists() for place in places)


def test_the_page_names_paths() -> None:
    """Else the test before would hold nothing."""
    assert len(PATHS) > 30
    assert len(STEPS) > 8


@pytest.mark.parametrize(
    "target", sorted({it.removeprefix("make ") for it in QUOTED if it[:5] == "make "})
)
def test_a_make_target_of_the_page_is_there(target: str) -> None:
    """``make`` would refuse any other."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)


@pytest.mark.asyncio
async def test_a_call_passes_what_the_page_names() -> None:
    """A server that fails once and drops a connection once, so both ways are gone."""
    passed: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _value: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)):
            file = Path(code.co_filename).relative_to(PACKAGE).as_posix()
            passed.add((file, code.co_qualname))

    replies = [FakeReply(500), FakeReply(dropped=True)]
    hub = FakeHub(default=Behaviour(replies=replies))
    async with (
        hub.serve() as url,
        Runtime(jitter=lambda: 0.0) as runtime,
        open_model("any", api_base=f"{url}/v1", env={}, runtime=runtime) as model,
    ):
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            await model.chat("hi")
        finally:
            sys.setprofile(before)
    assert set(STEPS) <= passed
    assert ("client/attempts.py", "CallAttempts.send") in passed
