"""Which keys change what is sent, which are told, and which are the host's alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from textwrap import indent
from typing import Final

import pytest
from attrs import field, frozen
from servers.engines import FakeVllm

from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.schema import KEYS, Unused
from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import Recorded
from bytebuddy_provider_hf.testing.virtual_time import run

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
SECTIONS: Final = (
    "models[]",
    "defaultCompletionOptions",
    "embedOptions",
    "embeddingPrefixes",
    "chatOptions",
    "promptTemplates",
    "cacheBehavior",
    "autocompleteOptions",
)
# Who is asked, what is refused, and sections, whose keys are listed each.
OTHERS: Final = frozenset(
    {"name", "provider", "model", "apiKey", "apiBase", "roles", "requestOptions"}
    | {"capabilities"}
    # In tests/storage/ and tests/client/test_fallbacks.py.
    | {"cache", "budget", "fallbacks", "fallbackAfter"}
    | {*SECTIONS}
)
ACTING: Final[Mapping[str, Mapping[str, object]]] = {
    "models[]": {"contextLength": 200, "family": "gemma"},
    "defaultCompletionOptions": {
        "temperature": 0.5,
        "maxTokens": 9,
        "topP": 0.5,
        "topK": 3,
        "minP": 0.1,
        "repetitionPenalty": 1.2,
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.5,
        "stop": "x",
        "n": 2,
        "seed": 7,
        "contextLength": 200,
        "reasoning": "false",
        "reasoningEffort": "low",
        "reasoningBudgetTokens": 5,
    },
    "embedOptions": {"maxChunkSize": 1, "maxBatchSize": 2},
    "embeddingPrefixes": {"chunk": "passage", "query": "query"},
    "promptTemplates": {
        "chat": "gemma",
        "edit": '"{{userInput}}"',
        "apply": '"{{new_code}}"',
        "autocomplete": '"{{prefix}}"',
    },
    "autocompleteOptions": {
        "maxPromptTokens": 50,
        "maxSuffixPercentage": 0.6,
        "prefixPercentage": 0.9,
    },
}
# Of no use at the server asked here, or at any.
TOLD: Final[Mapping[str, Mapping[str, object]]] = {
    "models[]": {
        "billTo": "an-org",
        "maxStopWords": 1,
        "useLegacyCompletionsEndpoint": "true",
        "useResponsesApi": "true",
    },
    "defaultCompletionOptions": {
        "promptCaching": "true",
        "stream": "false",
        "keepAlive": 5,
    },
}
IDLE: Final[Mapping[str, Mapping[str, object]]] = {
    "models[]": {"env": "{A: b}", "sourceFile": "x.yaml"},
    "chatOptions": {
        "baseSystemMessage": "x",
        "baseAgentSystemMessage": "x",
        "basePlanSystemMessage": "x",
        "toolOverrides": "[{name: x}]",
    },
    "cacheBehavior": {"cacheSystemMessage": "true", "cacheConversation": "true"},
    "autocompleteOptions": {
        "disable": "true",
        "debounceDelay": 5,
        "modelTimeout": 5,
        "transform": "false",
        "template": '"{{{prefix}}}"',
        "onlyMyCode": "false",
        "useCache": "false",
        "useImports": "false",
        "useRecentlyEdited": "true",
        "useRecentlyOpened": "true",
        "experimental_*": 5,
    },
}
# In test_request_options.py, test_request_ways.py and below; the rest names a file.
ELSEWHERE: Final = {
    *("timeout", "connectTimeout", "firstByteTimeout", "idleTimeout", "noDataTimeout"),
    *("coldStartTimeout", "maxConcurrency", "maxQueue", "maxAttempts", "waitForServer"),
    # In tests/client/test_providers.py.
    "allowDearer",
    *("verifySsl", "caBundlePath", "proxy", "noProxy", "headers"),
    *("extraBodyProperties", "clientCertificate", "cert", "key", "passphrase"),
    *("name", "version", "models", "requestOptions"),
    *("log", "path", "level", "size", "keep"),
    # In tests/config/test_money_keys.py.
    *("ledger", "alerts", "command", "budget", "dollars", "tokens", "calls"),
    *("period", "hard", "cache", "mode", "access", "maxAge"),
}
ENTRY: Final = """\
models:
  - name: "it"
    provider: "huggingfaceinferenceapi"
    model: "somebody/model"
    apiBase: "http://127.0.0.1:8080"
