"""Everything of the model in one place: events, source topics, intakes, the log, workers, and what readers see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import pytest

from agents.kafka import OffsetAndMetadata, TopicPartition
from schemas.windows import MINUTE_MS
from tests.model.broker import Broker, Content, Producer
from tests.model.clock import Clock, Loop
from tests.model.doors import Doors
from tests.model.intake_process import IntakeProcess
from tests.model.setting import CHANGELOGS, MADE, PARTITIONS, PLAN, SETTINGS, SOURCES, START_MS, STATE, ZONE
from tests.model.truth import Said, Truth, content_of, is_empty
from tests.model.worker_process import WorkerProcess

_ENOUGH: Final = 60
"""Turns after which intake or a checkpoint has come to its end, or never will."""
_EVERYTHING: Final = 1 << 10
_AMOUNTS: Final = 40
"""Powers of two: the sums of a schedule of that many events tell what is in them. Intake would refuse larger ones."""


class World:
    """A broker, and everybody who reads and writes there.

    Args:
        patch: By which the product is led to it.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.broker = Broker()
        self.clock = Clock(START_MS + 24 * 60 * MINUTE_MS)
        self.loop = Loop(self.clock)
        self.truth = Truth(SETTINGS, PLAN, STATE, self.broker, MADE.calendar)
        self.events: list[dict[str, Any]] = []
        self.bad: set[tuple[str, int, int]] = set()
        self.seen: dict[str, tuple[tuple[str, int], Said]] = {}
        self.doors = Doors(self.broker, self.clock, SOURCES, self._committed)
        self.doors.open(patch)
        patch.setattr("agents.checkpoints.let_others", self._let_others)
        patch.setattr("agents.checkpoints._PACKED_AT_ONCE", 1)
        MADE.hand_out(patch)
        self.intakes: list[IntakeProcess] = [self._new_intake()]
        self.workers: list[WorkerProcess] = [self.new_worker(set(range(PARTITIONS)))]
        self.owners = dict.fromkeys(range(PARTITIONS), self.workers[0])
        self.compacts_at_the_end = False
        self._wrong: list[AssertionError] = []

    def _new_intake(self) -> IntakeProcess:
        return IntakeProcess(SETTINGS, self.doors, self.loop, self.clock)

    def new_worker(self, owned: set[int]) -> WorkerProcess:
        worker = WorkerProcess(SETTINGS, PLAN, STATE, self.broker, self.loop, self._acknowledged)
        worker.assign(owned, owned)
        return worker

    # What happens outside

    def produce(self, where: TopicPartition, event: Mapping[str, Any]) -> None:
        self.broker.partition(where).append(Content(None, orjson.dumps(event)))

    def happens(self, where: TopicPartition, kind: str, account: str, minute: int, rep: str | None) -> None:
        number = len(self.events)
        event = {
            "event_id": f"e{number}",
            "event_type": kind,
            "occurred_at": START_MS + minute * MINUTE_MS,
            "account_id": account,
            **({"rep_id": rep} if rep else {}),
            **(self._deal(kind, account) if kind.startswith("deal.") else {}),
            **({"message_id": f"to {account}"} if kind.startswith("email.") else {}),
        }
        self.events.append(event)
        self.produce(where, event)

    def _deal(self, kind: str, account: str) -> dict[str, Any]:
        """A deal of its own for a win; what is returned is the account's last."""
        won = [one["deal_id"] for one in self.events if (one["event_type"], one["account_id"]) == ("deal.won", account)]
        deal_id = won[-1] if won and kind != "deal.won" else f"deal {len(self.events)}"
        return {"deal_id": deal_id, "amount": 1 << len(self.events) % _AMOUNTS}

    def happens_badly(self, where: TopicPartition) -> None:
        self.bad.add((*where, self.broker.partition(where).end))
        self.broker.partition(where).append(Content(b"key", b"no event"))

    # What is judged as it is done

    def _committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        self._note(lambda: self.truth.judge_commits(dict(offsets), self.bad))

    def _acknowledged(self, topic: str, partition: int, offset: int) -> None:
        self._note(lambda: self.truth.judge_acknowledged(topic, partition, offset))

    def _note(self, judge: Callable[[], None]) -> None:
        """Judge inside of the product, and say so outside of it: it may catch what is raised there."""
        try:
            judge()
        except AssertionError as wrong:
            self._wrong.append(wrong)

    def check(self) -> None:
        """Raise what was found wrong up to now."""
        self.truth.judge_changelogs()
        for wrong in self._wrong:
            raise wrong
        for worker in self.workers:
            if worker.failure is not None:
                raise worker.failure

    def publish(self, worker: WorkerProcess) -> None:
        """Publish what is the worker's to publish; a reader of the KPI topics sees versions that never fall."""
        others = {number for number, owner in self.owners.items() if owner is not worker}
        for published in worker.publish(others):
            value = published.value
            version = (value.window_end, value.revision)
            before, known = self.seen.get(published.key, (("", -1), None))
            assert version >= before, f"{published.key}: the version falls from {before} to {version}"
            content = content_of(value)
            assert version > before or content == known, f"{published.key}: {known} and {content} at {version}"
            self.seen[published.key] = (version, content)

    # Who runs

    async def _let_others(self) -> None:
        for worker in self.workers:
            worker.lets_others(asyncio.current_task())

    def replace_intake(self, survivors: set[int] | None) -> None:
        """Let another intake take over; the former one is dead, or paused when ``survivors`` is None."""
        if survivors is not None:
            self.intakes.pop().die(survivors)
        self.intakes.append(self._new_intake())

    def revive_intakes(self) -> None:
        """Those that stopped with an error are started anew, if nobody has taken over."""
        if self.intakes[-1].failure is not None:
            self.replace_intake(set())
        self.intakes = [one for one in self.intakes if one.failure is None]

    def move(self, number: int, to: WorkerProcess, *, told: bool) -> None:
        """Give a partition to a worker; the former owner hears of it, or goes on as if it had it yet."""
        former = self.owners[number]
        if told and former is not to:
            former.assign(former.owned - {number}, set())
        self.owners[number] = to
        to.assign(to.owned | {number}, {number} - to.owned)

    def take_over(self, former: WorkerProcess) -> WorkerProcess:
        """Start a worker that gets everything that another one has."""
        numbers = {number for number, owner in self.owners.items() if owner is former}
        worker = self.new_worker(numbers)
        self.owners |= dict.fromkeys(numbers, worker)
        self.workers.append(worker)
        return worker

    def let_take(self, producer: Producer, messages: int) -> None:
        """Let the broker take some of what waits; who waited for it goes on."""
        for where in producer.queues:
            producer.deliver(where, messages)
        self.loop.settle()

    def let_write(
        self, worker: WorkerProcess, steps: int, records: int = 0, *, turn: int = 0, emits: bool = True
    ) -> None:
        """Let a worker take some steps, each of which waits for the one before it, and some records of the next.

        Args:
            worker: Whose sends the broker takes.
            steps: How often it takes all that waits.
            records: How many it then takes for each partition.
            turn: In which order.
            emits: Whether it takes those to the topic of cells as well.
        """
        for _ in range(steps):
            self._let_write(worker, 1 << 30, 0, emits=emits)
        self._let_write(worker, records, turn, emits=emits)

    def _let_write(self, worker: WorkerProcess, records: int, turn: int, *, emits: bool) -> None:
        for where in worker.producer.queues:
            if emits or where.topic != STATE.cells:
                worker.producer.deliver(where, records, turn=turn)
        self.loop.settle()

    def compact(self) -> None:
        """Compact all changelogs, as far as they are old enough."""
        for changelog in CHANGELOGS:
            self.broker.partition(changelog).compact()

    # How it ends

    def finish(self) -> None:
        """Let everything go well to the end; then everything must be right."""
        if self.compacts_at_the_end:
            self.compact()
        self.replace_intake(set())
        self._take_all_in()
        worker = self.new_worker(set(range(PARTITIONS)))
        self.owners = dict.fromkeys(range(PARTITIONS), worker)
        self.workers.append(worker)
        self.work(worker)
        self.publish(worker)
        self.check()
        assert self.bad <= self.truth.dead_letters(), f"no dead letter tells of {self.bad - self.truth.dead_letters()}"
        if self.compacts_at_the_end:
            self.compact()
        recovered = self.new_worker(set(range(PARTITIONS)))
        held = [list(one.pipeline.folds.values()) for one in (worker, recovered)]
        self.truth.judge_cells(held, self.events, ZONE)
        values = self.truth.values()
        seen = {key: content for key, (_, content) in self.seen.items() if key in values or not is_empty(content)}
        wrong = sorted(key for key in {*values, *seen} if values.get(key) != seen.get(key))
        assert not wrong, f"values differ: {[(key, seen.get(key), values.get(key)) for key in wrong[:3]]}"

    def _take_all_in(self) -> None:
        intake = self.intakes[-1]
        for _ in range(_ENOUGH):
            if all(self._is_committed(where) for where in SOURCES):
                return
            intake.read(dict.fromkeys(SOURCES, 1 << 30), commits=True)
            intake.producer.deliver_all()
            self.loop.settle()
        raise AssertionError("intake does not come to the end of its sources")

    def _is_committed(self, where: TopicPartition) -> bool:
        commit = self.broker.committed.get(where)
        return commit is not None and commit.offset == self.broker.partition(where).end

    def work(self, worker: WorkerProcess) -> None:
        """Let a worker fold, emit, checkpoint and roll up everything that there is."""
        for number in worker.owned:
            worker.fold(number, _EVERYTHING)
        worker.emit()  # signs of life, too
        worker.checkpoint()
        self._deliver_until_quiet(worker)
        for number in worker.owned:
            worker.take_cells(number, _EVERYTHING)
        worker.checkpoint()
        self._deliver_until_quiet(worker)

    def _deliver_until_quiet(self, worker: WorkerProcess) -> None:
        for _ in range(_ENOUGH):
            worker.producer.deliver_all()
            self.loop.settle()
            if not worker.producer.queues:
                return
        raise AssertionError("a checkpoint does not end")

    def shut(self) -> None:
        """Drop everything."""
        self.loop.shut()
