"""The conversion alert: when it begins to fire, when it is over, and when nobody can tell.

A series is ``unknown`` until it had traffic enough, then ``ok``. It is ``firing`` once three evaluations in a row say
so, ``ok`` again when its rate was back for ten minutes, and ``no_data`` when no window had the traffic for as long.
Everything is event time behind the watermark, so the same events give the same alerts, live or replayed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.alerts import Alert, AlertState, AlertStatus, SeriesState, fingerprint
from schemas.decode import instant_ms
from schemas.kpi import Quality, dims_key, parse_dims
from schemas.settings import Settings
from schemas.windows import MINUTE_MS
from streams.alerting.statistics import WINDOWS_MS, Baseline, Counts, Judgement, baseline_ends, baseline_of, judge
from streams.time import Calendar, iso

ALERT: Final = "ConversionDropped"
KPI: Final = "lead_conversion"
RUNBOOK: Final = "deploy/runbook.md#conversiondropped"

_IN_A_ROW: Final = 3
_HOLD_MS: Final = 10 * MINUTE_MS
_Z_GLOBAL: Final = -3.0
_Z_SLICE: Final = -4.0  # many slices are watched at once: each must say more before it is believed
_BACK_AT: Final = 1.2  # traffic around the gate must not switch no_data on and off
_GAP: Final = 5  # evaluations further apart than so many intervals are not "in a row"


class _Series(msgspec.Struct):
    """Where one series stands."""

    state: SeriesState = "unknown"
    window: str = "24h"
    started_ms: int | None = None
    evaluated_ms: int | None = None
    recovered_since_ms: int | None = None
    poor_since_ms: int | None = None
    in_a_row: dict[str, int] = {}
    baselines: dict[str, tuple[int, Baseline | None]] = {}
    judgements: dict[str, Judgement] = {}

    def start_over(self) -> None:
        """What was seen before does not join what comes now."""
        self.in_a_row = {}
        self.recovered_since_ms = None
        self.poor_since_ms = None


class ConversionMonitor:
    """Watches lead conversion of the series of this worker.

    Args:
        settings: ``alerts``: default drift ``tau``, gate ``minimum_expected``, ``baseline_floor``, ``interval``; and
            the zone by whose clock weeks are compared.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.alerts
        self._calendar = Calendar(settings.time.zone)
        self._series: dict[str, _Series] = {}

    def evaluate(self, series: str, counts: Counts, watermark_ms: int | None, quality: Quality) -> list[Alert]:
        """Judge one series, if it is time to.

        Args:
            series: Dimension part of the series key; empty for the global one.
            counts: First purchases and leads of the series over an interval. It is asked for whole minutes up to 24
                hours back, and for whole quarters of an hour up to 29 days (and a change of the clock) back.
            watermark_ms: Nothing after it is looked at. None: nothing is known yet.
            quality: Anything but ``live`` holds the alert back.

        Returns:
            The transition, if there is one.
        """
        seen = self._series.setdefault(series, _Series())
        if quality != "live" or watermark_ms is None:
            return []
        end_ms = watermark_ms - watermark_ms % MINUTE_MS
        if seen.evaluated_ms is not None:
            waited = end_ms - seen.evaluated_ms
            if waited < self._settings.interval:
                return []
            if waited > _GAP * self._settings.interval:
                seen.start_over()
        seen.evaluated_ms = end_ms
        seen.judgements = {
            window: judge(window, counts, end_ms, self._baseline(seen, window, counts, end_ms)) for window in WINDOWS_MS
        }
        became = self._step(seen, _Z_SLICE if series else _Z_GLOBAL, end_ms)
        return [] if became is None else [_alert(series, seen, became, end_ms)]

    def status(self, series: str) -> tuple[AlertStatus, ...]:
        """Return the raw statistics of the last evaluation, one entry a window; unknown before the first."""
        seen = self._series.get(series, _Series())
        return tuple(_status(seen, window) for window in WINDOWS_MS)

    def restore(self, alert: Alert) -> None:
        """Take up what a worker before this one said last of a series, so that nothing is said twice or left open."""
        if alert.alert != ALERT:
            return
        started_ms = None if alert.started_at is None else instant_ms(alert.started_at)
        states: dict[AlertState, SeriesState] = {"firing": "firing", "resolved": "ok", "no_data": "no_data"}
        state = states[alert.state]
        self._series[dims_key(alert.dimensions)] = _Series(state=state, window=alert.window, started_ms=started_ms)

    def _baseline(self, seen: _Series, window: str, counts: Counts, end_ms: int) -> Baseline | None:
        ends = baseline_ends(end_ms, self._calendar)
        known = seen.baselines.get(window)
        if known is None or known[0] != ends[0]:
            weeks = [counts(end - WINDOWS_MS[window], end) for end in ends]
            known = (ends[0], baseline_of(weeks, self._settings.tau, self._settings.baseline_floor))
            seen.baselines[window] = known
        return known[1]

    def _step(self, seen: _Series, z_limit: float, end_ms: int) -> AlertState | None:
        """Move the state machine on by one evaluation; returns the transition to tell."""
        gate = self._settings.minimum_expected
        eligible = [judged for judged in seen.judgements.values() if judged.expected >= gate and judged.z is not None]
        seen.in_a_row = {
            judged.window: seen.in_a_row.get(judged.window, 0) + 1 for judged in eligible if judged.dropped(z_limit)
        }
        if not eligible:
            return _without_traffic(seen, end_ms)
        seen.poor_since_ms = None
        if seen.state == "firing":
            return _while_firing(seen, eligible, end_ms)
        fired = next((window for window, times in seen.in_a_row.items() if times >= _IN_A_ROW), None)
        if fired is not None:
            seen.state, seen.window, seen.started_ms, seen.recovered_since_ms = "firing", fired, end_ms, None
            return "firing"
        if seen.state == "unknown":
            seen.state = "ok"
        elif seen.state == "no_data" and max(judged.expected for judged in eligible) >= _BACK_AT * gate:
            seen.state = "ok"
            return "resolved"
        return None


