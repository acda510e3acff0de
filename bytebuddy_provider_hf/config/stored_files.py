"""Name every file on a user's disk: its path, mode, largest size and format version.

``docs/files.md`` is made from these rows, and the code that reads or writes a file
takes its name and limits from here. ``.ci/files_page.toml`` has their words in Chinese.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.config.files import FILE_MODE, FOLDER_MODE

STATE: Final = ".bytebuddy"
CACHE: Final = "bytebuddy-hf"

# As the page names the folders.
_STATE: Final = f"~/{STATE}/"
_CACHE: Final = f"$XDG_CACHE_HOME/{CACHE}/"
_PROJECT: Final = "./"


@frozen
class StoredFile:
    """A file or a folder, and what a user wants to know of it.

    ``mode`` is what this package gives it, ``None`` where it never writes it; ``most``
    are the bytes that it may have, 0 where ``limit`` says it in words; ``version`` is
    that of its format, 0 where it has none.
    """

    folder: str
    name: str
    purpose: str
    writer: str
    removal: str
    mode: int | None = FILE_MODE
    most: int = 0
    limit: str = ""
    version: int = 0

    @property
    def place(self) -> str:
        """The path, as the page shows it."""
        return f"{self.folder}{self.name}"


STATE_FOLDER: Final = StoredFile(
    folder=_STATE,
    name="",
    purpose="what you have set up",
    writer="whatever first writes a file below",
    removal="with all files below: your configuration, token and trusted projects",
    mode=FOLDER_MODE,
    limit="the files below",
)
CONFIG: Final = StoredFile(
    folder=_STATE,
    name="config.yaml",
    purpose="your [configuration](configuration.md)",
    writer="you; `bytebuddy-hf config init` where there is none",
    removal="remove it; `config init` writes a new one",
    most=256 * 1024,
)
ENV: Final = StoredFile(
    folder=_STATE,
    name=".env",
    purpose="your token and other variables",
    writer="`bytebuddy-hf login`, and you",
    removal="remove the line `HF_API_KEY=…`, or the file; `login` asks anew",
    most=64 * 1024,
)
TRUST: Final = StoredFile(
    folder=_STATE,
    name="trust.json",
    purpose="which project may have your token sent where, and name which variables",
    writer="`bytebuddy-hf config trust`, and the question of a command",
    removal="`config trust --remove` in the project, or remove it: nothing is trusted",
    # Some ten thousand projects.
    most=1024 * 1024,
    version=1,
)
TALK: Final = StoredFile(
    folder=_STATE,
    name="talk.json",
    purpose="the last talk that you had kept: all you asked, with files and pictures, "
    "and the answers",
    writer="`bytebuddy-hf chat` with `--keep` or `-c`, and `/keep` in a talk; no other",
    removal="remove it at any time: `chat -c` then has nothing to go on with",
    most=16 * 1024 * 1024,
    version=1,
)
USAGE: Final = StoredFile(
    folder=_STATE,
    name="usage.db",
    purpose="what calls used: counts, tokens, money; no prompt and no answer",
    writer="every call of the command line and of a registry; `ledger: off` ends it",
    removal="`bytebuddy-hf usage --forget`, or remove it: it counts anew",
    most=64 * 1024**2,
    version=1,
)
USAGE_JOURNAL: Final = StoredFile(
    folder=_STATE,
    name="usage.db-wal, usage.db-shm, usage.db-journal",
    purpose="what SQLite is about to write into `usage.db`",
    writer="whatever writes `usage.db`",
    removal="never by hand; the last program that uses `usage.db` removes them",
    limit="some MB",
)
USAGE_COUNTS: Final = StoredFile(
    folder=_STATE,
    name="usage.counts",
    purpose="how many requests each running program has counted in `usage.db`",
    writer="whatever writes `usage.db`, on most local disks of Linux",
    removal="with `usage.db`, while no program runs",
    most=64 * 1024,
)
USAGE_DAMAGED: Final = StoredFile(
    folder=_STATE,
    name="usage.db.damaged",
    purpose="a `usage.db` that could not be read any more",
    writer="whatever finds it damaged; it replaces an older one",
    removal="at any time, with `usage.db.damaged-wal`",
    most=USAGE.most,
)
USAGE_KEY: Final = StoredFile(
    folder=_STATE,
    name="usage.key",
    purpose="a random key, by which `usage.db` tells tokens apart without keeping them",
    writer="whatever first writes `usage.db`",
    removal="at any time; each token then counts as a new one",
    most=32,
)
CACHE_FOLDER: Final = StoredFile(
    folder=_CACHE,
    name="",
    purpose="what can be made again",
    writer="whatever first writes a file below",
    removal="with all files below, at any time",
    mode=FOLDER_MODE,
    limit="the files below",
)
SERVERS: Final = StoredFile(
    folder=_CACHE,
    name="servers.json",
    purpose="what 500 servers told of themselves: kind, model, context length",
    writer="the first call to a server, for a day",
    removal="at any time; servers are asked again",
    most=1024 * 1024,
    version=2,
)
CATALOGUE: Final = StoredFile(
    folder=_CACHE,
    name="catalogue/",
    purpose="what Hugging Face told of 500 models: providers, prices, cards",
    writer="whatever asks for it; `models search` shows how old it is",
    removal="at any time; it is asked for again, and not known offline until then",
    mode=FOLDER_MODE,
    most=32 * 1024 * 1024,
    version=1,
)
ANSWERS: Final = StoredFile(
    folder=_CACHE,
    name="answers.db",
    purpose="[answers that are kept](cache.md), where you ask for it",
    writer="a call of an entry with the key `cache`, or with the argument",
    removal="`bytebuddy-hf cache clear`, or remove it at any time",
    limit="`size` MB, 256 by default, and a fifth more",
    version=1,
)
ANSWERS_LOG: Final = StoredFile(
    folder=_CACHE,
    name="answers.db-wal, answers.db-shm",
    purpose="what was written to it last, and what programs share of it",
    writer="the same; the last one to close it removes them",
    removal="together with it only",
    limit="a few MB",
)
DAMAGED_ANSWERS: Final = StoredFile(
    folder=_CACHE,
    name="answers.db.damaged",
    purpose="one that was damaged, until the next is",
    writer="the call that met it; a new one is begun",
    removal="at any time",
    limit="as the file",
)
GEMMA: Final = StoredFile(
    folder=_CACHE,
    name="gemma-3-270m-q4_k_m.gguf",
    purpose="the model of the demo",
    writer="`bytebuddy-hf demo`, with the extra `local`",
    removal="at any time; the demo puts it together again, in seconds",
    # Its SHA-256 is known: it has no other size.
    most=253_113_024,
)
LOG: Final = StoredFile(
    folder="",
    name="`path` of the key `log`",
    purpose="the [log](logs.md), where you ask for one",
    writer="every program that reads a configuration with that key",
    removal="at any time; the next line begins a new one",
    limit="`size` MB, 5 by default",
)
OLD_LOGS: Final = StoredFile(
    folder="",
    name="the same with `.1`, `.2`, …",
    purpose="older lines of the log",
    writer="a log that is full",
    removal="at any time",
    limit="`size` MB each, `keep` files, 3 by default",
)
BESIDE: Final = StoredFile(
    folder="",
    name="`.NAME.XXXXXXXX` beside the file `NAME`",
    purpose="a new content, until it replaces the old one at once",
    writer="every writer of a file but the log",
    removal="at any time; only a program that was killed leaves one",
    limit="as the file",
)
GEMMA_PARTS: Final = StoredFile(
    folder=_CACHE,
    name=".gemma-XXXXXXXX/",
    purpose="the model of the demo, while it is put together",
    writer="`bytebuddy-hf demo`",
    removal="at any time; only a program that was killed leaves one",
    mode=FOLDER_MODE,
    most=GEMMA.most,
)
DEMO_FOLDER: Final = StoredFile(
    folder="",
    name="`bytebuddy-demo-XXXXXXXX/` in the folder for temporary files",
    purpose="the `config.yaml` that the demo shows",
    writer="`bytebuddy-hf demo`",
    removal="the demo removes it when it ends",
    mode=FOLDER_MODE,
    limit="1 KiB",
)
PROJECT_CONFIG: Final = StoredFile(
    folder=_PROJECT,
    name=CONFIG.name,
    purpose="the project's configuration",
    writer="the project",
    removal="that is up to the project; nothing here needs it",
    mode=None,
    most=CONFIG.most,
)
PROJECT_ENV: Final = StoredFile(
    folder=_PROJECT,
    name=ENV.name,
    purpose="the project's variables, once it is trusted",
    writer="the project",
    removal="that is up to the project; nothing here needs it",
    mode=None,
    most=ENV.most,
)
PROJECT_STATE_ENV: Final = StoredFile(
    folder=f"{_PROJECT}{STATE}/",
    name=ENV.name,
    purpose="the same, read first",
    writer="the project",
    removal="that is up to the project; nothing here needs it",
    mode=None,
    most=ENV.most,
)
MACHINE_CONFIG: Final = StoredFile(
    folder="/etc/bytebuddy/",
    name=CONFIG.name,
    purpose="the machine's configuration",
    writer="its administrator",
    removal="that is up to the administrator; nothing here needs it",
    mode=None,
    most=CONFIG.most,
)
HUB_TOKEN: Final = StoredFile(
    folder="~/.cache/huggingface/",
    name="token",
    purpose="the token of `hf auth login`, where no other is found",
    writer="Hugging Face's own programs",
    removal="`hf auth logout`",
    mode=None,
    most=8_000,
)

FILES: Final = (
    STATE_FOLDER,
    CONFIG,
    ENV,
    TRUST,
    TALK,
    USAGE,
    USAGE_JOURNAL,
    USAGE_COUNTS,
    USAGE_DAMAGED,
    USAGE_KEY,
    CACHE_FOLDER,
    SERVERS,
    CATALOGUE,
    ANSWERS,
    ANSWERS_LOG,
    DAMAGED_ANSWERS,
    GEMMA,
    LOG,
    OLD_LOGS,
    BESIDE,
    GEMMA_PARTS,
    DEMO_FOLDER,
    PROJECT_CONFIG,
    PROJECT_ENV,
    PROJECT_STATE_ENV,
    MACHINE_CONFIG,
    HUB_TOKEN,
)


def user_folder(home: Path) -> Path:
    """Return the folder of the user's configuration, keys and trusted projects."""
    return home / STATE


def cache_folder(env: Mapping[str, str], home: Path) -> Path:
    """Return the folder of what can be made again."""
    given = Path(env.get("XDG_CACHE_HOME", ""))
    # A relative one does not count (https://specifications.freedesktop.org/
    # basedir-spec/latest/): it would be read from a stranger's project.
    if given.is_absolute():
        return given / CACHE
    if sys.platform == "win32":
        return home / "AppData" / "Local" / CACHE / "Cache"
    return home / ".cache" / CACHE
