"""What is published of a series: its content, when and by whom it was seen, and the KPI value that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from schemas.kpi import KpiValue, Quality, Unit
from streams.rollup.values import Computed
from streams.time import Span, iso


class Stamp(NamedTuple):
    """What all values of a publication have in common."""

    watermark: str | None
    quality: Quality
    emitted_at: str


class Content(NamedTuple):
    """What makes a value another one than that published before."""

    computed: Computed
    before: Computed | None
    span: Span
    rank: int | None = None


def kpi_value(
    kpi: str,
    window: str,
    dimensions: Mapping[str, str],
    unit: Unit,
    currency: str | None,
    content: Content,
    revision: int,
    stamp: Stamp,
) -> KpiValue:
    """Return the KPI value of a content."""
    value, numerator, denominator, _ = content.computed
    before = content.before.value if content.before is not None else None
    difference = value - before if value is not None and before is not None else None
    return KpiValue(
        kpi=kpi,
        window=window,
        dimensions=dict(dimensions),
        value=value,
        unit=unit,
        currency=currency,
        numerator=numerator,
        denominator=denominator,
        window_start=iso(content.span.start_ms) if window != "all" else None,
        window_end=iso(content.span.end_ms),
        previous=before,
        difference=difference,
        change=difference / before if difference is not None and before else None,
        watermark=stamp.watermark,
        revision=revision,
        quality=stamp.quality,
        emitted_at=stamp.emitted_at,
    )
