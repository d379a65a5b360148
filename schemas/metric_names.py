"""Names of Prometheus metrics: what the exporter writes is what dashboards, rules and documents name.

A KPI's values are ``salespulse_<kpi>`` with the suffix of its unit, broken down ones end in ``_by_<dimension>``. The
global series is a metric of its own, never ``label="all"`` beside the parts: no sum over a metric counts twice. Money
is in major units with the label ``currency``, also in numerators and denominators, which in KPI values are minor units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from schemas.declare import Kpi
from schemas.formula import measures_of
from schemas.kpi import Unit
from schemas.measures import MEASURES, Measure

PREFIX: Final = "salespulse_"
_UNIT_SUFFIX: Final[dict[Unit, str]] = {"count": "", "money": "", "score": "", "ratio": "_ratio", "seconds": "_seconds"}
_NOT_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")


def metric_name(kpi: Kpi, dimensions: Iterable[str] = ()) -> str:
    """Return the metric of a KPI's value: ``salespulse_win_rate_ratio``, ``salespulse_win_rate_ratio_by_rep``.

    A name that ends in its unit already gets no second suffix (``salespulse_margin_ratio``).
    """
    suffix = _UNIT_SUFFIX[kpi.unit]
    return f"{PREFIX}{kpi.name.removesuffix(suffix)}{suffix}{by(dimensions)}"


def previous_name(kpi: Kpi) -> str:
    """Return the metric of a global value in the window before; same unit."""
    return f"{metric_name(kpi)}_previous"


def part_names(kpi: Kpi, dimensions: Iterable[str] = ()) -> tuple[str, str]:
    """Return the metrics of numerator and denominator: ``salespulse_win_rate_numerator_by_rep``."""
    ending = by(dimensions)
    return f"{PREFIX}{kpi.name}_numerator{ending}", f"{PREFIX}{kpi.name}_denominator{ending}"


def rank_name(kpi: Kpi, dimensions: Iterable[str]) -> str:
    """Return the metric of the rank among the dimension's values: ``salespulse_deals_per_rep_rank_by_rep``."""
    return f"{PREFIX}{kpi.name}_rank{by(dimensions)}"


def has_parts(kpi: Kpi) -> bool:
    """Whether numerator and denominator are exported beside the value."""
    return kpi.is_ratio


def parts_in_money(kpi: Kpi, dimensions: Iterable[str], measures: Iterable[Measure] = MEASURES) -> tuple[bool, bool]:
    """Tell which of numerator and denominator are money; metrics have it in major units, as the value is.

    Args:
        kpi: Its declaration.
        dimensions: Of the series. Of goals those without ``target`` are sums of goals in money; a goal of its own is in
            whatever it is in, which only where it ends says.
        measures: At least those of its formulas.
    """
    if kpi.goal is not None:
        of_sums = "target" not in dimensions
        return (True, False) if kpi.goal == "projection" else (of_sums, of_sums)
    if kpi.unit == "money":
        return True, False
    money = {measure.name for measure in measures if measure.parts == "money"}
    both = kpi.unit == "ratio" and not money.isdisjoint((*measures_of(kpi.numerator), *measures_of(kpi.denominator)))
    return both, both


def by(dimensions: Iterable[str]) -> str:
    """Return the ending of a metric that is broken down: ``_by_rep``, ``_by_rep_stage``; empty for the global one."""
    names = "_".join(sorted(dimensions))
    return f"_by_{names}" if names else ""


def label_name(dimension: str) -> str:
    """Return a dimension's name as a label's name."""
    return _NOT_LABEL.sub("_", dimension)
