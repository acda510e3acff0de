"""Print all that is known of one model: providers, card, roles, cost, an entry."""

from __future__ import annotations

from attrs import asdict

from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.cli import model_text as said
from bytebuddy_provider_hf.cli import screen, tables
from bytebuddy_provider_hf.cli.tables import Column
from bytebuddy_provider_hf.client.abilities import Ability
from bytebuddy_provider_hf.client.catalogue import Estimate, ModelPage
from bytebuddy_provider_hf.config.new_entry import NewEntry, name_of
from bytebuddy_provider_hf.hub.nearness import profile_of
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.plugin import PROVIDER
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import DEFAULT_ROLES, Role

# Of tags and languages of a card, some have hundreds.
_MOST_WORDS = 20


def entry_for(
    page: ModelPage,
    *,
    name: str | None = None,
    roles: tuple[Role, ...] = (),
    policy: str = "",
) -> NewEntry:
    """Return an entry for a model, for what it can do behind the router.

    ``policy`` is cheapest, fastest or a provider's name; empty leaves it to the router.
    """
    able = {each.role for each in page.abilities if each.at_router}
    usual = [each for each in (*DEFAULT_ROLES, Role.EMBED, Role.RERANK) if each in able]
    chosen = tuple(each.value for each in roles or usual)
    model = f"{page.id}:{policy}" if policy else page.id
    return NewEntry(name or name_of(page.id), PROVIDER, model, chosen)


def print_page(page: ModelPage) -> None:
    """Print a model for a person who chooses one."""
    width = tables.terminal_width()
    screen.emit(screen.styled(page.id, bold=True))
    if page.id.lower() != page.asked.lower():
        tables.print_paragraph(text("models.renamed", asked=page.asked), width=width)
    tables.print_facts(_facts(page), width=width)
    if page.card.summary:
        screen.emit()
        tables.print_paragraph(page.card.summary, width=width)
    if page.card.limitations:
        screen.emit()
        title = text("models.limitations", heading=page.card.heading)
        tables.print_paragraph(title, width=width)
        for line in page.card.limitations:
            tables.print_paragraph(f"- {line}", width=width, indent="  ", hanging="  ")
    screen.emit()
    if page.offers:
        _print_offers(page, width)
    else:
        hint = text("models.nobody_serves", model=page.id)
        tables.print_paragraph(hint, width=width)
    screen.emit()
    roles = [(each.role.value, _way(each)) for each in page.abilities]
    if not roles:
        task = "" if page.facts is None else page.facts.pipeline_tag
        only = text("models.only_task", task=task or "NAME")
        roles = [(text("models.roles"), only)]
    tables.print_facts(roles, width=width)
    if page.is_served and entry_for(page).roles:
        screen.emit()
        title = text("models.entry", model=page.id)
        tables.print_paragraph(title, width=width)
        for line in entry_for(page).lines("  "):
            screen.emit(line)
    said.show_age(page.age)


def _facts(page: ModelPage) -> list[tuple[str, str]]:
    """Return what the Hub tells of a model, with its labels."""
    facts = page.facts
    if facts is None:
        return [(text("models.fact_size"), _size(page))]
    place = f"{HUB}/{facts.id}"
    gate = text("models.gate_open")
    if facts.gated and facts.gate == "manual":
        gate = text("models.gate_manual", page=place)
    elif facts.gated:
        gate = text("models.gate_auto", page=place)
    languages = facts.languages[:_MOST_WORDS]
    more = len(facts.languages) - len(languages)
    spoken = ", ".join(languages)
    return [
        (text("models.fact_licence"), facts.licence or ""),
        (text("models.fact_gate"), gate),
        (text("models.fact_task"), facts.pipeline_tag or ""),
        (text("models.fact_library"), facts.library or ""),
        (text("models.fact_size"), _size(page)),
        (
            text("models.fact_languages"),
            text("models.and_more", names=spoken, count=more) if more > 0 else spoken,
        ),
        (text("models.fact_made_from"), ", ".join(facts.base_models[:3])),
        (text("models.fact_likes"), _counted(facts.likes)),
        (text("models.fact_downloads"), _counted(facts.downloads)),
        (text("models.fact_modified"), facts.modified),
    ]


