"""Write the first configuration file, and keys into the ``.env`` beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bytebuddy_provider_hf.config.dotenv import parse_env
from bytebuddy_provider_hf.config.files import sole_writer, write_private
from bytebuddy_provider_hf.errors import ConfigError, ConfigNotFound
from bytebuddy_provider_hf.secret import Secret

STARTER: Final = """\
# The models of this machine's programs that speak ByteBuddy.
# Every key: docs/configuration.md of bytebuddy-provider-hf.
models:
  - name: "hf-llama"
    provider: "huggingfaceinferenceapi"
    # Any model id of the Hugging Face Hub that an inference provider serves.
    model: "meta-llama/Llama-3.1-8B-Instruct"
    # A variable of the environment or of the .env file beside this one;
    # `bytebuddy-hf login` puts it there.
    apiKey: "${HF_API_KEY}"
    roles: ["chat"]
    defaultCompletionOptions:
      temperature: 0.7
      maxTokens: 4096

  # An endpoint of one's own, or a server on this machine:
  # - name: "local"
  #   provider: "huggingfaceinferenceapi"
  #   model: "local"
  #   apiBase: "http://127.0.0.1:8080"
"""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What every reader of .env files takes without quotes.
_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@-]+")


def init(path: Path) -> None:
    """Write a commented starter file; an existing file is never overwritten."""
    if path.exists() or path.is_symlink():
        message = f"{path} exists already; nothing was changed"
        raise ConfigError(message, hint="Edit it, or name another file.")
    write_private(path, Secret(STARTER), exclusive=True)


def write_secret(path: Path, name: str, value: Secret) -> None:
    """Put ``name=value`` into the ``.env`` file ``path``; its other lines stay."""
    if not _NAME.fullmatch(name):
        message = "a variable is named with letters, digits and underscores"
        raise ConfigError(message)
    if not value or not value.reveal().isprintable():
        message = f"the value of {name} is empty or not one line of text"
        raise ConfigError(message)
    with sole_writer(path):
        content = _with_variable(_existing(path), name, value)
        # Whoever reads it is asked first: a key that is not found is worse than none.
        encoded = content.reveal().encode("utf-8", "surrogateescape")
        found = name in parse_env(path, encoded).values
        # A traceback that shows local variables must not show the file.
        del encoded
        if not found:
            message = f"{path} is not UTF-8 text, or too large; nothing was changed"
            raise ConfigError(message, hint="Save it as UTF-8, or remove it.")
        write_private(path, content)


def _existing(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            return Secret(file.read().decode("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return Secret("")
    except OSError as error:
        reason = error.strerror
    message = f"{path} cannot be read: {reason}"
    raise ConfigNotFound(message)


def _with_variable(existing: Secret, name: str, value: Secret) -> Secret:
    # Every line that sets it, so that no older value is left behind.
    ours = re.compile(rf"\s*(?:export\s+)?{name}\s*=")
    lines = [
        line
        for line in existing.reveal().splitlines(keepends=True)
        if not ours.match(line)
    ]
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += "\n"
    text = value.reveal()
    if not _BARE.fullmatch(text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{escaped}"'
    return Secret("".join([*lines, f"{name}={text}\n"]))
