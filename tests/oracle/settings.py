"""Settings of the oracle: the ones of interfaces.md that change a number, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# ISO 4217: every other currency has two decimals.
_NO_DECIMALS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
}
_THREE_DECIMALS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


@dataclass(frozen=True)
class OracleSettings:
    """What the numbers depend on beside the events.

    Times are milliseconds, holidays ISO dates; `rates` are major units of the reporting currency for one major
    unit of the foreign one.
    """

    zone: str = "UTC"
    week_start: str = "monday"
    currency: str = "USD"
    rates: Mapping[str, str | Decimal] = field(default_factory=dict)
    dedupe: bool = True
    stages: tuple[str, ...] = ("new", "contacted", "first_meeting", "proposal", "negotiation")
    stage_limit_ms: int = 7 * DAY_MS
    stage_limits_ms: Mapping[str, int] = field(default_factory=dict)
    churn_horizon_ms: int = 90 * DAY_MS
    mean_lifetime_ms: int = 730 * DAY_MS
    abc_shares: tuple[int, int] = (80, 15)
    satisfaction_scale: int = 5
    working_days: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    holidays: frozenset[str] = frozenset()
    points: Mapping[str, int] = field(default_factory=dict)

    @property
    def minor_per_major(self) -> int:
        """Minor units in one major unit of the reporting currency."""
        return int("1" + "0" * decimals(self.currency))

    def convert(self, amount: int, currency: str | None) -> int:
        """An amount in minor units of `currency` (None: the reporting one) in minor units of the reporting currency.

        Half a minor unit goes up (kpis.md, 12).
        """
        if currency is None or currency == self.currency:
            return amount
        scale = Decimal(10) ** (decimals(self.currency) - decimals(currency))
        exact = Decimal(amount) * Decimal(self.rates[currency]) * scale
        return int(exact.to_integral_value(rounding=ROUND_HALF_UP))


def decimals(currency: str) -> int:
    """Digits after the point of a currency's major unit (ISO 4217)."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2
