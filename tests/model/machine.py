"""What may happen, as rules: hypothesis draws schedules of them, and cuts one that ends wrong down to what matters."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model import drawing as d
from tests.model.intake_process import IntakeProcess
from tests.model.setting import PARTITIONS, SOURCES
from tests.model.worker_process import WorkerProcess
from tests.model.world import World


def _intake_sends(machine: Schedules) -> bool:
    return any(intake.producer.has_waiting for intake in machine.world.intakes)


def _worker_sends(machine: Schedules) -> bool:
    return any(worker.producer.has_waiting for worker in machine.world.workers)


def _something_is_lost(machine: Schedules) -> bool:
    return bool(machine.world.broker.lost)


def _several_work(machine: Schedules) -> bool:
    return len(machine.world.workers) > 1


class Schedules(RuleBasedStateMachine):
    """Any schedule of work, crashes, pauses and losses; in the end everything is right."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self.world = World(self._patch)

    def _intake(self, who: int) -> IntakeProcess:
        self.world.revive_intakes()
        return self.world.intakes[-1 - who % len(self.world.intakes)]

    def _worker(self, who: int) -> WorkerProcess:
        return self.world.workers[-1 - who % len(self.world.workers)]

    @initialize(events=st.lists(d.happenings, max_size=2), compacts=st.booleans())
    def wait(self, events: list[d.Happening], compacts: bool) -> None:
        self.world.happens(SOURCES[0], "deal.won", "a", 0, "r")
        self.happen(events)
        self.world.compacts_at_the_end = compacts

    @rule(events=d.incoming, commits=st.booleans())
    def frames_come_in(self, events: list[d.Happening], commits: bool = True) -> None:
        for event in events:
            self.happen([event])
            self.intake_works(0, (60, 60, 60), commits=commits, takes=9)

    def happen(self, events: list[d.Happening]) -> None:
        for where, kind, account, minute, rep in events:
            if kind == d.AGAIN:
                self.world.produce(where, self.world.events[minute % len(self.world.events)])
            elif kind == d.BAD:
                self.world.happens_badly(where)
            else:
                self.world.happens(where, kind, account, minute, rep)

    # Intake

    @rule(who=d.who, reads=d.of_all_sources, commits=st.booleans(), takes=st.sampled_from((0, 1, 2, 9, 9)))
    def intake_works(self, who: int, reads: tuple[int, int, int], commits: bool, takes: int) -> None:
        intake = self._intake(who)
        intake.read(dict(zip(SOURCES, reads, strict=True)), commits=commits)
        self.world.let_take(intake.producer, takes)

    @precondition(_intake_sends)
    @rule(who=d.who, takes=st.integers(1, 9))
    def broker_takes_of_intake(self, who: int, takes: int) -> None:
        self.world.let_take(self._intake(who).producer, takes)

    @precondition(_intake_sends)
    @rule(which=st.integers(0, 3))
    def broker_refuses_a_frame(self, which: int) -> None:
        producer = self._intake(0).producer
        if producer.queues:
            producer.refuse(producer.queues[which % len(producer.queues)])
            self.world.let_take(producer, 9)

    @precondition(_intake_sends)
    @rule(survivors=st.sets(st.integers(0, 5)) | st.none())
    def intake_crashes_or_pauses(self, survivors: set[int] | None) -> None:
        self.world.replace_intake(survivors)

    @rule(events=st.lists(d.happenings, min_size=4, max_size=6), survivors=st.sets(st.integers(0, 5)))
    def intake_is_lost_with_its_frames(self, events: list[d.Happening], survivors: set[int]) -> None:
        self.happen(events)
        self.intake_works(0, (60, 60, 60), commits=False, takes=0)
        self.world.replace_intake(survivors)

    @precondition(_intake_sends)
    @rule()
    def intake_is_rebalanced(self) -> None:
        self._intake(0).rebalance()

    @precondition(_something_is_lost)
    @rule(which=st.integers(0, 9))
    def lost_message_turns_up(self, which: int) -> None:
        lost = self.world.broker.lost
        self.world.broker.take(*lost[which % len(lost)])

    # Fold and rollup, and who runs them

    @rule(who=d.who, frames=d.of_both)
    def worker_folds(self, who: int, frames: Sequence[int]) -> None:
        for partition, number in enumerate(frames):
            self._worker(who).fold(partition, number)

    @rule(events=d.incoming, folds=d.many, partition=d.partitions, by=d.jumps, reads=st.integers(0, 2), steps=d.steps)
    def client_loses_its_place(
        self, events: list[d.Happening], folds: int, partition: int, by: int, reads: int, steps: int
    ) -> None:
        self.frames_come_in(events)
        worker = self._worker(0)
        worker.fold(partition, folds)
        for of_log in (True, False):
            worker.lose_place(of_log, partition, by)
        worker.fold(partition, reads)
        worker.take_cells(partition, reads)
        self.worker_checkpoints(0, (0, 0), steps)

    @rule(who=d.who, steps=d.few)
    def worker_emits(self, who: int, steps: int) -> None:
        worker = self._worker(who)
        worker.emit()
        self.world.let_write(worker, steps)

    @rule(who=d.who, frames=d.of_both, steps=d.steps, records=d.few, turn=d.turns, meanwhile=d.meanwhile)
    def worker_checkpoints(
        self, who: int, frames: Sequence[int], steps: int, records: int = 0, turn: int = 0, meanwhile: int = 0
    ) -> None:
        self.worker_folds(who, frames)
        worker = self._worker(who)
        worker.checkpoint(meanwhile)
        self.world.let_write(worker, steps, records, turn=turn)

    @precondition(_worker_sends)
    @rule(who=d.who, steps=d.few, records=d.few, turn=d.turns)
    def broker_takes_of_worker(self, who: int, steps: int, records: int, turn: int) -> None:
        self.world.let_write(self._worker(who), steps, records, turn=turn)

    def worker_takes_cells(self, who: int, messages: int) -> None:
        for partition in range(PARTITIONS):
            self._worker(who).take_cells(partition, messages)

    @rule(who=d.who, events=d.incoming, takes=d.few)
    def worker_publishes(self, who: int, events: list[d.Happening], takes: int) -> None:
        self.frames_come_in(events)
        self.worker_folds(who, (60, 60))
        self.worker_emits(who, 2)
        self.worker_takes_cells(who, takes)
        self.world.publish(self._worker(who))

    @rule(who=d.who)
    def worker_works(self, who: int) -> None:
        self.world.work(self._worker(who))
        self.world.publish(self._worker(who))

    @rule(events=st.lists(d.happenings, max_size=2), compacts=st.booleans())
    def all_goes_well(self, events: list[d.Happening], compacts: bool) -> None:
        self.happen(events)
        self.intake_works(0, (60, 60, 60), commits=True, takes=9)
        for worker in dict.fromkeys(self.world.owners.values()):
            self.world.work(worker)
            self.world.publish(worker)
        if compacts:
            self.changelogs_are_compacted()

    @rule(
        events=d.incoming,
        frames=d.of_both,
        steps=d.steps,
        records=d.few,
        turn=d.turns,
        emits=st.booleans(),
        dies=st.booleans(),
        successor=d.first_ones,
    )
    def worker_is_lost_in_a_checkpoint(
        self,
        events: list[d.Happening],
        frames: tuple[int, int],
        steps: int,
        records: int,
        turn: int,
        emits: bool,
        dies: bool,
        successor: int = 0,
    ) -> None:
        self.frames_come_in(events)
        self.worker_folds(0, frames)
        self.worker_takes_cells(0, 60)
        worker = self._worker(0)
        worker.checkpoint()
        self.world.let_write(worker, steps, records, turn=turn, emits=emits)
        self.worker_crashes_or_pauses(0, 0 if dies else None)
        if successor:
            self.worker_checkpoints(0, (successor, successor), 7)

    @precondition(_several_work)
    @rule(events=d.incoming, steps=d.steps, frames=d.many, compacts=st.booleans())
    def paused_worker_goes_on(self, events: list[d.Happening], steps: int, frames: int, compacts: bool = False) -> None:
        self.frames_come_in(events)
        self.worker_works(0)
        self.worker_checkpoints(1, (frames, frames), steps)
        if compacts:
            self.changelogs_are_compacted()

    @rule(who=d.who, survivors=st.none() | st.integers(0, 2), publishes=st.booleans())
    def worker_crashes_or_pauses(self, who: int, survivors: int | None, publishes: bool = False) -> None:
        worker = self._worker(who)
        if survivors is not None:
            worker.die(survivors)
            self.world.workers.remove(worker)
        successor = self.world.take_over(worker)
        if publishes:
            self.world.publish(successor)

    @precondition(_several_work)
    @rule(partition=d.partitions, to=d.who, told=st.booleans())
    def partition_moves(self, partition: int, to: int, told: bool) -> None:
        self.world.move(partition, self._worker(to), told=told)

    @rule()
    def changelogs_are_compacted(self) -> None:
        self.world.compact()

    @invariant()
    def nothing_is_wrong_yet(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.finish()
        finally:
            self.world.shut()
            self.unpatch()

    def unpatch(self) -> None:
        """Lead the product back to where it was."""
        self._patch.undo()
