"""What a simulated TGI generated, whatever form it is told in."""

from __future__ import annotations

from attrs import define


@define
class FakeGeneration:
    """What was generated: tokens with whether they are special, and why it ended."""

    tokens: list[tuple[str, bool]]
    finish: str
    asked: int

    @property
    def text(self) -> str:
        """The text, without what the tokenizer leaves out."""
        return "".join(text for text, special in self.tokens if not special)

    @property
    def usage(self) -> dict[str, int]:
        """The counts, as OpenAI's protocol names them."""
        made = len(self.tokens)
        return {
            "prompt_tokens": self.asked,
            "completion_tokens": made,
            "total_tokens": self.asked + made,
        }


def token_of(text: str, special: bool) -> dict[str, object]:
    """Return a token as TGI's own protocol tells it."""
    return {"id": len(text), "text": text, "logprob": -0.5, "special": special}
