"""Every key a configuration file may hold: one table that everything else reads."""

# ruff: noqa: D102 - a kind says all in the docstring of its class
from __future__ import annotations

from collections.abc import Iterable
from math import isinf
from typing import Final, Literal, TypeAlias, get_args

from attrs import frozen

from bytebuddy_provider_hf import sampling
from bytebuddy_provider_hf.config import kinds
from bytebuddy_provider_hf.config.document import MapNode, Node
from bytebuddy_provider_hf.types import LONGEST_STOP, ReasoningEffort, Role

Section: TypeAlias = Literal[
    "file",
    "models[]",
    "defaultCompletionOptions",
    "requestOptions",
    "clientCertificate",
    "embedOptions",
    "embeddingPrefixes",
    "chatOptions",
    "promptTemplates",
    "autocompleteOptions",
    "cacheBehavior",
    "log",
]

TOP: Final = "top level"
ENTRY: Final = "entry"
BOTH: Final = "entry or top level"
REQUIRED: Final = "required"


@frozen
class Key:
    """One key: where it stands, what it may be, and the field it becomes.

    ``field`` is empty for a key that is accepted and not used here.
    """

    section: Section
    name: str
    kind: kinds.ValueKind
    field: str = ""
    unit: str = ""
    default: str = ""
    where: str = ENTRY

    @property
    def required(self) -> bool:
        return self.default == REQUIRED


@frozen
class Nested:
    """A mapping that is a section of its own."""

    section: Section
    expected: str = "a mapping"

    def __call__(self, node: Node) -> MapNode:
        if not isinstance(node, MapNode):
            raise kinds.Mismatch(self.expected, kinds.shape(node))
        return node


@frozen
class Unused:
    """Whatever stands there: a host reads it, this package does not."""

    expected: str = "anything"

    def __call__(self, node: Node) -> Node:
        return node


@frozen
class Entries:
    """The list of models."""

    expected: str = "a list of entries"

    def __call__(self, node: Node) -> Node:
        return node


CHAT_FAMILIES: Final = (
    "llama2",
    "alpaca",
    "zephyr",
    "phi2",
    "phind",
    "anthropic",
    "chatml",
    "none",
    "openchat",
    "deepseek",
    "xwin-coder",
    "neural-chat",
    "codellama-70b",
    "llava",
    "gemma",
    "granite",
    "llama3",
    "codestral",
)

LOG_LEVELS: Final = ("error", "warning", "info", "debug")

_TEXT: Final = kinds.AnyText()
_WORD: Final = kinds.Word()
_FLAG: Final = kinds.Flag()
_COUNT: Final = kinds.Integer(low=1)
_ZERO_UP: Final = kinds.Integer(low=0)
_SHARE: Final = kinds.Number(low=0, high=1)
_DURATION: Final = kinds.Number(above=0)
_ROLE: Final = kinds.OneOf(
    tuple(role.value for role in Role),
    {"embeddings": "embed", "reranking": "rerank"},
)
_EFFORT: Final = kinds.OneOf(get_args(ReasoningEffort))
_PATHS: Final = kinds.ListOf(kinds.Word("a path"), "a list of paths", lone=True)
_STOP: Final = kinds.AnyText(
    f"text of at most {LONGEST_STOP} characters", longest=LONGEST_STOP
)
_STOPS: Final = kinds.ListOf(_STOP, "a list of such texts", lone=True)


def _file() -> Iterable[Key]:
    yield Key("file", "name", _TEXT, "name", where=TOP)
    yield Key("file", "version", _TEXT, "version", where=TOP)
    yield Key("file", "models", Entries(), "entries", where=TOP)
    options = Nested("requestOptions")
    yield Key("file", "requestOptions", options, "request_options", where=TOP)
    yield Key("file", "log", Nested("log"), "log", where=TOP)
    for name in ("schema", "context", "data", "mcpServers"):
        yield Key("file", name, Unused(), where=TOP)
    for name in ("rules", "prompts", "docs", "env"):
        yield Key("file", name, Unused(), where=TOP)


