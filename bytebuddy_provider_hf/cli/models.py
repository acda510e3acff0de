"""Run ``bytebuddy-hf models``: list, search, compare, suggest and add models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import click
from attrs import evolve

from bytebuddy_provider_hf.cli import screen, tables
from bytebuddy_provider_hf.cli.config import (
    offline_notices,
    show_complaints,
    show_no_model,
)
from bytebuddy_provider_hf.cli.options import (
    JSON,
    add_options,
    config_option,
    epilog_of,
    json_option,
    trouble_options,
)
from bytebuddy_provider_hf.cli.tables import Column
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    UnknownProvider,
    UnsetVariable,
    UntrustedProject,
)
from bytebuddy_provider_hf.money import nano_usd
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role

if TYPE_CHECKING:
    from bytebuddy_provider_hf.client.catalogue import Catalogue, FoundModel, SortKey
    from bytebuddy_provider_hf.config.values import ModelEntry
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

R = TypeVar("R")

# Wider than any terminal: the list of entries is aligned in a pipe as well.
_ANY_WIDTH: Final = 1_000_000
# Seconds: what can be done without is not waited for.
_CONNECT_LIMIT: Final = 5.0
# Names in a cell; a model may be served by ten providers.
_MOST_PROVIDERS: Final = 4
_EXAMPLES: Final = """\b
Examples:
  bytebuddy-hf models
  bytebuddy-hf models search coder --max-price 0.5 --tools
  bytebuddy-hf models show Qwen/Qwen3-32B --prompt-tokens 4000
  bytebuddy-hf models add Qwen/Qwen3-32B --provider cheapest
  bytebuddy-hf models suggest bigcode/starcoder
  bytebuddy-hf models list --base http://127.0.0.1:8080
