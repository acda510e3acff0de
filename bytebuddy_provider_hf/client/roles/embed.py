"""The role embed: texts become vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
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
from bytebuddy_provider_hf.outcomes import Embeddings, Features, Vector
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Usage
from bytebuddy_provider_hf.wire import tasks, tasks_reply, tei, vectors
from bytebuddy_provider_hf.wire.server import ENCODING, ScoringApi, Server
from bytebuddy_provider_hf.wire.steps import Steps, vectors_bound

ERROR_TEXTS: Final = ErrorTexts(
    partial(text, "roles.gives_no_vectors"),
    hint=partial(text, "roles.gives_no_vectors_hint"),
    items=partial(text, "roles.texts"),
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

    role = "embed"
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
        texts = [self.prefix + each for each in self.texts[batch.start : batch.stop]]
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
                    call,
                    no_stream,
                    partial(tei.embed_in_steps, count=count),
                    bound=vectors_bound(count),
                )
            case ScoringApi.TASKS:
                parameters = {"dimensions": self.dimensions}
                call = tasks.build_task(
                    _TASK, texts, parameters, self.target, extra=self.extra
                )
                return Plan(
                    call,
                    no_stream,
                    partial(_mean_pooled, count=count),
                    bound=vectors_bound(count),
                )
            case ScoringApi.OPENAI:
                server.require_ability("embed", self.target.model)
                call = vectors.build_embeddings(
                    texts,
                    server.at(self.target),
                    model=server.name_for(self.target.model),
                    base64=server.embeds_base64 and ENCODING not in server.left_out,
                    dimensions=self.dimensions,
                    extra=self.extra,
                )
                return Plan(
                    call,
                    no_stream,
                    partial(vectors.embeddings_in_steps, count=count),
                    bound=vectors_bound(count),
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
                text("roles.uneven_vectors", shown=shown),
                hint=text("roles.uneven_vectors_hint"),
            )
        (length,) = lengths
        if self.dimensions not in (None, length):
            raise UnsupportedRole(
                text("roles.fixed_dimensions", length=f"{length:,}"),
                hint=text("roles.fixed_dimensions_hint"),
            )
        pooling = "mean" if any(part.pooling == "mean" for part in parts) else "server"
        return Embeddings(
            tuple(vector for part in parts for vector in part.vectors),
            model=parts[0].model or server.model or self.target.model,
            usage=Usage.total([part.usage for part in parts]),
            pooling=pooling,
            notes=merged_notes([*(part.notes for part in parts), self._notes(server)]),
        )

    def _notes(self, server: Server) -> tuple[str, ...]:
        """Return what there is to say of long texts: they are sent as they stand."""
        if self.max_tokens is None:
            return ()
        most = self.max_tokens * _CHARACTERS
        long = sum(len(self.prefix) + len(each) > most for each in self.texts)
        if not long:
            return ()
        cut = (
            text("roles.beginning_only")
            if scoring_api(server, self.target) is ScoringApi.TASKS
            and self.target.is_hugging_face
            else ""
        )
        note = text(
            "roles.long_text" if long == 1 else "roles.long_texts",
            count=f"{long:,}",
            most=f"{self.max_tokens:,}",
            characters=_CHARACTERS,
            cut=cut,
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
        message = text("roles.dimensions_wrong")
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
        message = text("roles.texts_wrong", name=name, kind=type(texts).__name__)
        raise InvalidOption(message)
    if not found:
        raise InvalidOption(
            text("roles.empty", name=name), hint=text("roles.empty_hint")
        )
    wrong = next(
        (at for at, each in enumerate(found) if not isinstance(each, str)), None
    )
    if wrong is not None:
        kind = type(found[wrong]).__name__
        message = text("roles.item_wrong", number=wrong + 1, name=name, kind=kind)
        raise InvalidOption(message)
    return found


def merged_notes(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the notes of all batches, each once."""
    return tuple(dict.fromkeys(note for part in parts for note in part))


def _mean_pooled(body: bytes, *, count: int) -> Steps[Embeddings]:
    """Return one vector for each text: token vectors become their mean."""
    reply = yield from tasks_reply.task_in_steps(_TASK, body, count=count)
    found = [
        one for group in reply.groups for one in group if isinstance(one, Features)
    ]
    means: list[Vector] = []
    for one in found:
        means.append(one.mean())
        yield
    return Embeddings(
        tuple(means),
        pooling="server" if all(one.pooled for one in found) else "mean",
        notes=reply.notes,
    )
