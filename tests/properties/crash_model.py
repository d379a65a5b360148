"""A broker in memory, and workers on it that crash, pause and wake up; they checkpoint and recover as agents do.

A worker may be replaced at any moment. Left alone it is a zombie: it goes on with what it has, unaware of the others::

    worker 1   fold 0..30 . checkpoint 20 . . paused ................. cells 30 . accounts 30 . marker 30
    worker 2                                   recovers at 20 . fold 21..40 . cells 40 . (dies)
    worker 3                                                                        recovers at 20, finds 30 and 40
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from agents.changelogs import _keep_highest
from schemas.rows import Frame
from schemas.wire import CellsMessage, fence_of
from streams.fold.partition import MARKER_KEY, LogGapError, Recovered
from tests.properties.crash_logs import Log, Record, cells_message, latest, new_fold, new_rollup

CELLS, ACCOUNTS, MARKER, ROLLUP = range(4)
_frame = msgspec.msgpack.Decoder(Frame)
_messages = msgspec.msgpack.Decoder(list[CellsMessage])

Keep = Callable[[dict[bytes, bytes], set[bytes], bytes, bytes | None], None]
Action = tuple[str, int, int]
"""What is done, to which worker (0: the present one, else a zombie), and how often or how far."""


@dataclass
class Changelog:
    """Records in the order they were written, each with its offset; ``stable`` is how far compaction may go."""

    records: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)
    end: int = 0
    stable: int = 0

    def append(self, record: Record) -> None:
        self.records.append((self.end, *record))
        self.end += 1

    def read(self, keep: Keep) -> tuple[dict[bytes, bytes], set[bytes]]:
        """Return what a recovery finds: per key the record that is kept, and the keys to repair."""
        kept: dict[bytes, bytes] = {}
        outdated: set[bytes] = set()
        for _, key, value in self.records:
            keep(kept, outdated, key, value)
        return kept, outdated

    def compact(self) -> None:
        """Keep the last record per key, of those that a recovery has read and repaired (the lag of compaction)."""
        last = {key: offset for offset, key, _ in self.records if offset < self.stable}
        self.records = [found for found in self.records if found[0] >= self.stable or last[found[1]] == found[0]]


@dataclass
class Rules:
    """How agents are meant to do it; a mutation of the model changes one of them."""

    keep: Keep = _keep_highest
    order: tuple[int, ...] = (CELLS, ACCOUNTS, MARKER)
    emit_before_checkpoint: bool = True
    newest_is_what_came_last: bool = False


class Worker:
    """One process: a fold, its place in the log, what it has not sent yet, and a checkpoint under way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.outbox: deque[bytes] = deque()
        self.writes: deque[tuple[int, Record]] = deque()
        self._before_writes = 0
        self._durable_again: list[tuple[Changelog, int]] | None = None
        self.fold = new_fold()
        cells, accounts, markers = (table.read(world.rules.keep) for table in world.tables[:3])
        self._read_to = [(table, table.end) for table in world.tables[:3]]
        marker = markers[0].get(MARKER_KEY)
        self.fold.recover(Recovered(cells[0], accounts[0], marker, sorted(cells[1]), sorted(accounts[1])))
        self.position = self._checkpointed = self.fold.fence + 1

    def read(self, frames: int) -> None:
        for _ in range(frames):
            if self.position < len(self.world.log.frames):
                try:
                    self.fold.fold(self.position, _frame.decode(self.world.log.frames[self.position]))
                    self.position += 1
                except LogGapError as gap:
                    self.position = gap.wanted

    def skip(self, frames: int) -> None:
        """Let the broker's client lose its place, as Faust was seen to after a recovery: ahead, or back."""
        self.position = max(0, self.position + frames - 3)

    def emit(self) -> None:
        self.outbox.append(cells_message(self.fold))

    def send(self, messages: int) -> None:
        for _ in range(min(messages, len(self.outbox))):
            self.world.topic.append(self.outbox.popleft())
            self._before_writes -= 1

    def checkpoint(self) -> None:
        """Begin a checkpoint, unless one is under way or nothing was folded since the last."""
        if self.writes or self.fold.fence < self._checkpointed:
            return
        self._checkpointed = self.fold.fence + 1
        rules = self.world.rules
        if rules.emit_before_checkpoint:
            self.emit()
            self._before_writes = len(self.outbox)
        checkpoint = self.fold.checkpoint()
        steps = (checkpoint.cells, checkpoint.accounts, checkpoint.marker)
        for table in rules.order:
            self.writes.extend((table, record) for record in steps[table])

    def write(self, records: int) -> None:
        """Write so many records of the checkpoint; each is acknowledged before the next."""
        for _ in range(min(records, len(self.writes))):
            if self._before_writes > 0:
                self.send(self._before_writes)
            table, record = self.writes.popleft()
            self.world.tables[table].append(record)
            if not self.writes:
                for changelog, end in self._read_to:
                    changelog.stable = max(changelog.stable, end)

    def write_step(self) -> None:
        """Write what is left of one step of the checkpoint."""
        step = self.writes[0][0] if self.writes else None
        while self.writes and self.writes[0][0] == step:
            self.write(1)

    def act(self, action: str, number: int) -> None:
        match action:
            case "step":
                self.write_step()
            case "read":
                self.read(number)
            case "skip":
                self.skip(number)
            case "emit":
                self.emit()
            case "send":
                self.send(number)
            case "checkpoint":
                self.checkpoint()
            case "write":
                self.write(number * number)
            case _:
                raise AssertionError(action)


