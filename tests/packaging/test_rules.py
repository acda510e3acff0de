"""The script behind ``make rules`` sees what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import pytest

SCRIPTS = Path(__file__).parents[2] / ".ci"
Breaks: TypeAlias = Callable[[str, str], list[str]]
HEAD = '"""Do something."""\n' + "# because\n" * 4

BROKEN = {
    "a function inside reads what is assigned after it": (
        "wire/later.py",
        (
            "def outer():\n    def inner():\n        return value\n"
            "    value = 1\n    return inner\n"
        ),
    ),
    "a value is looked for in an error's text": (
        "client/errors.py",
        "def wrong(error):\n    return 'embedding' in str(error).lower()\n",
    ),
    "a value is looked for in an address": (
        "client/urls.py",
        "def last(request):\n    return request.url.endswith('/v1')\n",
    ),
    "a server's kind is asked for": (
        "client/kinds.py",
        "def is_tei(server):\n    return server.engine == 'tei'\n",
    ),
    "a docstring asks": ("wire/which.py", '"""Which way to go."""\n'),
}
FINE = {
    "a function inside reads what is there before it": (
        "wire/before.py",
        (
            "def outer(value):\n    later = value\n    def inner():\n"
            "        return value, later\n    return inner\n"
        ),
    ),
    "failures read wordings": (
        "failures/words.py",
        "def wrong(error):\n    return 'embedding' in str(error).lower()\n",
    ),
    "a dialect knows its kind": (
        "wire/dialects/tei.py",
        "def is_tei(server):\n    return server.engine == 'tei'\n",
    ),
    "a break with a reason": (
        "client/reason.py",
        "def wrong(error):\n    return 'a' in str(error)  # rule: a test\n",
    ),
}


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Breaks:
    """Return what the script says of a package of one file."""
    if not SCRIPTS.is_dir():
        pytest.skip("only a checkout has the scripts")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    rules, measure = import_module("rules"), import_module("measure")

    def found(path: str, text: str) -> list[str]:
        file = tmp_path / "bytebuddy_provider_hf" / path
        file.parent.mkdir(parents=True)
        file.write_text(text if text.startswith('"""') else HEAD + text)
        return list(rules.breaks(measure.Package(tmp_path)))

    return found


@pytest.mark.parametrize("case", BROKEN)
def test_a_break_is_told_with_its_place(case: str, breaks: Breaks) -> None:
    """A break of a rule fails, and its file is named."""
    path, text = BROKEN[case]
    assert any(f"bytebuddy_provider_hf/{path}" in each for each in breaks(path, text))


@pytest.mark.parametrize("case", FINE)
def test_what_keeps_the_rules_is_not_told(case: str, breaks: Breaks) -> None:
    """What the rules allow, or a reason excuses, passes."""
    assert breaks(*FINE[case]) == []
