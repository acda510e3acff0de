"""List every key that a configuration file may hold: one row a key.

Checking, the messages, `docs/configuration.md` and the search for misspelled keys read
this table, so that a key is added here and in ``values`` only.
"""

# ruff: noqa: D102 - a kind says all in the docstring of its class
from __future__ import annotations

import re
from math import isinf
from typing import Final, Literal, TypeAlias, get_args

from attrs import frozen

from bytebuddy_provider_hf import sampling
from bytebuddy_provider_hf.config import kinds
from bytebuddy_provider_hf.config.document import (
    MapNode,
    Node,
    Pair,
    ScalarNode,
    is_null,
)
from bytebuddy_provider_hf.texts import text
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
    "budget",
    "cache",
    "alerts",
    "log",
]

REQUIRED: Final = "required"

# Where a section stands that is not in an entry.
_WHERE: Final[dict[Section, str]] = {
    "file": "top level",
    "log": "top level",
    "alerts": "top level",
    "budget": "entry or top level",
    "cache": "entry or top level",
    "requestOptions": "entry or top level",
    "clientCertificate": "entry or top level",
}


@frozen
class Key:
    """One key: its section, what it may be, and what it is if nobody writes it."""

    section: Section
    name: str
    kind: kinds.ValueKind
    unit: str = ""
    default: str = ""

    @property
    def required(self) -> bool:
        return self.default == REQUIRED

    @property
    def where(self) -> str:
        return _WHERE.get(self.section, "entry")

    @property
    def field(self) -> str:
        """Return the field it becomes: its name as Python writes it."""
        name = self.name.removesuffix("_*")
        return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


@frozen
class Nested(kinds.Kind):
    """A mapping that is a section of its own.

    A single value is taken for that of the key ``lone``, where there is one.
    """

    section: Section
    lone: str = ""
    noun: kinds.Noun = lambda: text("config.a_mapping")

    def __call__(self, node: Node) -> MapNode:
        if self.lone and isinstance(node, ScalarNode) and not is_null(node):
            key = ScalarNode(self.lone, node.line, node.column)
            return MapNode((Pair(key, node),), node.line, node.column)
        if not isinstance(node, MapNode):
            raise kinds.Mismatch(self.expected, kinds.shape(node))
        return node


@frozen
class Unused(kinds.Kind):
    """Whatever stands there: a host reads it, this package does not."""

    noun: kinds.Noun = lambda: text("config.anything")

    def __call__(self, node: Node) -> Node:
        return node


@frozen
class Entries(kinds.Kind):
    """The list of models."""

    noun: kinds.Noun = lambda: text("config.entries")

    def __call__(self, node: Node) -> Node:
        return node


# The names that promptTemplates.chat has in the shared schema.
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
_ZERO_UP_SECONDS: Final = kinds.Number(low=0)
_MONEY: Final = kinds.Dollars()
# Pages write both names of the two roles.
_ROLE: Final = kinds.OneOf(
    tuple(role.value for role in Role),
    {"embeddings": "embed", "reranking": "rerank"},
)
_EFFORT: Final = kinds.OneOf(get_args(ReasoningEffort))
# Of several, as a company may have them; SSL_CERT_FILE names one.
_PATH: Final = kinds.Word(lambda: text("config.path"))
_PATHS: Final = kinds.ListOf(item=_PATH, noun=lambda: text("config.paths"), lone=True)
_STOP: Final = kinds.AnyText(
    lambda: text("config.text_at_most", count=LONGEST_STOP), longest=LONGEST_STOP
)
# OpenAI takes one text for a list of one, and so do people.
_STOPS: Final = kinds.ListOf(
    item=_STOP, noun=lambda: text("config.such_texts"), lone=True
)


_ROLES: Final = kinds.ListOf(
    item=_ROLE, noun=lambda: text("config.list_of", words=", ".join(_ROLE.words))
)
_HOST: Final = kinds.Word(lambda: text("config.host"))
_HOSTS: Final = kinds.ListOf(item=_HOST, noun=lambda: text("config.hosts"), lone=True)
_ANYTHING: Final = kinds.Anything(lambda: text("config.anything"))
_MAPPINGS: Final = kinds.ListOf(
    item=kinds.Anything(), noun=lambda: text("config.mappings")
)


