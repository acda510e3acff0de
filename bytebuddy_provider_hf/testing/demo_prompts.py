"""The prompts of the demonstration, with the answers that Gemma 3 270M gave.

The model is a base model: it continues text and follows no instructions. All of them
were asked through ``/v1/completions`` at temperature 0; another processor may round
differently and answer with other words, so ``seen`` is for people, not for a check.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from bytebuddy_provider_hf.texts import LocalizedText, text


@frozen
class DemoPrompt:
    """One prompt; ``seen`` is the answer that was observed."""

    title: LocalizedText
    prompt: str
    max_tokens: int
    stop: tuple[str, ...]
    seen: str
    streamed: bool = False
    temperature: float = 0.0


CODE: Final = DemoPrompt(
    title=text("cli.demo_step_code"),
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
    title=text("cli.demo_step_translation"),
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
    title=text("cli.demo_step_continuation"),
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


@frozen
class DemoRole:
    """What a role is asked in the demonstration: before the cursor, and behind it."""

    title: LocalizedText
    asked: str
    behind: str
    seen: str


CHAT: Final = DemoRole(
    title=text("cli.demo_step_chat"),
    asked="What is the capital of France?",
    behind="",
    seen=" The capital of France is Paris.",
)

FILL: Final = DemoRole(
    title=text("cli.demo_step_fill"),
    asked="import math\n\ndef area(radius):\n    return math.pi * ",
    behind="\n\nprint(area(2))\n",
    seen="radius**2",
)

# Worked in by rule: no model is asked.
APPLY: Final = DemoRole(
    title=text("cli.demo_step_apply"),
    asked="def greet(name):\n    print('Hello ' + name)\n",
    behind="def greet(name):\n    print(f'Hello, {name}!')\n",
    seen="",
)
