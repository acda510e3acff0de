"""What a value may be, and how it is told that one is not."""

from __future__ import annotations

import json
import math

import pytest
from config_world import World
from names import NAMES

from bytebuddy_provider_hf.config.schema import KEYS, SECTIONS
from bytebuddy_provider_hf.config.structure import CLASSES
from bytebuddy_provider_hf.config.values import LogOptions, ModelEntry
from bytebuddy_provider_hf.types import DEFAULT_ROLES, Role

HEAD = "models:\n  - name: m\n    provider: p\n    model: org/m\n"

FULL = """\
name: mine
version: 1.0.0
schema: v1
context: [{provider: code}]
data: []
mcpServers: []
rules: []
prompts: []
docs: []
env: {A: 1}
log: {path: ~/x.log, level: debug, size: 1, keep: 1}
ledger: off
budget: {calls: 30000, period: account}
alerts: {command: [notify-send, "{budget}"]}
cache: {mode: all, size: 1}
requestOptions:
  timeout: 5
models:
  - name: full
    provider: huggingface-tgi
    model: 010
    apiKey: 12345
    apiBase: http://127.0.0.1:8080/v1
    contextLength: 4096
    family: mixtral
    maxStopWords: 4
    billTo: my-org
    fallbacks: [other]
    fallbackAfter: 0
    budget: {dollars: 2.50, tokens: 9, calls: 1, period: day, hard: true}
    cache: {mode: "on", access: read_only, maxAge: 60, size: 9}
    roles: [chat, embeddings, reranking, chat]
    capabilities: [tool_use, my_own]
    cacheBehavior: {cacheSystemMessage: true, cacheConversation: false}
    useLegacyCompletionsEndpoint: false
    useResponsesApi: true
    sourceFile: x.yaml
    env: {a: text, b: true, c: 1, d: 1.5}
    defaultCompletionOptions:
      contextLength: 1
      maxTokens: 2
      temperature: 2
      topP: 1
      topK: 0
      minP: 0
      repetitionPenalty: 1.1
      presencePenalty: -2
      frequencyPenalty: 2
      stop: ["</s>", "\\n"]
      n: 1
      seed: -1
      reasoning: true
      reasoningEffort: low
      reasoningBudgetTokens: 0
      promptCaching: false
      stream: true
      keepAlive: -1
    requestOptions:
      connectTimeout: 1.5
      firstByteTimeout: 2.5
      idleTimeout: 2
      noDataTimeout: 3
      coldStartTimeout: 4
      maxConcurrency: 1024
      maxQueue: 0
      maxAttempts: 1
      waitForServer: true
      allowDearer: true
      verifySsl: false
      caBundlePath: /a.pem
      proxy: http://user:pass@proxy:1
      noProxy: [a, .b]
      headers: {X-A: b}
      extraBodyProperties: {provider: {order: [a]}, n: 1}
      clientCertificate: {cert: c, key: k, passphrase: s}
    embedOptions:
      maxChunkSize: 128
      maxBatchSize: 1
      embeddingPrefixes: {chunk: "c: ", query: "q: "}
    chatOptions:
      baseSystemMessage: a
      baseAgentSystemMessage: b
      basePlanSystemMessage: c
      toolOverrides: [{name: x}]
    promptTemplates: {chat: llama3, edit: "{{{x}}}", apply: b, autocomplete: c}
    autocompleteOptions:
      disable: false
      maxPromptTokens: 1
      debounceDelay: 0
      modelTimeout: 1
      maxSuffixPercentage: 0.2
      prefixPercentage: 0.3
      transform: true
      template: t
      onlyMyCode: true
      useCache: true
      useImports: true
      useRecentlyEdited: true
      useRecentlyOpened: true
      experimental_includeX: [1]
  - name: other
    provider: p
    model: 010
    roles: [chat, embed, rerank]
    embedOptions:
      embeddingPrefixes: {chunk: "c: ", query: "q: "}
"""


