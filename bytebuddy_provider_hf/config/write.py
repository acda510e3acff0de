"""Write the first configuration file, and keys into the ``.env`` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.dotenv import parse_env
from bytebuddy_provider_hf.config.files import sole_writer, write_private
from bytebuddy_provider_hf.errors import ConfigError, ConfigNotFound
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import text

MODEL: Final = "meta-llama/Llama-3.1-8B-Instruct"
# What its entry takes its key from, and `login` keeps a token as.
VARIABLE: Final = "HF_API_KEY"
STARTER: Final = f"""\
# The models of this machine's programs that speak ByteBuddy.
# Every key: docs/configuration.md of bytebuddy-provider-hf.
models:
  - name: "hf-llama"
    provider: "huggingfaceinferenceapi"
    # Any model id of the Hugging Face Hub that an inference provider serves.
    model: "{MODEL}"
    # A variable of the environment or of the .env file beside this one;
    # `bytebuddy-hf login` puts it there.
    apiKey: "${{{VARIABLE}}}"
    roles: ["chat"]
    defaultCompletionOptions:
      temperature: 0.7
      maxTokens: 4096

  # An endpoint of one's own, or a server on this machine:
  # - name: "local"
  #   provider: "huggingfaceinferenceapi"
  #   model: "local"
  #   apiBase: "http://127.0.0.1:8080"

# What every call used and cost is counted on this machine, without its texts;
# `bytebuddy-hf usage` shows it. To count nothing:
# ledger: off

# How much all models may use together. It is told when 50, 80, 95 and
# 100 % are used up; with `hard`, a call that would pass it is refused. Other bounds:
# `tokens`, and `calls`, such as 30000 a month.
# budget:
#   dollars: 5
#   period: month
#   hard: false

# A program to run then, with its arguments:
# alerts:
#   command: ["notify-send", "ByteBuddy"]
"""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What every reader of .env files takes without quotes.
_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@-]+")


def init(path: Path, *, model: str | None = None) -> None:
    """Write a commented starter file; an existing file is never overwritten.

    ``model`` is the id of the Hub that its entry names, ``None`` for the usual one.
    """
    if path.exists() or path.is_symlink():
        message = text("config.exists", path=path)
        raise ConfigError(message, hint=text("config.edit_or_other"))
    starter = STARTER
    if model is not None and model != MODEL:
        starter = STARTER.replace(MODEL, model).replace("hf-llama", "hf-chat")
    write_private(path, Secret(starter), exclusive=True)


def write_secret(path: Path, name: str, value: Secret) -> None:
    """Put ``name=value`` into the ``.env`` file ``path``; its other lines stay."""
    if not _NAME.fullmatch(name):
        raise ConfigError(text("config.variable_name"))
    if not value or not value.reveal().isprintable():
        raise ConfigError(text("config.variable_value", variable=name))
    with sole_writer(path):
        content = _with_variable(_existing(path), name, value)
        # Whoever reads it is asked first: a key that is not found is worse than none.
        encoded = content.reveal().encode("utf-8", "surrogateescape")
        found = name in parse_env(path, encoded).values
        # A traceback that shows local variables must not show the file.
        del encoded
        if not found:
            message = text("config.no_env", path=path)
            raise ConfigError(message, hint=text("config.save_or_remove"))
        write_private(path, content)


def remove_secrets(path: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Remove the lines of a ``.env`` file that set one of ``names``; the rest stays.

    Returns the names that were set. A file that is not there sets none.
    """
    if not path.exists():
        return ()
    with sole_writer(path):
        content = _existing(path)
        gone = []
        for name in names:
            shorter = _without_variable(content, name)
            if shorter != content:
                gone.append(name)
                content = shorter
        if gone:
            write_private(path, content)
    return tuple(gone)


def _existing(path: Path) -> Secret:
    try:
        return Secret(read_regular_file(path).decode("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return Secret("")
    except OSError as error:
        reason = error.strerror
    raise ConfigNotFound(text("config.unreadable", path=path, reason=reason))


def _without_variable(existing: Secret, name: str) -> Secret:
    # Every line that sets it, so that no older value is left behind.
    ours = re.compile(rf"\s*(?:export\s+)?{name}\s*=")
    lines = existing.reveal().splitlines(keepends=True)
    return Secret("".join(line for line in lines if not ours.match(line)))


def _with_variable(existing: Secret, name: str, value: Secret) -> Secret:
    lines = _without_variable(existing, name).reveal().splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    written = value.reveal()
    if not _BARE.fullmatch(written):
        escaped = written.replace("\\", "\\\\").replace('"', '\\"')
        written = f'"{escaped}"'
    return Secret("".join([*lines, f"{name}={written}\n"]))
