"""The READMEs show what the commands print, and link to what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli.process import CANARY, Run
from test_chinese_pages import anchors

from bytebuddy_provider_hf.testing.behaviour import Behaviour, echo
from bytebuddy_provider_hf.testing.hub import FakeHub

ROOT = Path(__file__).parents[2]
# Each with the folder of the pages in its language.
PAGES_OF = {"README.md": "docs", "README.zh.md": "docs/zh"}
READMES = tuple(PAGES_OF)
PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md"))
# What Gemma 3 270M answered, on llama.cpp.
SEEN = " fibonacci(n-1) + fibonacci(n-2)"
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(readme: str, language: str) -> list[str]:
    """Return what stands between the fences of a language."""
    found = FENCE.findall((ROOT / readme).read_text("utf-8"))
    return [body for name, body in found if name == language]


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_print_what_the_readme_shows(
    readme: str, run: Run, hub: FakeHub, base: str, tmp_path: Path
) -> None:
    """With its entry and files, where the model answers what it answered then."""
    _, entry = blocks(readme, "yaml")
    folder = tmp_path / "home" / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(entry.replace("http://127.0.0.1:8080/v1", base))
    hub.set("google/gemma-3-270m", Behaviour(answer=lambda _: f"{SEEN}\n\n\nmore"))
    (block,) = (each for each in blocks(readme, "console") if "fib.py" in each)
    _, *shown = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert len(shown) == 4
    for each in shown:
        command, _, printed = each.partition("\n")
        program, *arguments = command.split()
        if program == "cat":
            (tmp_path / "project" / arguments[0]).write_text(printed)
            continue
        ran = run(*arguments)
        assert ran.code == 0, ran.err
        assert ran.out.rstrip("\n") == printed.rstrip("\n")


@pytest.mark.parametrize("readme", READMES)
def test_the_program_of_the_readme_runs(
    readme: str, hub: FakeHub, base: str, home: Path, environment: dict[str, str]
) -> None:
    """As it is pasted, with the page's configuration."""
    config, _ = blocks(readme, "yaml")
    (home / ".bytebuddy").mkdir()
    (home / ".bytebuddy" / "config.yaml").write_text(
        config.replace("    roles:", f'    apiBase: "{base}"\n    roles:')
    )
    hub.set("meta-llama/Llama-3.1-8B-Instruct", Behaviour(answer=echo))
    (program,) = blocks(readme, "python")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env={**environment, "HF_API_KEY": CANARY},
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    first, second = re.findall(r'model\.chat\("(.*?)"', program)
    assert ran.stdout == f"{first}\n{second}"


def test_both_readmes_have_the_same_parts() -> None:
    """Headings, promises, links and blocks; of the blocks all but what is said."""
    english, chinese = ((ROOT / each).read_text("utf-8") for each in READMES)
    for mark in (r"^#+ ", r"^- \*\*"):
        count = [len(re.findall(mark, it, re.MULTILINE)) for it in (english, chinese)]
        assert count[0] == count[1], mark
    links = [led_to(readme) for readme in READMES]
    assert links[0] - {("README.zh.md", 0)} == links[1] - {("README.md", 0)}
    assert unsaid(english) == unsaid(chinese)


def led_to(readme: str) -> set[tuple[str, int]]:
    """Return where the links lead, as the English one has it: a file, which heading."""
    found = set()
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / readme).read_text("utf-8")):
        path, _, anchor = target.partition("#")
        to, number = Path(path), 0
        if anchor:
            number = anchors(ROOT / to.parent, to.stem).index(anchor)
        if str(to.parent) == PAGES_OF[readme]:
            path = f"docs/{to.name}"
        found.add((path, number))
    return found


def unsaid(text: str) -> list[str]:
    """Return the blocks without comments and the texts of a person."""
    found = [body for _, body in FENCE.findall(text)]
    return [re.sub(r'\s+# .*|chat(\(| )".*?"', "", body) for body in found]


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.parametrize("page", PAGES)
def test_the_readme_names_every_page(readme: str, page: str) -> None:
    """Each can be found, in the language of whoever reads."""
    assert f"({PAGES_OF[readme]}/{page})" in (ROOT / readme).read_text("utf-8")


@pytest.mark.parametrize(
    "page", [*READMES, "CHANGELOG.md", *(f"docs/{page}" for page in PAGES)]
)
def test_no_page_links_to_nothing(page: str) -> None:
    """Every relative link leads to a file of the repository."""
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    found = [link for link in links if not (path.parent / link).exists()]
    assert not found, found
