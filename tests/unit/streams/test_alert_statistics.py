"""The formula of the conversion alert, on numbers one can check by hand."""

from datetime import datetime, timedelta
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS
from streams.alerting.statistics import WINDOWS_MS, Baseline, baseline_ends, baseline_of, judge, short_ms
from streams.time import Calendar

FOUR_WEEKS = [(300, 10_000)] * 4


def test_z_is_the_formula() -> None:
    baseline = Baseline(ratio=0.03, conversions=1_200, leads=40_000, weeks=4, tau=0.10)
    judged = judge("24h", lambda *_: (200, 10_000), 40 * DAY_MS, baseline)
    by_hand = (0.02 - 0.03) / sqrt(0.03 * 0.97 * (1 / 10_000 + 1 / 40_000) + (0.10 * 0.03) ** 2 * (1 + 1 / 4))
    assert judged.z == pytest.approx(by_hand)
    assert judged.expected == pytest.approx(300)


def test_a_drop_needs_all_three_signs() -> None:
    baseline = Baseline(ratio=0.03, conversions=1_200, leads=40_000, weeks=4, tau=0.0)

    def dropped(long: int, short: int, leads: int = 10_000) -> bool:
        counts = {DAY_MS: (long, leads), 4 * HOUR_MS: (short, leads)}
        return judge("24h", lambda start, end: counts[end - start], 40 * DAY_MS, baseline).dropped(-3.0)

    assert dropped(long=200, short=200)
    assert not dropped(long=200, short=280), "the short end is back"
    assert not dropped(long=245, short=200), "significant, but not 20 % less"
    assert not dropped(long=2, short=1, leads=100), "20 % less, but chance explains it"


def test_the_baseline_pools_weeks_and_ignores_those_without_leads() -> None:
    baseline = baseline_of([(10, 100), (0, 0), (50, 300), (0, 0)], tau=0.1, floor=0.0)
    assert baseline is not None
    assert (baseline.ratio, baseline.conversions, baseline.leads, baseline.weeks) == (0.15, 60, 400, 2)


def test_with_one_week_only_the_configured_floor_counts() -> None:
    assert baseline_of([(10, 100), (0, 0)], tau=0.1, floor=0.0) is None
    configured = baseline_of([(10, 100), (0, 0)], tau=0.1, floor=0.02)
    assert configured == Baseline(ratio=0.02, conversions=None, leads=None, weeks=0, tau=0.1)


def test_drift_is_learned_from_weeks_that_differ() -> None:
    calm = baseline_of([(30_000, 1_000_000)] * 4, tau=0.10, floor=0.0)
    wild = baseline_of([(20_000, 1_000_000), (40_000, 1_000_000)] * 2, tau=0.10, floor=0.0)
    assert calm is not None
    assert wild is not None
    assert 0.08 < calm.tau < 0.10
    assert wild.tau > 0.2


def test_few_counts_teach_no_drift() -> None:
    noise = baseline_of([(9, 300), (13, 300), (7, 300), (11, 300)], tau=0.10, floor=0.0)
    assert noise is not None
    assert noise.tau < 0.10


def test_the_short_end_is_a_sixth_and_at_least_five_minutes() -> None:
    assert [short_ms(WINDOWS_MS[name]) // MINUTE_MS for name in ("15m", "1h", "6h", "24h")] == [5, 10, 60, 240]


def test_baseline_windows_end_on_whole_quarters_of_an_hour() -> None:
    ends = baseline_ends(40 * DAY_MS + 7 * MINUTE_MS, Calendar())
    assert ends == tuple((40 - 7 * week) * DAY_MS for week in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        ("Europe/Berlin", "2024-04-08 09:00"),  # an hour less on 31 March
        ("Europe/Berlin", "2024-11-04 09:15"),  # an hour more on 27 October
        ("Australia/Lord_Howe", "2024-04-15 00:30"),  # half an hour more on 7 April
    ],
)
def test_baseline_windows_end_at_the_same_local_time_also_when_clocks_changed(zone: str, now: str) -> None:
    calendar, local = Calendar(zone), datetime.fromisoformat(now)
    ends = baseline_ends(calendar.instant(local), calendar)
    assert [calendar.local(end) for end in ends] == [local - timedelta(weeks=week) for week in (1, 2, 3, 4)]
    assert not any(end % (15 * MINUTE_MS) for end in ends), "slices of so long ago are a quarter of an hour"


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=4, max_size=4),
    st.tuples(st.integers(0, 500), st.integers(0, 500)),
    st.floats(0, 1),
)
def test_any_counts_give_a_judgement(weeks: list[tuple[int, int]], now: tuple[int, int], tau: float) -> None:
    judged = judge("1h", lambda *_: now, 40 * DAY_MS, baseline_of(weeks, tau, 0.0))
    assert judged.z is None or abs(judged.z) < float("inf")
    assert judged.expected >= 0
    assert not (judged.dropped(-3.0) and judged.recovered())
