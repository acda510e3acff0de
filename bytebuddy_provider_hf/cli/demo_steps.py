"""The demonstration's three answers, each with how long it took."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from bytebuddy_provider_hf.cli import screen
from bytebuddy_provider_hf.cli.model_source import as_complete
from bytebuddy_provider_hf.cli.terminal import Sanitizer
from bytebuddy_provider_hf.cli.waitline import WaitLine
from bytebuddy_provider_hf.plugins.protocols import Complete, Model, ReplyCall
from bytebuddy_provider_hf.testing.demo_prompts import PROMPTS, DemoPrompt
from bytebuddy_provider_hf.types import CompletionOptions, Done, Loading, Reply, Text


@define
class Measured:
    """What one answer took, in seconds; ``began`` is the first text."""

    loading: float = 0.0
    began: float | None = None
    ended: float = 0.0
    reply: Reply | None = None

    def text(self, *, simulated: bool) -> str:
        """Return the figures in words."""
        parts = [f"the model loaded for {self.loading:.1f} s"] if self.loading else []
        usage = None if self.reply is None else self.reply.usage
        if self.began is None:
            parts.append("no text")
        elif usage is not None:
            tokens = usage.completion_tokens
            parts.append(f"{tokens} tokens")
            working = self.ended - self.began
            # The first token ends the reading of the prompt; the rest are measured.
            if working > 0 and tokens > 1 and not simulated:
                parts.append(f"{(tokens - 1) / working:.0f} tokens/s")
        if simulated:
            parts.append("simulated")
        return f"[{', '.join(parts)}]"


async def run_steps(
    model: Model, *, simulated: bool, clock: Callable[[], float]
) -> None:
    """Ask each prompt in turn; print it, what came, and what it took."""
    complete = as_complete(model)
    for number, step in enumerate(PROMPTS, start=1):
        title = f"{number}. {step.title}{' (simulated reply)' if simulated else ''}"
        screen.emit(screen.styled(title, bold=True))
        screen.emit(screen.styled(step.prompt, dim=True), nl=False)
        measured = await _asked(
            _call(complete, step), model.name, streamed=step.streamed, clock=clock
        )
        screen.emit(f"\n  {measured.text(simulated=simulated)}\n")


def _call(model: Complete, step: DemoPrompt) -> ReplyCall:
    options = CompletionOptions(
        temperature=step.temperature, max_tokens=step.max_tokens, stop=step.stop
    )
    return model.complete(step.prompt, options=options)


async def _asked(
    call: ReplyCall, name: str, *, streamed: bool, clock: Callable[[], float]
) -> Measured:
    wait, shown, sanitizer = WaitLine(name, clock), "", Sanitizer()
    measured = Measured()
    try:
        async with call as events:
            async for event in events:
                if isinstance(event, Loading):
                    wait.update(event)
                    continue
                measured.loading = measured.loading or wait.elapsed()
                wait.clear()
                if isinstance(event, Text):
                    measured.began = measured.began or clock()
                    piece = sanitizer.feed(event.text)
                    if streamed:
                        screen.emit(piece, nl=False)
                    shown += piece
                elif isinstance(event, Done):
                    measured.reply = event.reply
    finally:
        wait.clear()
    measured.ended = clock()
    if not streamed:
        screen.emit(shown, nl=False)
    return measured
