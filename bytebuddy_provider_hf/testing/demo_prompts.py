"""The three prompts of the demonstration, with the answers Gemma 3 270M gave.

The model is a base model: it continues text and follows no instructions. All three
were asked through ``/v1/completions`` at temperature 0; another processor may round
differently and answer with other words, so ``seen`` is for people, not for a check.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class DemoPrompt:
    """One prompt; ``seen`` is the answer that was observed."""

    title: str
    prompt: str
    max_tokens: int
    stop: tuple[str, ...]
    seen: str
    streamed: bool = False
    temperature: float = 0.0


CODE: Final = DemoPrompt(
    title="A code completion",
    prompt=(
        'def factorial(n):\n    """Return n!."""\n    if n == 0:\n        return 1\n'
    ),
    max_tokens=48,
    # A base model would go on with the next function.
    stop=("\n\n", "\ndef"),
    seen=(
        "    elif n == 1:\n        return 1\n"
        "    else:\n        return n * factorial(n-1)"
    ),
)

TRANSLATION: Final = DemoPrompt(
    title="A few-shot translation",
    prompt=(
        "English: I am hungry.\nFrench: J'ai faim.\n\n"
        "English: The book is on the table.\nFrench: Le livre est sur la table.\n\n"
        "English: Where is the library?\nFrench:"
    ),
    max_tokens=24,
    # One line is the translation; further pairs would follow.
    stop=("\n",),
    seen=" Où est la bibliothèque?",
)

CONTINUATION: Final = DemoPrompt(
    title="A streamed continuation",
    prompt="Here is how rain forms. First, the sun heats the sea.",
    max_tokens=48,
    stop=("\n\n",),
    seen=(
        " Then, the water evaporates and condenses into clouds."
        " The water vapor condenses into rain. The rain falls."
    ),
    streamed=True,
)

PROMPTS: Final = (CODE, TRANSLATION, CONTINUATION)
