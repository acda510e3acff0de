"""Commands give kept answers, say so, and show and clear what is kept."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from cli.process import Run
from click.testing import CliRunner
from rich.cells import cell_len

from bytebuddy_provider_hf.cli.root import cli
from bytebuddy_provider_hf.config.stored_files import ANSWERS, DAMAGED_ANSWERS
from bytebuddy_provider_hf.storage import answers_file
from bytebuddy_provider_hf.storage.answers_file import AnswersFile, KeptValue
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.texts import Language, render, text

ENTRY = """\
models:
  - name: it
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: BASE
    defaultCompletionOptions: {temperature: 0}
    cache: on
"""


@pytest.fixture
def folder(home: Path) -> Path:
    return home / ".cache" / "bytebuddy-hf"


def fill(folder: Path, *ages: float, size: int = 100_000) -> None:
    with AnswersFile(folder / ANSWERS.name) as file:
        for number, age in enumerate(ages):
            kept = KeptValue(b"x" * size, time.time() - age)
            file.put(b"%032d" % number, kept, limit=10**9)
        file.note_uses({b"%032d" % 0: 1_234}, time.time())


@pytest.fixture
def configured(home: Path, base: str) -> None:
    (home / ".bytebuddy").mkdir()
    (home / ".bytebuddy" / "config.yaml").write_text(ENTRY.replace("BASE", base))


@pytest.mark.usefixtures("configured")
def test_an_answer_is_kept_between_two_commands(run: Run, hub: FakeHub) -> None:
    """The second says so and asks nobody; ``--no-cache`` asks."""
    first = run("chat", "Hello")
    again = run("chat", "Hello")
    assert (first.code, again.code) == (0, 0)
    assert again.out == first.out
    assert "kept" not in first.err
    assert re.search(r"This answer was kept \d+ s ago; no server was asked", again.err)
    assert len(hub.records) == 1
    fresh = run("chat", "Hello", "--no-cache")
    assert (fresh.out, fresh.err) == (first.out, first.err)
    assert len(hub.records) == 2
    shown = json.loads(run("chat", "Hello", "--json").out)
    assert shown["served"]["cached"] > 0
    assert shown["usage"]["total_tokens"] == 0


def test_every_command_that_calls_takes_no_cache() -> None:
    """And says what it is for."""
    for name in (
        "chat",
        "complete",
        "fill",
        "edit",
        "apply",
        "embed",
        "rerank",
        "task",
    ):
        command = cli.get_command(None, name)  # type: ignore[arg-type]  # not looked at
        assert command is not None
        (option,) = (each for each in command.params if each.name == "no_cache")
        assert "also where an answer is kept" in str(option.to_info_dict()["help"])


def test_stats_of_nothing(run: Run, folder: Path) -> None:
    """No file is made to look into."""
    shown = run("cache", "stats")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        str(folder / ANSWERS.name),
        "kept answers: 0 (0.0 MB), given again: 0",
    ]
    assert not folder.exists()


def test_stats_show_how_much_is_kept(run: Run, folder: Path) -> None:
    """And for how long; a program reads the same as JSON.

    The ages are minutes and hours, which a slow start of the command does not change.
    """
    fill(folder, 300, 7_300, 125)
    path, kept, ages = run("cache", "stats").out.splitlines()
    assert path == str(folder / ANSWERS.name)
    assert kept == "kept answers: 3 (0.3 MB), given again: 1,234"
    assert ages == "the oldest 3 hours old, the newest 3 minutes"
    read = json.loads(run("cache", "stats", "--json").out)
    assert read["path"] == path
    assert (read["entries"], read["bytes"], read["hits"]) == (3, 300_600, 1_234)
    assert 7_300 < read["oldest_seconds"] < 7_330
    assert 125 < read["newest_seconds"] < 155
    assert read["bytes_on_disk"] > 300_000


def test_a_small_answer_is_no_nothing(run: Run, folder: Path) -> None:
    """What is kept is never said to take no room."""
    fill(folder, 30, size=7_000)
    assert (
        run("cache", "stats").out.splitlines()[1].startswith("kept answers: 1 (8 kB), ")
    )
    assert "8 kB" in run("cache", "clear").err


def test_stats_in_chinese(run: Run, folder: Path) -> None:
    """The numbers are the same."""
    fill(folder, 125)
    shown = run("--lang", "zh", "cache", "stats").out.splitlines()
    assert shown[1:] == [
        "保留 1 条回答（0.1 MB），再次给出 1,234 次",
        "最旧的已保存 3 分钟，最新的 3 分钟",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_line_is_wide(language: Language) -> None:
    """The longest numbers there can be fit 60 columns; a path is not broken."""
    size = text("cache.size", count="65,536.0")
    rows = (
        text("cache.stats", count="999,999", size=size, hits="99,999,999"),
        text("cache.stats_age", oldest="9,999 hours", newest="9,999 hours"),
        text("cache.cleared", count="999,999", size=size),
    )
    assert all(cell_len(render(row, language)) <= 60 for row in rows)


def test_clear_removes_what_is_kept(run: Run, folder: Path) -> None:
    """All, or what is older; nothing is asked."""
    fill(folder, 10, 1_000, 2_000)
    old = run("cache", "clear", "--older-than", "500")
    assert (old.code, old.out, old.err) == (0, "", "Answers removed: 2 (0.2 MB).\n")
    rest = run("cache", "clear", "--json")
    assert json.loads(rest.out) == {"entries": 1, "bytes": 100_200}
    assert json.loads(run("cache", "stats", "--json").out)["entries"] == 0
    assert run("cache", "clear").err == "Answers removed: 0 (0.0 MB).\n"


def test_a_damaged_file_says_what_to_do(run: Run, folder: Path) -> None:
    """And the command that is named does it."""
    folder.mkdir(parents=True)
    (folder / ANSWERS.name).write_bytes(b"no database" * 200)
    (folder / DAMAGED_ANSWERS.name).write_bytes(b"the one before")
    shown = run("cache", "stats")
    assert shown.code == 3
    assert "is damaged" in shown.err
    assert "bytebuddy-hf cache clear" in shown.err
    failed = json.loads(run("cache", "stats", "--json").out)["error"]
    assert failed["hint"] == "Remove it with `bytebuddy-hf cache clear`."
    assert run("cache", "clear").code == 0
    assert run("cache", "stats").code == 0
    assert not (folder / DAMAGED_ANSWERS.name).exists()


def test_a_newer_file_is_left_alone(run: Run, folder: Path) -> None:
    """By both commands."""
    fill(folder, 1)
    with AnswersFile(folder / ANSWERS.name) as file:
        file._database.execute("PRAGMA user_version=99")
    for command in ("stats", "clear"):
        shown = run("cache", command)
        assert shown.code == 3
        assert "newer version" in shown.err


def test_a_lock_is_told(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a damage."""
    fill(folder, 1)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(answers_file, "open_database", _short_of_patience)
    with (
        AnswersFile(folder / ANSWERS.name) as file,
        file._transaction("BEGIN EXCLUSIVE"),
    ):
        done = CliRunner().invoke(cli, ["cache", "clear"])
    assert done.exit_code == 3
    assert "cannot be used: database is locked" in done.stderr


