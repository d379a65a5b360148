"""The pure parts of the view: what a query means, how freshness is judged, what is pending after a failed write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kpi import dims_key
from streams.redis_view import Query, Selection, as_stale
from streams.redis_view.freshness import fixed_width, judge
from streams.redis_view.query import pick
from streams.redis_view.snapshot import OwnerSnapshot
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
    query = Query(("today",), (Selection(("b",)), Selection(where={"rep": "x,y"})))
    assert query.fields(("a", "b")) == ("b|", "a|rep=x%2Cy", "b|rep=x%2Cy")
    assert Query(("today",), (Selection(by=("rep",)),)).fields(("a",)) is None


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
    assert again.changed == {"revenue|today|", "deals_won|today|"}
    assert again.gone == {"calls|today|"}
    assert snapshot.entries["revenue|today|"].score == 2


def test_an_older_publication_changes_nothing() -> None:
    snapshot = OwnerSnapshot(0)
    snapshot.take(publication([kpi_value("revenue", value=2)], position=5))
    snapshot.take(publication([kpi_value("revenue", value=1)], position=5, clock_ms=START_MS - 1))
    snapshot.take(publication([kpi_value("revenue", value=1)], position=4, clock_ms=START_MS + 1))
    assert snapshot.entries["revenue|today|"].score == 2
