"""The pipeline of one worker: folds and rollups of the partitions it owns, and the loops that move them on.

::

    frames -> fold -> (emit: every 50 ms or so) -> cells topic -> rollup -> (publish) -> sinks
               |
               +----> (checkpoint: every 2-3 s) -> cells, accounts, marker changelogs -> frames acknowledged

A cell at a fence is a pure function of a durable log prefix, so emitting before the checkpoint is safe. But nothing may
be checkpointed that has not been emitted: the next owner emits only what it folds again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from faust.types import TP

from agents.cadence import TURN_S, let_others
from agents.changelogs import ChangelogWriter
from agents.checkpoints import Checkpoints
from agents.emission import Emitter
from agents.generations import StateNames
from agents.kafka import AIOKafkaProducer
from agents.outlet import Outlet
from agents.patience import patiently
from agents.publishing import Publishing
from agents.recovery import StateReader
from schemas.rows import Frame
from schemas.settings import Settings
from schemas.wire import CellsMessage
from streams.clock import wall_ms
from streams.fold.partition import LogGapError, PartitionFold
from streams.plan import Plan
from streams.rollup.owner import Rollup

_LOG: Final = logging.getLogger(__name__)
_frame_decoder: Final = msgspec.msgpack.Decoder(Frame)
_cells_decoder: Final = msgspec.msgpack.Decoder(list[CellsMessage])


class Pipeline:
    """Folds, rollups and what moves them on.

    Args:
        settings: Everything that is set.
        plan: The catalogue in force.
        producer: For cells and checkpoints; its sends must be acknowledged by all replicas.
        outlet: For what is told once.
        names: Of the generation of state.
    """

    def __init__(
        self, settings: Settings, plan: Plan, producer: AIOKafkaProducer, outlet: Outlet, names: StateNames
    ) -> None:
        self.outlet = outlet
        self.folds: dict[int, PartitionFold] = {}
        self.rollups: dict[int, Rollup] = {}
        self.folded = asyncio.Event()
        self.duplicates = 0
        """Events that were folded before, by whatever offset; counted since this process began."""
        self.failure: BaseException | None = None
        self.on_assigned: Callable[[set[int], Sequence[int]], Awaitable[None]] = _nothing
        """Told which owners there are, and which of them are new, before the state of these is read."""
        self.on_lost: Callable[[int], None] = lambda _owner: None
        self.on_reassigned: Callable[[], object] = lambda: None
        self._log = settings.topics.log
        self._cells = names.cells
        self._state = StateReader(settings, plan, names)
        self._emitter = Emitter(settings, names.cells, producer, self.fail)
        self._checkpoints = Checkpoints(
            self.folds,
            self.rollups,
            self._emitter,
            outlet,
            ChangelogWriter(producer),
            names.changelogs,
            lambda: self.failure is not None,
        )
        self._closed = False
        self._is_restating = False
        stale_ms = int(settings.pipeline.stale_after)
        self.publishing = Publishing(self.rollups, stale_ms)

    def fail(self, error: BaseException) -> None:
        """Remember why the worker has to stop, the first reason counts; and go no further than this.

        What failed may have been done by half, so nothing that stands in memory now may be told or made durable.
        """
        self.failure = self.failure or error
        self.close()

    def close(self) -> None:
        """Take nothing in and tell nothing any more, so that the last checkpoint does not wait for other work.

        Whoever comes next takes it from the topics: nothing of it is acknowledged.
        """
        self._closed = self._checkpoints.is_last = True
        self.revoke()

    # Assignment (see agents.tables.StateKeeper and agents.faust_driver.Positions)

    async def reassign(self, table: str, owned: set[int], gained: set[int]) -> None:
        """Let go of partitions that are not owned any more; recover the new ones."""
        if table == "markers":
            await self._reassign_folds(owned, gained)
        elif table == "rollup":
            await self._reassign_rollups(owned, gained)
            self.publishing.revoked = self._closed
            self.on_reassigned()

    def revoke(self) -> None:
        """Tell nothing until partitions are assigned again."""
        self.publishing.revoked = True

    @property
    def recovering(self) -> str:
        """How far a recovery is, for people; empty when none is under way."""
        return str(self._state.progress)

    @property
    def missing(self) -> Mapping[tuple[str, int], int]:
        """Messages that the log should have before what came last, by source topic and partition.

        A frame that was lost comes again, since its offsets were not committed. What stays was never taken in: the
        group's offsets were set forward by hand, or lost together with the log.
        """
        found: Counter[tuple[str, int]] = Counter()
        for fold in self.folds.values():
            for source, count in fold.missing.items():
                found[source] = max(found[source], count)
        return found

    @property
    def gaps(self) -> list[str]:
        """What is missing, for people."""
        return _gaps(self.missing)

    def changelog_end(self, table: str, partition: int) -> int:
        """Return the offset up to which a changelog partition was read."""
        return self._state.end(table, partition)

    def next_offsets(self) -> Mapping[TP, int]:
        """Return where to read on, for every owned partition of log and cells topic."""
        return {
            **{TP(self._log, partition): fold.fence + 1 for partition, fold in self.folds.items()},
            **{TP(self._cells, owner): rollup.position + 1 for owner, rollup in self.rollups.items()},
        }

    async def _reassign_folds(self, owned: set[int], gained: set[int]) -> None:
        for partition in set(self.folds) - owned:
            del self.folds[partition], self._checkpoints.frames[partition]
        new = sorted(partition for partition in owned if partition in gained or partition not in self.folds)
        if new:
            for partition, fold in (await self._state.folds(new)).items():
                self.folds[partition] = fold
                self._checkpoints.add_fold(partition)
            self.folded.set()

    async def _reassign_rollups(self, owned: set[int], gained: set[int]) -> None:
        for owner in set(self.rollups) - owned:
            del self.rollups[owner], self._checkpoints.messages[owner]
            self.on_lost(owner)
        new = sorted(owner for owner in owned if owner in gained or owner not in self.rollups)
        await patiently(lambda: self.on_assigned(owned, new))
        if new:
            for owner, (rollup, publishes_from) in (await self._state.rollups(new)).items():
                self.rollups[owner] = rollup
                self._checkpoints.add_rollup(owner)
                self.publishing.assign(owner, publishes_from)
            await patiently(self.outlet.restore)
        await self._distrust(sorted(owned - set(new)))

    async def _distrust(self, kept: Sequence[int]) -> None:
        """Let owners that are behind catch up before they publish again, and then tell everything.

        A worker that was cut off can get a partition back without having heard that it was gone. Somebody else has told
        of its series meanwhile: versions must not fall, and what changed and changed back is told by nobody else.
        """
        for owner, end in (await self._state.cells_ends(kept)).items():
            if self.rollups[owner].position + 1 < end:
                self.publishing.distrust(owner, end)

    # What the agents call, message by message

    async def take_frame(self, partition: int, offset: int, raw: bytes, event: Any) -> int | None:
        """Fold one message of the log.

        Args:
            partition: Of the log.
            offset: Of the message.
            raw: The frame.
            event: Faust's, to be acknowledged when the frame is durable; None where nobody commits offsets.

        Returns:
            None when it was taken; else the offset to read on from, because messages were skipped.
        """
        fold = self.folds.get(partition)
        if fold is None or self._closed:
            return None
        frame = _frame_decoder.decode(raw)
        duplicates, refused = fold.duplicates, len(fold.missing)
        try:
            fold.fold(offset, frame)
        except LogGapError as gap:
            return gap.wanted
        self.duplicates += fold.duplicates - duplicates
        if len(fold.missing) > refused:
            _LOG.warning("log partition %d refuses frames: %s", partition, "; ".join(_gaps(fold.missing)))
        self._emitter.note(partition, frame)
        if event is not None:
            self._checkpoints.frames[partition].append((offset, event))
        self.folded.set()
        return None

    async def take_cells(self, owner: int, offset: int, raw: bytes, event: Any) -> int | None:
        """Take one message of the cells topic; returns as :meth:`take_frame`.

        Others have their turn while restatements are computed, of which there may be thousands. What is checkpointed
        meanwhile has the message's cells but not its offset, so it comes again: known cells change nothing then, and
        what was not told yet is told.
        """
        rollup = self.rollups.get(owner)
        if rollup is None or self._closed:
            return None
        if offset > rollup.position + 1:
            return rollup.position + 1
        now_ms = wall_ms()
        messages = _cells_decoder.decode(raw)
        for message in messages:
            rollup.take(message, now_ms)
            self.outlet.won(message.wins)
            if not await self._restate(rollup, message, now_ms):
                return None
        rollup.position = max(rollup.position, offset)
        self._checkpoints.messages[owner].append((offset, event))
        self.publishing.took(owner, messages)
        return None

    async def _restate(self, rollup: Rollup, message: CellsMessage, now_ms: int) -> bool:
        """Tell what a message changed in closed periods; whether the owner is still ours after that."""
        began_s = time.monotonic()
        for restatements in rollup.restatements(message, now_ms):
            self.outlet.restated(rollup.owner, restatements)
            if time.monotonic() - began_s > TURN_S:
                self._is_restating = True
                await let_others()
                self._is_restating = False
                if self.rollups.get(rollup.owner) is not rollup or self._closed:
                    return False
                began_s = time.monotonic()
        return True

    # Cadences

    def is_behind(self) -> bool:
        """Tell whether a log partition of this worker has much to catch up with."""
        return self._emitter.is_behind(self.folds)

    def values_are_behind(self) -> bool:
        """Tell whether values are soon old again: a log partition has much to catch up with, or much is restated."""
        return self._is_restating or self.is_behind()

    async def emit(self) -> None:
        """Send changed cells to the owners of their series, and a sign of life where there are none."""
        if self.failure is not None:
            return
        await self._emitter.send(self._emitter.take(self.folds))

    async def checkpoint(self) -> None:
        """Make the state durable, then acknowledge what it holds.

        Raises:
            SalesPulseError: A write was refused; nothing was acknowledged, the worker has to stop.
        """
        await self._checkpoints.write()


def _gaps(missing: Mapping[tuple[str, int], int]) -> list[str]:
    return [
        f"{topic}[{partition}] goes on {count} messages after what is counted; they were not taken in"
        for (topic, partition), count in sorted(missing.items())
    ]


async def _nothing(_owned: set[int], _new: Sequence[int]) -> None:
    return
