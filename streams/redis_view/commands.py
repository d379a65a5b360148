"""From pending values to the keys and arguments of the write script; pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.settings import Redis
from streams.history import HistoryStep, oldest_ms
from streams.redis_view.keys import Keys, PointKey, SeriesKey, split_key
from streams.redis_view.snapshot import Entry, Head, OwnerSnapshot
from streams.time import fixed_width, iso

Argument = str | bytes | int | float
_encoder: Final = msgspec.msgpack.Encoder()
CHUNK: Final = 2_000
"""Values and points in one run of the script: meanwhile Redis serves nobody else, and we no other task, for 20 ms."""
RECENT_LENGTH: Final = 480


class Write(NamedTuple):
    """One run of the script.

    Args:
        head: Version and freshness.
        now_ms: Wall clock of the writer.
        expected: Version that must stand in Redis; not asked of a complete write.
        complete: Whether it may begin from nothing.
        changed: Series keys to set; with the points at most :data:`CHUNK`.
        gone: Series keys to drop.
        probes: Series that must be there still, one for each hash to be kept alive.
        rank_probes: Ranked series that must be there still, one for each sorted set to be kept alive.
        points: Keys of points of history to set.
        points_gone: Keys of points to drop.
        trim: Whether to drop points, too, that an owner before this one left there and nobody asks for any more.
        point_probes: Points that must be there still, one for each hash to be kept alive.
        recent: Global series whose latest value is to be remembered.
    """

    head: Head
    now_ms: int
    expected: str
    complete: bool
    changed: Iterable[str] = ()
    gone: Iterable[str] = ()
    probes: Iterable[SeriesKey] = ()
    rank_probes: Iterable[SeriesKey] = ()
    points: Iterable[PointKey] = ()
    points_gone: Iterable[PointKey] = ()
    trim: bool = False
    point_probes: Iterable[PointKey] = ()
    recent: Iterable[SeriesKey] = ()


class _Touched:
    """Numbers the keys of one run as operations mention them."""

    def __init__(self, *first: str) -> None:
        self.names = {name: number for number, name in enumerate(first, 1)}

    def number(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names) + 1)


def build(write: Write, snapshot: OwnerSnapshot, settings: Redis) -> tuple[list[str], list[Argument]]:
    """Return KEYS and ARGV of the script for one write.

    All operations are one argument, as MessagePack: a client that is handed thousands takes longer than Redis does.
    Bytes go as text, which is the same on the wire: Redis knows no others.

    Args:
        write: What to write.
        snapshot: Everything the owner has said.
        settings: ``[redis]``: prefix, ttl, stream_length.
    """
    keys, entries = Keys(settings.prefix), snapshot.values.entries
    touched = _Touched(keys.meta, keys.updates)
    changed = [(split_key(key), entries[key]) for key in write.changed if key in entries]
    gone = [split_key(key) for key in write.gone]
    operations = [
        *_probes(write, keys, touched),
        *_values(changed, gone, keys, touched),
        *_rankings(changed, gone, keys, touched),
        *_points(write, snapshot.points.entries, keys, touched),
    ]
    for series in write.recent:
        point = json.dumps([write.head.clock_ms, entries[f"{series.kpi}|{series.window}|{series.dims}"].score])
        operations += ("L", touched.number(keys.recent(series.kpi, series.window)), point, RECENT_LENGTH)
    count = len(changed) + len(gone)
    header = _header(write, snapshot.owner, settings, keys, count)
    return list(touched.names), [*header, _encoder.encode(operations)]


def _header(write: Write, owner: int, settings: Redis, keys: Keys, count: int) -> tuple[Argument, ...]:
    head = write.head
    message = json.dumps({"owner": owner, "version": head.version, "changed": count}) if count else ""
    return (
        owner,
        head.position,
        head.clock_ms,
        write.expected,
        int(write.complete),
        "" if head.watermark_ms is None else fixed_width(head.watermark_ms),
        head.quality,
        fixed_width(write.now_ms),
        int(settings.ttl),
        settings.stream_length,
        keys.changes,
        message,
    )


def _probes(write: Write, keys: Keys, touched: _Touched) -> list[Argument]:
    operations: list[Argument] = []
    for series in write.probes:
        operations += ("P", touched.number(keys.window(series.window)), series.field)
    for point in write.point_probes:
        operations += ("P", touched.number(keys.history(point.kpi, point.step)), point.field)
    for series in write.rank_probes:
        if series.ranking is not None:
            operations += ("Q", touched.number(keys.rank(*series.ranking)), series.member)
    return operations


def _points(write: Write, entries: Mapping[PointKey, bytes], keys: Keys, touched: _Touched) -> list[Argument]:
    set_by_hash: dict[tuple[str, HistoryStep], list[Argument]] = defaultdict(list)
    dropped_by_hash: dict[tuple[str, HistoryStep], list[Argument]] = defaultdict(list)
    for point in write.points:
        if point in entries:
            set_by_hash[point.kpi, point.step] += (point.field, entries[point].decode())
    for point in write.points_gone:
        dropped_by_hash[point.kpi, point.step].append(point.field)
    operations: list[Argument] = []
    for (kpi, step), pairs in set_by_hash.items():
        operations += ("H", touched.number(keys.history(kpi, step)), len(pairs) // 2, *pairs)
    for (kpi, step), fields in dropped_by_hash.items():
        operations += ("D", touched.number(keys.history(kpi, step)), len(fields), *fields)
    if write.trim:
        for kpi, step in set_by_hash:
            oldest = iso(oldest_ms(step, write.head.clock_ms))
            operations += ("T", touched.number(keys.history(kpi, step)), oldest)
    return operations


def _values(
    changed: list[tuple[SeriesKey, Entry]], gone: list[SeriesKey], keys: Keys, touched: _Touched
) -> list[Argument]:
    set_by_window: dict[str, list[Argument]] = defaultdict(list)
    dropped_by_window: dict[str, list[Argument]] = defaultdict(list)
    for series, entry in changed:
        set_by_window[series.window] += (series.field, entry.payload.decode())
    for series in gone:
        dropped_by_window[series.window].append(series.field)
    operations: list[Argument] = []
    for window, pairs in set_by_window.items():
        operations += ("V", touched.number(keys.window(window)), window, len(pairs) // 2, *pairs)
    for window, fields in dropped_by_window.items():
        operations += ("D", touched.number(keys.window(window)), len(fields), *fields)
    return operations


def _rankings(
    changed: list[tuple[SeriesKey, Entry]], gone: list[SeriesKey], keys: Keys, touched: _Touched
) -> list[Argument]:
    scored: dict[tuple[str, str, str], list[Argument]] = defaultdict(list)
    unknown: dict[tuple[str, str, str], list[Argument]] = defaultdict(list)
    for series, entry in changed:
        if series.ranking is None:
            continue
        if entry.score is None:
            unknown[series.ranking].append(series.member)
        else:
            scored[series.ranking] += (float(entry.score), series.member)
    for series in gone:
        if series.ranking is not None:
            unknown[series.ranking].append(series.member)
    operations: list[Argument] = []
    for ranking, pairs in scored.items():
        operations += ("Z", touched.number(keys.rank(*ranking)), len(pairs) // 2, *pairs)
    for ranking, members in unknown.items():
        operations += ("R", touched.number(keys.rank(*ranking)), len(members), *members)
    return operations
