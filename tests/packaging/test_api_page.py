"""``docs/api.md`` says what the docstrings say."""

from __future__ import annotations

import re
import sys
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