"""


@click.group(invoke_without_command=True, epilog=_EXAMPLES)
@config_option
@json_option
@trouble_options
@click.pass_context
def models(ctx: click.Context, *, config: Path | None, as_json: bool) -> None:
    """List the models of the configuration; search, compare, suggest and add others.

    What Hugging Face tells of models is asked without a token, kept with its age, and
    shown offline, too (HF_HUB_OFFLINE=1). Nothing is asked where every model of the
    configuration is on a private server.
    """
    # An option before the subcommand holds for it.
    ctx.obj = config
    if ctx.invoked_subcommand is None:
        _list_entries(config, as_json=as_json)


def subcommand(
    name: str, short: str, *examples: str
) -> Callable[[Callable[..., object]], click.Command]:
    """Return the decorator of a subcommand: ``--config``, ``--json``, ``--online``."""

    def add(command: Callable[..., object]) -> click.Command:
        shared = (
            click.option(
                "--online",
                is_flag=True,
                help="Ask Hugging Face also where all models are on private servers.",
            ),
            config_option,
            json_option,
            trouble_options,
        )
        made = models.command(name, short_help=short, epilog=epilog_of(*examples))
        # click lists first what was added last: an option's own come before these.
        return made(add_options(command, *shared))

    return add


def ask(
    question: Callable[[Catalogue], Awaitable[R]], *, config: Path | None, online: bool
) -> R:
    """Return what the catalogue answers, which knows the addresses in use."""
    from bytebuddy_provider_hf.client.catalogue import Catalogue
    from bytebuddy_provider_hf.client.runtime import Runtime, answers_folder
    from bytebuddy_provider_hf.plugin import PROVIDER
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry
    from bytebuddy_provider_hf.storage.kept_answers import KeptAnswers

    bases: tuple[str | None, ...] = ()
    screen.reserve_stdout()
    registry = ModelRegistry.load(chosen_file(config))
    if not online:
        bases = tuple(e.api_base for e in registry.entries if e.provider == PROVIDER)
    # The proxy and the authorities of the user's file.
    options = evolve(registry.request_options, connect_timeout=_CONNECT_LIMIT)

    async def main() -> R:
        runtime = Runtime(answers=KeptAnswers(answers_folder()))
        known = Catalogue(bases=bases, runtime=runtime, options=options)
        async with known as catalogue:
            return await question(catalogue)

    return asyncio.run(main())


def chosen_file(config: Path | None) -> Path | None:
    """Return the file of ``--config``, before or after the subcommand."""
    given = click.get_current_context().obj
    return config or (given if isinstance(given, Path) else None)


def wants_json(*, as_json: bool) -> bool:
    """Whether ``--json`` stands before or after the subcommand."""
    return as_json or bool(click.get_current_context().meta.get(JSON))


@subcommand(
    "search",
    "Search models by name, price, speed and abilities.",
    "bytebuddy-hf models search llama",
    "bytebuddy-hf models search --tools --min-context 100000 --sort price",
    "bytebuddy-hf models search coder --max-price 0.5 --json",
)
@click.argument("words", metavar="[TEXT]", required=False, default="")
@click.option(
    "--task", metavar="NAME", default="", help="A task of the Hub: text-generation, …"
)
@click.option(
    "--provider", metavar="NAME", default="", help="Served by this provider: groq, …"
)
@click.option(
    "--max-price",
    metavar="USD",
    help="At most so many dollars per million tokens of an answer.",
)
@click.option(
    "--min-context",
    type=click.IntRange(min=1),
    metavar="TOKENS",
    help="A context length of at least so many tokens.",
)
@click.option("--tools", is_flag=True, help="Takes tools.")
@click.option("--structured", is_flag=True, help="Can be held to a JSON schema.")
@click.option("--warm", is_flag=True, help="Served by somebody now.")
@click.option(
    "--gated/--no-gated", default=None, help="A licence has to be accepted, or not."
)
@click.option(
    "--license",
    "licence",
    metavar="NAME",
    default="",
    help="Under this licence, such as apache-2.0.",
)
@click.option(
    "--sort",
    type=click.Choice(["price", "speed", "context", "likes"]),
    help="The best first (default: those that are served, then by likes).",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="Show at most so many.",
)
def search(
    *,
    words: str,
    task: str,
    provider: str,
    max_price: str | None,
    min_context: int | None,
    tools: bool,
    structured: bool,
    warm: bool,
    gated: bool | None,
    licence: str,
    sort: str | None,
    limit: int,
    online: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Search the models that Hugging Face lists, by parts of their id.

    Of the providers that fit, the lowest price, the longest context, the highest speed
    and the shortest time to the first token are shown. A dash is what nobody tells.
    """
    from bytebuddy_provider_hf.cli.model_text import show_age
    from bytebuddy_provider_hf.client.catalogue import ModelFilter

    price = None if max_price is None else nano_usd(max_price)
    if max_price is not None and price is None:
        raise click.BadParameter(text("models.no_price", said=max_price))
    wanted = ModelFilter(
        task=task,
        provider=provider,
        licence=licence,
        max_price=price,
        min_context=min_context,
        with_tools=tools,
        with_structured_output=structured,
        is_warm=warm,
        is_gated=gated,
    )
    found = ask(
        lambda catalogue: catalogue.search(
            words, wanted=wanted, sort=cast("SortKey | None", sort), limit=limit
        ),
        config=config,
        online=online,
    )
    if wants_json(as_json=as_json):
        listed = [_model_object(each) for each in found.models]
        whole = found.is_whole
        screen.print_json({"models": listed, "age": found.age, "whole": whole})
        return
    if found.models:
        show_models(found.models)
    else:
        tables.print_note(text("models.none_fits"))
    if not found.is_whole:
        tables.print_note(
            text("cli.warning", said=text("models.half_told")), colour="yellow"
        )
    show_age(found.age)


