"""The rollup believes the highest fence, publishes what changed, and begins again where it stopped."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from schemas.errors import StateError
from schemas.kpi import Quality
from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, WINDOWS
from schemas.wire import STATE_VERSION, CellsMessage, CellUpdate, fence_of, pack
from streams.rollup.cells import BlockKey, RollupCells
from streams.rollup.owner import MARKER_KEY, Rollup
from streams.rollup.series import Change
from tests.unit.streams.rows import CALENDAR, at, plan_of, rollup_rules

NOW = at("2024-03-13 10:00")
PLAN = plan_of("leads_created", "lead_opportunity_ratio", dimensions=("rep",))


def new_rollup(clock: Literal["wall", "event"] = "wall", partitions: int = 1) -> Rollup:
    return Rollup(0, PLAN, CALENDAR, rollup_rules("USD", partitions, clock), has_global=True)


def message(
    n: int, fence: int, at_ms: int = NOW - MINUTE_MS, *, dims: str = "", partition: int = 0, **fields: Any
) -> CellsMessage:
    """Say that a cell of leads stands at n."""
    updates = [
        CellUpdate(index, CALENDAR.slice_start(resolution, at_ms), fence, {"leads_created": n})
        for index, resolution in enumerate(RESOLUTIONS)
    ]
    found = {"backlog": 0, "delay_ms": 0, "produced_ms": None, "newest_ms": at_ms, **fields}
    return CellsMessage(
        partition, fence, found["newest_ms"], found["backlog"], found["delay_ms"], None, {dims: updates}
    )


def values(rollup: Rollup, wall_ms: int = NOW, **how: Any) -> dict[str, Any]:
    publication = rollup.publication(wall_ms, **how)
    return {} if publication is None else {value.key: value.value for value in publication.values}


def test_a_cell_counts_as_the_highest_fence_has_it_whatever_came_last() -> None:
    rollup = new_rollup()
    for n, fence in ((1, 4), (3, 6), (2, 5), (3, 6)):
        rollup.take(message(n, fence), NOW)
    found = values(rollup)["leads_created|5m|"]
    assert (found.value, found.revision) == (3, 7)


def test_log_partitions_are_added_up_and_so_are_their_fences() -> None:
    rollup = new_rollup(partitions=2)
    rollup.take(message(1, 4), NOW)
    rollup.take(message(2, 9, partition=1), NOW)
    found = values(rollup)["leads_created|all|"]
    assert (found.value, found.revision) == (3, 15)


def test_the_global_series_exist_before_the_first_event_and_others_after_theirs() -> None:
    rollup = new_rollup()
    assert {key for key in values(rollup) if key.startswith("leads")} == {f"leads_created|{w}|" for w in WINDOWS}
    rollup.take(message(1, 0, dims="rep=r"), NOW)
    assert {key for key in values(rollup) if "rep=r" in key and key.startswith("leads")} == {
        f"leads_created|{window}|rep=r" for window in WINDOWS
    }


def test_a_series_that_begins_with_a_late_event_has_all_its_windows_at_once() -> None:
    rollup = new_rollup()
    values(rollup)
    rollup.take(message(1, 0, NOW - 3 * DAY_MS, dims="rep=r"), NOW)
    found = values(rollup)
    assert (found["leads_created|5m|rep=r"].value, found["leads_created|7d|rep=r"].value) == (0, 1)


def test_only_what_changed_is_published_again() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 0), NOW)
    values(rollup)
    assert values(rollup) == {}
    rollup.take(message(2, 1, NOW - 2 * HOUR_MS), NOW)
    changed = set(values(rollup))
    assert "leads_created|24h|" in changed
    assert "leads_created|5m|" not in changed


def test_when_complete_everything_is_published() -> None:
    rollup = new_rollup()
    everything = set(values(rollup))
    assert set(values(rollup, complete=True)) == everything


def test_a_large_publication_comes_in_parts_and_nothing_is_left_out() -> None:
    rollup, parts = new_rollup(), {}
    for n in range(5):
        rollup.take(message(1, n, dims=f"rep={n}"), NOW)
    parts.update(values(rollup, most_values=1))
    rounds = 1
    while rollup.has_more:
        parts.update(values(rollup, most_values=1))
        rounds += 1
    assert rounds >= 5
    again = new_rollup()
    for n in range(5):
        again.take(message(1, n, dims=f"rep={n}"), NOW)
    assert parts.keys() == values(again).keys()


def test_the_global_series_never_waits_for_others() -> None:
    rollup = new_rollup()
    rollup.take(message(0, 0), NOW)
    values(rollup)
    for n in range(1, 5):
        rollup.take(message(1, n, dims=f"rep={n}"), NOW)
    assert values(rollup, most_values=0) == {}
    assert rollup.has_more
    rollup.take(message(1, 5), NOW)
    found = values(rollup, most_values=0)
    assert found["leads_created|all|"].numerator == 1
    assert not any("rep=" in key for key in found)
    assert rollup.has_more, "the others have room another time"


def test_a_series_that_waits_for_its_turn_is_said_with_all_that_came_meanwhile() -> None:
    rollup = new_rollup()
    for n in range(5):
        rollup.take(message(1, n, dims=f"rep={n}"), NOW)
    assert values(rollup, most_values=1)
    rollup.take(message(7, 9, dims="rep=4"), NOW)
    rollup.take(message(8, 10, dims="rep=4", partition=1), NOW)
    found: dict[str, Any] = {}
    while rollup.has_more:
        found |= values(rollup, most_values=1)
    last = found["leads_created|all|rep=4"]
    assert (last.value, last.revision) == (15, 21)
    assert values(rollup) == {}, "all of it was said"


def test_what_is_said_of_the_global_series_alone_is_no_look_at_the_others() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)
    assert rollup.is_due(NOW), "it was never looked at"
    rollup.take(message(1, 0), NOW)
    values(rollup, NOW)
    assert [rollup.is_due(NOW + late_ms) for late_ms in (0, 499, 500, -1)] == [False, False, True, True]
    rollup.take(message(2, 1), NOW)
    assert "leads_created|all|" in values(rollup, NOW + 1_000, most_values=0)
    assert rollup.is_due(NOW + 1_000)
    rollup.take(message(1, 2, dims="rep=r"), NOW)
    values(rollup, NOW + 1_500, most_values=0)
    assert rollup.has_more, "what came with it is let go by the same clock"
    assert rollup.is_due(NOW + 1_501)


def test_a_series_is_said_soon_when_it_was_quiet_and_once_in_a_while_when_it_is_not() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)
    said: dict[str, list[int]] = {"rep=busy": [], "rep=quiet": []}
    for fence, late_ms in enumerate(range(0, 6_000, 100)):
        wall_ms = NOW + late_ms
        rollup.take(message(fence + 1, fence, wall_ms - MINUTE_MS, dims="rep=busy"), wall_ms)
        if late_ms == 2_600:
            rollup.take(message(fence + 1, fence, wall_ms - MINUTE_MS, dims="rep=quiet"), wall_ms)
        found = values(rollup, wall_ms)
        for dims, at_ms in said.items():
            if f"leads_created|today|{dims}" in found:
                at_ms.append(late_ms)
    assert said == {"rep=busy": [0, 1_000, 2_000, 3_000, 4_000, 5_000], "rep=quiet": [3_000]}


def test_long_windows_of_a_busy_series_are_said_with_every_fourth_value_of_the_others() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)
    said: dict[str, dict[int, object]] = {window: {} for window in ("24h", "today", "7d", "mtd", "all")}
    for second in range(15):
        wall_ms = NOW + second * 1_000
        if second < 10:
            rollup.take(message(second + 1, second, wall_ms - MINUTE_MS, dims="rep=r"), wall_ms)
        found = values(rollup, wall_ms)
        for window, of_window in said.items():
            if value := found.get(f"leads_created|{window}|rep=r"):
                of_window[second] = value.value
    short, long = {second: second + 1 for second in range(10)}, {0: 1, 4: 5, 8: 9, 12: 10}
    assert said == {"24h": short, "today": short, "7d": long, "mtd": long, "all": long}


def test_long_windows_say_of_previous_intervals_what_changed_while_they_waited() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)
    rollup.take(message(1, 0, NOW - MINUTE_MS, dims="rep=r"), NOW)
    values(rollup)
    rollup.take(message(1, 1, NOW - 8 * DAY_MS, dims="rep=r"), NOW + 1_000)
    assert "leads_created|7d|rep=r" not in values(rollup, NOW + 1_000)
    found = values(rollup, NOW + 4_000)["leads_created|7d|rep=r"]
    assert (found.value, found.previous) == (1, 1)


def test_more_than_there_is_time_for_is_said_of_long_windows_in_every_fourth_value_as_well() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)
    said: dict[str, list[int]] = {"today": [], "all": []}
    for second in range(60):
        wall_ms = NOW + second * 1_000
        for n in range(3):
            rollup.take(message(second + 1, second, wall_ms - MINUTE_MS, dims=f"rep={n}"), wall_ms)
        found = values(rollup, wall_ms, most_values=1)  # of one rep
        for window, at_s in said.items():
            if f"leads_created|{window}|rep=0" in found:
                at_s.append(second)
    assert said == {"today": list(range(0, 60, 3)), "all": list(range(0, 60, 12))}


def test_broken_down_series_are_said_more_rarely_while_behind_and_at_once_when_live() -> None:
    rules = msgspec.structs.replace(rollup_rules("USD", 1, "wall"), broken_down_every_ms=1_000)
    rollup = Rollup(0, PLAN, CALENDAR, rules, has_global=True)

    def said(second: int, backlog: int) -> bool:
        wall_ms = NOW + second * 1_000
        rollup.take(message(second + 1, second, wall_ms - MINUTE_MS, dims="rep=r", backlog=backlog), wall_ms)
        return "leads_created|today|rep=r" in values(rollup, wall_ms)

    assert [said(second, 0) for second in range(3)] == [True, True, True]
    assert [said(second, 10_000) for second in range(3, 12)] == [False, False, False, True] * 2 + [False]
    assert said(12, 0)


def test_windows_that_only_time_moves_have_their_turn_where_events_change_more_than_is_ever_said() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 0, dims="rep=quiet"), NOW)
    values(rollup)
    fence, moved = 1, set[str]()
    for second in range(1, 60):
        for n in range(10):
            rollup.take(message(fence, fence, NOW + second * 1_000, dims=f"rep={n}"), NOW + second * 1_000)
            fence += 1
        moved |= {key for key in values(rollup, NOW + second * 1_000, most_values=1) if "rep=quiet" in key}
    assert moved, "its window of five minutes has moved"


def test_with_the_clock_of_events_there_is_nothing_to_say_before_the_first() -> None:
    rollup = new_rollup("event")
    assert rollup.publication(NOW) is None
    rollup.take(message(1, 0), NOW)
    publication = rollup.publication(NOW + DAY_MS)
    assert publication is not None
    assert publication.clock_ms == NOW - MINUTE_MS + 1


def test_values_move_with_the_wall_clock_though_nothing_comes_in() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 0), NOW)
    values(rollup)
    found = values(rollup, NOW + 5 * MINUTE_MS)["leads_created|5m|"]
    assert (found.value, found.previous, found.difference, found.change) == (0, 1, -1, -1.0)


def test_change_is_unknown_against_nothing() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 0), NOW)
    found = values(rollup)["leads_created|5m|"]
    assert (found.previous, found.difference, found.change) == (0, 1, None)
    assert values(new_rollup())["leads_created|all|"].previous is None


@pytest.mark.parametrize(
    ("heard", "partitions", "wall_ms", "quality"),
    [
        ([{}], 1, NOW, "live"),
        ([{}], 2, NOW, "partial"),
        ([{}], 1, NOW + 10_001, "stale"),
        ([{"backlog": 5_000}], 1, NOW, "catching_up"),
        ([{"delay_ms": 5_000}], 1, NOW, "catching_up"),
        ([], 1, NOW, "partial"),
    ],
)
def test_quality_says_how_far_values_can_be_trusted(
    heard: list[dict[str, Any]], partitions: int, wall_ms: int, quality: Quality
) -> None:
    rollup = new_rollup(partitions=partitions)
    for fields in heard:
        rollup.take(message(1, 0, **fields), NOW)
    assert rollup.quality(wall_ms) == quality
    assert {value.quality for value in values(rollup, wall_ms).values()} == {quality}


def test_idle_partitions_do_not_hold_the_watermark_back_and_busy_ones_do() -> None:
    rollup = new_rollup(partitions=2)
    assert rollup.watermark_ms(NOW) is None
    rollup.take(message(1, 0, NOW - HOUR_MS), NOW)
    assert rollup.watermark_ms(NOW) == NOW - 10_000
    rollup.take(message(1, 0, NOW - HOUR_MS, partition=1, backlog=9_999), NOW)
    assert rollup.watermark_ms(NOW) == NOW - HOUR_MS + 1 - 10_000


def test_an_old_owner_that_woke_up_does_not_speak_for_its_partition() -> None:
    rollup = new_rollup()
    rollup.take(message(2, 9), NOW)
    rollup.take(message(1, 8, backlog=9_999), NOW)
    assert rollup.quality(NOW) == "live"


def checkpointed(rollup: Rollup) -> dict[bytes, bytes]:
    _, records, marker = rollup.checkpoint()
    return {key: value for key, value in (*records, marker) if value is not None}


def test_a_rollup_read_back_says_the_same_and_goes_on_after_its_position() -> None:
    rollup = new_rollup("event")
    rollup.take(message(1, 4), NOW)
    rollup.take(message(1, 4, dims="rep=r"), NOW)
    rollup.position = 17
    again = new_rollup("event")
    again.recover(checkpointed(rollup), [], 0)
    assert again.position == 17
    again.take(message(1, 4), NOW)
    before, after = values(rollup), values(again)
    assert {key: value.numerator for key, value in before.items()} == {k: v.numerator for k, v in after.items()}
    assert after["leads_created|all|rep=r"].revision == 5


@pytest.mark.parametrize("checkpoint_first", [True, False])
def test_a_series_that_is_taken_back_while_nobody_is_there_is_published_empty(*, checkpoint_first: bool) -> None:
    rollup = new_rollup("event")
    rollup.take(message(1, 4), NOW)
    stored = checkpointed(rollup)
    rollup.take(message(1, 5, dims="rep=r"), NOW)
    assert values(rollup)["leads_created|all|rep=r"].value == 1
    stored |= checkpointed(rollup) if checkpoint_first else {}
    again = new_rollup("event")
    again.recover(stored, [], 0)
    again.take(message(1, 5, dims="rep=r"), NOW)
    again.take(message(0, 6, dims="rep=r"), NOW)
    assert values(again)["leads_created|all|rep=r"].value == 0


@pytest.mark.parametrize("whole", [True, False])
def test_a_series_that_is_taken_back_and_whose_owner_is_lost_before_it_says_so_is_published_empty(
    *, whole: bool
) -> None:
    rollup = new_rollup("event")
    rollup.take(message(1, 4), NOW)
    rollup.take(message(1, 5, dims="rep=r"), NOW)
    assert values(rollup)["leads_created|all|rep=r"].value == 1
    emptied = message(0, 6, dims="rep=r")
    if whole:
        cells = [msgspec.structs.replace(update, sums={}, whole=True) for update in emptied.cells["rep=r"]]
        emptied = msgspec.structs.replace(emptied, cells={"rep=r": cells})
    rollup.take(emptied, NOW)
    again = new_rollup("event")
    again.recover(checkpointed(rollup), [], 0)
    assert values(again)["leads_created|all|rep=r"].value == 0


def test_a_checkpoint_holds_only_what_changed_and_the_marker_always() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 4), NOW)
    assert len(checkpointed(rollup)) == len(RESOLUTIONS) + 1
    assert list(checkpointed(rollup)) == [MARKER_KEY]


def test_cells_that_no_window_reaches_are_dropped_from_the_changelog_only_behind_the_windows() -> None:
    rollup = new_rollup()
    rollup.take(message(1, 0), NOW)
    values(rollup)
    checkpointed(rollup)
    rollup.take(message(1, 1, NOW + 10 * DAY_MS), NOW)
    assert all(value is not None for _, value in rollup.checkpoint()[1]), "the windows still stand at now"
    assert values(rollup, NOW + 10 * DAY_MS)["leads_created|5m|"].previous == 0
    assert None in [value for _, value in rollup.checkpoint()[1]]
    assert values(rollup, NOW + 10 * DAY_MS + HOUR_MS)["leads_created|30d|"].value == 2


def packed(cells: RollupCells, position: int) -> list[tuple[bytes, bytes | None]]:
    return [cells.pack(key, block, position) for key, block in cells.take_unsaved()]


def test_what_is_taken_in_while_a_checkpoint_is_packed_is_not_in_it_but_in_the_next() -> None:
    rollup, at_once = new_rollup("event"), new_rollup("event")
    for each in (rollup, at_once):
        each.take(message(1, 4), NOW)
        each.take(message(1, 5, dims="rep=r"), NOW)
        each.position = 17
    _, records, marker = rollup.checkpoint()
    first = next(records)
    for dims in ("", "rep=r"):
        rollup.take(message(3, 6, dims=dims), NOW)
    rollup.position = 18
    stored = dict([first, *records, marker])
    assert stored == checkpointed(at_once)
    later = checkpointed(rollup)
    assert later.keys() == stored.keys()
    assert {fence_of(value) for value in later.values()} == {18}


def test_a_block_ahead_of_the_position_is_repaired_with_the_fence_it_had() -> None:
    #  changelog   block at 30 . block at 25 (an old owner's) . repaired at 22, but it holds what 30 did
    key = BlockKey((0, 4, 0), "").encode()
    cells = RollupCells()
    list(cells.restore({key: pack(30, {0: (7, {"leads_created": 1})})}, [key]))
    assert packed(cells, 22) == [(key, pack(30, {0: (7, {"leads_created": 1})}))]


def test_a_cell_of_a_block_that_was_quiet_for_some_checkpoints_grows_by_the_difference() -> None:
    cells, day = RollupCells(), RESOLUTIONS.index("1d")
    cells.take(0, "", [CellUpdate(day, 0, 5, {"won_deals": 3, "won_amount": 7}, whole=True)])
    for position in range(3):
        packed(cells, position)
    assert cells.take(0, "", [CellUpdate(day, 0, 5, {"won_deals": 9})]) == [], "it is known already"
    assert cells.take(0, "", [CellUpdate(day, 0, 6, {"won_deals": 4})]) == [Change(day, 0, {"won_deals": 1}, 6)]
    ((_, written),) = packed(cells, 4)
    assert written == pack(4, {0: (6, {"won_deals": 4, "won_amount": 7})})


def test_state_of_another_version_or_with_a_hole_after_it_is_refused() -> None:
    with pytest.raises(StateError, match=f"version {STATE_VERSION + 1}"):
        new_rollup().recover({MARKER_KEY: pack(1, (STATE_VERSION + 1, 1, None))}, [], 0)
    with pytest.raises(StateError, match="begins at 9, the state ends at 1"):
        new_rollup().recover({MARKER_KEY: pack(1, (STATE_VERSION, 1, None, {}))}, [], 9)


def test_counts_between_two_times_come_from_minutes() -> None:
    rollup = new_rollup()
    rollup.take(message(3, 0), NOW)
    assert rollup.counts("", ("leads_created", "other"), NOW - 2 * MINUTE_MS, NOW) == (3, 0)
    assert rollup.counts("rep=nobody", ("leads_created",), 0, NOW) == (0,)
