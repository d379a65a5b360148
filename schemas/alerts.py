"""Alerts: the transitions on ``sales.alerts.v1``, and what ``/metrics`` says of an alert between them."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

AlertState = Literal["firing", "resolved", "no_data"]
"""What a transition says. ``resolved`` also ends a ``no_data``."""

SeriesState = Literal["unknown", "ok", "firing", "no_data"]
"""Where a series stands: ``unknown`` until it first had traffic enough to be judged."""

Severity = Literal["critical", "warning"]

_ENCODER = msgspec.json.Encoder()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one alert.

    Args:
        fingerprint: Stable for alert and series, over restarts and workers; the key on the alerts topic.
        alert: Its name, as in Prometheus and in the runbook.
        state: What it changed to.
        severity: ``critical`` for the global series, ``warning`` for a slice.
        kpi: The KPI it watches.
        dimensions: The slice; empty for the global series.
        window: The window that decided.
        value: Conversion in the window, 0 to 1; None when unknown.
        baseline: What was to be expected, 0 to 1; None without history.
        z: Deviation in standard deviations, drift between weeks included.
        numerator: First purchases in the window.
        denominator: Leads in the window.
        baseline_numerator: First purchases in the same windows of the weeks before; None for a configured baseline.
        baseline_denominator: Leads in them.
        started_at: When it began to fire (RFC 3339, event time); None when it never did.
        at: When it changed (RFC 3339, event time).
        runbook: What to do.
        summary: One line for people.
    """

    fingerprint: str
    alert: str
    state: AlertState
    severity: Severity
    kpi: str
    dimensions: dict[str, str]
    window: str
    value: float | None
    baseline: float | None
    z: float | None
    numerator: int
    denominator: int
    baseline_numerator: int | None
    baseline_denominator: int | None
    started_at: str | None
    at: str
    runbook: str
    summary: str

    def to_json(self) -> bytes:
        """Return the UTF-8 JSON that goes on the alerts topic."""
        return _ENCODER.encode(self)


class AlertStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Raw statistics of one window of one series at its last evaluation; None is unknown.

    Args:
        alert: Name of the alert.
        state: Of the series, the same for all its windows.
        window: The window.
        value: Conversion in it, p.
        short_value: Conversion in its short end.
        baseline: Expected conversion, pb.
        z: Deviation of p from pb in standard deviations.
        expected: Conversions expected in the window.
    """

    alert: str
    state: SeriesState
    window: str
    value: float | None
    short_value: float | None
    baseline: float | None
    z: float | None
    expected: float | None


def fingerprint(alert: str, series: str) -> str:
    """Return the identity of an alert of one series: 16 hexadecimal digits.

    Args:
        alert: Its name.
        series: Dimension part of the series key; empty for the global one.
    """
    return hashlib.sha256(f"{alert}|{series}".encode()).hexdigest()[:16]
