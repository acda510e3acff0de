"""The role embed: texts become vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import define, field

from bytebuddy_provider_hf.address import Target
from bytebuddy_provider_hf.client.plan import Plan, no_stream
from bytebuddy_provider_hf.client.roles.batch import BatchJob
from bytebuddy_provider_hf.client.roles.scoring_api import (
    ErrorTexts,
    scoring_api,
)
from bytebuddy_provider_hf.config.values import EmbeddingPrefixes, EmbedOptions
from bytebuddy_provider_hf.errors import (
    InvalidOption,
    MalformedResponse,
    UnsupportedRole,
)
from bytebuddy_provider_hf.outcomes import Embeddings, Features, TaskReply
from bytebuddy_provider_hf.types import Usage
from bytebuddy_provider_hf.wire import tasks, tasks_reply, tei, vectors
from bytebuddy_provider_hf.wire.server import ScoringApi, Server

ERROR_TEXTS: Final = ErrorTexts(
    "gives no vectors here",
    hint="Ask text-embeddings-inference, vLLM with an embedding model, or llama.cpp "
    "started with --embeddings; or leave apiBase out and name a model that "
    "hf-inference serves, such as sentence-transformers/all-MiniLM-L6-v2.",
    items="texts",
)
# A token of English is about so many characters; no text of more fits its number.
_CHARACTERS: Final = 4
_TASK: Final = tasks.Task.FEATURE_EXTRACTION


@define
class EmbedJob(BatchJob[Embeddings]):
    """Texts to be embedded; prefixes are put before them as they are sent."""

    texts: Sequence[str]
    target: Target
    prefix: str = ""
    dimensions: int | None = None
    max_tokens: int | None = None
    extra: Mapping[str, object] = field(factory=dict)

    error_texts = ERROR_TEXTS

    @property
    def count(self) -> int:
        """How many texts there are."""
        return len(self.texts)

    def plan_batch(
        self, batch: range, server: Server, *, strict: bool
    ) -> Plan[Embeddings]:
        """Return the request for the vectors of some of the texts.

        Part of a text must not silently stand for the whole: it is always strict.
        """
        texts = [self.prefix + text for text in self.texts[batch.start : batch.stop]]
        count = len(texts)
        match scoring_api(server, self.target):
            case ScoringApi.TEI:
                call = tei.build_embed(
                    texts,
                    self.target,
                    truncate=False,
                    dimensions=self.dimensions,
                    extra=self.extra,
                )
                return Plan(
                    call, no_stream, lambda body: tei.read_embed(body, count=count)
                )
            case ScoringApi.TASKS:
                parameters = {"dimensions": self.dimensions}
                call = tasks.build_task(
                    _TASK, texts, parameters, self.target, extra=self.extra
                )
                return Plan(
                    call,
                    no_stream,
                    lambda body: _mean_pooled(
                        tasks_reply.read_task(_TASK, body, count=count)
                    ),
                )
            case ScoringApi.OPENAI:
                call = vectors.build_embeddings(
                    texts,
                    self.target,
                    model=server.name_for(self.target.model),
                    base64=server.embeds_base64,
                    dimensions=self.dimensions,
                    extra=self.extra,
                )
                return Plan(
                    call,
                    no_stream,
                    lambda body: vectors.read_embeddings(body, count=count),
                )

    def merge(
        self,
        parts: Sequence[Embeddings],
        server: Server,
        *,
        truncated: bool,
    ) -> Embeddings:
        """Return the vectors of all batches as one answer.

        Raises ``MalformedResponse`` where they are not all equally long, and
        ``UnsupportedRole`` where they are not as long as was asked for.
        """
        lengths = {len(part.vectors[0]) for part in parts}
        if len(lengths) > 1:
            shown = ", ".join(map(str, sorted(lengths)))
            raise MalformedResponse(
                f"The server's vectors have different numbers of dimensions: {shown}.",
                hint="Ask one model only: several may stand behind the address.",
            )
        (length,) = lengths
        if self.dimensions not in (None, length):
            raise UnsupportedRole(
                f"The server gives vectors of {length:,} dimensions, whatever is "
                "asked for.",
                hint="Leave dimensions out, or ask a model that can shorten them.",
            )
        pooling = "mean" if any(part.pooling == "mean" for part in parts) else "server"
        return Embeddings(
            tuple(vector for part in parts for vector in part.vectors),
            model=parts[0].model or server.model or self.target.model,
            usage=total_usage([part.usage for part in parts]),
            pooling=pooling,
            notes=merged_notes([*(part.notes for part in parts), self._notes(server)]),
        )

    def _notes(self, server: Server) -> tuple[str, ...]:
        """Return what there is to say of long texts: they are sent as they stand."""
        if self.max_tokens is None:
            return ()
        most = self.max_tokens * _CHARACTERS
        long = sum(len(self.prefix) + len(text) > most for text in self.texts)
        if not long:
            return ()
        texts = "1 text seems" if long == 1 else f"{long:,} texts seem"
        cut = (
            "; hf-inference may have read only their beginning"
            if scoring_api(server, self.target) is ScoringApi.TASKS
            and self.target.is_hugging_face
            else ""
        )
        note = (
            f"{texts} longer than embedOptions.maxChunkSize ({self.max_tokens:,} "
            f"tokens, about {_CHARACTERS} characters each) and went out whole: "
            f"cutting texts into chunks is the caller's part{cut}."
        )
        return (note,)


def embed_job(
    texts: str | Sequence[str],
    target: Target,
    options: EmbedOptions | None,
    *,
    query: bool,
    dimensions: int | None,
    extra: Mapping[str, object],
) -> EmbedJob:
    """Return the work of embedding ``texts``; raises ``InvalidOption``."""
    chosen = options or EmbedOptions()
    prefixes = chosen.embedding_prefixes or EmbeddingPrefixes()
    given: object = dimensions
    whole = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    if given is not None and not whole:
        message = "dimensions takes a whole number from 1."
        raise InvalidOption(message)
    return EmbedJob(
        texts=checked_texts(texts, "texts"),
        target=target,
        prefix=prefixes.query if query else prefixes.chunk,
        dimensions=dimensions,
        max_tokens=chosen.max_chunk_size,
        extra=extra,
    )


def checked_texts(texts: object, name: str) -> Sequence[str]:
    """Return a list of texts; raises ``InvalidOption`` for anything else, or none."""
    found = (texts,) if isinstance(texts, str) else texts
    if not isinstance(found, Sequence) or isinstance(found, bytes | bytearray):
        message = f"{name} takes a list of texts, not a {type(texts).__name__}."
        raise InvalidOption(message)
    if not found:
        raise InvalidOption(f"{name} is empty.", hint="Give at least one text.")
    wrong = next(
        (at for at, text in enumerate(found) if not isinstance(text, str)), None
    )
    if wrong is not None:
        kind = type(found[wrong]).__name__
        message = f"Item {wrong + 1} of {name} is a {kind}, not a text."
        raise InvalidOption(message)
    return found


def total_usage(usages: Sequence[Usage | None]) -> Usage | None:
    """Return the tokens of all batches, or ``None`` where one was not counted."""
    counted = [usage for usage in usages if usage is not None]
    if len(counted) != len(usages):
        return None
    return Usage(
        sum(each.prompt_tokens for each in counted),
        sum(each.completion_tokens for each in counted),
        sum(each.total_tokens for each in counted),
    )


def merged_notes(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the notes of all batches, each once."""
    return tuple(dict.fromkeys(note for part in parts for note in part))


def _mean_pooled(reply: TaskReply) -> Embeddings:
    """Return one vector for each text: token vectors become their mean."""
    found = [
        one for group in reply.groups for one in group if isinstance(one, Features)
    ]
    return Embeddings(
        tuple(one.mean() for one in found),
        pooling="server" if all(one.pooled for one in found) else "mean",
        notes=reply.notes,
    )