def _short_of_patience(*arguments: object, **more: object) -> object:
    from bytebuddy_provider_hf.storage.shared_database import open_database

    connection, stamp = open_database(*arguments, **more)  # type: ignore[arg-type]  # passed on
    connection.execute("PRAGMA busy_timeout=10")
    return connection, stamp


CHECKED = """\
cache: on
models:
  - {name: warm, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     defaultCompletionOptions: {temperature: 0.7}}
  - {name: unsaid, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789}
  - {name: cold, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     defaultCompletionOptions: {temperature: 0}}
  - {name: seeded, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     defaultCompletionOptions: {temperature: 0.7, seed: 3}}
  - {name: vectors, provider: huggingfaceinferenceapi, model: a/b, roles: [embed],
     apiKey: k0123456789}
  - {name: any, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     cache: all}
  - {name: none, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     cache: off}
  - {name: extra, provider: huggingfaceinferenceapi, model: a/b, apiKey: k0123456789,
     defaultCompletionOptions: {temperature: 0},
     requestOptions: {extraBodyProperties: {temperature: 1}}}
"""


def test_config_check_says_what_each_cache_keeps(run: Run, home: Path) -> None:
    """Where it can never keep a text, that is a warning with the cure."""
    (home / ".bytebuddy").mkdir()
    (home / ".bytebuddy" / "config.yaml").write_text(CHECKED)
    shown = json.loads(run("config", "check", "--json").out)
    assert shown["problems"] == []
    told = {line.split(": ")[1]: line for line in (*shown["warnings"], *shown["kept"])}
    assert "`cache: on` keeps no text of this entry: temperature is 0.7" in told["warm"]
    assert "`temperature: 0` or a `seed`" in told["warm"]
    assert "it sets no temperature and no seed" in told["unsaid"]
    assert "temperature is 1 and there is no seed" in told["extra"]
    assert "keeps the answers of this entry" in told["cold"]
    assert "keeps the answers of this entry" in told["seeded"]
    assert "keeps the vectors and scores" in told["vectors"]
    assert "`cache: all` keeps every whole answer" in told["any"]
    assert "none" not in told
    assert len(shown["warnings"]) == 3
    plain = run("config", "check")
    assert plain.code == 0
    assert plain.err.count("keeps no text of this entry") == 3
    assert plain.err.count("keeps the answers of this entry") == 2