class Reader:
    """The rollup's process: reads the cells topic, publishes once it has read what was there at its start."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writes: deque[Record] = deque()
        self.rollup = new_rollup()
        table = world.tables[ROLLUP]
        records, repair = table.read(world.rules.keep)
        self._read_to = table.end
        self.rollup.recover(records, sorted(repair), 0)
        self._caught_up_at = len(world.topic)

    def read(self, messages: int) -> None:
        start = self.rollup.position + 1
        for raw in islice(self.world.topic, start, start + messages):
            for message in _messages.decode(raw):
                if self.world.rules.newest_is_what_came_last:
                    _stamp(message, self.rollup.position + 1)
                self.rollup.take(message, 0)
            self.rollup.position += 1

    def checkpoint(self) -> None:
        if not self.writes:
            _, records, marker = self.rollup.checkpoint()
            self.writes.extend((*records, marker))

    def write(self, records: int) -> None:
        for _ in range(min(records, len(self.writes))):
            self.world.tables[ROLLUP].append(self.writes.popleft())
            if not self.writes:
                table = self.world.tables[ROLLUP]
                table.stable = max(table.stable, self._read_to)

    def publish(self) -> None:
        """Publish, and see what a reader of the KPI topic sees: versions that never fall, one value a version."""
        if self.rollup.position + 1 < self._caught_up_at:
            return
        publication = self.rollup.publication(0)
        for published in publication.values if publication else ():
            value = published.value
            version = (value.window_end, value.revision)
            content = (value.value, value.numerator, value.denominator, value.previous)
            before, known = self.world.seen.get(published.key, (("", -1), None))
            assert version >= before, f"{published.key}: version falls from {before} to {version}"
            assert version > before or content == known, f"{published.key}: {known} and {content} at {version}"
            self.world.seen[published.key] = (version, content)

    def act(self, action: str, number: int) -> None:
        match action:
            case "take":
                self.read(number)
            case "publish":
                self.publish()
            case "snapshot":
                self.checkpoint()
            case "save":
                self.write(number * number)
            case _:
                raise AssertionError(action)


def _stamp(message: CellsMessage, fence: int) -> None:
    for updates in message.cells.values():
        for update in updates:
            update.fence = fence


class World:
    """One log partition, its changelogs, the cells topic, and everybody who writes to them."""

    def __init__(self, log: Log, rules: Rules) -> None:
        self.log = log
        self.rules = rules
        self.tables = [Changelog() for _ in range(4)]
        self.topic: list[bytes] = []
        self.seen: dict[str, tuple[tuple[str, int], object]] = {}
        self.workers = [Worker(self)]
        self.readers = [Reader(self)]

    def run(self, schedule: Iterable[Action]) -> None:
        """Do what the schedule says."""
        for action, who, number in schedule:
            match action:
                case "crash":
                    self.workers[-1] = Worker(self)
                case "pause":
                    self.workers.append(Worker(self))
                case "compact":
                    self.tables[number % 4].compact()
                case "reader crash":
                    self.readers[-1] = Reader(self)
                case "reader pause":
                    self.readers.append(Reader(self))
                case "take" | "publish" | "snapshot" | "save":
                    reader = self.readers[-1 - who % len(self.readers)]
                    if action != "publish" or reader is self.readers[-1]:
                        reader.act(action, number)
                case _:
                    self.workers[-1 - who % len(self.workers)].act(action, number)

    def finish(self) -> None:
        """Recover once more, fold to the end, emit, checkpoint and publish; then everything must be right."""
        worker = Worker(self)
        while worker.position < len(self.log.frames):
            worker.read(1)
        worker.emit()
        worker.send(len(worker.outbox))
        worker.checkpoint()
        worker.write(1 << 30)
        reader = Reader(self)
        reader.read(len(self.topic))
        reader.publish()
        self._judge_records()
        self._judge_state(worker)
        self._judge_state(Worker(self))
        values = latest(reader.rollup)
        wrong = {key for key in {*values, *self.log.values} if values.get(key) != self.log.values.get(key)}
        assert not wrong, f"values differ from those of an uninterrupted rollup: {sorted(wrong)[:5]}"

    def _judge_records(self) -> None:
        """Every record of the changelogs is the fold of the log up to its fence."""
        for table, changelog in enumerate(self.tables[:3]):
            for _, key, value in changelog.records:
                fence = fence_of(value) if value is not None else None
                assert self.log.is_right(table, key, value), f"record {key!r} of table {table} at fence {fence}"

    def _judge_state(self, worker: Worker) -> None:
        """What a worker holds is what an uninterrupted fold holds."""
        fold = worker.fold
        kept = {
            where: self.log.content(where, value)
            for table, changelog in enumerate(self.tables[:3])
            for key, value in changelog.read(self.rules.keep)[0].items()
            for where in [(table, key)]
        }
        wrong = [where for where, content in self.log.final.items() if content and kept.get(where) != content]
        wrong += [where for where, content in kept.items() if content and not self.log.final.get(where)]
        assert not wrong, f"changelogs differ from those of an uninterrupted fold: {wrong[:5]}"
        held: dict[tuple[str, int, int], dict[str, int]] = {
            (dims, resolution, start): sums for dims, resolution, start, sums in fold.cells.cells()
        }
        differing = self.log.differing(held)
        assert not differing, f"cells differ from those of an uninterrupted fold: {differing[:5]}"
