"""The conversion alert's states: fires on a drop, is quiet otherwise, and says each thing once."""

from datetime import datetime
from random import Random

import msgspec
import pytest

from schemas.alerts import Alert, fingerprint
from schemas.kpi import Quality
from schemas.settings import Settings, settings_from
from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS
from streams.alerting import statistics as alert_statistics
from streams.alerting.monitor import ConversionMonitor
from streams.time import Calendar
from tests.unit.streams.conversion_floor import DAY_MINUTES, WEEK_MINUTES, Drop, Floor, simulate, steady

SETTINGS = settings_from({})
HISTORY = 4 * WEEK_MINUTES + DAY_MINUTES


def run(
    floor: Floor,
    start: int,
    series: str = "",
    settings: Settings = SETTINGS,
    monitor: ConversionMonitor | None = None,
    end: int | None = None,
) -> list[Alert]:
    """Evaluate every minute from ``start`` on; returns the transitions."""
    watching = monitor or ConversionMonitor(settings)
    said = []
    for minute in range(start, floor.minutes() if end is None else end):
        said += watching.evaluate(series, floor.counts, minute * MINUTE_MS, "live")
    return said


def minute_of(alert: Alert) -> int:
    days, rest = alert.at[:10], alert.at[11:16]
    day = (int(days[5:7]) - 1) * 31 + int(days[8:10]) - 1
    return day * DAY_MINUTES + int(rest[:2]) * 60 + int(rest[3:])


def test_a_drop_fires_once_and_is_resolved_once_when_it_is_over() -> None:
    drop = Drop(HISTORY, HISTORY + 120, 0.3)
    said = run(steady(600, 30, HISTORY + 2 * DAY_MINUTES, drop), HISTORY - 60)
    assert [alert.state for alert in said] == ["firing", "resolved"]
    fired, resolved = said
    assert fired.fingerprint == resolved.fingerprint == fingerprint("ConversionDropped", "")
    assert fired.started_at == resolved.started_at == fired.at
    assert fired.severity == "critical"
    assert fired.window == "15m"
    assert 0 <= minute_of(fired) - drop.start <= 15
    assert minute_of(resolved) >= drop.end


def test_a_short_dip_is_no_drop() -> None:
    drop = Drop(HISTORY, HISTORY + 2, 0.0)
    assert run(steady(600, 30, HISTORY + 300, drop), HISTORY - 60) == []


def test_three_evaluations_in_a_row_are_needed() -> None:
    floor = steady(600, 30, HISTORY + 300, Drop(HISTORY, HISTORY + 300, 0.3))
    said = run(floor, HISTORY - 60)
    first = minute_of(said[0])
    late = run(floor, first - 1)
    assert minute_of(late[0]) == first + 1, "a monitor that starts a minute before needs two more"


def test_a_slice_is_a_warning_and_must_deviate_more() -> None:
    floor = steady(600, 30, HISTORY + 600, Drop(HISTORY, HISTORY + 600, 0.3))
    company = run(floor, HISTORY - 60)[0]
    part = run(floor, HISTORY - 60, "source=web")[0]
    assert part.severity == "warning"
    assert part.dimensions == {"source": "web"}
    assert part.fingerprint != company.fingerprint
    assert (part.z or 0) < -4
    assert minute_of(part) >= minute_of(company)


@pytest.mark.parametrize("quality", ["catching_up", "stale", "partial"])
def test_values_that_are_not_live_hold_it_back(quality: Quality) -> None:
    floor = steady(600, 30, HISTORY + 300, Drop(HISTORY, HISTORY + 300, 0.3))
    monitor = ConversionMonitor(SETTINGS)
    for minute in range(HISTORY, HISTORY + 300):
        assert monitor.evaluate("", floor.counts, minute * MINUTE_MS, quality) == []
    assert monitor.evaluate("", floor.counts, None, "live") == []


