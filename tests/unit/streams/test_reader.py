"""The inside of intake without a broker: what waits for what, what counts, and what may be committed."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from schemas.errors import IntakeStopped
from schemas.settings import settings_from
from streams.intake.counters import IntakeCounters
from streams.intake.reader import Reader
from streams.intake.router import Commit

NOW_MS = 1_715_938_200_000


class Message(NamedTuple):
    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def visit(offset: int, at_ms: int, account: str = "a-1") -> Message:
    event = {"event_id": f"e-{at_ms}", "event_type": "web.visit", "occurred_at": at_ms, "account_id": account}
    return Message(offset, json.dumps(event).encode())


@pytest.fixture
def counters() -> IntakeCounters:
    return IntakeCounters()


@pytest.fixture
def reader(counters: IntakeCounters) -> Reader:
    settings = settings_from({"kafka": {"partitions": 2}, "intake": {"dead_letter_minimum": 2}})
    reader = Reader(settings, counters)
    for topic in ("leads", "web"):
        reader.assign(topic, 0, Commit(0, 1, base=True), end=2)
    return reader


def times(reader: Reader, clock_s: float) -> list[int]:
    return [row.at_ms - NOW_MS for _, frame in reader.frames(NOW_MS, clock_s) for row in frame.rows]


def test_what_may_be_preceded_by_older_events_waits_but_not_for_ever(reader: Reader) -> None:
    reader.take_in({("leads", 0): [visit(0, NOW_MS - 5), visit(1, NOW_MS - 1)]}, {("leads", 0): 2}, {}, NOW_MS)
    assert times(reader, 0.0) == []
    assert reader.commits() == {("leads", 0): Commit(0, 1, base=True), ("web", 0): Commit(0, 1, base=True)}
    reader.take_in({("web", 0): [visit(0, NOW_MS - 3)]}, {("web", 0): 1}, {}, NOW_MS)
    assert times(reader, 0.5) == [-5, -3]
    assert times(reader, 1.0) == []
    assert times(reader, 2.1) == [-1]  # the rest of "web" does not come


def test_nobody_waits_for_a_partition_that_is_read_to_its_end(reader: Reader) -> None:
    reader.take_in({("leads", 0): [visit(0, NOW_MS)]}, {("leads", 0): 1}, {("web", 0): 0}, NOW_MS)
    assert times(reader, 0.0) == [0]


def test_lag_is_what_is_not_in_a_frame_yet(reader: Reader, counters: IntakeCounters) -> None:
    assert counters.lag == {("leads", 0): 2, ("web", 0): 2}
    reader.take_in({("leads", 0): [visit(0, NOW_MS)]}, {("leads", 0): 1}, {("web", 0): 0}, NOW_MS)
    ((_, frame),) = reader.frames(NOW_MS, 0.0)
    assert counters.lag == {("leads", 0): 1, ("web", 0): 0}
    assert frame.backlog == counters.backlog == 1
    assert counters.events == {("leads", "web.visit"): 1}


def test_dead_letters_move_the_position_on_and_are_counted(reader: Reader, counters: IntakeCounters) -> None:
    ends = {("web", 0): 0}
    (letter,) = reader.take_in(
        {("leads", 0): [Message(0, b"x", b"k", (("h", None),))]}, {("leads", 0): 1}, ends, NOW_MS
    )
    assert (letter.topic, letter.partition, letter.offset, letter.key, letter.value) == ("leads", 0, 0, b"k", b"x")
    assert counters.dead_letters == {("leads", "broken_json"): 1}
    assert reader.frames(NOW_MS, 0.0) == []
    frames = reader.completion(NOW_MS)
    assert [(log, [(s.start, s.end, s.base) for s in frame.sections]) for log, frame in frames] == [
        (0, [(0, 1, True)]),
        (1, [(0, 1, True)]),
    ]
    assert reader.commits()["leads", 0] == Commit(1, 1, base=False)


def test_too_many_dead_letters_stop_it_with_the_last_one_as_example(reader: Reader) -> None:
    reader.take_in({("leads", 0): [Message(0, b"x")]}, {}, {}, NOW_MS)
    reader.check()
    reader.take_in({("leads", 0): [Message(1, b"[]")]}, {}, {}, NOW_MS)
    with pytest.raises(IntakeStopped, match=r"2 of the last 2 messages .* leads/0@1 not_an_object"):
        reader.check()


def test_when_it_stops_it_shows_enough_of_them_and_not_all_with_every_restart(reader: Reader) -> None:
    flood = [Message(offset, b"x") for offset in range(50)]
    letters = reader.take_in({("leads", 0): flood}, {}, {}, NOW_MS)
    assert len(letters) == 2, "as many as it takes to stop"
    with pytest.raises(IntakeStopped, match="leads/0@49"):
        reader.check()


def test_more_is_read_only_where_there_is_room(reader: Reader) -> None:
    many = [visit(offset, NOW_MS) for offset in range(2_000)]
    reader.take_in({("leads", 0): many}, {("leads", 0): 2_000}, {}, NOW_MS)
    assert reader.wanted() == [("web", 0)]


def test_partitions_that_are_gone_leave_nothing_behind(reader: Reader, counters: IntakeCounters) -> None:
    reader.take_in({("leads", 0): [visit(0, NOW_MS)]}, {("leads", 0): 1}, {}, NOW_MS)
    reader.clear()
    reader.take_in({("leads", 0): [visit(1, NOW_MS)]}, {}, {("leads", 0): 5}, NOW_MS)
    assert reader.frames(NOW_MS, 99.0) == []
    assert (reader.wanted(), reader.commits(), counters.lag) == ([], {}, {})
