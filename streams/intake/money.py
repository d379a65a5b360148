"""Amounts of other currencies in the reporting currency: one by one, half up, in integers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from schemas.currencies import exponent
from schemas.errors import InvalidEvent
from schemas.events import MAX_AMOUNT
from schemas.sections import Money

Factors = Mapping[str, tuple[int, int]]
"""Currency -> what its minor units are multiplied with, and divided by, to give the reporting currency's."""


def factors(money: Money) -> Factors:
    """Return the factor of every currency that can be converted; a rate is in major units (EUR = 1.08: one euro)."""
    own: Final = exponent(money.currency)
    found: dict[str, tuple[int, int]] = {money.currency: (1, 1)}
    for code, rate in money.rates.items():
        if code != money.currency:
            factor = Fraction(str(rate)) * Fraction(10) ** (own - exponent(code))
            found[code] = (factor.numerator, factor.denominator)
    return found


def convert(amount: int | None, factor: tuple[int, int], field: str) -> int | None:
    """Return an amount of minor units (at least 0) in the reporting currency's minor units, half up.

    Raises:
        InvalidEvent: ``out_of_range``: the converted amount is too large.
    """
    if amount is None:
        return None
    multiplier, divisor = factor
    converted = (2 * amount * multiplier + divisor) // (2 * divisor)
    if converted > MAX_AMOUNT:
        raise InvalidEvent("out_of_range", field, str(amount), f"at most {MAX_AMOUNT} in the reporting currency")
    return converted


def factor_of(currency: str, known: Factors) -> tuple[int, int]:
    """Look up a currency.

    Raises:
        InvalidEvent: ``unknown_currency``: the settings give no rate for it.
    """
    factor = known.get(currency)
    if factor is None:
        allowed = f"one of {', '.join(sorted(known))} (further ones: money.rates in the settings)"
        raise InvalidEvent("unknown_currency", "currency", f'"{currency}"', allowed)
    return factor
