"""Answers outlive a process, whole, and never fail or block a call."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

import pytest
from attrs import define

from bytebuddy_provider_hf.config.stored_files import CATALOGUE
from bytebuddy_provider_hf.storage import kept_answers
from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers

KEY = "https://router.huggingface.co/v1/models"
DAY = 86_400.0


@define
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def keep(folder: Path, clock: Clock, **answers: bytes) -> None:
    async def main() -> None:
        store = KeptAnswers(folder, clock=clock)
        for key, answer in answers.items():
            store.put(key, answer)

    asyncio.run(main())


def kept(folder: Path, clock: Clock, key: str = "key") -> tuple[bytes, float] | None:
    return asyncio.run(KeptAnswers(folder, clock=clock).get(key))


def test_an_answer_is_kept_with_its_age(tmp_path: Path) -> None:
    """For another process, by its whole key, readable by its owner only."""
    clock = Clock()
    keep(tmp_path / "answers", clock, key=b'{"a": 1}\n\n')
    clock.now += 60
    assert kept(tmp_path / "answers", clock) == (b'{"a": 1}\n\n', 60.0)
    assert kept(tmp_path / "answers", clock, "another") is None
    (file,) = (tmp_path / "answers").iterdir()
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == CATALOGUE.mode


def test_a_store_that_is_only_made_touches_nothing(tmp_path: Path) -> None:
    """No folder, no thread, until something is kept."""
    assert kept(tmp_path / "answers", Clock()) is None
    assert not (tmp_path / "answers").exists()


@pytest.mark.parametrize("age", [-1.0, 91 * DAY])
def test_a_time_to_come_and_an_old_answer_are_none(tmp_path: Path, age: float) -> None:
    """A clock was set back, or nobody asked for a quarter of a year."""
    clock = Clock()
    keep(tmp_path, clock, key=b"x")
    clock.now += age
    assert kept(tmp_path, clock) is None


def test_no_flipped_bit_is_read(tmp_path: Path) -> None:
    """Whichever byte was changed, the answer is as never asked; it is kept anew."""
    clock = Clock()
    keep(tmp_path, clock, key=b'{"price": 100}')
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = kept(tmp_path, clock)
        # The age alone has no checksum: it may be another, and is shown.
        assert found is None or found[0] == b'{"price": 100}'
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert kept(tmp_path, clock) is None
    keep(tmp_path, clock, key=b"new")
    assert kept(tmp_path, clock) == (b"new", 0.0)


def test_a_newer_version_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither read nor replaced; one warning, then the store is off."""
    clock = Clock()
    keep(tmp_path, clock, key=b"x")
    (file,) = tmp_path.iterdir()
    head, _, answer = file.read_bytes().partition(b"\n")
    newer = {**json.loads(head), "version": CATALOGUE.version + 1}
    written = json.dumps(newer).encode() + b"\n" + answer
    file.write_bytes(written)

    async def main() -> None:
        store = KeptAnswers(tmp_path, clock=clock)
        assert await store.get("key") is None
        store.put("key", b"y")
        store.put("other", b"z")
        assert await store.get("other") is None

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert file.read_bytes() == written
    assert list(tmp_path.iterdir()) == [file]
    assert len(caplog.records) == 1


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing fails; a file stands where the folder should be."""
    (tmp_path / "answers").write_text("")
    with caplog.at_level(logging.WARNING):
        keep(tmp_path / "answers", Clock(), a=b"1", b=b"2", c=b"3")
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by size; what is too large alone is not kept at all."""
    monkeypatch.setattr(kept_answers, "_MOST_FILES", 3)
    clock = Clock()
    for number in range(5):
        keep(tmp_path, clock, **{f"k{number}": b"x"})
        (tmp_path / "mark").touch()
        for file in tmp_path.glob("*.answer"):
            before = file.stat().st_mtime
            os.utime(file, (before - 10, before - 10))
    assert [kept(tmp_path, clock, f"k{n}") is not None for n in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    keep(tmp_path, clock, large=b"x" * 6 * 2**20)
    assert kept(tmp_path, clock, "large") is None