def test_every_key_of_the_schema_is_read(world: World) -> None:
    """A file with all of them loads without a warning, and no field stays empty."""
    config = world.read(FULL)
    assert config.warnings == ()
    assert (config.name, config.version) == ("mine", "1.0.0")
    entry, _ = config.entries
    for key in KEYS:
        if key.section != "file":
            assert key.name.replace("experimental_*", "experimental_includeX") in FULL
    assert (entry.model, entry.api_key.reveal()) == ("010", "12345")
    assert entry.roles == (Role.CHAT, Role.EMBED, Role.RERANK)
    assert entry.env == {"a": "text", "b": True, "c": 1, "d": 1.5}
    options = entry.default_completion_options
    assert (options.stop, options.seed, options.keep_alive) == (("</s>", "\n"), -1, -1)
    request = entry.request_options
    assert (request.timeout, request.connect_timeout) == (5, 1.5)
    assert (request.first_byte_timeout, request.wait_for_server) == (2.5, True)
    assert (entry.bill_to, request.allow_dearer) == ("my-org", True)
    assert request.ca_bundle_path == ("/a.pem",)
    assert request.no_proxy == ("a", ".b")
    assert request.headers["X-A"].reveal() == "b"
    assert request.extra_body_properties == {"provider": {"order": ["a"]}, "n": 1}
    assert request.client_certificate.passphrase.reveal() == "s"
    assert entry.embed_options.embedding_prefixes.query == "q: "
    assert entry.chat_options.tool_overrides == ({"name": "x"},)
    assert entry.prompt_templates.edit == "{{{x}}}"
    assert entry.autocomplete_options.experimental == {"experimental_includeX": [1]}
    assert entry.cache_behavior.cache_conversation is False


def test_the_table_and_the_values_name_the_same_fields() -> None:
    """Every field that a file can set has its key, and every key its field."""
    of_code = {"extra", "source", "unset", "budgets", "written"}
    of_code |= {"api_key_origin", "api_key_place"}
    for section, cls in CLASSES.items():
        fields = {field.name for field in cls.__attrs_attrs__}
        expected = fields - of_code if cls in (ModelEntry, LogOptions) else fields
        assert {key.field for key in SECTIONS[section].values()} == expected, section


def test_the_smallest_entry(world: World) -> None:
    """Three keys are enough; the rest has its defaults."""
    entry = world.read(HEAD).entries[0]
    assert entry.roles == DEFAULT_ROLES
    assert entry.api_key is None
    assert entry.default_completion_options.max_tokens is None


def test_the_window_may_stand_with_the_options(world: World) -> None:
    """The entry's ``contextLength`` counts, else that of its options."""
    below = "defaultCompletionOptions: {contextLength: 7}"
    assert world.entry(below).context_length == 7
    assert world.entry(f"contextLength: 8\n{below}").context_length == 8


OPTIONS = {
    "temperature": (
        "a number from 0 to 2",
        ["-0.1", "2.1", ".nan", ".inf", "true", "'1'", "hot", "[1]", "{a: 1}", "1_0"],
    ),
    "maxTokens": (
        "a whole number, 1 or more",
        ["0", "-1", "1.5", "1.0", "true", "'4'", "9999999999999999999999"],
    ),
    "topP": ("a number from 0 to 1", ["-1", "1.01"]),
    "topK": ("a whole number, 0 or more", ["-1", "2.5"]),
    "minP": ("a number from 0 to 1", ["2"]),
    "repetitionPenalty": ("a number above 0", ["0", "-1", "1e999"]),
    "presencePenalty": ("a number from -2 to 2", ["3"]),
    "frequencyPenalty": ("a number from -2 to 2", ["-3"]),
    "stream": ("true or false", ["yes", "1", "on", "'true'"]),
    "stop": (
        "text of at most 200 characters, or a list of such texts",
        ["{a: 1}"],
    ),
    "seed": ("a whole number", ["1.5"]),
}


