"""Checkpoints: what is folded and taken becomes durable, and then what it came from is acknowledged.

Nothing may be made durable that has not been emitted, and nothing acknowledged that is not durable: the next owner
emits only what it folds again, and folds again only what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from agents.cadence import let_others, rest
from agents.changelogs import ChangelogWriter, Record
from agents.emission import Emitter
from agents.outlet import Outlet
from agents.recovery import FOLD_TABLES
from streams.fold.partition import Checkpoint, PartitionFold
from streams.rollup.owner import Rollup

_PACKED_AT_ONCE: Final = 200
"""Records of a rollup that are packed in one act: some 2 ms, in which nothing else has its turn."""

Unacknowledged = deque[tuple[int, Any]]
"""Offset and Faust event of messages that are taken but not durable yet, in order."""


class Checkpoints:
    """Writes the state of a worker's folds and rollups to their changelogs.

    Args:
        folds: The pipeline's, by log partition; it adds and removes some.
        rollups: Likewise, by owner.
        emitter: Sends what is emitted of a fold in the moment of its checkpoint.
        outlet: Sends what is told once, before what it was told of is acknowledged.
        writer: To the changelogs.
        changelogs: Their topics, by table.
        has_failed: Tells whether something went wrong: what failed may be done by half, and must not become durable.

    Attributes:
        frames: What is folded and not durable yet, by log partition.
        messages: Messages of cells that are taken and not durable yet, by owner.
        is_last: The next checkpoint is the last one, and nothing else is to be let go on meanwhile.
    """

    def __init__(
        self,
        folds: Mapping[int, PartitionFold],
        rollups: Mapping[int, Rollup],
        emitter: Emitter,
        outlet: Outlet,
        writer: ChangelogWriter,
        changelogs: Mapping[str, str],
        has_failed: Callable[[], bool],
    ) -> None:
        self.frames: dict[int, Unacknowledged] = {}
        self.messages: dict[int, Unacknowledged] = {}
        self.is_last = False
        self._folds = folds
        self._rollups = rollups
        self._emitter = emitter
        self._outlet = outlet
        self._writer = writer
        self._changelogs = changelogs
        self._has_failed = has_failed
        self._durable: dict[int, int] = {}
        self._one_at_a_time = asyncio.Lock()

    def add_fold(self, partition: int) -> None:
        """Begin with a fold that was recovered: what it holds is durable."""
        self.frames[partition] = deque()
        self._durable[partition] = self._folds[partition].fence

    def add_rollup(self, owner: int) -> None:
        """Begin with a rollup that was recovered."""
        self.messages[owner] = deque()

    async def write(self) -> None:
        """Make the state durable, then acknowledge what it holds.

        Raises:
            SalesPulseError: A write was refused; nothing was acknowledged, the worker has to stop.
        """
        async with self._one_at_a_time:
            for step in (self._write_folds, self._write_rollups):
                if not self._has_failed():
                    await step()

    async def _write_folds(self) -> None:
        """Write cells, accounts, marker, each acknowledged before the next."""
        due = {p: fold for p, fold in self._folds.items() if fold.fence > self._durable.get(p, -1) or fold.unsaved}
        if not due:
            return
        checkpoints: dict[int, Checkpoint] = {}
        for partition, fold in due.items():
            if self._has_failed():  # meanwhile, and what failed may be folded by half
                return
            if self._folds.get(partition) is not fold:  # it was handed over meanwhile
                continue
            began_s = time.monotonic()
            # Taken at one moment: what is checkpointed is what has been emitted.
            emission = self._emitter.take({partition: fold}, everything=True)
            checkpoints[partition] = fold.checkpoint()
            held_s = time.monotonic() - began_s
            await self._emitter.send(emission)
            await let_others()
            if not self.is_last:
                await rest(held_s)
        await self._emitter.acknowledged()
        for step, table in enumerate(FOLD_TABLES):
            records = [(partition, checkpoint.steps[step]) for partition, checkpoint in checkpoints.items()]
            await self._writer.write(self._changelogs[table], records)
        for partition, checkpoint in checkpoints.items():
            self._durable[partition] = checkpoint.fence
            _acknowledge(self.frames.get(partition), checkpoint.fence)

    async def _write_rollups(self) -> None:
        """Write blocks of cells, then the marker."""
        topic = self._changelogs["rollup"]
        due = {owner: rollup for owner, rollup in self._rollups.items() if self.messages.get(owner) or rollup.unsaved}
        written: dict[int, tuple[int, list[Record], Record]] = {}
        for owner, rollup in due.items():
            if self._rollups.get(owner) is not rollup:  # it was handed over meanwhile
                continue
            position, records, marker = rollup.checkpoint()
            packed: list[Record] = []
            while some := list(islice(records, _PACKED_AT_ONCE)):
                packed += some
                await let_others()
                if self._has_failed():
                    return
            written[owner] = position, packed, marker
        await self._outlet.flush()  # what is told of these messages, before they are acknowledged
        await self._writer.write(topic, ((owner, records) for owner, (_, records, _) in written.items()))
        await self._writer.write(topic, ((owner, [marker]) for owner, (_, _, marker) in written.items()))
        for owner, (position, _, _) in written.items():
            _acknowledge(self.messages.get(owner), position)


def _acknowledge(waiting: Unacknowledged | None, offset: int) -> None:
    while waiting and waiting[0][0] <= offset:
        waiting.popleft()[1].ack()
