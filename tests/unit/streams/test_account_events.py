"""An account's events stay encoded once they were written, and are the same events."""

from __future__ import annotations

import msgspec
import pytest

from schemas.rows import Row
from streams.fold.events import Events, order_of
from tests.unit.streams.rows import Book, row

ROWS = sorted(
    [
        *(row(kind, f"2024-03-0{day}") for day in (1, 2, 3) for kind in ("lead.created", "call.completed")),
        row("web.visit", "2024-03-03"),
    ],
    key=order_of,
)


def events_of(rows: list[Row], *, written: int) -> Events:
    """Events of which so many were written when the others came."""
    events = Events([])
    for place, found in enumerate(rows):
        if place == written:
            events.encoded()
        events.append(found)
    return events


@pytest.mark.parametrize("written", range(len(ROWS)))
def test_what_was_written_is_the_same_as_what_was_not(written: int) -> None:
    events = events_of(ROWS, written=written)
    assert events.rows() == ROWS
    assert msgspec.msgpack.encode(events.encoded()) == msgspec.msgpack.encode(ROWS)
    assert events.rows() == ROWS, "encoding changes nothing"


def test_events_read_back_know_the_first_and_the_last() -> None:
    events = Events(events_of(ROWS[1:-1], written=0).encoded())
    assert events.first_ms == ROWS[1].at_ms
    assert events.precede(ROWS[-1])
    assert not events.precede(ROWS[0])
    assert not events.precede(ROWS[-2])


def test_of_one_millisecond_the_life_cycle_decides_after_writing_as_before() -> None:
    call, visit = ROWS[-2:]
    assert call.at_ms == visit.at_ms
    for written in (0, 1):
        assert events_of([call], written=written).precede(visit)
        assert not events_of([visit], written=written).precede(call)


def test_nothing_precedes_the_first_event() -> None:
    assert Events([]).precede(ROWS[0])


@pytest.mark.parametrize("written", range(len(ROWS)))
def test_a_late_event_after_a_checkpoint_takes_the_same_place(written: int) -> None:
    late, others = ROWS[2], [*ROWS[:2], *ROWS[3:]]
    straight, checkpointed = Book().take(*others, late), Book().take(*others[:written])
    assert checkpointed.account.record.rows is not None
    checkpointed.take(*others[written:], late)
    assert checkpointed.account.record == straight.account.record
    assert checkpointed.everything() == straight.everything()
