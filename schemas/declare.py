"""How a KPI is declared: the struct, and short forms for its usual sorts."""

from __future__ import annotations

from typing import Literal, Required, TypedDict, Unpack

import msgspec

from schemas.kpi import Unit
from schemas.windows import EVENT_DIMENSIONS

KpiType = Literal["simple", "ratio", "growth", "percentile"]
Better = Literal["higher", "lower", "none"]


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """A named formula over measures.

    Args:
        name: Stable identifier, part of every series key.
        title: What people call it, for tiles, panels and tables.
        row: Its number in the catalogue of KPIs.
        type: ``simple`` (a sum), ``ratio`` (numerator over denominator), ``growth`` (change of the numerator against
            the previous window) or ``percentile`` (nearest rank of a histogram measure).
        unit: Unit of ``value``; ``money`` is in major units while numerator and denominator stay minor units or counts.
        numerator: Formula over measures, or for a percentile the histogram measure.
        denominator: Formula over measures; None for a simple KPI.
        fallback_denominator: Taken where the denominator was 0 in all time (a source that never tells deliveries).
        dimensions: Each of them a series of its own, for every value.
        has_global: Whether there is a series without dimensions.
        better: Which direction is good.
        percentile: For type ``percentile``: 50 is the median.
        source: Where the KPI is from.
        doc: The formula in words, and what makes it unknown.
    """

    name: str
    title: str
    row: int
    type: KpiType
    unit: Unit
    numerator: str
    denominator: str | None = None
    fallback_denominator: str | None = None
    dimensions: tuple[str, ...] = EVENT_DIMENSIONS
    has_global: bool = True
    better: Better = "higher"
    percentile: int | None = None
    source: str
    doc: str


class Rest(TypedDict, total=False):
    """What a declaration may add to its formula; see :class:`Kpi`."""

    fallback_denominator: str
    dimensions: tuple[str, ...]
    has_global: bool
    better: Better
    source: Required[str]
    doc: Required[str]


def simple(name: str, row: int, title: str, formula: str, unit: Unit = "count", **rest: Unpack[Rest]) -> Kpi:
    """Declare a sum of measures."""
    return Kpi(name=name, row=row, title=title, type="simple", numerator=formula, unit=unit, **rest)


def ratio(name: str, row: int, title: str, over: tuple[str, str], unit: Unit = "ratio", **rest: Unpack[Rest]) -> Kpi:
    """Declare a sum of measures over another one."""
    numerator, denominator = over
    return Kpi(
        name=name, row=row, title=title, type="ratio", numerator=numerator, denominator=denominator, unit=unit, **rest
    )


def durations(name: str, row: int, title: str, dimensions: tuple[str, ...], source: str, doc: str) -> tuple[Kpi, ...]:
    """Declare mean, median and 90th percentile of a duration.

    Its measures are ``{name}_count``, ``{name}_seconds`` and ``{name}_histogram``.
    """
    mean = ratio(
        f"{name}_mean",
        row,
        f"{title} (mean)",
        (f"{name}_seconds", f"{name}_count"),
        "seconds",
        dimensions=dimensions,
        better="lower",
        source=source,
        doc=f"Mean {doc}",
    )
    percentiles = (
        Kpi(
            name=f"{name}_p{rank}",
            row=row,
            title=f"{title} ({label})",
            type="percentile",
            unit="seconds",
            numerator=f"{name}_histogram",
            percentile=rank,
            dimensions=dimensions,
            better="lower",
            source=source,
            doc=f"{label.capitalize()} {doc}, by nearest rank within 1 %",
        )
        for rank, label in ((50, "median"), (90, "90th percentile"))
    )
    return (mean, *percentiles)
