"""Find signs that only look like YAML's own, and the text that was meant.

Keyboards of East Asia, word processors, web pages and Windows write colons, quotes,
blanks and paths that YAML takes for letters or for escapes. Its parser then complains
of what comes of them, often lines below: so they are corrected first.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

from attrs import field, frozen

from bytebuddy_provider_hf.config import kinds
from bytebuddy_provider_hf.config.document import Problem
from bytebuddy_provider_hf.config.schema import KEYS, Nested, Unused
from bytebuddy_provider_hf.texts import LocalizedText, text

# A file that was pasted whole has one on every line.
_MOST_TOLD: Final = 20
# Beyond, the text is something else.
_MOST_FOUND: Final = 2_000
# Beyond, nobody pasted it, and a stranger may have made it to be slow.
_MOST_READ: Final = 32_768

# Each class of characters, and what YAML knows in their place.
_BLANKS: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN: Final = "\u200b-\u200f\u2060\ufeff"
# Of these YAML 1.1 makes line breaks, and so does the parser.
_BREAKS: Final = "\u0085\u2028\u2029"
_COLONS: Final = "\uff1a\ufe55\ufe13\u2236"
_COMMAS: Final = "\uff0c\ufe50\u3001"
_DASHES: Final = "\uff0d\ufe63\u2010-\u2015\u2212\u2022"
_SINGLE: Final = "\u2018-\u201b\uff07"
_DOUBLE: Final = "\u201c-\u201f\u300c-\u300f\uff02"
_QUOTES: Final = _SINGLE + _DOUBLE
_WIDE_LETTERS: Final = "\uff10-\uff19\uff21-\uff3a\uff3f\uff41-\uff5a"
_BRACKETS: Final = dict(
    zip("\uff3b\u3010\u3014\uff5b\uff3d\u3011\u3015\uff5d", "[[[{]]]}", strict=True)
)
_OPENING: Final = frozenset("\uff3b\u3010\u3014\uff5b")
_CLASSES: Final = tuple(
    (re.compile(f"[{characters}]"), meant)
    for characters, meant in (
        (_BLANKS, " "),
        (_UNSEEN, ""),
        (_BREAKS, "\n"),
        (_COLONS, ":"),
        (_COMMAS, ","),
        (_DASHES, "-"),
        (_SINGLE, "'"),
        (_DOUBLE, '"'),
        ("\u3002", "."),
    )
)
_ODD: Final = re.compile(
    f"[{_BLANKS}{_UNSEEN}{_BREAKS}{_COLONS}{_COMMAS}{_DASHES}{_QUOTES}\u3002"
    "\u3010\u3011\u3014\u3015\uff01-\uff5e]"
)
# Several of these in a row are told once.
_RUN: Final = re.compile(
    f"[{_BLANKS}]+|[{_UNSEEN}]+|[{_WIDE_LETTERS}][{_WIDE_LETTERS}\uff0e]*|{_ODD.pattern}"
)
_SPACE: Final = rf"[ \t{_BLANKS}{_UNSEEN}]"
_SPACES: Final = re.compile(rf"{_SPACE}*+")
_LETTER: Final = rf"[A-Za-z0-9_.\-{_WIDE_LETTERS}{_UNSEEN}\uff0d]"
_KEY: Final = re.compile(
    rf"(?P<open>[\"'{_QUOTES}]?)(?P<word>{_LETTER}++)(?P<close>[\"'{_QUOTES}]?)"
    rf"{_SPACE}*+(?P<colon>:(?=[\s{_UNSEEN}]|$)|[{_COLONS}])"
)
_DASH: Final = re.compile(rf"(?P<dash>-(?={_SPACE})|[{_DASHES}])(?P<gap>{_SPACE}*+)")
# A dash before a key of an entry, and a key before its value, without a blank between.
_BARE_DASH: Final = re.compile(r"-(?=(?:name|provider|model|apiKey)[ \t]*:)")
_TIGHT: Final = re.compile(r"(?P<word>[A-Za-z]++):(?=[^\s:/])")
# Words, or Chinese, and nothing that YAML begins with.
_SENTENCE: Final = re.compile(
    r"(?![-\[{\"'%#!&*|>?@`\s])(?:.*\w[ \t]+\w|.*[\u4e00-\u9fff])"
)
_BLOCK_TEXT: Final = re.compile(r"[|>][-+0-9]{0,3}[ \t]*(?:#.*)?\r?$")
_COMMENT: Final = re.compile(rf"(?<={_SPACE})[#\uff03]|\r?$")
_IN_QUOTES: Final = re.compile(r"""\"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'""", re.DOTALL)
_ONE_LINE: Final = re.compile(r'"([^"\n]*)"')
_END: Final = re.compile(f"[\n{_BREAKS}]")
_HIDDEN: Final = re.compile(f"[{_UNSEEN}]+|[{_BREAKS}]")
_HALF_LINE: Final = re.compile(
    rf"[\"'][^\"'\n{_QUOTES}]*([{_QUOTES}])[ \t\r]*$", re.MULTILINE
)
_HALF_CURLY: Final = re.compile(rf"[\"'][^\"'\n]*([{_QUOTES}])[ \t\r]*(?=$|[,\]}}])")
_CURLY: Final = re.compile(rf"([{_QUOTES}])([^{_QUOTES}\n]*)([{_QUOTES}])")
# Plain, these are a directive and a mapping to YAML; expanding variables names them.
_TEMPLATE: Final = re.compile(r"(?:%\w+%|\{\{[^{}\n']{1,80}\}\})(?=[ \t]*(?:#.*)?\r?$)")
_ON_DRIVE: Final = re.compile(r"[A-Za-z]:\\(?!\\)|\\\\\w")
_LONE_BACKSLASH: Final = re.compile(r"(?<!\\)(?:\\\\)*\\(?!\\)")
# YAML 1.2.2, section 5.7.
_NO_ESCAPE: Final = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:[^\\0abtnvfre \"/N_LPxuU\t]|x(?![0-9a-fA-F]{2})"
    r"|u(?![0-9a-fA-F]{4})|U(?![0-9a-fA-F]{8})|$)"
)

