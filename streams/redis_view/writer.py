"""The writes of one owner: what is pending each tick, all of it when Redis lost something, nothing when outdated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from schemas.settings import Redis
from streams.redis_view.commands import CHUNK, Write, build
from streams.redis_view.keys import Keys, SeriesKey, split_key
from streams.redis_view.snapshot import Head, OwnerSnapshot, Pending

_POINT_EVERY_S: Final = 30.0
_POINT_EVERY_CLOCK_MS: Final = 15 * 60_000  # history that is replayed passes in seconds
_NOTHING: Final = "nothing"  # a version that is never stored

Script = Callable[..., Any]
"""An awaitable call with ``keys`` and ``args``; returns ``[status, version]``."""


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
        self._keys = Keys(settings.prefix)
        self._now_ms = now_ms
        self._probes: tuple[SeriesKey, ...] = ()
        self._kept_alive_s = 0.0
        self._point_s = 0.0
        self._point_clock_ms = 0

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
        chunks = _chunks(pending.changed)
        probes, rank_probes = self._due_probes()
        first = Write(
            self.snapshot.owner,
            head,
            self._now_ms(),
            expected,
            complete=False,
            changed=chunks[0],
            gone=pending.gone,
            probes=probes,
            rank_probes=rank_probes,
            points=self._points(head),
        )
        if await self._run(script, first) == "missing":
            return await self._write_all(script, pending)
        await self._write_rest(script, head, chunks[1:])
        return False

    async def _write_all_unless_outdated(self, script: Script, pending: Pending) -> bool:
        if self.snapshot.outdated:  # ask with empty hands: everything is too much to have it refused each tick
            question = Write(self.snapshot.owner, pending.head, self._now_ms(), _NOTHING, complete=False)
            if await self._run(script, question) == "older":
                return False
        return await self._write_all(script, pending)

    async def _write_all(self, script: Script, pending: Pending) -> bool:
        head = pending.head
        chunks = _chunks(tuple(self.snapshot.entries))
        self._probes = _one_a_window(self.snapshot.entries)
        self._kept_alive_s = time.monotonic()
        first = Write(
            self.snapshot.owner,
            head,
            self._now_ms(),
            "",
            complete=True,
            changed=chunks[0],
            gone=pending.gone,
            points=self._points(head),
        )
        await self._run(script, first)
        await self._write_rest(script, head, chunks[1:])
        return True

    async def _write_rest(self, script: Script, head: Head, chunks: Iterable[tuple[str, ...]]) -> None:
        for chunk in chunks:
            if self.snapshot.confirmed is None:
                return  # lost again, or outdated, in between: the next tick sees to it
            write = Write(self.snapshot.owner, head, self._now_ms(), head.version, complete=False, changed=chunk)
            if await self._run(script, write) == "missing":
                self.snapshot.confirmed = None

    async def _run(self, script: Script, write: Write) -> str:
        keys, arguments = build(write, self.snapshot.entries, self._settings)
        status, version = (part.decode() for part in await script(keys=keys, args=arguments))
        if status == "ok":
            self.snapshot.confirmed = version
            self.snapshot.outdated = False
        elif status == "older":
            self.snapshot.outdated = True
            self.snapshot.confirmed = None
        return str(status)

    def _due_probes(self) -> tuple[tuple[SeriesKey, ...], tuple[SeriesKey, ...]]:
        """Pick a series of every key to be kept alive.

        Hashes each time, as one that nothing changes in must not expire; the many sorted sets four times in their time
        to live.
        """
        now_s = time.monotonic()
        if now_s - self._kept_alive_s < self._settings.ttl / 4_000:
            return self._probes, ()
        self._kept_alive_s = now_s
        self._probes = _one_a_window(self.snapshot.entries)
        ranked = {
            (key.kpi, (key.ranked() or ("", ""))[0], key.window): key
            for key in map(split_key, self.snapshot.entries)
            if key.ranked() and self.snapshot.entries[f"{key.kpi}|{key.window}|{key.dims}"].score is not None
        }
        return self._probes, tuple(ranked.values())

    def _points(self, head: Head) -> dict[str, str]:
        """A point of every global series' history, now and then."""
        now_s = time.monotonic()
        recent = now_s - self._point_s < min(_POINT_EVERY_S, self._settings.ttl / 3_000)
        if recent and abs(head.clock_ms - self._point_clock_ms) < _POINT_EVERY_CLOCK_MS:
            return {}
        self._point_s, self._point_clock_ms = now_s, head.clock_ms
        return {
            self._keys.history(series.kpi, series.window): json.dumps([head.clock_ms, entry.score])
            for series, entry in ((split_key(key), entry) for key, entry in self.snapshot.entries.items())
            if not series.dims
        }


def _chunks(keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Cut into runs of the script; one empty run when there is nothing."""
    source = iter(keys)
    chunks = []
    while chunk := tuple(islice(source, CHUNK)):
        chunks.append(chunk)
    return chunks or [()]


def _one_a_window(keys: Iterable[str]) -> tuple[SeriesKey, ...]:
    return tuple({series.window: series for series in map(split_key, keys)}.values())
