"""Times and sums of an explanation as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from agents.cli.units import UNKNOWN
from schemas.currencies import exponent
from schemas.explanation import Explanation


class Clock:
    """Times as people read them, in the business zone."""

    def __init__(self, zone: str) -> None:
        self.name = zone
        self._zone = ZoneInfo(zone)

    def show(self, text: str | None, *, seconds: bool = False) -> str:
        """A time of a document; `the beginning` where there is none."""
        if text is None:
            return "the beginning"
        local = datetime.fromisoformat(text).astimezone(self._zone)
        return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")

    def slice(self, text: str | None, step: str) -> str:
        """The start of a slice, as short as its step allows."""
        if text is None:
            return "before"
        local = datetime.fromisoformat(text).astimezone(self._zone)
        if step == "day":
            return local.strftime("%a %Y-%m-%d")
        if step in ("week", "month", "quarter", "year"):
            return local.strftime("%Y-%m-%d")
        return local.strftime("%m-%d %H:%M:%S" if step == "minute" else "%m-%d %H:%M")


class Amounts:
    """Sums as people read them: money in major units, everything else as it is counted."""

    def __init__(self, found: Explanation, currency: str) -> None:
        self._scale = 10 ** exponent(currency)
        self._decimals = exponent(currency)
        money = {reading.label for reading in found.readings if reading.unit == "money"}
        sums_of_money = found.value.unit == "money" and found.value.denominator is None and found.groups is None
        self._money = money | ({"numerator"} if sums_of_money else set())

    def show(self, label: str, amount: int | None, sign: str = "") -> str:
        """The sum of a reading, or a numerator or denominator."""
        if amount is None:
            return UNKNOWN
        if label in self._money:
            return self.money(amount, sign)
        return f"{amount:{sign},}"

    def money(self, minor: int, sign: str = "") -> str:
        """An amount of minor units of the reporting currency."""
        return f"{minor / self._scale:{sign},.{self._decimals}f}"
