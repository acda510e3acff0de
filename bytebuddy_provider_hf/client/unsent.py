"""What of an entry no call sends, as far as that is known before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import fields_dict

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.types import CompletionOptions
from bytebuddy_provider_hf.wire.notes import Note
from bytebuddy_provider_hf.wire.server import Engine, Server
from bytebuddy_provider_hf.wire.supported_options import (
    shown,
    supported_options,
    takers,
)

_ANY: Final = Server()
_ROUTER: Final = Server(Engine.ROUTER)


def unused_keys(entry: ModelEntry) -> tuple[Note, ...]:
    """Return a note for each key of an entry that asks for what no call does."""
    return tuple(_unused(entry))


def unsent_options(entry: ModelEntry, target: Target) -> tuple[Note, ...]:
    """Return a note for each default option that few servers take, or none.

    Behind the router it is known which; elsewhere the server is not asked here, so
    the note says to whom the option is sent.
    """
    options = entry.default_completion_options
    if target.host_kind is HostKind.ROUTER:
        told = supported_options(options, _ROUTER, "chat", base={}).notes
        return tuple(note for note in told if isinstance(note, Note))
    return tuple(_rarely_sent(options))


def _unused(entry: ModelEntry) -> Iterator[Note]:
    if entry.use_responses_api:
        told = "useResponsesApi is not used: chats go to /v1/chat/completions."
        yield Note(told, "useResponsesApi")
    if entry.use_legacy_completions_endpoint:
        key = "useLegacyCompletionsEndpoint"
        told = f"{key} is not used: a call's role and the server decide its route."
        yield Note(told, key)
    if entry.max_stop_words is not None:
        told = "maxStopWords is not used: as many are sent as the server takes."
        yield Note(told, "maxStopWords")


def _rarely_sent(options: CompletionOptions) -> Iterator[Note]:
    usual = supported_options(options, _ANY, "chat", base={})
    told = {note.option: note for note in usual.notes if isinstance(note, Note)}
    for name in fields_dict(CompletionOptions):
        key = shown(name)
        if key not in told:
            continue
        engines = takers(name, getattr(options, name))
        if _ANY.engine in engines:
            continue
        only = f"{key} is sent to {', '.join(engines)} only."
        yield Note(only, key) if engines else told[key]
