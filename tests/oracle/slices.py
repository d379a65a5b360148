"""What a series was in each hour and each local day, by the same formulas as its windows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.oracle.catalogue import CATALOGUE
from tests.oracle.further_catalogue import FURTHER_CATALOGUE
from tests.oracle.kpis import KpiValue, value_in
from tests.oracle.periods import Window, midnight, to_local, to_ms
from tests.oracle.settings import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.oracle.settings import OracleSettings
    from tests.oracle.tracks import Tracks

DAYS = {"1h": 8, "1d": 35}
WINDOW_OF_STEP = {"1h": "1h", "1d": "today"}
_KPIS = {kpi.name: kpi for kpi in (*CATALOGUE, *FURTHER_CATALOGUE)}

Trend = tuple[str, str, str]
"""KPI, dims and step: an hour (`1h`) or a local day (`1d`)."""


def points(trend: Trend, tracks: Tracks, settings: OracleSettings, now_ms: int) -> dict[int, KpiValue]:
    """The values of a formula over measures by the start of the slice: the last 8 days' hours, the last 35 days."""
    name, dims, step = trend
    return {
        start_ms: value_in(
            _KPIS[name], tracks, dims, Window(WINDOW_OF_STEP[step], start_ms, end_ms, None, None), settings
        )
        for start_ms, end_ms in _slices(step, settings, now_ms)
    }


def _slices(step: str, settings: OracleSettings, now_ms: int) -> Iterator[tuple[int, int]]:
    last = midnight(to_local(now_ms - 1, settings.zone))
    for back in range(DAYS[step] - 1, -1, -1):
        start_ms, end_ms = (to_ms(last - timedelta(days=back - more), settings.zone) for more in (0, 1))
        if step == "1d":
            yield start_ms, end_ms
        else:
            starts = range(start_ms, min(end_ms, now_ms), HOUR_MS)
            yield from ((start, min(start + HOUR_MS, end_ms)) for start in starts)
