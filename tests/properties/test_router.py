"""Whatever is lost, sent twice or late between commits: every row is folded once, and nothing is refused for ever."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.frames import encode_frame
from schemas.rows import Frame, Row
from streams.intake.merge import Merger
from streams.intake.router import Commit, Router, log_partition, split
from tests.log_rule import take

LOGS = 3
ACCOUNTS = [f"a-{number}" for number in range(12)]

# offset -> (account, event time); None is a dead letter or a control record: an offset without a row.
Record = tuple[str, int] | None
records = st.lists(
    st.one_of(st.none(), st.tuples(st.sampled_from(ACCOUNTS), st.integers(0, 50))), min_size=1, max_size=40
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 12)),
        st.tuples(st.just("route"), st.sets(st.integers(0, 2)), st.booleans()),
        st.tuples(st.just("deliver"), st.integers(0, 8)),
        st.tuples(st.just("commit")),
        st.tuples(st.just("crash"), st.sets(st.integers(0, 40))),
        st.tuples(st.just("late"), st.integers(0, 100)),
    ),
    max_size=60,
)


def row(slot: int, offset: int, account: str, at_ms: int) -> Row:
    return Row(slot, offset, 0, at_ms, offset, f"e-{offset}", account, None, None, None, None, None, None)


@dataclass
class World:
    """Source partitions, the log, what is committed, and frames that were never acknowledged and may yet turn up."""

    sources: list[list[Record]]
    frame_events: int
    committed: dict[int, tuple[int, str]] = field(default_factory=dict)
    log: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(LOGS)])
    limbo: list[tuple[int, bytes]] = field(default_factory=list)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = Worker(self)


class Worker:
    def __init__(self, world: World) -> None:
        self.world = world
        self.router = Router(LOGS, world.frame_events)
        self.merger = Merger()
        self.pending: list[tuple[int, bytes]] = []
        self.read_to: list[int] = []
        for number in range(len(world.sources)):
            start = Commit.parse(*world.committed.get(number, (0, "epoch=3;base")), log_start=0)
            self.router.assign("t", number, start)
            self.read_to.append(start.offset)

    def read(self, number: int, count: int) -> None:
        source = self.world.sources[number]
        end = min(len(source), self.read_to[number] + count)
        offsets = range(self.read_to[number], end)
        kept = [(offset, source[offset]) for offset in offsets]
        self.merger.add(number, [row(number, offset, *record) for offset, record in kept if record is not None])
        self.read_to[number] = end

    def route(self, lagging: set[int], split_frames: bool) -> None:
        open_ones = {n for n in lagging if n < len(self.read_to) and self.read_to[n] < len(self.world.sources[n])}
        rows = self.merger.take(open_ones)
        positions = {n: self._routed_to(n) for n in range(len(self.read_to))}
        for log, frame in self.router.route(rows, positions, 0, 0):
            parts = split(frame) if split_frames and len(frame.rows) > 1 else (frame,)
            self.pending += [(log, encode_frame(part)) for part in parts]

    def _routed_to(self, number: int) -> int:
        first = self.merger.first_offset(number)
        return self.read_to[number] if first is None else first

    def deliver(self, count: int) -> None:
        for log, frame in self.pending[:count]:
            self.world.log[log].append(frame)
        del self.pending[:count]

    def commit(self) -> None:
        self.pending += [(log, encode_frame(frame)) for log, frame in self.router.completion(0, 0)]
        self.deliver(len(self.pending))
        commits = self.router.commits()
        self.world.committed = {number: (done.offset, done.metadata) for (_, number), done in commits.items()}


def play(world: World, action: tuple[object, ...]) -> None:
    match action:
        case "read", int(number), int(count):
            world.worker.read(number % len(world.sources), count)
        case "route", set(lagging), bool(split_frames):
            world.worker.route(lagging, split_frames)
        case "deliver", int(count):
            world.worker.deliver(count)
        case ("commit",):
            world.worker.commit()
        case "crash", set(survivors):
            pending = world.worker.pending
            for log in range(LOGS):  # a later frame may get through where an earlier one is lost
                kept = enumerate(pending)
                world.log[log] += [frame for index, (to, frame) in kept if to == log and index in survivors]
            world.limbo += [sent for index, sent in enumerate(pending) if index not in survivors]
            world.worker = Worker(world)
        case "late", int(index) if world.limbo:
            log, frame = world.limbo[index % len(world.limbo)]
            world.log[log].append(frame)


@settings(max_examples=300, deadline=None)
@given(st.lists(records, min_size=1, max_size=3), st.integers(1, 5), actions)
def test_every_row_is_folded_once_and_nothing_is_refused_for_ever(
    sources: list[list[Record]], frame_events: int, steps: list[tuple[object, ...]]
) -> None:
    world = World(sources, frame_events)
    for step in steps:
        play(world, step)
    for number, source in enumerate(sources):
        world.worker.read(number, len(source))
    world.worker.route(set(), split_frames=False)
    world.worker.commit()

    for log in range(LOGS):
        accepted, covered = take(world.log[log])
        expected = [
            (number, offset)
            for number, source in enumerate(sources)
            for offset, record in enumerate(source)
            if record is not None and log_partition(record[0], LOGS) == log
        ]
        assert sorted((place[1], one.offset) for place, one in accepted) == expected, f"log partition {log}"
        ends = {("t", number, 3): len(source) for number, source in enumerate(sources)}
        assert covered == ends, f"log partition {log}"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), min_size=1, max_size=4), st.data())
def test_rows_come_in_order_of_event_time_and_keep_the_order_of_their_partition(
    times: list[list[int]], data: st.DataObject
) -> None:
    merger = Merger()
    given_out: list[Row] = []
    added = [0] * len(times)
    while any(done < len(column) for done, column in zip(added, times, strict=True)):
        slot = data.draw(st.sampled_from([s for s, column in enumerate(times) if added[s] < len(column)]))
        count = data.draw(st.integers(1, len(times[slot]) - added[slot]))
        merger.add(slot, [row(slot, o, "a", times[slot][o]) for o in range(added[slot], added[slot] + count)])
        added[slot] += count
        lagging = [s for s, column in enumerate(times) if added[s] < len(column)]
        given_out += merger.take(lagging)
    for slot, column in enumerate(times):
        assert [one.offset for one in given_out if one.section == slot] == list(range(len(column)))
    # With every partition in order by itself, so is the whole.
    if all(column == sorted(column) for column in times):
        assert [one.at_ms for one in given_out] == sorted(one.at_ms for one in given_out)


def test_frames_hold_no_more_rows_than_allowed_and_items_count_as_rows() -> None:
    router = Router(1, 10)
    router.assign("t", 0, Commit(0, 1, base=True))
    rows = [row(0, offset, "a", 0) for offset in range(25)]
    rows[12].items = tuple((None, 1, 1, None) for _ in range(30))
    frames = [frame for _, frame in router.route(rows, {0: 25}, 7, 8)]
    assert [len(frame.rows) for frame in frames] == [10, 2, 1, 10, 2]
    assert [(frame.sections[0].start, frame.sections[0].end, frame.sections[0].base) for frame in frames] == [
        (0, 10, True),
        (10, 12, False),
        (12, 13, False),
        (13, 23, False),
        (23, 25, False),
    ]
    assert router.completion(0, 0) == []
    assert all((frame.produced_ms, frame.backlog) == (7, 8) for frame in frames)


def test_completion_covers_log_partitions_that_had_no_rows() -> None:
    router = Router(4, 100)
    router.assign("t", 0, Commit(5, 2, base=False))
    (log, _frame), *rest = router.route([row(0, 6, "a-1", 0)], {0: 9}, 0, 0)
    assert not rest
    frames: list[tuple[int, Frame]] = router.completion(0, 0)
    assert [number for number, _ in frames] == [0, 1, 2, 3]
    for number, frame in frames:
        (section,) = frame.sections
        assert (section.start, section.end, section.epoch) == (7 if number == log else 5, 9, 2)
    assert router.completion(0, 0) == []


def test_the_log_partition_of_an_account_never_changes() -> None:
    assert [log_partition(name, 8) for name in ("acc-1", "acc-2", "acc-3", "Cancity", "\0spend3")] == [1, 2, 1, 2, 7]


def test_every_source_partition_of_librdkafka_feeds_every_log_partition() -> None:
    accounts = [f"acc-{number:06d}" for number in range(2_000)]
    pairs = {(zlib.crc32(account.encode()) % 8, log_partition(account, 8)) for account in accounts}
    assert len(pairs) == 64


@pytest.mark.parametrize(
    ("metadata", "commit"),
    [
        ("epoch=1;base", Commit(5, 1, base=True)),
        ("epoch=12", Commit(5, 12, base=False)),
        ("", Commit(5, 1, base=False)),
        ("of another program", Commit(5, 1, base=False)),
    ],
)
def test_what_was_committed_is_read_again(metadata: str, commit: Commit) -> None:
    assert Commit.parse(5, metadata, log_start=2) == commit
    assert Commit.parse(5, commit.metadata, log_start=2) == commit


def test_without_metadata_a_commit_at_the_start_of_the_log_is_a_base() -> None:
    assert Commit.parse(5, "", log_start=5) == Commit(5, 1, base=True)