def _kind(option: sampling.Option) -> kinds.ValueKind:
    """Return what the file may say of an option, as calls are checked."""
    fixed: dict[str, kinds.ValueKind] = {
        "flag": _FLAG,
        "effort": _EFFORT,
        "texts": _STOPS,
    }
    number = kinds.Integer if option.kind == "whole" else kinds.Number
    low, high = option.allowed.low, option.allowed.high
    least = None if isinf(low) else low
    return fixed.get(option.kind) or number(
        low=None if option.allowed.above else least,
        high=None if isinf(high) else high,
        above=least if option.allowed.above else None,
    )


KEYS: Final[tuple[Key, ...]] = (
    Key("file", "name", _TEXT),
    Key("file", "version", _TEXT),
    Key("file", "models", Entries()),
    Key("file", "requestOptions", Nested(section="requestOptions")),
    Key("file", "log", Nested(section="log")),
    Key("file", "ledger", kinds.Switch(), default="on"),
    Key("file", "budget", Nested(section="budget")),
    Key("file", "alerts", Nested(section="alerts")),
    Key("file", "cache", Nested(section="cache", lone="mode"), default="off"),
    # What hosts read and this package does not.
    Key("file", "schema", Unused()),
    Key("file", "context", Unused()),
    Key("file", "data", Unused()),
    Key("file", "mcpServers", Unused()),
    Key("file", "rules", Unused()),
    Key("file", "prompts", Unused()),
    Key("file", "docs", Unused()),
    Key("file", "env", Unused()),
    Key("models[]", "name", _WORD, default=REQUIRED),
    Key("models[]", "provider", _WORD, default=REQUIRED),
    Key("models[]", "model", _WORD, default=REQUIRED),
    Key("models[]", "apiKey", kinds.Sealed(), default="HF_API_KEY and others"),
    Key("models[]", "apiBase", kinds.Url(), default="the provider's"),
    Key("models[]", "roles", _ROLES, default="chat, edit, apply"),
    Key(
        "models[]",
        "capabilities",
        kinds.ListOf(item=_WORD, noun=lambda: text("config.words")),
    ),
    Key("models[]", "contextLength", _COUNT, "tokens"),
    Key("models[]", "family", _WORD, default="by the model's id"),
    Key("models[]", "maxStopWords", _ZERO_UP),
    Key("models[]", "billTo", _WORD, default="HF_BILL_TO, else the token's owner"),
    Key("models[]", "env", kinds.Settings()),
    Key("models[]", "sourceFile", _TEXT),
    Key("models[]", "useLegacyCompletionsEndpoint", _FLAG),
    Key("models[]", "useResponsesApi", _FLAG),
    Key(
        "models[]",
        "defaultCompletionOptions",
        Nested(section="defaultCompletionOptions"),
    ),
    Key("models[]", "requestOptions", Nested(section="requestOptions")),
    Key("models[]", "embedOptions", Nested(section="embedOptions")),
    Key("models[]", "chatOptions", Nested(section="chatOptions")),
    Key("models[]", "promptTemplates", Nested(section="promptTemplates")),
    Key("models[]", "autocompleteOptions", Nested(section="autocompleteOptions")),
    Key("models[]", "cacheBehavior", Nested(section="cacheBehavior")),
    Key("models[]", "cache", Nested(section="cache", lone="mode"), default="off"),
    Key("models[]", "budget", Nested(section="budget")),
    Key(
        "models[]",
        "fallbacks",
        kinds.ListOf(item=_WORD, noun=lambda: text("config.words"), lone=True),
    ),
    Key("models[]", "fallbackAfter", _ZERO_UP_SECONDS, "seconds", "30"),
    *(
        Key(
            "defaultCompletionOptions",
            option.key,
            _kind(option),
            option.unit,
            "the server's",
        )
        for option in sampling.OPTIONS
    ),
    # Defaults are only told here, and proved by tests: the code that waits has them.
    Key("requestOptions", "timeout", _DURATION, "seconds", "600"),
    Key("requestOptions", "connectTimeout", _DURATION, "seconds", "10"),
    Key(
        "requestOptions", "firstByteTimeout", _DURATION, "seconds", "the call's timeout"
    ),
    Key("requestOptions", "idleTimeout", _DURATION, "seconds", "60"),
    Key("requestOptions", "noDataTimeout", _DURATION, "seconds", "300"),
    Key("requestOptions", "coldStartTimeout", _DURATION, "seconds", "300"),
    Key(
        "requestOptions",
        "maxConcurrency",
        kinds.Integer(low=1, high=1024),
        "calls",
        "32",
    ),
    Key("requestOptions", "maxQueue", _ZERO_UP, "calls", "10000"),
    Key("requestOptions", "maxAttempts", _COUNT, "attempts", "3"),
    Key("requestOptions", "waitForServer", _FLAG, default="false"),
    Key("requestOptions", "allowDearer", _FLAG, default="false"),
    Key("requestOptions", "verifySsl", _FLAG, default="true"),
    Key(
        "requestOptions",
        "caBundlePath",
        _PATHS,
        default="SSL_CERT_FILE, REQUESTS_CA_BUNDLE, else the system's",
    ),
    Key(
        "requestOptions",
        "proxy",
        kinds.Hidden(),
        default="HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
    ),
    Key("requestOptions", "noProxy", _HOSTS, default="NO_PROXY"),
    Key("requestOptions", "headers", kinds.Headers()),
    Key("requestOptions", "extraBodyProperties", kinds.Anything()),
    Key("requestOptions", "clientCertificate", Nested(section="clientCertificate")),
    Key("clientCertificate", "cert", _PATH, default=REQUIRED),
    Key("clientCertificate", "key", _PATH, default=REQUIRED),
    # Blanks may belong to a passphrase, unlike to a key.
    Key("clientCertificate", "passphrase", kinds.Sealed(blanks=True)),
    Key("embedOptions", "maxChunkSize", _COUNT, "tokens"),
    Key("embedOptions", "maxBatchSize", _COUNT, "texts"),
    Key("embedOptions", "embeddingPrefixes", Nested(section="embeddingPrefixes")),
    Key("embeddingPrefixes", "chunk", _TEXT),
    Key("embeddingPrefixes", "query", _TEXT),
    Key("chatOptions", "baseSystemMessage", _TEXT),
    Key("chatOptions", "baseAgentSystemMessage", _TEXT),
    Key("chatOptions", "basePlanSystemMessage", _TEXT),
    Key("chatOptions", "toolOverrides", _MAPPINGS),
    Key("promptTemplates", "chat", kinds.OneOf(CHAT_FAMILIES)),
    Key("promptTemplates", "edit", _TEXT),
    Key("promptTemplates", "apply", _TEXT),
    Key("promptTemplates", "autocomplete", _TEXT),
    Key("cacheBehavior", "cacheSystemMessage", _FLAG),
    Key("cacheBehavior", "cacheConversation", _FLAG),
    Key("autocompleteOptions", "disable", _FLAG),
    Key("autocompleteOptions", "maxPromptTokens", _COUNT, "tokens", "1024"),
    Key("autocompleteOptions", "debounceDelay", _ZERO_UP, "milliseconds", "350"),
    Key("autocompleteOptions", "modelTimeout", _ZERO_UP, "milliseconds", "150"),
    Key("autocompleteOptions", "maxSuffixPercentage", _SHARE, default="0.2"),
    Key("autocompleteOptions", "prefixPercentage", _SHARE, default="0.3"),
    Key("autocompleteOptions", "transform", _FLAG, default="true"),
    Key("autocompleteOptions", "template", _TEXT),
    Key("autocompleteOptions", "onlyMyCode", _FLAG, default="true"),
    Key("autocompleteOptions", "useCache", _FLAG, default="true"),
    Key("autocompleteOptions", "useImports", _FLAG, default="true"),
    Key("autocompleteOptions", "useRecentlyEdited", _FLAG),
    Key("autocompleteOptions", "useRecentlyOpened", _FLAG),
    # Names that hosts make up: whatever begins with experimental_ is passed on.
    Key(
        "autocompleteOptions",
        "experimental_*",
        kinds.Anything(lambda: text("config.anything")),
    ),
    Key("budget", "dollars", _MONEY, "USD"),
    Key("budget", "tokens", _COUNT, "tokens"),
    Key("budget", "calls", _COUNT, "calls"),
    Key("budget", "period", kinds.OneOf(("day", "month", "account")), default="month"),
    Key("budget", "hard", _FLAG, default="false"),
    Key(
        "alerts",
        "command",
        kinds.ListOf(item=_WORD, noun=lambda: text("config.words")),
        default=REQUIRED,
    ),
    Key(
        "cache",
        "mode",
        kinds.OneOf(("off", "on", "all"), {"true": "on", "false": "off"}),
        default="on",
    ),
    Key(
        "cache",
        "access",
        kinds.OneOf(("read_write", "read_only", "write_only")),
        default="read_write",
    ),
    Key("cache", "maxAge", _DURATION, "seconds", "no limit"),
    Key("cache", "size", kinds.Integer(low=1, high=65_536), "MB", "256"),
    Key("log", "path", kinds.FilePath(), default=REQUIRED),
    Key("log", "level", kinds.OneOf(LOG_LEVELS), default="warning"),
    Key("log", "size", kinds.Integer(low=1, high=1024), "MB", "5"),
    Key("log", "keep", kinds.Integer(low=1, high=100), "old files", "3"),
)

