"""KPIs of the user's own: the TOML files of ``catalogue.files``.

A file has ``[[dimensions]]`` (what events say in a field), ``[[measures]]`` (what is counted or added up) and
``[[kpis]]`` (formulas over measures). What is wrong in one is an error that names file, line and key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, get_args

from schemas.areas import AREAS, Area
from schemas.declare import VARIABLES, Better, Dimension, Kpi, KpiType
from schemas.errors import CatalogueError, SettingsError
from schemas.events import Period
from schemas.facts import EVENT_FACTS, FACTS, FactType
from schemas.formula import measures_of, split
from schemas.kpi import Unit
from schemas.measures import COUNT, Measure
from schemas.setting_errors import Origins
from schemas.tables import Table, did_you_mean
from schemas.toml_lines import TomlLines
from schemas.windows import EVENT_DIMENSIONS, WINDOWS

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN: Final = frozenset({*VARIABLES, "start", "end", "every", "target", "abc_class"})
_ENDINGS: Final = ("_previous", "_numerator", "_denominator", "_rank", "_total", "_count", "_sum", "_bucket")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MEASURE_KEYS: Final = ("name", "counts", "adds", "where", "histogram")
_KPI_KEYS: Final = (
    *("name", "title", "doc", "example", "formula", "unit", "dimensions", "global", "windows", "better"),
    *("percentile", "growth", "ranked", "needs", "targets", "tile", "area"),
)


class OwnCatalogue(NamedTuple):
    """What some files declare; ``tiles`` are tables of the wall's playlist."""

    kpis: tuple[Kpi, ...] = ()
    measures: tuple[Measure, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    tiles: tuple[dict[str, Any], ...] = ()


class Known(NamedTuple):
    """What the built-in catalogue has already: KPIs and measures by name."""

    kpis: Mapping[str, Kpi]
    measures: Mapping[str, Measure]


def read_own(paths: Iterable[str], known: Known, origins: Origins) -> OwnCatalogue:
    """Read files; a later one may use what earlier ones declare.

    Raises:
        SettingsError: File, line, key, what was found and what is allowed.
    """
    own = OwnCatalogue()
    for path in paths:
        try:
            own = _read(Path(path), own, known)
        except OSError as error:
            reason = f"{error.strerror or error}; allowed are TOML files"
            raise SettingsError(origins.refuse("catalogue.files", path, reason)) from None
    return own


def _read(path: Path, before: OwnCatalogue, known: Known) -> OwnCatalogue:
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    root = Table(document, "", "", str(path), TomlLines(text))
    root.refuse_others(("dimensions", "measures", "kpis"), "a catalogue file")
    dimensions = [*before.dimensions]
    for table in root.tables("dimensions", "dimension", optional=True):
        dimensions.append(_dimension(table, {each.name for each in dimensions}))
    measures = {measure.name: measure for measure in before.measures}
    for table in root.tables("measures", "measure", optional=True):
        measure = _measure(table, {**known.measures, **measures}, dimensions)
        measures[measure.name] = measure
    kpis = {kpi.name: kpi for kpi in before.kpis}
    tiles = [*before.tiles]
    for table in root.tables("kpis", "KPI", optional=True):
        kpi = _kpi(table, {**known.kpis, **kpis}, {**known.measures, **measures}, dimensions, path.name)
        kpis[kpi.name] = kpi
        if "tile" in table:
            tiles.append({"kind": "number", "kpi": kpi.name, **table.mapping("tile")})
    return OwnCatalogue(tuple(kpis.values()), tuple(measures.values()), tuple(dimensions), tuple(tiles))


def _name(table: Table, taken: Iterable[str], what: str) -> str:
    name = table.text("name")
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise table.wrong("name", "allowed are small letters, digits and _, beginning with a letter; some are taken")
    if name in taken:
        raise table.wrong("name", f"there is a {what} of this name already")
    return name


def _dimension(table: Table, own: set[str]) -> Dimension:
    table.refuse_others(("name", "field"), "a dimension")
    attributes = {name for fact in FACTS.values() for name in fact.attributes}
    name = _name(table, {*EVENT_DIMENSIONS, *attributes, *own}, "dimension")
    field = table.text("field", name)
    if not _FIELD.fullmatch(field):
        raise table.wrong("field", "allowed is the name of a field of the events' JSON")
    return Dimension(name, field)


def _measure(table: Table, known: Mapping[str, Measure], dimensions: Iterable[Dimension]) -> Measure:
    table.refuse_others(_MEASURE_KEYS, "a measure")
    name = _name(table, known, "measure")
    if name.endswith("_count"):
        raise table.wrong("name", "names that end in _count are kept for counts behind other measures")
    fact = table.choice("counts", FACTS, listed_by="an event type such as deal.won, or a fact (`salespulse catalogue`)")
    kind = FACTS[fact]
    if fact in EVENT_FACTS:  # any other integer of the events' JSON may be added up as well
        quantity = table.text("adds", COUNT)
        if not _FIELD.fullmatch(quantity):
            raise table.wrong("adds", "allowed is the name of a field of the events' JSON")
    else:
        quantity = table.choice("adds", (COUNT, *kind.quantities), COUNT)
    keyed_by = table.choice("histogram", kind.quantities) if "histogram" in table else ""
    where = _where(table, kind, [each.name for each in dimensions])
    return Measure(name, fact, quantity, where, keyed_by)


def _where(table: Table, fact: FactType, own: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read which facts count: attribute or dimension -> allowed values."""
    # A sale's products are several, so a filter on them would have to count parts of it.
    names = [*fact.attributes, *(name for name in EVENT_DIMENSIONS if name != "product"), *own]
    where: dict[str, tuple[str, ...]] = {}
    for name, value in table.mapping("where").items():
        if fact.per_window:
            raise table.refuse("where", "facts of this sort exist once a window and cannot be filtered")
        if name not in names:
            raise table.refuse("where", f"{did_you_mean(name, names)}found {name!r}; allowed: {', '.join(names)}")
        values = (value,) if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or not values or not all(isinstance(each, str) for each in values):
            raise table.refuse("where", f"{name}: found {value!r}; allowed is a text or a list of texts")
        where[name] = tuple(values)
    return where


def _kpi(
    table: Table, kpis: Mapping[str, Kpi], measures: Mapping[str, Measure], own: Iterable[Dimension], origin: str
) -> Kpi:
    table.refuse_others(_KPI_KEYS, "a KPI")
    name = _name(table, kpis, "KPI")
    if name.endswith(_ENDINGS) or "_by_" in name:
        raise table.wrong(
            "name", f"names that hold _by_ or end in {', '.join(_ENDINGS)} are kept for metrics of others"
        )
    formula = table.text("formula")
    numerator, denominator = _formula(table, "formula", measures)
    percentile = table.number("percentile", range(1, 100), 50) if "percentile" in table else None
    growth, ranked = table.flag("growth", default=False), table.flag("ranked", default=False)
    named = [measures[each] for part in (numerator, denominator) for each in measures_of(part)]
    _check_keyed(table, named, percentile, formula, denominator)
    needs = _formula(table, "needs", measures)[0] if "needs" in table else None
    dimensions = _groupings(table, named, [each.name for each in own])
    has_global = table.flag("global", default=True)
    if ranked and (has_global or growth):
        has_global = False
    if not dimensions and not has_global:
        raise table.refuse("dimensions", "a KPI without a global series needs at least one")
    return Kpi(
        name=name,
        title=table.text("title", name.replace("_", " ").capitalize()),
        row=0,
        type=_type(percentile, denominator, named, ranked=ranked, growth=growth),
        unit=cast("Unit", table.choice("unit", get_args(Unit), "ratio" if denominator is not None else "count")),
        numerator=numerator,
        denominator=denominator,
        needs=needs,
        dimensions=dimensions,
        has_global=has_global,
        better=cast("Better", table.choice("better", get_args(Better), "higher")),
        growth=growth,
        percentile=percentile,
        ranked=ranked,
        windows=table.choices("windows", WINDOWS) or WINDOWS,
        targets=_targets(table, percentile=percentile, growth=growth, has_global=has_global),
        area=cast("Area", table.choice("area", AREAS, "sales")),
        source=origin,
        doc=table.text("doc", "A KPI of your own."),
        example=table.text("example", " ") if "example" in table else "",
    )


def _formula(table: Table, key: str, measures: Mapping[str, Measure]) -> tuple[str, str | None]:
    formula = table.text(key)
    try:
        parts = split(formula)
        names = [name for part in parts for name in measures_of(part)]
    except CatalogueError as error:
        raise table.refuse(key, str(error)) from None
    for name in names:
        if name not in measures:
            hint = did_you_mean(name, measures)
            raise table.refuse(key, f"{hint}no measure is called {name!r}; allowed: those of `salespulse catalogue`")
    if not names:
        raise table.wrong(key, "allowed is a formula that names at least one measure")
    return parts


def _check_keyed(
    table: Table, named: Iterable[Measure], percentile: int | None, formula: str, denominator: str | None
) -> None:
    keyed = [measure.name for measure in named if measure.keyed_by]
    if percentile is not None and (keyed != [formula.strip()] or denominator is not None):
        raise table.wrong("formula", "allowed for a percentile is one measure that has a histogram")
    if percentile is None and keyed:
        raise table.wrong("formula", f"{keyed[0]} is a histogram; `percentile = 50` makes a number of it")


def _groupings(table: Table, named: Iterable[Measure], own: list[str]) -> tuple[str, ...]:
    """Read the dimensions; each must be one that the facts behind all measures have."""
    every = [set(FACTS[measure.fact].attributes) for measure in named]
    allowed = [*EVENT_DIMENSIONS, *own, *sorted(set.intersection(*every) if every else ())]
    found: list[str] = []
    for text in table.texts("dimensions"):
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in allowed:
                hint = did_you_mean(name, allowed)
                raise table.wrong("dimensions", f"{hint}{name!r} is none; allowed: {', '.join(allowed)}, pairs as a,b")
        found.append(",".join(sorted(names)))
    return tuple(dict.fromkeys(found))


def _targets(table: Table, *, percentile: int | None, growth: bool, has_global: bool) -> dict[str, float]:
    targets: dict[str, float] = {}
    for period, value in table.mapping("targets").items():
        if period not in get_args(Period):
            raise table.refuse("targets", f"found {period!r}; allowed: {', '.join(get_args(Period))}")
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise table.refuse("targets", f"{period}: found {value!r}; allowed is a number above 0")
        targets[period] = value
    if targets and (percentile is not None or growth or not has_global):
        raise table.refuse("targets", "allowed for KPIs with a global series that are sums or ratios")
    return targets


def _type(
    percentile: int | None, denominator: str | None, named: Iterable[Measure], *, ranked: bool, growth: bool
) -> KpiType:
    kinds: dict[KpiType, bool] = {
        "distribution": percentile is not None,
        "ranking": ranked,
        "derived": growth,
        "ratio": denominator is not None,
        "level": any(measure.is_level for measure in named),
    }
    return next((kind for kind, holds in kinds.items() if holds), "simple")
