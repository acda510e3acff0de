"""The raw continuation of a text: what the roles of base models are made of."""

from __future__ import annotations

from bytebuddy_provider_hf.errors import InvalidOption


def check_prompt(prompt: object) -> None:
    """Raise ``InvalidOption`` unless the prompt is a text."""
    if not isinstance(prompt, str):
        message = f"complete takes a text, not a {type(prompt).__name__}."
        raise InvalidOption(message)
