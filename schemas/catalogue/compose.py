"""The catalogue in force: the built-in KPIs that the settings leave in, with what they change of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.catalogue import KPIS
from schemas.catalogue.activity import POINTS_FORMULA
from schemas.declare import Kpi
from schemas.measures import COUNT, MEASURES, Measure
from schemas.sections import Settings

POINTS: Final[Mapping[str, int]] = {
    "call.completed": 1,
    "email.sent": 1,
    "lead.stage_changed": 2,
    "deal.stage_changed": 2,
    "deal.won": 10,
}
"""Points an event is worth, where the settings do not say otherwise."""


class Catalogue(NamedTuple):
    """KPIs and the measures that their formulas may name."""

    kpis: tuple[Kpi, ...]
    measures: tuple[Measure, ...]


def catalogue_of(settings: Settings) -> Catalogue:
    """Return the catalogue in force; all built-in KPIs, where ``catalogue.include`` names none."""
    measures = {measure.name: measure for measure in MEASURES}
    formula = _points_formula({**POINTS, **settings.kpi.points}, measures)
    kpis = (msgspec.structs.replace(kpi, numerator=formula) if kpi.numerator == POINTS_FORMULA else kpi for kpi in KPIS)
    include = settings.catalogue.include
    return Catalogue(tuple(kpi for kpi in kpis if not include or kpi.name in include), tuple(measures.values()))


def _points_formula(points: Mapping[str, int], measures: dict[str, Measure]) -> str:
    """Write points by event type as a formula; an event type that no measure counts gets one."""
    counts = {m.fact: m.name for m in measures.values() if m.quantity == COUNT and not m.where and not m.keyed_by}
    counts["deal.won"] = counts["sale"]
    terms = []
    for event_type, each in sorted(points.items()):
        name = counts.get(event_type)
        if name is None:
            name = f"events_{event_type.replace('.', '_')}"
            measures[name] = Measure(name, event_type)
        if each:
            terms.append(f"{each} * {name}")
    return " + ".join(terms) or "0 * deals_won"
