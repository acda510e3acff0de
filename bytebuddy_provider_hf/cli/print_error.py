"""Print a failure for a person, in the language that they read."""

from __future__ import annotations

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.language import process_language
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.texts import LocalizedText


def print_error(error: ByteBuddyError) -> None:
    """Print a failure on stderr: what is wrong, and the next step."""
    lang = process_language()
    if lang == "en" or isinstance(error.message, LocalizedText):
        screen.show_error(error)
        return
    # The message of another's error has one language: its class is said in Chinese.
    # Imported here: it brings the wire, which English messages do not need.
    from bytebuddy_provider_hf.doctor.explanation import explain_error

    explanation = explain_error(error, lang=lang)
    screen.show_error_as(error, explanation.title, explanation.next_steps)
