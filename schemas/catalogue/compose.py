"""The catalogue in force: the built-in KPIs that the settings leave in, with what they change of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.catalogue import KPIS
from schemas.catalogue.activity import POINTS_FORMULA
from schemas.catalogue.own import Known, read_own
from schemas.declare import Dimension, Kpi
from schemas.errors import SettingsError
from schemas.measures import COUNT, MEASURES, Measure
from schemas.rows import EVENT_TYPES
from schemas.sections import Settings
from schemas.setting_errors import Origins
from schemas.tables import did_you_mean

POINTS: Final[Mapping[str, int]] = {
    "call.completed": 1,
    "email.sent": 1,
    "lead.stage_changed": 2,
    "deal.stage_changed": 2,
    "deal.won": 10,
}
"""Points an event is worth, where the settings do not say otherwise."""
_ORIGINS: Final = Origins("salespulse.toml")


class Catalogue(NamedTuple):
    """KPIs, the measures that their formulas may name, dimensions of the user's own, and tiles for the wall."""

    kpis: tuple[Kpi, ...]
    measures: tuple[Measure, ...]
    dimensions: tuple[Dimension, ...] = ()
    tiles: tuple[dict[str, Any], ...] = ()


def catalogue_of(settings: Settings, origins: Origins = _ORIGINS) -> Catalogue:
    """Return the catalogue in force: the built-in KPIs and the user's own, or those that ``catalogue.include`` names.

    Args:
        settings: ``[catalogue]`` and ``[kpi]``.
        origins: Where they are from, for errors.

    Raises:
        SettingsError: A file of ``catalogue.files`` makes no sense, ``include`` names what is no KPI, or ``kpi.points``
            what is no event type.
    """
    built_in = {measure.name: measure for measure in MEASURES}
    _check_points(settings.kpi.points, origins)
    own = read_own(settings.catalogue.files, Known({kpi.name: kpi for kpi in KPIS}, built_in), origins)
    measures = built_in | {measure.name: measure for measure in own.measures}
    formula = _points_formula({**POINTS, **settings.kpi.points}, measures)
    kpis = (msgspec.structs.replace(kpi, numerator=formula) if kpi.numerator == POINTS_FORMULA else kpi for kpi in KPIS)
    everything = {kpi.name: kpi for kpi in (*kpis, *own.kpis)}
    include = settings.catalogue.include
    for name in include:
        if name not in everything:
            hint = did_you_mean(name, everything) or "`salespulse catalogue` lists all"
            raise SettingsError(origins.refuse("catalogue.include", name, f"no such KPI; {hint.strip()}"))
    in_force = tuple(kpi for kpi in everything.values() if not include or kpi.name in include)
    names = {kpi.name for kpi in in_force}
    tiles = tuple(tile for tile in own.tiles if tile.get("kpi") in names)
    return Catalogue(in_force, tuple(measures.values()), own.dimensions, tiles)


def known_kpis(settings: Settings) -> dict[str, Kpi]:
    """Return every KPI that may be asked for, in force or not; those that are not have no values."""
    return {kpi.name: kpi for kpi in (*KPIS, *catalogue_of(settings).kpis)}


def dimensions_of(kpis: Iterable[Kpi]) -> tuple[str, ...]:
    """Return every dimension that one of the KPIs is broken down by, alone or with another."""
    return tuple(dict.fromkeys(name for kpi in kpis for pair in kpi.dimensions for name in pair.split(",")))


def _check_points(points: Mapping[str, int], origins: Origins) -> None:
    for name in points:
        if name not in EVENT_TYPES:
            allowed = f"{did_you_mean(name, EVENT_TYPES)}expected an event type: {', '.join(EVENT_TYPES)}"
            raise SettingsError(origins.refuse(f"kpi.points.{name}", name, allowed))


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
