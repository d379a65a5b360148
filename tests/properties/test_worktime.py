"""Working time passes: never back, never beyond the whole, and in two parts of a period as much as in one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import settings_from
from schemas.windows import DAY_MS
from streams.time import Calendar, Span
from streams.worktime import WorkTime, work_time
from tests.properties.histories import ANCHORS_MS, ZONES
from tests.properties.profile import examples

QUARTER_MS = 900_000
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CALENDARS = {zone: Calendar(zone) for zone in ZONES}
OWN_HOLIDAYS = ("2024-10-28", "2024-11-01", "2024-11-04")

hours = st.none() | st.tuples(st.integers(0, 95), st.integers(1, 96)).filter(lambda pair: pair[0] < pair[1])
periods = st.sampled_from(["today", "wtd", "mtd", "qtd"])
anchors = st.sampled_from(ANCHORS_MS)


def text(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


def worktime_of(zone: str, days: set[str], worked: tuple[int, int] | None) -> WorkTime:
    kpi = {
        "working_days": sorted(days),
        "working_hours": [text(quarter) for quarter in worked] if worked else [],
        "extra_holidays": list(OWN_HOLIDAYS),
    }
    return work_time(settings_from({"kpi": kpi}), CALENDARS[zone])


@examples(150)
@given(
    st.sampled_from(ZONES),
    st.sets(st.sampled_from(WEEKDAYS)),
    hours,
    periods,
    anchors,
    st.lists(st.integers(-3 * DAY_MS, 100 * DAY_MS), min_size=2, max_size=6),
    st.integers(0, 91),
)
def test_it_passes_from_nothing_to_the_whole_and_adds_up(
    zone: str,
    days: set[str],
    worked: tuple[int, int] | None,
    window: str,
    anchor_ms: int,
    passed_ms: list[int],
    cut: int,
) -> None:
    calendar, worktime = CALENDARS[zone], worktime_of(zone, days, worked)
    period = calendar.period(window, anchor_ms)
    found = [worktime.elapsed(period, period.start_ms + passed) for passed in sorted(passed_ms)]
    elapsed, (whole, *others) = [part for part, _ in found], [all_of_it for _, all_of_it in found]
    assert elapsed == sorted(elapsed)
    assert 0 <= elapsed[0] <= elapsed[-1] <= whole
    assert set(others) == {whole}
    assert worktime.elapsed(period, period.start_ms) == (0, whole)
    assert worktime.elapsed(period, period.end_ms) == (whole, whole)
    midnight = min(period.end_ms, calendar.midnight(calendar.local(period.start_ms).date() + timedelta(days=cut)))
    parts = Span(period.start_ms, midnight), Span(midnight, period.end_ms)
    for passed in passed_ms:
        end_ms = period.start_ms + passed
        sums = [worktime.elapsed(part, end_ms) for part in parts if part.end_ms > part.start_ms]
        assert tuple(map(sum, zip(*sums, strict=True))) == worktime.elapsed(period, end_ms)


@examples(60)
@given(st.sampled_from(ZONES), st.sets(st.sampled_from(WEEKDAYS)), hours, anchors, st.integers(-40, 200))
def test_with_hours_it_is_every_quarter_of_an_hour_that_is_worked(
    zone: str, days: set[str], worked: tuple[int, int] | None, anchor_ms: int, passed: int
) -> None:
    calendar = CALENDARS[zone]
    begin, end = worked or (36, 68)
    worktime = worktime_of(zone, days, (begin, end))
    period = calendar.period("wtd", anchor_ms)

    def is_worked(at_ms: int) -> bool:
        local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(calendar.zone)
        quarter = local.hour * 4 + local.minute // 15
        is_day = WEEKDAYS[local.weekday()] in days and local.date().isoformat() not in OWN_HOLIDAYS
        return is_day and begin <= quarter < end

    quarters = range(period.start_ms, period.end_ms, QUARTER_MS)
    end_ms = anchor_ms - anchor_ms % QUARTER_MS + passed * QUARTER_MS
    expected = [sum(900 for at_ms in quarters if is_worked(at_ms) and at_ms < until) for until in (end_ms, 1 << 60)]
    if _is_plain(calendar, period, begin, end):
        assert worktime.elapsed(period, end_ms) == tuple(expected)


def _is_plain(calendar: Calendar, period: Span, begin: int, end: int) -> bool:
    """Whether no work begins or ends in an hour that is skipped or comes twice: there the first reading counts."""
    return not any(
        calendar.local(period.start_ms + days * DAY_MS).date() in _CHANGES and 1 * 4 <= edge <= 3 * 4
        for days in range(8)
        for edge in (begin, end)
    )


_CHANGES = {datetime(year, month, day, tzinfo=UTC).date() for year, month, day in ((2024, 10, 27), (2024, 11, 3))}