def _entry() -> Iterable[Key]:
    def key(
        name: str,
        kind: kinds.ValueKind,
        target: str,
        *,
        unit: str = "",
        default: str = "",
    ) -> Key:
        return Key("models[]", name, kind, target, unit, default)

    roles = kinds.ListOf(_ROLE, f"a list of {', '.join(_ROLE.words)}")
    yield key("name", _WORD, "name", default=REQUIRED)
    yield key("provider", _WORD, "provider", default=REQUIRED)
    yield key("model", _WORD, "model", default=REQUIRED)
    yield key("apiKey", kinds.Sealed(), "api_key", default="HF_API_KEY and others")
    yield key("apiBase", kinds.Url(), "api_base", default="the provider's")
    yield key("roles", roles, "roles", default="chat, edit, apply")
    words = kinds.ListOf(_WORD, "a list of words")
    yield key("capabilities", words, "capabilities")
    yield key("contextLength", _COUNT, "context_length", unit="tokens")
    yield key("family", _WORD, "family", default="by the model's id")
    yield key("maxStopWords", _ZERO_UP, "max_stop_words")
    yield key("env", kinds.Settings(), "env")
    yield key("sourceFile", _TEXT, "source_file")
    yield key("useLegacyCompletionsEndpoint", _FLAG, "use_legacy_completions_endpoint")
    yield key("useResponsesApi", _FLAG, "use_responses_api")
    yield key(
        "defaultCompletionOptions",
        Nested("defaultCompletionOptions"),
        "default_completion_options",
    )
    yield key("requestOptions", Nested("requestOptions"), "request_options")
    yield key("embedOptions", Nested("embedOptions"), "embed_options")
    yield key("chatOptions", Nested("chatOptions"), "chat_options")
    yield key("promptTemplates", Nested("promptTemplates"), "prompt_templates")
    options = Nested("autocompleteOptions")
    yield key("autocompleteOptions", options, "autocomplete_options")
    yield key("cacheBehavior", Nested("cacheBehavior"), "cache_behavior")


def _completion() -> Iterable[Key]:
    """Return the keys of the options, out of the table that calls are checked by."""
    fixed: dict[str, kinds.ValueKind] = {
        "flag": _FLAG,
        "effort": _EFFORT,
        "texts": _STOPS,
    }
    for option in sampling.OPTIONS:
        number = kinds.Integer if option.kind == "whole" else kinds.Number
        low, high = option.allowed.low, option.allowed.high
        least = None if isinf(low) else low
        yield Key(
            "defaultCompletionOptions",
            option.key,
            fixed.get(option.kind)
            or number(
                low=None if option.allowed.above else least,
                high=None if isinf(high) else high,
                above=least if option.allowed.above else None,
            ),
            option.name,
            option.unit,
            "the server's",
        )


def _request() -> Iterable[Key]:
    def key(
        name: str,
        kind: kinds.ValueKind,
        target: str,
        *,
        unit: str = "",
        default: str = "",
    ) -> Key:
        return Key("requestOptions", name, kind, target, unit, default, BOTH)

    for name, target, seconds in (
        ("timeout", "timeout", "600"),
        ("connectTimeout", "connect_timeout", "10"),
        ("firstByteTimeout", "first_byte_timeout", "the call's timeout"),
        ("idleTimeout", "idle_timeout", "60"),
        ("noDataTimeout", "no_data_timeout", "300"),
        ("coldStartTimeout", "cold_start_timeout", "300"),
    ):
        yield key(name, _DURATION, target, unit="seconds", default=seconds)
    limit = kinds.Integer(low=1, high=1024)
    yield key("maxConcurrency", limit, "max_concurrency", unit="calls", default="32")
    yield key("maxQueue", _ZERO_UP, "max_queue", unit="calls", default="10000")
    yield key("maxAttempts", _COUNT, "max_attempts", unit="attempts", default="3")
    yield key("waitForServer", _FLAG, "wait_for_server", default="false")
    yield key("verifySsl", _FLAG, "verify_ssl", default="true")
    authorities = "SSL_CERT_FILE, REQUESTS_CA_BUNDLE, else the system's"
    yield key("caBundlePath", _PATHS, "ca_bundle_path", default=authorities)
    yield key(
        "proxy", kinds.Hidden(), "proxy", default="HTTPS_PROXY, HTTP_PROXY, ALL_PROXY"
    )
    hosts = kinds.ListOf(kinds.Word("a host"), "a list of hosts", lone=True)
    yield key("noProxy", hosts, "no_proxy", default="NO_PROXY")
    yield key("headers", kinds.Headers(), "headers")
    yield key("extraBodyProperties", kinds.Anything(), "extra_body_properties")
    certificate = Nested("clientCertificate")
    yield key("clientCertificate", certificate, "client_certificate")


