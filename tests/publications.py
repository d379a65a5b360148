"""Publications as a pipeline would make them, of real KPI values, for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from schemas.catalogue import KPIS
from schemas.kpi import KpiValue, Quality, dims_key, series_key
from streams.publication import Publication, Published
from streams.time import iso

_KPIS = {kpi.name: kpi for kpi in KPIS}
START_MS = 1_700_000_000_000


def kpi_value(
    kpi: str,
    window: str = "today",
    dimensions: Mapping[str, str] | None = None,
    *,
    value: float | None,
    numerator: int | None = None,
    denominator: int | None = None,
    previous: float | None = None,
    revision: int = 1,
    end_ms: int = START_MS,
    quality: Quality = "live",
) -> KpiValue:
    """A value of a KPI of the catalogue, with its unit, difference and change as they belong together."""
    difference = None if value is None or previous is None else value - previous
    return KpiValue(
        kpi=kpi,
        window=window,
        dimensions=dict(dimensions or {}),
        value=value,
        unit=_KPIS[kpi].unit,
        currency="USD" if _KPIS[kpi].unit == "money" else None,
        numerator=numerator,
        denominator=denominator,
        window_start=None if window == "all" else iso(end_ms - 86_400_000),
        window_end=iso(end_ms),
        previous=previous,
        difference=difference,
        change=difference / previous if difference is not None and previous else None,
        watermark=iso(end_ms - 10_000),
        revision=revision,
        quality=quality,
        emitted_at=iso(end_ms + 250),
    )


def published(value: KpiValue) -> Published:
    dims = dims_key(value.dimensions)
    key = series_key(value.kpi, value.window, value.dimensions)
    return Published(key, value.kpi, value.window, dims, value, msgspec.json.encode(value))


def publication(
    values: Iterable[KpiValue],
    *,
    owner: int = 0,
    position: int = 1,
    clock_ms: int = START_MS,
    watermark_ms: int | None = START_MS - 10_000,
    quality: Quality = "live",
    complete: bool = False,
) -> Publication:
    return Publication(
        owner=owner,
        position=position,
        clock_ms=clock_ms,
        watermark_ms=watermark_ms,
        quality=quality,
        emitted_at_ms=clock_ms + 250,
        values=[published(value) for value in values],
        complete=complete,
    )
