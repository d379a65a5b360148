"""Messages between fold and rollup, and the records of the changelogs: their layout in bytes.

A changelog record is its fence (8 bytes, big endian) followed by MessagePack, so that recovery can compare fences
without decoding the rest.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

_FENCE: Final = struct.Struct(">q")
FENCE_BYTES: Final = _FENCE.size
_encoder: Final = msgspec.msgpack.Encoder()


class CellUpdate(msgspec.Struct, array_like=True, gc=False):
    """What changed of a cell since its last update, as it stands at a fence.

    An update is told in order and before a checkpoint holds what it says, so what came before it is known.

    Args:
        resolution: Index into ``RESOLUTIONS``.
        start_ms: Start of the slice.
        fence: Last log offset folded into it.
        sums: Measure -> integer, of the measures that changed; 0 for those that are no more.
        whole: These are all measures of the cell.
    """

    resolution: int
    start_ms: int
    fence: int
    sums: dict[str, int]
    whole: bool = False


class Win(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A deal that was won, as it is announced.

    Args:
        event_id: Of the event that won it.
        at_ms: Its event time.
        account: Whose it is.
        deal: ``deal_id``.
        dims: Values of the six event dimensions.
        amount: Minor units of the reporting currency.
    """

    event_id: str
    at_ms: int
    account: str
    deal: str
    dims: tuple[str | None, ...]
    amount: int


class Restated(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one event changed in one day that is over, under one dimension key.

    Args:
        offset: Log offset of its frame.
        event_id: Of the event.
        kind: Code of its type.
        at_ms: Its event time.
        dims: Dimension key.
        day_ms: Start of the local day.
        delta: Stored measure -> by how much it changed.
    """

    offset: int
    event_id: str
    kind: int
    at_ms: int
    dims: str
    day_ms: int
    delta: dict[str, int]


class CellsMessage(msgspec.Struct, array_like=True, gc=False):
    """One message of the cells topic: what changed in one log partition, for one partition of the cells topic.

    Args:
        partition: The log partition.
        fence: Last log offset folded into the state.
        newest_ms: Highest event time folded; None before the first event.
        backlog: Source events known to be waiting; with ``delay_ms`` it tells whether the values are live.
        delay_ms: How long the newest frame waited before it was folded.
        produced_ms: Wall clock at which the newest frame in it was made; None for a sign of life.
        cells: Dimension key -> its changed cells.
        wins: Deals won; only the owner of the global series is told.
        restated: What events changed in days that are over.
    """

    partition: int
    fence: int
    newest_ms: int | None
    backlog: int
    delay_ms: int
    produced_ms: int | None
    cells: dict[str, list[CellUpdate]]
    wins: list[Win] = []
    restated: list[Restated] = []


class Covered(msgspec.Struct, array_like=True, gc=False):
    """Up to where a source partition is folded: all offsets below ``end`` of one epoch of its topic."""

    topic: str
    partition: int
    epoch: int
    end: int


class Marker(msgspec.Struct, array_like=True, gc=False):
    """What ends a checkpoint: its fence, the newest event time, and what is covered of every source partition.

    ``has_cells`` tells a lost changelog of cells from a state in which nothing was counted yet.
    """

    version: int
    fence: int
    newest_ms: int | None
    covered: list[Covered]
    has_cells: bool = False


STATE_VERSION: Final = 2
"""Version of all stored state; a worker refuses one it does not know."""


def pack(fence: int, content: Any) -> bytes:
    """Return a changelog record."""
    return _FENCE.pack(fence) + _encoder.encode(content)


def fence_of(record: bytes) -> int:
    """Return the fence of a changelog record."""
    fence: int = _FENCE.unpack_from(record)[0]
    return fence


def body_of(record: bytes) -> memoryview:
    """Return the content of a changelog record, still encoded."""
    return memoryview(record)[_FENCE.size :]
