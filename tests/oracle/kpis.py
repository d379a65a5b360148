"""The value of every series at one time of the clock."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypedDict

from tests.oracle.catalogue import CATALOGUE, Kpi
from tests.oracle.contributions import contributions
from tests.oracle.events import instant_ms
from tests.oracle.periods import Window, windows
from tests.oracle.tracks import Tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.oracle.settings import OracleSettings

Parts = tuple[int | None, int | None]


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


def kpis(objects: Iterable[Mapping[str, Any]], settings: OracleSettings, now_ms: int) -> dict[str, KpiValue]:
    """Every series of every KPI by its key `kpi|window|dim=value`.

    Args:
        objects: Events as JSON objects, in order of arrival.
        settings: Zone, currency and the like.
        now_ms: The clock; events at or after it are not counted.
    """
    counted = [body for body in objects if instant_ms(body["occurred_at"]) < now_ms]
    tracks = Tracks(contributions(counted, settings))
    all_windows = windows(now_ms, settings)
    return {
        f"{kpi.name}|{window.name}|{dims}": _value(kpi, tracks, dims, window, settings)
        for kpi in CATALOGUE
        for window in all_windows.values()
        for dims in _series(kpi, tracks, window)
    }


def _series(kpi: Kpi, tracks: Tracks, window: Window) -> Iterator[str]:
    if kpi.has_global:
        yield ""
    named = {measure + window.name if measure.endswith("@") else measure for measure in kpi.measures_of_existence()}
    for dims in sorted({dims for measure in named for dims in tracks.dims(measure)}):
        if dims.partition("=")[0] in kpi.grouped_by:
            yield dims


def _value(kpi: Kpi, tracks: Tracks, dims: str, window: Window, settings: OracleSettings) -> KpiValue:
    span = (window.start_ms, window.end_ms)
    before = None
    if window.previous_start_ms is not None and window.previous_end_ms is not None:
        before = (window.previous_start_ms, window.previous_end_ms)
    parts = _growth(kpi, tracks, dims, window.name, span, before) if kpi.grows else None
    parts = parts or _parts(kpi, tracks, dims, window.name, span)
    value = _divided(kpi, parts, settings)
    previous = None
    if before and not kpi.grows:
        previous = _divided(kpi, _parts(kpi, tracks, dims, window.name, before), settings)
    difference = None if value is None or previous is None else value - previous
    return KpiValue(
        value=value,
        numerator=None if kpi.percentile else parts[0],
        denominator=parts[1],
        unit=kpi.unit,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        previous=previous,
        difference=difference,
        change=difference / previous if difference is not None and previous else None,
    )


def _growth(
    kpi: Kpi, tracks: Tracks, dims: str, window: str, span: tuple[int, int], before: tuple[int, int] | None
) -> Parts:
    """Numerator now less before, over before; `all` has nothing before it."""
    if before is None:
        return None, None
    now, then = (tracks.sum(kpi.numerator, dims, window, during) for during in (span, before))
    return now - then, then


def _parts(kpi: Kpi, tracks: Tracks, dims: str, window: str, span: tuple[int, int]) -> Parts:
    if kpi.percentile:
        (measure,) = kpi.numerator
        return tracks.percentile(measure, dims, span, kpi.percentile), None
    denominator = kpi.denominator
    if kpi.instead and not any(dims in tracks.dims(measure) for measure in denominator or ()):
        denominator = kpi.instead
    over = tracks.sum(kpi.numerator, dims, window, span)
    return over, None if denominator is None else tracks.sum(denominator, dims, window, span)


def _divided(kpi: Kpi, parts: Parts, settings: OracleSettings) -> float | None:
    numerator, denominator = parts
    is_ratio = kpi.denominator is not None or kpi.grows
    if numerator is None or (is_ratio and (denominator is None or denominator <= 0)):
        return None
    unit = settings.minor_per_major if kpi.unit == "money" else 1
    return float(Fraction(numerator, (denominator or 1) * unit if is_ratio else unit))
