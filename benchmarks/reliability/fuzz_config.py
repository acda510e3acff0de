"""Give the configuration's reader files that nobody should have written (R28).

    python -m benchmarks.reliability.fuzz_config [--n N] [--seed N] [--keep FOLDER]

- `--n` files are a good one with a few bytes changed: cut, put in, doubled, moved. The
  default takes about a minute; every night a million are read.
- 200 files are written to attack: aliases that grow (and those in a circle), brackets
  and dashes without end, tags that name Python's objects, keys that stand there twice,
  encodings, numbers of 300,000 digits, variables that name each other. `--keep FOLDER`
  leaves them there.

Each has to be read, or refused with a `ConfigError` all of whose problems name a line
and a column, within a second of CPU time and 50 MiB, and no piece of the key that
stands in it may be shown: 16 signs in a row are one. Prints one line of JSON; exit
code 1: one of these was missed. `--unsafe` reads with a loader that builds everything a
file asks for, for which the command has to fail.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.errors import ConfigError, ConfigInvalid

ATTACKS: Final = 200
SECONDS: Final = 1.0
MIB: Final = 50
_KEY: Final = "hf_k3yThatNobodyMaySee0123456789abcd"
_PIECE: Final = 16
_GOOD: Final = f"""\
name: x
version: "1"
requestOptions: {{timeout: 5, headers: {{A: "${{B}}"}}, maxAttempts: 2}}
log: {{path: a.log, size: 1, level: debug}}
budget: {{dollars: 5, calls: 10, period: day}}
models:
  - name: "hf-llama"
    provider: 'huggingfaceinferenceapi'
    model: "org/name"  # words
    apiKey: "{_KEY}"
    roles: ["chat", embed]
    apiBase: https://host.example:1/v1
    defaultCompletionOptions:
      temperature: 0.7
      stop: |
        text
    env: {{a: 1, b: true}}
  - {{name: b, provider: p, model: "${{{{ secrets.M }}}}", apiKey: {_KEY}}}
