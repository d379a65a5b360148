"""A KPI as a section of Markdown: all that is to be known of it, from its declaration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from schemas.areas import AREAS, boards_of
from schemas.declare import VARIABLES, Kpi
from schemas.kpi import series_key
from schemas.kpi_words import (
    UNITS,
    fact_words,
    formula_of,
    has_previous,
    measure_words,
    measures_named,
    source_words,
    variables_named,
    windows_words,
)
from schemas.measures import Measure
from schemas.metric_names import by, has_parts, metric_name, part_names, parts_in_money, previous_name, rank_name
from schemas.readings import NOTES

_VALUES: Final[Mapping[str, str]] = {
    "rep": "r-7",
    "team": "north",
    "region": "emea",
    "source": "fair",
    "channel": "phone",
    "product": "desk",
    "stage": "proposal",
    "direction": "inbound",
    "customer_class": "new",
    "abc_class": "A",
    "target": "north-2025",
}
"""Dimension -> a value, for examples."""
_SCOPES: Final[Mapping[str, str]] = {
    "start": "- `start(m)`: everything until the window's start.",
    "end": "- `end(m)`: everything until the window's end.",
    "every": "- `every(m)`: what all classes have together.",
}
_BETTER: Final = {"higher": "higher is better", "lower": "lower is better", "none": "neither direction is better"}


def kpi_page(kpi: Kpi, measures: Collection[Measure]) -> str:
    """Write the section of one KPI.

    Args:
        kpi: The KPI.
        measures: Those that its formula may name.

    Returns:
        Markdown: a heading of the second level, formula, measures, and a list of facts; ends with a line break.
    """
    lines = [f"## {kpi.name}", "", f"**{kpi.title}.** {kpi.doc}", "", *_formula(kpi, measures), ""]
    lines += [f"- **{name}:** {text}" for name, text in _facts(kpi, measures)]
    notes = NOTES.get(kpi.row, ())
    if notes:
        lines += ["", "How it is read:", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _formula(kpi: Kpi, measures: Iterable[Measure]) -> Iterator[str]:
    yield from ("```text", f"{kpi.name} = {formula_of(kpi)}", "```")
    if kpi.fallback_denominator is not None:
        yield from ("", f"Where `{kpi.denominator}` was 0 in all time, `{kpi.fallback_denominator}` is divided by.")
    known = {measure.name: measure for measure in measures}
    named = [known[name] for name in measures_named(kpi)]
    if named or variables_named(kpi):
        yield ""
    for measure in named:
        yield f"- `{measure.name}`: {measure_words(measure)}. {fact_words(measure)}"
    for name in variables_named(kpi):
        yield f"- `{name}`: {VARIABLES[name]}."
    formulas = f"{kpi.numerator} {kpi.denominator}"
    taken = [words for scope, words in _SCOPES.items() if f"{scope}(" in formulas]
    yield from taken


def _facts(kpi: Kpi, measures: Iterable[Measure]) -> Iterator[tuple[str, str]]:
    yield "Unit", f"{UNITS[kpi.unit]}; {_BETTER[kpi.better]}"
    yield "Type", kpi.type
    yield "Row and area", f"{kpi.row}, {AREAS[kpi.area]}" if kpi.row else f"one of your own, {AREAS[kpi.area]}"
    yield "Series", ", ".join(_groupings(kpi))
    yield "Windows", windows_words(kpi)
    yield "Unknown (null)", f"when {kpi.unknown_when}" if kpi.unknown_when else "never"
    if kpi.example:
        yield "Example", kpi.example
    yield "From", source_words(kpi.source)
    yield "Series keys", "like " + ", ".join(f"`{key}`" for key in _keys(kpi))
    yield "Prometheus", "; ".join(_metrics(kpi, measures))
    if kpi.row:
        yield "Dashboards", ", ".join(f"{board.title} (`{board.uid}`)" for board in boards_of(kpi.name, kpi.area))


def _groupings(kpi: Kpi) -> Iterator[str]:
    for grouping in kpi.groupings:
        yield "by " + grouping.replace("_", " ").replace(",", " and ") if grouping else "global"


def _keys(kpi: Kpi) -> Iterator[str]:
    """Keys of some series: the global one, one of a dimension, and one of a pair of them."""
    by_sort = {min(2, len(_dimensions(grouping))): grouping for grouping in reversed(kpi.groupings)}
    for _, grouping in sorted(by_sort.items()):
        yield series_key(kpi.name, "mtd", {name: _VALUES.get(name, "...") for name in _dimensions(grouping)})


def _metrics(kpi: Kpi, measures: Iterable[Measure]) -> Iterator[str]:
    endings = ", ".join(f"`{by(_dimensions(grouping))}`" for grouping in kpi.dimensions)
    broken_down = f" with the endings {endings}" if kpi.dimensions else ""
    either = "alone and" if kpi.has_global and kpi.dimensions else ""
    yield f"`{metric_name(kpi)}` {either}{broken_down}".replace("  ", " ").rstrip()
    if kpi.ranked:
        yield "the rank " + ", ".join(f"`{rank_name(kpi, _dimensions(grouping))}`" for grouping in kpi.dimensions)
    if has_parts(kpi):
        numerator, denominator = part_names(kpi)
        money = ", money in major units" if any(parts_in_money(kpi, (), measures)) else ""
        if money and "target" in kpi.groupings and not any(parts_in_money(kpi, ("target",), measures)):
            money += " (of single goals in minor units)"
        yield f"its parts `{numerator}` and `{denominator}` likewise{money}"
    if kpi.has_global and has_previous(kpi):
        yield f"the previous value `{previous_name(kpi)}`, global only"


def _dimensions(grouping: str) -> tuple[str, ...]:
    return tuple(grouping.split(",")) if grouping else ()
