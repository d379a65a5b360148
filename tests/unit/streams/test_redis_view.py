"""The pure parts of the view: what a query means, how freshness is judged, what is pending after a failed write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kpi import dims_key
from schemas.windows import DAY_MS, HOUR_MS
from streams.history import HISTORY_DAYS, History, HistoryPoint, HistoryStep
from streams.redis_view import Query, Selection, as_stale
from streams.redis_view.freshness import judge
from streams.redis_view.query import pick
from streams.redis_view.snapshot import OwnerSnapshot
from streams.time import fixed_width
from tests.properties.profile import examples
from tests.publications import START_MS, kpi_value, publication, published

REP, PAIR = {"rep": "a"}, {"rep": "a", "team": "n"}


@pytest.mark.parametrize(
    ("selection", "belongs"),
    [
        (Selection(), [{}]),
        (Selection(by=("rep",)), [REP, {"rep": "b"}]),
        (Selection(by="*"), [{}, REP, {"rep": "b"}, PAIR]),
        (Selection(by=("team", "rep")), [PAIR]),
        (Selection(where={"rep": "a"}), [REP]),
        (Selection(by=("team",), where={"rep": "a"}), [PAIR]),
        (Selection(by="*", where={"rep": "a"}), [REP, PAIR]),
        (Selection(kpis=("other",), by="*"), []),
    ],
)
def test_what_a_selection_takes(selection: Selection, belongs: list[dict[str, str]]) -> None:
    matches = selection.matcher()
    assert [dims for dims in ({}, REP, {"rep": "b"}, PAIR) if matches("revenue", dims_key(dims))] == belongs


def test_fields_are_named_where_they_can_be() -> None:
    query = Query(("today", "ytd"), (Selection(("b",)), Selection(where={"rep": "x,y"}, windows=("ytd",))))
    assert query.fields("today", ("a", "b")) == ("b|",)
    assert query.fields("ytd", ("a", "b")) == ("b|", "a|rep=x%2Cy", "b|rep=x%2Cy")
    assert Query(("today",), (Selection(by=("rep",)),)).fields("today", ("a",)) is None


def test_a_selection_may_be_about_some_of_the_windows() -> None:
    query = Query(("today", "ytd"), (Selection(("a",), windows=("today",)), Selection(("b",), ("rep",))))
    today, ytd = query.matcher("today"), query.matcher("ytd")
    assert (today("a", ""), ytd("a", "")) == (True, False)
    assert today("b", "rep=x")
    assert ytd("b", "rep=x")


def test_answers_are_in_order_of_the_catalogue_then_of_the_dimensions() -> None:
    fields = {"z|rep=b": b"1", "z|rep=a": b"2", "a|rep=a": b"3", "z|": b"4"}
    picked = pick(Query(("all",), (Selection(by="*"),)), "all", fields, "za".index)
    assert [key for key, _ in picked] == ["z|all|", "z|all|rep=a", "z|all|rep=b", "a|all|rep=a"]


def test_values_are_stale_when_one_owner_is_silent() -> None:
    meta = {b"seen:0": b"1000", b"seen:1": b"9000", b"quality": b"live", b"version": b"7"}
    assert judge(meta, 10_000, 9_000).quality == "live"
    assert judge(meta, 10_001, 9_000).quality == "stale"
    assert judge({}, 10_000, 9_000).quality == "stale"
    assert judge(meta | {b"quality": b"unheard of"}, 10_000, 9_000).stale


def test_stale_is_said_in_the_quality_and_nowhere_else() -> None:
    value = kpi_value("revenue", dimensions={"rep": '"quality":"live"'}, value=1, quality="partial")
    payload = published(value).payload
    assert (
        as_stale(payload)
        == published(kpi_value("revenue", dimensions=value.dimensions, value=1, quality="stale")).payload
    )
    assert payload != as_stale(payload)


@given(st.lists(st.integers(-(10**11), 10**13), min_size=2, max_size=2))
@examples(100)
def test_times_of_fixed_width_sort_as_they_follow(moments: list[int]) -> None:
    one, other = moments
    assert (fixed_width(one) < fixed_width(other)) == (one < other)


def test_what_a_failed_write_held_is_pending_again_with_what_came_meanwhile() -> None:
    snapshot = OwnerSnapshot(0)
    old, new = kpi_value("revenue", value=1), kpi_value("revenue", value=2, revision=2)
    other, lost = kpi_value("deals_won", value=1), kpi_value("calls", value=1)
    snapshot.take(publication([old, other, lost], complete=True))
    pending = snapshot.begin()
    assert pending is not None
    snapshot.take(publication([new, other], position=2, complete=True))
    snapshot.give_back(pending)
    again = snapshot.begin()
    assert again is not None
    assert again.values.changed == {"revenue|today|", "deals_won|today|"}
    assert again.values.gone == {"calls|today|"}
    assert snapshot.values.entries["revenue|today|"].score == 2


def test_an_older_publication_changes_nothing() -> None:
    snapshot = OwnerSnapshot(0)
    snapshot.take(publication([kpi_value("revenue", value=2)], position=5))
    snapshot.take(publication([kpi_value("revenue", value=1)], position=5, clock_ms=START_MS - 1))
    snapshot.take(publication([kpi_value("revenue", value=1)], position=4, clock_ms=START_MS + 1))
    assert snapshot.values.entries["revenue|today|"].score == 2


def told(*points: HistoryPoint, clock_ms: int = START_MS, position: int = 1, complete: bool = False) -> History:
    return History(0, position, clock_ms, points, complete)


def a_point(start_ms: int, value: int, step: HistoryStep = "1h") -> HistoryPoint:
    return HistoryPoint("revenue", "", step, start_ms, value, value, None)


def test_points_older_than_the_horizon_are_dropped_when_a_new_slice_begins() -> None:
    snapshot = OwnerSnapshot(0)
    snapshot.take(publication([]))
    hours = [a_point(START_MS + hour * HOUR_MS, hour) for hour in range(500)]
    for hour in hours:
        snapshot.take_history(told(hour, clock_ms=hour.start_ms + 1, position=hour.start_ms))
        assert len(snapshot.points.entries) <= HISTORY_DAYS["1h"] * 24 + 2
    kept = sorted(key.start_ms for key in snapshot.points.entries)
    assert kept[-1] == hours[-1].start_ms
    assert kept[0] <= hours[-1].start_ms - HISTORY_DAYS["1h"] * DAY_MS
    pending = snapshot.begin()
    assert pending is not None
    assert pending.points.changed == snapshot.points.entries.keys()
    snapshot.take_history(told(a_point(START_MS, 1), clock_ms=hours[-1].start_ms + 1, position=hours[-1].start_ms))
    assert START_MS not in {key.start_ms for key in snapshot.points.entries}, "too old when it came"


def test_older_points_change_nothing_and_a_complete_history_replaces_all() -> None:
    snapshot = OwnerSnapshot(0)
    snapshot.take(publication([], position=5))
    snapshot.take_history(told(a_point(START_MS, 1), a_point(START_MS, 7, "1d"), position=5))
    snapshot.take_history(told(a_point(START_MS, 2), position=4))
    assert [json.loads(point)["value"] for point in snapshot.points.entries.values()] == [1, 7]
    snapshot.take_history(told(a_point(START_MS, 3), position=5, complete=True))
    assert [json.loads(point)["value"] for point in snapshot.points.entries.values()] == [3]
