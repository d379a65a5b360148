"""The value of every series at one time of the clock."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from tests.oracle.catalogue import CATALOGUE, Kpi
from tests.oracle.contributions import contributions
from tests.oracle.events import instant_ms
from tests.oracle.periods import Window, windows
from tests.oracle.tracks import Span, Tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.oracle.settings import OracleSettings

Parts = tuple[int | None, int | None]
"""Numerator and denominator."""


class KpiValue(TypedDict):
    """The numbers of one series; money is in major units as `value` and in minor units as `numerator`."""

    value: float | None
    numerator: int | None
    denominator: int | None
    unit: str
    window_start_ms: int
    window_end_ms: int
    previous: float | None
    difference: float | None
    change: float | None
    rank: NotRequired[int]
    label: NotRequired[str | None]


Values = dict[str, KpiValue]


def kpis(objects: Iterable[Mapping[str, Any]], settings: OracleSettings, now_ms: int) -> Values:
    """Every series of every KPI by its key `kpi|window|dim=value`.

    Args:
        objects: Events as JSON objects, in order of arrival.
        settings: Zone, currency and the like.
        now_ms: The clock; events at or after it are not counted.
    """
    return evaluate(CATALOGUE, Tracks(contributions(before(objects, now_ms), settings)), settings, now_ms)


def before(objects: Iterable[Mapping[str, Any]], now_ms: int) -> list[Mapping[str, Any]]:
    """The events that the clock has passed."""
    return [body for body in objects if instant_ms(body["occurred_at"]) < now_ms]


def evaluate(catalogue: Iterable[Kpi], tracks: Tracks, settings: OracleSettings, now_ms: int) -> Values:
    """The values of KPIs whose measures are all in `tracks`."""
    all_windows = windows(now_ms, settings)
    return {
        f"{kpi.name}|{window.name}|{dims}": value_in(kpi, tracks, dims, window, settings)
        for kpi in catalogue
        for window in all_windows.values()
        for dims in series_of(kpi, tracks, window)
    }


def series_of(kpi: Kpi, tracks: Tracks, window: Window) -> Iterator[str]:
    """The series of a KPI that exist: the global one, and those whose value an event of its measures had."""
    if kpi.has_global:
        yield ""
    for dims in sorted({dims for term in kpi.terms_of_existence() for dims in tracks.dims(term, window.name)}):
        if tuple(part.partition("=")[0] for part in dims.split(",")) in kpi.groupings():
            yield dims


def value_of(
    unit: str,
    window: Window,
    parts_of: Callable[[Span], Parts],
    divide: Callable[[Parts], float | None],
    *,
    has_previous: bool = True,
) -> KpiValue:
    """A value and its comparison, from the parts in any span of time and what divides them."""
    parts = parts_of((window.start_ms, window.end_ms))
    value = divide(parts)
    previous = None
    if has_previous and window.previous_start_ms is not None and window.previous_end_ms is not None:
        previous = divide(parts_of((window.previous_start_ms, window.previous_end_ms)))
    difference = None if value is None or previous is None else value - previous
    return KpiValue(
        value=value,
        numerator=parts[0],
        denominator=parts[1],
        unit=unit,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        previous=previous,
        difference=difference,
        change=difference / previous if difference is not None and previous else None,
    )


def ratio(parts: Parts, scale: int = 1) -> float | None:
    """Numerator over denominator and scale; unknown without a denominator above 0."""
    numerator, denominator = parts
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return float(Fraction(numerator, denominator * scale))


def amount(parts: Parts, scale: int = 1) -> float | None:
    """The numerator over scale."""
    return None if parts[0] is None else float(Fraction(parts[0], scale))


def scale_of(unit: str, settings: OracleSettings) -> int:
    """What one unit of a value is in the measures: money in minor units, scores in thousandths."""
    return {"money": settings.minor_per_major, "score": 1000}.get(unit, 1)


def value_in(kpi: Kpi, tracks: Tracks, dims: str, window: Window, settings: OracleSettings) -> KpiValue:
    """The value of one series in one window."""
    scale = scale_of(kpi.unit, settings)
    is_ratio = kpi.denominator is not None or kpi.grows

    def parts_of(span: Span) -> Parts:
        return _growth(kpi, tracks, dims, window) if kpi.grows else _parts(kpi, tracks, dims, window.name, span)

    def divide(parts: Parts) -> float | None:
        return ratio(parts, scale) if is_ratio else amount(parts, scale)

    value = value_of(kpi.unit, window, parts_of, divide, has_previous=not kpi.grows)
    if kpi.percentile or (kpi.no_all and window.name == "all"):
        value["numerator"] = None
    if kpi.no_all and window.name == "all":
        value["value"] = value["denominator"] = None
    return value


def _growth(kpi: Kpi, tracks: Tracks, dims: str, window: Window) -> Parts:
    """Numerator now less before, over before; `all` has nothing before it."""
    if window.previous_start_ms is None or window.previous_end_ms is None:
        return None, None
    now = tracks.sum(kpi.numerator, dims, window.name, (window.start_ms, window.end_ms))
    then = tracks.sum(kpi.numerator, dims, window.name, (window.previous_start_ms, window.previous_end_ms))
    return now - then, then


def _parts(kpi: Kpi, tracks: Tracks, dims: str, window: str, span: Span) -> Parts:
    if kpi.percentile:
        (measure,) = kpi.numerator
        return tracks.percentile(measure, dims, span, kpi.percentile), None
    denominator = kpi.denominator
    if kpi.instead and not any(dims in tracks.dims(term, window) for term in denominator or ()):
        denominator = kpi.instead
    over = tracks.sum(kpi.numerator, dims, window, span)
    return over, None if denominator is None else tracks.sum(denominator, dims, window, span)
