"""The fold takes the log without a gap, sections without a gap, and every event once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.errors import StateError
from schemas.rows import Frame, Section
from schemas.windows import DAY_MS
from schemas.wire import STATE_VERSION, Marker, body_of, fence_of, pack
from streams.fold.partition import MARKER_KEY, LogGapError, PartitionFold, Recovered
from streams.fold.rules import FoldRules
from tests.unit.streams.rows import CALENDAR, frame, plan_of, row

PLAN = plan_of("leads_created", "new_customers", dimensions=("rep",))


def new_fold() -> PartitionFold:
    return PartitionFold(0, PLAN, CALENDAR, FoldRules(dedupe_horizon_ms=2 * DAY_MS))


def leads(fold: PartitionFold) -> int:
    fold.settle()
    return sum(sums.get("leads_created", 0) for dims, r, _, sums in fold.cells.cells() if (dims, r) == ("", 4))


def lead(n: int, when: str = "2024-03-01 10:00", **fields: Any) -> Frame:
    """A frame with the lead at source offset n."""
    return frame([row("lead.created", when, lead_id=str(n), **fields)], n, n + 1, base=n == 0)


def decoded(found: Frame) -> Frame:
    """A frame as it comes from the log; rows belong to the fold they are given to."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Frame)


def test_frames_are_folded_one_after_the_other() -> None:
    fold = new_fold()
    assert [fold.fold(offset, lead(offset)) for offset in range(3)] == [1, 1, 1]
    assert (fold.fence, leads(fold)) == (2, 3)


def test_a_frame_seen_before_is_passed_over() -> None:
    fold = new_fold()
    fold.fold(0, lead(0))
    assert fold.fold(0, lead(1)) == 0
    assert leads(fold) == 1


def test_a_gap_in_the_log_folds_nothing_and_says_where_to_go_on() -> None:
    fold = new_fold()
    fold.fold(0, lead(0))
    with pytest.raises(LogGapError) as gap:
        fold.fold(2, lead(2))
    assert (gap.value.wanted, fold.fence, leads(fold)) == (1, 0, 1)


def test_a_section_that_repeats_offsets_adds_only_those_that_are_new() -> None:
    #  frame 0   |0 1 2|
    #  frame 1     |1 2 3|   offsets 1 and 2 are covered, whatever stands there
    fold = new_fold()
    rows = [row("lead.created", "2024-03-01", lead_id=str(n)) for n in range(4)]
    fold.fold(0, frame(rows[:3], 0, 3, base=True))
    assert fold.fold(1, frame([row("lead.created", "2024-03-01", lead_id=f"x{n}") for n in range(3)], 1, 4)) == 1


def test_a_section_after_a_lost_frame_is_refused_until_the_lost_one_comes() -> None:
    #  frame 0   |0|
    #  lost        |1|
    #  frame 1       |2|     refused; intake has not committed it, so it comes again
    #  frame 2     |1 2|
    fold = new_fold()
    fold.fold(0, lead(0))
    assert (fold.fold(1, lead(2)), fold.missing) == (0, {("events", 0): 1})
    assert fold.fold(2, frame([row("lead.created", "2024-03-01", lead_id=f"y{n}") for n in range(2)], 1, 3)) == 2
    assert leads(fold) == 3
    assert not fold.missing


def test_source_partitions_are_covered_each_for_itself() -> None:
    fold = new_fold()
    fold.fold(0, lead(0))
    rows = [row("lead.created", "2024-03-01", lead_id="other")]
    assert fold.fold(1, frame(rows, 7, 8, partition=1)) == 0, "nothing is known of that partition, and it is no base"
    assert fold.fold(2, frame(rows, 7, 8, partition=1, base=True)) == 1


def test_a_topic_made_anew_begins_again_only_under_a_new_epoch() -> None:
    fold = new_fold()
    fold.fold(0, frame([], 0, 6, base=True))
    again = Frame((Section("events", 0, 1, 0, 1, base=True),), lead(0).rows, 0, 0)
    old = Frame((Section("events", 0, 0, 6, 7, base=False),), lead(6).rows, 0, 0)
    assert fold.fold(1, again) == 1
    assert fold.fold(2, old) == 0, "a straggler of the old epoch"


def test_an_empty_frame_moves_the_coverage_on() -> None:
    fold = new_fold()
    fold.fold(0, frame([], 0, 5, base=True))
    assert fold.newest_ms is None
    assert fold.fold(1, frame([row("lead.created", "2024-03-01")], 5, 6)) == 1


def test_duplicates_are_counted_but_not_folded() -> None:
    fold = new_fold()
    rows = [row("lead.created", "2024-03-01")] * 2
    assert (fold.fold(0, frame(rows, 0, 2, base=True)), fold.duplicates) == (1, 1)


def recovered(*folds: PartitionFold, parts: str = "cam") -> Recovered:
    """What the changelogs hold after checkpoints of which only some steps were written."""
    cells, accounts, marker = {}, {}, None
    for fold in folds:
        checkpoint = fold.checkpoint()
        cells.update({key: value for key, value in checkpoint.cells if value and "c" in parts})
        accounts.update({key: value for key, value in checkpoint.accounts if value and "a" in parts})
        marker = checkpoint.marker[0][1] if "m" in parts else marker
    return Recovered(cells, accounts, marker)