_STRICT_KINDS: Final = (
    *(kinds.Number, kinds.Flag, kinds.Switch, kinds.Dollars, kinds.OneOf, kinds.Url),
    *(kinds.Hidden, kinds.Sealed),
)
# What a server or an account may be called, whatever that is.
_NAMED_ELSEWHERE: Final = {"model", "family", "billTo", "capabilities", "noProxy"}
# No value of these has such a character; names, prompts and paths may.
_STRICT: Final = frozenset(
    key.name
    for key in KEYS
    if isinstance(getattr(key.kind, "item", key.kind), _STRICT_KINDS)
    and key.name != "passphrase"
) | {"provider", *_NAMED_ELSEWHERE}
_COLLECTIONS: Final = frozenset(
    key.name
    for key in KEYS
    if isinstance(
        key.kind,
        (kinds.ListOf, Nested, kinds.Anything, kinds.Headers, kinds.Settings),
    )
)
_KNOWN: Final = frozenset(key.name for key in KEYS)
_PATHS: Final = frozenset(
    {"caBundlePath", "cert", "key", "path", "sourceFile", "command"}
)
# What other programs read there follows their rules.
_UNUSED: Final = frozenset(key.name for key in KEYS if isinstance(key.kind, Unused))


@frozen
class Mended:
    """A text with YAML's own signs where others stood, and where those were."""

    text: str = field(repr=False)
    problems: tuple[Problem, ...] = ()


@frozen
class _Slip:
    start: int
    end: int
    instead: str
    # None where what comes of the correction tells enough.
    message: LocalizedText | None = None


