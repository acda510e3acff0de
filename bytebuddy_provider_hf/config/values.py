"""Hold what a configuration file says: frozen values, the fields of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, fields, frozen, has

from bytebuddy_provider_hf.secret import Secret, redact, redacted_repr
from bytebuddy_provider_hf.texts import LocalizedText, key_of, text
from bytebuddy_provider_hf.types import DEFAULT_ROLES, CompletionOptions, Role

CacheMode: TypeAlias = Literal["off", "on", "all"]
SourceKind: TypeAlias = Literal["explicit", "user", "project", "global", "code"]


@frozen
class Source:
    """Where an entry was written. ``line`` and ``column`` count from 1."""

    kind: SourceKind = "code"
    path: Path | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.path is None:
            return "code"
        return f"{self.path}:{self.line}:{self.column}" if self.line else str(self.path)


@frozen
class UnsetReference:
    """A variable an entry names and nobody has set; ``place`` is file:line:column.

    One that is ``refused`` may be set: a project's file may not name it there.
    """

    variable: str
    path: str
    place: str
    hint: str = ""
    refused: bool = False


@frozen
class ClientCertificate:
    """A certificate and key file that this client shows to the server."""

    cert: str
    key: str
    passphrase: Secret | None = None


@frozen
class RequestOptions:
    """How requests travel. ``None`` means the built-in default.

    Args:
        timeout: Seconds for a whole call, 600 by default.
        connect_timeout: Seconds until a connection stands, 10.
        first_byte_timeout: Seconds until an answer begins; by default the timeout.
        idle_timeout: Seconds between two pieces of an answer, 60.
        no_data_timeout: Seconds between two pieces of text, where a server only sends
            signs of life, 300.
        cold_start_timeout: Seconds to wait for a model that is being loaded, 300.
        max_concurrency: Calls that run at once, 1 to 1024; 32.
        max_queue: Calls that may wait for their turn, 10000; one more is an error.
        max_attempts: How often a call is sent at most, 3.
        wait_for_server: Whether a server that is not up yet is waited for.
        verify_ssl: Without it certificates are not checked. Use it for tests only.
        ca_bundle_path: Files of certificates to trust in place of the system's.
        proxy: The proxy's address; by default that of HTTPS_PROXY and the like.
        no_proxy: Hosts that are asked without it; by default those of NO_PROXY.
        headers: Headers that are sent too; each value is a ``Secret``.
        extra_body_properties: Members that are put into every body.
        allow_dearer: Whether the router may take a dearer provider when one fails.
        client_certificate: The certificate that this client shows.
    """

    timeout: float | None = None
    connect_timeout: float | None = None
    first_byte_timeout: float | None = None
    idle_timeout: float | None = None
    no_data_timeout: float | None = None
    cold_start_timeout: float | None = None
    max_concurrency: int | None = None
    max_queue: int | None = None
    max_attempts: int | None = None
    wait_for_server: bool | None = None
    verify_ssl: bool | None = None
    ca_bundle_path: tuple[str, ...] | None = None
    # A proxy's address carries its password, and host programs print these values.
    proxy: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] | None = None
    headers: Mapping[str, Secret] = field(factory=dict)
    extra_body_properties: Mapping[str, object] = field(factory=dict)
    allow_dearer: bool | None = None
    client_certificate: ClientCertificate | None = None


@frozen
class EmbeddingPrefixes:
    """Text put before a chunk or a query by models that want it."""

    chunk: str = ""
    query: str = ""


@frozen
class EmbedOptions:
    """How texts are cut and batched for embedding."""

    max_chunk_size: int | None = None
    max_batch_size: int | None = None
    embedding_prefixes: EmbeddingPrefixes | None = None


@frozen
class ChatOptions:
    """System messages that the host adds to a conversation."""

    base_system_message: str | None = None
    base_agent_system_message: str | None = None
    base_plan_system_message: str | None = None
    tool_overrides: tuple[Mapping[str, object], ...] = ()


@frozen
class PromptTemplates:
    """Templates that replace the built-in ones; ``chat`` names a family."""

    chat: str | None = None
    edit: str | None = None
    apply: str | None = None
    autocomplete: str | None = None


@frozen
class AutocompleteOptions:
    """How a host asks for completions while the user types."""

    disable: bool | None = None
    max_prompt_tokens: int | None = None
    debounce_delay: int | None = None
    model_timeout: int | None = None
    max_suffix_percentage: float | None = None
    prefix_percentage: float | None = None
    transform: bool | None = None
    template: str | None = None
    only_my_code: bool | None = None
    use_cache: bool | None = None
    use_imports: bool | None = None
    use_recently_edited: bool | None = None
    use_recently_opened: bool | None = None
    experimental: Mapping[str, object] = field(factory=dict)


@frozen
class BudgetOptions:
    """How much may be used up in a period; ``None`` sets no bound.

    ``dollars`` is in 10⁻⁹ USD. ``period`` is a calendar day or month (UTC), or the
    account's own month where its bill tells it. A ``hard`` budget refuses the call
    that would pass it; any other only tells.
    """

    dollars: int | None = None
    tokens: int | None = None
    calls: int | None = None
    period: Literal["day", "month", "account"] = "month"
    hard: bool = False


@frozen
class Budget:
    """A budget and its ``name``: of the entry, or of the file, that sets it.

    That of a project's entry has its file in it: another project's entry, or one of the
    user's, may be called the same and has another sum. ``of_project``: a project's file
    sets it, which runs no command of the user's.
    """

    name: str
    options: BudgetOptions
    of_project: bool = False


@frozen
class AlertOptions:
    """What is run when a part of a budget is used up: a program and its arguments."""

    command: tuple[str, ...] = ()


@frozen
class CacheOptions:
    """Which answers are kept and given again.

    ``mode`` "on" is for answers that a server would repeat, "all" for any. ``access``
    narrows it to looking or to keeping. ``max_age`` is in seconds, ``size``, of all
    that is kept, in MB.
    """

    mode: CacheMode = "on"
    access: Literal["read_write", "read_only", "write_only"] = "read_write"
    max_age: float | None = None
    size: int | None = None


@frozen
class FileSettings:
    """What stands at the top level of a file beside its entries, for all of them."""

    alerts: AlertOptions | None = None
    budget: BudgetOptions | None = None
    cache: CacheOptions | None = None


@frozen
class CacheBehavior:
    """Which parts of a prompt a server may keep."""

    cache_system_message: bool | None = None
    cache_conversation: bool | None = None


@frozen
class ModelEntry:
    """One entry of ``models``.

    ``extra`` keeps keys that the shared schema does not know. ``unset`` lists the
    variables that nobody has set: opening the entry fails with the first of them.
    """

    name: str
    provider: str
    model: str
    api_key: Secret | None = None
    # Not hidden but redacted: whoever reads an error wants to know where it went.
    api_base: str | None = field(default=None, repr=redacted_repr)
    roles: tuple[Role, ...] = DEFAULT_ROLES
    capabilities: tuple[str, ...] | None = None
    context_length: int | None = None
    family: str | None = None
    max_stop_words: int | None = None
    # Who pays: an organization, or one of its resource groups.
    bill_to: str | None = None
    default_completion_options: CompletionOptions = field(factory=CompletionOptions)
    request_options: RequestOptions = field(factory=RequestOptions)
    embed_options: EmbedOptions | None = None
    chat_options: ChatOptions | None = None
    prompt_templates: PromptTemplates | None = None
    autocomplete_options: AutocompleteOptions | None = None
    cache_behavior: CacheBehavior | None = None
    cache: CacheOptions | None = None
    budget: BudgetOptions | None = None
    # Names of entries that may answer instead, and the seconds of a cold start after
    # which they do.
    fallbacks: tuple[str, ...] = ()
    fallback_after: float | None = None
    use_legacy_completions_endpoint: bool | None = None
    use_responses_api: bool | None = None
    # A stranger's keys are not known to be harmless, nor are variables.
    env: Mapping[str, str | bool | int | float] = field(factory=dict, repr=False)
    source_file: str | None = None
    extra: Mapping[str, object] = field(factory=dict, repr=False)
    source: Source = field(factory=Source)
    unset: tuple[UnsetReference, ...] = ()
    # The variable that held the key, so that a refused key can be named.
    api_key_origin: str | None = None
    # What kind of place that is, a value of transport.credentials.Place.
    api_key_place: str | None = None
    # Its own budget, and those of files that hold for it.
    budgets: tuple[Budget, ...] = ()
    # By their keys, the values that variables went into, as they are written: a number
    # or a short name has no other mark.
    written: Mapping[str, str] = field(factory=dict, repr=False)

    def __repr__(self) -> str:
        return _shown(self, "", self.written)

    def shown(self, key: str) -> str:
        """Return what may be shown of a text of the entry.

        Args:
            key: The name of the field, such as model.
        """
        return redact(self.written.get(key) or str(getattr(self, key) or ""))


def _shown(value: object, key: str, written: Mapping[str, str]) -> str:
    """Return the ``repr`` of a part of an entry; what came from a variable is named."""
    if key in written:
        return repr(written[key])
    if has(type(value)):
        parts = []
        for each in fields(type(value)):  # type: ignore[arg-type]  # only attrs classes
            part, inner = getattr(value, each.name), key_of(each.name)
            inner = f"{key}.{inner}" if key else inner
            # Of what is redacted by a rule of its own only whole values are known.
            if callable(each.repr) and inner not in written:
                parts.append(f"{each.name}={each.repr(part)}")
            elif each.repr:
                parts.append(f"{each.name}={_shown(part, inner, written)}")
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, Mapping):
        pairs = (
            f"{name!r}: {_shown(part, f'{key}.{name}', written)}"
            for name, part in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple | list):
        items = [_shown(it, f"{key}[{at}]", written) for at, it in enumerate(value)]
        one = "," if len(items) == 1 and isinstance(value, tuple) else ""
        open_, close = "()" if isinstance(value, tuple) else "[]"
        return f"{open_}{', '.join(items)}{one}{close}"
    return redact(repr(value))


@frozen
class LogOptions:
    """Where the log is written: files of ``size`` MB, ``keep`` old ones beside it.

    ``level`` is the least that is written; ``path`` is absolute once a file was loaded.
    """

    path: str
    level: str = "warning"
    size: int = 5
    keep: int = 3
    source: Source = field(factory=Source)


@frozen
class ConfigWarning:
    """Something that does not stop loading: an unknown key, a setting ignored.

    ``is_problem`` tells that the file asks for what cannot be: a check fails then.
    """

    place: str
    message: str
    is_problem: bool = field(default=False, kw_only=True)

    @property
    def said(self) -> LocalizedText:
        """The warning with its place, for people."""
        return text("config.at", place=self.place, said=self.message)

    def __str__(self) -> str:
        return str(self.said)


@frozen
class Config:
    """Every entry of every file that was found, the strongest first.

    ``files`` are those read, strongest first; ``searched`` those looked for.
    """

    entries: tuple[ModelEntry, ...] = ()
    warnings: tuple[ConfigWarning, ...] = ()
    files: tuple[Path, ...] = ()
    searched: tuple[Path, ...] = ()
    name: str | None = None
    version: str | None = None
    log: LogOptions | None = None
    # Whether calls are counted: by default a registry's are.
    ledger: bool = True
    # Those of files that the user chose: they hold for whatever is called.
    budgets: tuple[Budget, ...] = ()
    alerts: AlertOptions | None = None
    # Those at the top of the strongest file that the user chose: proxy, authorities.
    request_options: RequestOptions = field(factory=RequestOptions)
