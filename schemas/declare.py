"""How a KPI is declared: the struct, and short forms for its usual sorts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, Required, TypedDict, Unpack

import msgspec

from schemas.areas import Area
from schemas.kpi import Unit
from schemas.windows import EVENT_DIMENSIONS, WINDOWS

KpiType = Literal["simple", "ratio", "derived", "cumulative", "conversion", "distribution", "ranking", "level"]
Better = Literal["higher", "lower", "none"]
Goal = Literal["attainment", "pace", "projection", "coverage"]

VARIABLES: Final[dict[str, str]] = {
    "now_s": "the present, rounded up to 10 s, in seconds since 1970",
    "end_s": "the window's end, in seconds since 1970",
    "mean_lifetime_s": "`kpi.mean_lifetime` of the settings, in seconds",
}
"""What a formula may name beside measures."""


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """A named formula over measures.

    A formula is a sum of products of measures, integers and :data:`VARIABLES`. A measure is what happened in the
    window (of a level: what is at its end), ``end(m)`` everything until the window's end, ``start(m)`` until its start.

    Args:
        name: Stable identifier, part of every series key.
        title: What people call it, for tiles, panels and tables.
        row: Its number in the catalogue of KPIs; 0 for one of the user's own.
        type: What sort it is, in MetricFlow's words and three more.
        unit: Unit of ``value``; ``money`` is in major units while numerator and denominator stay minor units or counts.
        numerator: Formula; for a percentile, for classes and for the lowest the keyed measures they are found with.
        denominator: Formula; None for a sum.
        fallback_denominator: Taken where the denominator was 0 in all time (a source that never tells deliveries).
        needs: Formula that must be above 0 as well, else the value is unknown.
        dimensions: Each of them a series of its own, for every value; ``rep,stage`` is a pair.
        has_global: Whether there is a series without dimensions.
        better: Which direction is good.
        growth: The value is the change of the numerator against the previous window.
        percentile: Nearest rank of a histogram: 50 is the median.
        ranked: Its series are ranked against each other.
        lowest: The value is the lowest ratio among the keys of two keyed measures; the key is its label.
        class_of: Dimension whose values are the classes that the histograms of the formula are split into (ABC).
        class_by: Of classes: the keyed measure that counts their members, and the one they are ranked by and make
            shares of; the key is the rank.
        goal: What it says of goals, whose values are targets and not measures.
        summed: Of what says something of goals: the KPI whose goals in money are added up, to series without target.
        covered_by: Of what says how far the rest of goals is covered: the KPI it is covered by.
        windows: Those it is published for.
        targets: Period (``day`` to ``year``) -> what it is to reach in it: major units of money, else as the value.
        area: Which part of selling it is about; decides on which dashboard it is. The catalogue sets it by module.
        source: Where the KPI is from: letters of the five lists, or the file of the user's own.
        doc: The formula in words.
        example: A worked example.
    """

    name: str
    title: str
    row: int
    type: KpiType
    unit: Unit
    numerator: str = ""
    denominator: str | None = None
    fallback_denominator: str | None = None
    needs: str | None = None
    dimensions: tuple[str, ...] = EVENT_DIMENSIONS
    has_global: bool = True
    better: Better = "higher"
    growth: bool = False
    percentile: int | None = None
    ranked: bool = False
    lowest: bool = False
    class_of: str = ""
    class_by: tuple[str, ...] = ()
    goal: Goal | None = None
    summed: str = ""
    covered_by: str = ""
    windows: tuple[str, ...] = WINDOWS
    targets: dict[str, float] = {}
    area: Area = "sales"
    source: str
    doc: str
    example: str = ""

    @property
    def is_ratio(self) -> bool:
        """Whether its value is a division."""
        return self.denominator is not None or self.growth or self.lowest or self.goal is not None

    @property
    def may_be_money(self) -> bool:
        """Whether its values have a currency; where a goal ends depends on what the goal is in."""
        return self.unit == "money" or self.goal == "projection"

    @property
    def groupings(self) -> tuple[str, ...]:
        """Dimension names of its series, joined by commas; empty for the global one."""
        return (*(("",) if self.has_global else ()), *self.dimensions)

    @property
    def unknown_when(self) -> str:
        """What makes it unknown (null), in words; empty for what is always known."""
        reasons = {
            "nothing remains of the target": self.goal == "coverage",
            "the goal's value is 0, or no working time has passed": self.goal not in (None, "coverage"),
            "nothing was measured in the window": self.percentile is not None,
            "no stage was entered that was ever left onward": self.lowest,
            "the previous window was not above 0; for the window `all`": self.growth,
        }
        for reason, holds in reasons.items():
            if holds:
                return reason
        if self.denominator is None:
            return ""
        at_start = "; for the window `all`, which has no start" if "start(" in self.denominator else ""
        instead = f" and neither is `{self.fallback_denominator}`" if self.fallback_denominator else ""
        needs = f", or `{self.needs}` is not above 0" if self.needs else ""
        return f"`{self.denominator}` is not above 0{instead}{needs}{at_start}"


class Dimension(msgspec.Struct, frozen=True):
    """A dimension of the user's own: what events say in one of their fields, inherited as the built-in ones are.

    Args:
        name: What formulas, series and the API call it.
        field: Name of the field in the JSON of events.
    """

    name: str
    field: str


def goal_kpi(kpis: Iterable[Kpi], says: Goal) -> str:
    """Return the name of the KPI that says something of goals; empty where none does."""
    return next((kpi.name for kpi in kpis if kpi.goal == says), "")


class Rest(TypedDict, total=False):
    """What a declaration may add to its formula; see :class:`Kpi`."""

    type: KpiType
    fallback_denominator: str
    needs: str
    dimensions: tuple[str, ...]
    has_global: bool
    better: Better
    growth: bool
    ranked: bool
    lowest: bool
    class_of: str
    class_by: tuple[str, ...]
    source: Required[str]
    doc: Required[str]
    example: str


def simple(name: str, row: int, title: str, formula: str, unit: Unit = "count", **rest: Unpack[Rest]) -> Kpi:
    """Declare a sum of measures."""
    rest.setdefault("type", "simple")
    return Kpi(name=name, row=row, title=title, numerator=formula, unit=unit, **rest)


def ratio(name: str, row: int, title: str, over: tuple[str, str], unit: Unit = "ratio", **rest: Unpack[Rest]) -> Kpi:
    """Declare a sum of measures over another one."""
    rest.setdefault("type", "ratio")
    numerator, denominator = over
    return Kpi(name=name, row=row, title=title, numerator=numerator, denominator=denominator, unit=unit, **rest)


def durations(
    name: str, row: int, title: str, dimensions: tuple[str, ...], source: str, doc: str, example: str = ""
) -> tuple[Kpi, ...]:
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
        doc=f"Mean {doc}.",
        example=example,
    )
    percentiles = (
        Kpi(
            name=f"{name}_p{rank}",
            row=row,
            title=f"{title} ({label})",
            type="distribution",
            unit="seconds",
            numerator=f"{name}_histogram",
            percentile=rank,
            dimensions=dimensions,
            better="lower",
            source=source,
            doc=f"{label.capitalize()} {doc}, by nearest rank within 1 %.",
            example=f"Of 60, 120, 180 and 240 s the {label} is {'120' if rank == 50 else '240'} s.",
        )
        for rank, label in ((50, "median"), (90, "90th percentile"))
    )
    return (mean, *percentiles)


def goal(
    name: str,
    row: int,
    title: str,
    of: Goal,
    summed: str,
    dimensions: tuple[str, ...],
    source: str,
    doc: str,
    example: str,
    covered_by: str = "",
) -> Kpi:
    """Declare what is said of goals: it has a series for each, and for the sums of those of one KPI."""
    unit: Unit = "count" if of == "projection" else "ratio"
    return Kpi(
        name=name,
        row=row,
        title=title,
        type="derived",
        unit=unit,
        goal=of,
        summed=summed,
        covered_by=covered_by,
        dimensions=dimensions,
        source=source,
        doc=doc,
        example=example,
    )
