"""The sink to Redis: coalesces what comes in, writes it soon, and repairs the view when Redis has lost it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.settings import Settings
from streams.clock import wall_ms
from streams.history import History
from streams.publication import Publication
from streams.redis_view.alerts import AlertBoard
from streams.redis_view.connection import AWAY, connect
from streams.redis_view.keys import Keys
from streams.redis_view.moments import MomentLog
from streams.redis_view.script import WRITE
from streams.redis_view.snapshot import OwnerSnapshot
from streams.redis_view.writer import OwnerWriter

_LOG: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 4


class RedisSink:
    """Publishes to Redis from a task of its own; a :class:`streams.publication.Sink`.

    ``publish`` only remembers and never waits, so Redis being away, slow or full holds up nothing. Memory is bounded by
    the last value of every series. What Redis has lost, by a flush, a restart or a fail-over, is written again as a
    whole with the next tick.

    Args:
        settings: ``[redis]``, ``time.tick`` and ``pipeline.emit_interval``, the least time between two writes.
        now_ms: Wall clock, UTC milliseconds.
    """

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = wall_ms) -> None:
        self._settings = settings.redis
        self._tick_s = settings.time.tick / 1_000
        self._interval_s = min(settings.pipeline.emit_interval, settings.time.tick) / 1_000
        self._client = connect(settings.redis.url)
        self._script = self._client.register_script(WRITE)
        self._now_ms = now_ms
        self._writers: dict[int, OwnerWriter] = {}
        keys = Keys(settings.redis.prefix)
        self._alerts = AlertBoard(keys.alerts, settings.redis.ttl)
        self._moments = MomentLog(self._client, keys)
        self._news = asyncio.Event()
        self._one_flush = asyncio.Lock()
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the last write failed; None when Redis took it."""
        return self._problem

    async def publish(self, publication: Publication) -> None:
        """Remember what is new; returns at once."""
        self._snapshot(publication.owner).take(publication)
        self._news.set()

    async def publish_history(self, history: History) -> None:
        """Remember points of history; returns at once.

        They are written under the version of the owner's newest publication, and so not before it has one.
        """
        self._snapshot(history.owner).take_history(history)
        self._news.set()

    async def publish_moments(self, moments: Sequence[bytes]) -> None:
        """Remember moments worth celebrating, as JSON objects; returns at once. One ``id`` is told once.

        Raises:
            msgspec.ValidationError: One has no ``id``.
        """
        self._moments.take(moments)
        self._news.set()

    async def publish_alerts(self, alerts: Mapping[str, bytes]) -> None:
        """Remember the alerts of all series that are watched here, fingerprint -> JSON; returns at once.

        Those that were told before and are not among them are left to whoever watches their series now.
        """
        self._alerts.hold(alerts)
        self._news.set()

    def wants_everything(self, owner: int) -> bool:
        """Tell whether an owner has to tell everything anew, because another writer told of its series meanwhile."""
        writer = self._writers.get(owner)
        return writer is not None and writer.snapshot.wants_everything

    def forget(self, owner: int) -> None:
        """Stop writing an owner's series: somebody else has them now."""
        self._writers.pop(owner, None)

    async def run(self) -> None:
        """Write what is new as soon as it is there, and once a tick that we are alive; until cancelled."""
        alive_s = 0.0
        while True:
            started = time.monotonic()
            is_due = started - alive_s >= self._tick_s
            self._news.clear()
            taken = await self.flush(everybody=is_due)
            alive_s = started if is_due else alive_s
            interval_s = self._interval_s if taken else self._tick_s
            await asyncio.sleep(max(0.0, started + interval_s - time.monotonic()))
            with contextlib.suppress(TimeoutError):  # nothing is new, but that we are alive is
                async with asyncio.timeout(max(0.0, alive_s + self._tick_s - time.monotonic())):
                    await self._news.wait()

    async def flush(self, *, everybody: bool = True) -> bool:
        """Write all that is pending now; whether Redis took it.

        Args:
            everybody: Also say of owners who have nothing new that they are alive.
        """
        async with self._one_flush:
            slots = asyncio.Semaphore(_AT_ONCE)

            async def write(writer: OwnerWriter) -> bool:
                async with slots:
                    return await writer.write(self._script)

            writers = [writer for writer in self._writers.values() if everybody or writer.snapshot.has_news]
            try:
                done = await asyncio.gather(*map(write, writers), return_exceptions=True)
                failed = next((result for result in done if isinstance(result, BaseException)), None)
                if failed is not None:
                    raise failed
                await self._alerts.write(self._client, again=any(done))
                await self._moments.write()
            except AWAY as error:
                self._say(str(error) or type(error).__name__)
            else:
                self._say(None)
            return self._problem is None

    async def close(self) -> None:
        """Write what is left, if Redis is there, and disconnect. Call it when `run` has ended."""
        await self.flush()
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    def _snapshot(self, owner: int) -> OwnerSnapshot:
        writer = self._writers.get(owner)
        if writer is None:
            writer = self._writers[owner] = OwnerWriter(OwnerSnapshot(owner), self._settings, self._now_ms)
        return writer.snapshot

    def _say(self, problem: str | None) -> None:
        if problem is not None and self._problem is None:
            _LOG.warning("Redis does not take the view: %s; it is written again when it does", problem)
        elif problem is None and self._problem is not None:
            _LOG.info("Redis takes the view again")
        self._problem = problem
