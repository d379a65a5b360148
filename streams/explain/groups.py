"""What a value was found among: the values of a percentile, the stages of the weakest one, the classes of ABC."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from schemas.declare import Kpi
from schemas.explanation import Group, Groups
from schemas.kpi import KpiValue, series_key
from streams.explain.anatomy import Anatomy, Reading
from streams.explain.slices import Sums, sum_of_span, sum_until
from streams.publication import Published
from streams.rollup.distribution import Classes, keyed
from streams.rollup.series import Series
from streams.rollup.values import CLASS_NAMES
from streams.sizes import class_value
from streams.time import Calendar

_AROUND: Final = 4


def groups_of(
    kpi: Kpi,
    value: KpiValue,
    whole: Anatomy,
    series: Series,
    calendar: Calendar,
    resolution: str,
    shares: tuple[int, int],
    values: Mapping[str, Published],
) -> Groups | None:
    """Return what a value was found among; None for a KPI that is not found among anything.

    Args:
        kpi: Its declaration.
        value: What it is.
        whole: Its anatomy, with the readings of all keys.
        series: Its cells.
        calendar: Local days.
        resolution: To which its window is aligned.
        shares: Per cent of the classes A and B.
        values: All values of the moment, by series key.
    """
    if not whole.readings:
        return None
    sums = _sums(next(iter(whole.readings.values())), series, calendar, resolution)
    if kpi.percentile is not None:
        reading = next(iter(whole.readings.values()))
        return _values(kpi.percentile, keyed(sums).get(reading.stored, {}))
    if kpi.lowest:
        return _stages(value, whole, sums)
    return _classes(kpi, value, whole, sums, shares, values) if kpi.class_of else None


def _sums(reading: Reading, series: Series, calendar: Calendar, resolution: str) -> Sums:
    if reading.level:
        return sum_until(series, calendar, reading.span.end_ms, resolution)
    return sum_of_span(series, calendar, reading.span, resolution)


def _values(rank: int, counts: Mapping[str, int]) -> Groups:
    sizes = sorted((int(size), count) for size, count in counts.items() if count > 0)
    reached = list(accumulate(count for _, count in sizes))
    wanted = -(-(reached[-1] if reached else 0) * rank // 100)
    at = next((place for place, passed in enumerate(reached) if passed >= wanted), 0)
    groups = [
        Group(
            name=str(class_value(size)),
            sums={"values": count, "up to here": passed},
            value=class_value(size),
            chosen=place == at,
        )
        for place, ((size, count), passed) in enumerate(zip(sizes, reached, strict=True))
    ]
    shown = [group for place, group in enumerate(groups) if place in (0, len(groups) - 1) or abs(place - at) <= _AROUND]
    total = reached[-1] if reached else 0
    rule = f"of {total:,} values in order of size, number {wanted:,}: {rank} % of them are no greater"
    return Groups(by="value", rule=rule, groups=shown, left_out=len(groups) - len(shown))


def _stages(value: KpiValue, whole: Anatomy, sums: Sums) -> Groups:
    parts = keyed(sums)
    over, under = (reading.stored for reading in whole.readings.values())
    names = sorted({*parts.get(over, {}), *parts.get(under, {})})
    groups = []
    for name in names:
        left, entered = parts.get(over, {}).get(name, 0), parts.get(under, {}).get(name, 0)
        ratio = left / entered if entered > 0 else None
        groups.append(Group(name=name, sums={over: left, under: entered}, value=ratio, chosen=name == value.label))
    rule = "the lowest ratio among stages that were ever left onward; of equals the one most entered"
    return Groups(by="stage", rule=rule, groups=groups)


def _classes(
    kpi: Kpi,
    value: KpiValue,
    whole: Anatomy,
    sums: Sums,
    shares: tuple[int, int],
    values: Mapping[str, Published],
) -> Groups:
    split = Classes(keyed(sums), kpi.class_by, shares)
    shown = (*kpi.class_by, *(reading.stored for reading in whole.readings.values()))
    mine = value.dimensions.get(kpi.class_of)
    groups = []
    for place, name in enumerate(CLASS_NAMES):
        said = values.get(series_key(kpi.name, value.window, {kpi.class_of: name}))
        parts = {measure: split.parts(measure)[place] for measure in dict.fromkeys(shown)}
        groups.append(
            Group(name=name, sums=parts, value=said.value.value if said is not None else None, chosen=name == mine)
        )
    rule = f"customers by net revenue to date: A makes {shares[0]} % of it, B the next {shares[1]} %, C the rest"
    return Groups(by="class", rule=rule, groups=groups)
