"""What is published of a series: its content, when and by whom it was seen, and the KPI value that says so."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from schemas.kpi import KpiValue, Quality, Unit
from streams.rollup.values import Computed
from streams.time import Span, iso


class Stamp(NamedTuple):
    """What all values of a publication have in common."""

    watermark: str | None
    quality: Quality
    emitted_at: str


class Content(msgspec.Struct, frozen=True, gc=False):
    """What makes a value another one than that published before."""

    computed: Computed
    before: Computed | None
    span: Span
    rank: int | None = None


def kpi_value(
    kpi: str,
    window: str,
    dimensions: dict[str, str],
    unit: Unit,
    currency: str | None,
    content: Content,
    revision: int,
    stamp: Stamp,
    *,
    rank: int | UnsetType | None = UNSET,
    label: str | UnsetType | None = UNSET,
) -> KpiValue:
    """Return the KPI value of a content.

    It holds on to the dimensions, which nobody changes: a dictionary for each value would be most of its memory.
    """
    computed, before, (start_ms, end_ms) = content.computed, content.before, content.span
    value, previous = computed.value, before.value if before is not None else None
    difference = value - previous if value is not None and previous is not None else None
    return KpiValue(
        kpi=kpi,
        window=window,
        dimensions=dimensions,
        value=value,
        unit=unit,
        currency=currency,
        numerator=computed.numerator,
        denominator=computed.denominator,
        window_start=iso(start_ms) if window != "all" else None,
        window_end=iso(end_ms),
        previous=previous,
        difference=difference,
        change=difference / previous if difference is not None and previous else None,
        watermark=stamp.watermark,
        revision=revision,
        quality=stamp.quality,
        emitted_at=stamp.emitted_at,
        rank=rank,
        label=label,
    )
