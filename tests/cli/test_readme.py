"""The READMEs show what the commands print, and link to what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli.process import Run

from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh.md")
PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md"))
CONFIG = """\
models:
  - name: "local-gemma"
    provider: "huggingfaceinferenceapi"
    model: "google/gemma-3-270m"
    apiBase: "{base}"
    roles: ["autocomplete", "edit", "apply"]
"""
# What Gemma 3 270M answered, on llama.cpp.
SEEN = " fibonacci(n-1) + fibonacci(n-2)"
TYPED = """\
@@ -1,2 +1,2 @@
-def fibonacci(n):
+def fibonacci(n: int) -> int:
     if n < 2:
"""


@pytest.fixture
def prepared(run: Run, hub: FakeHub, base: str, home: Path) -> Run:
    """Give the command with a configuration, and a model that answers as then."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG.format(base=base))
    hub.set("google/gemma-3-270m", Behaviour(answer=lambda _: f"{SEEN}\n\n\nmore"))
    return run


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_print_what_the_readme_shows(
    readme: str, prepared: Run, tmp_path: Path
) -> None:
    """Word for word, where the model answers what it answered then."""
    text = (ROOT / readme).read_text("utf-8")
    block = text.partition("```console\n$ cat fib.py\n")[2].partition("```")[0]
    written, first, second = re.split(r"^\$ bytebuddy-hf ", block, flags=re.MULTILINE)
    project = tmp_path / "project"
    (project / "fib.py").write_text(written)
    (project / "typed.diff").write_text(TYPED)
    for shown in (first, second):
        command, _, printed = shown.partition("\n")
        ran = prepared(*command.split())
        assert ran.code == 0, ran.err
        assert ran.out.rstrip("\n") == printed.rstrip("\n")


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.parametrize("page", PAGES)
def test_the_readme_names_every_page(readme: str, page: str) -> None:
    """Each can be found."""
    assert f"(docs/{page})" in (ROOT / readme).read_text("utf-8")


@pytest.mark.parametrize(
    "page", [*READMES, "CHANGELOG.md", *(f"docs/{page}" for page in PAGES)]
)
def test_no_page_links_to_nothing(page: str) -> None:
    """Every relative link leads to a file of the repository."""
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert all((path.parent / link).exists() for link in links), links
