"""Cells: fanned out from 10 s to for ever, kept as long as they are needed, and never added to twice."""

from __future__ import annotations

import pytest

from schemas.windows import DAY_MS, HOUR_MS, RESOLUTIONS, RETENTION_MS, SLICE_MS
from schemas.wire import CellUpdate, fence_of, pack
from streams.fold.cells import BLOCK_MS, CellStore, parse_place, place_key
from streams.fold.gathering import Levels
from tests.unit.streams.rows import CALENDAR, at

NOW = at("2024-10-27 12:00:07")  # Berlin's day of 25 hours
SLICE = NOW - NOW % 10_000


def deltas(*additions: tuple[int, int], finest: str = "10s") -> Levels:
    added = {at_ms - at_ms % 10_000: {"": {"n": n}} for at_ms, n in additions}
    return [added if resolution == finest else {} for resolution in SLICE_MS]


@pytest.fixture
def store() -> CellStore:
    return CellStore(CALENDAR)


def held(store: CellStore, measure: str = "n") -> dict[tuple[str, int], int]:
    return {(RESOLUTIONS[r], start): sums[measure] for _, r, start, sums in store.cells() if measure in sums}


def test_an_addition_reaches_the_slice_of_every_resolution(store: CellStore) -> None:
    store.add(deltas((NOW, 3)), 0, NOW)
    assert held(store) == {
        ("10s", SLICE): 3,
        ("1m", at("2024-10-27 12:00")): 3,
        ("15m", at("2024-10-27 12:00")): 3,
        ("1d", at("2024-10-27")): 3,
        ("all", 0): 3,
    }


def test_what_is_taken_back_leaves_no_trace_in_the_sums(store: CellStore) -> None:
    store.add(deltas((NOW, 3)), 0, NOW)
    store.add(deltas((NOW, -3)), 1, NOW)
    assert held(store) == {}


def test_a_measure_has_no_cells_finer_than_its_window(store: CellStore) -> None:
    store.add(deltas((NOW, 1), finest="15m"), 0, NOW)
    assert {resolution for resolution, _ in held(store)} == {"15m", "1d", "all"}
    store.add([{SLICE: {"": {"n": 2}}}, {}, {SLICE: {"": {"n": 4}}}], 1, NOW)
    assert {resolution: n for (resolution, _), n in held(store).items()} == {
        "10s": 2,
        "1m": 2,
        "15m": 7,
        "1d": 7,
        "all": 7,
    }


def test_an_event_too_late_for_fine_cells_still_counts_in_the_coarse_ones(store: CellStore) -> None:
    store.add(deltas((NOW - 4 * HOUR_MS, 1)), 0, NOW)
    assert {resolution for resolution, _ in held(store)} == {"1m", "15m", "1d", "all"}
    store.add(deltas((NOW - 900 * DAY_MS, 1)), 1, NOW)
    assert held(store)["all", 0] == 2


def test_every_cell_within_its_retention_is_kept(store: CellStore) -> None:
    for resolution, kept_ms in RETENTION_MS.items():
        store.add(deltas((NOW - kept_ms + 1, 1)), 0, NOW)
        start = CALENDAR.slice_start(resolution, NOW - kept_ms + 1)
        store.drop_expired(start + kept_ms - 1)
        assert (resolution, start) in held(store)


def test_blocks_beyond_their_retention_are_dropped_and_their_records_deleted(store: CellStore) -> None:
    store.add(deltas((NOW, 1)), 0, NOW)
    store.take_unsaved(0, NOW)
    later = NOW + RETENTION_MS["10s"] + BLOCK_MS[0]
    store.drop_expired(later)
    assert {resolution for resolution, _ in held(store)} == {"1m", "15m", "1d", "all"}
    assert store.take_unsaved(1, later) == [(place_key(("", 0, SLICE - SLICE % BLOCK_MS[0])), None)]


def test_a_checkpoint_drops_what_is_beyond_its_retention_whether_it_changed_or_not(store: CellStore) -> None:
    store.add([{SLICE: {"": {"n": 1}, "rep=a": {"n": 1}}}], 0, NOW)
    store.take_unsaved(0, NOW)
    store.add([{SLICE: {"": {"n": 1}}}], 1, NOW)
    start = SLICE - SLICE % BLOCK_MS[0]
    records = dict(store.take_unsaved(1, NOW + RETENTION_MS["10s"] + BLOCK_MS[0]))
    assert {key for key, value in records.items() if value is None} == {
        place_key(("", 0, start)),
        place_key(("rep=a", 0, start)),
    }
    assert not store.unsaved


