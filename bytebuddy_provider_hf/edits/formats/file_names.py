"""Find the name of a file that a line states: a heading, a comment, a path alone."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.edits.languages import language_of

# Longer lines are text.
_LONGEST: Final = 200
_MARKUP: Final = "#*->/;%<!`\"' \t:：()（）[]"
_LABEL: Final = re.compile(
    r"(?:in|file ?name|file|path|update[ds]?|edit|modify|modified|change[ds]?|for|to"
    r"|文件名|文件|路径|修改|更新|在)[ :：]+|\d+[.)]\s+",
    re.IGNORECASE,
)
_WORDS: Final = frozenset(
    (
        *("", "in", "and", "then", "now", "also", "next", "file", "the", "new", "for"),
        *(
            "path",
            "filename",
            "update",
            "updated",
            "edit",
            "modify",
            "change",
            "create",
        ),
        *(
            "to",
            "add",
            "first",
            "finally",
            "second",
            "step",
            "文件",
            "修改",
            "在",
            "更新",
        ),
    )
)
_NAME: Final = re.compile(r"(?:[A-Za-z]:)?[\w.@+~/\\-]+")
_QUOTED: Final = re.compile(r"`([^`\s]{1,120})`")
_TAG: Final = re.compile(
    r"<(?:path|file|filename|file_path|filepath)>([^<>]{1,160})</\w+>"
    r"|<\w+[^<>]{0,80}?\b(?:path|name|filename)=[\"']([^\"'<>]{1,160})[\"'][^<>]{0,80}>"
)
# Names with an ending that are no files.
_PRODUCTS: Final = frozenset(
    f"{name}.js"
    for name in ("node", "vue", "next", "nuxt", "react", "express", "three", "d3")
)
# The sides of a diff.
_SIDES: Final = ("a", "b", "i", "w", "c", "o")


def named_file(line: str) -> str:
    """Return the name of the file that a line is about, empty where it names none."""
    text = line.strip()
    if not text or len(text) > _LONGEST:
        return ""
    if tag := _TAG.match(text):
        return (tag[1] or tag[2]).strip()
    quoted = [match for match in _QUOTED.finditer(text) if _is_file(match[1])]
    if quoted:
        # "Then, in `x.py`, add:" is about that file; "It uses `x.py`:" is not.
        words = text[: quoted[0].start()].lower().strip(_MARKUP).split()
        about = all(word.strip(_MARKUP + ",.0123456789") in _WORDS for word in words)
        same = len({match[1] for match in quoted}) == 1
        return quoted[0][1] if same and about else ""
    # A heading, bold, a comment or a number in a list.
    text = text.strip(_MARKUP)
    while label := _LABEL.match(text):
        text = text[label.end() :].strip(_MARKUP)
    first, _, rest = text.partition(" ")
    name = first.strip(_MARKUP)
    if _NAME.fullmatch(name) is None or not _is_file(name):
        return ""
    rest = rest.strip()
    return name if not rest or rest.startswith(("(", "（", "-->", "*/", "—")) else ""


def same_file(name: str, path: str) -> bool:
    """Return whether a stated name and a path end alike: ``b/src/x.py``, ``x.py``."""
    one, other = _folders(name), _folders(path)
    shorter = min(len(one), len(other))
    return bool(shorter) and one[-shorter:] == other[-shorter:]


def _is_file(name: str) -> bool:
    """Return whether a word is a file's name: ``a.py``, not ``os.path``."""
    if "://" in name or name.lower() in _PRODUCTS or name.endswith(("/", ".")):
        return False
    # A word such as "text" or "make" is the name of a file only with its ending.
    return language_of(name) is not None or ("/" in name and "." in name[1:])


def _folders(path: str) -> list[str]:
    """Return the parts of a path, without those that name a side or this folder."""
    parts = path.strip("\"'`*: \t").replace("\\", "/").split("/")
    if len(parts) > 1 and parts[0] in _SIDES:
        del parts[0]
    return [part for part in parts if part not in ("", ".", "~")]
