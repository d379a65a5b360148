"""Blocks of a rollup's cells go on when they were quiet, from compressed records as from plain ones."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from schemas.windows import MINUTE_MS
from schemas.wire import CellUpdate, body_of, fence_of
from streams import compression
from streams.rollup.cells import RollupCells

MINUTES = 1
KEYS = [f"rep={number}" for number in range(100)]

Records = dict[bytes, bytes]


@pytest.fixture(autouse=True)
def _learns_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_SAMPLE_BYTES", 1_000)


def counted(cells: RollupCells, position: int, keys: Iterable[str] = KEYS, at_ms: int = 0) -> None:
    """Count the position itself at a minute under some keys."""
    for key in keys:
        sums = {"calls_completed": position, "leads_created": position, "opportunities_won": position}
        cells.take(0, key, [CellUpdate(MINUTES, at_ms, position, sums)])


def checkpoint(cells: RollupCells, position: int) -> Records:
    packed = (cells.pack(key, block, position) for key, block in cells.take_unsaved())
    return {key: record for key, record in packed if record is not None}


def quiet(cells: RollupCells) -> Records:
    """Count once, and let some checkpoints pass until all but one block are closed; returns all records."""
    counted(cells, 1)
    records = checkpoint(cells, 1)
    for position in (2, 3):
        counted(cells, position, ["rep=0"])
        records |= checkpoint(cells, position)
    return records


def kept_bytes(cells: RollupCells) -> int:
    return sum(len(record) for by_dims in cells._records.values() for record in by_dims.values())


def sums_of(record: bytes) -> dict[int, tuple[int, dict[str, int]]]:
    return msgspec.msgpack.decode(body_of(record), type=dict[int, tuple[int, dict[str, int]]])


def test_records_of_quiet_blocks_are_kept_in_less_room() -> None:
    cells = RollupCells()
    records = quiet(cells)
    assert kept_bytes(cells) < sum(map(len, records.values())) * 0.8


def test_a_quiet_block_counts_on() -> None:
    cells = RollupCells()
    quiet(cells)
    grown = cells.take(0, "rep=99", [CellUpdate(MINUTES, 0, 4, {"calls_completed": 6})])
    counted(cells, 4, ["rep=99"], at_ms=MINUTE_MS)
    assert [change.delta for change in grown] == [{"calls_completed": 5}]
    (record,) = checkpoint(cells, 4).values()
    first = {"calls_completed": 6, "leads_created": 1, "opportunities_won": 1}
    assert fence_of(record) == 4
    assert sums_of(record) == {0: (4, first), MINUTE_MS: (4, dict.fromkeys(first, 4))}


def test_what_a_quiet_block_knows_already_changes_nothing() -> None:
    cells = RollupCells()
    quiet(cells)
    assert cells.take(0, "rep=99", [CellUpdate(MINUTES, 0, 1, {"calls_completed": 1})]) == []


def test_restored_blocks_go_on_and_one_below_an_older_record_is_written_again_as_it_was() -> None:
    first = RollupCells()
    records = quiet(first)
    last = list(records)[-1]
    cells = RollupCells()
    assert len(list(cells.restore(records, [last]))) == len(KEYS)
    assert kept_bytes(cells) < sum(map(len, records.values())) * 0.8
    (again,) = checkpoint(cells, 3).items()
    assert again[0] == last
    assert sums_of(again[1]) == sums_of(records[last])
    assert (fence_of(records[last]), fence_of(again[1])) == (1, 3)
    (change,) = cells.take(0, "rep=50", [CellUpdate(MINUTES, 0, 4, {"leads_created": 3})])
    assert change.delta == {"leads_created": 2}
