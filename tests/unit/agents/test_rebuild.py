"""The log folded anew is compared with what is stored, whenever either of them was last tidied."""

from __future__ import annotations

import msgspec

from agents.rebuild import _differences, _forget
from schemas.rows import Frame
from schemas.windows import HOUR_MS, MINUTE_MS, RETENTION_MS
from streams.fold.partition import MARKER_KEY, PartitionFold, Recovered
from streams.fold.rules import FoldRules
from tests.unit.streams.rows import CALENDAR, at, frame, plan_of, row

FIRST_MS = at("2024-03-01 10:00")
LAST = (RETENTION_MS["10s"] + HOUR_MS) // MINUTE_MS
"""Minutes, a frame each: the first hour's finest cells are beyond their retention in the end."""


def new_fold() -> PartitionFold:
    return PartitionFold(0, plan_of("calls"), CALENDAR, FoldRules())


def take(fold: PartitionFold, offset: int) -> None:
    call = row("call.completed", FIRST_MS + offset * MINUTE_MS, event_id=f"e{offset}")
    made = frame([call], offset, offset + 1, base=not offset)
    fold.fold(offset, msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Frame))


def recovered_at(offset: int) -> PartitionFold:
    """The state that a checkpoint after a frame has left."""
    fold = new_fold()
    for place in range(offset + 1):
        take(fold, place)
    cells, accounts, marker = ({k: v for k, v in step if v is not None} for step in fold.checkpoint().steps)
    stored = new_fold()
    stored.recover(Recovered(cells, accounts, marker[MARKER_KEY]))
    return stored


def test_cells_that_expire_on_the_way_make_no_difference() -> None:
    for recovered, tidied in ((LAST, LAST - 6), (LAST - 7, LAST - 3), (LAST - 30, LAST)):
        stored, anew = recovered_at(recovered), new_fold()
        for offset in range(LAST + 1):
            take(stored, offset)
            take(anew, offset)
            if offset == tidied:
                _forget(anew)
        assert _differences(stored, anew) == []


def test_a_cell_that_is_stored_otherwise_is_a_difference() -> None:
    stored, anew = recovered_at(3), new_fold()
    for offset in range(3):
        take(anew, offset)
    assert {(each.dims, each.measure, each.stored - each.anew) for each in _differences(stored, anew)} >= {
        ("", "calls", 1)
    }