def _small() -> Iterable[Key]:
    for name, required in (("cert", True), ("key", True), ("passphrase", False)):
        yield Key(
            "clientCertificate",
            name,
            kinds.Word("a path") if required else kinds.Sealed(blanks=True),
            name,
            default=REQUIRED if required else "",
            where=BOTH,
        )
    yield Key("embedOptions", "maxChunkSize", _COUNT, "max_chunk_size", "tokens")
    yield Key("embedOptions", "maxBatchSize", _COUNT, "max_batch_size", "texts")
    prefixes = Nested("embeddingPrefixes")
    yield Key("embedOptions", "embeddingPrefixes", prefixes, "embedding_prefixes")
    yield Key("embeddingPrefixes", "chunk", _TEXT, "chunk")
    yield Key("embeddingPrefixes", "query", _TEXT, "query")
    yield Key("chatOptions", "baseSystemMessage", _TEXT, "base_system_message")
    agent, plan = "base_agent_system_message", "base_plan_system_message"
    yield Key("chatOptions", "baseAgentSystemMessage", _TEXT, agent)
    yield Key("chatOptions", "basePlanSystemMessage", _TEXT, plan)
    overrides = kinds.ListOf(kinds.Anything(), "a list of mappings")
    yield Key("chatOptions", "toolOverrides", overrides, "tool_overrides")
    yield Key("promptTemplates", "chat", kinds.OneOf(CHAT_FAMILIES), "chat")
    for name in ("edit", "apply", "autocomplete"):
        yield Key("promptTemplates", name, _TEXT, name)
    yield Key("cacheBehavior", "cacheSystemMessage", _FLAG, "cache_system_message")
    yield Key("cacheBehavior", "cacheConversation", _FLAG, "cache_conversation")


def _log() -> Iterable[Key]:
    def key(
        name: str, kind: kinds.ValueKind, *, unit: str = "", default: str = ""
    ) -> Key:
        return Key("log", name, kind, name, unit, default, TOP)

    yield key("path", kinds.FilePath(), default=REQUIRED)
    yield key("level", kinds.OneOf(LOG_LEVELS), default="warning")
    yield key("size", kinds.Integer(low=1, high=1024), unit="MB", default="5")
    yield key("keep", kinds.Integer(low=1, high=100), unit="old files", default="3")


def _autocomplete() -> Iterable[Key]:
    def key(
        name: str,
        kind: kinds.ValueKind,
        target: str,
        *,
        unit: str = "",
        default: str = "",
    ) -> Key:
        return Key("autocompleteOptions", name, kind, target, unit, default)

    yield key("disable", _FLAG, "disable")
    tokens, ms = "tokens", "milliseconds"
    target = "max_prompt_tokens"
    yield key("maxPromptTokens", _COUNT, target, unit=tokens, default="1024")
    yield key("debounceDelay", _ZERO_UP, "debounce_delay", unit=ms, default="350")
    yield key("modelTimeout", _ZERO_UP, "model_timeout", unit=ms, default="150")
    yield key("maxSuffixPercentage", _SHARE, "max_suffix_percentage", default="0.2")
    yield key("prefixPercentage", _SHARE, "prefix_percentage", default="0.3")
    yield key("transform", _FLAG, "transform", default="true")
    yield key("template", _TEXT, "template")
    yield key("onlyMyCode", _FLAG, "only_my_code", default="true")
    yield key("useCache", _FLAG, "use_cache", default="true")
    yield key("useImports", _FLAG, "use_imports", default="true")
    yield key("useRecentlyEdited", _FLAG, "use_recently_edited")
    yield key("useRecentlyOpened", _FLAG, "use_recently_opened")
    yield key("experimental_*", kinds.Anything("anything"), "experimental")


KEYS: Final[tuple[Key, ...]] = (
    *_file(),
    *_entry(),
    *_completion(),
    *_request(),
    *_small(),
    *_autocomplete(),
    *_log(),
)

# What a project's file may not decide before the user trusts it.
TRUST_NEEDED: Final = frozenset(
    {"headers", "proxy", "verifySsl", "caBundlePath", "clientCertificate"}
)

# No message shows what stands at these keys.
SECRET_KEYS: Final = frozenset({"apiKey", "headers", "proxy", "passphrase", "env"})


def _by_section() -> dict[str, dict[str, Key]]:
    sections: dict[str, dict[str, Key]] = {}
    for key in KEYS:
        sections.setdefault(key.section, {})[key.name] = key
    return sections


SECTIONS: Final = _by_section()


def find_key(section: Section, name: str) -> Key | None:
    """Return the key ``name`` of ``section``, or ``None`` if there is none."""
    if section == "autocompleteOptions" and name.startswith("experimental_"):
        return SECTIONS[section]["experimental_*"]
    return SECTIONS[section].get(name)


def sections_with(name: str) -> tuple[Section, ...]:
    """Return the sections that have a key ``name``."""
    return tuple(key.section for key in KEYS if key.name == name)
