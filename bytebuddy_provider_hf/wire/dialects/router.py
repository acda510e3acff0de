"""Hugging Face's router, which passes chats on to the providers behind it."""

from __future__ import annotations

from attrs import evolve

from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.route_options import TOP_P_ABOVE_ZERO
from bytebuddy_provider_hf.wire.server import Server


class Router(Server):
    """A chat route for every provider; which of them answers is not known here."""

    name = "Hugging Face's router"
    bare_404_is_model = True

    # Its providers run vLLM and SGLang: what either refuses is refused here.
    chat = evolve(Server.chat, ranges=TOP_P_ABOVE_ZERO)
    completions = chat.for_prompt()

    @classmethod
    def said_name(cls, *, first: bool = False) -> str:
        """Return its name as a sentence says it, the same at any place."""
        del first
        return text("wire.router")
