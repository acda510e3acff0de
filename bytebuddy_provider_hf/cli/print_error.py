"""Print a failure for a person, in the language that they read."""

from __future__ import annotations

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.texts import Language, text


def print_error(error: ByteBuddyError, lang: Language) -> None:
    """Print a failure on stderr: what is wrong, and the next step."""
    if lang == "en":
        screen.show_error(error)
        return
    # Imported here: it brings the wire, which English messages do not need.
    from bytebuddy_provider_hf.cli.model_source import NO_MODEL_HELP, NO_MODEL_HELP_ZH
    from bytebuddy_provider_hf.doctor.explanation import explain_error

    explanation = explain_error(error, lang=lang)
    screen.show_error_as(
        error,
        text("explain.failed", title=explanation.title).render(lang),
        explanation.next_steps,
        translated=dict(zip(NO_MODEL_HELP, NO_MODEL_HELP_ZH, strict=True)),
    )