""".encode()
_PLAIN: Final = _GOOD.replace(_KEY.encode(), b"x")
_TOKENS: Final = (
    *(b"\n", b"  ", b"\t", b"- ", b": ", b"? ", b"{", b"}", b"[", b"]", b"&a ", b"*a"),
    *(b"!!x ", b"|", b">", b'"', b"'", b"#", b"%", b"---\n", b"...\n", b"${", b"$$"),
    *(b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"null"),
    *(b"1e999", b"<<", b"models:", b"provider: x\n", b"9" * 400, b"\\U99999999", b"@"),
    *(b'"\\xZZ"', b"`", b"[" * 30, b",", b"\r", b"apiKey: ", b"!!python/name:os "),
)
_HEAD: Final = f"models:\n  - name: a\n    provider: p\n    apiKey: {_KEY}\n    model: "
# Sizes at which an attack is tried; the last is more than is read of a file.
_SIZES: Final = (1, 40, 3_000, 300_000)
_PLACE: Final = re.compile(r":\d+:\d+:")


def attacks() -> Iterator[tuple[str, bytes]]:
    """Yield the attacks, each in the sizes, with a name: 200 of them."""
    grown = "\n".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)
    )
    shapes: dict[str, Callable[[int], str | bytes]] = {
        "brackets": lambda n: _HEAD + "[" * n,
        "braces": lambda n: _HEAD + "{" * n,
        "closed": lambda n: _HEAD + "[" * n + "]" * n,
        "pairs": lambda n: _HEAD + "{a: " * n + "}" * n,
        "dashes": lambda n: "- " * n,
        "questions": lambda n: "? " * n,
        "indents": lambda n: "".join(f"{' ' * at}a:\n" for at in range(min(n, 700))),
        "laughs": lambda n: f"a0: &a0 [{'x,' * n}]\n{grown}\nmodels: *a29\n",
        "laughs merged": lambda n: (
            "a0: &a0 {b: 1}\n"
            + "".join(
                f"a{at}: &a{at} {{<<: [*a{at - 1}, *a{at - 1}]}}\n"
                for at in range(1, min(n, 9_000))
            )
        ),
        "circle": lambda n: "a: &a [" + "*a, " * n + "]\nmodels: *a\n",
        "no anchor": lambda n: _HEAD + "*nobody\n" * n,
        "anchors": lambda n: "".join(f"k{at}: &b{at} 1\n" for at in range(n)),
        "same key": lambda n: "models: []\n" * (n + 1),
        "same entry key": lambda n: _HEAD + "b\n" + "    model: c\n" * n,
        "same name": lambda n: "models:\n" + "  - {name: a, provider: p}\n" * n,
        "unknown keys": lambda n: "".join(f"key{at}: 1\n" for at in range(n)),
        "python object": lambda n: _HEAD + "!!python/object/apply:os.system [ls]\n" * n,
        "python name": lambda n: _HEAD + "!!python/name:os.environ ''\n" * n,
        "binary": lambda n: _HEAD + "!!binary '" + "QUFB" * n + "'\n",
        "tags": lambda n: "!" * n + " a",
        "long tag": lambda n: _HEAD + "!<tag:" + "x" * n + "> a",
        "tag handles": lambda n: "%TAG !e! tag:x,2000:" + "y" * n + "\n---\n!e!a b\n",
        "directives": lambda n: "%YAML 1.2\n" * n + "---\nmodels: []\n",
        "documents": lambda n: "---\nmodels: []\n" * n,
        "big number": lambda n: _HEAD + "9" * n,
        "big exponent": lambda n: _HEAD + "1e" + "9" * n,
        "hexadecimal": lambda n: _HEAD + "0x" + "f" * n,
        "sexagesimal": lambda n: _HEAD + "1:" + "59:" * n + "0",
        "timeouts": lambda n: f"requestOptions: {{timeout: {'9' * n}}}\nmodels: []\n",
        "long key": lambda n: "k" * n + ": 1\n",
        "long value": lambda n: _HEAD + "v" * n,
        "quote": lambda n: _HEAD + '"' + "\\" * n,
        "escapes": lambda n: _HEAD + '"' + "\\u12" * n + '"',
        "folded": lambda n: _HEAD + ">\n" + "      x\n" * n,
        "comments": lambda n: "#" * n + "\n" + "# a\n" * n,
        "variables": lambda n: _HEAD + "${" * n,
        "defaults": lambda n: _HEAD + "${A:-" * n + "}" * n,
        "own variables": lambda n: _HEAD + "${LOOP} " * n,
        "secrets": lambda n: _HEAD + "${{ secrets." * n,
        "nul": lambda n: _HEAD + "\0" * n,
        "escape sequences": lambda n: _HEAD + "\x1b]52;c;\x07" * n,
        "line separators": lambda n: _HEAD + "\u2028" * n + "\u0085",
        "marks": lambda n: "\ufeff" * n + _HEAD,
        "carriage returns": lambda n: (_HEAD + "a\n").replace("\n", "\r") * n,
        "UTF-16": lambda n: (_HEAD + "a" * n).encode("utf-16"),
        "UTF-32": lambda n: (_HEAD + "a" * n).encode("utf-32"),
        "UTF-7": lambda n: (_HEAD + "ä" * min(n, 20_000)).encode("utf-7"),
        "latin-1": lambda n: (_HEAD + "ä" * n).encode("latin-1"),
        "surrogates": lambda n: _HEAD.encode() + b"\xed\xa0\x80" * n,
        "overlong": lambda n: _HEAD.encode() + b"\xc0\xaf\xf8\x88\x80\x80\x80" * n,
    }
    for name, shape in shapes.items():
        for size in _SIZES:
            made = shape(size)
            raw = (
                made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made
            )
            yield f"{name} {size}", raw


def mutated(chance: random.Random) -> bytes:
    """Return the good file with a few changes."""
    raw = _GOOD
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        at, cut = chance.randrange(len(raw) + 1), chance.choice((0, 0, 1, 2, 8))
        kind = chance.choice("tttbf")
        if kind == "t":
            put = chance.choice(_TOKENS)
        elif kind == "b":
            put = chance.randbytes(chance.randint(0, 4))
        else:
            # A piece of the file itself, somewhere else; none of the key, as nobody can
            # tell what is one in the middle of an address.
            begin = chance.randrange(len(_PLAIN))
            put = _PLAIN[begin : begin + chance.randint(1, 60)]
        raw = raw[:at] + put + raw[at + cut :]
    return raw


@define
class Read:
    """What came of the files: how many ended how, and the slowest and largest."""

    ends: Counter[str] = field(factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    crashes: int = 0
    unplaced: int = 0
    shown: int = 0

    def add(self, raw: bytes, folder: Path, *, traced: bool, unsafe: bool) -> None:
        """Read a file as the user's and as one that was named; note what came of it."""
        named, found = folder / "chosen.yaml", folder / ".bytebuddy" / "config.yaml"
        for path in (named, found):
            path.write_bytes(raw)
        chosen: Path | None
        for chosen in (named, None):
            if traced:
                tracemalloc.start()
            began = time.process_time()
            try:
                self._read(chosen, folder, unsafe=unsafe)
            except Exception as error:  # noqa: BLE001 - a crash, whatever it is
                self.crashes += 1
                self.ends[type(error).__name__] += 1
            took = time.process_time() - began
            if traced:
                self.largest = max(self.largest, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            else:
                # What is traced takes several times as long.
                self.slowest = max(self.slowest, took)

    def _read(self, path: Path | None, folder: Path, *, unsafe: bool) -> None:
        if unsafe:
            from ruamel.yaml import YAML

            YAML(typ="safe", pure=True).load((folder / "chosen.yaml").read_bytes())
            return
        try:
            config = load(
                path,
                cwd=folder / "project",
                home=folder,
                env={"B": "1", "LOOP": "${LOOP}${LOOP}"},
                global_path=folder / "none",
            )
        except ConfigError as error:
            said = [str(error), error.hint or "", repr(error)]
            if isinstance(error, ConfigInvalid):
                said += error.problems
                self.unplaced += sum(not _PLACE.search(p) for p in error.problems)
            else:
                self.unplaced += 1
            self.ends["refused"] += 1
        else:
            said = [repr(config), *map(str, config.warnings)]
            self.ends["read"] += 1
        shown = " ".join(said)
        self.shown += any(
            _KEY[at : at + _PIECE] in shown for at in range(len(_KEY) - _PIECE + 1)
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--n", type=int, default=10_000)
    options_of.add_argument("--attacks", type=int, default=ATTACKS)
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument("--keep", type=Path, help="where the attacks are left")
    options_of.add_argument("--unsafe", action="store_true", help="build everything")
    options = options_of.parse_args(arguments)
    chance = random.Random(options.seed)
    read, attacked = Read(), Read()
    corpus = list(attacks())
    # All of them, or a part that is spread over them.
    chosen = corpus[:: max(1, len(corpus) // max(1, options.attacks))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".bytebuddy").mkdir()
        (folder / "project").mkdir()
        for title, raw in chosen[: options.attacks]:
            for traced in (False, True):
                attacked.add(raw, folder, traced=traced, unsafe=options.unsafe)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{title}.yaml").write_bytes(raw)
        for number in range(options.n):
            # Tracing takes long, and one file of a hundred is as large as the others.
            traced = number % 100 == 0
            read.add(mutated(chance), folder, traced=traced, unsafe=options.unsafe)
    largest = max(read.largest, attacked.largest) / 1024**2
    return tell(
        judged(
            "R28",
            Bound("crashes", read.crashes + attacked.crashes, "==", 0),
            Bound(
                "slowest_seconds",
                round(max(read.slowest, attacked.slowest), 3),
                "<",
                SECONDS,
            ),
            Bound("largest_mib", round(largest, 1), "<", MIB),
            Bound("without_a_place", read.unplaced + attacked.unplaced, "==", 0),
            Bound("secrets_shown", read.shown + attacked.shown, "==", 0),
            mutated=options.n,
            attacks=len(chosen[: options.attacks]),
            ends=dict(read.ends),
            ends_of_attacks=dict(attacked.ends),
            seed=options.seed,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