# What a project's file may not decide before the user trusts it.
TRUST_NEEDED: Final = frozenset(
    {
        "headers",
        "proxy",
        "noProxy",
        "verifySsl",
        "caBundlePath",
        "clientCertificate",
    }
)
# Of its extraBodyProperties, those that stand in the body for what a caller says: the
# question and the model, tools, the form of the answer, options, and what servers read
# in their place. A test builds every kind of body and looks for its members here.
CALLERS_OWN: Final = frozenset(
    {
        *("model", "messages", "prompt", "prompts", "input", "inputs", "instructions"),
        *("query", "queries", "text", "texts", "text_1", "text_2", "documents"),
        *("suffix", "system", "input_prefix", "input_suffix", "input_extra", "content"),
        *("prompt_embeds", "prompt_token_ids", "input_ids", "image_data", "echo"),
        *("tools", "tool_choice", "tool_prompt", "parallel_tool_calls", "functions"),
        *("function_call", "response_format", "json_schema", "grammar", "regex"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar"),
        *("structured_outputs", "ebnf", "structural_tag", "logit_bias"),
        *("stream", "stream_options", "n", "best_of", "logprobs", "top_logprobs"),
        *("top_n_tokens", "details", "decoder_input_details", "return_full_text"),
        *("parameters", "options", "chat_template", "chat_template_kwargs"),
        *("add_generation_prompt", "continue_final_message", "prompt_prefix"),
        *("temperature", "max_tokens", "max_completion_tokens", "max_new_tokens"),
        *("n_predict", "min_tokens", "top_p", "top_k", "min_p", "typical_p", "seed"),
        *("repetition_penalty", "repeat_penalty", "presence_penalty", "do_sample"),
        *("frequency_penalty", "stop", "stop_sequences", "stop_token_ids"),
        *("reasoning", "reasoning_effort", "thinking_token_budget", "thinking"),
        *("thinking_budget_tokens", "enable_thinking", "cache_prompt", "truncate"),
        *("normalize", "prompt_name", "raw_scores", "return_text", "dimensions"),
        *("encoding_format", "top_n", "return_documents", "truncation_direction"),
    }
)

# No message shows what stands at these keys.
SECRET_KEYS: Final = frozenset({"apiKey", "headers", "proxy", "passphrase", "env"})


SECTIONS: Final[dict[Section, dict[str, Key]]] = {
    section: {key.name: key for key in KEYS if key.section == section}
    for section in get_args(Section)
}


def find_key(section: Section, name: str) -> Key | None:
    """Return the key ``name`` of ``section``, or ``None`` if there is none."""
    if section == "autocompleteOptions" and name.startswith("experimental_"):
        return SECTIONS[section]["experimental_*"]
    return SECTIONS[section].get(name)


def sections_with(name: str) -> tuple[Section, ...]:
    """Return the sections that have a key ``name``."""
    return tuple(key.section for key in KEYS if key.name == name)