"""
TALK: Final = [
    {"role": "system", "content": "Be brief."},
    *[{"role": "user", "content": "and then " * 20}] * 9,
    {"role": "user", "content": "And now?"},
]
CODE: Final = "a = 1\n" * 900


def rows(table: Mapping[str, Mapping[str, object]]) -> list[tuple[str, str, object]]:
    return [(s, name, value) for s in table for name, value in table[s].items()]


def yaml(section: str, name: str, value: object) -> str:
    """Return an entry that has one more key."""
    line = f"{name.replace('*', 'x')}: {value}\n"
    if section == "embeddingPrefixes":
        line = f"{section}:\n" + indent(line, "  ")
        section = "embedOptions"
    if section != "models[]":
        line = f"{section}:\n" + indent(line, "  ")
    return ENTRY + indent(line, "    ")


@frozen
class Traffic:
    """What left, in order, and what the replies told of it."""

    sent: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...] = field(factory=tuple)
    notices: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()
    teams: tuple[str | None, ...] = field(default=(), eq=False)


async def traffic(
    text: str, folder: Path, *, served: str = "somebody/model"
) -> Traffic:
    """Return what leaves when an entry is asked in every role."""
    path = folder / "config.yaml"
    path.write_text(text)
    server = Recorded(FakeVllm(served, answer=lambda _: "a = 2"))
    runtime = Runtime(connect=MemoryConnect(server))
    notes: list[str] = []
    async with ModelRegistry.load(path, runtime=runtime, env={}, home=folder) as it:
        assert it.warnings == ()
        model = it["it"]
        assert isinstance(model, HuggingFaceModel)
        notices = model.notices
        chat = (await model.chat(TALK)).notes
        notes += chat
        notes += (await model.fill(CODE, CODE, path="a.py")).notes
        notes += (await model.edit("a = 1\n", "two")).notes
        with suppress(ByteBuddyError):
            await model.apply("a = 1\nb = 2\na = 1\n", "a = 3")
        for query in (False, True):
            found = await model.embed(["long text"] * 3, query=query)
            notes += found.notes
    sent = [(r.path, r.body) for r in server.requests if r.method == "POST"]
    teams = [r.headers.get("x-team") for r in server.requests]
    return Traffic(tuple(sent), tuple(notes), notices, chat, tuple(teams))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """Give what leaves without any of the keys."""
    return run(traffic(ENTRY, tmp_path_factory.mktemp("usual")))


@pytest.mark.parametrize(("section", "name", "value"), rows(IDLE))
def test_an_idle_key_changes_nothing(
    usual: Traffic, tmp_path: Path, section: str, name: str, value: object
) -> None:
    """Byte for byte, in every role; the page says that it is idle."""
    assert run(traffic(yaml(section, name, value), tmp_path)) == usual
    text = " ".join(PAGE.read_text("utf-8").split())
    idle = text.partition("change nothing that this version sends")[2]
    idle = idle.partition("| Section")[0]
    of_section = {
        "autocompleteOptions": "the other `autocompleteOptions`",
        "chatOptions": "`chatOptions`",
        "cacheBehavior": "`cacheBehavior`",
    }
    assert of_section.get(section, f"`{name}`") in idle


@pytest.mark.parametrize(("section", "name", "value"), rows(TOLD))
def test_a_key_that_no_call_obeys_is_told(
    usual: Traffic, tmp_path: Path, section: str, name: str, value: object
) -> None:
    """Once in each reply, and before anything is asked; the page names it too."""
    found = run(traffic(yaml(section, name, value), tmp_path))
    assert found.sent == usual.sent
    # In a program an option has its name there.
    (field,) = {key.field for key in KEYS if key.name == name}
    for said in (found.chat, found.notices):
        assert [field in note for note in said].count(True) == 1
    text = PAGE.read_text("utf-8")
    asks = text.partition("These have no effect")[2].partition("##")[0]
    assert f"`{name}`" in asks or name == "promptCaching"


@pytest.mark.parametrize(
    "key", ["useResponsesApi: false", "useLegacyCompletionsEndpoint: false"]
)
def test_what_is_not_asked_for_is_not_told(
    usual: Traffic, tmp_path: Path, key: str
) -> None:
    """Switched off, a key says what happens anyway."""
    assert run(traffic(ENTRY + f"    {key}\n", tmp_path)) == usual


@pytest.mark.parametrize(("section", "name", "value"), rows(ACTING))
def test_a_key_that_acts_is_seen_in_what_leaves(
    usual: Traffic, tmp_path: Path, section: str, name: str, value: object
) -> None:
    """Or in the notes of the replies, where it is about what cannot be changed."""
    assert run(traffic(yaml(section, name, value), tmp_path)) != usual


def test_every_key_of_an_entry_is_in_one_of_the_tables() -> None:
    """A new key is one that acts, one that is told, or one that the page calls idle."""
    keys = {(k.section, k.name) for k in KEYS if k.section in SECTIONS}
    keys -= {(section, name) for section, name in keys if name in OTHERS}
    told = [(s, name) for table in (IDLE, TOLD, ACTING) for s, name, _ in rows(table)]
    assert sorted(keys) == sorted(told)


def test_every_other_key_of_the_schema_has_its_place() -> None:
    """A new one is tested for what it does, or is for hosts and called "anything"."""
    others = [key for key in KEYS if key.section not in SECTIONS]
    looked_at = {key.name for key in others if not isinstance(key.kind, Unused)}
    assert looked_at == ELSEWHERE


def test_a_header_goes_with_every_request(tmp_path: Path) -> None:
    """As the entry writes it."""
    block = "requestOptions: {headers: {X-Team: blue}}\n"
    found = run(traffic(ENTRY + indent(block, "    "), tmp_path))
    assert set(found.teams) == {"blue"}


def test_the_page_names_no_acting_key_as_idle() -> None:
    """But for the section of completion options, which is told apart by name."""
    text = PAGE.read_text("utf-8")
    idle = text.partition("These are read and checked")[2].partition("| Section")[0]
    names = set(re.findall(r"`(\w+)`", idle))
    assert names.isdisjoint({name for _, name, _ in rows(ACTING)})


def test_extra_properties_go_into_every_body(tmp_path: Path) -> None:
    """As the page says, and with the last word."""
    block = 'requestOptions: {extraBodyProperties: {model: "marked"}}\n'
    found = run(traffic(ENTRY + indent(block, "    "), tmp_path, served="marked"))
    assert len(found.sent) > 4
    assert all(b'"model":"marked"' in body for _, body in found.sent)


@pytest.mark.parametrize("key", ['stop: "zz"', "n: 2"])
def test_what_would_spoil_code_is_not_sent_for_it(tmp_path: Path, key: str) -> None:
    """A stop for chat would cut an edit, and a gap has one filling."""
    text = ENTRY + f"    defaultCompletionOptions:\n      {key}\n"
    chat, fill, *code = run(traffic(text, tmp_path)).sent[:4]
    name = f'"{key.partition(":")[0]}":'.encode()
    assert name in chat[1]
    assert (name in fill[1]) == key.startswith("stop")
    assert not any(name in body for _, body in code)
