"""Restatements: what changed in a window already closed, as it stands on ``sales.kpi.restatements.v1``."""

from __future__ import annotations

import msgspec

from schemas.kpi import Unit


class Stated(msgspec.Struct, frozen=True):
    """A value with its parts, as of a KPI value."""

    value: float | int | None
    numerator: int | None
    denominator: int | None


class Cause(msgspec.Struct, frozen=True):
    """An event that changed a closed window."""

    event_id: str
    event_type: str
    occurred_at: str


class Restatement(msgspec.Struct, frozen=True, kw_only=True):
    """A KPI of a day, week, month, quarter or year that is over, before and after.

    A level is restated for the periods in which the change lies; it changed from then on.

    Args:
        id: The same however often it is sent; consumers drop what they know.
        kpi: Name of the KPI.
        window: To-date window that the period was: ``today``, ``wtd``, ``mtd``, ``qtd`` or ``ytd``.
        period_start: RFC 3339 in UTC.
        period_end: RFC 3339 in UTC.
        dimensions: Of the series.
        unit: As of a KPI value.
        currency: As of a KPI value.
        before: What it was.
        after: What it is.
        events: The first of the events that did it.
        event_count: How many there were.
        emitted_at: When it was computed.
    """

    id: str
    kpi: str
    window: str
    period_start: str
    period_end: str
    dimensions: dict[str, str]
    unit: Unit
    currency: str | None
    before: Stated
    after: Stated
    events: list[Cause]
    event_count: int
    emitted_at: str