def mend(written: str, *, loose: bool, broken: bool) -> Mended:
    """Return ``written`` as it was meant, with a problem for each sign that was not.

    What stands in a text, in quotes or where any text may stand is left. ``loose``
    takes a wide colon behind any word for one, for a text that is wrong as it is;
    otherwise behind our keys only. In a ``broken`` text, which is no YAML, blanks that
    are missing are found as well, and lines of the page that it was copied from.
    """
    broken = broken and len(written) <= _MOST_READ
    marks = any(sign in written for sign in ("\\", "%", "{{"))
    if not broken and not marks and not _ODD.search(written):
        return Mended(written)
    scanner = _Scanner(written, loose=loose, broken=broken)
    scanner.scan()
    parts: list[str] = []
    problems: list[Problem] = []
    last = more = 0
    for slip in sorted(scanner.found, key=attrgetter("start")):
        if slip.start < last:
            continue
        parts += (written[last : slip.start], slip.instead)
        last = slip.end
        if slip.message is None:
            continue
        if len(problems) == _MOST_TOLD:
            more += 1
            continue
        line = written.count("\n", 0, slip.start) + 1
        column = slip.start - written.rfind("\n", 0, slip.start)
        problems.append(Problem(line, column, slip.message))
    if more:
        there = problems[-1]
        message = text("config.more_slips", count=more)
        problems.append(Problem(there.line, there.column, message))
    # Corrected in part only, it would not say what was meant.
    whole = len(scanner.found) < _MOST_FOUND
    meant = "".join((*parts, written[last:])) if whole else written
    return Mended(meant, tuple(problems))


def _meant(character: str) -> str:
    """Return what YAML knows in the place of a character, itself for any other."""
    if character in _BRACKETS:
        return _BRACKETS[character]
    for signs, meant in _CLASSES:
        if signs.match(character):
            return meant
    # The full-width forms stand in the order of ASCII.
    is_wide = "\uff01" <= character <= "\uff5e"
    return chr(ord(character) - 0xFEE0) if is_wide else character


