"""Tell tokens apart without keeping them: by an HMAC with a key of the folder."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import time
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import make_folder, replace, sole_writer
from bytebuddy_provider_hf.config.stored_files import USAGE_KEY
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.storage.database import reason_of, warn_once
from bytebuddy_provider_hf.texts import text

_BYTES: Final = USAGE_KEY.most
# Hexadecimal digits that are kept: 64 bits tell a user's tokens apart.
_DIGITS: Final = 16
# Where files cannot be linked, a new one is empty for a moment.
_TRIES: Final = 20
_REST: Final = 0.01


def identity_of(secret: Secret, key: bytes) -> str:
    """Return what stands for a token; nobody can turn it back without the key."""
    token = secret.reveal().encode("utf-8", "surrogateescape")
    return hmac.new(key, token, hashlib.sha256).hexdigest()[:_DIGITS]


def read_key(folder: Path) -> bytes:
    """Return the key of a folder, made if it is missing; all processes get the same.

    A damaged one is replaced, and where none can be kept, one is made for this
    process: both with a warning. Blocks.
    """
    path = folder / USAGE_KEY.name
    try:
        make_folder(folder)
        check_exposed(path)
        # One byte more is read, so that a longer file is seen to be no key.
        for left in reversed(range(_TRIES)):
            if not path.exists():
                # Where another process was first, its key is read.
                with contextlib.suppress(FileExistsError):
                    replace(path, os.urandom(_BYTES), exclusive=True)
            found = read_regular_file(path, _BYTES + 1)
            if len(found) == _BYTES:
                return found
            if left:
                time.sleep(_REST)
        with sole_writer(path):
            if len(found := read_regular_file(path, _BYTES + 1)) != _BYTES:
                found = os.urandom(_BYTES)
                replace(path, found)
                warn_once(text("storage.key_damaged", path=path))
            return found
    except OSError as error:
        reason = reason_of(error)
        warn_once(text("storage.key_unwritable", path=path, reason=reason))
        return os.urandom(_BYTES)
