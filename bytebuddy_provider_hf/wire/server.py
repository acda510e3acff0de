"""What is known of the server behind an address: what a probe found out."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Engine(StrEnum):
    """The program that answers."""

    ROUTER = "Hugging Face's router"
    HF_INFERENCE = "hf-inference"
    TGI = "text-generation-inference"
    VLLM = "vLLM"
    SGLANG = "SGLang"
    LLAMA_CPP = "llama.cpp"
    TEI = "text-embeddings-inference"
    TOOLKIT = "the inference toolkit"
    TRANSFORMERS = "transformers serve"
    OPENAI = "an OpenAI-style server"


@frozen
class Server:
    """What a probe found out; ``None`` means: it did not say.

    ``model`` is the name of its (first) model, ``model_names`` all names that it lists.
    ``loaded_model`` is the id of the model it loaded, where that is no name to ask it
    by (TGI). ``context_length`` counts tokens of prompt and answer together,
    ``max_input`` those of the prompt. ``routes`` are names out of chat, completions,
    generate, tasks, embeddings, embed, rerank, infill. ``notes`` are what every
    answer's reader should know.
    """

    engine: Engine = Engine.OPENAI
    version: tuple[int, ...] | None = None
    model: str | None = None
    model_names: tuple[str, ...] = ()
    loaded_model: str | None = None
    context_length: int | None = None
    max_input: int | None = None
    max_stops: int | None = None
    max_batch: int | None = None
    routes: frozenset[str] = frozenset({"chat", "completions"})
    notes: tuple[str, ...] = ()

    def name_for(self, asked: str) -> str:
        """Return the name to ask the server for, given the one in the configuration.

        vLLM wants a name it lists (404 otherwise), TGI takes any but "tgi" for an
        adapter, and a server with several models is asked for the one configured.
        """
        if self.model is None or asked in self.model_names:
            return asked
        several = self.engine is Engine.OPENAI and len(self.model_names) > 1
        return asked if several else self.model
