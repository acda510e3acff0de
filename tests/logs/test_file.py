"""The log file: private, of bounded size, and never a reason to stop."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bytebuddy_provider_hf.config.values import LogOptions, Source
from bytebuddy_provider_hf.logs import install
from bytebuddy_provider_hf.logs.file import RotatingFile

LOG = logging.getLogger("bytebuddy_provider_hf.test")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def options(path: Path, *, level: str = "warning", keep: int = 3) -> LogOptions:
    source = Source("user", path.parent / "config.yaml", 1, 1)
    return LogOptions(str(path), level=level, size=1, keep=keep, source=source)


def follow(wanted: LogOptions) -> str:
    assert wanted.source.path is not None
    return str(install.follow(wanted, [wanted.source.path]) or "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a" / "b" / "x.log"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_file_and_new_folders_are_the_owner_s_alone(path: Path) -> None:
    """Whatever the umask; also the file that a rotation begins."""
    before = os.umask(0)
    try:
        follow(options(path))
        for _ in range(2):
            LOG.warning("%s", "x" * 600_000)
            for _ in range(200):
                LOG.warning("%s", "x" * 7_000)
    finally:
        os.umask(before)
    files = sorted(path.parent.iterdir())
    assert len(files) > 1
    assert {mode(file) for file in files} == {0o600}
    assert (mode(path.parent), mode(path.parent.parent)) == (0o700, 0o700)


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    """It was there already, or the umask of another program made it."""
    path.parent.mkdir(parents=True)
    path.write_text("before\n")
    path.chmod(0o644)
    follow(options(path))
    assert mode(path) == 0o600
    assert path.read_text() == "before\n"


def test_so_many_old_files_are_kept(path: Path) -> None:
    """Each of the size that was asked for, the rest is gone."""
    follow(options(path, keep=2))
    for _ in range(1_000):
        LOG.warning("%s", "x" * 7_000)
    names = [file.name for file in sorted(path.parent.iterdir())]
    assert names == ["x.log", "x.log.1", "x.log.2"]
    assert all(file.stat().st_size <= 1_000_000 for file in path.parent.iterdir())


@pytest.mark.parametrize(
    ("level", "lines"), [("error", 1), ("warning", 2), ("info", 3), ("debug", 4)]
)
def test_the_level_is_the_least_that_is_written(
    path: Path, level: str, lines: int
) -> None:
    """Four levels, as their names are used everywhere."""
    follow(options(path, level=level))
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        LOG.log(number, "said")
    assert path.read_text().count("said") == lines


def test_a_file_that_was_moved_away_is_begun_anew(path: Path) -> None:
    """By logrotate, or by another process of ours."""
    follow(options(path))
    LOG.warning("first")
    path.rename(path.with_name("old"))
    LOG.warning("second")
    path.unlink()
    LOG.warning("third")
    assert "first" in path.with_name("old").read_text()
    assert path.read_text().endswith(": third\n")


WRITER = """
import logging, sys
from pathlib import Path
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.logs.file import RotatingFile
handler = RotatingFile(LogOptions(sys.argv[1], size=1, keep=100))
log = logging.Logger("w")
log.addHandler(handler)
for number in range(1_500):
    log.warning("%s-%d %s", sys.argv[2], number, "x" * 1_000)
"""


def test_two_processes_lose_no_line(path: Path) -> None:
    """Both rotate, and neither replaces what the other has just put away."""
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name])
        for name in ("one", "two")
    ]
    assert [each.wait(60) for each in running] == [0, 0]
    files = list(path.parent.iterdir())
    said = "".join(file.read_text() for file in files)
    for name in ("one", "two"):
        assert sum(f" w: {name}-{n} " in said for n in range(0, 1_500, 7)) == 215
    assert said.count("\n") == 3_000
    assert len(files) >= 3


@pytest.mark.parametrize(
    "kind", ["folder", "below a file", "pipe", "unwritable", "nul"]
)
def test_a_file_that_cannot_be_opened_costs_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """It names the path; loading twice does not say it twice."""
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "below a file":
        path.write_text("")
        path = path / "y.log"
    elif kind == "pipe":
        os.mkfifo(path)  # to open it would wait for a reader
    elif kind == "unwritable":
        path = Path("/proc/none/x.log")
    else:
        path = tmp_path / "a\0b"
    wanted = options(path)
    said = {follow(wanted) for _ in range(2)}
    (told,) = said
    assert str(path) in told
    assert "cannot be opened: " in told
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert [str(each) for each in install.complaints()] == [told]
    LOG.warning("the program goes on")


def test_a_full_disk_costs_one_warning(
    path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is raised, no traceback printed; what fits later is written."""
    follow(options(path))
    (handler,) = (
        each
        for each in logging.getLogger("bytebuddy_provider_hf").handlers
        if isinstance(each, RotatingFile)
    )
    stream = handler.stream

    class Full:
        """A stream on a disk without room."""

        def __getattr__(self, name: str) -> object:
            return getattr(stream, name)

        def write(self, _: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    handler.stream = Full()  # type: ignore[assignment]  # as far as it is used
    for _ in range(3):
        LOG.warning("lost")
    handler.stream = stream
    LOG.warning("kept")
    said = [r.getMessage() for r in caplog.records if r.name.endswith(".logs.file")]
    assert said == [f"The log {path} cannot be written: No space left on device."]
    assert capfd.readouterr().err == ""
    assert path.read_text().endswith(": kept\n")


def test_what_a_file_says_counts_until_it_is_read_again(path: Path) -> None:
    """Another path, another level, or none at all; other files change nothing."""
    wanted = options(path)
    config = wanted.source.path
    assert config is not None
    follow(wanted)
    install.follow(None, [path.parent / "another.yaml"])
    LOG.warning("one")
    install.follow(options(path, level="error"), [config])
    LOG.warning("two")
    install.follow(None, [config])
    LOG.error("three")
    assert path.read_text().count("\n") == 1