def test_a_recovered_block_that_holds_what_is_added_is_not_unsaved_for_it(store: CellStore) -> None:
    store.add(deltas((NOW, 3)), 8, NOW)
    again = CellStore(CALENDAR)
    again.restore([(key, value) for key, value in store.take_unsaved(8, NOW) if value], 8, ())
    again.add(deltas((NOW, 1)), 7, NOW)
    assert not again.unsaved


def test_changed_cells_are_told_once(store: CellStore) -> None:
    store.add(deltas((NOW, 1)), 0, NOW)
    store.take_changed(0)
    assert store.take_changed(0) == {}
    store.add(deltas((NOW, 2)), 1, NOW)
    updates = store.take_changed(5)[""]
    assert CellUpdate(0, SLICE, 5, {"n": 3}) in updates
    assert len(updates) == len(RESOLUTIONS)


def test_of_cells_only_what_changed_is_told_also_that_it_is_0(store: CellStore) -> None:
    store.add([{SLICE: {"": {"n": 1, "m": 5, "gone": 2}}}], 0, NOW)
    store.take_changed(0)
    store.add([{SLICE: {"": {"n": 1, "gone": -2}}}], 1, NOW)
    told = [(update.sums, update.whole) for update in store.take_changed(1)[""]]
    assert told == [({"n": 2, "gone": 0}, False)] * len(RESOLUTIONS)


def test_emission_and_checkpoint_remember_for_themselves_what_changed(store: CellStore) -> None:
    store.add(deltas((NOW, 1)), 0, NOW)
    assert len(store.take_unsaved(0, NOW)) == len(RESOLUTIONS)
    assert len(store.take_changed(0)[""]) == len(RESOLUTIONS)
    assert store.take_unsaved(0, NOW) == []


def test_a_block_that_was_quiet_for_some_checkpoints_counts_on(store: CellStore) -> None:
    store.add([{SLICE: {"": {"n": 3, "m": 5}, "rep=a": {"n": 1}}}], 0, NOW)
    before = sorted(store.cells())
    for fence in range(3):
        store.take_unsaved(fence, NOW)
    assert sorted(store.cells()) == before
    told_late = store.take_changed(2)["rep=a"]
    assert {(update.fence, update.sums["n"]) for update in told_late} == {(2, 1)}
    store.add(deltas((NOW, 1)), 7, NOW)
    assert {(update.fence, update.sums["n"]) for update in store.take_changed(7)[""]} == {(7, 4)}
    written = dict(store.take_unsaved(7, NOW))
    assert written[place_key(("", 4, 0))] == pack(7, {0: {"n": 4, "m": 5}})
    assert not any(key.endswith(b"rep=a") for key in written)


def test_a_restored_block_holds_what_came_before_its_fence_and_nothing_twice(store: CellStore) -> None:
    #  log        ... 5 | 6  7  8 | 9
    #  marker         ^         ^ fence of the block
    store.add(deltas((NOW, 3)), 8, NOW)
    records = [(key, value) for key, value in store.take_unsaved(8, NOW) if value]
    again = CellStore(CALENDAR)
    assert again.restore(records, marker_fence=5, repair=()) == 8
    again.add(deltas((NOW, 1)), 7, NOW)
    assert held(again)["10s", SLICE] == 3
    again.add(deltas((NOW, 1)), 9, NOW)
    assert held(again)["10s", SLICE] == 4


def test_records_past_the_marker_are_changed_and_unsaved_and_keep_their_fence(store: CellStore) -> None:
    store.add(deltas((NOW, 3)), 8, NOW)
    records = [(key, value) for key, value in store.take_unsaved(8, NOW) if value]
    ahead, behind = CellStore(CALENDAR), CellStore(CALENDAR)
    ahead.restore(records, 5, ())
    assert {update.fence for update in ahead.take_changed(6)[""]} == {8}
    assert {fence_of(value or b"") for _, value in ahead.take_unsaved(6, NOW)} == {8}
    behind.restore(records, 8, ())
    assert behind.take_changed(9) == {}
    assert behind.take_unsaved(9, NOW) == []


def test_records_that_stand_below_an_older_one_are_written_again(store: CellStore) -> None:
    store.add(deltas((NOW, 3)), 8, NOW)
    records = [(key, value) for key, value in store.take_unsaved(8, NOW) if value]
    again = CellStore(CALENDAR)
    again.restore(records, 8, [records[0][0]])
    assert [key for key, _ in again.take_unsaved(9, NOW)] == [records[0][0]]


@pytest.mark.parametrize("place", [("", 4, 0), ("rep=a%7Cb", 0, SLICE), ("rep=a,stage=b", 3, -DAY_MS)])
def test_a_place_can_be_read_back_from_its_key(place: tuple[str, int, int]) -> None:
    assert parse_place(place_key(place)) == place