@pytest.mark.parametrize("parts", ["", "c", "ca", "cam"])
def test_after_a_crash_between_any_two_steps_the_fold_ends_in_the_same_state(parts: str) -> None:
    frames = [lead(n, rep_id="r") for n in range(4)]
    straight, crashed, successor = new_fold(), new_fold(), new_fold()
    for offset, found in enumerate(frames):
        straight.fold(offset, decoded(found))
    for offset, found in enumerate(frames[:3]):
        crashed.fold(offset, decoded(found))
    successor.recover(recovered(crashed, parts=parts))
    assert successor.fence == (2 if "m" in parts else -1)
    for offset in range(successor.fence + 1, 4):
        successor.fold(offset, decoded(frames[offset]))
    successor.settle()
    straight.settle()
    assert sorted(successor.cells.cells()) == sorted(straight.cells.cells())
    assert successor.accounts == straight.accounts == 1


def test_every_record_of_a_checkpoint_carries_its_fence() -> None:
    fold = new_fold()
    fold.fold(0, lead(0))
    fold.fold(1, lead(1))
    checkpoint = fold.checkpoint()
    records = (*checkpoint.cells, *checkpoint.accounts, *checkpoint.marker)
    assert {fence_of(value or b"") for _, value in records} == {1} == {checkpoint.fence}
    assert [key for key, _ in checkpoint.marker] == [MARKER_KEY]


def test_a_checkpoint_writes_only_what_changed_since_the_last() -> None:
    fold = new_fold()
    fold.fold(0, lead(0, account_id="a"))
    fold.checkpoint()
    fold.fold(1, lead(1, account_id="b"))
    assert [key for key, _ in fold.checkpoint().accounts] == [b"b"]


def test_the_same_log_gives_the_same_records_to_the_byte() -> None:
    log = [msgspec.msgpack.encode(lead(n, rep_id="r", source="ads")) for n in range(3)]
    folds = new_fold(), new_fold()
    for fold in folds:
        for offset, stored in enumerate(log):
            fold.fold(offset, msgspec.msgpack.decode(stored, type=Frame))
    assert folds[0].checkpoint() == folds[1].checkpoint()


def test_a_marker_remembers_coverage_and_the_newest_event() -> None:
    fold = new_fold()
    fold.fold(0, lead(0))
    successor = new_fold()
    successor.recover(recovered(fold))
    assert successor.newest_ms == fold.newest_ms
    assert successor.fold(1, lead(0)) == 0, "offset 0 is covered"
    assert successor.fold(2, lead(1)) == 1


def test_a_partition_without_state_begins_where_the_log_does() -> None:
    fold = new_fold()
    fold.recover(Recovered({}, {}, None), log_start=40)
    assert fold.fold(40, lead(0)) == 1


def test_state_that_ends_before_the_log_begins_is_refused() -> None:
    old = new_fold()
    old.fold(0, lead(0))
    with pytest.raises(StateError, match="the log begins at 5, the state ends at 0"):
        new_fold().recover(recovered(old), log_start=5)


def test_state_of_another_version_is_refused() -> None:
    marker = pack(3, Marker(STATE_VERSION + 1, 3, None, []))
    with pytest.raises(StateError, match=f"version {STATE_VERSION + 1}, this program knows {STATE_VERSION}"):
        new_fold().recover(Recovered({}, {}, marker))
    assert msgspec.msgpack.decode(body_of(marker), type=Marker).version == STATE_VERSION + 1


def test_a_log_whose_beginning_is_gone_is_folded_anew_from_where_it_begins() -> None:
    fold = new_fold()
    fold.recover(Recovered({}, {}, None), log_start=2)
    assert fold.fold(2, lead(2)) == 0  # what lies before it may come yet
    again = new_fold()
    again.recover(Recovered({}, {}, None), log_start=2)
    again.adopts = True
    assert [again.fold(offset, lead(offset)) for offset in (2, 3)] == [1, 1]
    assert (again.fold(4, lead(5)), leads(again)) == (0, 2)  # from there on nothing may be missing


@pytest.mark.parametrize("lost", ["accounts", "cells"])
def test_half_a_state_is_refused_with_the_way_out(lost: str) -> None:
    old = new_fold()
    old.fold(0, lead(0))
    kept = recovered(old)
    rest = kept._replace(cells={}) if lost == "cells" else kept._replace(accounts={})
    with pytest.raises(StateError, match=f"changelog of {lost} is empty, the state ends at 0.*rebuild --force"):
        new_fold().recover(rest)


def test_a_state_in_which_nothing_was_counted_yet_is_whole() -> None:
    old = new_fold()
    old.fold(0, frame([row("call.completed", "2024-03-01 10:00")], 0, 1, base=True))
    kept = recovered(old)
    assert not kept.cells
    new_fold().recover(kept)


def test_a_marker_of_before_it_told_of_cells_is_read() -> None:
    old = new_fold()
    old.fold(0, lead(0))
    kept = recovered(old)
    assert kept.marker is not None
    fields = msgspec.msgpack.decode(body_of(kept.marker))
    shorter = pack(fence_of(kept.marker), fields[:-1])
    successor = new_fold()
    successor.recover(kept._replace(marker=shorter))
    assert leads(successor) == 1
