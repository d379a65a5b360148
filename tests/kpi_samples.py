"""KPI values for tests of what takes them: every series of the catalogue, over a few values of each dimension."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from random import Random

import msgspec

from schemas.catalogue import KPIS, Kpi
from schemas.kpi import KpiValue, Quality, dims_key, series_key
from schemas.windows import WINDOWS
from streams.publication import Publication, Published

NOW_MS = 1_750_000_000_000

DIMENSION_VALUES = {
    "rep": ("r-1", "r-2", "r-3"),
    "team": ("north", "south"),
    "region": ("emea", "apac"),
    "source": ("web", "referral"),
    "channel": ("phone", "instagram"),
    "product": ("Atlas Pro", 'a "quoted" \\ one'),
    "direction": ("inbound", "outbound"),
    "customer_class": ("new", "returning"),
    "abc_class": ("A", "B", "C"),
    "stage": ("new", "first_meeting"),
    "target": ("north-2025",),
}


def sample(kpi: Kpi, window: str, dimensions: dict[str, str], random: Random) -> KpiValue:
    """A believable value of one series; money carries a currency."""
    numerator, denominator = random.randrange(1, 5_000), random.randrange(5_000, 9_000)
    ratio = kpi.is_ratio
    value = numerator / denominator if ratio else numerator / 100 if kpi.unit == "money" else numerator
    return KpiValue(
        kpi=kpi.name,
        window=window,
        dimensions=dimensions,
        value=value,
        unit="money" if kpi.may_be_money else kpi.unit,
        currency="USD" if kpi.may_be_money else None,
        numerator=numerator,
        denominator=denominator if ratio else None,
        window_start=None if window == "all" else "2025-06-15T00:00:00Z",
        window_end="2025-06-15T15:06:40Z",
        previous=None if window == "all" else value * 0.9,
        difference=None,
        change=None,
        watermark="2025-06-15T15:06:40Z",
        revision=1,
        quality="live",
        emitted_at="2025-06-15T15:06:41Z",
        rank=random.randrange(1, 9) if kpi.ranked else msgspec.UNSET,
        label=random.choice(("proposal", "negotiation")) if kpi.lowest else msgspec.UNSET,
    )


def every_series(
    random: Random,
    kpis: Sequence[Kpi] = KPIS,
    windows: Sequence[str] = WINDOWS,
    of: Mapping[str, Sequence[str]] = DIMENSION_VALUES,
) -> list[KpiValue]:
    """One value for every series of the catalogue."""
    values = []
    for kpi in kpis:
        dimensions = [each for grouping in kpi.groupings for each in _values_of(grouping, of)]
        values += [sample(kpi, window, each, random) for window in windows for each in dimensions]
    return values


def _values_of(grouping: str, of: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return the dimensions of a grouping's series: ``rep``, ``rep,stage``, empty for the global one."""
    names = grouping.split(",") if grouping else []
    return [dict(zip(names, values, strict=True)) for values in product(*(of[name] for name in names))]


def publication(
    values: Iterable[KpiValue],
    owner: int = 0,
    *,
    complete: bool = False,
    quality: Quality = "live",
    watermark_ms: int | None = NOW_MS - 10_000,
    emitted_at_ms: int = NOW_MS,
    produced_ms: int | None = None,
) -> Publication:
    """Put values into one publication."""
    return Publication(
        owner=owner,
        position=1,
        clock_ms=NOW_MS,
        watermark_ms=watermark_ms,
        quality=quality,
        emitted_at_ms=emitted_at_ms,
        values=[published(value) for value in values],
        complete=complete,
        produced_ms=produced_ms,
    )


def published(value: KpiValue) -> Published:
    """Give a value its key and payload."""
    key = series_key(value.kpi, value.window, value.dimensions)
    return Published(key, value.kpi, value.window, dims_key(value.dimensions), value, msgspec.json.encode(value))
