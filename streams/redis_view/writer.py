"""The writes of one owner: what is pending each tick, all of it when Redis lost something, nothing when outdated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from schemas.settings import Redis
from schemas.windows import WINDOWS
from streams.redis_view.commands import CHUNK, Write, build
from streams.redis_view.keys import PointKey, SeriesKey, split_key
from streams.redis_view.snapshot import Entry, Head, OwnerSnapshot, Pending

_RECENT_EVERY_S: Final = 30.0
_RECENT_EVERY_CLOCK_MS: Final = 15 * 60_000  # history that is replayed passes in seconds
_NOTHING: Final = "nothing"  # a version that is never stored

Script = Callable[..., Any]
"""An awaitable call with ``keys`` and ``args``; returns ``[status, version]``."""


class _Chunk(NamedTuple):
    """What one run of the script sets."""

    values: tuple[str, ...]
    points: tuple[PointKey, ...]


class _Probes(NamedTuple):
    """What must be there still, one of every key that is to be kept alive."""

    values: tuple[SeriesKey, ...] = ()
    points: tuple[PointKey, ...] = ()
    ranks: tuple[SeriesKey, ...] = ()


class OwnerWriter:
    """Brings one owner's snapshot into Redis.

    Args:
        snapshot: What to write; the sink goes on filling it while a write is under way.
        settings: ``[redis]``.
        now_ms: Wall clock, UTC milliseconds.
    """

    def __init__(self, snapshot: OwnerSnapshot, settings: Redis, now_ms: Callable[[], int]) -> None:
        self.snapshot = snapshot
        self._settings = settings
        self._now_ms = now_ms
        self._probes = _Probes()
        self._kept_alive_s = 0.0
        self._recent_s = 0.0
        self._recent_clock_ms = 0

    async def write(self, script: Script) -> bool:
        """Write what is pending; whether Redis had lost something, so that all was written.

        Raises:
            RedisError: Redis is away; the values stay pending.
        """
        pending = self.snapshot.begin()
        if pending is None:
            return False
        try:
            return await self._write(script, pending)
        except BaseException:  # cancelled, too: nobody knows what Redis took of it
            self.snapshot.give_back(pending)
            self.snapshot.confirmed = None
            raise

    async def _write(self, script: Script, pending: Pending) -> bool:
        head, expected = pending.head, self.snapshot.confirmed
        if expected is None:
            return await self._write_all_unless_outdated(script, pending)
        chunks = _chunks(pending.values.changed, pending.points.changed)
        probes = self._due_probes()
        first = Write(
            head,
            self._now_ms(),
            expected,
            complete=False,
            changed=chunks[0].values,
            gone=pending.values.gone,
            probes=probes.values,
            rank_probes=probes.ranks,
            points=chunks[0].points,
            points_gone=pending.points.gone,
            point_probes=probes.points,
            recent=self._recent(head),
        )
        if await self._run(script, first) == "missing":
            return await self._write_all(script, pending)
        await self._write_rest(script, head, chunks[1:])
        return False

    async def _write_all_unless_outdated(self, script: Script, pending: Pending) -> bool:
        if self.snapshot.outdated is not None:
            # Ask with empty hands: everything is too much to have it refused each tick.
            question = Write(pending.head, self._now_ms(), _NOTHING, complete=False)
            if await self._run(script, question) == "older" or self.snapshot.wants_everything:
                return False
        return await self._write_all(script, pending)

    async def _write_all(self, script: Script, pending: Pending) -> bool:
        head, snapshot = pending.head, self.snapshot
        chunks = _chunks(tuple(snapshot.values.entries), tuple(snapshot.points.entries))
        self._probes = _one_a_hash(snapshot)
        self._kept_alive_s = time.monotonic()
        first = Write(
            head,
            self._now_ms(),
            "",
            complete=True,
            changed=chunks[0].values,
            gone=pending.values.gone,
            points=chunks[0].points,
            points_gone=pending.points.gone,
            trim=True,
            recent=self._recent(head),
        )
        await self._run(script, first)
        await self._write_rest(script, head, chunks[1:], trim=True)
        return True

    async def _write_rest(self, script: Script, head: Head, chunks: Iterable[_Chunk], *, trim: bool = False) -> None:
        for values, points in chunks:
            if self.snapshot.confirmed is None:
                return  # lost again, or outdated, in between: the next tick sees to it
            write = Write(head, self._now_ms(), head.version, complete=False, changed=values, points=points, trim=trim)
            if await self._run(script, write) == "missing":
                self.snapshot.confirmed = None

    async def _run(self, script: Script, write: Write) -> str:
        keys, arguments = build(write, self.snapshot, self._settings)
        status, version = (part.decode() for part in await script(keys=keys, args=arguments))
        if status == "ok":
            self.snapshot.confirmed = version
            self.snapshot.outdated = None
        elif status == "older":
            position, _, clock_ms = version.partition(":")
            self.snapshot.outdated = int(position), int(clock_ms)
            self.snapshot.confirmed = None
        return str(status)

    def _due_probes(self) -> _Probes:
        """Pick something of every key to be kept alive.

        Hashes each time, as one that nothing changes in must not expire; the many sorted sets four times in their time
        to live.
        """
        now_s = time.monotonic()
        if now_s - self._kept_alive_s < self._settings.ttl / 4_000:
            return self._probes
        self._kept_alive_s = now_s
        self._probes = _one_a_hash(self.snapshot)
        return self._probes._replace(ranks=_one_a_ranking(self.snapshot.values.entries.items()))

    def _recent(self, head: Head) -> tuple[SeriesKey, ...]:
        """Return the global series, now and then: their values are remembered for the sparklines."""
        now_s = time.monotonic()
        recent = now_s - self._recent_s < min(_RECENT_EVERY_S, self._settings.ttl / 3_000)
        if recent and abs(head.clock_ms - self._recent_clock_ms) < _RECENT_EVERY_CLOCK_MS:
            return ()
        self._recent_s, self._recent_clock_ms = now_s, head.clock_ms
        return tuple(split_key(key) for key in self.snapshot.values.entries if key.endswith("|"))


def _chunks(values: Iterable[str], points: Iterable[PointKey]) -> list[_Chunk]:
    """Cut into runs of the script; one empty run when there is nothing."""
    source: Iterator[str | PointKey] = iter(chain(values, points))
    chunks = []
    while keys := tuple(islice(source, CHUNK)):
        of_values = tuple(key for key in keys if isinstance(key, str))
        chunks.append(_Chunk(of_values, tuple(key for key in keys if not isinstance(key, str))))
    return chunks or [_Chunk((), ())]


def _one_a_hash(snapshot: OwnerSnapshot) -> _Probes:
    values: dict[str, str] = {}
    for key in snapshot.values.entries:
        values.setdefault(key.split("|", 2)[1], key)
        if len(values) == len(WINDOWS):  # long before the last entry
            break
    points = {(point.kpi, point.step): point for point in snapshot.points.entries}
    return _Probes(tuple(map(split_key, values.values())), tuple(points.values()))


def _one_a_ranking(entries: Iterable[tuple[str, Entry]]) -> tuple[SeriesKey, ...]:
    """Return one series of each ranking: of those that have one dimension, and are known."""
    found = {key.partition("=")[0]: key for key, entry in entries if entry.score is not None and "," not in key}
    return tuple(series for series in map(split_key, found.values()) if series.ranking is not None)
