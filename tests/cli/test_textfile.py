"""A file is replaced whole, or it is as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bytebuddy_provider_hf.cli import textfile
from bytebuddy_provider_hf.cli.textfile import (
    LARGEST,
    TextFile,
    outside_target,
    read_text_file,
    replace_text,
)
from bytebuddy_provider_hf.errors import ByteBuddyError, InvalidOption

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and links are of POSIX")
OLD = "old é\n"
NEW = "new 🤗\n" * 3

# One step of a write after the other is the last that the process takes.
CRASH = """
import os, signal, sys
from pathlib import Path
from bytebuddy_provider_hf.cli.textfile import read_text_file, replace_text

path, step, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
source = read_text_file(path)

def dying(call):
    def die(*arguments, **options):
        if when == "after":
            call(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return die

owner = Path if step == "replace" else os
setattr(owner, step, dying(getattr(owner, step)))
replace_text(source, sys.argv[4])
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "code.py"
    path.parent.mkdir()
    path.write_text(OLD, "utf-8")
    return path


def beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_the_text_is_replaced_and_nothing_is_left_beside(file: Path) -> None:
    """The folder holds the file and no other."""
    replace_text(read_text_file(file), NEW)
    assert file.read_text("utf-8") == NEW
    assert beside(file) == ["code.py"]


def test_a_byte_order_mark_is_no_text_and_stays(file: Path) -> None:
    """A model does not see it, the file keeps it."""
    file.write_bytes(b"\xef\xbb\xbfold")
    source = read_text_file(file)
    assert source.text == "old"
    replace_text(source, "new")
    assert file.read_bytes() == b"\xef\xbb\xbfnew"


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_stays(file: Path, mode: int) -> None:
    """A script stays executable, a private file private."""
    file.chmod(mode)
    replace_text(read_text_file(file), NEW)
    assert file.stat().st_mode & 0o7777 == mode


@POSIX
def test_a_link_is_followed(file: Path, tmp_path: Path) -> None:
    """The file behind it is replaced, the link stays one."""
    link = tmp_path / "link.py"
    link.symlink_to(file)
    replace_text(read_text_file(link), NEW)
    assert link.is_symlink()
    assert file.read_text("utf-8") == NEW
    assert beside(link) == ["folder", "link.py"]


@pytest.mark.parametrize(
    ("named", "leads"),
    [
        ("code.py", None),
        ("inner.py", None),
        ("folder/deep.py", None),
        ("outer.py", "other/secret.py"),
        ("sub/secret.py", "other/secret.py"),
        ("./x/../outer.py", "other/secret.py"),
        ("chain.py", "other/secret.py"),
        ("../other/secret.py", None),
        ("../other/again.py", "elsewhere.py"),
        ("../linked/secret.py", None),
    ],
)
def test_a_link_out_of_the_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, leads: str | None
) -> None:
    """Whatever part of the name is a link; what somebody names himself is none."""
    here, other = tmp_path / "here", tmp_path / "other"
    for each in (here / "folder", here / "x", other):
        each.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere.py"
    for each in (here / "code.py", here / "folder/deep.py", other / "secret.py"):
        each.touch()
    elsewhere.touch()
    (here / "inner.py").symlink_to("folder/deep.py")
    (here / "outer.py").symlink_to("../other/secret.py")
    (here / "chain.py").symlink_to("outer.py")
    (here / "sub").symlink_to(other)
    (other / "again.py").symlink_to(elsewhere)
    (tmp_path / "linked").symlink_to(other)
    monkeypatch.chdir(here)
    expected = None if leads is None else (tmp_path / leads).resolve()
    for path in (Path(named), here / named):
        assert outside_target(path) == expected


@pytest.mark.parametrize("content", [b"saved by somebody", OLD.encode() + b" ", None])
def test_a_file_that_somebody_changed_stays(file: Path, content: bytes | None) -> None:
    """Saved or removed since it was read: an error, and nothing is written."""
    source = read_text_file(file)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(ByteBuddyError, match="was changed or removed"):
        replace_text(source, NEW)
    assert (file.read_bytes() if file.exists() else None) == content
    assert beside(file) == ([] if content is None else ["code.py"])


@POSIX
def test_a_read_only_file_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder would allow to replace it; whoever made it so did not mean that."""
    file.chmod(0o444)
    # Root may write everything, and tests may run as root.
    monkeypatch.setattr(textfile.os, "access", lambda *_: False)
    with pytest.raises(ByteBuddyError, match="is read-only"):
        replace_text(read_text_file(file), NEW)
    assert file.read_text("utf-8") == OLD


def test_half_a_character_is_not_written(file: Path) -> None:
    """A lone surrogate has no UTF-8."""
    with pytest.raises(ByteBuddyError, match="half a character"):
        replace_text(read_text_file(file), "a\ud83eb")
    assert (file.read_text("utf-8"), beside(file)) == (OLD, ["code.py"])


@pytest.mark.parametrize("step", ["fsync", "fstat", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_failing_write_leaves_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    """A full disk, or Ctrl-C in the middle: the old file, and no other beside it."""

    def fail(*_: object) -> None:
        raise error

    source = read_text_file(file)
    owner = Path if step == "replace" else textfile.os
    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(type(error)):
        replace_text(source, NEW)
    monkeypatch.undo()
    assert (file.read_text("utf-8"), beside(file)) == (OLD, ["code.py"])


@POSIX
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
def test_a_killed_write_leaves_no_half_file(file: Path, step: str, when: str) -> None:
    """``kill -9`` at any step: the old file whole, or the new one."""
    ran = subprocess.run(
        [sys.executable, "-c", CRASH, str(file), step, when, NEW], check=False
    )
    assert ran.returncode == -signal.SIGKILL
    done = (step, when) == ("replace", "after")
    assert file.read_text("utf-8") == (NEW if done else OLD)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n\xffb", "byte 0xFF in line 2"),
        ("text".encode("utf-16"), "not UTF-8"),
        (b"a\nb\0", "a NUL in line 2"),
        (b"x" * (LARGEST + 1), "larger than 4 MiB"),
    ],
)
def test_what_is_no_text_is_refused(file: Path, content: bytes, said: str) -> None:
    """The error says what it is instead, and where."""
    file.write_bytes(content)
    with pytest.raises(InvalidOption, match=said):
        read_text_file(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, and what is not there."""
    with pytest.raises(InvalidOption, match="is not a file"):
        read_text_file(tmp_path)
    with pytest.raises(InvalidOption, match="There is no file"):
        read_text_file(tmp_path / "none.py")


@POSIX
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO would never end, and could not be replaced."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidOption, match="is not a file"):
        read_text_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("src/a.py", "src/a.py"),
        ("./src/../a.py", "a.py"),
        ("../other/a.py", "a.py"),
        ("/somewhere/else/a.py", "a.py"),
        ("{here}/src/a.py", "src/a.py"),
    ],
)
def test_a_model_is_not_told_where_a_project_lies(
    path: str, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below this folder the whole name, else only the last part."""
    monkeypatch.chdir(tmp_path)
    named = Path(path.format(here=tmp_path.resolve()))
    assert TextFile(named, "", b"").label == label
