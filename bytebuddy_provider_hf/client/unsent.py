"""Name what of an entry no call sends, as far as that is known before a call."""

from __future__ import annotations

from functools import reduce

from bytebuddy_provider_hf.address import HostKind, Target
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.texts import option_name, text
from bytebuddy_provider_hf.wire.notes import Note


def unused_keys(entry: ModelEntry, target: Target) -> tuple[Note, ...]:
    """Return a note for each key of an entry that asks for what no call does."""
    notes = []
    if entry.use_responses_api:
        told = text("roles.responses_api_unused")
        notes.append(Note(told, "useResponsesApi"))
    if entry.use_legacy_completions_endpoint:
        key = "useLegacyCompletionsEndpoint"
        told = text(
            "roles.legacy_unused", key=option_name("use_legacy_completions_endpoint")
        )
        notes.append(Note(told, key))
    if entry.bill_to and target.host_kind not in (HostKind.ROUTER, HostKind.HUB):
        notes.append(Note(text("roles.bill_to_unused"), "billTo"))
    if entry.max_stop_words is not None:
        told = text("roles.max_stop_words_unused")
        notes.append(Note(told, "maxStopWords"))
    return tuple(notes)


def unsent_options(entry: ModelEntry, target: Target) -> tuple[Note, ...]:
    """Return a note for each default option that few servers take, or none.

    Behind the router it is known which; elsewhere the server is not asked here, so
    the note says to whom the option is sent.
    """
    # Asked for by few: opening a model does not import the servers there are.
    from bytebuddy_provider_hf.sampling import OPTIONS
    from bytebuddy_provider_hf.wire.dialects import BY_NAME, SERVERS
    from bytebuddy_provider_hf.wire.dialects.router import Router
    from bytebuddy_provider_hf.wire.server import Server
    from bytebuddy_provider_hf.wire.supported_options import supported_options, takers

    options = entry.default_completion_options
    routed = target.host_kind is HostKind.ROUTER
    server = Router() if routed else Server()
    usual = supported_options(options, server, "chat")
    dropped = [note for note in usual.notes if isinstance(note, Note)]
    if routed:
        # All of its providers are asked in the same words.
        return tuple(dropped)
    told = {note.option: note for note in dropped}
    notes = []
    for option in OPTIONS:
        key = option.key
        if key not in told:
            continue
        names = takers(option.name, getattr(options, option.name), SERVERS)
        if server.name in names:
            # It is sent, changed to what a server may take.
            continue
        if not names:
            notes.append(told[key])
            continue
        # Some servers have a name in words: each is said in the note's language.
        said = reduce(_and, (BY_NAME[name].said_name() for name in names))
        notes.append(
            Note(
                text("roles.sent_to_only", key=option_name(option.name), names=said),
                key,
            )
        )
    return tuple(notes)


def _and(first: str, last: str) -> str:
    return text("roles.listed", first=first, last=last)
