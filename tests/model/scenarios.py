"""Schedules worth a name: what went wrong in other designs, and what chance alone would take long to come upon.

::

    worker 1   fold . checkpoint . . paused ........................ cells . accounts . marker
    worker 2                          recovers . fold . checkpoint                             (dies)
    worker 3                                                                                    recovers, finds both
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.model.drawing import AGAIN, BAD, Happening
from tests.model.machine import Schedules
from tests.model.setting import SOURCES

ALL: Final = (60, 60)


def _won(account: str, minute: int = 50, *, source: int = 0) -> Happening:
    return SOURCES[source], "deal.won", account, minute, "r"


def _take_in(run: Schedules, *events: Happening, commits: bool = True) -> None:
    run.happen(list(events))
    run.intake_works(0, (60, 60, 60), commits=commits, takes=9)


def _paused_worker_writes_last(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    run.worker_is_lost_in_a_checkpoint([_won("a")], ALL, steps=1, records=0, turn=0, emits=True, dies=False)
    run.paused_worker_goes_on([_won("a")], 1, 0)  # its cells; accounts and marker are its successor's


def repaired_and_compacted(run: Schedules) -> None:
    _paused_worker_writes_last(run)
    run.worker_crashes_or_pauses(0, 0)
    run.all_goes_well([_won("f")], compacts=True)


def compacted_before_anybody_looked(run: Schedules) -> None:
    _paused_worker_writes_last(run)
    run.changelogs_are_compacted()


def successor_checkpoints_before_it_has_caught_up(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    _take_in(run, _won("a"))
    run.worker_is_lost_in_a_checkpoint([_won("a")], ALL, steps=3, records=0, turn=0, emits=True, dies=True)
    run.worker_checkpoints(0, (1, 1), 6)


def cells_are_written_and_nothing_else(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    run.worker_is_lost_in_a_checkpoint([_won("a"), _won("f")], ALL, steps=2, records=0, turn=0, emits=True, dies=True)


def cells_and_accounts_are_written_in_part(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    for steps in (1, 2, 3):
        events = [_won("a"), _won("f"), _won("i")]
        run.worker_is_lost_in_a_checkpoint(events, ALL, steps, records=1, turn=1, emits=True, dies=True)


def emission_is_held_back(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    run.worker_is_lost_in_a_checkpoint([_won("a")], ALL, steps=6, records=0, turn=0, emits=False, dies=True)


def rollup_is_lost_in_its_checkpoint(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    _take_in(run, _won("a"))
    run.worker_folds(0, ALL)
    run.worker_emits(0, 2)
    run.worker_is_lost_in_a_checkpoint([_won("f")], ALL, steps=6, records=0, turn=0, emits=True, dies=True)


def rollup_takes_messages_while_it_is_packed(run: Schedules) -> None:
    for account in "afafafafaf":
        _take_in(run, _won(account))
        run.worker_folds(0, ALL)
        run.worker_emits(0, 2)
    run.worker_takes_cells(0, 1)
    run.worker_checkpoints(0, (0, 0), 7, meanwhile=1)
    run.worker_checkpoints(0, (0, 0), 7)
    run.worker_crashes_or_pauses(0, 0)


def event_is_sent_twice_and_something_else_is_sent(run: Schedules) -> None:
    run.all_goes_well([(SOURCES[2], "call.completed", "a", 50, None)], compacts=False)
    run.all_goes_well([(SOURCES[1], AGAIN, "a", 1, None), (SOURCES[2], BAD, "a", 0, None)], compacts=False)


def client_goes_back_before_a_checkpoint(run: Schedules) -> None:
    for partition in (0, 1):
        run.client_loses_its_place([_won("a", 40), _won("a", 50)], 60, partition, by=-2, reads=1, steps=6)


def client_jumps_ahead(run: Schedules) -> None:
    for partition in (0, 1):
        run.client_loses_its_place([_won("a", 40), _won("a", 50)], 0, partition, by=1, reads=2, steps=6)


def successor_publishes_at_once(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    run.worker_publishes(0, [_won("a")], takes=4)
    run.worker_crashes_or_pauses(0, 0, publishes=True)


def partition_comes_back_unnoticed(run: Schedules) -> None:
    run.all_goes_well([_won("a")], compacts=False)
    run.worker_crashes_or_pauses(0, None)
    for _ in range(3):
        run.all_goes_well([_won("a")], compacts=False)
    for partition in (0, 1):
        run.partition_moves(partition, 1, told=False)
    run.worker_publishes(1, [], takes=1)


def the_slower_log_partition_changes(run: Schedules) -> None:
    for account in ("f", "a", "a", "a", "f"):
        _take_in(run, _won(account), commits=False)
        run.worker_works(0)


def frame_is_lost_and_a_later_one_gets_through(run: Schedules) -> None:
    run.all_goes_well([_won("f")], compacts=False)
    for survivors in ({1}, {2}, {3}, {1, 3}):
        run.intake_is_lost_with_its_frames([_won(account) for account in "aaaaffff"], survivors)
        run.lost_message_turns_up(0)


def first_frame_of_all_is_lost(run: Schedules) -> None:
    for survivors in ({1}, {2, 3}):
        run.intake_is_lost_with_its_frames([_won(account) for account in "aaaaffff"], survivors)


def what_became_empty_is_told_by_the_next_owner(run: Schedules) -> None:
    for minute, rep in ((50, "r"), (40, None)):
        _take_in(run, (SOURCES[0], "email.opened", "f", minute, rep))
        run.worker_works(0)


def first_frames_of_both_log_partitions(run: Schedules) -> None:
    for account in "af":
        _take_in(run, _won(account, 0), commits=False)
        run.worker_works(0)


SCENARIOS: Final[tuple[Callable[[Schedules], None], ...]] = (
    repaired_and_compacted,
    compacted_before_anybody_looked,
    successor_checkpoints_before_it_has_caught_up,
    cells_are_written_and_nothing_else,
    cells_and_accounts_are_written_in_part,
    emission_is_held_back,
    rollup_is_lost_in_its_checkpoint,
    rollup_takes_messages_while_it_is_packed,
    event_is_sent_twice_and_something_else_is_sent,
    client_goes_back_before_a_checkpoint,
    client_jumps_ahead,
    successor_publishes_at_once,
    partition_comes_back_unnoticed,
    the_slower_log_partition_changes,
    frame_is_lost_and_a_later_one_gets_through,
    first_frame_of_all_is_lost,
    what_became_empty_is_told_by_the_next_owner,
    first_frames_of_both_log_partitions,
)


def play(scenario: Callable[[Schedules], None]) -> None:
    """Let a schedule happen, judging after each of its steps and at its end."""
    run = Schedules()
    try:
        run.wait([], compacts=False)
        scenario(run)
        run.world.check()
        run.world.finish()
    finally:
        run.world.shut()
        run.unpatch()
