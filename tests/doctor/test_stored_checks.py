"""Every file that is kept is examined: what is damaged, newer, large, old or left."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import frozen
from doctor_world import World, entry
from package_sources import PACKAGE

from bytebuddy_provider_hf.config import stored_files as files
from bytebuddy_provider_hf.doctor.findings import Finding, Level
from bytebuddy_provider_hf.doctor.stored_checks import CHECKS, Setting, stored_findings
from bytebuddy_provider_hf.storage.answers_file import AnswersFile, KeptValue
from bytebuddy_provider_hf.storage.database import open_file

NOW = 1_790_000_000.0
NOBODY = 65_534


@frozen
class Kept:
    """Where a user's files lie."""

    home: Path

    @property
    def state(self) -> Path:
        return self._made(self.home / ".bytebuddy")

    @property
    def cache(self) -> Path:
        return self._made(self.home / ".cache" / "bytebuddy-hf")

    @property
    def log(self) -> Path:
        return self._made(self.home / "logs") / "all.log"

    def write(self, path: Path, content: bytes, *, age: float = 0.0) -> Path:
        """Write a private file, ``age`` seconds ago."""
        path.write_bytes(content)
        path.chmod(0o600)
        return _aged(path, age)

    def usage(self) -> Path:
        """Make a usage file as calls make one."""
        with closing(open_file(self.state).connection):
            pass
        return _aged(self.state / "usage.db", 0.0)

    def answers(self) -> Path:
        """Make a file of kept answers with one in it."""
        path = self.cache / "answers.db"
        with AnswersFile(path) as file:
            file.put(b"key", KeptValue(b"value", NOW), limit=10_000)
        return _aged(path, 0.0)

    def log_key(self) -> str:
        """Return the key of a configuration that asks for the log."""
        return f"log:\n  path: {self.log}\n  size: 1\n  keep: 1\n"

    @staticmethod
    def _made(folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _aged(path: Path, age: float) -> Path:
    os.utime(path, (NOW - age, NOW - age))
    return path


def spoil(path: Path) -> None:
    """Overwrite all pages but the first two of a file of SQLite."""
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))


def with_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={version}")


def grown(path: Path, size: int) -> None:
    with path.open("ab") as file:
        file.truncate(size)


def link_to_nothing(kept: Kept) -> None:
    (kept.state / "trust.json").symlink_to(kept.home / "gone")


