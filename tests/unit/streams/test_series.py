"""Window sums follow what changes and how time moves."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, RETENTION_MS, WINDOWS
from streams.fold.cells import BLOCK_MS
from streams.rollup import series as series_module
from streams.rollup.series import Change, Series
from streams.rollup.timeline import Timeline, window_covers
from tests.unit.streams.rows import CALENDAR, at

NOW = at("2024-10-27 12:00")


def added(series: Series, at_ms: int, n: int = 1, measure: str = "n") -> None:
    """Add to the slices of all resolutions."""
    for index, resolution in enumerate(RESOLUTIONS):
        series.change(Change(index, CALENDAR.slice_start(resolution, at_ms), {measure: n}))


def moved(series: Series, timeline: Timeline, now_ms: int) -> None:
    timeline.advance(now_ms)
    series.bring_to(timeline.moment)


def flow(series: Series, window: str) -> int:
    return series.window_sums(WINDOWS.index(window))[0].flow.get("n", 0)


def previous(series: Series, window: str) -> int:
    before = series.window_sums(WINDOWS.index(window))[1]
    assert before is not None
    return before.flow.get("n", 0)


def test_an_event_enters_a_window_leaves_it_and_goes_through_its_previous() -> None:
    #  previous |--5m--|--5m--| now
    #             x ->  x  -> x
    series, timeline = Series(""), Timeline(CALENDAR)
    added(series, NOW)
    seen = []
    for minutes in (0, 1, 5, 6, 10, 11):
        moved(series, timeline, NOW + minutes * MINUTE_MS)
        seen.append((flow(series, "5m"), previous(series, "5m")))
    assert seen == [(0, 0), (1, 0), (1, 0), (0, 1), (0, 1), (0, 0)]


def test_a_late_event_is_added_to_the_windows_it_lies_in() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    moved(series, timeline, NOW)
    added(series, NOW - 2 * HOUR_MS)
    touched = series.bring_to(timeline.moment)
    assert (flow(series, "1h"), flow(series, "24h"), flow(series, "today")) == (0, 1, 1)
    assert "n" in touched[WINDOWS.index("24h")]


def test_a_measure_that_is_new_touches_every_window_once() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    moved(series, timeline, NOW)
    added(series, NOW - 2 * HOUR_MS)
    assert "n" in series.bring_to(timeline.moment)[WINDOWS.index("5m")]
    added(series, NOW - 2 * HOUR_MS)
    assert WINDOWS.index("5m") not in series.bring_to(timeline.moment)


def test_what_lies_in_the_future_is_in_the_total_and_in_the_tail() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    added(series, NOW + DAY_MS)
    moved(series, timeline, NOW)
    sums, _ = series.window_sums(WINDOWS.index("7d"))
    assert (sums.flow.get("n", 0), sums.tail["n"], sums.total["n"]) == (0, 1, 1)
    moved(series, timeline, NOW + 2 * DAY_MS)
    assert (flow(series, "7d"), sums.tail.get("n", 0)) == (1, 0)


def test_between_two_multiples_of_the_finest_resolution_nothing_moves() -> None:
    timeline = Timeline(CALENDAR)
    assert timeline.advance(NOW - 9_999)
    assert timeline.advance(NOW) == frozenset()
    assert timeline.advance(NOW + 1) >= {WINDOWS.index("5m"), WINDOWS.index("1h")}


def test_when_a_day_begins_today_is_empty_and_yesterday_is_its_previous() -> None:
    midnight = at("2024-10-28")
    series, timeline = Series(""), Timeline(CALENDAR)
    added(series, midnight - HOUR_MS)
    moved(series, timeline, midnight)
    assert (flow(series, "today"), previous(series, "today")) == (1, 0)
    moved(series, timeline, midnight + 1)
    assert (flow(series, "today"), previous(series, "today")) == (0, 0), "yesterday only up to 00:15"
    moved(series, timeline, midnight + 24 * HOUR_MS)
    assert (flow(series, "today"), previous(series, "today")) == (0, 1)


def test_the_revision_is_how_many_frames_the_log_partitions_have_folded() -> None:
    series = Series("")
    assert series.revision == 0
    series.revisions.update({0: 7})
    assert series.revision == 8
    series.revisions.update({1: 0})  # the first frame of another one raises it as well
    assert series.revision == 9


def test_cells_beyond_their_retention_do_not_count_in_sums_between() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    added(series, NOW)
    added(series, NOW + MINUTE_MS)
    assert series.sum_between(NOW, NOW + HOUR_MS, "1m") == {"n": 2}
    moved(series, timeline, NOW + RETENTION_MS["1m"] + MINUTE_MS)
    series.tidy()
    assert series.sum_between(NOW, NOW + HOUR_MS, "1m") == {"n": 1}
    assert series.sum_between(NOW, NOW + HOUR_MS, "15m") == {"n": 2}


_additions = st.tuples(
    st.integers(-60 * 24 * 8, 60 * 24).map(lambda minutes: NOW + minutes * MINUTE_MS),
    st.integers(-3, 3),
    st.sampled_from(("n", "m#4")),
)
_steps = st.lists(st.one_of(_additions, st.integers(0, 90), st.sampled_from(("tidy", "look"))), max_size=40)


@given(steps=_steps, anew=st.booleans())
def test_neither_tidying_nor_standing_back_in_time_changes_a_sum_of_any_window(
    steps: list[tuple[int, int, str] | int | str], anew: bool
) -> None:
    now_ms, tidied, looked_at, timeline = NOW, Series(""), Series(""), Timeline(CALENDAR)
    timeline.advance(now_ms)
    with mock.patch.object(series_module, "_ANEW_SHARE", 8 if anew else 0):
        for step in steps:
            if step == "tidy":
                tidied.tidy()
            elif step == "look":
                tidied.bring_to(timeline.moment)
            elif isinstance(step, int):
                now_ms += step * MINUTE_MS
                timeline.advance(now_ms)
            elif not isinstance(step, str):
                for series in (tidied, looked_at):
                    added(series, *step)
            looked_at.bring_to(timeline.moment)
        tidied.bring_to(timeline.moment)
    assert tidied.sums == looked_at.sums
    assert tidied.total == looked_at.total
    tidied.tidy()
    summed_anew = [[tidied._sum(cover) for cover in window.covers] for window in timeline.windows]
    assert summed_anew == looked_at.sums


def test_sums_that_are_0_take_no_room() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    moved(series, timeline, NOW)
    added(series, NOW - MINUTE_MS, 2)
    added(series, NOW - MINUTE_MS, -2)
    series.bring_to(timeline.moment)
    assert series.window_sums(WINDOWS.index("5m"))[0].flow == {}


def test_all_has_neither_slices_of_its_own_nor_a_previous() -> None:
    covers = window_covers(CALENDAR, "all", NOW)
    assert covers.previous is None
    assert covers.covers[0] == covers.covers[2] == covers.covers[3] == ()


def test_who_changed_class_since_the_previous_window_is_in_the_old_one_there_also_in_a_restored_state() -> None:
    #  previous |--5m--|--5m--| now
    #             in 7    to 9
    series, timeline = Series(""), Timeline(CALENDAR)
    for at_ms, sums in ((NOW - 8 * MINUTE_MS, {"m#7": 1}), (NOW - 2 * MINUTE_MS, {"m#7": -1, "m#9": 1})):
        for index, resolution in enumerate(RESOLUTIONS[:-1]):
            series.change(Change(index, CALENDAR.slice_start(resolution, at_ms), sums))
    series.change(Change(RESOLUTIONS.index("all"), 0, {"m#9": 1}))  # what is 0 is not stored
    moved(series, timeline, NOW)
    current, before = series.window_sums(WINDOWS.index("5m"))
    assert before is not None
    assert current.keyed("m", whole=True) == {"7": 0, "9": 1}
    assert before.keyed("m", whole=True) == {"7": 1, "9": 0}
    assert list(current.keys("m")) == ["9"]


def test_cells_of_several_log_partitions_add_up_at_a_recovery() -> None:
    series, timeline = Series(""), Timeline(CALENDAR)
    timeline.advance(NOW)
    for index, resolution in enumerate(RESOLUTIONS):
        start_ms = CALENDAR.slice_start(resolution, NOW - MINUTE_MS)
        for n in (1, 2):
            series.restore(index, start_ms - start_ms % BLOCK_MS[index], [(start_ms, {"n": n})])
    series.bring_to(timeline.moment)
    assert {window: flow(series, window) for window in ("5m", "24h", "30d")} == dict.fromkeys(("5m", "24h", "30d"), 3)
    assert series.total == {"n": 3}