def _without_traffic(seen: _Series, end_ms: int) -> AlertState | None:
    if seen.poor_since_ms is None:
        seen.poor_since_ms = end_ms
    if seen.state not in ("ok", "firing") or end_ms - seen.poor_since_ms < _HOLD_MS:
        return None
    seen.state = "no_data"
    seen.recovered_since_ms = None
    return "no_data"


def _while_firing(seen: _Series, eligible: list[Judgement], end_ms: int) -> AlertState | None:
    """Look at the window that fired; when traffic no longer carries it, at the next one that counts."""
    judged = next((judged for judged in eligible if WINDOWS_MS[judged.window] >= WINDOWS_MS[seen.window]), eligible[-1])
    seen.window = judged.window
    if not judged.recovered():
        seen.recovered_since_ms = None
        return None
    if seen.recovered_since_ms is None:
        seen.recovered_since_ms = end_ms
    if end_ms - seen.recovered_since_ms < _HOLD_MS:
        return None
    seen.state = "ok"
    seen.recovered_since_ms = None
    return "resolved"


def _status(seen: _Series, window: str) -> AlertStatus:
    judged = seen.judgements.get(window)
    return AlertStatus(
        alert=ALERT,
        state=seen.state,
        window=window,
        value=judged.ratio if judged else None,
        short_value=judged.short_ratio if judged else None,
        baseline=judged.baseline.ratio if judged and judged.baseline else None,
        z=judged.z if judged else None,
        expected=judged.expected if judged and judged.baseline else None,
    )


def _alert(series: str, seen: _Series, state: AlertState, end_ms: int) -> Alert:
    judged = seen.judgements[seen.window]
    baseline = judged.baseline
    return Alert(
        fingerprint=fingerprint(ALERT, series),
        alert=ALERT,
        state=state,
        severity="warning" if series else "critical",
        kpi=KPI,
        dimensions=parse_dims(series),
        window=seen.window,
        value=judged.ratio,
        baseline=baseline.ratio if baseline else None,
        z=judged.z,
        numerator=judged.conversions,
        denominator=judged.leads,
        baseline_numerator=baseline.conversions if baseline else None,
        baseline_denominator=baseline.leads if baseline else None,
        started_at=None if seen.started_ms is None else iso(seen.started_ms),
        at=iso(end_ms),
        runbook=RUNBOOK,
        summary=_summary(series, judged, state),
    )


def _summary(series: str, judged: Judgement, state: AlertState) -> str:
    where = f" ({series})" if series else ""
    if state == "no_data" or judged.baseline is None or judged.ratio is None:
        return f"Lead conversion{where}: too little traffic to judge"
    word = "dropped" if state == "firing" else "is back"
    return (
        f"Lead conversion{where} {word}: {judged.ratio:.2%} over {judged.window}, "
        f"{judged.baseline.ratio:.2%} in the weeks before"
    )