# What is wrong -> who makes it so, and the finding: its id, level, a part of what is
# said, and a part of its step.
WRONG: dict[str, tuple[Callable[[Kept], object], tuple[str, Level, str, str]]] = {
    "a state folder that is a file": (
        lambda kept: kept.write(kept.home / ".bytebuddy", b""),
        ("files.no_folder", Level.WARNING, ".bytebuddy is no folder", "`mv "),
    ),
    "a cache folder that is a file": (
        lambda kept: kept.write(kept.home / ".cache", b""),
        (
            "files.no_folder",
            Level.WARNING,
            ".cache is no folder",
            "a place of your own",
        ),
    ),
    "a catalogue that is a file": (
        lambda kept: kept.write(kept.cache / "catalogue", b""),
        ("files.no_folder", Level.WARNING, "catalogue is no folder", "`mv "),
    ),
    "a trust file that is a folder": (
        lambda kept: (kept.state / "trust.json").mkdir(),
        ("files.irregular", Level.WARNING, "trust.json is no regular", "`mv "),
    ),
    "a trust file that leads nowhere": (
        link_to_nothing,
        ("files.irregular", Level.WARNING, "trust.json is no regular", "`mv "),
    ),
    "a damaged trust file": (
        lambda kept: kept.write(kept.state / "trust.json", b"{"),
        ("files.damaged", Level.WARNING, "trust.json is damaged", "`rm "),
    ),
    "a damaged talk": (
        lambda kept: kept.write(kept.state / "talk.json", b"[]"),
        ("files.damaged", Level.WARNING, "talk.json is damaged", "`rm "),
    ),
    "a newer trust file": (
        lambda kept: kept.write(kept.state / "trust.json", b'{"version": 99}'),
        ("files.newer", Level.WARNING, "trust.json was written by a newer", "pip"),
    ),
    "a trust file without end": (
        lambda kept: grown(kept.write(kept.state / "trust.json", b"{}"), 2**21),
        ("files.too_large", Level.WARNING, "2.1 MB, more than 1.0 MB", "smaller"),
    ),
    "an empty file about servers": (
        lambda kept: kept.write(kept.cache / "servers.json", b""),
        ("files.damaged", Level.WARNING, "servers.json is damaged", "`rm "),
    ),
    "a newer file about servers": (
        lambda kept: kept.write(kept.cache / "servers.json", b'{"version": 99}'),
        ("files.newer", Level.WARNING, "servers.json was written by", "pip"),
    ),
    "a usage file that is none": (
        lambda kept: kept.write(kept.state / "usage.db", b"not a database" * 99),
        ("files.damaged", Level.WARNING, "usage.db is damaged", "--reconcile"),
    ),
    "a usage file with a damaged page": (
        lambda kept: spoil(kept.usage()),
        ("files.damaged", Level.WARNING, "usage.db is damaged", "counts anew"),
    ),
    "a newer usage file": (
        lambda kept: with_version(kept.usage(), 99),
        ("files.newer", Level.WARNING, "usage.db was written by a newer", "pip"),
    ),
    "a usage file without end": (
        lambda kept: grown(kept.usage(), 70 * 1024**2),
        ("files.too_large", Level.WARNING, "usage.db has 73.4 MB", "remove it"),
    ),
    "a damaged usage file that was set aside": (
        lambda kept: kept.write(kept.state / "usage.db.damaged", b"x", age=7_200.0),
        ("files.set_aside", Level.NOTE, "2 hours ago", "`rm "),
    ),
    "a journal that nobody writes back": (
        lambda kept: grown(kept.write(kept.state / "usage.db-wal", b""), 2**27),
        ("files.too_large", Level.NOTE, "usage.db-wal has 134.2 MB", "End the"),
    ),
    "a key that is none": (
        lambda kept: kept.write(kept.state / "usage.key", b"x" * 99),
        ("files.too_large", Level.WARNING, "usage.key has 1 kB", "remove it"),
    ),
    "counts without end": (
        lambda kept: kept.write(kept.state / "usage.counts", b"x" * 70_000),
        ("files.too_large", Level.WARNING, "usage.counts has", "remove it"),
    ),
    "answers with a damaged page": (
        lambda kept: spoil(kept.answers()),
        ("files.damaged", Level.WARNING, "answers.db is damaged", "cache clear"),
    ),
    "newer answers": (
        lambda kept: with_version(kept.answers(), 99),
        ("files.newer", Level.WARNING, "answers.db was written by", "pip"),
    ),
    "damaged answers that were set aside": (
        lambda kept: kept.write(kept.cache / "answers.db.damaged", b"x"),
        ("files.set_aside", Level.NOTE, "answers.db.damaged", "`rm "),
    ),
    "a catalogue of last year": (
        lambda kept: kept.write(
            kept._made(kept.cache / "catalogue") / "x.answer", b"{}", age=4e6
        ),
        ("files.catalogue", Level.NOTE, "newest is 1112 hours old", "models search"),
    ),
    "a model that was cut": (
        lambda kept: kept.write(kept.cache / files.GEMMA.name, b"GGUF"),
        ("files.damaged", Level.WARNING, "1 kB of 253.1 MB", "`rm "),
    ),
    "what a killed program left": (
        lambda kept: kept.write(kept.state / ".trust.json.abcd_123", b"", age=4e4),
        ("files.left", Level.NOTE, ".trust.json.abcd_123", "`rm "),
    ),
    "what a killed demo left": (
        lambda kept: _aged(kept._made(kept.cache / ".gemma-abcd1234"), 4e4),
        ("files.left", Level.NOTE, ".gemma-abcd1234", "`rm -r "),
    ),
    "a token file without end": (
        lambda kept: kept.write(
            kept._made(kept.home / ".cache" / "huggingface") / "token", b"h" * 9_000
        ),
        ("files.too_large", Level.WARNING, "token has 9 kB", "smaller"),
    ),
    "a log that is a folder": (
        lambda kept: kept.log.mkdir(),
        (
            "files.irregular",
            Level.WARNING,
            "all.log is no regular file",
            "a place of your own",
        ),
    ),
    "a log in a file": (
        lambda kept: (kept.log.parent.rmdir(), kept.write(kept.home / "logs", b"")),
        ("files.no_folder", Level.WARNING, "logs is no folder", "a place of your own"),
    ),
    "a log beyond its bound": (
        lambda kept: grown(kept.write(kept.log, b""), 1_200_000),
        ("files.log", Level.WARNING, "1.2 MB, beyond its limit of 1.0 MB", "restart"),
    ),
    "an old log beyond its bound": (
        lambda kept: grown(kept.write(Path(f"{kept.log}.1"), b""), 1_200_000),
        ("files.too_large", Level.WARNING, "all.log.1 has 1.2 MB", "remove it"),
    ),
    "an old log too many": (
        lambda kept: kept.write(Path(f"{kept.log}.2"), b""),
        ("files.left", Level.NOTE, "beyond the 1 that are kept", "`rm "),
    ),
}


