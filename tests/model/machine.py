"""What may happen, as rules: hypothesis draws schedules of them, and cuts one that ends wrong down to what matters."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.kafka import TopicPartition
from tests.model.intake_process import IntakeProcess
from tests.model.setting import CHANGELOGS, PARTITIONS, SOURCES
from tests.model.worker_process import WorkerProcess
from tests.model.world import World

AGAIN, BAD = "sent again", "no event"
_KINDS = ("deal.won", "deal.won", "deal.returned", "call.completed", "email.sent", "email.opened", AGAIN, BAD)
happenings = st.tuples(
    st.sampled_from(SOURCES),
    st.sampled_from(_KINDS),
    st.sampled_from("afi"),  # accounts: one of one log partition, two of the other
    st.integers(0, 100),  # minutes
    st.sampled_from((None, "r")),
)
Happening = tuple[TopicPartition, str, str, int, str | None]
partitions = st.integers(0, PARTITIONS - 1)
few = st.integers(0, 4)
many = st.sampled_from((0, 1, 2, 3, 60, 60))
who = st.sampled_from((0, 0, 0, 0, 1, 2))
"""0: whoever began last; else one who was paused, unaware of the others."""


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

    @initialize(events=st.lists(happenings, min_size=3, max_size=6))
    def wait(self, events: list[Happening]) -> None:
        self.world.happens(SOURCES[0], "deal.won", "a", 0, "r")
        self.happen(events)

    @rule(events=st.lists(happenings, min_size=1, max_size=3))
    def happen(self, events: list[Happening]) -> None:
        for where, kind, account, minute, rep in events:
            if kind == AGAIN:
                self.world.produce(where, self.world.events[minute % len(self.world.events)])
            elif kind == BAD:
                self.world.happens_badly(where)
            else:
                self.world.happens(where, kind, account, minute, rep)

    # Intake

    @rule(who=who, reads=st.tuples(many, many, many), commits=st.booleans(), takes=st.sampled_from((0, 1, 2, 9, 9)))
    def intake_works(self, who: int, reads: tuple[int, int, int], commits: bool, takes: int) -> None:
        intake = self._intake(who)
        intake.read(dict(zip(SOURCES, reads, strict=True)), commits=commits)
        self.world.let_take(intake.producer, takes)

    @precondition(_intake_sends)
    @rule(who=who, takes=st.integers(1, 9))
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

    @rule(events=st.lists(happenings, min_size=4, max_size=8), survivors=st.sets(st.integers(0, 5)))
    def intake_is_lost_with_its_frames(self, events: list[Happening], survivors: set[int]) -> None:
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

    # Fold and rollup

    @rule(who=who, frames=st.tuples(many, many))
    def worker_folds(self, who: int, frames: tuple[int, int]) -> None:
        for partition, number in enumerate(frames):
            self._worker(who).fold(partition, number)

    @rule(who=who, partition=partitions, by=st.integers(-3, 3), reads=st.integers(0, 2))
    def client_loses_its_place(self, who: int, partition: int, by: int, reads: int) -> None:
        worker = self._worker(who)
        for of_log in (True, False):
            worker.lose_place(of_log, partition, by)
        worker.fold(partition, reads)
        worker.take_cells(partition, reads)

    @rule(who=who, steps=few)
    def worker_emits(self, who: int, steps: int) -> None:
        worker = self._worker(who)
        worker.emit()
        self.world.let_write(worker, steps)

    @rule(who=who, steps=st.integers(0, 7), records=few, turn=st.integers(0, 2))
    def worker_checkpoints(self, who: int, steps: int, records: int, turn: int) -> None:
        worker = self._worker(who)
        worker.checkpoint()
        self.world.let_write(worker, steps, records, turn=turn)

    @precondition(_worker_sends)
    @rule(who=who, steps=few, records=few, turn=st.integers(0, 2))
    def broker_takes_of_worker(self, who: int, steps: int, records: int, turn: int) -> None:
        self.world.let_write(self._worker(who), steps, records, turn=turn)

    @rule(who=who, messages=many)
    def worker_takes_cells(self, who: int, messages: int) -> None:
        for partition in range(PARTITIONS):
            self._worker(who).take_cells(partition, messages)

    @rule(who=who, takes=few)
    def worker_publishes(self, who: int, takes: int) -> None:
        self.worker_takes_cells(who, takes)
        self.world.publish(self._worker(who))

    @rule(who=who)
    def worker_works(self, who: int) -> None:
        self.world.work(self._worker(who))
        self.world.publish(self._worker(who))

    @rule(events=st.lists(happenings, max_size=2), compacts=st.booleans())
    def all_goes_well(self, events: list[Happening], compacts: bool) -> None:
        self.happen(events)
        self.intake_works(0, (60, 60, 60), commits=True, takes=9)
        for worker in dict.fromkeys(self.world.owners.values()):
            self.world.work(worker)
            self.world.publish(worker)
        if compacts:
            self.changelogs_are_compacted()

    # Who runs

    @rule(
        events=st.lists(happenings, min_size=1, max_size=3),
        frames=st.tuples(many, many),
        steps=st.integers(0, 7),
        records=few,
        turn=st.integers(0, 2),
        emits=st.booleans(),
        dies=st.booleans(),
    )
    def worker_is_lost_in_a_checkpoint(
        self,
        events: list[Happening],
        frames: tuple[int, int],
        steps: int,
        records: int,
        turn: int,
        emits: bool,
        dies: bool,
    ) -> None:
        self.happen(events)
        self.intake_works(0, (60, 60, 60), commits=True, takes=9)
        self.worker_folds(0, frames)
        self.worker_takes_cells(0, 60)
        worker = self._worker(0)
        worker.checkpoint()
        self.world.let_write(worker, steps, records, turn=turn, emits=emits)
        self.worker_crashes_or_pauses(0, 0 if dies else None)

    @precondition(_several_work)
    @rule(steps=st.integers(1, 7), frames=many)
    def paused_worker_goes_on(self, steps: int, frames: int) -> None:
        self.worker_folds(1, (frames, frames))
        self.worker_checkpoints(1, steps, 0, 0)

    @rule(who=who, survivors=st.none() | st.integers(0, 2))
    def worker_crashes_or_pauses(self, who: int, survivors: int | None) -> None:
        worker = self._worker(who)
        if survivors is not None:
            worker.die(survivors)
            self.world.workers.remove(worker)
        self.world.take_over(worker)

    @precondition(_several_work)
    @rule(partition=partitions, to=who, told=st.booleans())
    def partition_moves(self, partition: int, to: int, told: bool) -> None:
        self.world.move(partition, self._worker(to), told=told)

    @rule()
    def changelogs_are_compacted(self) -> None:
        for changelog in CHANGELOGS:
            self.world.broker.partition(changelog).compact()

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
