"""Cells as the rollup keeps them: per log partition, each with its fence, in blocks that are changelog records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.windows import RESOLUTIONS, RETENTION_MS
from schemas.wire import CellUpdate, body_of, fence_of, pack
from streams.fold.cells import BLOCK_MS

StoredCell = tuple[int, dict[str, int]]
"""Fence and sums of a cell."""

_Block = dict[int, StoredCell]
_decoder: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, dict[str, int]]])


class BlockKey(NamedTuple):
    """Log partition, dimension key, index of the resolution, start of the block."""

    partition: int
    dims: str
    resolution: int
    start_ms: int

    def encode(self) -> bytes:
        """Return the changelog key."""
        return f"{self.partition}|{self.resolution}|{self.start_ms}|{self.dims}".encode()

    @staticmethod
    def parse(key: bytes) -> BlockKey:
        """Undo :meth:`encode`."""
        partition, resolution, start_ms, dims = key.decode().split("|", 3)
        return BlockKey(int(partition), dims, int(resolution), int(start_ms))


class Growth(NamedTuple):
    """A cell's growth: whose it is, its new fence, and what it grew by."""

    key: BlockKey
    start_ms: int
    fence: int
    delta: dict[str, int]


class RollupCells:
    """All cells of one owner, per log partition."""

    def __init__(self) -> None:
        self._blocks: dict[BlockKey, _Block] = {}
        self._unsaved: set[BlockKey] = set()
        self._ahead: dict[BlockKey, int] = {}

    def restore(self, records: Mapping[bytes, bytes], repair: Iterable[bytes]) -> Iterator[Growth]:
        """Take the changelog's records; yields every cell as growth from nothing."""
        for encoded, record in records.items():
            key = BlockKey.parse(encoded)
            block = self._blocks[key] = _decoder.decode(body_of(record))
            self._ahead[key] = fence_of(record)
            for start_ms, (fence, sums) in block.items():
                yield Growth(key, start_ms, fence, sums.copy())
        self._unsaved.update(BlockKey.parse(key) for key in repair)

    def take(self, partition: int, dims: str, update: CellUpdate) -> Growth | None:
        """Take what changed of a cell; None when what is known of it is as new."""
        resolution, start_ms, fence = update.resolution, update.start_ms, update.fence
        key = BlockKey(partition, dims, resolution, start_ms - start_ms % BLOCK_MS[resolution])
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = {}
        known = block.get(start_ms)
        if known is None:
            sums: dict[str, int] = {}
        elif fence <= known[0]:
            return None
        else:
            sums = known[1]
        # Only what differs: a KPI whose measures did not change need not be computed.
        delta = {name: value - sums.get(name, 0) for name, value in update.sums.items() if value != sums.get(name, 0)}
        if update.whole:
            delta.update({name: -value for name, value in sums.items() if name not in update.sums})
            sums = update.sums
        else:
            sums.update(update.sums)
            for name in [name for name in delta if not sums[name]]:
                del sums[name]
        block[start_ms] = (fence, sums)
        self._unsaved.add(key)
        return Growth(key, start_ms, fence, delta)

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write, after a recovery also without a new message."""
        return bool(self._unsaved)

    def take_unsaved(self, position: int) -> list[tuple[bytes, bytes | None]]:
        """Return the changelog records of what changed since the last time; None for dropped blocks.

        A restored block may be ahead of the position; its record never gets a lower fence than it had.
        """
        unsaved, self._unsaved = sorted(self._unsaved), set()
        blocks = ((key, self._blocks.get(key)) for key in unsaved)
        self._ahead = {key: fence for key, fence in self._ahead.items() if fence > position}
        return [
            (key.encode(), pack(max(position, self._ahead.get(key, -1)), block) if block else None)
            for key, block in blocks
        ]

    def drop_expired(self, reached_ms: int) -> None:
        """Forget blocks that lie wholly beyond their retention behind the windows."""
        for key in list(self._blocks):
            resolution = RESOLUTIONS[key.resolution]
            if resolution != "all" and key.start_ms + BLOCK_MS[key.resolution] + RETENTION_MS[resolution] <= reached_ms:
                del self._blocks[key]
                self._unsaved.add(key)