def show_models(found: tuple[FoundModel, ...]) -> None:
    """Print models with what their providers offer, one a row."""
    from bytebuddy_provider_hf.cli import model_text as said

    head = (
        Column(text("models.head_id")),
        Column(text("models.head_providers")),
        Column(text("models.head_in"), is_number=True),
        Column(text("models.head_out"), is_number=True),
        Column(text("models.head_context"), is_number=True),
        Column(text("models.head_tools")),
        Column(text("models.head_speed"), is_number=True),
        Column(text("models.head_first"), is_number=True),
        Column(text("models.head_likes"), is_number=True),
        Column(text("models.head_size"), is_number=True),
    )
    rows = []
    for each in found:
        names = [offer.provider for offer in each.offers]
        more = len(names) - _MOST_PROVIDERS
        shown = ", ".join(names[:_MOST_PROVIDERS])
        if more > 0:
            shown = text("models.and_more", names=shown, count=more)
        best = each.cheapest
        rows.append(
            (
                each.id,
                shown or tables.UNKNOWN,
                *said.prices_text(None if best is None else best.price),
                said.count_text(each.context_length),
                said.yes_text(told=any(o.supports_tools for o in each.offers)),
                said.speed_text(each.throughput),
                said.first_token_text(each.first_token_ms),
                said.count_text(each.likes),
                said.size_text(each.parameters),
            )
        )
    tables.print_table(head, rows, width=tables.terminal_width())


def _model_object(found: FoundModel) -> dict[str, object]:
    from bytebuddy_provider_hf.cli.model_text import offer_object

    facts = found.facts
    return {
        "id": found.id,
        "providers": [offer_object(each) for each in found.offers],
        "parameters": found.parameters,
        "likes": found.likes,
        "downloads": None if facts is None else facts.downloads,
        "task": None if facts is None else facts.pipeline_tag,
        "license": None if facts is None else facts.licence,
        "gated": None if facts is None else facts.gated,
        "modified": None if facts is None else facts.modified or None,
    }


