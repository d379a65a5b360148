"""The statistics of a conversion drop: a rate against the same window of the weeks before, drift between weeks allowed.

``z = (p - pb) / sqrt(pb(1-pb)(1/n + 1/nb) + (tau*pb)^2 (1 + 1/weeks))``: the first term is what chance does to counts,
the second what weeks differ by anyway. Without it, large counts make every ordinary bad week an alert (simulated at 360
conversions an hour: 25 false alerts a month against 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import sqrt
from typing import Final

import msgspec

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS
from streams.time import Calendar

Counts = Callable[[int, int], tuple[int, int]]
"""``(start_ms, end_ms) -> (conversions, leads)`` of one series over ``[start_ms, end_ms)``."""

WINDOWS_MS: Final[dict[str, int]] = {"15m": 15 * MINUTE_MS, "1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": DAY_MS}
"""Windows that are judged, shortest first: a small one is quick, a large one sees what little traffic hides."""

WEEKS: Final = 4
BASELINE_STEP_MS: Final = 15 * MINUTE_MS
"""Weeks back only slices of a quarter of an hour are kept, so baseline windows end on whole quarters."""

_PRIOR_WEEKS: Final = 8
"""The default drift counts as much as so many weeks that were seen."""


class Baseline(msgspec.Struct, frozen=True):
    """What to expect of a window.

    Args:
        ratio: Pooled rate of the weeks, or the configured one.
        conversions: Behind the rate; None when it is configured.
        leads: Behind the rate; None when it is configured.
        weeks: How many weeks it is from; 0 when configured.
        tau: Relative deviation between weeks.
    """

    ratio: float
    conversions: int | None
    leads: int | None
    weeks: int
    tau: float


class Judgement(msgspec.Struct, frozen=True):
    """One window of one series at one moment. ``z`` is None when there is nothing to compare."""

    window: str
    conversions: int
    leads: int
    short_ratio: float | None
    baseline: Baseline | None
    expected: float
    z: float | None

    @property
    def ratio(self) -> float | None:
        """Conversion of the window; None without leads."""
        return self.conversions / self.leads if self.leads > 0 else None

    def dropped(self, z_limit: float) -> bool:
        """Whether rate, deviation and the short end of the window all say that conversion dropped."""
        if self.baseline is None or self.z is None or self.ratio is None or self.short_ratio is None:
            return False
        expected = self.baseline.ratio
        return self.z < z_limit and self.ratio < 0.8 * expected and self.short_ratio < 0.9 * expected

    def recovered(self) -> bool:
        """Whether the window's rate is about what it should be."""
        return self.baseline is not None and self.ratio is not None and self.ratio > 0.9 * self.baseline.ratio


def short_ms(window_ms: int) -> int:
    """Return the length of a window's short end, which tells a drop that goes on from one that is over."""
    return max(5 * MINUTE_MS, window_ms // 6)


def baseline_of(weeks: Sequence[tuple[int, int]], tau: float, floor: float) -> Baseline | None:
    """Pool (conversions, leads) of the same window in the weeks before.

    Args:
        weeks: One pair a week; weeks without leads say nothing.
        tau: Default of the deviation between weeks.
        floor: Rate to expect when fewer than two weeks tell; 0: expect nothing.

    Returns:
        None when there is nothing to compare with.
    """
    told = [(conversions, leads) for conversions, leads in weeks if leads > 0]
    if len(told) < 2:
        return Baseline(floor, None, None, 0, tau) if floor > 0 else None
    conversions, leads = sum(pair[0] for pair in told), sum(pair[1] for pair in told)
    if conversions <= 0:
        return None
    return Baseline(conversions / leads, conversions, leads, len(told), _learned_tau(told, conversions / leads, tau))


def _learned_tau(weeks: Sequence[tuple[int, int]], ratio: float, default: float) -> float:
    """Deviation between weeks beyond what chance explains, drawn towards the default as few weeks tell little.

    Source: the moment estimator of between-study variance, DerSimonian and Laird (1986), in relative terms.
    """
    freedom = len(weeks) - 1
    observed = sum((conversions / leads / ratio - 1) ** 2 for conversions, leads in weeks) / freedom
    chance = sum(max(0.0, 1 - ratio) / (ratio * leads) for _, leads in weeks) / len(weeks)
    seen = max(0.0, observed - chance)
    return sqrt((_PRIOR_WEEKS * default**2 + freedom * seen) / (_PRIOR_WEEKS + freedom))


def judge(window: str, counts: Counts, end_ms: int, baseline: Baseline | None) -> Judgement:
    """Compare the window that ends at ``end_ms`` with its baseline."""
    length = WINDOWS_MS[window]
    conversions, leads = counts(end_ms - length, end_ms)
    if baseline is None or leads <= 0:
        return Judgement(window, conversions, leads, None, baseline, 0.0, None)
    short_conversions, short_leads = counts(end_ms - short_ms(length), end_ms)
    return Judgement(
        window=window,
        conversions=conversions,
        leads=leads,
        short_ratio=short_conversions / short_leads if short_leads > 0 else None,
        baseline=baseline,
        expected=baseline.ratio * leads,
        z=_deviation(conversions / leads, leads, baseline),
    )


def _deviation(ratio: float, leads: int, baseline: Baseline) -> float | None:
    expected = baseline.ratio
    of_baseline = 1 / baseline.leads if baseline.leads else 0.0
    of_weeks = 1 / baseline.weeks if baseline.weeks else 0.0
    chance = expected * max(0.0, 1 - expected) * (1 / leads + of_baseline)
    variance = chance + (baseline.tau * expected) ** 2 * (1 + of_weeks)
    return (ratio - expected) / sqrt(variance) if variance > 0 else None


def baseline_ends(end_ms: int, calendar: Calendar) -> tuple[int, ...]:
    """Ends of the same window in the weeks before, by the local time of day, on whole quarters of an hour.

    People buy by their clock: after it was changed, nine o'clock is compared with nine o'clock.
    """
    local = calendar.local(end_ms - end_ms % BASELINE_STEP_MS)
    return tuple(calendar.instant(local - timedelta(weeks=week)) for week in range(1, WEEKS + 1))