class _Scanner:
    """Go through a text as YAML would that took each sign for what it looks like."""

    def __init__(self, written: str, *, loose: bool, broken: bool) -> None:
        self.found: list[_Slip] = []
        self._text = written
        self._loose = loose
        self._broken = broken

    def scan(self) -> None:
        """Fill ``found``, in no order."""
        written, at = self._text, 0
        # Lines beyond this column go on with the text above.
        beyond: int | None = None
        # The keys whose value stands below them, with their columns.
        above: list[tuple[int, str]] = []
        is_foreign = seen = False
        while at < len(written) and len(self.found) < _MOST_FOUND:
            begin, end = at, self._line_end(at)
            at = end + 1
            place = self._past_blanks(begin, end)
            column = place - begin
            is_text = beyond is not None and column > beyond
            if self._loose or not is_text:
                self._break(end)
            if place == end or written[place] in "\r#" or is_text:
                continue
            if is_foreign and (column or written[place] == "-"):
                continue
            beyond = None
            if self._broken and self._copied(begin, end, first=not seen):
                continue
            seen = True
            self._signs(begin, place)
            if written[place] == "\uff03":
                self._sign(place)
                continue
            place = self._past_dashes(place, end)
            found = self._key(place, end)
            is_item = found is None
            if found is not None:
                column = place - begin
            while above and above[-1][0] >= column + is_item:
                above.pop()
            if found is None:
                word = above[-1][1] if above else ""
            else:
                word, place = found
                if column == 0:
                    is_foreign = word in _UNUSED
            if place == end or written[place] in "\r#":
                above.append((column, word))
                continue
            after, goes_on = self._value(place, end, word)
            # Nobody knows where it ends, nor what is text below.
            if after is None:
                return
            at = after
            beyond = column if goes_on else None

    def _value(self, place: int, end: int, word: str) -> tuple[int | None, bool]:
        """Return the line behind a value, and whether deeper ones go on with it."""
        first = self._text[place]
        is_flow = first in "[{" or (
            first in _OPENING and (word in _COLLECTIONS or word in _STRICT)
        )
        if _BLOCK_TEXT.match(self._text, place, end):
            return end + 1, True
        template = _TEMPLATE.match(self._text, place, end)
        if template:
            self._put(place, template.end(), f"'{template[0]}'")
        elif first in "\"'" or is_flow:
            after = (self._flow if is_flow else self._quoted)(place, word)
            if after is None:
                return None, False
            end = self._line_end(after)
            self._comment(after, end)
            self._break(end)
        elif word in _STRICT:
            self._signs(place, self._comment(place, end))
        else:
            return end + 1, True
        return end + 1, False

    def _line_end(self, place: int) -> int:
        found = _END.search(self._text, place)
        return found.start() if found else len(self._text)

    def _break(self, end: int) -> None:
        """Find the sign at the end of a line that no editor takes for one."""
        if self._text[end : end + 1] not in ("", "\n"):
            self._sign(end)

    def _copied(self, begin: int, end: int, *, first: bool) -> bool:
        """Find a line that was copied with the file: a fence, or a sentence above."""
        line = self._text[begin:end].rstrip()
        if line.startswith("```"):
            self._put(begin, end, "", text("config.fence"))
            return True
        is_other = _KEY.match(line) or _ODD.match(line)
        if not first or is_other or not _SENTENCE.match(line):
            return False
        self._put(begin, begin, "# ", text("config.sentence"))
        return True

    def _comment(self, place: int, end: int) -> int:
        """Return where the comment of a line begins, or the line ends."""
        comment = _COMMENT.search(self._text, place, end)
        stop = comment.start() if comment else end
        if stop < end and self._text[stop] == "\uff03":
            self._sign(stop)
        return stop

    def _past_dashes(self, place: int, end: int) -> int:
        """Return where the item of a list begins, behind its dashes."""
        written = self._text
        if self._broken and _BARE_DASH.match(written, place, end):
            self._put(place, place + 1, "- ", text("config.dash_blank"))
            return place + 1
        while dash := _DASH.match(written, place, end):
            if dash["dash"] != "-":
                if not _KEY.match(written, dash.end(), end):
                    break
                self._sign(place, "-" if dash["gap"] else "- ")
            self._signs(dash.start("gap"), dash.end())
            place = dash.end()
        return place

    def _past_blanks(self, place: int, end: int) -> int:
        found = _SPACES.match(self._text, place, end)
        return found.end() if found else place

    def _put(
        self, start: int, end: int, instead: str, message: LocalizedText | None = None
    ) -> None:
        self.found.append(_Slip(start, end, instead, message))

    def _sign(self, place: int, instead: str | None = None) -> None:
        """Find the run of signs that begins at ``place`` to be what they look like."""
        run = _RUN.match(self._text, place)
        if run is None:
            return
        meant = "".join(map(_meant, run[0]))
        character = f"U+{ord(run[0][0]):04X}"
        if run[0][0].isprintable():
            character += f" ({run[0][0]})"
        # In a value, such as an address, no blank follows it.
        if meant == ":" and instead is not None:
            message = text("config.wide_colon", character=character)
        elif not meant:
            message = text("config.unseen", character=character)
        elif meant == "\n":
            message = text("config.odd_break", character=character)
        elif meant.isspace():
            message = text("config.odd_blank", character=character)
        elif meant.replace(".", "_").isidentifier() or meant[0].isdigit():
            message = text("config.wide_letters", character=character)
        else:
            message = text("config.lookalike", character=character, meant=meant)
        self._put(place, run.end(), meant if instead is None else instead, message)

    def _signs(self, start: int, end: int) -> None:
        """Find every such sign of a stretch, a pair of quotes as one."""
        paired = set()
        for each in _CURLY.finditer(self._text, start, end):
            if len(self.found) >= _MOST_FOUND:
                return
            paired |= {each.start(), each.end() - 1}
            self._pair(each.start(), each.end() - 1)
        for run in _RUN.finditer(self._text, start, end):
            if len(self.found) >= _MOST_FOUND:
                return
            if run.start() not in paired:
                self._sign(run.start())

    def _pair(self, opening: int, closing: int) -> None:
        """Find two characters to be the quotes of what stands between them."""
        inside = self._text[opening + 1 : closing]
        quote = "'" if '"' in inside or "\\" in inside else '"'
        first, last = self._text[opening], self._text[closing]
        message = text("config.wrong_quotes", opening=first, closing=last)
        self._put(opening, opening + 1, quote, message)
        self._put(closing, closing + 1, quote)

    def _key(self, place: int, end: int) -> tuple[str, int] | None:
        """Return the key that stands there and where its value begins, if one does."""
        found = _KEY.match(self._text, place, end)
        if found is None:
            return self._tight_key(place, end)
        word = "".join(map(_meant, found["word"]))
        is_wide = found["colon"] != ":"
        if is_wide and not self._loose and word not in _KNOWN:
            return None
        if found["open"] and found["close"] and _ODD.match(found["open"]):
            self._pair(found.start("open"), found.start("close"))
        self._signs(*found.span("word"))
        self._signs(found.end("close"), found.start("colon"))
        value = self._past_blanks(found.end(), end)
        if is_wide:
            self._sign(found.start("colon"), ":" if value > found.end() else ": ")
        self._signs(found.end(), value)
        return word, value

    def _tight_key(self, place: int, end: int) -> tuple[str, int] | None:
        """Return as :meth:`_key` a key of ours without the blank after its colon."""
        found = _TIGHT.match(self._text, place, end) if self._broken else None
        if found is None or found["word"] not in _KNOWN:
            return None
        self._put(found.end() - 1, found.end(), ": ", text("config.colon_blank"))
        return found["word"], found.end()

    def _within(self, start: int, end: int, word: str) -> None:
        """Find what is no part of a value although it stands in quotes."""
        if word in _NAMED_ELSEWHERE:
            for hidden in _HIDDEN.finditer(self._text, start, end):
                self._sign(hidden.start(), "")
            return
        curly = _CURLY.fullmatch(self._text, start, end)
        if curly:
            opening, closing = curly[1], curly[3]
            message = text("config.quotes_within", opening=opening, closing=closing)
            self._put(start, start + 1, "", message)
            self._put(end - 1, end, "")
            start, end = start + 1, end - 1
        self._signs(start, end)

    def _quoted(self, place: int, word: str) -> int | None:
        """Return where a text in quotes ends, ``None`` where nobody knows."""
        written = self._text
        line = _ONE_LINE.match(written, place)
        if line and "\\" in line[1] and "'" not in line[1]:
            breaks = _ON_DRIVE.match(line[1]) and _NO_ESCAPE.search(line[1])
            if breaks or (word in _PATHS and _LONE_BACKSLASH.search(line[1])):
                message = text("config.windows_path")
                self._put(place, line.end(), f"'{line[1]}'", message)
                return line.end()
        half = _HALF_CURLY.match(written, place)
        if half is None and self._broken:
            half = _HALF_LINE.match(written, place)
        if half:
            self._sign(half.start(1), written[place])
            return half.end()
        whole = _IN_QUOTES.match(written, place)
        if whole is None:
            return None
        if word in _STRICT:
            self._within(place + 1, whole.end() - 1, word)
        return whole.end()

    def _flow(self, place: int, word: str) -> int | None:
        """Return where a list or mapping in brackets ends, as :meth:`_quoted`."""
        written, depth, before = self._text, 0, "["
        while place < len(written) and len(self.found) < _MOST_FOUND:
            sign = written[place]
            begins = before in "[,:"
            if sign.isspace() and sign.isascii():
                place += 1
                continue
            if sign == "#" and written[place - 1].isspace():
                place = written.find("\n", place) + 1 or len(written)
                continue
            if begins and before != ":" and (found := self._key(place, len(written))):
                (word, place), before = found, ":"
                continue
            if begins and sign in "\"'":
                after = self._quoted(place, word)
                if after is None:
                    return None
                place, before = after, '"'
                continue
            curly = _CURLY.match(written, place) if begins else None
            if curly:
                self._pair(place, curly.end() - 1)
                place, before = curly.end(), '"'
                continue
            is_strict, instead = word in _STRICT, _BRACKETS.get(sign, sign)
            follows = written[place + 1 : place + 2]
            is_text = False
            nested = is_strict or word in _COLLECTIONS or follows in ("'", '"')
            if instead in "[{" and (sign == instead or (begins and nested)):
                depth, before = depth + 1, "["
            elif instead in "]}" and (sign == instead or nested or before in '"]'):
                depth, before = depth - 1, "]"
            elif sign == "," or (
                _meant(sign) == ","
                and (
                    is_strict
                    or before in '"]'
                    or _KEY.match(written, self._past_blanks(place + 1, len(written)))
                )
            ):
                before = ","
            elif _meant(sign) == ":" and before == '"':
                before = ":"
            else:
                is_blank = not _meant(sign).strip()
                before = before if is_blank else "x"
                # Free text may hold any character; blanks before it belong to none.
                is_text = not is_strict and not (is_blank and begins)
            if _ODD.match(sign) and not is_text:
                self._sign(place)
            place += 1
            if before == "]" and depth <= 0:
                return place
        return None
