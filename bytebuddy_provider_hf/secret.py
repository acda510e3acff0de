"""Secrets: a value that cannot be printed, and text with secrets taken out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn, TypeAlias, final

MASK: Final = "**********"

# Only this process can tell which credential a fingerprint stands for.
_SALT: Final = os.urandom(16)

_LONGEST_MESSAGE: Final = 1_000
_BEYOND: Final = 1_000

# A shorter text is a placeholder ("ollama", "none"): masking it would tear the names
# and words of a server's answer apart.
_SHORTEST: Final = 8
# What stands before the key in a header such as Authorization.
_SCHEME: Final = re.compile(r"(?i)^(?:bearer|basic|token|api-?key)\s+")
# What JSON, a URL or HTML writes for a character, and what stands between two and is
# seen by nobody, as in UTF-16 that was read as UTF-8. It begins with a class, which is
# searched for many times faster than alternatives.
_ESCAPE: Final = re.compile(
    r"[\\%&\x00\xad\u200b-\u200f\u2060\ufeff](?:"
    r"(?<=\\)(?:u(?P<four>[0-9a-fA-F]{4})|x(?P<two>[0-9a-fA-F]{2})"
    r"|(?P<sign>[/\\\"'&=+-]))"
    r"|(?<=%)(?P<bytes>[0-7][0-9a-fA-F]"
    r"|[89a-fA-F][0-9a-fA-F](?:%[89a-fA-F][0-9a-fA-F])*)"
    # Digits are few: html.unescape raises for 4,300 or more.
    r"|(?<=&)(?P<entity>#[0-9]{1,9};?|#[xX][0-9a-fA-F]{1,8};?"
    r"|[A-Za-z][A-Za-z0-9]{1,31};?)"
    r")?"
)
# Of a text that was escaped by one server after another.
_MOST_LAYERS: Final = 5
# A key of which only a part is shown. A shorter part needs a sign that it was cut.
_LEAST_PART: Final = 8
_SURE_PART: Final = 12
# What all keys of a provider begin with is in its documentation.
_PUBLIC: Final = re.compile(
    r"api_org_|github_pat_|sk-(?:or-v[0-9]-|proj-|ant-[a-z]*[0-9]*-)|sk-or-v[0-9]"
)
_WORD: Final = re.compile(r"[A-Za-z0-9_-]", re.ASCII)
_URL_SAFE: Final = str.maketrans("+/", "-_")
_BASE64_REST: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")

# Start and end of what is to be masked in a text.
Span: TypeAlias = tuple[int, int]
_Texts: TypeAlias = tuple[str, ...]
_Forms: TypeAlias = tuple[_Texts, _Texts, _Texts]

# User tokens begin with hf_, organisation tokens with api_org_
# (https://huggingface.co/docs/hub/security-tokens).
# Of others: what their documentation shows.
_TOKEN: Final = re.compile(
    r"\b(?:hf_|api_org_)(?P<hidden>[A-Za-z0-9_\-.]{3,})"
    r"|\b(?:sk-|gsk_|xai-|nvapi-|pplx-|gh[pousr]_|github_pat_|AIza|AKIA)"
    r"(?P<others>[A-Za-z0-9_\-]{16,})"
)
_HEADER: Final = re.compile(r"(?i)\b(?:bearer|basic)\s+(?P<hidden>[^\s\"',;]+)")
_USERINFO: Final = re.compile(r"(?<=://)(?P<hidden>[^/\s@]+)@")
# Signed addresses: whoever has the query may fetch what it names.
_SIGNED: Final = re.compile(
    r"(?i)[?&](?:x-amz-[a-z-]+|sig|policy|key-pair-id"
    r"|[\w.-]{0,40}?(?:signature|token|key|secret|password|auth))="
    r"(?P<hidden>[^&\s\"'<>]+)"
)
# A word of this length with letters and digits is made by chance: names have signs in
# them. The second form is a UUID.
_RANDOM: Final = re.compile(
    r"(?i)[A-Za-z0-9_]{16,}|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.ASCII
)
_LIKELY: Final = (_TOKEN, _HEADER, _SIGNED, _USERINFO)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
# What came from a variable, and the reference that is shown instead. A text does not
# tell what it was made of, so that whatever prints one has to know these.
_MOST_MARKS: Final = 16_384
_marks: Final[dict[tuple[str, str], Secret]] = {}
_ordered: list[tuple[Secret, str]] | None = None

# Halves of characters, of which no text can be made.
_HALVES: Final = re.compile("[\ud800-\udfff]")


@final
class Secret:
    """Hold a token without ever showing it.

    ``repr``, ``str``, formatting and tracebacks show a mask; pickling is refused.
    Only :meth:`reveal` gives the value, and only the code that writes a header or
    a credentials file calls it.
    """

    __slots__ = ("_forms", "_value", "fingerprint")

    def __init__(self, value: str) -> None:
        self._value = value
        # The forms to look for, made when a text is first looked at.
        self._forms: _Forms | None = None
        digest = hmac.new(_SALT, value.encode("utf-8", "replace"), hashlib.sha256)
        self.fingerprint: str = digest.hexdigest()[:16]

    def reveal(self) -> str:
        """Return the value itself: never bind it to a name that outlives the call."""
        return self._value

    def scrub(self, text: str, mask: str = MASK, *, parts: bool = True) -> str:
        """Return ``text`` with ``mask`` at every occurrence of this secret.

        Also one that JSON, a URL or HTML wrote with escapes, however often; the key
        alone of a value such as ``Bearer KEY``; and base64 of a text that holds it.
        A secret of less than 8 characters is left.

        Args:
            text: What is going to be shown.
            mask: What stands in the secret's place.
            parts: Whether its first or last 8 characters are masked, too, where it
                was cut.
        """
        # Asked of each header that is told: most are shorter than a key, and have no
        # escapes, which only ever make a text longer.
        if len(text) < _LEAST_PART:
            return text
        if self._forms is None:
            self._forms = _forms_of(self._value)
        keys, encoded, signs = self._forms
        if not any(each in text for each in signs) and not _ESCAPE.search(text):
            return text

        def found(plain: str) -> Iterator[Span]:
            # Hardly any text has one.
            if not any(each in plain for each in signs):
                return
            for key in keys:
                for at in _places(plain, key):
                    yield at, at + len(key)
                if parts:
                    yield from _parts(plain, key)
            for core in encoded:
                for at in _places(plain, core):
                    rest = _BASE64_REST.match(plain, at)
                    yield at, at + len(core) if rest is None else rest.end()

        return _masked(text, found, mask) if keys else text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> NoReturn:
        message = "a Secret is not pickled: it would leave the process"
        raise TypeError(message)


@final
class Environment(Mapping[str, str]):
    """Environment variables whose values no traceback or log can show."""

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({len(self)} variables)"

    def __reduce__(self) -> NoReturn:
        message = "an Environment is not pickled: its secrets would leave the process"
        raise TypeError(message)


def mark(value: Secret, shown: str) -> None:
    """Let :func:`redact` write ``shown`` for a value, for as long as this process runs.

    One of less than 8 characters is left, as by :meth:`Secret.scrub`.
    """
    global _ordered  # noqa: PLW0603 - what a process prints goes through one function
    if len(value.reveal()) < _SHORTEST or (value.fingerprint, shown) in _marks:
        return
    # More than a file may name: the oldest are of files that were read long ago.
    while len(_marks) >= _MOST_MARKS:
        del _marks[next(iter(_marks))]
    _marks[value.fingerprint, shown] = value
    _ordered = None


def forget_marks() -> None:
    """Undo every :func:`mark`, for a test that reads other variables."""
    global _ordered  # noqa: PLW0603 - as above
    _marks.clear()
    _ordered = None


def _in_order() -> list[tuple[Secret, str]]:
    """Return what is marked, the longest first: one may be a part of another."""
    global _ordered  # noqa: PLW0603 - as above
    found = _ordered
    if found is None:
        known = [(value, shown) for (_, shown), value in list(_marks.items())]
        known.sort(key=lambda each: len(each[0].reveal()), reverse=True)
        found = _ordered = known
    return found


def redact(text: str) -> str:
    """Return ``text`` with tokens, authorization values and URL user-info masked.

    Also where JSON, a URL or HTML wrote them with escapes. Where a value came from a
    variable, the variable's name stands instead.
    """
    for value, shown in _in_order():
        # Whole ones only: many are addresses, which begin alike.
        text = value.scrub(text, shown, parts=False)
    return _masked(text, _likely)


def _likely(plain: str) -> Iterator[Span]:
    """Yield where something stands that looks like a secret, whoever's it is."""
    for pattern in _LIKELY:
        for match in pattern.finditer(plain):
            yield match.span(match.lastgroup or 0)