def test_a_stop_that_is_too_long_is_told_with_its_length(world: World) -> None:
    """Alone or in a list; one of 200 characters is taken."""
    head = f"{HEAD}    defaultCompletionOptions:\n      stop: "
    told = "expected text of at most 200 characters, found 201 characters"
    for value in ("x" * 201, f"[ok, {'x' * 201}]"):
        (problem,) = world.problems(f"{head}{value}\n")
        assert problem.endswith(told)
    options = world.entry(
        f"defaultCompletionOptions: {{stop: {'x' * 200}}}"
    ).default_completion_options
    assert options.stop == ("x" * 200,)


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, (_, values) in OPTIONS.items() for value in values],
)
def test_a_value_out_of_range_is_told_with_its_place(
    world: World, key: str, value: str
) -> None:
    """File, line, column, path, what was expected, what stood there."""
    text = f"{HEAD}    defaultCompletionOptions:\n      {key}: {value}\n"
    (problem,) = world.problems(text)
    place = f"chosen.yaml:6:{9 + len(key)}: models[0].defaultCompletionOptions.{key}: "
    assert problem.startswith(f"{place}expected {OPTIONS[key][0]}, found ")


REQUEST = [
    ("timeout", ["0", "-1", ".inf", "soon", "true"]),
    ("maxConcurrency", ["0", "1025", "1.5"]),
    ("maxQueue", ["-1"]),
    ("maxAttempts", ["0"]),
    ("firstByteTimeout", ["0", "-1", "soon"]),
    ("waitForServer", ["no", "1"]),
    ("verifySsl", ["no", "0"]),
]


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in REQUEST for value in values]
)
@pytest.mark.parametrize("top", [True, False])
def test_request_options_are_checked_wherever_they_stand(
    world: World, key: str, value: str, top: bool
) -> None:
    """The same ranges hold at the top level and in an entry."""
    where = "requestOptions" if top else "    requestOptions"
    (problem,) = world.problems(f"{HEAD}{where}: {{{key}: {value}}}\n")
    path = "requestOptions" if top else "models[0].requestOptions"
    assert f": {path}.{key}: expected " in problem


MEANT = "autocompletion (do you mean autocomplete?)"
SINGLE = "a single value"
UNSENDABLE = "characters that no header may hold"
ELSEWHERE = "do you mean temperature, under defaultCompletionOptions?"
TOP_LIMIT = "requestOptions.maxConcurrency"


def test_all_errors_of_all_entries_are_told_at_once(world: World) -> None:
    """In the order of the file, with line and column."""
    text = """\
name: x
models:
  - name: a
    provider: p
    model: org/m
    roles: [chat, foo, autocompletion]
    apiBase: ftp://host
    defaultCompletionOptions: {temperature: 3.5, maxTokens: true}
  - 3
  - name: a
    provider: p
  - provider: ""
    name: b
    model: org/m
    requestOptions:
      headers:
        X-A: "a\\nb"
        "b c": d
      clientCertificate: {cert: c}
      timeout: 0
    embedOptions: 5
    autocompleteOptions: {prefixPercentage: 30}
requestOptions:
  maxConcurrency: 0
"""
    roles = f"one of {', '.join(Role)}"
    url = "an http or https URL without user name or password"
    header = "one line of Latin-1 text without control characters"
    token = "a header name of letters, digits and hyphens"
    word = "text that is not empty"
    none = "nothing: it is required"
    options = "defaultCompletionOptions"
    request = "models[3].requestOptions"
    share = "models[3].autocompleteOptions.prefixPercentage"
    count = "a whole number, 1 or more"
    expected = [
        ("6:19", "models[0].roles[1]", roles, "foo"),
        ("6:24", "models[0].roles[2]", roles, MEANT),
        ("7:14", "models[0].apiBase", url, "ftp://host"),
        ("8:45", f"models[0].{options}.temperature", "a number from 0 to 2", "3.5"),
        ("8:61", f"models[0].{options}.maxTokens", count, "true"),
        ("9:5", "models[1]", "a mapping with name, provider and model", SINGLE),
        ("10:5", "models[2].model", word, none),
        ("12:15", "models[3].provider", word, 'the text ""'),
        ("17:14", f"{request}.headers.X-A", header, UNSENDABLE),
        ("18:16", f"{request}.headers.b…", token, "something else"),
        ("19:26", f"{request}.clientCertificate.key", "a path", none),
        ("20:16", f"{request}.timeout", "a number above 0", "0"),
        ("21:19", "models[3].embedOptions", "a mapping", SINGLE),
        ("22:45", share, "a number from 0 to 1", "30"),
        ("24:19", TOP_LIMIT, "a whole number from 1 to 1024", "0"),
    ]
    assert world.problems(text) == [
        f"chosen.yaml:{place}: {path}: expected {wanted}, found {found}"
        for place, path, wanted, found in expected
    ]


