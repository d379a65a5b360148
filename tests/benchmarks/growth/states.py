"""Floors as they are measured: simulated events, the state that they make, and the same accounts many times over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Final, NamedTuple

import msgspec

from schemas.rows import Frame, Row, Section
from schemas.settings import Settings, settings_from
from schemas.wire import CellsMessage
from streams.compression import Compression
from streams.fold.partition import PartitionFold, Recovered
from streams.simulator import SimulationConfig, simulate
from tests.e2e.history import START_MS, ZONE, settings_of_history
from tests.harness import PurePipeline

RATE: Final = 500.0
"""Events per second of event time: as in the throughput benchmark."""
FRAME_EVENTS: Final = 1_000

_DAY_S: Final = 86_400
_JOURNEY_DAYS: Final = 100
_frames: Final = msgspec.msgpack.Decoder(Frame)
_messages: Final = msgspec.msgpack.Decoder(list[CellsMessage])


class Past(NamedTuple):
    """The state of a floor as its changelogs hold it, and the events that come next."""

    cells: dict[bytes, bytes]
    accounts: dict[bytes, bytes]
    marker: bytes
    reached: int
    rows: list[Row]


def settings_of_growth(**kafka: Any) -> Settings:
    """The settings of all axes: time is that of the events."""
    return settings_from({**tables_of_growth(), **({"kafka": kafka} if kafka else {})})


def tables_of_growth() -> dict[str, Any]:
    """The same, as tables."""
    return {name: table for name, table in settings_of_history().items() if name != "wall"}


def floor_events(
    number: int, *, reps: int = 24, rate: float = RATE, seed: int = 5, start_ms: int = START_MS
) -> Iterator[dict[str, Any]]:
    """So many events of a busy floor, in order: journeys of months within minutes, so that all types come."""
    seconds = number / rate
    speed = _JOURNEY_DAYS * _DAY_S / seconds
    config = SimulationConfig(seed=seed, events_per_second=rate, speed=speed, zone=ZONE, reps=reps)
    return (message.event for message in islice(simulate(config, start_ms), number))


def past_of(before: int, after: int) -> Past:
    """Fold events in one log partition; returns the state, and the rows of further ones."""
    pipeline = PurePipeline(settings_of_growth(), partitions=1, frame_events=FRAME_EVENTS)
    events = floor_events(before + after)
    pipeline.send(islice(events, before))
    pipeline.fold_all()
    folded = len(pipeline.logs[0])
    checkpoint = pipeline.folds[0].checkpoint()
    pipeline.send(events)
    rows = [row for frame in pipeline.logs[0][folded:] for row in _frames.decode(frame).rows]
    return Past(records(checkpoint.cells), records(checkpoint.accounts), checkpoint.marker[0][1] or b"", before, rows)


def records(written: Sequence[tuple[bytes, bytes | None]]) -> dict[bytes, bytes]:
    """Return what a checkpoint wrote, without what it deleted."""
    return {key: record for key, record in written if record is not None}


def copies(accounts: Mapping[bytes, bytes], number: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield accounts over and over, each time under names of their own and as bytes of their own."""
    nobodys = [item for item in accounts.items() if item[0].startswith(b"\0")]
    somebodys = [item for item in accounts.items() if not item[0].startswith(b"\0")]
    yield from nobodys
    every = ((copy_name(name, copy), bytes(bytearray(body))) for copy in count() for name, body in somebodys)
    yield from islice(every, number - len(nobodys))


def copy_name(name: bytes, copy: int) -> bytes:
    """Return what a copy of an account is called; the first is the account itself."""
    return b"%s~%d" % (name, copy) if copy else name


def recovered_fold(pipeline: PurePipeline, past: Past, accounts: Iterable[tuple[bytes, bytes]]) -> PartitionFold:
    """Return a fold as it is after a recovery, with the accounts in the place of its own; they are kept as read."""
    compression = Compression()
    fold = pipeline.new_fold(0, compression)
    kept = {key: compression.compress(record) for key, record in accounts}
    fold.recover(Recovered(past.cells, kept, past.marker))
    return fold


def frames_of(rows: Sequence[Row], reached: int) -> list[bytes]:
    """Encode rows as frames that go on at a source offset."""
    frames: list[bytes] = []
    for first in range(0, len(rows), FRAME_EVENTS):
        part = rows[first : first + FRAME_EVENTS]
        start = reached + first
        section = Section("events", 0, 0, start, start + len(part), base=False)
        placed = [msgspec.structs.replace(row, section=0, offset=start + index) for index, row in enumerate(part)]
        frames.append(msgspec.msgpack.encode(Frame((section,), placed, 0, 0)))
    return frames


def fold_frames(fold: PartitionFold, frames: Sequence[bytes]) -> int:
    """Fold frames that come next; returns how many events of them were new."""
    return sum(fold.fold(fold.fence + 1, _frames.decode(frame)) for frame in frames)


def told(fold: PartitionFold) -> bytes:
    """Return what changed since the last time, encoded as the owner of all series is told it."""
    changed, wins, restated = fold.take_changed(), fold.take_wins(), fold.take_restated()
    message = CellsMessage(fold.partition, fold.fence, fold.newest_ms, 0, 0, None, changed, wins, restated)
    return msgspec.msgpack.encode([message])


def heard(payload: bytes) -> list[CellsMessage]:
    """Undo :func:`told`."""
    return _messages.decode(payload)
