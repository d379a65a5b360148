"""Whether what was written is what the log up to its fence makes of it: of every changelog record, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from agents.kafka import TopicPartition
from agents.reading import committed_offsets
from agents.topics import intake_group
from schemas.catalogue.compose import catalogue_of
from schemas.frames import decode_frame
from schemas.settings import Settings
from schemas.topics import changelog_topic
from schemas.windows import RESOLUTIONS, RETENTION_MS
from schemas.wire import Marker, body_of, fence_of
from streams.fold.cells import parse_place
from streams.fold.partition import PartitionFold
from streams.fold.rules import fold_rules
from streams.intake.router import Commit
from streams.plan import plan_of
from streams.time import Calendar
from tests.e2e.surfaces import checkpoints, records_of

_TABLES: Final = ("cells", "accounts", "markers")
_slices: Final = msgspec.msgpack.Decoder(dict[int, dict[str, int]])
_markers: Final = msgspec.msgpack.Decoder(Marker)

States = dict[tuple[str, bytes], list[tuple[int, bytes | None]]]
"""Table and key -> offset and record, of every offset of the log that changed it."""


class Judged(NamedTuple):
    """All changelog records that were ever written: how many, at how many fences, and which of them are wrong."""

    records: int
    fences: int
    wrong: list[str]


async def wrong_records(settings: Settings) -> Judged:
    """Compare every changelog record with an uninterrupted fold of the log up to its fence."""
    log = await records_of(settings, settings.topics.log)
    count, fences, lines = 0, set(), []
    written = {table: await records_of(settings, changelog_topic(settings.app.id, table)) for table in _TABLES}
    for partition, frames in enumerate(log):
        assert [frame.offset for frame in frames] == list(range(len(frames)))
        states, newest_ms = _states(settings, partition, [frame.value for frame in frames])
        for table, partitions in written.items():
            count += len(partitions[partition])
            for record in partitions[partition]:
                if record.value is None:
                    continue  # of expired slices: nothing is kept of them
                fence = fence_of(record.value)
                fences.add((partition, fence))
                right = _at(states.get((table, record.key), []), fence)
                if _content(table, record.key, record.value, newest_ms) != _content(
                    table, record.key, right, newest_ms
                ):
                    lines.append(f"{table}[{partition}] offset {record.offset} {record.key!r} at fence {fence}")
    return Judged(count, len(fences), lines)


async def commits_ahead(settings: Settings) -> list[str]:
    """Offsets that are committed beyond what is durable: of the log by the fold, of the sources by intake."""
    # What is committed is read first: what is durable can only have grown since.
    log = [TopicPartition(settings.topics.log, number) for number in range(settings.kafka.partitions)]
    of_fold = await committed_offsets(settings, settings.app.id, log)
    of_intake = await _committed_sources(settings)
    durable = (await checkpoints(settings)).fences
    lines = [
        f"{tp.topic}[{tp.partition}]: {kept.offset} is committed, durable is the state up to {durable[tp.partition]}"
        for tp, kept in of_fold.items()
        if kept.offset > durable[tp.partition] + 1
    ]
    for partition, frames in enumerate(await records_of(settings, settings.topics.log)):
        covered = dict(_covered(settings, partition, [frame.value for frame in frames]))
        lines += [
            f"{topic}[{number}]: {offset} is committed, log partition {partition} covers {covered.get((topic, number))}"
            for (topic, number), offset in of_intake.items()
            if offset > covered.get((topic, number), offset if offset == 0 else -1)
        ]
    return lines


async def _committed_sources(settings: Settings) -> Mapping[tuple[str, int], int]:
    sources = [
        TopicPartition(topic, number)
        for topic in settings.topics.sources().values()
        for number in range(settings.kafka.source_partitions)
    ]
    found = await committed_offsets(settings, intake_group(settings), sources)
    commits = {tp: Commit.parse(kept.offset, kept.metadata, 0) for tp, kept in found.items()}
    return {(tp.topic, tp.partition): commit.offset for tp, commit in commits.items()}


def _fold(settings: Settings, partition: int) -> PartitionFold:
    calendar = Calendar(settings.time.zone, settings.time.week_start)
    return PartitionFold(partition, plan_of(catalogue_of(settings)), calendar, fold_rules(settings))


def _states(settings: Settings, partition: int, frames: Iterable[bytes]) -> tuple[States, int]:
    """Fold a log without interruption, and keep what each offset changed."""
    states: States = {}
    fold = _fold(settings, partition)
    for offset, frame in enumerate(frames):
        fold.fold(offset, decode_frame(frame))
        for table, records in zip(_TABLES, fold.checkpoint().steps, strict=True):
            for key, value in records:
                states.setdefault((table, key), []).append((offset, value))
    return states, fold.newest_ms or 0


def _covered(settings: Settings, partition: int, frames: Iterable[bytes]) -> Iterator[tuple[tuple[str, int], int]]:
    """Up to where a log partition covers the source partitions."""
    fold = _fold(settings, partition)
    for offset, frame in enumerate(frames):
        fold.fold(offset, msgspec.structs.replace(decode_frame(frame), rows=[]))
    (marker,) = (value for _, value in fold.checkpoint().steps[2])
    assert marker is not None
    for each in _markers.decode(body_of(marker)).covered:
        yield (each.topic, each.partition), each.end


def _at(states: list[tuple[int, bytes | None]], fence: int) -> bytes | None:
    return next((value for offset, value in reversed(states) if offset <= fence), None)


def _content(table: str, key: bytes, record: bytes | None, newest_ms: int) -> Any:
    """What must be equal: of cells the slices that are kept to the end, else all but the fence."""
    if table != "cells":
        return None if record is None else bytes(body_of(record))
    kept_from_ms = newest_ms - RETENTION_MS.get(RESOLUTIONS[parse_place(key)[1]], 1 << 60)
    slices = {} if record is None else _slices.decode(body_of(record))
    return {start_ms: sums for start_ms, sums in slices.items() if start_ms > kept_from_ms}
