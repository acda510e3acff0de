"""Look for the key in use in everything that an error shows or leaves behind (R30).

    python -m benchmarks.reliability.canary [--every N]

Every error class is provoked with a canary as the key: by servers that repeat it as it
is, escaped, cut or in base64, by broken networks, by files with the key in a wrong
place, by providers of others. Each path is looked through in every sink: str, repr,
args, attributes and notes of the whole chain, tracebacks with their local variables,
a pickle, logs at DEBUG, the output of the command, and every file that was written.
Prints one line of JSON, and what leaks on stderr; exit code 1: a sink shows the key, a
path ends in no error of this package, or there are fewer than 120 paths. ``--every``
takes one path of N only.

The paths and sinks are those of ``tests/security``, in a checkout.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.logs.file import RotatingFile
from bytebuddy_provider_hf.logs.install import attach, detach
from bytebuddy_provider_hf.scheduling import retry

LEAST: Final = 120
TESTS: Final = Path(__file__).parents[2] / "tests"
Trigger: TypeAlias = Callable[[Any], Awaitable[object]]


def security(name: str) -> Any:  # noqa: ANN401 - a module of the tests
    """Return a module of ``tests/security``, as the tests themselves import it."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    return import_module(f"security.{name}")


def paths() -> Iterator[tuple[str, Trigger, str]]:
    """Yield each path's name, what provokes its error, and how the key comes back."""
    triggers, forms = security("triggers"), security("echoing").FORMS
    for kind, trigger in triggers.TRIGGERS.items():
        yield kind.__name__, trigger, ""
    # One after the other, so that a part of them has every form and every class.
    echoing = [*triggers.ECHOING.items()]
    for turn in range(len(forms)):
        for at, (kind, trigger) in enumerate(echoing):
            form = [*forms][(turn + at) % len(forms)]
            yield f"{kind.__name__}, {form}", trigger, form
    for form, trigger in triggers.FOREIGN.items():
        yield f"ProviderFailed, {form}", trigger, ""
    for place, trigger in triggers.MISPLACED.items():
        yield f"ConfigInvalid, {place!r}", trigger, ""


async def look(provoke: Trigger, form: str, folder: Path) -> dict[str, str] | None:
    """Return the sinks of one path, or ``None`` where it ended without an error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = security("provoking").World(folder / "world", port, form)
    world.folder.mkdir()
    log = folder / "all.log"
    handler = RotatingFile(LogOptions(str(log), level="debug"))
    attach(handler)
    error: ByteBuddyError | None = None
    try:
        await provoke(world)
    except ByteBuddyError as caught:
        error = caught
    finally:
        detach(handler)
        handler.close()
    if error is None:
        return None
    sinks = dict(security("sinks").shown(error))
    for file in (log, *world.folder.rglob("*")):
        if file.is_file() and file not in world.given:
            name = file.relative_to(folder).as_posix()
            sinks[f"file {name}"] = file.read_bytes().decode("latin-1")
    return sinks


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument(
        "--every", type=int, default=1, help="take one path of so many"
    )
    options = options_of.parse_args(arguments)
    shows_key = security("echoing").shows_key
    chosen = [*paths()][:: options.every]
    hits: list[str] = []
    without: list[str] = []
    kinds: set[str] = set()
    sinks = 0
    # Nothing is learnt from waiting for another attempt.
    with (
        patch.object(retry, "backoff", lambda *_, **__: 0.0),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ResourceWarning)
        for name, provoke, form in chosen:
            # A ledger may still be closed by its thread.
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                found = asyncio.run(look(provoke, form, Path(folder)))
            if found is None:
                without.append(name)
                continue
            sinks += len(found)
            kinds |= {re.sub(" of .*|^file .*", "", sink) or "file" for sink in found}
            hits += [
                f"{name}: {sink}" for sink, text in found.items() if shows_key(text)
            ]
    for leak in [*hits, *without][:20]:
        print(leak, file=sys.stderr)
    return tell(
        judged(
            "R30",
            Bound("hits", len(hits), "==", 0),
            Bound("without_an_error", len(without), "==", 0),
            Bound("paths", len(chosen), ">=", LEAST // options.every),
            sinks=sinks,
            kinds_of_sinks=sorted(kinds),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
