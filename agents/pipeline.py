"""The pipeline of one worker: folds and rollups of the partitions it owns, and the loops that move them on.

::

    frames -> fold -> (emit: every 100 ms or so) -> cells topic -> rollup -> (publish) -> sinks
               |
               +----> (checkpoint: every 2-3 s) -> cells, accounts, marker changelogs -> frames acknowledged

A cell at a fence is a pure function of a durable log prefix, so emitting before the checkpoint is safe. But nothing may
be checkpointed that has not been emitted: the next owner emits only what it folds again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec
from faust.types import TP

from agents.changelogs import ChangelogWriter, Newest, read_changelogs
from agents.kafka import AIOKafkaProducer, TopicPartition, begin_offsets, end_offsets
from schemas.rows import Frame
from schemas.settings import Settings
from schemas.topics import changelog_topic
from schemas.windows import EVENT_DIMENSIONS
from schemas.wire import CellsMessage, CellUpdate
from streams.fold import LogGapError, PartitionFold, Recovered
from streams.plan import Plan
from streams.publication import Publication
from streams.rollup import Rollup, RollupRules
from streams.time import Calendar

_LOG: Final = logging.getLogger(__name__)
_BEAT_MS: Final = 3_000
_FOLD_TABLES: Final = ("cells", "accounts", "markers")
_frame_decoder: Final = msgspec.msgpack.Decoder(Frame)
_encoder: Final = msgspec.msgpack.Encoder()
_cells_decoder: Final = msgspec.msgpack.Decoder(list[CellsMessage])


def wall_ms() -> int:
    """Return the wall clock in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def owner_of(grouping: str, partitions: int) -> int:
    """Return the partition of the cells topic that owns all series of a grouping (its dimension names)."""
    return crc32(grouping.encode()) % partitions


class _Told(NamedTuple):
    """What a log partition last said to every owner."""

    fence: int
    newest_ms: int | None
    busy: bool
    at_ms: int