def test_traffic_below_the_gate_is_no_data_and_comes_back() -> None:
    busy, closed = [600] * HISTORY, [0] * (2 * DAY_MINUTES)
    leads = busy + closed + [600] * DAY_MINUTES
    said = run(Floor(leads, [count // 30 for count in leads]), HISTORY - 60)
    assert [alert.state for alert in said] == ["no_data", "resolved"]
    assert said[0].value is None
    assert minute_of(said[0]) - HISTORY >= DAY_MINUTES, "the 24 h window carries it through the night"


def test_without_history_it_is_silent_unless_a_baseline_is_configured() -> None:
    floor = steady(600, 60, 2 * DAY_MINUTES)
    assert run(floor, DAY_MINUTES) == []
    configured = settings_from({"alerts": {"baseline_floor": 0.05}})
    assert [alert.state for alert in run(floor, DAY_MINUTES, settings=configured)] == ["firing"]


def test_it_is_evaluated_at_most_once_an_interval_and_never_beyond_the_watermark() -> None:
    asked: list[tuple[int, int]] = []

    def counts(start_ms: int, end_ms: int) -> tuple[int, int]:
        asked.append((start_ms, end_ms))
        return 30, 1_000

    monitor = ConversionMonitor(settings_from({"alerts": {"interval": "5m"}}))
    now = 60 * DAY_MS
    for second in range(0, 600, 10):
        before = len(asked)
        monitor.evaluate("", counts, now + second * 1_000, "live")
        assert (len(asked) > before) == (second in (0, 300))
        assert all(end <= now + second * 1_000 for _, end in asked)
    recent = [(start, end) for start, end in asked if start >= now - 25 * HOUR_MS]
    old = [(start, end) for start, end in asked if start < now - 25 * HOUR_MS]
    assert all(start % MINUTE_MS == end % MINUTE_MS == 0 for start, end in recent)
    assert all(start % (15 * MINUTE_MS) == end % (15 * MINUTE_MS) == 0 for start, end in old)
    assert min(start for start, _ in asked) >= now - 29 * DAY_MS


def test_hours_are_compared_by_the_clock_of_the_business() -> None:
    calendar = Calendar("Europe/Berlin")
    ends: set[int] = set()

    def counts(_start_ms: int, end_ms: int) -> tuple[int, int]:
        ends.add(end_ms)
        return 30, 1_000

    monitor = ConversionMonitor(settings_from({"time": {"zone": "Europe/Berlin"}}))
    monitor.evaluate("", counts, calendar.instant(datetime(2024, 4, 8, 9)), "live")  # clocks changed on 31 March
    mondays = [datetime(2024, 3, day, 9) for day in (11, 18, 25)]
    assert [calendar.local(end) for end in sorted(ends)] == [*mondays, datetime(2024, 4, 1, 9), datetime(2024, 4, 8, 9)]


def test_a_gap_between_evaluations_starts_the_count_over() -> None:
    floor = steady(600, 30, HISTORY + 300, Drop(HISTORY, HISTORY + 300, 0.3))
    monitor = ConversionMonitor(SETTINGS)
    dropped_since = HISTORY + 60
    said = [
        monitor.evaluate("", floor.counts, minute * MINUTE_MS, "live")
        for minute in (dropped_since, dropped_since + 1, dropped_since + 50, dropped_since + 51, dropped_since + 52)
    ]
    assert [len(each) for each in said] == [0, 0, 0, 0, 1]


def test_values_that_are_late_for_a_moment_do_not_start_the_count_over() -> None:
    floor = steady(600, 30, HISTORY + 300, Drop(HISTORY, HISTORY + 300, 0.3))
    monitor = ConversionMonitor(SETTINGS)
    said = []
    for minute in range(HISTORY + 60, HISTORY + 66):
        assert monitor.evaluate("", floor.counts, minute * MINUTE_MS, "catching_up") == []
        said.append(len(monitor.evaluate("", floor.counts, minute * MINUTE_MS + 30_000, "live")))
    assert said == [0, 0, 1, 0, 0, 0]


def test_a_restart_neither_repeats_nor_forgets_an_alert() -> None:
    drop = Drop(HISTORY, HISTORY + 120, 0.3)
    floor = steady(600, 30, HISTORY + 2 * DAY_MINUTES, drop)
    fired = run(floor, HISTORY - 60, end=HISTORY + 60)
    restarted = ConversionMonitor(SETTINGS)
    restarted.restore(msgspec.json.decode(fired[-1].to_json(), type=Alert))
    said = run(floor, HISTORY + 60, monitor=restarted)
    assert [alert.state for alert in said] == ["resolved"]
    assert said[0].started_at == fired[0].started_at


def test_status_shows_the_raw_statistics() -> None:
    floor = steady(600, 30, HISTORY + 100, Drop(HISTORY, HISTORY + 100, 0.3))
    monitor = ConversionMonitor(SETTINGS)
    assert {status.state for status in monitor.status("")} == {"unknown"}
    run(floor, HISTORY, monitor=monitor)
    first = monitor.status("")[0]
    assert (first.window, first.state) == ("15m", "firing")
    assert first.value == pytest.approx(0.01, rel=0.05)
    assert first.baseline == pytest.approx(1 / 30, rel=0.01)
    assert (first.z or 0) < -3


def test_its_json_reads_back() -> None:
    said = run(steady(600, 30, HISTORY + 100, Drop(HISTORY, HISTORY + 100, 0.3)), HISTORY)
    raw = msgspec.json.decode(said[0].to_json())
    assert raw["state"] == "firing"
    assert raw["at"].endswith("Z")
    assert raw["dimensions"] == {}
    assert msgspec.json.decode(said[0].to_json(), type=Alert) == said[0]


@pytest.mark.parametrize(("an_hour", "allowed"), [(36, 1), (360, 2)])
def test_thirty_ordinary_days_give_next_to_no_false_alerts(an_hour: int, allowed: int) -> None:
    false_alerts = 0
    for seed in (11, 12):
        floor = simulate(Random(seed), HISTORY + 30 * DAY_MINUTES, an_hour)
        said = run(floor, HISTORY)
        false_alerts += sum(alert.state == "firing" for alert in said)
    print(f"{an_hour} conversions an hour: {false_alerts} false alerts in 60 days (seeds 11, 12)")
    assert false_alerts <= allowed


def test_without_the_drift_term_ordinary_weeks_would_be_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_statistics, "_PRIOR_WEEKS", 10**9)  # nothing is learned either
    floor = simulate(Random(11), HISTORY + 30 * DAY_MINUTES, 360)
    said = run(floor, HISTORY, settings=settings_from({"alerts": {"tau": 0}}))
    false_alerts = sum(alert.state == "firing" for alert in said)
    print(f"360 conversions an hour, no drift term: {false_alerts} false alerts in 30 days (seed 11)")
    assert false_alerts >= 5


@pytest.mark.parametrize(("an_hour", "within_minutes"), [(36, 600), (360, 60), (3_600, 30)])
def test_half_the_conversion_is_found_in_time(an_hour: int, within_minutes: int) -> None:
    delays = []
    for seed in (21, 22, 23):
        floor = simulate(Random(seed), HISTORY + DAY_MINUTES, an_hour, drift=0.05, drop=Drop(HISTORY, 10**9, 0.5))
        fired = [alert for alert in run(floor, HISTORY) if alert.state == "firing"]
        assert fired, f"seed {seed}: not found within a day"
        delays.append(minute_of(fired[0]) - HISTORY)
    print(f"{an_hour} conversions an hour: found after {sorted(delays)} min (seeds 21 to 23)")
    assert sorted(delays)[1] <= within_minutes