def _size(page: ModelPage) -> str:
    counted = profile_of(page.id, page.facts).parameters
    return "" if counted is None else said.size_text(counted)


def _counted(count: int | None) -> str:
    return "" if count is None else said.count_text(count)


def _print_offers(page: ModelPage, width: int | None) -> None:
    """Print each provider, and which is cheapest and fastest for this call."""
    head = (
        Column(text("models.head_provider")),
        Column(text("models.head_status")),
        Column(text("models.head_in"), is_number=True),
        Column(text("models.head_out"), is_number=True),
        Column(text("models.head_speed"), is_number=True),
        Column(text("models.head_first"), is_number=True),
        Column(text("models.head_context"), is_number=True),
        Column(text("models.head_tools")),
        Column(text("models.head_structured")),
    )
    rows = [
        (
            each.provider,
            each.status or tables.UNKNOWN,
            *said.prices_text(each.price),
            said.speed_text(each.throughput),
            said.first_token_text(each.first_token_ms),
            said.count_text(each.context_length),
            said.yes_text(told=each.supports_tools),
            said.yes_text(told=each.supports_structured_output),
        )
        for each in page.offers
    ]
    tables.print_table(head, rows, width=width)
    screen.emit()
    size = text(
        "models.for_size",
        prompt=said.count_text(page.prompt_tokens),
        answer=said.count_text(page.answer_tokens),
    )
    tables.print_paragraph(size, width=width)
    facts = [
        (text("models.cheapest"), _estimate(page.cheapest)),
        (text("models.fastest"), _estimate(page.fastest)),
    ]
    for line in tables.fact_lines(facts, width=width, indent="  "):
        screen.emit(line)


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return text("models.not_told")
    cost = text("models.cost_unknown") if found.cost is None else dollars(found.cost)
    time = (
        text("models.time_unknown")
        if found.seconds is None
        else text("models.seconds", seconds=f"{found.seconds:.1f}")
    )
    return text("models.estimate", provider=found.provider, cost=cost, time=time)


def _way(ability: Ability) -> str:
    """Return how a model is asked in a role, and where that works."""
    match ability.way:
        case "turns":
            way = text("models.way_turns")
        case "transcript":
            way = text("models.way_transcript")
        case "text":
            way = text("models.way_text")
        case "instruction":
            way = text("models.way_instruction")
        case "infill":
            way = text("models.way_infill", marks=ability.marks)
        case "prefix":
            way = text("models.way_prefix")
        case "commit":
            way = text("models.way_commit")
        case "vectors":
            way = text("models.way_vectors")
        case "pairs":
            way = text("models.way_pairs")
    return way if ability.at_router else text("models.own_server", way=way)


def page_object(page: ModelPage) -> dict[str, object]:
    """Return a model for JSON; amounts are whole 10⁻⁹ USD, null is unknown."""
    facts = page.facts
    return {
        "id": page.id,
        "asked": page.asked,
        "served": page.is_served,
        "providers": [said.offer_object(each) for each in page.offers],
        "license": None if facts is None else facts.licence,
        "gated": None if facts is None else facts.gated,
        "gate": None if facts is None else facts.gate or None,
        "task": None if facts is None else facts.pipeline_tag,
        "library": None if facts is None else facts.library,
        "languages": [] if facts is None else list(facts.languages),
        "base_models": [] if facts is None else list(facts.base_models),
        "likes": None if facts is None else facts.likes,
        "downloads": None if facts is None else facts.downloads,
        "modified": None if facts is None else facts.modified or None,
        "parameters": profile_of(page.id, facts).parameters,
        "card": asdict(page.card),
        "roles": [
            {
                "role": each.role.value,
                "way": each.way,
                "at_router": each.at_router,
                "marks": each.marks or None,
            }
            for each in page.abilities
        ],
        "prompt_tokens": page.prompt_tokens,
        "answer_tokens": page.answer_tokens,
        "cheapest": _estimate_object(page.cheapest),
        "fastest": _estimate_object(page.fastest),
        "entry": entry_for(page).value if page.is_served else None,
        "age": page.age,
    }


def _estimate_object(found: Estimate | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "provider": found.provider,
        "nano_usd": found.cost,
        "seconds": found.seconds,
    }