class Pipeline:
    """Folds, rollups and their cadences.

    Args:
        settings: Everything that is set.
        plan: The catalogue in force.
        producer: For cells and checkpoints; its sends must be acknowledged by all replicas.
    """

    def __init__(self, settings: Settings, plan: Plan, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.plan = plan
        self.calendar = Calendar(settings.time.zone, settings.time.week_start)
        self.folds: dict[int, PartitionFold] = {}
        self.rollups: dict[int, Rollup] = {}
        self.folded = asyncio.Event()
        self.rolled = asyncio.Event()
        self.gaps = 0
        self.failure: BaseException | None = None
        self.on_lost: Callable[[int], None] = lambda _owner: None
        self._producer = producer
        self._writer = ChangelogWriter(producer)
        self._partitions = settings.kafka.partitions
        self._ends: dict[tuple[str, int], int] = {}
        self._caught_up_at: dict[int, int] = {}
        self._published: set[int] = set()
        self._frames: dict[int, deque[tuple[int, Any]]] = {}
        self._messages: dict[int, deque[tuple[int, Any]]] = {}
        self._durable: dict[int, int] = {}
        self._backlog: dict[int, tuple[int, int, int]] = {}
        self._produced: dict[int, int] = {}
        self._told: dict[int, _Told] = {}
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._checkpointing = asyncio.Lock()
        self._owners = self._groupings_by_owner()
        self._owner_of_grouping: dict[str, int] = {}

    # Assignment and recovery

    async def reassign(self, table: str, owned: set[int], gained: set[int]) -> None:
        """Let go of partitions that are not owned any more; recover the new ones (see :class:`StateKeeper`)."""
        if table == "markers":
            await self._reassign_folds(owned, gained)
        elif table == "rollup":
            await self._reassign_rollups(owned, gained)

    def changelog_end(self, table: str, partition: int) -> int:
        """Return the offset up to which a changelog partition was read."""
        return self._ends.get((table, partition), 0)

    def next_offsets(self) -> Mapping[TP, int]:
        """Return where to read on, for every owned partition of log and cells topic."""
        topics = self.settings.topics
        return {
            **{TP(topics.log, partition): fold.fence + 1 for partition, fold in self.folds.items()},
            **{TP(topics.cells, owner): rollup.position + 1 for owner, rollup in self.rollups.items()},
        }

    async def _reassign_folds(self, owned: set[int], gained: set[int]) -> None:
        for partition in set(self.folds) - owned:
            del self.folds[partition]
            self._frames.pop(partition, None)
        new = sorted(partition for partition in owned if partition in gained or partition not in self.folds)
        if not new:
            return
        started = time.monotonic()
        states = await self._read(_FOLD_TABLES, new)
        starts = await self._log_starts(self.settings.topics.log, new)
        for partition in new:
            fold = PartitionFold(partition, self.plan, self.calendar, int(self.settings.pipeline.dedupe_horizon))
            cells, accounts, markers = (states[table, partition] for table in _FOLD_TABLES)
            marker = next(iter(markers.records.values()), None)
            recovered = Recovered(cells.records, accounts.records, marker, cells.repair, accounts.repair)
            fold.recover(recovered, starts[partition])
            self.folds[partition] = fold
            self._frames[partition] = deque()
            self._durable[partition] = fold.fence
        self.folded.set()
        accounts_read = sum(self.folds[partition].accounts for partition in new)
        _LOG.info("recovered log partitions %s: %d accounts in %.1f s", new, accounts_read, time.monotonic() - started)

    async def _reassign_rollups(self, owned: set[int], gained: set[int]) -> None:
        for owner in set(self.rollups) - owned:
            del self.rollups[owner]
            self._messages.pop(owner, None)
            self._published.discard(owner)
            self.on_lost(owner)
        new = sorted(owner for owner in owned if owner in gained or owner not in self.rollups)
        if not new:
            return
        topic = self.settings.topics.cells
        states = await self._read(("rollup",), new)
        starts = await self._log_starts(topic, new)
        ends = await end_offsets(self.settings, [TopicPartition(topic, owner) for owner in new])
        for owner in new:
            rollup = Rollup(owner, self.plan, self.calendar, self._rules(), self._owners[owner])
            newest = states["rollup", owner]
            rollup.recover(newest.records, newest.repair, starts[owner])
            self.rollups[owner] = rollup
            self._messages[owner] = deque()
            self._published.discard(owner)
            self._caught_up_at[owner] = ends[TopicPartition(topic, owner)]

    async def _read(self, tables: Sequence[str], partitions: Sequence[int]) -> dict[tuple[str, int], Newest]:
        app_id = self.settings.app.id
        wanted = {
            TopicPartition(changelog_topic(app_id, table), partition): (table, partition)
            for table in tables
            for partition in partitions
        }
        found = await read_changelogs(self.settings, list(wanted))
        states = {wanted[where]: newest for where, newest in found.items()}
        self._ends.update({where: newest.end for where, newest in states.items()})
        return states

    async def _log_starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        begins = await begin_offsets(self.settings, [TopicPartition(topic, partition) for partition in partitions])
        return {where.partition: offset for where, offset in begins.items()}

    def _rules(self) -> RollupRules:
        settings = self.settings
        return RollupRules(
            settings.money.currency,
            settings.kafka.partitions,
            settings.time.clock,
            int(settings.time.out_of_orderness),
            int(settings.pipeline.stale_after),
        )

    def _groupings_by_owner(self) -> dict[int, list[str]]:
        groupings: dict[int, list[str]] = {owner: [] for owner in range(self._partitions)}
        for grouping in sorted({"", *EVENT_DIMENSIONS, *(d for kpi in self.plan.kpis for d in kpi.dimensions)}):
            groupings[owner_of(grouping, self._partitions)].append(grouping)
        return groupings

    def fail(self, error: BaseException) -> None:
        """Remember why the worker has to stop; the first reason counts."""
        self.failure = self.failure or error

    # What the agents call, message by message

    def take_frame(self, partition: int, offset: int, raw: bytes, event: Any) -> int | None:
        """Fold one message of the log.

        Returns:
            None when it was taken; else the offset to read on from, because messages were skipped.
        """
        fold = self.folds.get(partition)
        if fold is None:
            return None
        frame = _frame_decoder.decode(raw)
        try:
            fold.fold(offset, frame)
        except LogGapError as gap:
            self.gaps += 1
            return gap.wanted
        now_ms = wall_ms()
        self._backlog[partition] = (frame.backlog, now_ms - frame.produced_ms, now_ms)
        if frame.rows:
            self._produced[partition] = frame.produced_ms
        self._frames[partition].append((offset, event))
        self.folded.set()
        return None

    def take_cells(self, owner: int, offset: int, raw: bytes, event: Any) -> int | None:
        """Take one message of the cells topic; returns as :meth:`take_frame`."""
        rollup = self.rollups.get(owner)
        if rollup is None:
            return None
        if offset > rollup.position + 1:
            self.gaps += 1
            return rollup.position + 1
        now_ms = wall_ms()
        for message in _cells_decoder.decode(raw):
            rollup.take(message, now_ms)
        rollup.position = max(rollup.position, offset)
        self._messages[owner].append((offset, event))
        self.rolled.set()
        return None

    # Cadences

    async def emit(self) -> None:
        """Send changed cells to the owners of their series, and a sign of life where there are none."""
        for owner, messages in self._take_emission().items():
            await self._send_cells(owner, messages)

    async def _send_cells(self, owner: int, messages: list[CellsMessage]) -> None:
        future = await self._producer.send(self.settings.topics.cells, _encoder.encode(messages), partition=owner)
        self._in_flight.add(future)
        future.add_done_callback(self._on_sent)

    def _on_sent(self, future: asyncio.Future[Any]) -> None:
        self._in_flight.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self.fail(error)

    def _take_emission(self) -> dict[int, list[CellsMessage]]:
        now_ms = wall_ms()
        emission: dict[int, list[CellsMessage]] = {}
        for partition, fold in self.folds.items():
            backlog, delay_ms = self._waiting(partition, now_ms)
            by_owner: dict[int, dict[str, list[CellUpdate]]] = {}
            for dims, updates in fold.take_changed().items():
                by_owner.setdefault(self._owner(dims), {})[dims] = updates
            told = _Told(fold.fence, fold.newest_ms, backlog > 0, now_ms)
            before = self._told.get(partition)
            beat = before is None or now_ms - before.at_ms >= (
                _BEAT_MS if before[:3] == told[:3] else int(self.settings.time.tick)
            )
            if beat:
                self._told[partition] = told
            produced_ms = self._produced.pop(partition, None)
            for owner in range(self._partitions) if beat else by_owner:
                cells = by_owner.get(owner, {})
                message = CellsMessage(
                    partition, fold.fence, fold.newest_ms, backlog, delay_ms, produced_ms if cells else None, cells
                )
                emission.setdefault(owner, []).append(message)
        return emission

    def _waiting(self, partition: int, now_ms: int) -> tuple[int, int]:
        """Return how many events wait behind a log partition, and how long its last frame did."""
        backlog, delay_ms, at_ms = self._backlog.get(partition, (0, 0, 0))
        return backlog, delay_ms if now_ms - at_ms < 1_000 else 0

    def _owner(self, dims: str) -> int:
        grouping = ",".join(part.split("=", 1)[0] for part in dims.split(",")) if dims else ""
        owner = self._owner_of_grouping.get(grouping)
        if owner is None:
            owner = self._owner_of_grouping[grouping] = owner_of(grouping, self._partitions)
        return owner

    async def checkpoint(self) -> None:
        """Make the state durable: cells, accounts, marker, each acknowledged before the next; then acknowledge frames.

        Raises:
            SalesPulseError: A write was refused; nothing was acknowledged, the worker has to stop.
        """
        async with self._checkpointing:
            await self._checkpoint_folds()
            await self._checkpoint_rollups()

    async def _checkpoint_folds(self) -> None:
        due = {p: fold for p, fold in self.folds.items() if fold.fence > self._durable.get(p, -1)}
        if not due:
            return
        emission = self._take_emission()
        checkpoints = {partition: fold.checkpoint() for partition, fold in due.items()}
        for owner, messages in emission.items():
            await self._send_cells(owner, messages)
        await asyncio.gather(*self._in_flight)
        for table, part in zip(_FOLD_TABLES, (1, 2, 3), strict=True):
            topic = changelog_topic(self.settings.app.id, table)
            await self._writer.write(topic, ((p, checkpoint[part]) for p, checkpoint in checkpoints.items()))  # type: ignore[misc]  # parts 1 to 3 are records
        for partition, checkpoint in checkpoints.items():
            self._durable[partition] = checkpoint.fence
            _acknowledge(self._frames.get(partition), checkpoint.fence)

    async def _checkpoint_rollups(self) -> None:
        topic = changelog_topic(self.settings.app.id, "rollup")
        written = {owner: rollup.checkpoint() for owner, rollup in self.rollups.items() if self._messages.get(owner)}
        await self._writer.write(topic, ((owner, records) for owner, (_, records, _) in written.items()))
        await self._writer.write(topic, ((owner, [marker]) for owner, (_, _, marker) in written.items()))
        for owner, (position, _, _) in written.items():
            _acknowledge(self._messages.get(owner), position)

    def publications(self, busy: Container[int] = ()) -> Iterable[Publication]:
        """Bring every owned rollup that has caught up to the present, but the busy ones; yields what changed."""
        now_ms = wall_ms()
        for owner, rollup in list(self.rollups.items()):
            if owner in busy or rollup.position + 1 < self._caught_up_at[owner]:
                continue
            publication = rollup.publication(now_ms, complete=owner not in self._published)
            if publication is not None:
                self._published.add(owner)
                yield publication

    @property
    def unpublished(self) -> list[int]:
        """Owners that have not published yet, because their cells are still being read."""
        return sorted(set(self.rollups) - self._published)


def _acknowledge(waiting: deque[tuple[int, Any]] | None, offset: int) -> None:
    while waiting and waiting[0][0] <= offset:
        waiting.popleft()[1].ack()