def test_two_entries_of_one_file_cannot_share_a_name(world: World) -> None:
    """A name is how an entry is asked for."""
    text = HEAD + HEAD.removeprefix("models:\n")
    assert world.problems(text) == [
        "chosen.yaml:5:5: models: an entry named 'm' already stands at 2:5"
    ]


@pytest.mark.parametrize("value", ["x", "{a: 1}", "3"])
def test_models_is_a_list(world: World, value: str) -> None:
    """Anything else is told at its place."""
    (problem,) = world.problems(f"models: {value}\n")
    assert problem.startswith("chosen.yaml:1:9: models: expected a list of entries")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "name: x\n", "models:\n"])
def test_a_named_file_without_models_is_an_error(world: World, text: str) -> None:
    """Who names a file means its models."""
    (problem,) = world.problems(text)
    assert "models: expected a list of entries, found nothing" in problem


def test_an_unknown_key_is_a_warning_with_its_place_and_the_nearest_spelling(
    world: World,
) -> None:
    """Nothing is dropped in silence; an entry keeps what it does not know."""
    config = world.read(
        "modles: 1\n" + HEAD + "    temprature: 3\n    temperature: 1\n    api_key: k\n"
        "    ours: {a: [1, no]}\n    defaultCompletionOptions:\n      top_p: 1\n"
        "requestOptions: {time-out: 1}\n"
    )
    options = "defaultCompletionOptions"
    expected = [
        ("1:1", "modles", "modles; do you mean models?"),
        ("6:5", "models[0].temprature", f"temprature; {ELSEWHERE}"),
        ("7:5", "models[0].temperature", f"temperature; it belongs under {options}"),
        ("8:5", "models[0].api_key", "api_key; do you mean apiKey?"),
        ("9:5", "models[0].ours", "ours"),
        ("11:7", f"models[0].{options}.top_p", "top_p; do you mean topP?"),
        ("12:18", "requestOptions.time-out", "time-out; do you mean timeout?"),
    ]
    assert [str(w).partition("chosen.yaml:")[2] for w in config.warnings] == [
        f"{place}: {path}: unknown key {said}" for place, path, said in expected
    ]
    extra = config.entries[0].extra
    assert extra == {
        "temprature": 3,
        "temperature": 1,
        "api_key": "k",
        "ours": {"a": [1, "no"]},
    }


@pytest.mark.parametrize(
    "value", ["a\\nb", "a\\rb", "a\\0b", "a\\x7fb", "\\u20ac", "a\\nX-Evil: 1"]
)
def test_a_header_cannot_smuggle_another(world: World, value: str) -> None:
    """Line breaks, NUL and what is not Latin-1: the field is named, not the value."""
    (problem,) = world.problems(
        f'{HEAD}    requestOptions: {{headers: {{X-A: "{value}"}}}}\n'
    )
    assert "models[0].requestOptions.headers.X-A: expected one line" in problem
    assert "Evil" not in problem


def test_numbers_are_finite(world: World) -> None:
    """No infinity slips in through an exponent."""
    options = world.entry("defaultCompletionOptions: {temperature: 1e-320}")
    assert math.isfinite(options.default_completion_options.temperature)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_may_have_any_name(name: str, world: World) -> None:
    """In double quotes, as JSON writes it, which is YAML; its server knows the name."""
    quoted = json.dumps(name, ensure_ascii=False)
    head = "models:\n  - name: m\n    provider: huggingfaceinferenceapi\n"
    (entry,) = world.read(f"{head}    model: {quoted}\n").entries
    assert entry.model == name