def _forms_of(value: str) -> _Forms:
    """Return the texts that are a secret, what base64 makes of them, and its signs.

    Where no sign is in a text, the secret is not.
    """
    bare = _SCHEME.sub("", value)
    keys = {value, bare}
    # The header of a user and a password: a server tells what it read in it.
    if bare != value and value[:5].lower() == "basic":
        try:
            pair = base64.b64decode(bare, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        keys |= {pair, pair.partition(":")[2]}
    found = sorted((key for key in keys if len(key) >= _SHORTEST), key=len)
    encoded: dict[str, None] = {}
    for key in found:
        raw = key.encode("utf-8", "surrogatepass")
        # Before it may stand a user's name of any length: three ways to divide it.
        for before in range(3):
            whole = base64.b64encode(bytes(before) + raw).decode()
            core = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            encoded |= {core: None, core.translate(_URL_SAFE): None}
    heads = (key[:_LEAST_PART] for key in found)
    ends = (key[-_LEAST_PART:] for key in found)
    return tuple(found), tuple(encoded), (*heads, *ends, *encoded)


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _parts(text: str, key: str) -> Iterator[Span]:
    """Yield where the beginning or the end of ``key`` stands, cut."""
    public = _PUBLIC.match(key)
    shown = public.end() if public else 0
    for at in _places(text, key[:_LEAST_PART]):
        size = _shared(key, text[at : at + len(key)])
        cut = not _WORD.match(text, at + size)
        if size > shown and (cut or size >= _SURE_PART):
            yield at, at + size
    for at in _places(text, key[-_LEAST_PART:]):
        end = at + _LEAST_PART
        size = _shared(key[::-1], text[max(end - len(key), 0) : end][::-1])
        cut = end == size or not _WORD.match(text, end - size - 1)
        if cut or size >= _SURE_PART:
            yield end - size, end


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _masked(text: str, find: Callable[[str], Iterator[Span]], mask: str = MASK) -> str:
    """Return ``text`` masked where ``find`` finds something, in it or behind escapes.

    What is not masked stays as it is written: a text that is JSON stays JSON.
    """
    spans, plain = [*find(text)], text
    for layer in range(1, _MOST_LAYERS + 1):
        inner = _ESCAPE.sub(_character, plain)
        if inner == plain:
            break
        plain = inner
        # Hardly ever: only then is it worth knowing what came from where.
        if found := [*find(plain)]:
            origins = _origins(text, layer)
            spans += [(origins[a][0], origins[b - 1][1]) for a, b in found if a < b]
    if not spans:
        return text
    pieces, at = [], 0
    start, end = -1, -1
    for left, right in [*sorted(spans), (len(text) + 1, len(text) + 1)]:
        if left > end or start < 0:
            if start >= 0:
                pieces += [text[at:start], mask]
                at = end
            start, end = left, right
        else:
            end = max(end, right)
    return "".join((*pieces, text[at:]))


def _character(match: re.Match[str]) -> str:
    """Return what an escape stands for; itself, where it is none."""
    kind = match.lastgroup
    if kind is None:
        sign = match.group()
        return sign if sign in "\\%&" else ""
    found = match[kind]
    if kind in {"four", "two"}:
        return chr(int(found, 16))
    if kind == "bytes":
        return bytes.fromhex(found.replace("%", "")).decode("utf-8", "replace")
    if kind == "sign":
        return found
    # Its table is large, and hardly any text has one.
    import html

    return html.unescape(f"&{found}")


def _origins(text: str, layers: int) -> list[Span]:
    """Return for each character below ``layers`` of escapes where it is written."""
    origins = [(at, at + 1) for at in range(len(text))]
    for _ in range(layers):
        below: list[Span] = []
        at = 0
        for match in _ESCAPE.finditer(text):
            start, end = match.span()
            below += origins[at:start]
            whole = (origins[start][0], origins[end - 1][1])
            below += [whole] * len(_character(match))
            at = end
        origins = below + origins[at:]
        text = _ESCAPE.sub(_character, text)
    return origins


def without_random_words(text: str) -> str:
    """Return ``text`` redacted, and with every word masked that may be a key.

    For what a person wrote, where a key may stand at any place. Ids of models, names
    and hosts have no such words.
    """

    def hidden(match: re.Match[str]) -> str:
        word = match.group()
        # The name of a variable stands for a key, and is none.
        named = match.string[: match.start()].endswith("${")
        has_both = re.search("[0-9]", word) and re.search("[A-Za-z]", word)
        return MASK if has_both and not named else word

    return _RANDOM.sub(hidden, redact(text))


def redacted_repr(value: object) -> str:
    """Return ``repr(value)``, redacted: for a field that may be a URL with a key."""
    return redact(repr(value))


def redacted_start(text: str, limit: int) -> str:
    """Return the redacted start of ``text``, of ``limit`` characters and a little more.

    What is far beyond the limit is dropped first, so that a hostile megabyte costs
    nothing. Whoever cuts to the limit does so afterwards: half a secret is not known
    for one.
    """
    far = limit + _BEYOND
    if len(text) > far:
        # A password is known by what follows it, which is dropped here.
        words = text[:far].rpartition(" ")
        text = words[0] if "://" in words[2] else text[:far]
    return redact(text)


def one_line(text: str, *, limit: int = _LONGEST_MESSAGE) -> str:
    """Return ``text`` as one printable, redacted line of at most ``limit`` characters.

    What is such a line already is returned itself, so that a text of the table can
    still be said in Chinese.
    """
    line = _UNPRINTABLE.sub(" ", redacted_start(text, limit))
    # Again, as a scheme and its key may have stood on two lines; then it is cut.
    line = redact(_HALVES.sub("\ufffd", line).strip())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return text if line == text else line
