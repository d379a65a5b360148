"""What a KPI is, in words: its formula in one line, what its measures count, its windows, and where it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from schemas.declare import VARIABLES, Goal, Kpi
from schemas.facts import FACTS
from schemas.formula import measures_of, parse
from schemas.kpi import Unit
from schemas.measures import COUNT, Measure
from schemas.windows import TO_DATE, WINDOWS

LISTS: Final[Mapping[str, str]] = {"R": "Russian", "C": "Chinese", "P": "Polish", "U": "Ukrainian", "D": "Dutch"}
"""Letter in a source -> which of the five lists of sales KPIs it stands for."""

UNITS: Final[Mapping[Unit, str]] = {
    "count": "a number",
    "money": "money, in major units of the reporting currency; parts in minor units",
    "ratio": "a ratio; 1 is 100 %",
    "seconds": "seconds",
    "score": "a score, on the scale of the settings",
}

QUANTITIES: Final[Mapping[str, str]] = {
    "amount": "minor units",
    "cost": "minor units",
    "revenue": "minor units",
    "created_s": "seconds since 1970",
    "purchased_s": "seconds since 1970",
    "seconds": "seconds",
    "duration_s": "seconds",
    "score": "thousandths of a point",
    "units": "units",
    "deals": "deals",
    "entries": "1 for an entry, 0 for an exit",
    "advertisement": "1 or 0",
}
"""Quantity of a fact -> what it is measured in."""

_UNIT_OF: Final[Mapping[str, Unit]] = {
    "minor units": "money",
    "seconds": "seconds",
    "thousandths of a point": "score",
}

_GOALS: Final[Mapping[Goal, str]] = {
    "attainment": "actual / target",
    "pace": "(actual / target) / (working time passed / working time of the period)",
    "projection": "actual / (working time passed / working time of the period)",
    "coverage": "open_pipeline / (target - actual)",
}
_SOURCE: Final = re.compile(r"([RCPUD])(\d*)")


def formula_of(kpi: Kpi) -> str:
    """Return the formula of a KPI over measures, in one line."""
    if kpi.goal is not None:
        return _GOALS[kpi.goal]
    if kpi.percentile is not None:
        return f"percentile({kpi.numerator}, {kpi.percentile})"
    if kpi.growth:
        return f"{_factor(kpi.numerator)} / previous - 1"
    if kpi.denominator is None:
        return kpi.numerator
    divided = f"{_factor(kpi.numerator)} / {_factor(kpi.denominator)}"
    return f"lowest({divided})" if kpi.lowest else divided


def measures_named(kpi: Kpi) -> tuple[str, ...]:
    """Return the measures in all formulas of a KPI and those that classes are ranked by, in the order of reading."""
    formulas = (kpi.numerator, kpi.denominator, kpi.fallback_denominator, kpi.needs)
    written = [name for formula in formulas for name in _as_written(formula)]
    return tuple(dict.fromkeys((*written, *kpi.class_by)))


def variables_named(kpi: Kpi) -> tuple[str, ...]:
    """Return the :data:`VARIABLES` that a KPI's formulas name."""
    formulas = [formula for formula in (kpi.numerator, kpi.denominator, kpi.needs) if formula]
    factors = [factor for formula in formulas for term in parse(formula) for factor in term.factors]
    return tuple(name for name in VARIABLES if name in {factor.name for factor in factors})


def measure_words(measure: Measure) -> str:
    """Say what a measure counts or adds up, without its fact's description."""
    what = f"number of facts `{measure.fact}`"
    if measure.quantity != COUNT:
        unit = QUANTITIES.get(measure.quantity, "as stated")
        what = f"`{measure.quantity}` ({unit}) of facts `{measure.fact}`, added up"
    only = " and ".join(f"`{name}` is {' or '.join(values)}" for name, values in measure.where.items())
    kept = f"by size of `{measure.keyed_by}`" if measure.is_sized else f"by `{measure.keyed_by}`"
    parts = (
        f" where {only}" if only else "",
        f", kept {kept}" if measure.keyed_by else "",
        ", as it is at the window's end" if measure.is_level else "",
        ", under every class, to divide by" if measure.base_only else "",
    )
    return what + "".join(parts)


def unit_of(measure: Measure) -> Unit:
    """Return the unit of a measure's sums: money in minor units, scores in thousandths."""
    return _UNIT_OF.get(QUANTITIES.get(measure.quantity, ""), "count")


def fact_words(measure: Measure) -> str:
    """Say when there is such a fact as a measure counts."""
    return FACTS[measure.fact].doc


def windows_words(kpi: Kpi) -> str:
    """Say over which windows a KPI has values, and previous ones."""
    if kpi.goal is not None:
        return f"the one of the goal's period: {', '.join(f'`{name}`' for name in TO_DATE)}; no previous value"
    which = "all eleven" if kpi.windows == WINDOWS else ", ".join(f"`{name}`" for name in kpi.windows)
    return f"{which}; " + ("all but `all` with the previous value" if has_previous(kpi) else "no previous value")


def has_previous(kpi: Kpi) -> bool:
    """Whether there is a value for the window before: a change would need three windows, and goals have one each."""
    return not kpi.growth and kpi.goal is None


def source_words(source: str) -> str:
    """Say from which lists a KPI is, with the number of the item where the list has numbers."""
    return ", ".join(_list_words(word) for word in source.split())


def _list_words(word: str) -> str:
    match = _SOURCE.fullmatch(word)
    if match is None:
        return "ClickUp's goals and widgets" if word == "ClickUp" else word
    item = f", item {match[2]}" if match[2] else ""
    return f"the {LISTS[match[1]]} list{item} ({word})"


def _as_written(formula: str | None) -> tuple[str, ...]:
    """The measures of a formula, in the order in which it names them."""
    if not formula:
        return ()
    known = measures_of(formula)
    return tuple(name for name in re.findall(r"\w+", formula) if name in known)


def _factor(formula: str) -> str:
    """Put parentheses around a sum or product."""
    return formula if re.fullmatch(r"\w+|\w+\([^()]*\)", formula) else f"({formula})"
