"""Tell a key from what stands in its place in examples: ``hf_...``, ``<your key>``."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.secret import Secret

# As Hugging Face makes them: 34 letters, digits in newer ones.
_REAL: Final = re.compile(r"(?:hf_|api_org_)[A-Za-z0-9]{30,}")
# A lone x is what a test or a server of one's own has for a key.
_SAME: Final = re.compile(
    r"(?i)(?:hf_|api_org_)?(?:x{2,}|\*+|_{2,}|\.{2,}|-{2,}|0{2,}"
    r"|(?:1234567890|abcdefghij)\w*)"
)
# Of real ones, too, one in some ten thousand begins so.
_COUNTED: Final = re.compile(r"(?i)(?:hf_|api_org_)?(?:123|abc)\w*")
_REPEATED: Final = re.compile(r"(?:hf_|api_org_)?(\w)\1{5,}")
_MARKS: Final = re.compile(r"[<>\u2026\u4e00-\u9fff]|\.\.\.|\w\s+\w")
_WORDS: Final = re.compile(
    r"(?i)\byour?\b|your[_\- ]|change[_\- ]?me|replace|insert|placeholder|example|dummy"
    r"|api[_\- ]?key|(?:key|token)[_\- ]?here|my[_\- ]?(?:key|token)|access[_\- ]?token"
    r"|secret[_\- ]?key|todo"
)
# What tells a person to write something else there, and is nobody's key.
_ADDRESSED: Final = re.compile(
    r"(?i)<.*>|\u2026|\.\.\.|\byour?\b|your[_\- ]|(?:key|token)[_\- ]here\b"
    r"|[\u4e00-\u9fff]"
)


def is_addressed(key: Secret) -> bool:
    """Return whether a value tells its reader what to write in its place.

    Unlike other placeholders it is taken for a key by no server, whoever runs it.
    """
    return _ADDRESSED.search(key.reveal()) is not None


def is_placeholder(key: Secret) -> bool:
    """Return whether a value stands in an example where a key belongs.

    A server of one's own may take any word for a key: ask this of those for Hugging
    Face only.
    """
    written = key.reveal().strip()
    if _SAME.fullmatch(written) or _REPEATED.fullmatch(written):
        return True
    # Of 34 random letters some may spell a word.
    if _REAL.fullmatch(written):
        return False
    in_words = _MARKS.search(written) or _WORDS.search(written)
    return bool(in_words or _COUNTED.fullmatch(written))
