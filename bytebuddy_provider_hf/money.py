"""Reckon money in whole numbers of 10⁻⁹ USD ("nano-USD"): prices, costs, their text.

No float takes part: a catalogue's 0.1 stands as it was written. What a call costs is
four amounts that are never added together, because they say the same thing four times.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from bytebuddy_provider_hf.errors.dict_form import DictForm

# 10⁻⁹ USD in a dollar, and the tokens that a catalogue's price is for.
NANO: Final = 10**9
_PER: Final = 10**6
# A thousand million dollars, or a number of so many digits, is no amount of money.
_MOST_DIGITS: Final = 8
_LONGEST: Final = 64

# Why nobody can say what a call costs. Unknown is never nothing.
Unpriced: TypeAlias = Literal[
    "",
    "not metered",
    "no price",
    "provider unknown",
    "tokens unknown",
    "answer cut",
    "compute time",
    "not asked yet",
]


@frozen
class Price:
    """What a million tokens cost, read and written: whole numbers of 10⁻⁹ USD."""

    input: int
    output: int

    def of(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Return the cost of so many tokens in 10⁻⁹ USD, a part of one rounded up."""
        exact = self.input * prompt_tokens + self.output * completion_tokens
        return -(-exact // _PER)


@frozen
class Cost(DictForm):
    """What is known of a call's cost, in 10⁻⁹ USD; ``None`` is unknown, never 0.

    ``estimated`` is the catalogue's price, of the day ``priced_on`` (UTC,
    ``YYYY-MM-DD``), of the provider that served, times the tokens that it counted.
    Cached tokens are reckoned at the full price: with ``is_ceiling`` it cost that or
    less. ``reported`` is what the answer itself says, ``billed`` what the bill says,
    and ``is_pending`` that the bill is still to come. The four are never added.
    ``unpriced`` says why there is no estimate.
    """

    estimated: int | None = None
    is_ceiling: bool = False
    priced_on: str = ""
    reported: int | None = None
    billed: int | None = None
    is_pending: bool = False
    unpriced: Unpriced = ""


NO_COST: Final = Cost()


def total_cost(parts: list[Cost]) -> Cost:
    """Return the cost of an answer that several requests made.

    An amount that one of them does not know is not known of the whole.
    """
    if len(parts) == 1:
        return parts[0]
    amounts = {
        name: None if None in found else sum(found)
        for name in ("estimated", "reported", "billed")
        for found in [[getattr(each, name) for each in parts]]
    }
    days = {each.priced_on for each in parts if each.priced_on}
    why: list[Unpriced] = [each.unpriced for each in parts if each.unpriced]
    return evolve(
        NO_COST,
        **amounts,
        is_ceiling=any(each.is_ceiling for each in parts),
        priced_on=min(days, default=""),
        is_pending=any(each.is_pending for each in parts),
        unpriced=why[0] if why else "",
    )


def nano_usd(dollars: object, *, exponent: int = 9) -> int | None:
    """Return an amount in USD as 10⁻⁹ USD, or ``None`` for what is no amount.

    Takes a number of JSON or its text; ``exponent`` 7 reads cents. Half a nano-USD is
    rounded to the even one.
    """
    from decimal import Decimal, InvalidOperation  # few calls meet a price

    if isinstance(dollars, bool) or not isinstance(dollars, int | float | str):
        return None
    # The shortest text of a float is what stood in the catalogue.
    written = dollars.strip() if isinstance(dollars, str) else repr(dollars)
    if len(written) > _LONGEST:
        return None
    try:
        amount = Decimal(written)
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0 or amount.adjusted() > _MOST_DIGITS:
        return None
    return int(amount.scaleb(exponent).to_integral_value())


def dollars(amount: int, *, digits: int = 2) -> str:
    """Return an amount of 10⁻⁹ USD for people: ``$12.34``, ``$0.000045``.

    An amount below a cent keeps its first two digits that are not 0, so that nothing
    that costs is shown as nothing; else the rest of a cent is rounded to the nearest.
    """
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    places = digits
    while places < 9 and 0 < amount < 10 ** (10 - places):  # noqa: PLR2004 - of nano
        places += 1
    unit = 10 ** (9 - places)
    whole, part = divmod((amount + unit // 2) // unit, 10**places)
    return f"{sign}${whole:,}.{part:0{places}d}"
