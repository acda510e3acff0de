"""Say figures about models: prices, sizes, speeds, and how old an answer is."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from bytebuddy_provider_hf.cli.tables import UNKNOWN, print_note
from bytebuddy_provider_hf.hub.nearness import said_size
from bytebuddy_provider_hf.money import dollars
from bytebuddy_provider_hf.texts import text

if TYPE_CHECKING:
    from bytebuddy_provider_hf.hub.router_models import Offer
    from bytebuddy_provider_hf.money import Price

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
# Of prices per million tokens, which go down to $0.005.
_PLACES: Final = 4
_CENTS: Final = 2


def price_text(amount: int) -> str:
    """Return a price of 10⁻⁹ USD with all its digits, two behind the point at least."""
    whole, _, part = dollars(amount, digits=_PLACES).partition(".")
    return f"{whole}.{part.rstrip('0'):0<{_CENTS}}"


def prices_text(price: Price | None) -> tuple[str, str]:
    """Return what a million tokens cost, read and written."""
    if price is None:
        return UNKNOWN, UNKNOWN
    return price_text(price.input), price_text(price.output)


def count_text(count: int | None) -> str:
    """Return a number with a comma at each thousand."""
    return UNKNOWN if count is None else f"{count:,}"


def size_text(parameters: int | None) -> str:
    """Return a number of parameters, such as 70.6B."""
    return UNKNOWN if parameters is None else said_size(parameters)


def speed_text(throughput: float | None) -> str:
    """Return tokens a second, in whole ones."""
    return UNKNOWN if throughput is None else f"{throughput:,.0f}"


def first_token_text(milliseconds: float | None) -> str:
    """Return the time to the first token in seconds."""
    return UNKNOWN if milliseconds is None else f"{milliseconds / 1_000:.2f} s"


def yes_text(*, told: bool) -> str:
    """Return yes, or the dash of what is not told."""
    return text("models.yes") if told else UNKNOWN


def show_age(age: float) -> None:
    """Print on stderr how old the answers are that are shown."""
    print_note(text("models.as_of", when=age_text(age)))


def show_snapshot(day: date) -> None:
    """Print on stderr that the package's own list was used, which may be old."""
    said = text("models.snapshot", day=day.isoformat())
    print_note(text("cli.warning", said=said), colour="yellow")


def age_text(age: float) -> str:
    """Return a time ago as people say it."""
    if age < _MINUTE:
        return text("models.just_now")
    if age < _HOUR:
        return text("models.minutes_ago", count=int(age // _MINUTE))
    if age < 2 * _DAY:
        return text("models.hours_ago", count=int(age // _HOUR))
    return text("models.days_ago", count=int(age // _DAY))


def price_object(price: Price | None) -> dict[str, int] | None:
    """Return a price for JSON: whole 10⁻⁹ USD per million tokens."""
    if price is None:
        return None
    return {"input_nano_usd": price.input, "output_nano_usd": price.output}


def offer_object(offer: Offer) -> dict[str, object]:
    """Return what is told of a provider, for JSON; null is unknown."""
    return {
        "provider": offer.provider,
        "status": offer.status or None,
        "price_per_million": price_object(offer.price),
        "is_free": offer.is_free,
        "context_length": offer.context_length,
        "supports_tools": offer.supports_tools,
        "supports_structured_output": offer.supports_structured_output,
        "tokens_per_second": offer.throughput,
        "first_token_ms": offer.first_token_ms,
        "is_model_author": offer.is_model_author,
    }
