"""``docs/api.md`` and its Chinese page say what the docstrings say."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import bytebuddy_provider_hf
from bytebuddy_provider_hf import errors

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / ".ci"), *sys.path])
    return import_module("api_page")


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    """Write it anew after a change: ``python .ci/api_page.py``."""
    assert (ROOT / "docs" / "api.md").read_text("utf-8") == generator.page()


def test_the_chinese_page_is_up_to_date(generator: ModuleType) -> None:
    """What it lacks the script names: ``.ci/api_page.zh.toml`` has a row for each."""
    table = tomllib.loads(generator.TABLE.read_text("utf-8"))
    made = generator.translated(generator.page(), table)
    assert not made.missing
    assert not made.unused
    assert generator.CHINESE_PAGE.read_text("utf-8") == made.page


def test_the_page_has_every_name(generator: ModuleType) -> None:
    """Errors are on a page of their own, protocols on that for hosts."""
    page = generator.page()
    headed = set(re.findall(r"^##+ `(\w+)`", page, re.MULTILINE))
    for name in bytebuddy_provider_hf.__all__:
        value = getattr(bytebuddy_provider_hf, name)
        if isinstance(value, type) and not (
            issubclass(value, errors.ByteBuddyError)
            or value.__module__ == "bytebuddy_provider_hf.plugins.protocols"
        ):
            assert name in headed
    # No mark of the docstrings' own form is left.
    assert "``" not in re.sub(r"^```.*$", "", page, flags=re.MULTILINE)
    assert not re.search(r":(meth|class|func):|^Args:", page, re.MULTILINE)


ENGLISH = """\
# Names

Said of
`all`.

```text
call(a: int) -> str
```

`call`, `other`

- `a`: A number.
- `b`: Said of `all`.
"""
TABLE = {"Names": "名称", "Said of `all`.": "说的是 `all`。", "A number.": "数。"}


def test_code_and_names_stay_and_the_rest_is_looked_up(generator: ModuleType) -> None:
    """By the whole paragraph, however it is broken into lines."""
    made = generator.translated(ENGLISH, TABLE)
    assert made.page.splitlines() == [
        *("# 名称", "", "说的是 `all`。", ""),
        *("```text", "call(a: int) -> str", "```", ""),
        *("`call`, `other`", ""),
        *("- `a`：数。", "- `b`：说的是 `all`。"),
    ]
    assert not made.missing
    assert not made.unused


@pytest.mark.parametrize(
    ("english", "table", "said"),
    [
        (
            ENGLISH + '- `c`: The "new"\n  text.\n',
            TABLE,
            ["missing in TABLE, under Names:", r'"The \"new\" text." = ""'],
        ),
        (
            ENGLISH,
            {**TABLE, "A number.": ""},
            ["missing in TABLE, under Names:", '"A number." = ""'],
        ),
        (
            ENGLISH,
            {**TABLE, "Old.": "旧的。"},
            ["no longer needed in TABLE:", '"Old."'],
        ),
    ],
)
def test_what_does_not_fit_the_docstrings_is_named(
    generator: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    english: str,
    table: dict[str, str],
    said: list[str],
) -> None:
    """A text without its Chinese as the row to fill in, and a row of no text."""
    monkeypatch.setattr(generator, "page", lambda: english)
    for name in ("PAGE", "CHINESE_PAGE", "TABLE"):
        monkeypatch.setattr(generator, name, tmp_path / name)

    def write(rows: dict[str, str]) -> None:
        lines = [f"{json.dumps(row)} = {json.dumps(rows[row])}" for row in rows]
        generator.TABLE.write_text("\n".join(lines), "utf-8")

    write(table)
    assert generator.main() == 1
    assert capsys.readouterr().out.splitlines() == said
    # The English page is made all the same, and no Chinese one with gaps.
    assert generator.PAGE.read_text("utf-8") == english
    assert not generator.CHINESE_PAGE.exists()
    monkeypatch.setattr(generator, "page", lambda: ENGLISH)
    write(TABLE)
    assert generator.main() == 0
    assert "- `a`：数。" in generator.CHINESE_PAGE.read_text("utf-8")