def of_files(found: list[Finding]) -> list[Finding]:
    """Return what is wrong with files, or worth knowing."""
    good = (Level.OK, Level.UNKNOWN)
    return [each for each in found if each.part == "files" and each.level not in good]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_every_row_has_its_check() -> None:
    """Whoever adds a file says what may be wrong with it."""
    assert list(CHECKS) == list(files.FILES)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found_with_its_step(kept: Kept, what: str) -> None:
    """In both languages, the same commands in both; nothing else is found."""
    make, (name, level, words, step) = WRONG[what]
    config = entry() + (kept.log_key() if "log" in what.split() else "")
    make(kept)
    # Where a file stands in its folder's place there can be no configuration.
    world = World(kept.home, config="" if "state folder" in what else config)
    told = of_files(world.examine(offline=True, now=NOW))
    assert [each.id for each in told] == [name], [each.words() for each in told]
    said, steps = told[0].words()
    assert (told[0].level, words in said) == (level, True), said
    assert any(step in each for each in steps), steps
    chinese, on = told[0].words("zh")
    assert chinese != said
    assert [each.split("`")[1::2] for each in on] == [
        each.split("`")[1::2] for each in steps
    ]


def snapshot(home: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for each in sorted(home.rglob("*")):
        is_small = each.is_file() and each.stat().st_size < 2**20
        content = each.read_bytes() if is_small else b""
        found[str(each)] = each.stat().st_mtime_ns, content
    return found


def test_what_is_sound_is_told_with_its_size_and_age(kept: Kept) -> None:
    """A line for each of what grows; nothing is written, not even by SQLite."""
    kept.usage()
    kept.answers()
    kept.write(kept._made(kept.cache / "catalogue") / "x.answer", b"{}", age=90.0)
    grown(kept.write(kept.cache / files.GEMMA.name, b""), files.GEMMA.most)
    line = b"2026-09-21T14:13:00.000Z WARNING bytebuddy_provider_hf: hi\n    more\n"
    kept.write(kept.log, line * 3)
    world = World(kept.home, config=entry() + kept.log_key())
    world.examine(offline=True, now=NOW)
    before = snapshot(kept.home)
    found = world.examine(offline=True, now=NOW)
    world.config = ""
    written = {"config.yaml"}
    after = snapshot(kept.home)
    changed = {Path(k).name for k in before | after if before.get(k) != after.get(k)}
    assert changed <= written
    assert of_files(found) == []
    told = {each.id: each.words()[0] for each in found if each.part == "files"}
    assert "written 0 s ago" in told["files.usage"]
    assert "answers.db: " in told["files.answers"]
    assert "the newest is 90 s old" in told["files.catalogue"]
    assert "253.1 MB" in told["files.model"]
    assert "its newest line is 20 s old" in told["files.log"]


def test_a_log_that_was_not_begun_is_no_finding(kept: Kept) -> None:
    """Neither is one without a line; and doctor begins none."""
    world = World(kept.home, config=entry() + kept.log_key())
    (log,) = [e for e in world.examine(offline=True) if e.id == "files.log"]
    assert (log.level, "no line" in log.words()[0]) == (Level.OK, True)
    assert not kept.log.exists()


def test_a_demo_that_was_killed_is_told(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a day; one that may still run is not."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name, age in (("bytebuddy-demo-abcd1234", 1e5), ("bytebuddy-demo-abcd5678", 9)):
        (folder / name).mkdir()
        _aged(folder / name, age)
    (told,) = of_files(World(kept.home).examine(offline=True, now=NOW))
    assert "bytebuddy-demo-abcd1234" in told.words()[0]


def test_a_file_that_is_being_written_is_not_left(kept: Kept) -> None:
    """Nor one whose name is nobody's here."""
    kept.write(kept.state / ".trust.json.abcd_123", b"", age=60.0)
    kept.write(kept.state / ".other.json.abcd_123", b"", age=1e6)
    assert of_files(World(kept.home).examine(offline=True, now=NOW)) == []


def test_a_file_in_use_is_read_as_it_is(kept: Kept) -> None:
    """What a program that runs has written is no damage."""
    with closing(open_file(kept.state).connection) as writing:
        writing.execute("INSERT INTO facts VALUES ('x', 1)")
        found = World(kept.home).examine(offline=True)
    assert "files.usage" in {each.id for each in found}
    assert of_files(found) == []


@pytest.fixture
def of_nobody() -> Iterator[Kept]:
    """Be a user with no more rights than modes give, also where root runs tests."""
    if sys.platform == "win32":
        pytest.skip("modes are for POSIX")
    # Not in pytest's folder, which is for root alone then.
    with tempfile.TemporaryDirectory() as home:
        if os.geteuid() != 0:
            yield Kept(Path(home))
            return
        os.chown(home, NOBODY, -1)
        os.seteuid(NOBODY)
        try:
            # What is imported when it is needed must be readable for nobody, too.
            if not os.access(PACKAGE / "plugin.py", os.R_OK, effective_ids=True):
                pytest.skip("the package lies where only root may read")
            yield Kept(Path(home))
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("place", "mode", "name", "step"),
    [
        (".", 0o500, "files.read_only", "`chmod u+rwx "),
        (".bytebuddy", 0o500, "files.read_only", "`chmod u+rwx "),
        (".cache", 0o500, "files.read_only", "`chmod u+rwx "),
        (".bytebuddy/trust.json", 0o000, "files.unreadable", "`chmod u+rw "),
        ("logs", 0o500, "files.log", "`chmod u+rwx "),
        ("logs/all.log", 0o400, "files.log", "`chmod u+rw "),
    ],
)
def test_what_this_user_may_not_use_is_found(
    of_nobody: Kept, place: str, mode: int, name: str, step: str
) -> None:
    """With the command that gives the right."""
    kept = of_nobody
    kept.write(kept.log, b"")
    kept.write(kept.state / "trust.json", json.dumps({"version": 1}).encode())
    if place == ".cache":
        kept._made(kept.home / ".cache")
    world = World(kept.home, config=entry() + kept.log_key())
    world.examine(offline=True)
    world.config = ""
    (kept.home / place).chmod(mode)
    try:
        told = of_files(world.examine(offline=True, now=NOW))
    finally:
        (kept.home / place).chmod(0o700)
    assert {each.id for each in told} == {name}, [each.words() for each in told]
    assert all(step in each.words()[1][0] for each in told), told[0].words()


@pytest.mark.parametrize("named", ["XDG_CACHE_HOME", "HF_TOKEN_PATH", "log"])
def test_what_is_the_systems_is_left_alone(named: str, kept: Kept) -> None:
    """Nobody is told to move a device away, or to own the folder of all."""
    world = World(kept.home)
    if named == "log":
        world.config += f"log:\n  path: {os.devnull}\n"
    else:
        world.env[named] = os.devnull
    (told,) = of_files(world.examine(offline=True, now=NOW))
    said, steps = told.words()
    assert os.devnull in said
    assert steps[0].startswith(f"Leave {os.devnull} as it is")
    assert "`" not in steps[0]


def test_a_home_that_cannot_be_made(of_nobody: Kept) -> None:
    """The folder that it would lie in is root's: that stays so."""
    home = Path("/nobody-made-this")
    findings = stored_findings(Setting(home, of_nobody.home, {}, NOW))
    told = [each for each in findings if each.id == "files.read_only"]
    assert len(told) == 2
    assert all(each.words()[1][0].startswith("Leave / as it is") for each in told)


@pytest.mark.parametrize(
    "place",
    [
        *(".cache", ".cache/huggingface", ".cache/bytebuddy-hf"),
        *(".cache/bytebuddy-hf/catalogue", "project", "project/.bytebuddy"),
        *(".bytebuddy", ".cache/huggingface/token"),
    ],
)
def test_a_place_that_nobody_may_look_into_ends_nothing(
    of_nobody: Kept, place: str
) -> None:
    """The examination goes to its end, and tells which place, with the command."""
    home, kept = of_nobody.home, of_nobody
    kept.write(kept._made(home / ".cache" / "huggingface") / "token", b"hf_x")
    kept.write(kept._made(kept.cache / "catalogue") / "x.answer", b"{}")
    kept.write(kept._made(home / "project" / ".bytebuddy") / ".env", b"")
    world = World(home)
    world.examine(offline=True)
    world.config = ""
    (home / place).chmod(0)
    try:
        found = world.examine(offline=True, now=NOW)
    finally:
        (home / place).chmod(0o700)
    assert found[-1].id == "versions.installed"
    steps = [step for each in found for step in each.words()[1]]
    rights = "u+rw" if place.endswith("token") else "u+rwx"
    assert any(f"`chmod {rights} {home / place}`" in step for step in steps), steps
