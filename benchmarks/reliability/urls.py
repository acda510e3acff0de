"""Try to lead a call elsewhere by a model's id, or by the path of an address (R29).

    python -m benchmarks.reliability.urls [--n N] [--seed N]

Ids and paths are put together at random of what moves an address somewhere: `..` and
its encodings, `//host`, `@`, backslashes, `#`, `?`, control characters, letters of
other alphabets, halves of characters, whole addresses. Each goes to `resolve`, which
says where a call is sent, and into the addresses of a task and of the Hub's page of the
model, of which the id is a part. What comes out has the origin of the configured
address, as this package, `urllib` and aiohttp's `yarl` read it, and stands below its
path, whatever a server makes of `%2e`; or id or address was refused by an error of
ours. Prints one line of JSON; exit code 1: an address left its place, or another error
came.
`--naive` joins the strings as most programs do, for which the command has to fail.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from yarl import URL

from benchmarks.reliability.figures import Bound, judged, parser, tell
from bytebuddy_provider_hf import ByteBuddyError
from bytebuddy_provider_hf.address import HUB, ROUTER, origin_of, resolve
from bytebuddy_provider_hf.hub.models_api import info_request, repository
from bytebuddy_provider_hf.wire.tasks import Task, task_url

_PARTS: Final = (
    *(
        "a",
        "org",
        "name",
        "Llama-3.1",
        "gpt2",
        "x" * 97,
        "v1",
        "models",
        "hf-inference",
    ),
    *(".", "..", "/", "//", "\\", "///", "/./", "/../", "/..", "../../..", ";", ":"),
    *("%2e", "%2E%2e", "%2f", "%252e", "%5c", "%00", "%0d%0a", "%", "%zz", "%c0%ae"),
    *("@", "user:pass@", "evil.example", "//evil.example", "https://evil.example"),
    *("http:", "file:///etc/passwd", "javascript:", "#", "?", "&", "=", "?x=1", "#f"),
    *("\r\n", "\n", "\t", "\0", " ", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff"),
    *(
        "ａ",
        "．．",
        "／",
        "。",
        "é",
        "中",
        "\ud800",
        "\udfff",
        "🤗",
        "localhost",
        "[::1]",
    ),
    *("127.0.0.1", "0x7f.1", ":443", ":0", ":groq", ":fastest", "~", "+", "*", "|"),
    *("{", "}", "'", '"', "<", ">", "^", "`", "$", "!", "(", ")", ",", "-", "_"),
)
_BASES: Final = (
    "",
    "https://router.huggingface.co",
    "https://router.huggingface.co/hf-inference",
    "https://router.huggingface.co/novita",
    "https://huggingface.co",
    "https://x.us-east-1.aws.endpoints.huggingface.cloud",
    "https://h.example/base",
    "https://h.example/base/v1",
    "https://h.example:8443/a/b/models",
    "http://127.0.0.1:8080",
    "http://[::1]:8080/base",
)
_LONGEST: Final = 8
_CHAT: Final = "/chat/completions"


def text(chance: random.Random) -> str:
    """Return some parts, joined."""
    return "".join(chance.choices(_PARTS, k=chance.randint(1, _LONGEST)))


def stays(sent: str, origin: str, prefix: str) -> bool:
    """Return whether an address that is sent is one of ``origin`` below ``prefix``."""
    try:
        parts, other = urlsplit(sent), URL(sent, encoded=True)
        # As a server may read it, which decodes before it looks.
        path = unquote(parts.path).replace("\\", "/")
        return (
            sent.isascii()
            and sent.isprintable()
            and f"{parts.scheme}://{parts.netloc}" == origin == str(other.origin())
            and (parts.path == prefix or parts.path.startswith(f"{prefix}/"))
            and {".", ".."}.isdisjoint(path.split("/"))
            and parts.fragment == ""
        )
    except ValueError:
        return False


def ours(model: str, base: str) -> Iterator[str]:
    """Yield where this package sends for a model: chat, text, a task, the Hub."""
    target = resolve(model, base or None)
    yield target.chat_url
    yield target.completions_url
    # It may be no place for tasks, or the id none for a path.
    with suppress(ByteBuddyError):
        yield task_url(Task.FEATURE_EXTRACTION, target)


def naive(model: str, base: str) -> Iterator[str]:
    """Yield what most programs make of it."""
    yield f"{base or ROUTER}/models/{model}/v1{_CHAT}"


def attempt(
    number: int, chance: random.Random, made: Callable[[str, str], Iterator[str]]
) -> tuple[int, int, str]:
    """Return how many addresses were made and how many left their place; what failed.

    Every second time the path of the address is what is tried, else the model's id.
    """
    base = chance.choice(_BASES)
    model = text(chance)
    if number % 2:
        model = "org/name"
        base = f"{base or ROUTER}/{text(chance)}"
    count = left = 0
    try:
        # Blanks around an address are a slip of the hand, and are taken off.
        written = urlsplit(base.strip() or ROUTER)
        origin = origin_of(base or ROUTER)
        # What was written stays in front, but for a route that is replaced by another.
        prefix = written.path.rstrip("/")
        for route in (_CHAT, "/completions", "/v1", "/hf-inference", "/models"):
            prefix = prefix.removesuffix(route)
        for sent in made(model, base):
            count += 1
            left += not stays(sent, origin, prefix.rstrip("/"))
        name = repository(model) if made is ours else None
        if name is not None:
            count += 1
            left += not stays(info_request(name).url, HUB, "/api/models")
    except ByteBuddyError:
        return count, left, ""
    except Exception as error:  # noqa: BLE001 - counted, whatever it is
        return count, left, f"{error!r:.200} of {model!r:.200} at {base!r:.200}"
    return count, left, ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit code."""
    options_of = parser(__doc__)
    options_of.add_argument("--n", type=int, default=1_000_000)
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument("--naive", action="store_true", help="only join strings")
    options = options_of.parse_args(arguments)
    chance = random.Random(options.seed)
    made = naive if options.naive else ours
    addresses = left = refused = 0
    failures: list[str] = []
    for number in range(options.n):
        count, away, failure = attempt(number, chance, made)
        addresses += count
        left += away
        refused += not count
        failures += [failure] if failure else []
    for failure in failures[:5]:
        print(failure, file=sys.stderr)
    return tell(
        judged(
            "R29",
            Bound("left_their_place", left, "==", 0),
            Bound("other_errors", len(failures), "==", 0),
            # Else nothing was tried.
            Bound("addresses", addresses, ">", 0),
            strings=options.n,
            refused=refused,
            seed=options.seed,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
