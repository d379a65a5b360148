"""Counts that say, event by event, how far the published values have come.

Each event of these types adds exactly one to a global count of the window `all`, which never falls. So the first
published value that has reached n holds the n-th event sent (but for the order of events of one type that were under
way together, which does not change the mean).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

Part = Literal["numerator", "denominator"]


class Count(NamedTuple):
    """A global count: KPI, and which part of its value."""

    kpi: str
    part: Part

    @property
    def key(self) -> str:
        """Key of its series on the KPI topics."""
        return f"{self.kpi}|all|"

    @property
    def field(self) -> str:
        """Field of the Redis hash of the window `all`."""
        return f"{self.kpi}|"

    def of(self, value: Mapping[str, Any]) -> int:
        """Read it from a KPI value."""
        return int(value[self.part] or 0)


COUNTS: Final = {
    "lead.created": Count("leads_created", "numerator"),
    "lead.qualified": Count("opportunities_created", "numerator"),
    "call.completed": Count("calls", "numerator"),
    "email.delivered": Count("email_open_rate", "denominator"),
    "deal.quote_sent": Count("quotes_sent", "numerator"),
    "deal.won": Count("deals_won", "numerator"),
}
"""Event type -> the count that it adds one to."""
