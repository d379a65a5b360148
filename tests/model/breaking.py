"""Ways to break the product on purpose, each in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import msgspec
import pytest

from agents.changelogs import ChangelogWriter, Record, _keep_highest
from agents.pipeline import Pipeline
from agents.publishing import Publishing
from agents.recovery import StateReader
from schemas.rows import Frame, Row, Section
from schemas.wire import CellUpdate
from streams.fold.account import Account, AccountRecord
from streams.fold.accumulator import Accumulator
from streams.fold.cells import Block, CellStore, Slices
from streams.fold.partition import Checkpoint, PartitionFold, Recovered
from streams.intake.router import Router, _Source
from streams.rollup.cells import RollupCells
from streams.rollup.owner import Rollup, RollupCheckpoint
from streams.rollup.series import Series
from tests.model.broker import Partition

Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


def writes_in_order(*tables: str) -> Break:
    def apply(patch: Patch) -> None:
        patch.setattr("agents.checkpoints.FOLD_TABLES", tables)
        steps = {"cells": 1, "accounts": 2, "markers": 3}
        patch.setattr(Checkpoint, "steps", property(lambda self: tuple(self[steps[table]] for table in tables)))

    return apply


def does_not_wait(patch: Patch) -> None:
    write, tasks = ChangelogWriter.write, set()

    async def hasty(self: ChangelogWriter, topic: str, found: Iterable[tuple[int, Sequence[Record]]]) -> None:
        tasks.add(asyncio.ensure_future(write(self, topic, list(found))))

    patch.setattr(ChangelogWriter, "write", hasty)


def does_nothing(owner: type, name: str) -> Break:
    async def nothing(*_arguments: object) -> None: ...

    return lambda patch: patch.setattr(owner, name, nothing)


def keeps(keep: Callable[..., None]) -> Break:
    return lambda patch: patch.setattr("agents.changelogs._keep_highest", keep)


def last_written(kept: dict[bytes, bytes], _outdated: set[bytes], key: bytes, value: bytes, *_as_kept: object) -> None:
    kept[key] = value


def no_repair(kept: dict[bytes, bytes], _outdated: set[bytes], key: bytes, value: bytes, *as_kept: Any) -> None:
    _keep_highest(kept, set(), key, value, *as_kept)


def fold_with(change: Callable[[PartitionFold, int], int]) -> Break:
    """Let the fold believe in another fence before each frame."""

    def apply(patch: Patch) -> None:
        fold = PartitionFold.fold

        def folding(self: PartitionFold, offset: int, frame: Frame) -> int:
            self.fence = change(self, offset)
            return fold(self, offset, frame)

        patch.setattr(PartitionFold, "fold", folding)

    return apply


def takes_sections_beyond_a_gap(patch: Patch) -> None:
    accept = PartitionFold._accept

    def accepting(self: PartitionFold, section: Section) -> int | None:
        reached = self._covered.get((section.topic, section.partition))
        if reached is not None and section.start > reached[1]:
            section = msgspec.structs.replace(section, start=reached[1])
        return accept(self, section)

    patch.setattr(PartitionFold, "_accept", accepting)


def takes_what_follows_nothing(patch: Patch) -> None:
    accept = PartitionFold._accept

    def accepting(self: PartitionFold, section: Section) -> int | None:
        return accept(self, msgspec.structs.replace(section, base=True))

    patch.setattr(PartitionFold, "_accept", accepting)


def counts_duplicates(patch: Patch) -> None:
    fold = Account.fold

    def folding(self: Account, row: Row, horizon_ms: int) -> bool:
        self._seen.clear()
        return fold(self, row, horizon_ms)

    patch.setattr(Account, "fold", folding)


def blocks_forget_their_fence(patch: Patch) -> None:
    init = Block.__init__

    def forgetting(self: Block, slices: Slices, _fence: int = -1) -> None:
        init(self, slices)

    patch.setattr(Block, "__init__", forgetting)


def accounts_forget_their_fence(patch: Patch) -> None:
    init = Account.__init__

    def forgetting(self: Account, record: AccountRecord, out: Accumulator, _fence: int = -1) -> None:
        init(self, record, out)

    patch.setattr(Account, "__init__", forgetting)


def _found_ahead_is_clean(store: type) -> Break:
    def apply(patch: Patch) -> None:
        restore: Callable[..., int] = store.restore  # type: ignore[attr-defined]  # both stores have it

        def restoring(self: Any, records: Any, _marker_fence: int, repair: Any) -> int:
            return restore(self, records, 1 << 60, repair)

        patch.setattr(store, "restore", restoring)

    return apply


def written_with_the_checkpoints_fence(patch: Patch) -> None:
    take = CellStore.take_unsaved

    def taking(self: CellStore, fence: int, newest_ms: int) -> list[Record]:
        records = take(self, fence, newest_ms)
        return [(key, fence.to_bytes(8, signed=True) + value[8:] if value else None) for key, value in records]

    patch.setattr(CellStore, "take_unsaved", taking)


def replayed_frames_are_fanned_out_together(patch: Patch) -> None:
    recover = PartitionFold.recover

    def recovering(self: PartitionFold, recovered: Recovered, log_start: int = 0) -> None:
        recover(self, recovered, log_start)
        self._replay_until = -1

    patch.setattr(PartitionFold, "recover", recovering)


def every_other_checkpoint_is_given_up(patch: Patch) -> None:
    checkpoint = Pipeline.checkpoint
    given_up: set[int] = set()

    async def giving_up(self: Pipeline) -> None:
        if id(self) in given_up:
            given_up.discard(id(self))
            await checkpoint(self)
            return
        given_up.add(id(self))
        for fold in self.folds.values():
            fold.checkpoint()

    patch.setattr(Pipeline, "checkpoint", giving_up)


def commits_without_completion(patch: Patch) -> None:
    patch.setattr(Router, "completion", lambda *_arguments: [])


def ranges_begin_at_their_first_row(patch: Patch) -> None:
    section = _Source.section

    def own(self: _Source, log: int, end: int) -> Section:
        return msgspec.structs.replace(section(self, log, end), start=end - 1)

    patch.setattr(_Source, "section", own)


def rollup_takes_what_came_last(patch: Patch) -> None:
    take = RollupCells.take

    def taking(self: RollupCells, partition: int, dims: str, updates: Sequence[CellUpdate]) -> list[Any]:
        for span in {*self._records, *self._open}:
            for each in {*self._records.get(span, {}), *self._open.get(span, {})}:
                block = self._opened(span, each)
                block.update({start: (-1, sums) for start, (_, sums) in block.items()})
        return take(self, partition, dims, updates)

    patch.setattr(RollupCells, "take", taking)


def rollup_forgets_what_became_empty(patch: Patch) -> None:
    take = RollupCells.take

    def taking(self: RollupCells, partition: int, dims: str, updates: Sequence[CellUpdate]) -> list[Any]:
        changes = take(self, partition, dims, updates)
        for block in (block for blocks in self._open.values() for block in blocks.values()):
            for start, (fence, sums) in block.items():
                block[start] = fence, {name: value for name, value in sums.items() if value}
        return changes

    patch.setattr(RollupCells, "take", taking)


def publishes_at_once(patch: Patch) -> None:
    patch.setattr(Publishing, "_may_begin", lambda *_arguments: True)


def _believes_what_it_kept_is_the_newest(patch: Patch) -> None:
    async def nothing(*_arguments: object) -> dict[int, int]:
        return {}

    patch.setattr(StateReader, "cells_ends", nothing)


def version_of(derive: Callable[[Series], int]) -> Break:
    return lambda patch: patch.setattr(Series, "revision", property(derive))


def rollups_marker_comes_first(patch: Patch) -> None:
    checkpoint = Rollup.checkpoint

    def reversed_order(self: Rollup) -> RollupCheckpoint:
        position, records, marker = checkpoint(self)
        *others, last = (marker, *records)
        return RollupCheckpoint(position, iter(others), cast("tuple[bytes, bytes]", last))

    patch.setattr(Rollup, "checkpoint", reversed_order)


def what_changes_meanwhile_counts_as_packed(patch: Patch) -> None:
    take, pack = RollupCells.take_unsaved, RollupCells.pack
    left: dict[RollupCells, int] = {}

    def taking(self: RollupCells) -> list[Any]:
        blocks = take(self)
        left[self] = len(blocks)
        return blocks

    def packing(self: RollupCells, *args: Any) -> Record:
        left[self] -= 1
        if not left[self]:
            self._unsaved.clear()
        return pack(self, *args)

    patch.setattr(RollupCells, "take_unsaved", taking)
    patch.setattr(RollupCells, "pack", packing)


def compacts_at_once(patch: Patch) -> None:
    compact = Partition.compact

    def compacting(self: Partition) -> None:
        self.stable = self.end
        compact(self)

    patch.setattr(Partition, "compact", compacting)
