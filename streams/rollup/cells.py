"""Cells as the rollup keeps them: per log partition, each with its fence, in blocks that are changelog records.

Blocks that changed since the last checkpoint but one are open; of all others only the record is kept, compressed, which
is a tenth of the size. It is decoded where one of its cells changes after all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.windows import HOUR_MS, RESOLUTIONS, RETENTION_MS
from schemas.wire import CellUpdate, body_of, fence_of, pack
from streams.compression import Compression
from streams.fold.cells import BLOCK_MS
from streams.rollup.series import Change

StoredCell = tuple[int, dict[str, int]]
"""Fence and sums of a cell; sums are never changed in place, since a change from nothing is the same object."""

_ALL: Final = RESOLUTIONS.index("all")
Block = dict[int, StoredCell]
_decoder: Final = msgspec.msgpack.Decoder(Block)


Span = tuple[int, int, int]
"""Log partition, index of the resolution, start of the block: of many blocks at once, told apart by dimension key."""


class BlockKey(NamedTuple):
    """Where a block is: its span, and the dimension key."""

    span: Span
    dims: str

    def encode(self) -> bytes:
        """Return the changelog key."""
        partition, resolution, start_ms = self.span
        return f"{partition}|{resolution}|{start_ms}|{self.dims}".encode()

    @staticmethod
    def parse(key: bytes) -> BlockKey:
        """Undo :meth:`encode`."""
        partition, resolution, start_ms, dims = key.decode().split("|", 3)
        return BlockKey((int(partition), int(resolution), int(start_ms)), sys.intern(dims))


class RollupCells:
    """All cells of one owner, per log partition."""

    def __init__(self) -> None:
        self._compression = Compression()
        self._records: dict[Span, dict[str, bytes]] = {}
        self._open: dict[Span, dict[str, Block]] = {}
        self._unsaved: dict[Span, dict[str, None]] = {}
        self._expired_ms = 0

    def restore(self, records: Mapping[bytes, bytes], repair: Iterable[bytes]) -> Iterator[tuple[BlockKey, Block]]:
        """Take the changelog's records; yields every block, which is the caller's."""
        for encoded, record in records.items():
            key = BlockKey.parse(encoded)
            self._records.setdefault(key.span, {})[key.dims] = self._compression.compress(record)
            yield key, _decoder.decode(body_of(record))
        for span, dims in map(BlockKey.parse, repair):
            self._unsaved.setdefault(span, {})[dims] = None

    def take(self, partition: int, dims: str, updates: Sequence[CellUpdate]) -> list[Change]:
        """Take what changed of the cells of one dimension key; returns by how much those that are new grew."""
        grown: list[Change] = []
        block: Block = {}
        in_block = (-1, 0)
        for update in updates:
            resolution, start_ms, fence = update.resolution, update.start_ms, update.fence
            block_start = start_ms - start_ms % BLOCK_MS[resolution]
            if in_block != (resolution, block_start):  # the cells of a block come one after the other
                in_block = (resolution, block_start)
                block = self._opened((partition, resolution, block_start), dims)
            known = block.get(start_ms)
            if known is None:
                delta = sums = _sums(resolution, {}, update)
            elif fence > known[0]:
                delta = _difference(known[1], update)
                sums = _sums(resolution, known[1], update)
            else:
                continue
            block[start_ms] = (fence, sums)
            grown.append(Change(resolution, start_ms, delta, fence))
        return grown

    def _opened(self, span: Span, dims: str) -> Block:
        """Return a block that is about to change, so the next checkpoint writes it."""
        self._unsaved.setdefault(span, {})[dims] = None
        blocks = self._open.setdefault(span, {})
        block = blocks.get(dims)
        if block is None:
            kept = self._records.get(span, {}).get(dims)
            block = blocks[dims] = self._decoded(kept) if kept is not None else {}
        return block

    def _decoded(self, kept: bytes) -> Block:
        return _decoder.decode(body_of(self._compression.record(kept)))

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write, after a recovery also without a new message."""
        return bool(self._unsaved)

    def take_unsaved(self) -> list[tuple[BlockKey, Block | None]]:
        """Return what changed since the last time, as it is now; each is to be packed before this is called again.

        To copy blocks is quick, and sums are never changed in place. None for a block that is not open.
        """
        unsaved, self._unsaved = self._unsaved, {}
        opened, self._open = self._open, {}
        taken: list[tuple[BlockKey, Block | None]] = []
        for span, blocks in opened.items():
            self._compress(span, blocks.keys() - unsaved.get(span, {}).keys())
        for span, changed in unsaved.items():
            blocks = opened.get(span, {})
            still_open = {dims: blocks[dims] for dims in changed if dims in blocks}
            if still_open:
                self._open[span] = still_open
            taken += [(BlockKey(span, dims), blocks[dims].copy() if dims in blocks else None) for dims in changed]
        return taken

    def _compress(self, span: Span, closed: Iterable[str]) -> None:
        """Compress the records of blocks that did not change any more since they were packed."""
        records = self._records.get(span, {})
        records.update([(dims, self._compression.compress(records[dims])) for dims in closed])

    def pack(self, key: BlockKey, block: Block | None, position: int) -> tuple[bytes, bytes | None]:
        """Return the changelog record of a block as it was taken at a position; None for a dropped block.

        A restored block may be ahead of the position; its record never gets a lower fence than it had.
        """
        before = self._records.get(key.span, {}).get(key.dims)
        fence = max(position, fence_of(before)) if before is not None else position
        if block is not None:
            record = pack(fence, block)
        elif before is not None:
            record = pack(fence, msgspec.Raw(body_of(self._compression.record(before))))
        else:
            return key.encode(), None
        self._records.setdefault(key.span, {})[key.dims] = record
        return key.encode(), record

    def drop_expired(self, reached_ms: int) -> None:
        """Forget blocks that lie wholly beyond their retention behind the windows, an hour at a time."""
        if reached_ms < self._expired_ms + HOUR_MS:
            return
        self._expired_ms = reached_ms
        for span in {**self._records, **self._open}:
            _, index, start_ms = span
            resolution = RESOLUTIONS[index]
            if resolution != "all" and start_ms + BLOCK_MS[index] + RETENTION_MS[resolution] <= reached_ms:
                dropped = {**self._records.pop(span, {}), **self._open.pop(span, {})}
                self._unsaved.setdefault(span, {}).update(dict.fromkeys(dropped))


def _difference(known: Mapping[str, int], update: CellUpdate) -> dict[str, int]:
    """Return only what differs: a KPI whose measures did not change need not be computed."""
    sums, before = update.sums, known.get
    delta = {name: grown for name, value in sums.items() if (grown := value - before(name, 0))}
    if update.whole and not known.keys() <= sums.keys():
        delta.update({name: -value for name, value in known.items() if value and name not in sums})
    return delta


def _sums(resolution: int, known: dict[str, int], update: CellUpdate) -> dict[str, int]:
    """Return what a cell holds after an update, without zeros.

    They stay in the cell of all time: whoever takes over a series has to say of what became empty that it did.
    """
    if update.whole:
        return {**dict.fromkeys(known, 0), **update.sums} if resolution == _ALL else update.sums
    sums = {**known, **update.sums}
    if resolution != _ALL and 0 in update.sums.values():
        return {name: value for name, value in sums.items() if value}
    return sums