@subcommand(
    "show",
    "Show all of a model: providers, licence, roles, cost.",
    "bytebuddy-hf models show meta-llama/Llama-3.3-70B-Instruct",
    "bytebuddy-hf models show Qwen/Qwen3-32B --prompt-tokens 4000",
)
@click.argument("model", metavar="ID")
@click.option(
    "--prompt-tokens",
    type=click.IntRange(1, 100_000_000),
    default=1_000,
    show_default=True,
    metavar="NUMBER",
    help="Reckon with a question of so many tokens.",
)
@click.option(
    "--answer-tokens",
    type=click.IntRange(1, 100_000_000),
    default=500,
    show_default=True,
    metavar="NUMBER",
    help="Reckon with an answer of so many tokens.",
)
def show(
    *,
    model: str,
    prompt_tokens: int,
    answer_tokens: int,
    online: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Show who serves ID at what price and speed, and what it can do here.

    Its licence and how to accept it, what its card says of it and of its limitations,
    the roles it can take, who is cheapest and fastest for a call of the size that you
    name, and an entry for the configuration.
    """
    from bytebuddy_provider_hf.cli.model_page import page_object, print_page

    page = ask(
        lambda catalogue: catalogue.show(
            model, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens
        ),
        config=config,
        online=online,
    )
    if wants_json(as_json=as_json):
        screen.print_json(page_object(page))
    else:
        print_page(page)


@subcommand(
    "add",
    "Write an entry for a model into your configuration.",
    "bytebuddy-hf models add Qwen/Qwen3-32B",
    "bytebuddy-hf models add Qwen/Qwen3-32B --provider cheapest --yes",
    "bytebuddy-hf models add org/name --role chat --role edit --name my",
)
@click.argument("model", metavar="ID")
@click.option("--name", help="The entry's name (default: made of the id).")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([each.value for each in Role]),
    metavar="ROLE",
    help="A role of the entry; may be repeated (default: what the model can do).",
)
@click.option(
    "--provider",
    metavar="cheapest|fastest|NAME",
    default="",
    help="Who shall serve it (default: the router chooses).",
)
@click.option("-y", "--yes", is_flag=True, help="Write without asking.")
def add(
    *,
    model: str,
    name: str | None,
    roles: tuple[str, ...],
    provider: str,
    yes: bool,
    online: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Write an entry for ID into your file, after you saw the difference.

    Comments and layout of the file stay. The key is never written: the entry names the
    variable HF_API_KEY, which "bytebuddy-hf login" sets.
    """
    from bytebuddy_provider_hf.cli.add_model import add_entry

    page = ask(lambda catalogue: catalogue.show(model), config=config, online=online)
    add_entry(
        page,
        chosen_file(config),
        name=name,
        roles=tuple(Role(each) for each in roles),
        provider=provider,
        yes=yes,
        as_json=wants_json(as_json=as_json),
    )


@subcommand(
    "suggest",
    "Find living models near one that nobody serves.",
    "bytebuddy-hf models suggest meta-llama/Llama-2-70b-chat-hf",
    "bytebuddy-hf models suggest bigcode/starcoder --limit 3 --json",
)
@click.argument("model", metavar="ID")
@click.option(
    "--limit",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    metavar="NUMBER",
    help="Show at most so many.",
)
def suggest(
    *, model: str, limit: int, online: bool, config: Path | None, as_json: bool
) -> None:
    """Find models that are served now and near to ID, each with its reasons.

    Family, size, task, languages and price are compared. Where nobody can be asked,
    the package's own list of a past day is used.
    """
    from bytebuddy_provider_hf.cli import model_text as said

    found = ask(
        lambda catalogue: catalogue.suggest(model, most=limit),
        config=config,
        online=online,
    )
    if wants_json(as_json=as_json):
        listed = [
            {
                "id": it.profile.id,
                "reasons": list(it.reasons),
                "score": round(it.score, 2),
                "provider": it.profile.provider or None,
                "price_per_million": said.price_object(it.profile.price),
                "context_length": it.profile.context_length,
                "parameters": it.profile.parameters,
            }
            for it in found.suggestions
        ]
        day = None if found.snapshot is None else found.snapshot.isoformat()
        screen.print_json(
            {
                "model": found.wanted.id,
                "served": found.is_served,
                "suggestions": listed,
                "age": found.age,
                "snapshot": day,
            }
        )
        return
    if found.is_served:
        tables.print_note(text("models.is_served", model=found.wanted.id))
    head = (
        Column(text("models.head_id")),
        Column(text("models.head_reasons")),
        Column(text("models.head_provider")),
        Column(text("models.head_in"), is_number=True),
        Column(text("models.head_out"), is_number=True),
        Column(text("models.head_context"), is_number=True),
    )
    rows = [
        (
            it.profile.id,
            # Joined as a text, which can be said in either language.
            reduce(lambda a, b: text("models.joined", first=a, second=b), it.reasons),
            it.profile.provider or tables.UNKNOWN,
            *said.prices_text(it.profile.price),
            said.count_text(it.profile.context_length),
        )
        for it in found.suggestions
    ]
    if rows:
        tables.print_table(head, rows, width=tables.terminal_width())
        tables.print_note(
            text("models.then_show", model=found.suggestions[0].profile.id)
        )
    else:
        tables.print_note(text("models.none_near", task=found.wanted.kind))
    if found.snapshot is not None:
        said.show_snapshot(found.snapshot)
    elif found.age is not None:
        said.show_age(found.age)


@subcommand(
    "list",
    "List what a server serves, or the configuration.",
    "bytebuddy-hf models list",
    "bytebuddy-hf models list --base http://127.0.0.1:8080",
)
@click.option("--base", metavar="URL", help="The server to ask what it serves.")
def list_models(
    *, base: str | None, online: bool, config: Path | None, as_json: bool
) -> None:
    """List the models that a server of one's own serves, as it tells itself.

    Its list of models, /info and the like are asked for. Without --base: the models of
    the configuration.
    """
    as_json = wants_json(as_json=as_json)
    if base is None:
        _list_entries(chosen_file(config), as_json=as_json)
        return
    # Nothing of Hugging Face is asked: the configuration says nothing about it.
    del online
    found = ask(lambda catalogue: catalogue.served_at(base), config=None, online=True)
    if as_json:
        screen.print_json(
            {
                "base": found.base,
                "server": found.server,
                "models": list(found.models),
                "loaded_model": found.loaded_model,
                "context_length": found.context_length,
                "max_input": found.max_input,
                "routes": list(found.routes),
                "abilities": {k: list(v) for k, v in found.abilities.items()},
            }
        )
        return
    from bytebuddy_provider_hf.cli.model_text import count_text

    width = tables.terminal_width()
    known = found.context_length, found.max_input
    window, most = (None if each is None else count_text(each) for each in known)
    facts = (
        (text("models.fact_server"), found.server),
        (text("models.fact_loaded"), found.loaded_model or ""),
        (text("models.fact_context"), window or ""),
        (text("models.fact_input"), most or ""),
        (text("models.fact_routes"), ", ".join(found.routes)),
    )
    tables.print_facts(facts, width=width)
    if not found.models:
        tables.print_note(text("models.names_none"))
        return
    screen.emit("")
    head = [Column(text("models.head_id")), Column(text("models.head_can"))]
    rows = [(name, ", ".join(found.abilities.get(name, ()))) for name in found.models]
    if not found.abilities:
        head, rows = head[:1], [(name,) for name in found.models]  # type: ignore[misc]  # one column
    tables.print_table(head, rows, width=width)


def _list_entries(config: Path | None, *, as_json: bool) -> None:
    """List the models of the configuration, and what is in the way of each."""
    from bytebuddy_provider_hf.plugins.registry import ModelRegistry

    screen.reserve_stdout()
    registry = ModelRegistry.load(config)
    states = [(entry, *_state(registry, entry)) for entry in registry.entries]
    known = [(e, said) for e in registry.entries for said in offline_notices(e)]
    if as_json:
        listed = [
            {
                "name": entry.shown("name"),
                "provider": entry.shown("provider"),
                "model": entry.shown("model"),
                "roles": list(entry.roles),
                "written_in": str(entry.source),
                "state": state,
                "problem": problem,
            }
            for entry, state, problem in states
        ]
        screen.print_json(
            {
                "models": listed,
                "failures": [str(failure) for failure in registry.failures],
                "warnings": [
                    *(str(warning) for warning in registry.warnings),
                    *(f"{entry.source}: {said}" for entry, said in known),
                ],
            }
        )
        return
    width = tables.terminal_width()
    # A program that reads a pipe gets the whole path.
    place = str if width is None else tables.home_as_tilde
    if states:
        rows = [
            (
                *map(it.shown, ("name", "provider", "model")),
                ",".join(it.roles),
                state,
                place(str(it.source)),
            )
            for it, state, _ in states
        ]
        head = (
            text("cli.head_name"),
            text("cli.head_provider"),
            text("cli.head_model"),
            text("cli.head_roles"),
            text("cli.head_state"),
            text("cli.head_place"),
        )
        tables.print_table(head, rows, width=width or _ANY_WIDTH)
    else:
        show_no_model(registry)
    show_complaints(registry.failures, registry.warnings)
    for entry, said in known:
        screen.warn(text("cli.at", place=entry.source, said=said))


def _state(registry: ModelRegistry, entry: ModelEntry) -> tuple[str, str | None]:
    """Return how far ``entry`` can be opened without asking its provider, and why."""
    # Not opened: a listing asks no provider, and is there at once.
    try:
        registry.check(entry.name)
    except UnsetVariable as error:
        state = text(
            "cli.is_refused" if entry.unset[0].refused else "cli.is_not_set",
            variable=error.variable,
        )
        return state, str(error)
    except UnknownProvider as error:
        return text("cli.no_provider"), str(error)
    except UntrustedProject as error:
        return text("cli.untrusted"), str(error)
    except ByteBuddyError as error:
        return text("cli.cannot_open"), str(error)
    return text("cli.ready"), None
